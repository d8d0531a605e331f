/*
 * Fields of option bytes, and all families the tree ships: what AN5054 needs of each.
 */
#include "tests/support/test.h"

#include "drivers/option_fields.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define H75X "configs/targets/stm32h75x.conf"

/* What is told apart by device id; figures of AN5054 sections 2.5.1, 4.3.8, 12.3.2 and targets.md. */
static const struct wanted {
        const char *file;
        uint16_t device_id;
        uint32_t flash_last; /* last byte of flash */
        uint32_t image_ram;
        size_t rows;
        enum family_rows known;
        unsigned regions; /* of all OTFDECs */
        bool has_secure, hash, rsse, lock_out;
} wanted[] = {
        { "stm32h503", 0x474, 0x0801FFFF, 0, 9, FAMILY_ROWS_REFERENCE, 0, false, false, true,
          false },
        { "stm32h52x", 0x478, 0x0807FFFF, 0, 15, FAMILY_ROWS_REFERENCE, 4, true, false, true,
          true },
        { "stm32h56x", 0x484, 0x081FFFFF, 0x20800, 15, FAMILY_ROWS_REFERENCE, 4, true, false, true,
          true },
        { "stm32h73x", 0x483, 0x080FFFFF, 0x1E000, 9, FAMILY_ROWS_PUBLISHED, 8, false, true, false,
          false },
        { "stm32h75x", 0x450, 0x081FFFFF, 0x4E000, 9, FAMILY_ROWS_PUBLISHED, 0, false, false, false,
          false },
        { "stm32h7a3", 0x480, 0x081FFFFF, 0, 9, FAMILY_ROWS_PUBLISHED, 8, false, false, false,
          false },
        { "stm32h7rs", 0x485, 0x0800FFFF, 0, 8, FAMILY_ROWS_REFERENCE, 0, false, false, true,
          true },
        { "stm32l462", 0x462, 0x0807FFFF, 0, 5, FAMILY_ROWS_REFERENCE, 0, false, false, false,
          false },
        { "stm32l5", 0x472, 0x0807FFFF, 0x19000, 12, FAMILY_ROWS_COUNTED, 4, true, false, true,
          false },
        { "stm32u535", 0x455, 0x0807FFFF, 0, 12, FAMILY_ROWS_REFERENCE, 4, true, false, true,
          false },
        { "stm32u575", 0x482, 0x081FFFFF, 0x55500, 12, FAMILY_ROWS_REFERENCE, 8, true, false, true,
          false },
        { "stm32u59x", 0x481, 0x083FFFFF, 0x55500, 12, FAMILY_ROWS_REFERENCE, 8, true, false, true,
          false },
        { "stm32u5fx", 0x476, 0x083FFFFF, 0x55500, 12, FAMILY_ROWS_REFERENCE, 8, true, false, true,
          false },
        { "stm32wba5x", 0x492, 0x080FFFFF, 0, 8, FAMILY_ROWS_REFERENCE, 0, true, false, true,
          false },
        { "stm32wba6x", 0x4B0, 0x081FFFFF, 0, 12, FAMILY_ROWS_REFERENCE, 0, true, false, true,
          false },
        { "stm32wl5x", 0x497, 0x0803FFFF, 0x5000, 10, FAMILY_ROWS_REFERENCE, 0, false, false, true,
          false },
};

static const char *path_of(const char *name)
{
        static char path[128];

        snprintf(path, sizeof(path), "configs/targets/%s.conf", name);
        return path;
}

static void check_family(const struct wanted *want, const struct family *family)
{
        unsigned regions = 0;

        for (size_t i = 0; i < family->external_count; i++)
                regions += family->externals[i].regions;
        assert_int_equal(family->device_id, want->device_id);
        assert_int_equal(family->image_ram, want->image_ram);
        assert_int_equal(family->option_count, want->rows);
        assert_int_equal(family->option_rows, want->known);
        assert_int_equal(regions, want->regions);
        assert_int_equal(family->secure_alias != 0, want->has_secure);
        assert_int_equal(family->hash_mandatory, want->hash);
        assert_int_equal(family->needs_rsse, want->rsse);
        assert_int_equal(family->has_lock_out, want->lock_out);
        assert_true(family_is_flash(family, want->flash_last, 1));
        assert_false(family_is_flash(family, want->flash_last, 2));
        assert_false(family_is_flash(family, want->flash_last + 1, 1));
        assert_int_equal(family_is_flash(family, 0x0C000000, 16), want->has_secure);
        assert_true(family->image_ram <= family->ram_length);
}

/* A field that lies over another would let one setting undo the other. */
static void check_fields(const struct family *family, const struct option_fields *fields)
{
        assert_true(fields->count > 5);
        for (size_t i = 0; i < fields->count; i++) {
                const struct option_field *one = &fields->fields[i];

                assert_true(one->row < family->option_count);
                for (size_t j = 0; j < i; j++)
                        if (fields->fields[j].row == one->row)
                                assert_int_equal(option_field_mask(&fields->fields[j]) &
                                                         option_field_mask(one),
                                                 0);
        }
}

static int all_families(void *unused)
{
        (void)unused;
        for (size_t i = 0; i < LENGTH_OF(wanted); i++) {
                struct option_fields fields CLEANUP(option_fields_free) = { 0 };
                const char *path = path_of(wanted[i].file);
                struct family family;
                int r = family_load(path, &family);

                if (r == 0)
                        r = option_fields_load(path, &family, &fields);
                if (r < 0)
                        print_error("# %s: %s\n", path, fault_sentence(r));
                assert_int_equal(r, 0);
                check_family(&wanted[i], &family);
                check_fields(&family, &fields);
        }
        return 0;
}

static void every_family_of_an5054_is_there_with_its_figures(void **state)
{
        DIR *folder = opendir("configs/targets");
        struct dirent *entry;
        size_t count = 0;

        (void)state;
        assert_non_null(folder);
        while ((entry = readdir(folder)))
                count += strstr(entry->d_name, ".conf") != NULL;
        closedir(folder);
        assert_int_equal(count, LENGTH_OF(wanted)); /* none untested */
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, all_families, NULL), 0);
}

static int virgin(void *unused)
{
        (void)unused;
        for (size_t i = 0; i < LENGTH_OF(wanted); i++) {
                struct option_fields fields CLEANUP(option_fields_free) = { 0 };
                struct family family;
                const char *path = path_of(wanted[i].file);

                assert_int_equal(family_load(path, &family), 0);
                assert_int_equal(option_fields_load(path, &family, &fields), 0);
                for (size_t j = 0; j < fields.count; j++) {
                        const struct option_field *field = &fields.fields[j];
                        uint32_t value =
                                option_field_get(field, family.options[field->row].factory);
                        enum field_effect effect = option_field_effect(field, value);

                        if (effect == EFFECT_CLOSED || effect == EFFECT_FINAL)
                                print_error("# %s %s\n", wanted[i].file, field->name);
                        assert_true(effect == EFFECT_NONE || effect == EFFECT_OPEN);
                }
        }
        return 0;
}

static void a_virgin_part_is_open(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, virgin, NULL), 0);
}

static int externals(void *unused)
{
        static struct family u575, l5, h7rs;

        (void)unused;
        assert_int_equal(family_load(path_of("stm32u575"), &u575), 0);
        assert_int_equal(family_load(path_of("stm32l5"), &l5), 0);
        assert_int_equal(family_load(path_of("stm32h7rs"), &h7rs), 0);
        assert_int_equal(family_external_at(&u575, 0x70000000, 16)->first_region, 4);
        assert_int_equal(family_external_at(&u575, 0x9FFFFFF0, 16)->first_region, 0);
        assert_null(family_external_at(&u575, 0x9FFFFFF0, 17));
        assert_null(family_external_at(&l5, 0x70000000, 16));
        assert_int_equal(family_external_at(&h7rs, 0x90000000, 16)->regions, 0);
        return 0;
}

static void regions_belong_to_the_memory_they_decipher(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, externals, NULL), 0);
}

static int aliases(void *unused)
{
        static struct family h5, l462;

        (void)unused;
        assert_int_equal(family_load(path_of("stm32h56x"), &h5), 0);
        assert_int_equal(family_load(path_of("stm32l462"), &l462), 0);
        assert_int_equal(family_plain_address(&h5, 0x0C1FFFFF), 0x081FFFFF);
        assert_int_equal(family_plain_address(&h5, 0x0C200000), 0x0C200000);
        assert_int_equal(family_plain_address(&h5, 0x0D000010), 0x09000010); /* data flash */
        assert_int_equal(family_plain_address(&l462, 0x0C000000), 0x0C000000);
        assert_true(family_is_flash(&h5, 0x09000000, 0x18000));
        assert_false(family_is_flash(&h5, 0x09000000, 0x18001));
        assert_true(family_is_flash(&h5, 0x0C0FFFF0, 32)); /* across the banks */
        return 0;
}

static void the_secure_alias_names_the_same_bytes(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, aliases, NULL), 0);
}

static int fields_of_h75x(void *unused)
{
        struct option_fields fields CLEANUP(option_fields_free) = { 0 };
        const struct option_field *rdp, *boot;
        struct family family;
        uint32_t value;
        char text[80];

        (void)unused;
        assert_int_equal(family_load(H75X, &family), 0);
        assert_int_equal(option_fields_load(H75X, &family, &fields), 0);
        rdp = option_fields_find(&fields, "rdp");
        boot = option_fields_find(&fields, "BOOT_ADD1");
        assert_non_null(rdp);
        assert_non_null(boot);
        assert_null(option_fields_find(&fields, "RD"));

        /* AN5054 figure 15: 0x1026AAD0 is RDP 0xAA, SECURITY 1 */
        assert_int_equal(option_field_get(rdp, 0x1026AAD0), 0xAA);
        assert_int_equal(option_field_get(option_fields_find(&fields, "SECURITY"), 0x1026AAD0), 1);
        assert_int_equal(option_field_mask(rdp), 0xFF00);
        option_field_text(boot, 0x2400, text, sizeof(text));
        assert_string_equal(text, "0x24000000");
        option_field_text(rdp, 0xBB, text, sizeof(text));
        assert_non_null(strstr(text, "level 1"));
        assert_int_equal(option_field_effect(rdp, 0xAA), EFFECT_OPEN);
        assert_int_equal(option_field_effect(rdp, 0x00), EFFECT_CLOSED);
        assert_int_equal(option_field_effect(rdp, 0xCC), EFFECT_FINAL);

        assert_int_equal(option_field_parse(rdp, "LEVEL 2", &value), 0);
        assert_int_equal(value, 0xCC);
        assert_int_equal(option_field_parse(rdp, "0xbb", &value), 0);
        assert_int_equal(value, 0xBB);
        assert_fault(option_field_parse(rdp, "0x100", &value), BAD_VALUE, "wanted 0 to 0xFF");
        assert_fault(option_field_parse(rdp, "level", &value), BAD_VALUE, "\"level 0\"");
        assert_fault(option_field_parse(rdp, "", &value), BAD_VALUE, "RDP");
        assert_fault(option_field_parse(rdp, "1x", &value), BAD_VALUE, "RDP");
        assert_fault(option_field_parse(rdp, "-1", &value), BAD_VALUE, "RDP");
        return 0;
}

static void fields_are_found_decoded_and_parsed(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, fields_of_h75x, NULL), 0);
}

/* A copy of the H75x file in which `from` is replaced once by `to`. */
static const char *edited(const char *from, const char *to)
{
        static char path[256];
        char *text = calloc(1, 65536), *at;
        FILE *file = fopen(H75X, "r");

        assert_non_null(file);
        assert_true(fread(text, 1, 65535, file) > 0);
        fclose(file);
        at = strstr(text, from);
        assert_non_null(at);
        snprintf(path, sizeof(path), "%s/edited.conf", test_directory());
        file = fopen(path, "w");
        assert_non_null(file);
        fprintf(file, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
        fclose(file);
        free(text);
        return path;
}

static int bad_files(void *unused)
{
        static const struct {
                const char *from, *to, *sentence;
        } cases[] = {
                { "bits = [ 15, 8 ]; about = \"read", "bits = [ 8, 15 ]; about = \"read",
                  "31 >= high >= low" },
                { "bits = [ 15, 8 ]; about = \"read", "bits = [ 32, 8 ]; about = \"read",
                  "31 >= high >= low" },
                { "bits = [ 15, 8 ]; about = \"read", "bits = 15; about = \"read",
                  "bits: expected [ high, low ]" },
                { "row = \"FOPTSR_PRG\"; bits = [ 15", "row = \"NONE\"; bits = [ 15",
                  "there is no row NONE" },
                { "role = \"readout\"", "role = \"reader\"", "role is \"reader\"" },
                { "( 0xCC, \"level 2", "( 0x1CC, \"level 2", "does not fit bits 15 to 8" },
                { "for good\", \"final\"", "for good\", \"finally\"", "\"finally\" is none of" },
                { "name = \"BOR_LEV\"", "name = \"RDP\"", "field RDP stands there twice" },
                { "name = \"BOR_LEV\"", "label = \"BOR_LEV\"", "unknown key \"label\"" },
                { "kind = \"pcrop\"; group = \"PCROP bank 1\";", "kind = \"pcrop\";",
                  "wants its group" },
                { "kind = \"pcrop\"; group = \"PCROP bank 1\";", "group = \"PCROP bank 1\";",
                  "wants the kind of its area" },
                { "kind = \"pcrop\"; group = \"PCROP bank 1\";",
                  "kind = \"secret\"; group = \"PCROP bank 1\";", "kind is \"secret\"" },
                { "fields = (", "fields = 1; other = (", "fields: expected" },
        };

        (void)unused;
        for (size_t i = 0; i < LENGTH_OF(cases); i++) {
                struct option_fields fields CLEANUP(option_fields_free) = { 0 };
                struct family family;

                assert_int_equal(family_load(H75X, &family), 0);
                assert_fault(
                        option_fields_load(edited(cases[i].from, cases[i].to), &family, &fields),
                        BAD_FILE, cases[i].sentence);
        }
        return 0;
}

static void bad_fields_are_refused_with_what_was_wanted(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, bad_files, NULL), 0);
}

static int bad_extras(void *unused)
{
        static const struct {
                const char *extra, *sentence;
        } cases[] = {
                { "edata = [ 1 ];", "edata: expected [ address, length ]" },
                { "registers = { key = 4; option_key = 8; status = 0x10; control = 0x14; };",
                  "only with it" },
                { "option_keys = [ 0xFFFFFFFF, 2 ];", "beyond 0xFFFFFFFF" },
                { "sequence = \"h8\";", "sequence is \"h8\"" },
                { "hash_mandatory = 1;", "hash_mandatory: expected true or false" },
                { "external = ( { address = 0x90000001; length = 4096; } );", "multiple of 4096" },
                { "external = ( { address = 0x90000000; } );", "\"length\" is missing" },
                { "external = ( 1 );", "element 1 is not a group" },
                { "secure_alias = 4;", "multiple of" },
                { "secure_aliass = 0;", "unknown key" },
        };

        (void)unused;
        for (size_t i = 0; i < LENGTH_OF(cases); i++) {
                struct family family;
                char text[200];

                snprintf(text, sizeof(text), "%s\nflash_registers", cases[i].extra);
                assert_fault(family_load(edited("flash_registers", text), &family), BAD_FILE,
                             cases[i].sentence);
        }
        return 0;
}

static void optional_keys_are_as_strict_as_the_others(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, bad_extras, NULL), 0);
}

static int drivers(void *unused)
{
        struct family family;

        (void)unused;
        assert_int_equal(family_load(H75X, &family), 0);
        assert_int_equal(family_check_drivers(&family), 0);
        assert_int_equal(family_load(path_of("stm32u575"), &family), 0);
        assert_int_equal(family_check_drivers(&family), 0);
        assert_int_equal(family_load(path_of("stm32l462"), &family), 0);
        assert_fault(family_check_drivers(&family), BAD_VALUE, "names no procedure");
        return 0;
}

static void only_families_with_drivers_may_be_installed(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, drivers, NULL), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_family_of_an5054_is_there_with_its_figures),
                cmocka_unit_test(a_virgin_part_is_open),
                cmocka_unit_test(regions_belong_to_the_memory_they_decipher),
                cmocka_unit_test(the_secure_alias_names_the_same_bytes),
                cmocka_unit_test(fields_are_found_decoded_and_parsed),
                cmocka_unit_test(bad_fields_are_refused_with_what_was_wanted),
                cmocka_unit_test(optional_keys_are_as_strict_as_the_others),
                cmocka_unit_test(only_families_with_drivers_may_be_installed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
