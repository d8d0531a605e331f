/*
 * Certificate, license and areas: whole installs on a simulated part, good ones and every refusal.
 */
#include "tests/drivers/bed.h"
#include "tests/support/sealed.h"

#include "crypto/license_global.h"

#include <stdio.h>

#define FIBER_TEST(name)                                                                           \
        static int name##_on_fiber(void *unused);                                                  \
        static void name(void **state)                                                             \
        {                                                                                          \
                (void)state;                                                                       \
                assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, name##_on_fiber, NULL), 0);   \
        }                                                                                          \
        static int name##_on_fiber(void *unused)

static const uint8_t key[16] = "a key for a test";
static const uint8_t nonce[12] = "nonce 123456";
static const uint8_t entropy[32] = { 1, 2, 3 };

static uint8_t firmware[3000];

/* Options of AN5054 figure 15: SECURITY stays on. */
static uint32_t good_options[9] = { 0x1026AAD0, 0x81000200, 0x81000200, 0x81000200, 0x81000200,
                                    0xFFFFFFFF, 0xFFFFFFFF, 0x24000800, 0x10000810 };

/* --- a job: bed, image, license ------------------------------------------------------------ */

struct job {
        struct bed *bed;
        struct certificate certificate;
        uint8_t license[RSS_LICENSES_MAX * LICENSE_LENGTH];
        unsigned modules; /* further licenses in there */
        struct sfi *sfi;
        struct sfi_part parts[8];
        int part_count;
        struct rss_progress progress;
};

static void make_image(struct job *job, const struct sfi_plain_area *areas, size_t count)
{
        struct sfi_recipe recipe = { .protocol = 1, .version = 3, .areas = areas, .count = count };
        struct bytes file;

        job->sfi = sfi_free(job->sfi);
        file = sealed_file(&recipe, key, nonce, NULL);
        assert_int_equal(sfi_parse("test.sfi", file, &job->sfi), 0);
        job->part_count = sfi_parts(job->sfi, job->parts, LENGTH_OF(job->parts));
        assert_true(job->part_count > 0);
}

static const struct sfi_plain_area usual_areas[] = {
        { SFI_FIRMWARE, 0x08000000, firmware, sizeof(firmware) },
        { SFI_FIRMWARE, 0x08100020, firmware, 333 },
        { SFI_CONFIGURATION, 0, good_options, sizeof(good_options) },
};

static void prepare(struct job *job)
{
        struct target *target = &job->bed->target;
        uint32_t values[OPTION_ROWS_MAX];

        assert_int_equal(target_read_options(target, values), 0);
        family_secure(&job->bed->family, values);
        assert_int_equal(target_write_options(target, values), 0);
        assert_int_equal(target_reset(target, 2000), 0);
}

/* Attached, certified, licensed, prepared, and the usual image sealed. */
static struct job job_on(struct bed *bed)
{
        struct job job = { .bed = bed };

        for (size_t i = 0; i < sizeof(firmware); i++)
                firmware[i] = (uint8_t)(i * 13 + 1);
        assert_int_equal(
                rss_read_certificate(&job.bed->target, &job.bed->profile, &job.certificate), 0);
        assert_int_equal(license_issue(&job.certificate, "SFI", key, nonce, entropy, job.license),
                         0);
        make_image(&job, usual_areas, LENGTH_OF(usual_areas));
        prepare(&job);
        return job;
}

static struct job job_ready(void)
{
        return job_on(bed_attached());
}

static void job_end(struct job *job)
{
        sfi_free(job->sfi);
        bed_free(job->bed);
}

static int install_one(struct job *job, int part)
{
        return rss_install_part(&job->bed->target, &job->bed->profile, job->sfi, &job->parts[part],
                                part + 1 == job->part_count, job->license, 1 + job->modules,
                                &job->progress);
}

/* All parts in turn, up to the first failure. */
static int install(struct job *job)
{
        int r = 0;

        for (int i = 0; i < job->part_count && !r; i++)
                r = install_one(job, i);
        return r;
}

/* --- certificate --------------------------------------------------------------------------- */

FIBER_TEST(the_certificate_is_asked_for_and_checked)
{
        struct bed *bed = bed_attached();
        struct certificate certificate;

        (void)unused;
        assert_int_equal(rss_read_certificate(&bed->target, &bed->profile, &certificate), 0);
        assert_string_equal(certificate.product_id, "45002001");
        assert_int_equal(certificate.device_id, 0x450);
        /* another product id is refused before anything is spent on it */
        strcpy(bed->family.product_id, "48002001");
        assert_fault(rss_read_certificate(&bed->target, &bed->profile, &certificate),
                     BAD_CERTIFICATE, "45002001");
        bed_free(bed);
        return 0;
}

FIBER_TEST(a_part_that_runs_from_flash_gives_no_certificate)
{
        struct bed *bed = bed_attached();
        struct certificate certificate;
        uint64_t start;

        (void)unused;
        part_set_boot_pin(bed->part, false);
        assert_int_equal(target_reset(&bed->target, 1000), 0);
        start = clock_now_ns();
        assert_fault(rss_read_certificate(&bed->target, &bed->profile, &certificate), RSS_SILENT,
                     "within 2000 ms");
        assert_in_range(clock_now_ns() - start, 2 * NS_PER_S, 2100 * NS_PER_MS);
        bed_free(bed);
        return 0;
}

FIBER_TEST(a_command_the_rom_does_not_know_is_told)
{
        struct bed *bed = bed_attached();
        struct rss_profile other = bed->profile; /* the part answers to its own */
        struct certificate certificate;

        (void)unused;
        other.command_certificate = 77;
        assert_fault(rss_read_certificate(&bed->target, &other, &certificate), RSS,
                     "complete value is 1");
        bed_free(bed);
        return 0;
}

FIBER_TEST(a_reference_profile_runs_only_on_a_part_with_its_marker)
{
        struct bed *bed = bed_attached();
        struct rss_profile profile = bed->profile;

        (void)unused;
        assert_int_equal(rss_check_allowed(&bed->target, &profile), 0);
        strcpy(profile.marker, "GANGWAY REFERENCE CHIP");
        assert_fault(rss_check_allowed(&bed->target, &profile), REFERENCE_ONLY, "AN5511");
        profile.marker_address = 0x60000000; /* faults */
        assert_fault(rss_check_allowed(&bed->target, &profile), REFERENCE_ONLY, "0x60000000");
        profile.marker_address = 0;
        assert_fault(rss_check_allowed(&bed->target, &profile), REFERENCE_ONLY, NULL);
        profile.source = SOURCE_SILICON;
        assert_int_equal(rss_check_allowed(&bed->target, &profile), 0);
        bed_free(bed);
        return 0;
}

/* --- installs ------------------------------------------------------------------------------ */

FIBER_TEST(an_image_is_installed)
{
        struct job job = job_ready();
        uint32_t values[OPTION_ROWS_MAX];

        (void)unused;
        assert_int_equal(install(&job), 0);
        assert_memory_equal(part_flash(job.bed->part, 0x08000000), firmware, sizeof(firmware));
        assert_memory_equal(part_flash(job.bed->part, 0x08100020), firmware, 333);
        assert_int_equal(*part_flash(job.bed->part, 0x08000000 + sizeof(firmware)), 0xFF);
        assert_int_equal(job.progress.bytes_sent, job.progress.bytes_total);
        assert_int_equal(job.progress.bytes_total, 3 * 30 + sizeof(firmware) + 333 + 36);
        assert_int_equal(job.progress.area_reached, 3);
        assert_int_equal(job.progress.area_count, 3);
        assert_int_equal(target_read_options(&job.bed->target, values), 0);
        assert_int_equal(values[7], 0x24000800);
        assert_true(family_is_secure(&job.bed->family, values));
        job_end(&job);
        return 0;
}

/* 7A3 and 73x: other sectors and words, one bank; the same nine rows (AN5054 figure 15). */
FIBER_TEST(the_other_lines_of_the_h7_install_alike)
{
        static const char *const files[] = { "configs/targets/stm32h7a3.conf",
                                             "configs/targets/stm32h73x.conf" };
        static const struct sfi_plain_area areas[] = {
                { SFI_FIRMWARE, 0x08000000, firmware, sizeof(firmware) },
                { SFI_CONFIGURATION, 0, good_options, sizeof(good_options) },
        };

        (void)unused;
        for (size_t i = 0; i < LENGTH_OF(files); i++) {
                uint32_t values[OPTION_ROWS_MAX];
                struct bed *bed = bed_make_family(files[i]);
                struct job job;

                assert_int_equal(target_attach(&bed->target, 24000), 0);
                job = job_on(bed);
                make_image(&job, areas, LENGTH_OF(areas));
                assert_int_equal(install(&job), 0);
                assert_memory_equal(part_flash(bed->part, 0x08000000), firmware, sizeof(firmware));
                assert_int_equal(target_read_options(&bed->target, values), 0);
                assert_int_equal(values[7], 0x24000800);
                assert_true(family_is_secure(&bed->family, values));
                assert_memory_equal(job.certificate.bytes, i ? "48302001" : "48002001", 8);
                job_end(&job);
        }
        return 0;
}

FIBER_TEST(a_split_image_is_installed_part_by_part)
{
        static const struct sfi_plain_area areas[] = {
                { SFI_FIRMWARE, 0x08000000, firmware, 1000 },
                { SFI_PAUSE, 0x081FF000, NULL, 0 },
                { SFI_RESUME, 0x081FF000, NULL, 0 },
                { SFI_FIRMWARE, 0x08001000, firmware, 2000 },
                { SFI_CONFIGURATION, 0, good_options, sizeof(good_options) },
        };
        struct job job = job_ready();

        (void)unused;
        make_image(&job, areas, LENGTH_OF(areas));
        assert_int_equal(job.part_count, 2);
        /* the second part cannot go first */
        assert_fault(install_one(&job, 1), RSS, "out of order");
        assert_int_equal(install(&job), 0);
        assert_memory_equal(part_flash(job.bed->part, 0x08000000), firmware, 1000);
        assert_memory_equal(part_flash(job.bed->part, 0x08001000), firmware, 2000);
        assert_int_equal(job.progress.area_reached, 5);
        job_end(&job);
        return 0;
}

FIBER_TEST(a_license_for_another_chip_is_refused)
{
        struct job job = job_ready();
        struct certificate other = job.certificate;
        uint8_t seed[32] = { 99 }, private_key[PRIVATE_KEY_LENGTH];

        (void)unused;
        license_chip_key(seed, private_key, other.bytes + 8);
        assert_int_equal(license_issue(&other, "SFI", key, nonce, entropy, job.license), 0);
        assert_fault(install(&job), BAD_LICENSE, "not for this chip");
        assert_int_equal(*part_flash(job.bed->part, 0x08000000), 0xFF);
        job_end(&job);
        return 0;
}

FIBER_TEST(a_license_with_another_nonce_does_not_open_the_header)
{
        struct job job = job_ready();
        uint8_t other[12] = "nonce 123457";

        (void)unused;
        assert_int_equal(license_issue(&job.certificate, "SFI", key, other, entropy, job.license),
                         0);
        assert_fault(install(&job), BAD_IMAGE, "wrong key or nonce");
        job_end(&job);
        return 0;
}

/* --- modules ------------------------------------------------------------------------------- */

/* An image of two modules in two parts, and a license for each. */
static struct job job_with_modules(void)
{
        static const struct sfi_plain_area areas[] = {
                { SFI_MODULE, 0x08000000, firmware, 1000 },
                { SFI_PAUSE, 0x081FF000, NULL, 0 },
                { SFI_RESUME, 0x081FF000, NULL, 0 },
                { SFI_MODULE, 0x08001000, firmware, 2000 },
        };
        struct job job = job_ready();

        make_image(&job, areas, LENGTH_OF(areas));
        assert_int_equal(job.part_count, 2);
        for (job.modules = 1; job.modules <= 2; job.modules++)
                assert_int_equal(license_issue(&job.certificate, "SMU", key, nonce, entropy,
                                               job.license + job.modules * LICENSE_LENGTH),
                                 0);
        job.modules = 2;
        return job;
}

FIBER_TEST(modules_are_installed_with_a_license_each)
{
        struct job job = job_with_modules();

        (void)unused;
        assert_int_equal(install(&job), 0);
        assert_memory_equal(part_flash(job.bed->part, 0x08000000), firmware, 1000);
        assert_memory_equal(part_flash(job.bed->part, 0x08001000), firmware, 2000);
        job_end(&job);
        return 0;
}

FIBER_TEST(a_module_license_for_another_chip_is_refused_and_named)
{
        struct job job = job_with_modules();
        struct certificate other = job.certificate;
        uint8_t seed[32] = { 99 }, private_key[PRIVATE_KEY_LENGTH];

        (void)unused;
        license_chip_key(seed, private_key, other.bytes + 8);
        assert_int_equal(
                license_issue(&other, "SMU", key, nonce, entropy, job.license + 2 * LICENSE_LENGTH),
                0);
        assert_fault(install(&job), BAD_LICENSE, "at module 2");
        assert_int_equal(job.progress.license_refused, 2);
        assert_int_equal(*part_flash(job.bed->part, 0x08000000), 0xFF); /* before anything */
        job_end(&job);
        return 0;
}

FIBER_TEST(modules_and_licenses_must_be_as_many)
{
        struct job job = job_with_modules();

        (void)unused;
        job.modules = 1;
        assert_fault(install(&job), BAD_LICENSE, "at module 2");
        assert_int_equal(*part_flash(job.bed->part, 0x08001000), 0xFF);
        job_end(&job);
        job = job_with_modules();
        memcpy(job.license + 3 * LICENSE_LENGTH, job.license, LICENSE_LENGTH);
        job.modules = 3;
        assert_fault(install(&job), BAD_LICENSE, "at module 3");
        job_end(&job);
        job = job_with_modules();
        job.modules = 0;
        assert_fault(install(&job), BAD_LICENSE, "at module 1");
        assert_int_equal(*part_flash(job.bed->part, 0x08000000), 0xFF);
        job_end(&job);
        return 0;
}

/* AN5054 sections 9.3.3 and 10.3.3: some families take one, the others do not know what it is. */
FIBER_TEST(a_global_license_opens_where_the_profile_takes_one)
{
        struct job job = job_ready();

        (void)unused;
        license_global_make(key, nonce, job.license);
        assert_fault(install(&job), BAD_LICENSE, "not for this chip");
        assert_int_equal(job.progress.license_refused, 0);
        job.bed->profile.takes_global = true;
        assert_int_equal(install(&job), 0);
        assert_memory_equal(part_flash(job.bed->part, 0x08000000), firmware, sizeof(firmware));
        job_end(&job);
        return 0;
}

FIBER_TEST(a_changed_area_is_refused_and_named)
{
        struct job job = job_ready();

        (void)unused;
        job.sfi->file.data[job.sfi->areas[1].offset + SFI_AREA_HEADER_LENGTH + 100] ^= 0x10;
        assert_fault(install(&job), BAD_AREA, "at area 2 (type F, 333 bytes at 0x08100020)");
        assert_int_equal(*part_flash(job.bed->part, 0x08100020), 0xFF);
        job_end(&job);
        return 0;
}

FIBER_TEST(flash_that_is_not_erased_is_refused_and_named)
{
        struct job job = job_ready();

        (void)unused;
        part_fill_flash(job.bed->part, 0x08100040, "\x00", 1);
        assert_fault(install(&job), NOT_BLANK, "at area 2");
        job_end(&job);
        return 0;
}

FIBER_TEST(a_weak_flash_word_is_a_bad_unit)
{
        struct job job = job_ready();

        (void)unused;
        part_set_weak_word(job.bed->part, 0x08000400);
        assert_fault(install(&job), FLASH, "at area 1");
        assert_int_equal(fault_blame(-FAULT_FLASH), BLAME_UNIT);
        job_end(&job);
        return 0;
}

FIBER_TEST(an_unprepared_part_refuses_the_install)
{
        struct job job = { .bed = bed_attached() };

        (void)unused;
        assert_int_equal(
                rss_read_certificate(&job.bed->target, &job.bed->profile, &job.certificate), 0);
        assert_int_equal(license_issue(&job.certificate, "SFI", key, nonce, entropy, job.license),
                         0);
        make_image(&job, usual_areas, LENGTH_OF(usual_areas));
        assert_fault(install(&job), PROTECTED, "SECURITY");
        job_end(&job);
        return 0;
}

struct refusal {
        struct sfi_plain_area areas[2];
        size_t count;
        enum fault fault;
        const char *sentence;
};

FIBER_TEST(images_that_break_a_rule_are_refused)
{
        static uint32_t closed[9] = { 0x1006AAD0, 0x00020001, 0x81000200, 0x81000200, 0x81000200,
                                      0xFF,       0xFF,       0x24000800, 0 };
        static const struct refusal cases[] = {
                { { { SFI_FIRMWARE, 0x20000000, firmware, 64 } },
                  1,
                  FAULT_BAD_IMAGE,
                  "not in flash" },
                { { { SFI_FIRMWARE, 0x08000000, firmware, 64 },
                    { SFI_FIRMWARE, 0x08000020, firmware, 64 } },
                  2,
                  FAULT_BAD_IMAGE,
                  "overlaps an earlier one" },
                { { { SFI_CONFIGURATION, 0, good_options, 32 } },
                  1,
                  FAULT_OPTION_BYTES,
                  "refused" },
                { { { 'X', 0, firmware, 32 } }, 1, FAULT_RSS, "complete value is 1" },
                /* an active PCROP area without SECURITY (AN5054 3.3.1) */
                { { { SFI_CONFIGURATION, 0, closed, 36 } }, 1, FAULT_OPTION_BYTES, "refused" },
        };

        (void)unused;
        for (size_t i = 0; i < LENGTH_OF(cases); i++) {
                struct job job = job_ready();
                int r;

                make_image(&job, cases[i].areas, cases[i].count);
                r = install(&job);
                if (r != -(int)cases[i].fault || !strstr(fault_sentence(r), cases[i].sentence))
                        print_error("# case %zu: %s: %s\n", i, fault_name(r), fault_sentence(r));
                assert_int_equal(r, -(int)cases[i].fault);
                assert_non_null(strstr(fault_sentence(r), cases[i].sentence));
                job_end(&job);
        }
        return 0;
}

FIBER_TEST(a_part_that_is_too_long_is_not_even_sent)
{
        struct job job = job_ready();
        struct rss_profile small = job.bed->profile;
        unsigned commands = job.bed->commands;

        (void)unused;
        small.areas_capacity = 1024;
        assert_fault(rss_install_part(&job.bed->target, &small, job.sfi, &job.parts[0], true,
                                      job.license, 1, NULL),
                     NO_ROOM, "room for 1024");
        job.bed->family.image_ram = 2048;
        assert_fault(install(&job), NO_ROOM, "takes 2048 at a time");
        assert_int_equal(job.bed->commands, commands);
        job_end(&job);
        return 0;
}

/* --- no answer is not success -------------------------------------------------------------- */

/* Pull the board out a while after the areas have gone. */
static int pull(void *subject)
{
        struct job *job = subject;

        while (job->progress.bytes_sent < job->progress.bytes_total || !job->progress.bytes_total)
                if (fiber_sleep_ns(NS_PER_MS) < 0)
                        return 0;
        if (!fiber_sleep_ns(100 * NS_PER_MS))
                bed_power(job->bed, false);
        return 0;
}

static int install_pulled(struct job *job)
{
        struct fiber *hand = fiber_spawn("hand", pull, job);
        int r = install(job);

        fiber_cancel(hand);
        fiber_join(hand);
        return r;
}

FIBER_TEST(a_board_pulled_in_its_last_part_is_not_provable)
{
        struct job job = job_ready();

        (void)unused;
        assert_fault(install_pulled(&job), NOT_PROVABLE, "after the last part");
        job_end(&job);
        return 0;
}

FIBER_TEST(a_board_pulled_before_its_last_part_is_silent)
{
        static const struct sfi_plain_area areas[] = {
                { SFI_FIRMWARE, 0x08000000, firmware, 3000 },
                { SFI_PAUSE, 0x081FF000, NULL, 0 },
                { SFI_RESUME, 0x081FF000, NULL, 0 },
                { SFI_FIRMWARE, 0x08001000, firmware, 2000 },
        };
        struct job job = job_ready();

        (void)unused;
        make_image(&job, areas, LENGTH_OF(areas));
        assert_fault(install_pulled(&job), RSS_SILENT, "parts are still to come");
        job_end(&job);
        return 0;
}

FIBER_TEST(an_rss_that_never_starts_is_silent)
{
        struct job job = job_ready();

        (void)unused;
        part_set_boot_pin(job.bed->part, false); /* boots from flash, so no RSS looks */
        assert_fault(install(&job), RSS_SILENT, "state 0x00000000");
        job_end(&job);
        return 0;
}

static int install_subject(void *subject)
{
        return install(subject);
}

FIBER_TEST(an_install_can_be_cancelled_and_the_part_be_reached_again)
{
        struct job job = job_ready();
        struct fiber *fiber = fiber_spawn("install", install_subject, &job);
        uint32_t value;

        (void)unused;
        assert_int_equal(fiber_sleep_ns(60 * NS_PER_MS), 0);
        fiber_cancel(fiber);
        assert_int_equal(fiber_join(fiber), -FAULT_CANCELLED);
        assert_int_equal(target_reattach(&job.bed->target, 5000), 0);
        assert_int_equal(target_read_word(&job.bed->target, 0x5C001000, &value), 0);
        job_end(&job);
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_certificate_is_asked_for_and_checked),
                cmocka_unit_test(a_part_that_runs_from_flash_gives_no_certificate),
                cmocka_unit_test(a_command_the_rom_does_not_know_is_told),
                cmocka_unit_test(a_reference_profile_runs_only_on_a_part_with_its_marker),
                cmocka_unit_test(an_image_is_installed),
                cmocka_unit_test(the_other_lines_of_the_h7_install_alike),
                cmocka_unit_test(a_split_image_is_installed_part_by_part),
                cmocka_unit_test(a_license_for_another_chip_is_refused),
                cmocka_unit_test(a_license_with_another_nonce_does_not_open_the_header),
                cmocka_unit_test(modules_are_installed_with_a_license_each),
                cmocka_unit_test(a_module_license_for_another_chip_is_refused_and_named),
                cmocka_unit_test(modules_and_licenses_must_be_as_many),
                cmocka_unit_test(a_global_license_opens_where_the_profile_takes_one),
                cmocka_unit_test(a_changed_area_is_refused_and_named),
                cmocka_unit_test(flash_that_is_not_erased_is_refused_and_named),
                cmocka_unit_test(a_weak_flash_word_is_a_bad_unit),
                cmocka_unit_test(an_unprepared_part_refuses_the_install),
                cmocka_unit_test(images_that_break_a_rule_are_refused),
                cmocka_unit_test(a_part_that_is_too_long_is_not_even_sent),
                cmocka_unit_test(a_board_pulled_in_its_last_part_is_not_provable),
                cmocka_unit_test(a_board_pulled_before_its_last_part_is_silent),
                cmocka_unit_test(an_rss_that_never_starts_is_silent),
                cmocka_unit_test(an_install_can_be_cancelled_and_the_part_be_reached_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
