#include "tests/support/test.h"

#include "crypto/modules.h"

#include <string.h>

static int parse(const char *text, struct modules *modules)
{
        return modules_parse("m.mcsv", text, strlen(text), modules);
}

static void an5054s_row_gives_module_license_and_address(void **state)
{
        struct modules modules;

        (void)state;
        assert_int_equal(parse("# modules\n./module.bin, ./LicenseV0.bin, 0x8172000\n", &modules),
                         0);
        assert_int_equal(modules.count, 1);
        assert_string_equal(modules.rows[0].path, "./module.bin");
        assert_string_equal(modules.rows[0].license, "./LicenseV0.bin");
        assert_int_equal(modules.rows[0].address, 0x08172000);
        assert_int_equal(modules.rows[0].line, 2);
        modules_free(&modules);
}

static void windows_paths_quotes_and_firmware_identifiers_are_taken(void **state)
{
        struct modules modules;

        (void)state;
        assert_int_equal(parse("\".\\..\\Binary\\a b.smu\";MY_FW_ID;0\n", &modules), 0);
        assert_string_equal(modules.rows[0].path, "./../Binary/a b.smu");
        assert_string_equal(modules.rows[0].license, "MY_FW_ID");
        modules_free(&modules);
        assert_int_equal(parse("a.smu,,0x08000000", &modules), 0);
        assert_string_equal(modules.rows[0].license, "");
        modules_free(&modules);
}

static void bad_rows_are_named_by_line(void **state)
{
        static const struct {
                const char *text, *sentence;
        } cases[] = {
                { "", "no rows" },
                { "a.bin\n", "line 1: 1 columns" },
                { "a,b,1,2\n", "line 1: 4 columns" },
                { "#\n,b,1\n", "line 2: no module path" },
                { "a,b,there\n", "line 1: the address is no 32-bit number" },
                { "a\x01,b,1\n", "byte 0x01 in the module path" },
        };
        struct modules modules = { 0 };
        char text[400];

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(cases); i++)
                assert_fault(parse(cases[i].text, &modules), BAD_FILE, cases[i].sentence);
        memset(text, 'p', 300);
        strcpy(text + 300, ",b,1\n");
        assert_fault(parse(text, &modules), BAD_FILE, "300 characters, at most 255");
        assert_null(modules.rows);
}

static void at_most_64_modules_are_taken(void **state)
{
        struct modules modules;
        char text[65 * 8 + 1] = "";

        (void)state;
        for (unsigned i = 0; i < 64; i++)
                strcat(text, "a,b,1\n");
        assert_int_equal(parse(text, &modules), 0);
        assert_int_equal(modules.count, 64);
        modules_free(&modules);
        strcat(text, "a,b,1\n");
        assert_fault(parse(text, &modules), BAD_FILE, "line 65: more than 64");
}

static void an_smi_is_known_by_its_magic(void **state)
{
        (void)state;
        assert_true(module_is_smi("SMIMAGIC", 8));
        assert_false(module_is_smi("SMIMAGIC", 7));
        assert_false(module_is_smi("SFIMAGIC", 8));
        assert_false(module_is_smi("", 0));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an5054s_row_gives_module_license_and_address),
                cmocka_unit_test(windows_paths_quotes_and_firmware_identifiers_are_taken),
                cmocka_unit_test(bad_rows_are_named_by_line),
                cmocka_unit_test(at_most_64_modules_are_taken),
                cmocka_unit_test(an_smi_is_known_by_its_magic),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
