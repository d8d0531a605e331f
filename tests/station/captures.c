/*
 * captures.c - what stays of a failed unit: its file, what is in it and what must not be, how much
 * there may be of them, and that the driver meets the same fault when it is told the same again.
 */
#include "tests/support/line.h"
#include "tests/support/replay_wire.h"
#include "tests/support/simulated.h"
#include "tests/support/test.h"

#include "drivers/family_fields.h"
#include "drivers/preflight.h"
#include "scheduler/file.h"
#include "station/captures.h"

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static glob_t files; /* the captures of a line, by glob() */

static size_t find_captures(const struct line *line)
{
        globfree(&files);
        (void)glob(line_path(line, "data/captures/*/*.pcapng"), 0, NULL, &files);
        return files.gl_pathc;
}

struct reading {
        const char *path;
        struct bytes bytes;
};

static int read_now(void *subject)
{
        struct reading *reading = subject;

        return file_read(reading->path, CAPTURE_FILE_MAX, &reading->bytes);
}

static struct bytes read_capture(const char *path)
{
        struct reading reading = { .path = path };

        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, read_now, &reading), 0);
        return reading.bytes;
}

static struct line *failing_line(enum capture_rule rule, struct misfortune misfortune)
{
        struct line *line = line_create(4, 2);

        line->station.settings.capture = rule;
        line->station.settings.bench.misfortune = misfortune;
        line_order(line, "A", 12, "retries: 0\n");
        assert_int_equal(line_run(line, LOOP_TIME_VIRTUAL, 5, NULL, NULL), 0);
        return line;
}

/* --- which there are ----------------------------------------------------------------------- */

static void every_failed_attempt_leaves_a_capture_and_no_other(void **state)
{
        struct line *line = failing_line(CAPTURE_FAILURES, (struct misfortune){ .used_part = 3 });
        struct stat status;

        (void)state;
        assert_int_equal(line->counts.good, 12);
        assert_true(line->counts.bad > 0);
        assert_int_equal(find_captures(line), line->counts.attempts - line->counts.good);
        for (size_t i = 0; i < files.gl_pathc; i++) {
                assert_int_equal(stat(files.gl_pathv[i], &status), 0);
                assert_int_equal(status.st_mode & 07777, 0600);
        }
        assert_int_equal(stat(line_path(line, "data/captures/A"), &status), 0);
        assert_int_equal(status.st_mode & 07777, 0700);
        line_destroy(line);
}

static void all_keeps_the_units_that_passed_too_and_whole(void **state)
{
        struct line *line = failing_line(CAPTURE_ALL, (struct misfortune){ .used_part = 3 });

        (void)state;
        assert_int_equal(find_captures(line), line->counts.attempts);
        for (size_t i = 0; i < files.gl_pathc; i++) {
                struct bytes file = read_capture(files.gl_pathv[i]);
                struct capture capture;

                assert_int_equal(capture_parse("x", file.data, file.length, &capture), 0);
                assert_int_equal(capture.cut, 0);
                assert_int_equal(capture.dropped, 0);
                capture_free(&capture);
                bytes_free(&file);
        }
        line_destroy(line);
}

static void none_keeps_none(void **state)
{
        struct line *line = failing_line(CAPTURE_NONE, (struct misfortune){ .used_part = 3 });

        (void)state;
        assert_true(line->counts.bad > 0);
        assert_int_equal(find_captures(line), 0);
        assert_null(line_find(line, "data/captures"));
        line_destroy(line);
}

static void the_oldest_go_when_there_are_too_many(void **state)
{
        struct line *line = line_create(4, 2);
        size_t before;
        uint64_t total = 0;
        struct stat status;
        bool has_oldest = false;
        char oldest[300];

        (void)state;
        line->station.settings.capture = CAPTURE_ALL;
        line->station.settings.capture_mb = 1;
        line_order(line, "A", 8, "retries: 0\n");
        assert_int_equal(line_run(line, LOOP_TIME_VIRTUAL, 5, NULL, NULL), 0);
        before = find_captures(line);
        snprintf(oldest, sizeof(oldest), "%s", line_path(line, "data/captures/A/0-1-OLD.pcapng"));
        assert_int_equal(close(open(oldest, O_CREAT | O_WRONLY, 0600)), 0);
        assert_int_equal(truncate(oldest, 400 << 10), 0);
        assert_int_equal(utimensat(AT_FDCWD, oldest, (struct timespec[2]){ { 1, 0 }, { 1, 0 } }, 0),
                         0);
        line_order(line, "B", 12, "retries: 0\n");
        assert_int_equal(line_run(line, LOOP_TIME_VIRTUAL, 6, NULL, NULL), 0);
        assert_true(find_captures(line) < before + 12);
        for (size_t i = 0; i < files.gl_pathc; i++) {
                assert_int_equal(stat(files.gl_pathv[i], &status), 0);
                total += (uint64_t)status.st_size;
                has_oldest |= strcmp(files.gl_pathv[i], oldest) == 0;
        }
        assert_true(total <= 1 << 20);
        assert_false(has_oldest);
        line_destroy(line);
}

static void a_capture_that_cannot_be_kept_is_an_alarm_and_no_fault_of_the_unit(void **state)
{
        struct line *line = line_create(4, 2);
        bool is_told = false;
        FILE *file;

        (void)state;
        line->station.settings.bench.misfortune.used_part = 3;
        assert_int_equal(mkdir(line_path(line, "data"), 0700), 0);
        file = fopen(line_path(line, "data/captures"), "w"); /* where the folder would be */
        assert_non_null(file);
        fclose(file);
        line_order(line, "A", 12, "retries: 0\n");
        assert_int_equal(line_run(line, LOOP_TIME_VIRTUAL, 5, NULL, NULL), 0);
        assert_int_equal(line->counts.good, 12);
        assert_true(line->counts.bad > 0);
        assert_int_equal(line->counts.errors, 0);
        for (unsigned i = 0; i < line->station.alarm_count; i++)
                is_told |= strstr(line->station.alarms[i], "the capture was not kept") != NULL;
        assert_true(is_told);
        line_destroy(line);
}

/* --- what is in them ----------------------------------------------------------------------- */

static unsigned license_writes; /* seen in captures */

/* Writes to where the reference profile wants the license (configs/rss/reference-h7.conf). */
static void check_license_writes(const struct capture_exchanges *exchanges)
{
        for (size_t i = 0; i < exchanges->count; i++) {
                const struct capture_exchange *exchange = &exchanges->items[i];

                if (exchange->is_in || !exchange->length ||
                    load_le32(exchange->command + 2) - 0x24030800u >= LICENSE_LENGTH)
                        continue;
                license_writes++;
                assert_int_equal(exchange->data_length, exchange->length);
                for (uint32_t k = 0; k < exchange->data_length; k++)
                        assert_int_equal(exchange->data[k], 0);
        }
}

/* Every license a site held while it installed: the test looks over its shoulder. */
static uint8_t licenses[32][LICENSE_LENGTH];
static unsigned license_count;

static void note_license(const uint8_t *license)
{
        static const uint8_t wiped[LICENSE_LENGTH];

        if (memcmp(license, wiped, LICENSE_LENGTH) == 0)
                return;
        for (unsigned i = 0; i < license_count; i++)
                if (memcmp(license, licenses[i], LICENSE_LENGTH) == 0)
                        return;
        assert_true(license_count < LENGTH_OF(licenses));
        memcpy(licenses[license_count++], license, LICENSE_LENGTH);
}

static int watch_licenses(void *context)
{
        const struct line *line = context;

        while (fiber_sleep_ns(NS_PER_MS) == 0)
                for (unsigned i = 0; line->station.sites && i < 4; i++) {
                        const struct install *install = &line->station.sites[i].install;

                        for (unsigned k = 0; k < install->license_count; k++)
                                note_license(install->licenses[k].license.bytes);
                }
        return 0;
}

/* No eight bytes in a row of any license, anywhere in the file. The first 24 are the same in all of
 * them, most of them zero (crypto/license.h). */
static void assert_no_license(const struct bytes *file)
{
        for (unsigned i = 0; i < license_count; i++)
                for (unsigned k = 24; k + 8 <= LICENSE_LENGTH; k++)
                        assert_null(memmem(file->data, file->length, licenses[i] + k, 8));
}

/* Whole units are recorded, so the write of every license is; what stood in it must not be. */
static void no_byte_of_a_license_is_in_a_capture(void **state)
{
        struct line *line = line_create(4, 2);

        (void)state;
        license_writes = license_count = 0;
        line->station.settings.capture = CAPTURE_ALL;
        line->station.settings.bench.misfortune.weak_word = 2;
        line_order(line, "A", 4, "retries: 0\n");
        assert_int_equal(line_run(line, LOOP_TIME_VIRTUAL, 5, watch_licenses, line), 0);
        assert_true(line->counts.bad > 0);
        assert_true(license_count >= 4);
        assert_true(find_captures(line) > 0);
        for (size_t i = 0; i < files.gl_pathc; i++) {
                struct bytes file = read_capture(files.gl_pathv[i]);
                struct replay_wire replay;

                replay_wire_init(&replay, file.data, file.length);
                check_license_writes(&replay.exchanges);
                assert_no_license(&file);
                replay_wire_finish(&replay);
                bytes_free(&file);
        }
        assert_true(license_writes > 0);
        line_destroy(line);
}

/* --- the same again ------------------------------------------------------------------------ */

struct again {
        struct line *line;
        struct replay_wire replay;
        struct sfi *sfi;
        char sentence[512];
};

static int each_area_blank(struct target *target, const struct sfi *sfi)
{
        uint32_t sector = target->family->sector_length, last = UINT32_MAX;
        int r = 0;

        for (unsigned i = 0; i < sfi->count && !r; i++) {
                const struct sfi_area *area = &sfi->areas[i];

                for (uint32_t at = area->address / sector * sector;
                     area->type == SFI_FIRMWARE && at < area->address + area->length && !r;
                     at += sector) {
                        if (at != last)
                                r = target_check_blank(target, at, sector);
                        last = at;
                }
        }
        return r;
}

static int read_part(struct target *target, const struct sfi *sfi, uint32_t *options)
{
        const struct preflight_request request = { .target = target,
                                                   .options = options,
                                                   .conditions = target->family->conditions,
                                                   .rss = simulated_rss() };
        struct target_identity identity;
        int r = target_attach(target, 24000);

        if (!r)
                r = target_identify(target, &identity);
        if (!r)
                r = target_read_options(target, options);
        if (!r)
                r = preflight_check(&request);
        return r ? r : each_area_blank(target, sfi);
}

/* What station/install.c does to a part, with a license of zeros. */
static int do_unit(struct target *target, const struct sfi *sfi)
{
        static const uint8_t license[LICENSE_LENGTH];
        struct certificate certificate;
        uint32_t options[OPTION_ROWS_MAX];
        struct sfi_part parts[8];
        int r = read_part(target, sfi, options), count;

        if (!r)
                r = rss_read_certificate(target, simulated_rss(), &certificate);
        if (r < 0)
                return r;
        family_secure(target->family, options);
        r = target_write_options(target, options);
        count = r < 0 ? r : sfi_parts(sfi, parts, LENGTH_OF(parts));
        for (int i = 0; i < count && !r; i++)
                r = rss_install_part(target, simulated_rss(), sfi, &parts[i], i + 1 == count,
                                     license, 1, NULL);
        return r < 0 ? r : target_read_options(target, options);
}

static int replay_unit(void *subject)
{
        struct again *again = subject;
        struct stlink probe = replay_wire_session(&again->replay);
        struct target target = { .probe = &probe, .family = simulated_family() };
        int r = do_unit(&target, again->sfi);

        snprintf(again->sentence, sizeof(again->sentence), "%s", r < 0 ? fault_sentence(r) : "");
        return r;
}

static struct sfi *image_of(const struct line *line)
{
        struct bytes file = read_capture(line_path(line, "image.sfi"));
        struct sfi *sfi;

        assert_int_equal(sfi_parse("image", file, &sfi), 0); /* the bytes are given */
        return sfi;
}

/* The capture's own comment has fault and sentence: "fail FLASH at install: ...". */
static void replay_gives_the_same(struct line *line, const char *path)
{
        struct bytes file = read_capture(path);
        struct again again = { .line = line, .sfi = image_of(line) };
        char found[600];
        int r;

        replay_wire_init(&again.replay, file.data, file.length);
        r = test_on_fiber(LOOP_TIME_VIRTUAL, 1, replay_unit, &again);
        assert_int_equal(again.replay.mismatches, 0);
        assert_true(r < 0);
        snprintf(found, sizeof(found), " %s at ", fault_name(r));
        if (!strstr(again.replay.capture.about.comment, found))
                fail_msg("replayed%s, recorded %s", found, again.replay.capture.about.comment);
        assert_non_null(strstr(again.replay.capture.about.comment, again.sentence));
        replay_wire_finish(&again.replay);
        sfi_free(again.sfi);
        bytes_free(&file);
}

static unsigned replay_failures(struct line *line)
{
        unsigned failures = 0;

        for (size_t i = 0; i < find_captures(line); i++) {
                struct bytes file = read_capture(files.gl_pathv[i]);
                bool is_failure = memmem(file.data, file.length, "\nfail ", 6) ||
                                  memmem(file.data, file.length, "\nerror ", 7);

                bytes_free(&file);
                if (!is_failure)
                        continue;
                failures++;
                replay_gives_the_same(line, files.gl_pathv[i]);
        }
        return failures;
}

static void a_replayed_failure_is_the_same_failure(void **state)
{
        struct line *line =
                failing_line(CAPTURE_FAILURES,
                             (struct misfortune){ .used_part = 5, .wrong_part = 5, .boot_pin = 5 });

        (void)state;
        assert_true(replay_failures(line) > 1);
        line_destroy(line);
}

static void so_is_one_in_the_middle_of_the_install(void **state)
{
        struct line *line = failing_line(CAPTURE_ALL, (struct misfortune){ .weak_word = 3 });

        (void)state;
        assert_true(replay_failures(line) > 0);
        line_destroy(line);
}

static void so_is_a_disturbed_wire(void **state)
{
        struct line *line = failing_line(
                CAPTURE_FAILURES, (struct misfortune){ .late_answer = 300, .short_answer = 300 });

        (void)state;
        assert_true(replay_failures(line) > 0);
        line_destroy(line);
}

static void so_is_a_cable_pulled_in_the_middle(void **state)
{
        struct line *line = failing_line(CAPTURE_ALL, (struct misfortune){ .unplug = 3 });

        (void)state;
        assert_true(line->counts.errors > 0);
        assert_true(replay_failures(line) > 0);
        line_destroy(line);
}

/* A driver that does something else than then is told so. */
static int wrong_clock(void *subject)
{
        struct again *again = subject;
        struct stlink probe = replay_wire_session(&again->replay);
        struct target target = { .probe = &probe, .family = simulated_family() };

        return target_attach(&target, 3300);
}

static void a_replay_notices_what_is_sent_otherwise(void **state)
{
        struct line *line = failing_line(CAPTURE_FAILURES, (struct misfortune){ .used_part = 3 });
        struct again again = { .line = line };
        struct bytes file;

        (void)state;
        assert_true(find_captures(line) > 0);
        file = read_capture(files.gl_pathv[0]);
        replay_wire_init(&again.replay, file.data, file.length);
        assert_fault(test_on_fiber(LOOP_TIME_VIRTUAL, 1, wrong_clock, &again), SYSTEM,
                     "another command");
        assert_int_equal(again.replay.mismatches, 1);
        replay_wire_finish(&again.replay);
        bytes_free(&file);
        line_destroy(line);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_failed_attempt_leaves_a_capture_and_no_other),
                cmocka_unit_test(all_keeps_the_units_that_passed_too_and_whole),
                cmocka_unit_test(none_keeps_none),
                cmocka_unit_test(the_oldest_go_when_there_are_too_many),
                cmocka_unit_test(
                        a_capture_that_cannot_be_kept_is_an_alarm_and_no_fault_of_the_unit),
                cmocka_unit_test(no_byte_of_a_license_is_in_a_capture),
                cmocka_unit_test(a_replayed_failure_is_the_same_failure),
                cmocka_unit_test(so_is_one_in_the_middle_of_the_install),
                cmocka_unit_test(so_is_a_disturbed_wire),
                cmocka_unit_test(so_is_a_cable_pulled_in_the_middle),
                cmocka_unit_test(a_replay_notices_what_is_sent_otherwise),
        };

        (void)simulated_family(); /* read now: on a fiber it could not be */
        (void)simulated_rss();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
