/*
 * Family files and RSS profiles: the ones the tree ships, and what is refused of others.
 */
#include "tests/support/test.h"

#include "drivers/family.h"
#include "drivers/rss.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAMILY  "configs/targets/stm32h75x.conf"
#define PROFILE "configs/rss/reference-h7.conf"

static char *read_file(const char *path)
{
        char *text = calloc(1, 65536);
        FILE *file = fopen(path, "r");

        assert_non_null(file);
        assert_true(fread(text, 1, 65535, file) > 0);
        fclose(file);
        return text;
}

/* A copy of `source` in which `from` is replaced once by `to`; its path. */
static const char *edited(const char *source, const char *from, const char *to)
{
        static char path[256];
        char *text = read_file(source), *at = strstr(text, from);
        FILE *file;

        assert_non_null(at);
        snprintf(path, sizeof(path), "%s/edited.conf", test_directory());
        file = fopen(path, "w");
        assert_non_null(file);
        fprintf(file, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
        fclose(file);
        free(text);
        return path;
}

static int shipped(void *unused)
{
        struct rss_profile profile;
        struct family family;

        (void)unused;
        assert_int_equal(family_load(FAMILY, &family), 0);
        assert_string_equal(family.name, "STM32H75x");
        assert_int_equal(family.device_id, 0x450);
        assert_int_equal(family.dpidr, 0x6BA02477);
        assert_int_equal(family.csw, 0x2B000000);
        assert_int_equal(family.banks, 2);
        assert_int_equal(family.bank_address[1], 0x08100000);
        assert_int_equal(family.option_count, 9);
        assert_int_equal(family.options[0].mask, 0xA03EFFDC);
        assert_int_equal(family.options[0].program, 0x52002020);
        assert_string_equal(family.options[8].name, "RESERVED");
        assert_int_equal(family.word_length, 32);

        assert_int_equal(rss_profile_load(PROFILE, &profile), 0);
        assert_int_equal(profile.source, SOURCE_REFERENCE);
        assert_int_equal(profile.license, 0x24030800);
        assert_int_equal(profile.iv_policy, SFI_IV_BIG_ENDIAN);
        assert_false(profile.takes_global);
        assert_string_equal(profile.marker, "GANGWAY REFERENCE PART");
        assert_non_null(strstr(profile.gap, "AN5511"));
        /* What the family sends in one part must fit what the profile has room for. */
        assert_true(family.image_ram <= profile.areas_capacity);
        assert_true(profile.areas + profile.areas_capacity <=
                    family.ram_address + family.ram_length);
        return 0;
}

static void the_shipped_files_are_well_formed_and_fit_together(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, shipped, NULL), 0);
}

/* `line`: which line of the shipped file is edited, so which line the sentence must name. */
struct mistake {
        const char *from, *to, *sentence;
};

static unsigned line_of(const char *source, const char *text)
{
        char *whole = read_file(source), *at = strstr(whole, text);
        unsigned line = 1;

        assert_non_null(at);
        for (const char *c = whole; c < at; c++)
                line += *c == '\n';
        free(whole);
        return line;
}

static void assert_refused(int result, const char *path, unsigned line, const char *sentence)
{
        char place[300];

        if (result >= 0)
                print_error("# expected: %s\n", sentence);

        assert_fault(result, BAD_FILE, sentence);
        snprintf(place, sizeof(place), "%s:%u: ", path, line);
        if (line && !strstr(fault_sentence(result), place))
                print_error("# expected %s in: %s\n", place, fault_sentence(result));
        assert_true(!line || strstr(fault_sentence(result), place));
}

static int bad_families(void *unused)
{
        static const struct mistake mistakes[] = {
                { "device_id  = 0x450", "device_id  = 0x1450", "device_id is 5200" },
                { "device_id  = 0x450", "device_id  = -1", "device_id is -1" },
                { "device_id  = 0x450", "device_id  = \"450\"", "expected a number" },
                { "device_id  = 0x450", "device_ident = 0x450", "unknown key \"device_ident\"" },
                { "dpidr       = 0x6BA02477", "dpidr       = 0x16BA02477", "more than 32 bits" },
                { "access_port = 0;", "access_port = 9;", "access_port is 9" },
                { "product_id = \"45002001\"", "product_id = \"4500200\"", "has not 8 characters" },
                { "product_id = \"45002001\"", "product_id = \"450020011\"", "allowed is 1 to 8" },
                { "product_id = \"45002001\"", "product_id = 45002001", "expected a text" },
                { "csw = 0x2B000000", "csw = 0x2B000012", "multiple of 256" },
                { "uid_address        = 0x1FF1E800", "uid_address        = 0x1FF1E802",
                  "multiple of 4" },
                { "bank_address  = [ 0x08000000, 0x08100000 ]",
                  "bank_address  = [ 0x08000000, 0x08080000 ]", "the banks overlap" },
                { "bank_address  = [ 0x08000000, 0x08100000 ]",
                  "bank_address  = [ 0x08000100, 0x08100000 ]", "not aligned" },
                { "bank_address  = [ 0x08000000, 0x08100000 ]", "bank_address  = [ 1, 2, 3 ]",
                  "1 to 2" },
                { "bank_address  = [ 0x08000000, 0x08100000 ]", "bank_address  = \"x\"",
                  "expected [" },
                { "{ name = \"FPRAR_PRG_A\"; current = 0x52002028;",
                  "{ name = \"FPRAR_PRG_A\"; current = 0;", "nothing shows" },
                { "{ name = \"FPRAR_PRG_A\"; current = 0x52002028;",
                  "{ name = \"FPRAR_PRG_A\"; actual = 0x52002028;", "unknown key \"actual\"" },
                { "rams     = ( [ 0x24000000, 0x80000 ],", "rams     = ( [ 0x24000000 ],",
                  "rams: expected [ address, length ]" },
                { "[ 0x58004800, 0x400 ]", "[ 0x58004800, 0x500 ]",
                  "plain_registers: a block of 1280 bytes, expected a multiple of 1024" },
                { "[ 0x58004800, 0x400 ]", "[ 0x58004800, 0x4400 ]", "at most 16384" },
                { "plain_registers = ( [",
                  "plain_registers = ( [ 1, 1 ], [ 1, 1 ], [ 1, 1 ], [ 1, 1 ], [ 1, 1 ], [ 1, 1 ], "
                  "[ 1, 1 ], [",
                  "plain_registers: expected ( [ address, length ], ... ), 0 to 8" },
                { "plain_registers = ( [", "status_bits = ( 1 ); plain_registers = ( [",
                  "status_bits: element 1 is not a group" },
                { "plain_registers = ( [",
                  "status_bits = ( { address = 2; ones = 1; } ); plain_registers = ( [",
                  "multiple of 4" },
                { "plain_registers = ( [",
                  "external = ( { address = 0x90000000; length = 0x1000; controller = 1; } ); "
                  "plain_registers = ( [",
                  "multiple of 1024" },
                { "core     = \"m7\"", "core     = \"m8\"", "core is \"m8\"" },
                { "procedure     = \"rss-rom\"", "procedure     = \"rom\"",
                  "procedure is \"rom\"" },
                { "procedure     = \"rss-rom\"", "procedure     = \"rsse\"",
                  "the procedure and needs_rsse disagree" },
                { "preconditions = [ \"open\"", "preconditions = [ \"shut\"",
                  "preconditions: expected \"open\"" },
                { "preconditions = [ \"open\", \"unprotected\", \"boot-system\" ];",
                  "preconditions = \"open\";", "preconditions: expected [" },
                { "word_length   = 32;", "word_length   = 32 = 32;", "syntax error" },
        };
        struct family family;

        (void)unused;
        for (size_t i = 0; i < LENGTH_OF(mistakes); i++) {
                const char *path = edited(FAMILY, mistakes[i].from, mistakes[i].to);
                unsigned line = line_of(FAMILY, mistakes[i].from);

                if (strcmp(mistakes[i].sentence, "syntax error") == 0)
                        line = 0; /* told at the next token */
                assert_refused(family_load(path, &family), path, line, mistakes[i].sentence);
        }
        assert_refused(family_load(edited(FAMILY, "reset_ms         ", "# reset_ms "), &family), "",
                       0, "the key \"reset_ms\" is missing");
        assert_refused(family_load(edited(FAMILY, "sector_length = 0x00020000",
                                          "sector_length = 0x00030000"),
                                   &family),
                       "", 0, "do not divide");
        assert_refused(
                family_load(edited(FAMILY, "image_ram = 0x0004E000", "image_ram = 0x00090000"),
                            &family),
                "", 0, "exceeds the RAM");
        assert_refused(family_load(edited(FAMILY, "preconditions = [", "# ["), &family), "", 0,
                       "preconditions: wanted with a procedure");
        assert_fault(family_load("configs/targets/none.conf", &family), NOT_FOUND, "none.conf");
        return 0;
}

static void bad_family_files_are_refused_with_file_and_line(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, bad_families, NULL), 0);
}

static int bad_profiles(void *unused)
{
        static const struct mistake mistakes[] = {
                { "source = \"reference\"", "source = \"guess\"",
                  "source is \"guess\", allowed is one of \"reference\" \"document\" \"silicon\"" },
                { "source = \"reference\"", "source = 1", "allowed is one of" },
                { "iv_policy = \"big-endian\"", "iv_policy = \"middle-endian\"",
                  "allowed is one of" },
                { "marker_address = 0x1FF1F000", "marker_address = 0", "needs a marker" },
                { "command_install     = 2", "command_install     = 1", "both commands" },
                { "license = 0x24030800", "license = 0x24030040", "license (0x4C8 bytes" },
                { "areas          = 0x24031020", "areas          = 0x24031018", "overlaps header" },
                { "areas_capacity = 0x0004EFE0", "areas_capacity = 0xFFFFFFFC", "areas_capacity" },
                { "mailbox = 0x24030000", "mailbox = 0x24030001", "multiple of 4" },
                { "install_timeout_ms     = 5000", "install_timeout_ms     = 0", "is 0" },
                { "marker         = \"GANGWAY", "marker         = \"\\x01GANGWAY",
                  "character 1 is not printable" },
                { "name   = \"reference-h7\"", "name   = \"\"", "has 0 characters" },
        };
        struct rss_profile profile;

        (void)unused;
        for (size_t i = 0; i < LENGTH_OF(mistakes); i++) {
                const char *path = edited(PROFILE, mistakes[i].from, mistakes[i].to);

                assert_refused(rss_profile_load(path, &profile), path,
                               line_of(PROFILE, mistakes[i].from), mistakes[i].sentence);
        }
        return 0;
}

#define WITH_RSSE "configs/rss/reference-u5.conf"

static int bad_rsse(void *unused)
{
        static const struct mistake mistakes[] = {
                { "{ device = 0x482;", "{ device = 0x1482;", "device is 5250" },
                { "{ device = 0x482;", "{ die = 0x482;", "unknown key \"die\"" },
                { "file = \"reference-rsse-482.bin\"", "file = 482", "expected a text" },
                { "rsse_address  = 0x20000200", "rsse_address  = 0x20000201", "multiple of 4" },
                { "rsse_capacity = 0x00009E00", "rsse_capacity = 0x0000A000",
                  "rsse_address (0xA000 bytes at 0x20000200) overlaps mailbox" },
                { "command_rsse        = 3", "command_rsse        = 2", "two commands are 2" },
                { "show_ms = 300", "show_ms = 0", "show_ms is 0" },
        };
        struct rss_profile profile;

        (void)unused;
        for (size_t i = 0; i < LENGTH_OF(mistakes); i++) {
                const char *path = edited(WITH_RSSE, mistakes[i].from, mistakes[i].to);

                assert_refused(rss_profile_load(path, &profile), path, 0, mistakes[i].sentence);
        }
        assert_refused(rss_profile_load(edited(WITH_RSSE, "show_ms = 300;", ""), &profile), "", 0,
                       "belong together");
        assert_refused(
                rss_profile_load(edited(WITH_RSSE, "rsse = (", "rsse = { }; rss = ("), &profile),
                "", 0, "");
        return 0;
}

static void profiles_whose_rsse_makes_no_sense_are_refused(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, bad_rsse, NULL), 0);
}

/* Every family that installs, with the profile it is for. */
static int pairs(void *unused)
{
        static const char *const names[][2] = {
                { "h75x", "h7" },   { "h7a3", "h7" },    { "h73x", "h7" },    { "l5", "l5" },
                { "u535", "u535" }, { "u575", "u5" },    { "u59x", "u5" },    { "u5fx", "u5" },
                { "wl5x", "wl5" },  { "wba5x", "wba5" }, { "wba6x", "wba6" }, { "h503", "h503" },
                { "h52x", "h5" },   { "h56x", "h5" },    { "h7rs", "h7rs" },
        };
        struct rss_profile profile;
        struct family family;
        uint32_t room;
        char path[64];

        (void)unused;
        for (size_t i = 0; i < LENGTH_OF(names); i++) {
                bool is_there = false;

                snprintf(path, sizeof(path), "configs/targets/stm32%s.conf", names[i][0]);
                assert_int_equal(family_load(path, &family), 0);
                snprintf(path, sizeof(path), "configs/rss/reference-%s.conf", names[i][1]);
                assert_int_equal(rss_profile_load(path, &profile), 0);
                assert_int_equal(family_check_drivers(&family), 0);
                assert_true(family.conditions >> CONDITION_OPEN & 1);
                assert_int_equal(profile.rsse_address != 0, family.needs_rsse);
                assert_int_equal(profile.takes_global, family.procedure == PROCEDURE_STATE);
                room = family.image_ram && family.image_ram < profile.areas_capacity
                               ? family.image_ram
                               : profile.areas_capacity;
                for (size_t r = 0; r < family.ram_count; r++)
                        is_there |= profile.areas >= family.rams[r].address &&
                                    profile.areas - family.rams[r].address + room <=
                                            family.rams[r].length;
                if (!is_there ||
                    profile.marker_address - family.system_memory >= family.system_memory_length)
                        fail_msg("%s does not fit %s", path, family.name);
        }
        return 0;
}

static void every_family_that_installs_has_a_profile_that_fits(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, pairs, NULL), 0);
}

static void bad_profiles_are_refused_with_file_and_line(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, bad_profiles, NULL), 0);
}

static int zero_byte(void *unused)
{
        static char path[256];
        struct family family;
        FILE *file;

        (void)unused;
        snprintf(path, sizeof(path), "%s/zero.conf", test_directory());
        file = fopen(path, "w");
        fwrite("name = \"x\";\nde\0vice", 1, 19, file);
        fclose(file);
        assert_refused(family_load(path, &family), path, 2, "a zero byte");
        return 0;
}

static void a_file_with_zero_bytes_is_not_cut_short(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, zero_byte, NULL), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_shipped_files_are_well_formed_and_fit_together),
                cmocka_unit_test(bad_family_files_are_refused_with_file_and_line),
                cmocka_unit_test(bad_profiles_are_refused_with_file_and_line),
                cmocka_unit_test(profiles_whose_rsse_makes_no_sense_are_refused),
                cmocka_unit_test(every_family_that_installs_has_a_profile_that_fits),
                cmocka_unit_test(a_file_with_zero_bytes_is_not_cut_short),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
