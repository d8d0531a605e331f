#include "tests/support/test.h"

#include "crypto/backup_memory.h"
#include "crypto/digest.h"

#include <string.h>

static struct backup_memory memory, got;

static int set(enum backup_kind kind, uint32_t offset, size_t length)
{
        static const uint8_t data[BACKUP_SRAM_LENGTH + 1] = { 1, 2, 3, 4 };

        return backup_memory_set(&memory, "f", kind, offset, data, length);
}

static void runs_are_kept_and_read_again(void **state)
{
        struct bytes file;

        (void)state;
        memory = (struct backup_memory){ 0 };
        assert_int_equal(set(BACKUP_REGISTER, 8, 4), 0);
        assert_int_equal(set(BACKUP_SRAM, BACKUP_SRAM_LENGTH - 3, 3), 0);
        assert_int_equal(set(BACKUP_SRAM, 0, 1), 0);
        assert_int_equal(backup_memory_count(&memory, BACKUP_REGISTER), 4);
        assert_int_equal(backup_memory_count(&memory, BACKUP_SRAM), 4);
        file = backup_memory_build(&memory);
        assert_int_equal(file.length, 16 + 3 * 12 + 8 + 32);
        assert_int_equal(backup_memory_parse("b", file.data, file.length, &got), 0);
        assert_memory_equal(&got, &memory, sizeof(got));
        bytes_free(&file);
}

static void what_does_not_fit_or_overlaps_is_refused(void **state)
{
        (void)state;
        memory = (struct backup_memory){ 0 };
        assert_fault(set(BACKUP_SRAM, 1, BACKUP_SRAM_LENGTH), BAD_VALUE, "have 0x2000 bytes");
        assert_fault(set(BACKUP_SRAM, UINT32_MAX, 1), BAD_VALUE, "have 0x2000 bytes");
        assert_fault(set(BACKUP_SRAM, 0, 0), BAD_VALUE, "0 bytes");
        assert_fault(set(BACKUP_REGISTER, 4 * BACKUP_REGISTERS, 4), BAD_VALUE, "have 0x200 bytes");
        assert_fault(set(BACKUP_REGISTER, 4, 3), BAD_VALUE, "half a backup register");
        assert_int_equal(set(BACKUP_SRAM, 16, 16), 0);
        assert_fault(set(BACKUP_SRAM, 31, 1), BAD_VALUE,
                     "offset 0x1F of the backup SRAM is given "
                     "twice");
        assert_int_equal(set(BACKUP_SRAM, 32, 1), 0);
}

static void every_byte_that_alternates_fits_the_file(void **state)
{
        struct bytes file;

        (void)state;
        memory = (struct backup_memory){ 0 };
        for (uint32_t i = 0; i < BACKUP_SRAM_LENGTH; i += 2)
                assert_int_equal(set(BACKUP_SRAM, i, 1), 0);
        for (uint32_t i = 0; i < 4 * BACKUP_REGISTERS; i += 8)
                assert_int_equal(set(BACKUP_REGISTER, i, 4), 0);
        file = backup_memory_build(&memory);
        assert_in_range(file.length, 1, BACKUP_FILE_MAX);
        assert_int_equal(backup_memory_parse("b", file.data, file.length, &got), 0);
        assert_memory_equal(&got, &memory, sizeof(got));
        bytes_free(&file);
}

/* The digest made anew, so that the fields behind it are reached. */
static int parse_changed(const struct bytes *file, size_t offset, uint32_t value)
{
        struct bytes changed = bytes_copy(file->data, file->length);
        int r;

        store_le32(changed.data + offset, value);
        digest_sha256(changed.data, changed.length - 32, changed.data + changed.length - 32);
        r = backup_memory_parse("b", changed.data, changed.length, &got);
        bytes_free(&changed);
        return r;
}

static void broken_files_are_refused(void **state)
{
        struct bytes file;

        (void)state;
        memory = (struct backup_memory){ 0 };
        assert_int_equal(set(BACKUP_SRAM, 4, 8), 0);
        file = backup_memory_build(&memory);
        assert_int_equal(parse_changed(&file, 20, 12), 0); /* another offset is as good */
        assert_fault(parse_changed(&file, 8, 2), BAD_FILE, "offset 8: version 2");
        assert_fault(parse_changed(&file, 12, 0), BAD_FILE, "20 bytes after the last section");
        assert_fault(parse_changed(&file, 12, 2), BAD_FILE, "offset 36: a section is cut");
        assert_fault(parse_changed(&file, 16, 3), BAD_FILE, "section of kind 3");
        assert_fault(parse_changed(&file, 24, 9), BAD_FILE, "with 9 bytes");
        assert_fault(parse_changed(&file, 20, 0x2000), BAD_VALUE, "have 0x2000 bytes");
        for (size_t bit = 0; bit < 8 * file.length; bit++) {
                file.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
                assert_fault(backup_memory_parse("b", file.data, file.length, &got), BAD_FILE,
                             NULL);
                file.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        bytes_free(&file);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(runs_are_kept_and_read_again),
                cmocka_unit_test(what_does_not_fit_or_overlaps_is_refused),
                cmocka_unit_test(every_byte_that_alternates_fits_the_file),
                cmocka_unit_test(broken_files_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
