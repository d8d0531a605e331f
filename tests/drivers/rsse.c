/*
 * The RSSe: its file, its choice by die, its start, and whole installs through it on parts that stay
 * readable and on parts that close.
 */
#include "tests/drivers/bed.h"
#include "tests/support/sealed.h"

#include "crypto/license_global.h"
#include "drivers/rsse.h"
#include "scheduler/file.h"

#include <stdio.h>

#define FIBER_TEST(name)                                                                           \
        static int name##_on_fiber(void *unused);                                                  \
        static void name(void **state)                                                             \
        {                                                                                          \
                (void)state;                                                                       \
                assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, name##_on_fiber, NULL), 0);   \
        }                                                                                          \
        static int name##_on_fiber(void *unused)

#define FIRMWARE 0x08000000u
#define CLOSED   0x72u /* product state of the H5: targets.md 5.2 */

static const uint8_t key[16] = "a key for a test";
static const uint8_t nonce[12] = "nonce 123456";

static uint8_t firmware[3000];

/* --- a bed with an RSSe ---------------------------------------------------------------------- */

struct job {
        struct bed *bed;
        struct rsse rsse;
        uint8_t license[LICENSE_LENGTH];
        struct sfi *sfi;
        struct sfi_part part;
        struct rss_progress progress;
};

static struct job job_on(const char *family, const char *rss)
{
        struct job job = { 0 };
        char family_file[64], rss_file[64];

        snprintf(family_file, sizeof(family_file), "configs/targets/%s.conf", family);
        snprintf(rss_file, sizeof(rss_file), "configs/rss/%s.conf", rss);
        job.bed = bed_make_as(family_file, rss_file, NULL);
        assert_int_equal(target_attach(&job.bed->target, 24000), 0);
        assert_int_equal(rsse_load(&job.bed->profile, &job.bed->family, &job.rsse), 0);
        license_global_make(key, nonce, job.license);
        for (size_t i = 0; i < sizeof(firmware); i++)
                firmware[i] = (uint8_t)(i * 13 + 1);
        return job;
}

static void job_end(struct job *job)
{
        rsse_free(&job->rsse);
        sfi_free(job->sfi);
        bed_free(job->bed);
}

static void seal(struct job *job, const struct sfi_plain_area *areas, size_t count)
{
        struct sfi_recipe recipe = { .protocol = 2, .version = 3, .areas = areas, .count = count };

        job->sfi = sfi_free(job->sfi);
        assert_int_equal(sfi_parse("test.sfi", sealed_file(&recipe, key, nonce, NULL), &job->sfi),
                         0);
        assert_int_equal(sfi_parts(job->sfi, &job->part, 1), 1);
}

static int start(struct job *job)
{
        return rsse_start(&job->bed->target, &job->bed->profile, &job->rsse, NULL);
}

static int install(struct job *job)
{
        return rss_install_part(&job->bed->target, &job->bed->profile, job->sfi, &job->part, true,
                                job->license, 1, &job->progress);
}

/* Factory option bytes with the product state `state`, as a C area. */
static void option_words(const struct family *family, uint8_t state,
                         uint8_t ret_words[OPTION_ROWS_MAX * 4])
{
        uint32_t options[OPTION_ROWS_MAX];

        for (size_t i = 0; i < family->option_count; i++)
                options[i] = family->options[i].factory;
        family_field_set(family_field(family, ROLE_STATE), options, state);
        for (size_t i = 0; i < family->option_count; i++)
                store_le32(ret_words + 4 * i, options[i]);
}

/* --- the file -------------------------------------------------------------------------------- */

static void the_files_are_what_their_maker_makes(void **state)
{
        char command[256];

        (void)state;
        snprintf(command, sizeof(command),
                 "d=%s && configs/rss/make-reference-rsse $d && for f in $d/reference-rsse-*.bin; "
                 "do "
                 "cmp $f configs/rss/$(basename $f) || exit 1; done && "
                 "[ $(ls $d | wc -l) = $(ls configs/rss/*.bin | wc -l) ]",
                 test_directory());
        assert_int_equal(system(command), 0);
}

static void write(const char *path, const void *data, size_t length)
{
        FILE *file = fopen(path, "wb");

        assert_non_null(file);
        assert_int_equal(fwrite(data, 1, length, file), length);
        fclose(file);
}

/* The profile with `file` as the RSSe of the family's die. */
static int load_from(struct job *job, const char *file, enum profile_source source)
{
        struct rss_profile profile = job->bed->profile;
        struct rsse rsse;
        int r;

        profile.source = source;
        for (size_t i = 0; i < profile.rsse_count; i++)
                snprintf(profile.rsse[i].file, sizeof(profile.rsse[i].file), "%s", file);
        r = rsse_load(&profile, &job->bed->family, &rsse);
        if (r >= 0)
                rsse_free(&rsse);
        return r;
}

FIBER_TEST(it_is_chosen_by_die_and_refused_when_missing_or_foreign)
{
        struct job job = job_on("stm32u575", "reference-u5");
        struct rsse none;
        char path[300];

        (void)unused;
        assert_int_equal(job.rsse.device_id, 0x482);
        assert_int_equal(job.rsse.version, 1);
        snprintf(path, sizeof(path), "%s/rsse.bin", test_directory());
        remove(path);
        assert_fault(load_from(&job, path, SOURCE_REFERENCE), NOT_FOUND, "RSSe of device 0x482");
        assert_fault(load_from(&job, "configs/rss/reference-rsse-481.bin", SOURCE_REFERENCE),
                     BAD_VALUE, "is the RSSe of device 0x481, a STM32U575 is 0x482");
        write(path, "", 0);
        assert_fault(load_from(&job, path, SOURCE_SILICON), BAD_FILE, "is empty");
        write(path, "encrypted and signed", 20);
        assert_fault(load_from(&job, path, SOURCE_REFERENCE), BAD_FILE, "no reference RSSe");
        assert_int_equal(load_from(&job, path, SOURCE_SILICON),
                         0); /* ST's own is not looked into */
        job.bed->profile.rsse_capacity = 16;
        assert_fault(load_from(&job, path, SOURCE_SILICON), TOO_LARGE, "rsse.bin");
        job.bed->family.device_id = 0x123;
        assert_fault(rsse_load(&job.bed->profile, &job.bed->family, &none), NOT_FOUND,
                     "names no RSSe for device 0x123");
        job_end(&job);
        return 0;
}

FIBER_TEST(a_family_with_an_rss_in_rom_needs_none)
{
        struct bed *bed = bed_make();
        struct rsse rsse;

        (void)unused;
        assert_int_equal(rsse_load(&bed->profile, &bed->family, &rsse), 0);
        assert_null(rsse.file.data);
        bed_free(bed);
        return 0;
}

/* --- its start ------------------------------------------------------------------------------- */

FIBER_TEST(it_starts_only_on_a_part_that_was_prepared)
{
        struct job job = job_on("stm32u575", "reference-u5");

        (void)unused;
        assert_fault(start(&job), PROTECTED, "the RSSe did not start");
        job_end(&job);
        job = job_on("stm32h56x", "reference-h5");
        assert_int_equal(start(&job), 0);
        job_end(&job);
        return 0;
}

FIBER_TEST(what_is_no_rsse_for_the_die_is_refused_by_the_part)
{
        struct job job = job_on("stm32h56x", "reference-h5");

        (void)unused;
        job.rsse.file.data[40] ^= 1;
        assert_fault(start(&job), RSS, "is no RSSe for this die");
        job.rsse.file.data[40] ^= 1;
        assert_int_equal(start(&job), 0);
        rsse_free(&job.rsse);
        assert_int_equal(
                file_read("configs/rss/reference-rsse-478.bin", RSSE_FILE_MAX, &job.rsse.file), 0);
        assert_fault(start(&job), RSS, "is no RSSe for this die");
        job_end(&job);
        return 0;
}

FIBER_TEST(a_part_that_runs_its_own_flash_says_nothing)
{
        struct job job = job_on("stm32h56x", "reference-h5");

        (void)unused;
        part_set_boot_pin(job.bed->part, false);
        assert_fault(start(&job), RSS_SILENT, "says nothing");
        job_end(&job);
        return 0;
}

/* --- installs -------------------------------------------------------------------------------- */

FIBER_TEST(without_a_running_rsse_nothing_is_installed)
{
        struct job job = job_on("stm32h56x", "reference-h5");
        const struct sfi_plain_area areas[] = { { 'F', FIRMWARE, firmware, sizeof(firmware) } };

        (void)unused;
        seal(&job, areas, 1);
        assert_fault(install(&job), RSS_SILENT, "is not done");
        assert_int_equal(start(&job), 0);
        assert_int_equal(target_reset(&job.bed->target, 1000), 0); /* ends it */
        assert_fault(install(&job), RSS_SILENT, "is not done");
        assert_int_equal(*part_flash(job.bed->part, FIRMWARE), 0xFF);
        job_end(&job);
        return 0;
}

/* Keys and ST's own images go along; random keys lie where no firmware does. */
FIBER_TEST(a_part_that_closes_itself_has_said_what_became_of_it)
{
        struct job job = job_on("stm32h56x", "reference-h5");
        uint8_t words[OPTION_ROWS_MAX * 4], file[64] = { 1 }, couple[8];
        const struct sfi_plain_area areas[] = {
                { 'F', FIRMWARE, firmware, sizeof(firmware) },
                { SFI_KEYS, 0, couple, sizeof(couple) },
                { SFI_OPTION_KEY_REFERENCE, 0x0FFD0100, file, sizeof(file) },
                { SFI_OPTION_KEY_REFERENCE, 0x0FFD0900, file, sizeof(file) },
                { SFI_SSFI_REFERENCE, 0, file, sizeof(file) },
                { 'C', 0, words, job.bed->family.option_count * 4 },
        };
        uint32_t word;

        (void)unused;
        store_le32(couple, 24);
        store_le32(couple + 4, 0x08100008);
        option_words(&job.bed->family, CLOSED, words);
        seal(&job, areas, LENGTH_OF(areas));
        assert_int_equal(start(&job), 0);
        assert_int_equal(install(&job), 0);
        assert_int_equal(job.progress.end, RSS_END_CLOSED);
        assert_memory_equal(part_flash(job.bed->part, FIRMWARE), firmware, sizeof(firmware));
        assert_int_equal(*part_flash(job.bed->part, 0x08100007), 0xFF);
        assert_int_equal(*part_flash(job.bed->part, 0x08100020), 0xFF);
        assert_memory_not_equal(part_flash(job.bed->part, 0x08100008),
                                part_flash(job.bed->part, 0x08100020), 24);
        assert_int_equal(part_installed(job.bed->part, 'O'), 2);
        assert_int_equal(part_installed(job.bed->part, 'S'), 1);
        assert_true(target_read_word(&job.bed->target, FIRMWARE, &word) < 0);
        assert_fault(target_attach(&job.bed->target, 24000), LOCKED, "access port 1 does not");
        job_end(&job);
        return 0;
}

FIBER_TEST(a_part_that_stays_open_is_read_to_the_end)
{
        struct job job = job_on("stm32h7rs", "reference-h7rs");
        uint8_t words[OPTION_ROWS_MAX * 4];
        const struct sfi_plain_area areas[] = {
                { 'F', FIRMWARE, firmware, sizeof(firmware) },
                { 'C', 0, words, job.bed->family.option_count * 4 },
        };
        uint32_t word;

        (void)unused;
        option_words(&job.bed->family, 0xB4, words);
        seal(&job, areas, LENGTH_OF(areas));
        assert_int_equal(start(&job), 0);
        assert_int_equal(install(&job), 0);
        assert_int_equal(job.progress.end, RSS_END_READABLE);
        assert_int_equal(target_read_word(&job.bed->target, FIRMWARE, &word), 0);
        assert_int_equal(word, load_le32(firmware));
        job_end(&job);
        return 0;
}

FIBER_TEST(key_files_and_images_have_their_places)
{
        static uint8_t file[64] = { 1 };
        static const struct sfi_plain_area outside = { 'O', 0x0FFD2000, file, sizeof(file) };
        static const struct sfi_plain_area nothing = { 'S', 0, file, 0 };
        struct job job = job_on("stm32h56x", "reference-h5");

        (void)unused;
        seal(&job, &outside, 1);
        assert_int_equal(start(&job), 0);
        assert_fault(install(&job), BAD_IMAGE, "area 1");
        job_end(&job);
        job = job_on("stm32h56x", "reference-h5");
        seal(&job, &nothing, 1);
        assert_int_equal(start(&job), 0);
        assert_fault(install(&job), RSS, "complete value is 1");
        job_end(&job);
        return 0;
}

FIBER_TEST(a_tag_that_is_wrong_leaves_an_h5_in_provisioning)
{
        struct job job = job_on("stm32h56x", "reference-h5");
        const struct sfi_plain_area areas[] = { { 'F', FIRMWARE, firmware, sizeof(firmware) } };

        (void)unused;
        seal(&job, areas, 1);
        job.sfi->file.data[job.sfi->file.length - 1] ^= 1;
        assert_int_equal(start(&job), 0);
        assert_fault(install(&job), BAD_AREA, "area 1");
        assert_int_equal(family_protection(&job.bed->family, part_options(job.bed->part)), 0x17);
        job_end(&job);
        return 0;
}

/* --- no answer is never success --------------------------------------------------------------- */

static struct job *watched;
static unsigned after_ms; /* from the value's first showing until the power goes */

static int cut_power(void *unused)
{
        struct job *job = watched;
        uint8_t word[4] = { 0 };

        (void)unused;
        while (load_le32(word) != RSS_STATE_SHOWN) {
                if (fiber_sleep_ns(NS_PER_MS) < 0)
                        return 0;
                (void)part_read(job->bed->part, clock_now_ns(), 1, job->bed->profile.mailbox + 0x20,
                                word, sizeof(word));
        }
        if (fiber_sleep_ns(after_ms * NS_PER_MS) == 0)
                bed_power(job->bed, false);
        return 0;
}

static int install_with_power_cut(unsigned ms)
{
        struct job job = job_on("stm32h56x", "reference-h5");
        uint8_t words[OPTION_ROWS_MAX * 4];
        const struct sfi_plain_area areas[] = {
                { 'F', FIRMWARE, firmware, sizeof(firmware) },
                { 'C', 0, words, job.bed->family.option_count * 4 },
        };
        struct fiber *fiber;
        int r;

        option_words(&job.bed->family, CLOSED, words);
        seal(&job, areas, LENGTH_OF(areas));
        assert_int_equal(start(&job), 0);
        watched = &job;
        after_ms = ms;
        fiber = fiber_spawn("power", cut_power, NULL);
        r = install(&job);
        fiber_cancel(fiber);
        (void)fiber_join(fiber);
        job_end(&job);
        return r;
}

/* 300 ms of showing, 50 ms of option bytes, 10 ms of reset and 100 ms of boot; looks every 50 ms. */
FIBER_TEST(a_part_that_dies_after_its_good_value_proves_nothing)
{
        (void)unused;
        assert_fault(install_with_power_cut(0), NOT_PROVABLE, "could not be read");
        assert_fault(install_with_power_cut(120), NOT_PROVABLE, "nothing of the part was seen");
        assert_fault(install_with_power_cut(320), NOT_PROVABLE, "nothing of the part was seen");
        assert_int_equal(install_with_power_cut(5000), 0);
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_files_are_what_their_maker_makes),
                cmocka_unit_test(it_is_chosen_by_die_and_refused_when_missing_or_foreign),
                cmocka_unit_test(a_family_with_an_rss_in_rom_needs_none),
                cmocka_unit_test(it_starts_only_on_a_part_that_was_prepared),
                cmocka_unit_test(what_is_no_rsse_for_the_die_is_refused_by_the_part),
                cmocka_unit_test(a_part_that_runs_its_own_flash_says_nothing),
                cmocka_unit_test(without_a_running_rsse_nothing_is_installed),
                cmocka_unit_test(a_part_that_closes_itself_has_said_what_became_of_it),
                cmocka_unit_test(a_part_that_stays_open_is_read_to_the_end),
                cmocka_unit_test(key_files_and_images_have_their_places),
                cmocka_unit_test(a_tag_that_is_wrong_leaves_an_h5_in_provisioning),
                cmocka_unit_test(a_part_that_dies_after_its_good_value_proves_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
