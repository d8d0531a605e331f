/*
 * Which image of which family goes to ST's tool with which arguments (AN5054 rev 18 chapters 4 to 13): whole
 * lines of one unit, the stand-in for the tool.
 */
#include "tests/support/loader_file.h"
#include "tests/support/sealed.h"
#include "tests/support/test.h"
#include "tests/support/vendor_bench.h"
#include "tests/support/vendor_rig.h"

#include "crypto/digest.h"
#include "crypto/sfi.h"
#include "drivers/family_fields.h"
#include "station/install_vendor.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
        WITH_KEYS = 1,     /* area K */
        WITH_EXTERNAL = 2, /* areas E */
        WITH_FILES = 4,    /* areas O and S */
        WITH_MODULES = 8,  /* areas M, two */
        WITH_PARTS = 16,
};

struct kind {
        const char *family;
        unsigned areas;
        const char *scenario;
        uint32_t external, key_address, ram;
        const char *arguments; /* between the connection and the end; $ is the run's folder */
};

#define SFI  "\"-sfi\", \"protocol=static\", \"$/image.sfi\", \"hsm=0\", \"$/license.bin\""
#define SFIX "\"-sfi\", \"protocol=static\", \"$/image.sfix\", \"hsm=0\", \"$/license.bin\""
#define RSSE ", \"-rsse\", \"%/tool/enc_signed_RSSe_sfi.bin\""
#define EL   ", \"-el\", \"$/MX25LM51245G_BOARD-SFIx.stldr\""
#define MCSV ", \"-mcsv\", \"$/modules.mcsv\""

static const struct kind kinds[] = {
        /* sections 4.3.7, 11.3.6 */
        { "stm32h75x", 0, "good-h7", 0, 0, 0, SFI },
        { "stm32h73x", WITH_PARTS, "good-h7-3", 0, 0, 0, SFI },
        { "stm32h7a3", WITH_EXTERNAL | WITH_PARTS, "good-h7-3", 0x90000000, 0x081FC000, 0x24000000,
          SFIX EL },
        /* section 12.3.6: with and without a key area */
        { "stm32l5", 0, "good-l5", 0, 0, 0, SFI RSSE },
        { "stm32l5", WITH_EXTERNAL | WITH_KEYS, "good-l5", 0x90000000, 0x0C020000, 0x20000000,
          SFIX RSSE EL },
        { "stm32u535", 0, "good-u5", 0, 0, 0, SFI RSSE },
        { "stm32u575", WITH_EXTERNAL, "good-u5", 0x70000000, 0x0800A000, 0x20000000, SFIX RSSE EL },
        { "stm32u59x", WITH_EXTERNAL | WITH_KEYS, "good-u5", 0x90000000, 0x0800A000, 0x20000000,
          SFIX RSSE EL },
        { "stm32u5fx", WITH_PARTS, "good-u5", 0, 0, 0, SFI RSSE },
        /* sections 5.3.4, 7.3.4 */
        { "stm32wl5x", 0, "good-wba", 0, 0, 0, SFI RSSE },
        { "stm32wba5x", 0, "good-wba", 0, 0, 0, SFI RSSE },
        { "stm32wba6x", 0, "good-wba", 0, 0, 0, SFI RSSE },
        /* sections 9.3.4, 13.3.4 */
        { "stm32h503", WITH_FILES, "good-h5", 0, 0, 0, SFI RSSE },
        { "stm32h52x", WITH_FILES, "good-h5", 0, 0, 0, SFI RSSE },
        { "stm32h56x", WITH_EXTERNAL | WITH_FILES | WITH_MODULES, "good-h5", 0x90000000, 0x081FFFF0,
          0x20000000, SFIX RSSE EL MCSV },
        /* section 10.3.2: a random key area, option keys */
        { "stm32h7rs", WITH_FILES | WITH_KEYS, "good-h7rs", 0, 0, 0, SFI RSSE },
};

static struct line *line;
static const struct kind *kind;

/* --- files --------------------------------------------------------------------------------- */

static void write_file(const char *name, const void *data, size_t length)
{
        FILE *file = fopen(line_path(line, name), "wb");

        assert_non_null(file);
        assert_int_equal(fwrite(data, 1, length, file), length);
        assert_int_equal(fclose(file), 0);
}

static uint8_t code[4096], external[12 + 1024], couples[8], rows[OPTION_ROWS_MAX * 4];
static uint8_t token[32], text[64], module[64];

static size_t add(struct sfi_plain_area *areas, size_t count, char type, uint32_t address,
                  uint8_t *data, size_t length)
{
        areas[count] = (struct sfi_plain_area){ type, address, data, length };
        return count + 1;
}

static size_t plan(const struct family *family, struct sfi_plain_area *areas)
{
        uint32_t flash = family->bank_address[0];
        size_t n = add(areas, 0, SFI_FIRMWARE, flash, code, sizeof(code));

        if (kind->areas & WITH_MODULES)
                for (unsigned i = 0; i < 2; i++)
                        n = add(areas, n, SFI_MODULE, flash + 0x20000 + 0x2000 * i, module,
                                sizeof(module));
        if (kind->areas & WITH_FILES) {
                n = add(areas, n, SFI_OPTION_KEY_REFERENCE, family->option_keys.address, text, 64);
                n = add(areas, n, SFI_SSFI_REFERENCE, 0, text, 64);
        }
        store_le32(couples, 16);
        store_le32(couples + 4, kind->key_address);
        if (kind->areas & WITH_KEYS)
                n = add(areas, n, SFI_KEYS, kind->key_address, couples, sizeof(couples));
        if (kind->areas & WITH_PARTS)
                for (unsigned i = 0; i < 2; i++) {
                        n = add(areas, n, SFI_PAUSE, flash + 0x10000, token, sizeof(token));
                        n = add(areas, n, SFI_RESUME, flash + 0x10000, token, sizeof(token));
                }
        if (kind->areas & WITH_EXTERNAL)
                n = add(areas, n, SFI_EXTERNAL, kind->external, external, sizeof(external));
        return add(areas, n, SFI_CONFIGURATION, 0, rows, 4 * family->option_count);
}

static int write_image(void *subject)
{
        const struct family *family = &line->family;
        struct loader_file settings = { .ram = kind->ram, .address = kind->external };
        struct sfi_plain_area areas[16];
        struct sfi_recipe recipe = { .protocol = 2, .version = 1, .areas = areas };
        char digest[2 * DIGEST_LENGTH + 1];
        struct bytes file;
        uint8_t sum[DIGEST_LENGTH];

        memset(code, 0x5A, sizeof(code));
        memset(module, 0x4D, sizeof(module));
        for (size_t i = 0; i < family->option_count; i++)
                store_le32(rows + 4 * i, family->options[i].factory);
        recipe.count = plan(family, areas);
        file = sealed_file(&recipe, line->key, line->nonce, NULL);
        digest_sha256(file.data, file.length, sum);
        hex_encode(sum, sizeof(sum), digest);
        write_file("image.sfi", file.data, file.length);
        write_file("image.sha256", digest, 64);
        bytes_free(&file);
        if (kind->areas & WITH_EXTERNAL) {
                file = loader_file_make(&settings);
                write_file("MX25LM51245G_BOARD-SFIx.stldr", file.data, file.length);
                bytes_free(&file);
        }
        return subject != NULL;
}

/* Module 1 has a license of its own for each unit, module 2 one for all; paths as ST's script writes them. */
static void write_list(const char *first_license, const char *second_license)
{
        const struct family *family = &line->family;
        char list[512];

        mkdir(line_path(line, "lists"), 0755);
        snprintf(list, sizeof(list),
                 "# Module path, LicensePath.bin or HSM FW ID, DestinationAddress\n"
                 "./../stack.smu, %s, 0x%X\n.\\..\\other.bin, %s, 0x%X\n",
                 first_license, family->bank_address[0] + 0x20000, second_license,
                 family->bank_address[0] + 0x22000);
        write_file("lists/modules.mcsv", list, strlen(list));
        write_file("stack.smu", "the stack", 9);
        write_file("other.bin", "another", 7);
        write_file("LicenseV0.bin", "for any part", 12);
}

static void give_module_card(void)
{
        struct settings_bench *bench = &line->station.settings.bench;
        struct settings_module_card *card = &bench->module_cards[bench->module_card_count++];

        snprintf(card->firmware_id, sizeof(card->firmware_id), "STACK_1");
        snprintf(card->type, sizeof(card->type), "SMU");
}

static void begin(const struct kind *of)
{
        kind = of;
        line = vendor_bench_line(kind->family);
        vendor_rig_scenario(NULL, kind->scenario);
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, write_image, NULL), 0);
        if (kind->areas & WITH_MODULES) {
                write_list("STACK_1", "./../LicenseV0.bin");
                give_module_card();
        }
}

static const char *order_lines(void)
{
        static char lines[1024];
        int length = snprintf(lines, sizeof(lines), "retries: 0\n");

        if (kind->areas & WITH_EXTERNAL)
                length += snprintf(lines + length, sizeof(lines) - (size_t)length,
                                   "external_loader: %s/MX25LM51245G_BOARD-SFIx.stldr\n",
                                   line->directory);
        if (kind->areas & WITH_MODULES)
                snprintf(lines + length, sizeof(lines) - (size_t)length,
                         "modules:\n  - firmware_id: STACK_1\n    type: SMU\n"
                         "module_list: %s/lists/modules.mcsv\n",
                         line->directory);
        return lines;
}

/* --- what the tool was called with ---------------------------------------------------------- */

/* The call that installs; static. */
static const char *installing_call(void)
{
        static char call[8192];
        char *calls = vendor_rig_calls(), *at = strstr(calls, "\"-sfi\""), *start, *end;

        assert_non_null(at);
        for (start = at; start > calls && start[-1] != '\n'; start--)
                ;
        end = strchr(at, '\n');
        assert_non_null(end);
        assert_true(end - start < (ptrdiff_t)sizeof(call));
        snprintf(call, sizeof(call), "%.*s", (int)(end - start), start);
        free(calls);
        return call;
}

/* `expected` with % for the line's folder and $ for the run's, which is the working directory. */
static void assert_arguments(const char *call, const char *expected)
{
        const char *cwd = strstr(call, "\"cwd\": \"") + strlen("\"cwd\": \"");
        char wanted[2048] = "";
        size_t length = 0;

        for (const char *c = expected; *c && length < sizeof(wanted) - 512; c++)
                if (*c == '$')
                        length += (size_t)sprintf(wanted + length, "%.*s", (int)strcspn(cwd, "\""),
                                                  cwd);
                else if (*c == '%')
                        length += (size_t)sprintf(wanted + length, "%s", line->directory);
                else
                        wanted[length++] = *c;
        strcpy(wanted + length, "]");
        if (!strstr(call, wanted))
                fail_msg("%s is not in %s", wanted, call);
}

static void assert_connection(const char *call)
{
        char wanted[64] = "\"mode=HOTPLUG\", \"freq=24000\", \"-sfi\"";

        /* section 13.3.4: ap=1 */
        if (line->family.access_port)
                snprintf(wanted, sizeof(wanted), "\"freq=24000\", \"ap=%u\", \"-sfi\"",
                         line->family.access_port);
        if (!strstr(call, wanted))
                fail_msg("%s is not in %s", wanted, call);
}

/* As the stand-in writes it; static. */
static const char *digest_of(const char *bytes)
{
        static char hex[2 * DIGEST_LENGTH + 1];
        uint8_t digest[DIGEST_LENGTH];

        digest_sha256(bytes, strlen(bytes), digest);
        hex_encode(digest, sizeof(digest), hex);
        for (char *c = hex; *c; c++)
                *c = (char)tolower(*c);
        return hex;
}

static void assert_modules(const char *call)
{
        char wanted[160];

        assert_non_null(strstr(call, "\"name\": \"./module-1.smu\""));
        assert_non_null(strstr(call, "\"name\": \"./module-2.bin\""));
        assert_non_null(strstr(call, "\"address\": \"0x8020000\""));
        assert_non_null(strstr(call, "\"address\": \"0x8022000\""));
        assert_non_null(strstr(call, digest_of("the stack")));
        snprintf(wanted, sizeof(wanted), "\"license\": {\"sha256\": \"%s\", \"mode\": \"0o600\"",
                 digest_of("for any part"));
        assert_non_null(strstr(call, wanted));
        /* the image's, and that of module 1, made for this very chip */
        assert_int_equal(vendor_bench_count(call, "\"length\": 136"), 2);
        assert_string_equal(
                vendor_bench_ask(line, "SELECT count(*) FROM licenses WHERE state = 'installed'"),
                "2");
}

static void every_kind_of_image_goes_in_as_the_application_note_has_it(void **state)
{
        (void)state;
        for (size_t i = 0; i < LENGTH_OF(kinds); i++) {
                const char *call;

                begin(&kinds[i]);
                line_order(line, "KIND", 1, order_lines());
                assert_int_equal(vendor_bench_run(line, NULL, NULL), 0);
                printf("# %s, areas %u: %s\n", kind->family, kind->areas,
                       vendor_bench_ask(line, "SELECT result || ' ' || sentence FROM attempts"));
                assert_string_equal(vendor_bench_ask(line, "SELECT result FROM attempts"), "pass");
                call = installing_call();
                assert_arguments(call, kind->arguments);
                assert_connection(call);
                if (kind->areas & WITH_MODULES)
                        assert_modules(call);
                assert_int_equal(vendor_bench_entries(), 0);
                vendor_bench_end(line);
        }
}

/* --- one license for all --------------------------------------------------------------------- */

/* Sections 9.3.4 and 10.3.4: the file as it is, no card, no certificate, nothing in the books. */
static void a_global_license_of_st_goes_to_the_tool_as_it_is(void **state)
{
        static const struct kind both[] = {
                { "stm32h56x", WITH_FILES, "good-h5", 0, 0, 0, SFI RSSE },
                { "stm32h7rs", 0, "good-h7rs", 0, 0, 0, SFI RSSE },
        };

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(both); i++) {
                char lines[400], *calls;
                const char *call;

                begin(&both[i]);
                memset(code, 0x47, sizeof(code));
                write_file("ST_Global_License_V0.bin", code, 200);
                snprintf(lines, sizeof(lines),
                         "license:\n  source: global\n  file: %s/ST_Global_License_V0.bin\n",
                         line->directory);
                line_order(line, "GLOBAL", 2, lines);
                assert_int_equal(vendor_bench_run(line, NULL, NULL), 0);
                assert_string_equal(
                        vendor_bench_ask(line,
                                         "SELECT count(*) FROM attempts WHERE result = 'pass'"),
                        "2");
                assert_string_equal(vendor_bench_ask(line, "SELECT count(*) FROM licenses"), "0");
                assert_string_equal(vendor_bench_ask(line, "SELECT license_source FROM attempts"),
                                    "global");
                calls = vendor_rig_calls();
                assert_null(strstr(calls, "\"-gc\""));
                free(calls);
                call = installing_call();
                assert_arguments(call, kind->arguments);
                assert_non_null(strstr(call, "\"length\": 200"));
                assert_int_equal(vendor_bench_entries(), 0);
                vendor_bench_end(line);
        }
}

/* --- refused before a unit ------------------------------------------------------------------- */

/* A rejected order is an ended one: the station stops by itself. */
static void assert_refused(const char *lines, const char *words)
{
        char *answer;

        line_order(line, "NO", 1, lines);
        assert_int_equal(vendor_bench_run(line, NULL, NULL), 0);
        answer = line_read(line_find(line, "orders/err/NO.yaml.err"));
        assert_non_null(answer);
        if (!strstr(answer, words))
                fail_msg("\"%s\" is not in: %s", words, answer);
        free(answer);
        answer = vendor_rig_calls();
        assert_string_equal(answer, "");
        free(answer);
        vendor_bench_end(line);
}

static const struct kind h5_with_modules = { "stm32h56x", WITH_MODULES, "good-h5", 0, 0,
                                             0,           SFI RSSE MCSV };

#define STACK  "modules:\n  - firmware_id: STACK_1\n    type: SMU\n"
#define STACK2 STACK "  - firmware_id: STACK_2\n    type: SMU\n"

/* Names in an order are relative to the drop folder; the list lies elsewhere. */
static const char *with_list(const char *before)
{
        static char lines[600];

        snprintf(lines, sizeof(lines), "%smodule_list: %s/lists/modules.mcsv\n", before,
                 line->directory);
        return lines;
}

static void a_list_of_modules_must_be_the_images(void **state)
{
        static const struct {
                const char *first, *second, *modules, *words;
        } cases[] = {
                { "NOBODY", "./../LicenseV0.bin", STACK, "names no file, nor the firmware_id" },
                { "STACK_1", "STACK_1", STACK, "names no file, nor the firmware_id" },
                { "STACK_1", "", STACK, "the license column is empty" },
                { "STACK_1", "./../LicenseV0.bin", STACK2,
                  "no further row of modules.mcsv has the license of STACK_2" },
        };

        static const char elsewhere[] =
                "../stack.smu, STACK_1, 0x8020000\n../other.bin, ../LicenseV0.bin, 0x8024000\n";

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(cases); i++) {
                begin(&h5_with_modules);
                write_list(cases[i].first, cases[i].second);
                assert_refused(with_list(cases[i].modules), cases[i].words);
        }
        begin(&h5_with_modules);
        unlink(line_path(line, "stack.smu"));
        assert_refused(with_list(STACK), "stack.smu");
        begin(&h5_with_modules);
        write_file("lists/modules.mcsv", "a.smu, b.bin\n", 13);
        assert_refused(with_list(STACK), "modules.mcsv line 1: 2 columns");
        begin(&h5_with_modules);
        write_file("lists/modules.mcsv", "../stack.smu, STACK_1, 0x8020000\n", 33);
        assert_refused(with_list(STACK), "the image has 2 modules, modules.mcsv has 1");
        begin(&h5_with_modules);
        write_file("lists/modules.mcsv", elsewhere, strlen(elsewhere));
        assert_refused(with_list(STACK), "the image has that module at another address");
        begin(&h5_with_modules);
        assert_refused(STACK, "no list is named");
}

static void what_no_public_line_shows_is_refused(void **state)
{
        static const struct kind h7 = { "stm32h75x", 0, "good-h7", 0, 0, 0, SFI };
        static const struct kind h7b3 = { "stm32h7a3", WITH_EXTERNAL, "good-h7", 0x90000000,
                                          0x081FC000,  0x24000000,    SFIX EL };

        (void)state;
        begin(&h7);
        write_list("STACK_1", "./../LicenseV0.bin");
        assert_refused(with_list(STACK), "STM32H75x takes no list of modules");
        begin(&h7);
        assert_refused("license:\n  source: global\n  file: /tmp/any.bin\n",
                       "STM32H75x takes no global license");
        begin(&h7b3);
        assert_refused("", "areas for external flash and no external loader is named");
        /* and a list is not for our own installer */
        begin(&h5_with_modules);
        line->station.settings.installer = INSTALLER_NATIVE;
        snprintf(line->station.settings.rss_profile_file,
                 sizeof(line->station.settings.rss_profile_file), "configs/rss/reference-h5.conf");
        assert_refused(with_list("modules:\n  - firmware_id: STACK_1\n    type: SMU\n"
                                 "  - firmware_id: STACK_2\n    type: SMU\n"),
                       "a list of modules is for the vendor's tool");
}

/* --- the security package -------------------------------------------------------------------- */

/* Sections 10.2 and 13.2; before a license is asked for. */
static void too_old_a_security_package_is_refused(void **state)
{
        static const struct {
                struct kind kind;
                const char *sfsp, *result;
        } cases[] = {
                { { "stm32h7rs", 0, "good-h7rs", 0, 0, 0, "" }, "v1.0.9", "fail" },
                { { "stm32h7rs", 0, "good-h7rs", 0, 0, 0, "" }, "v1.1.0", "pass" },
                { { "stm32h56x", WITH_EXTERNAL, "good-h5", 0x90000000, 0x081FFFF0, 0x20000000, "" },
                  "v2.3.0",
                  "fail" },
                { { "stm32h56x", WITH_EXTERNAL, "good-h5", 0x90000000, 0x081FFFF0, 0x20000000, "" },
                  "v2.4.0",
                  "pass" },
                { { "stm32h56x", 0, "good-h5", 0, 0, 0, "" }, "v1.4.0", "pass" },
        };

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(cases); i++) {
                begin(&cases[i].kind);
                vendor_rig_file("sfsp", cases[i].sfsp);
                line_order(line, "SFSP", 1, order_lines());
                vendor_bench_one_unit(line);
                assert_string_equal(vendor_bench_ask(line, "SELECT result FROM attempts"),
                                    cases[i].result);
                if (strcmp(cases[i].result, "fail") == 0) {
                        assert_non_null(
                                strstr(vendor_bench_ask(line, "SELECT sentence FROM attempts"),
                                       "security package (SFSP)"));
                        assert_string_equal(vendor_bench_ask(line, "SELECT count(*) FROM licenses"),
                                            "0");
                }
                vendor_bench_end(line);
        }
}

/* --- external flash that fails --------------------------------------------------------------- */

static void external_flash_that_fails_is_no_pass(void **state)
{
        static const struct kind h7b3 = { "stm32h7a3", WITH_EXTERNAL, "external-breaks",
                                          0x90000000,  0x081FC000,    0x24000000,
                                          SFIX EL };

        (void)state;
        begin(&h7b3);
        line_order(line, "BREAKS", 2, order_lines());
        vendor_bench_one_unit(line);
        assert_string_equal(vendor_bench_ask(line, "SELECT fault FROM attempts"), "FLASH");
        vendor_bench_end(line);
        begin(&h7b3);
        vendor_rig_scenario(NULL, "external-incomplete");
        line_order(line, "HALF", 2, order_lines());
        vendor_bench_one_unit(line);
        assert_string_equal(vendor_bench_ask(line, "SELECT fault FROM attempts"), "NOT_PROVABLE");
        vendor_bench_end(line);
}

static void the_limit_grows_with_the_image(void **state)
{
        static struct settings settings = { .vendor.timeout_s = 180 };

        (void)state;
        assert_int_equal(vendor_limit_ns(&settings, 1000), 180 * NS_PER_S);
        assert_int_equal(vendor_limit_ns(&settings, 2u << 20), (180 + 128) * NS_PER_S);
        assert_int_equal(vendor_limit_ns(&settings, SFI_FILE_MAX),
                         (180 + (SFI_FILE_MAX >> 14)) * NS_PER_S);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_kind_of_image_goes_in_as_the_application_note_has_it),
                cmocka_unit_test(a_global_license_of_st_goes_to_the_tool_as_it_is),
                cmocka_unit_test(a_list_of_modules_must_be_the_images),
                cmocka_unit_test(what_no_public_line_shows_is_refused),
                cmocka_unit_test(too_old_a_security_package_is_refused),
                cmocka_unit_test(external_flash_that_fails_is_no_pass),
                cmocka_unit_test(the_limit_grows_with_the_image),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
