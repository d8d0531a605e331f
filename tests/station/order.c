/*
 * Orders: what is taken, and what is refused in which line with which words.
 */
#include "station/order.h"

#include "crypto/digest.h"
#include "crypto/license_global.h"
#include "crypto/sfi.h"
#include "drivers/family.h"
#include "drivers/rss.h"
#include "scheduler/bytes.h"
#include "scheduler/file.h"
#include "tests/support/sealed.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define DIGEST "00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff"
#define HEAD                                                                                       \
        "order: DEMO-1\n"                                                                          \
        "part: STM32H753XI\n"                                                                      \
        "family: STM32H75x\n"
#define IMAGE "image: { file: a.sfi, sha256: " DIGEST " }\n"
#define TAIL  "firmware_id: BLINKY_1\n"
#define GOOD  HEAD "quantity: 64\n" IMAGE TAIL /* six lines */

static int parse(const char *text, struct order *ret_order, struct order_error *ret_error)
{
        return order_parse(text, strlen(text), "/drop/in", ret_order, ret_error);
}

static void an_order_is_read_field_by_field(void **state)
{
        static const char text[] = "---\n" HEAD "quantity: 64\n"
                                   "image:\n"
                                   "  file: sub/blinky.sfi # here\n"
                                   "  sha256: " DIGEST "\n" TAIL "retries: 5\n"
                                   "erase: always\n"
                                   "due: 2028-02-29\n"
                                   "operator: 'M\xC3\xBCller, line 3'\n"
                                   "...\n";
        struct order order;
        struct order_error error;
        uint8_t digest[32];

        (void)state;
        assert_int_equal(parse(text, &order, &error), 0);
        assert_string_equal(order.id, "DEMO-1");
        assert_string_equal(order.part, "STM32H753XI");
        assert_string_equal(order.family, "STM32H75x");
        assert_int_equal(order.quantity, 64);
        assert_string_equal(order.image_file, "/drop/in/sub/blinky.sfi");
        assert_int_equal(order.image_digest[0], 0x00);
        assert_int_equal(order.image_digest[31], 0xFF);
        assert_string_equal(order.firmware_id, "BLINKY_1");
        assert_int_equal(order.retries, 5);
        assert_int_equal(order.erase, ERASE_ALWAYS);
        assert_string_equal(order.due, "2028-02-29");
        assert_string_equal(order.operator_name, "M\xC3\xBCller, line 3");
        assert_int_equal(order.family_line, 4);
        assert_int_equal(order.file_line, 7);
        assert_int_equal(order.digest_line, 8);
        digest_sha256(text, strlen(text), digest);
        assert_memory_equal(order.digest, digest, 32);
}

static void what_may_be_left_out_has_defaults(void **state)
{
        struct order order;
        struct order_error error;

        (void)state;
        assert_int_equal(parse(GOOD, &order, &error), 0);
        assert_int_equal(order.retries, 1);
        assert_int_equal(order.erase, ERASE_INTERRUPTED);
        assert_string_equal(order.due, "");
        assert_int_equal(order.license.source, LICENSE_FROM_CARD);
        assert_string_equal(order.license.type, "SFI");
        assert_string_equal(order.license.file, "");
        assert_int_equal(order.license.line, 0);
        assert_int_equal(order.module_count, 0);
        assert_string_equal(order.operator_name, "");
}

static void licenses_and_modules_are_read(void **state)
{
        static const char text[] = GOOD "license:\n"
                                        "  source: server\n"
                                        "  type: SFIA\n"
                                        "modules:\n"
                                        "  - firmware_id: STACK_1\n"
                                        "    type: SMU\n"
                                        "  - { type: SFI, firmware_id: BLINKY_1 }\n"
                                        "retries: 2\n";
        struct order order;
        struct order_error error;

        (void)state;
        assert_int_equal(parse(text, &order, &error), 0);
        assert_int_equal(order.license.source, LICENSE_FROM_SERVER);
        assert_string_equal(order.license.type, "SFIA");
        assert_int_equal(order.license.line, 8);
        assert_int_equal(order.module_count, 2);
        assert_string_equal(order.modules[0].firmware_id, "STACK_1");
        assert_string_equal(order.modules[0].type, "SMU");
        assert_int_equal(order.modules[0].line, 11);
        assert_string_equal(order.modules[1].firmware_id, "BLINKY_1");
        assert_string_equal(order.modules[1].type, "SFI");
        assert_int_equal(order.modules[1].line, 13);
        assert_string_equal(order.firmware_id, "BLINKY_1");
        assert_int_equal(order.retries, 2);
        assert_int_equal(order_module_source(&order), LICENSE_FROM_SERVER);
        assert_int_equal(parse(GOOD "license: { source: global, file: any.bin }\n", &order, &error),
                         0);
        assert_int_equal(order.license.source, LICENSE_GLOBAL);
        assert_string_equal(order.license.file, "/drop/in/any.bin");
        assert_string_equal(order.image_file, "/drop/in/a.sfi");
        assert_int_equal(order_module_source(&order), LICENSE_FROM_CARD);
        assert_int_equal(parse(GOOD "license: { source: file }\n", &order, &error), 0);
        assert_int_equal(order.license.source, LICENSE_FROM_FILE);
}

static void unusual_but_plain_forms_are_taken(void **state)
{
        static const char *const texts[] = {
                "\xEF\xBB\xBF" GOOD, /* what Windows editors put in front */
                "order: \"DEMO-1\"\r\npart: 'x y'\r\nfamily: F\r\nquantity: 1\r\nimage:\r\n  "
                "sha256: " DIGEST "\r\n  file: /abs/a b..sfi\r\nfirmware_id: 007\r\n",
                "{order: 1, part: x, family: F, quantity: 1000000, firmware_id: F, " IMAGE "}",
                GOOD "due: 2026-12-01T23:59:59Z\nretries: 0\nerase: never",
        };
        struct order order;
        struct order_error error;

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(texts); i++)
                if (parse(texts[i], &order, &error) != 0)
                        fail_msg("case %zu, line %u: %s", i, error.line, error.sentence);
}

static const struct {
        const char *text, *code;
        unsigned line;
        const char *words, *remedy;
} bad[] = {
        /* fields */
        { GOOD "colour: red\n", "BAD_VALUE", 7, "no field \"colour\"", "remove it" },
        { GOOD "quantitty: 5\n", "BAD_VALUE", 7, "no field \"quantitty\"",
          "did you mean quantity?" },
        { GOOD "sha256: " DIGEST "\n", "BAD_VALUE", 7, "no field \"sha256\"",
          "belongs below image" },
        { HEAD "image: { quantity: 1 }\n", "BAD_VALUE", 4, "no field \"quantity\" in image",
          "outside of image" },
        { GOOD "<<: {}\n", "BAD_VALUE", 7, "no field \"<<\"", "remove it" },
        { GOOD "part: again\n", "BAD_VALUE", 7, "part is given twice, first in line 2",
          "remove one" },
        { HEAD "image:\n  file: a\n  file: b\n", "BAD_VALUE", 6, "file is given twice",
          "remove one" },
        { HEAD IMAGE TAIL, "BAD_VALUE", 1, "the field quantity is missing", "add quantity:" },
        { "\n\n" HEAD "quantity: 1\n" TAIL, "BAD_VALUE", 3, "the field image is missing",
          "add image:" },
        { HEAD "quantity: 1\nimage:\n  file: a.sfi\n" TAIL, "BAD_VALUE", 6,
          "the field sha256 is missing in image", "64 hexadecimal" },
        /* licenses and modules */
        { GOOD "license: card\n", "BAD_VALUE", 7, "license is not a group of fields", "indented" },
        { GOOD "license: [card]\n", "BAD_VALUE", 7, "license is not a group of fields",
          "indented" },
        { GOOD "license:\n  type: SFI\n", "BAD_VALUE", 8, "the field source is missing in license",
          "card, server, file or global" },
        { GOOD "license: { source: cards }\n", "BAD_VALUE", 7, "source is \"cards\"",
          "card, server, file or global" },
        { GOOD "license: { source: card, type: SMU }\n", "BAD_VALUE", 7, "type is \"SMU\"",
          "SFI or SFIA" },
        { GOOD "license: { source: card, sauce: x }\n", "BAD_VALUE", 7,
          "no field \"sauce\" in license", "did you mean source?" },
        { GOOD "license: { quantity: 1 }\n", "BAD_VALUE", 7, "no field \"quantity\" in license",
          "outside of license" },
        { GOOD "license: { source: card, source: card }\n", "BAD_VALUE", 7, "source is given twice",
          "remove one" },
        { GOOD "license: { source: global }\n", "BAD_VALUE", 7, "no file is named", "add file:" },
        { GOOD "license: { source: card, file: g.bin }\n", "BAD_VALUE", 7,
          "the source of the license is card", "remove file:" },
        { GOOD "license: { source: global, file: ../g.bin }\n", "BAD_VALUE", 7,
          "\"..\" is not followed", "absolute" },
        { GOOD "license: { source: &a card }\n", "BAD_VALUE", 7, "anchors", "in full" },
        { GOOD "source: card\n", "BAD_VALUE", 7, "no field \"source\"", "belongs below license" },
        { GOOD "modules: STACK_1\n", "BAD_VALUE", 7, "modules is not a list", "a dash" },
        { GOOD "modules: { firmware_id: A, type: SMU }\n", "BAD_VALUE", 7, "modules is not a list",
          "a dash" },
        { GOOD "modules: []\n", "BAD_VALUE", 7, "the list of modules is empty", "remove the line" },
        { GOOD "modules:\n  - STACK_1\n", "BAD_VALUE", 8, "an entry of modules",
          "behind each dash" },
        { GOOD "modules:\n  - [ a ]\n", "BAD_VALUE", 8, "an entry of modules", "behind each dash" },
        { GOOD "modules:\n  - firmware_id: A\n", "BAD_VALUE", 8,
          "the field type is missing in modules", "SMU, SFI or SFIA" },
        { GOOD "modules:\n  - { firmware_id: A, type: SSP }\n", "BAD_VALUE", 8, "type is \"SSP\"",
          "SMU, SFI or SFIA" },
        { GOOD "modules:\n  - { firmware_id: \xC3\xA4, type: SMU }\n", "BAD_VALUE", 8,
          "firmware_id is", "module's cards" },
        { GOOD "modules:\n  - { firmware_id: A, type: SMU }\n  - { firmware_id: A, type: SMU }\n",
          "BAD_VALUE", 9, "two licenses are for A and of type SMU", "of its own" },
        { GOOD "modules:\n  - { firmware_id: BLINKY_1, type: SFI }\n", "BAD_VALUE", 8,
          "two licenses are for BLINKY_1 and of type SFI", "of its own" },
        { GOOD "modules:\n- { firmware_id: A, type: SMU }\n- { firmware_id: B, type: SMU }\n"
               "- { firmware_id: C, type: SMU }\n- { firmware_id: D, type: SMU }\n"
               "- { firmware_id: E, type: SMU }\n- { firmware_id: F, type: SMU }\n"
               "- { firmware_id: G, type: SMU }\n- { firmware_id: H, type: SMU }\n"
               "- { firmware_id: I, type: SMU }\n",
          "BAD_VALUE", 16, "there are more than 8 modules", "put modules together" },
        { GOOD "modules:\n  - { firmware_id: A, firmware_id: B, type: SMU }\n", "BAD_VALUE", 8,
          "firmware_id is given twice", "remove one" },
        { GOOD "modules: &a\n  - { firmware_id: A, type: SMU }\n", "BAD_VALUE", 7, "anchors",
          "in full" },
        /* types */
        { GOOD "operator: [a, b]\n", "BAD_VALUE", 7, "operator is a list", "one value" },
        { GOOD "operator: {a: b}\n", "BAD_VALUE", 7, "operator is a group", "one value" },
        { GOOD "operator:\n", "BAD_VALUE", 7, "operator has no value", "remove the line" },
        { "order: ~\n", "BAD_VALUE", 1, "order has no value", "behind the colon" },
        { "part: null\n", "BAD_VALUE", 1, "part has no value", "behind the colon" },
        { HEAD "image: a.sfi\n", "BAD_VALUE", 4, "image is not a group", "indented" },
        { HEAD "quantity: \"64\"\n", "BAD_VALUE", 4, "quantity is \"64\"", "without quotes" },
        { HEAD "quantity: 064\n", "BAD_VALUE", 4, "quantity is \"064\"", "1 to 1000000" },
        { HEAD "quantity: 1_000\n", "BAD_VALUE", 4, "quantity is \"1_000\"", "1 to 1000000" },
        { HEAD "quantity: 64.0\n", "BAD_VALUE", 4, "quantity is \"64.0\"", "1 to 1000000" },
        { HEAD "quantity: many\n", "BAD_VALUE", 4, "quantity is \"many\"", "1 to 1000000" },
        { "? [order]\n: x\n", "BAD_VALUE", 1, "the name of a field is not a word", "name: value" },
        { "- order\n- part\n", "BAD_VALUE", 1, "not a list of fields", "name: value" },
        { "DEMO-1\n", "BAD_VALUE", 1, "not a list of fields", "name: value" },
        { "", "BAD_VALUE", 1, "the order is empty", "name: value" },
        { "# nothing\n\n", "BAD_VALUE", 3, "the order is empty", "name: value" },
        /* ranges and forms */
        { HEAD "quantity: 0\n", "BAD_VALUE", 4, "quantity is \"0\"", "1 to 1000000" },
        { HEAD "quantity: -1\n", "BAD_VALUE", 4, "quantity is \"-1\"", "1 to 1000000" },
        { HEAD "quantity: 1000001\n", "BAD_VALUE", 4, "quantity is", "1 to 1000000" },
        { HEAD "quantity: 18446744073709551617\n", "BAD_VALUE", 4, "quantity is", "1 to 1000000" },
        { GOOD "retries: 6\n", "BAD_VALUE", 7, "retries is \"6\"", "0 to 5" },
        { GOOD "erase: Always\n", "BAD_VALUE", 7, "erase is \"Always\"", "never, interrupted" },
        { GOOD "due: 2026-02-29\n", "BAD_VALUE", 7, "due is \"2026-02-29\"", "2026-12-01" },
        { GOOD "due: 2026-13-01\n", "BAD_VALUE", 7, "due is", "2026-12-01" },
        { GOOD "due: 01.12.2026\n", "BAD_VALUE", 7, "due is", "2026-12-01" },
        { GOOD "due: 2026-12-01T24:00:00Z\n", "BAD_VALUE", 7, "due is", "2026-12-01" },
        { GOOD "due: 2026-12-01T23:00:00+\n", "BAD_VALUE", 7, "due is", "2026-12-01" },
        { "order: a b\n", "BAD_VALUE", 1, "order is \"a b\"", "A-Z a-z 0-9" },
        { "order: ../../etc\n", "BAD_VALUE", 1, "order is \"../../etc\"", "A-Z a-z 0-9" },
        { "order: ..\n", "BAD_VALUE", 1, "order is \"..\"", "not opening with a dot" },
        { "order: 0123456789012345678901234567890123456789012345678901234567890123\n", "BAD_VALUE",
          1, "order is \"0123", "1 to 63" },
        { "part: 01234567890123456789012345678901\n", "BAD_VALUE", 1, "part is", "at most 31" },
        { "family: STM32 H7\n", "BAD_VALUE", 1, "family is \"STM32 H7\"", "such as STM32H75x" },
        { "firmware_id: \xC3\xA4\n", "BAD_VALUE", 1, "firmware_id is \"\xC3\xA4\"", "ASCII" },
        { "operator: \"a\\nb\"\n", "BAD_VALUE", 1, "control character or a line break",
          "one line" },
        { "operator: \"a\\x1Bb\"\n", "BAD_VALUE", 1, "control character", "one line" },
        { "operator: \"a\\0b\"\n", "BAD_VALUE", 1, "control character", "one line" },
        { "operator: |\n  a\n  b\n", "BAD_VALUE", 1, "line break", "one line" },
        { "\"ord\\0er\": x\n", "BAD_VALUE", 1, "control character", "one line" },
        { "image:\n  sha256: 0011\n", "BAD_VALUE", 2, "sha256 is \"0011\"", "64 hexadecimal" },
        { "image:\n  sha256: " DIGEST "0\n", "BAD_VALUE", 2, "sha256 is", "64 hexadecimal" },
        { "image:\n  file: ../a.sfi\n", "BAD_VALUE", 2, "\"..\" is not followed", "absolute path" },
        { "image:\n  file: /a/../b.sfi\n", "BAD_VALUE", 2, "\"..\" is not followed", "absolute" },
        { "image:\n  file: a/..\n", "BAD_VALUE", 2, "\"..\" is not followed", "absolute path" },
        { "image:\n  file: a/\n", "BAD_VALUE", 2, "file is \"a/\"", "a file name" },
        /* what YAML would let an order do */
        { "order: &a x\n", "BAD_VALUE", 1, "anchors and aliases", "in full" },
        { "order: *a\n", "BAD_VALUE", 1, "anchors and aliases", "in full" },
        { "&a order: x\n", "BAD_VALUE", 1, "anchors and aliases", "in full" },
        { "image: &a { file: x }\n", "BAD_VALUE", 1, "anchors and aliases", "in full" },
        { "order: !!str x\n", "BAD_VALUE", 1, "tags", "in full" },
        { "order: ! x\n", "BAD_VALUE", 1, "tags", "in full" },
        { "--- !order\norder: x\n", "BAD_VALUE", 1, "tags", "in full" },
        { "%YAML 1.1\n---\norder: x\n", "BAD_VALUE", 1, "directives", "open with %" },
        { "%TAG ! x:\n---\norder: x\n", "BAD_VALUE", 1, "directives", "open with %" },
        { GOOD "---\n" GOOD, "BAD_VALUE", 7, "a second document", "a file of its own" },
        { GOOD "...\n- x\n", "BAD_FILE", 8, "it is not YAML", "name: value" },
        { "image: [[[[[[[[[[[[[[[[[[[[[[\n", "BAD_VALUE", 1, "image is not a group", "indented" },
        /* what is not YAML */
        { "order: x\n\tpart: y\n", "BAD_FILE", 2, "it is not YAML", "name: value" },
        { "order: \"x\npart: y\n", "BAD_FILE", 3, "it is not YAML", "name: value" },
        { "order: x: y\n", "BAD_FILE", 1, "it is not YAML", "name: value" },
        { GOOD "}\n", "BAD_FILE", 7, "it is not YAML", "name: value" },
        { HEAD "operator: caf\xE9\n", "BAD_FILE", 4, "byte 0xE9 at offset 63 is not text",
          "UTF-8" },
        { "\xFF\xFEo\0", "BAD_FILE", 1, "byte 0xFF at offset 0", "UTF-8" },
        { "order: \xC0\x80\n", "BAD_FILE", 1, "byte 0xC0", "UTF-8" },
        { "order: \xED\xA0\x80\n", "BAD_FILE", 1, "byte 0xED", "UTF-8" },
        { "order: x\n# \x1B[31m\n", "BAD_FILE", 2, "byte 0x1B", "UTF-8" },
};

static void bad_orders_are_refused_with_line_sentence_and_remedy(void **state)
{
        struct order order;
        struct order_error error;
        char wanted[600];
        int r;

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(bad); i++) {
                memset(&order, 0x5A, sizeof(order));
                memset(&error, 0, sizeof(error));
                r = parse(bad[i].text, &order, &error);
                if (r >= 0 || strcmp(error.code, bad[i].code) ||
                    strcmp(fault_name(r), error.code) || error.line != bad[i].line ||
                    !strstr(error.sentence, bad[i].words) || !strstr(error.remedy, bad[i].remedy))
                        fail_msg("case %zu:\n%s\n%s line %u: %s; %s\nwanted %s line %u: %s; %s", i,
                                 bad[i].text, error.code, error.line, error.sentence, error.remedy,
                                 bad[i].code, bad[i].line, bad[i].words, bad[i].remedy);
                snprintf(wanted, sizeof(wanted), "line %u: %s; %s", error.line, error.sentence,
                         error.remedy);
                assert_string_equal(fault_sentence(r), wanted);
                assert_int_equal(order.quantity, 0x5A5A5A5A); /* written only on success */
        }
}

static void a_nul_byte_is_refused(void **state)
{
        static const char text[] = GOOD "operator: a\0b\n";
        struct order order;
        struct order_error error;

        (void)state;
        assert_fault(order_parse(text, sizeof(text) - 1, "/", &order, &error), BAD_FILE,
                     "byte 0x00");
        assert_int_equal(error.line, 7);
}

static void sixty_four_kilobytes_are_the_limit(void **state)
{
        static char text[ORDER_FILE_MAX + 1];
        size_t length = strlen(GOOD);
        struct order order;
        struct order_error error;

        (void)state;
        memset(text, '#', sizeof(text));
        memcpy(text, GOOD, length);
        assert_int_equal(order_parse(text, ORDER_FILE_MAX, "/", &order, &error), 0);
        assert_fault(order_parse(text, ORDER_FILE_MAX + 1, "/", &order, &error), TOO_LARGE,
                     "65536");
        assert_int_equal(error.line, 7);
        assert_string_equal(error.code, "TOO_LARGE");
}

static void a_path_too_long_is_refused(void **state)
{
        char directory[520];
        struct order order;
        struct order_error error;

        (void)state;
        memset(directory, 'd', sizeof(directory));
        directory[505] = '\0';
        assert_int_equal(order_parse(GOOD, strlen(GOOD), directory, &order, &error), 0);
        directory[505] = 'd';
        directory[506] = '\0';
        assert_fault(order_parse(GOOD, strlen(GOOD), directory, &order, &error), BAD_VALUE,
                     "shorter path");
}

static int read_example(void *subject)
{
        CLEANUP(bytes_free) struct bytes text = { NULL, 0 };

        assert_int_equal(file_read("configs/orders/example.yaml", ORDER_FILE_MAX, &text), 0);
        return order_parse(text.data, text.length, "configs/orders", subject,
                           &(struct order_error){ .line = 0 });
}

static void the_annotated_example_is_a_good_order(void **state)
{
        struct order order;

        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, read_example, &order), 0);
        assert_string_equal(order.id, "DEMO-0001");
        assert_string_equal(order.image_file, "configs/orders/blinky.sfi");
        assert_string_equal(order.operator_name, "line 3");
}

/* --- images -------------------------------------------------------------------------------- */

static const struct family family = {
        .name = "STM32H75x",
        .bank_address = { 0x08000000, 0x08100000 },
        .banks = 2,
        .bank_length = 0x100000,
        .word_length = 32,
        .image_ram = 0x4000,
        .option_count = 9,
};
static const struct rss_profile rss = { .name = "reference", .areas_capacity = 0x3000 };

struct plan {
        unsigned modules; /* the order names */
        const struct sfi_plain_area *areas;
        size_t count;
        const char *code, *words, *remedy; /* code NULL: taken */
        unsigned line;
};

static uint8_t payload[0x5000];

#define F(address, length)                                                                         \
        {                                                                                          \
                SFI_FIRMWARE, address, payload, length                                             \
        }
#define OPTIONS(length)                                                                            \
        {                                                                                          \
                SFI_CONFIGURATION, 0, payload, length                                              \
        }
#define OTHER(type, length)                                                                        \
        {                                                                                          \
                type, 0x081FF000, payload, length                                                  \
        }

/* Seal a file, write it and an order for it, load it. */
static int load_plan(const struct plan *plan, struct order_error *ret_error)
{
        static const uint8_t key[16] = { 1 }, nonce[12] = { 2 };
        struct sfi_recipe recipe = {
                .protocol = 2, .version = 1, .areas = plan->areas, .count = plan->count
        };
        CLEANUP(bytes_free) struct bytes file = { NULL, 0 };
        struct order order = {
                .family = "STM32H75x", .family_line = 3, .file_line = 6, .digest_line = 7
        };
        struct sfi *sfi = NULL;
        int r;

        order.module_count = plan->modules;
        order.modules[0].line = 9;
        file = sealed_file(&recipe, key, nonce, NULL);
        snprintf(order.image_file, sizeof(order.image_file), "%s/plan.sfi", test_directory());
        digest_sha256(file.data, file.length, order.image_digest);
        assert_int_equal(file_write(order.image_file, file.data, file.length, 0644), 0);
        r = order_load_image(&order, &family, &rss, NULL, &sfi, ret_error);
        if (r >= 0)
                assert_int_equal(sfi->count, plan->count);
        (void)sfi_free(sfi);
        return r;
}

static int load_plans(void *subject)
{
        static const struct sfi_plain_area good[] = { F(0x08000000, 0x1000), F(0x081FFFE0, 32),
                                                      OPTIONS(36) };
        static const struct sfi_plain_area over_banks[] = { F(0x080FFFE0, 64) };
        static const struct sfi_plain_area two_parts[] = { F(0x08000000, 0x2000),
                                                           OTHER(SFI_PAUSE, 32),
                                                           OTHER(SFI_RESUME, 32),
                                                           F(0x08020000, 0x2000) };
        static const struct sfi_plain_area one_part[] = { F(0x08000000, 0x2000),
                                                          F(0x08020000, 0x2000) };
        static const struct sfi_plain_area past_end[] = { OPTIONS(36), F(0x081FFFE0, 64) };
        static const struct sfi_plain_area before[] = { F(0x07FFFFE0, 64) };
        static const struct sfi_plain_area in_ram[] = { F(0x24000000, 64) };
        static const struct sfi_plain_area odd[] = { F(0x08000010, 64) };
        static const struct sfi_plain_area twice[] = { F(0x08000000, 64), F(0x08000020, 64) };
        static const struct sfi_plain_area l5[] = { F(0x08000000, 64), OPTIONS(48) };
        static const struct sfi_plain_area options_twice[] = { OPTIONS(36), OPTIONS(36) };
        static const struct sfi_plain_area module[] = { OTHER(SFI_MODULE, 64) };
        static const struct sfi_plain_area module_twice[] = { OTHER(SFI_MODULE, 64),
                                                              OTHER(SFI_MODULE, 64) };
        static const struct sfi_plain_area external[] = { OTHER(SFI_EXTERNAL, 64) };
        static const struct sfi_plain_area keys[] = { OTHER(SFI_KEYS, 64) };
        static const struct sfi_plain_area unknown[] = { OTHER('Z', 64) };
#define PLAN(areas, ...) PLAN_MODULES(0, areas, __VA_ARGS__)
#define PLAN_MODULES(modules_, areas_, ...)                                                        \
        {                                                                                          \
                modules_, areas_, LENGTH_OF(areas_), __VA_ARGS__                                   \
        }
        static const struct plan plans[] = {
                PLAN(good, NULL, NULL, NULL, 0),
                PLAN(over_banks, NULL, NULL, NULL, 0),
                PLAN(two_parts, NULL, NULL, NULL, 0),
                PLAN(one_part, "NO_ROOM", "part 1 of plan.sfi has 16444 bytes", "more parts", 6),
                PLAN(past_end, "BAD_VALUE", "area 2 of plan.sfi, type F, 64 bytes at 0x081FFFE0",
                     "for this family", 6),
                PLAN(before, "BAD_VALUE", "not in the flash", "for this family", 6),
                PLAN(in_ram, "BAD_VALUE", "not in the flash", "for this family", 6),
                PLAN(odd, "BAD_VALUE", "not on a flash word", "for this family", 6),
                PLAN(twice, "BAD_VALUE", "overlaps", "without overlaps", 6),
                PLAN(l5, "BAD_VALUE", "the option bytes of this family are 36", "this family", 6),
                PLAN(options_twice, "BAD_VALUE", "option-byte area already", "one option-byte", 6),
                PLAN(module, "BAD_VALUE", "plan.sfi holds 1 modules and the order names 0",
                     "below modules", 6),
                PLAN_MODULES(1, module, NULL, NULL, NULL, 0),
                PLAN_MODULES(1, good, "BAD_VALUE", "plan.sfi holds 0 modules and the order names 1",
                             "below modules", 9),
                PLAN_MODULES(2, module_twice, "BAD_VALUE", "overlaps", "without overlaps", 6),
                PLAN(external, "BAD_VALUE", "not external memory that this family can",
                     "this family", 6),
                PLAN(keys, "BAD_VALUE", "random keys are not installed", "key area", 6),
                PLAN(unknown, "BAD_VALUE", "its type is unknown", "F, C, M, E, K, P and R", 6),
        };

        (void)subject;
        for (size_t i = 0; i < LENGTH_OF(plans); i++) {
                struct order_error error = { .code = "" };
                int r = load_plan(&plans[i], &error);

                if (!plans[i].code && r == 0)
                        continue;
                if (!plans[i].code || strcmp(error.code, plans[i].code) ||
                    strcmp(fault_name(r), plans[i].code) || error.line != plans[i].line ||
                    !strstr(error.sentence, plans[i].words) ||
                    !strstr(error.remedy, plans[i].remedy))
                        fail_msg("plan %zu: %s line %u: %s; %s", i, error.code, error.line,
                                 error.sentence, error.remedy);
        }
        return 0;
}

static void an_image_is_held_against_family_and_station(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, load_plans, NULL), 0);
}

static int load_wrong_files(void *subject)
{
        struct order order = {
                .family = "STM32L5x", .family_line = 3, .file_line = 6, .digest_line = 7
        };
        struct order_error error;
        struct sfi *sfi = NULL;
        static const char noise[] = "this is not an image";

        (void)subject;
        snprintf(order.image_file, sizeof(order.image_file), "%s/x.sfi", test_directory());
        assert_fault(order_load_image(&order, &family, &rss, NULL, &sfi, &error), BAD_VALUE,
                     "line 3: family is STM32L5x, this station installs STM32H75x");

        strcpy(order.family, "STM32H75x");
        assert_fault(order_load_image(&order, &family, &rss, NULL, &sfi, &error), NOT_FOUND,
                     "line 6: ");
        assert_string_equal(error.code, "NOT_FOUND");
        assert_non_null(strstr(error.sentence, "x.sfi"));
        assert_non_null(strstr(error.remedy, "before the order"));

        assert_int_equal(mkfifo(order.image_file, 0644), 0);
        assert_fault(order_load_image(&order, &family, &rss, NULL, &sfi, &error), SYSTEM,
                     "line 6: ");
        assert_int_equal(remove(order.image_file), 0);

        assert_int_equal(file_write(order.image_file, noise, strlen(noise), 0644), 0);
        assert_fault(order_load_image(&order, &family, &rss, NULL, &sfi, &error), BAD_TAG,
                     "line 7: the SHA-256 of x.sfi (20 bytes) is ");
        assert_non_null(strstr(error.remedy, "image.sha256"));

        digest_sha256(noise, strlen(noise), order.image_digest);
        assert_fault(order_load_image(&order, &family, &rss, NULL, &sfi, &error), BAD_FILE,
                     "line 6: ");
        assert_null(sfi);
        return 0;
}

static void a_missing_wrong_or_broken_image_is_refused_by_its_line(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, load_wrong_files, NULL), 0);
}

/* --- global licenses ----------------------------------------------------------------------- */

static int load_license(void *subject)
{
        static const uint8_t key[16] = { 1 }, nonce[12] = { 2 };
        struct rss_profile takes_it = { .name = "reference-h5", .takes_global = true };
        struct order order = { .license = { LICENSE_GLOBAL, "SFI", "", 8 } };
        struct order_error error = { .code = "" };
        struct bytes license CLEANUP(bytes_wipe_free) = { 0 };
        uint8_t made[LICENSE_LENGTH];
        char digest[65], wanted[65];

#define LOAD(rss, has_server)                                                                      \
        order_load_license(&order, &family, (rss), (has_server), &license, digest, &error)
        (void)subject;
        snprintf(order.license.file, sizeof(order.license.file), "%s/any.bin", test_directory());
        assert_fault(LOAD(&rss, false), BAD_VALUE,
                     "line 8: a part driven by reference takes no global license");
        assert_fault(LOAD(&takes_it, false), NOT_FOUND, "line 8: ");
        assert_non_null(strstr(error.remedy, "license.file"));
        license_global_make(key, nonce, made);
        assert_int_equal(file_write(order.license.file, made, sizeof(made), 0600), 0);
        assert_int_equal(LOAD(&takes_it, false), 0);
        assert_int_equal(license.length, sizeof(made));
        assert_memory_equal(license.data, made, sizeof(made));
        digest_sha256(made, sizeof(made), made); /* the file stays */
        hex_encode(made, 32, wanted);
        assert_string_equal(digest, wanted);

        license.data[100] ^= 1;
        assert_int_equal(file_write(order.license.file, license.data, license.length, 0600), 0);
        bytes_wipe_free(&license);
        assert_fault(LOAD(&takes_it, false), BAD_FILE, "any.bin (136 bytes) is no global license");
        assert_int_equal(file_write(order.license.file, "SFIG", 4, 0600), 0);
        assert_fault(LOAD(&takes_it, false), BAD_FILE, "any.bin (4 bytes) is no global license");
        order.license.source = LICENSE_FROM_SERVER;
        assert_fault(LOAD(&rss, false), BAD_VALUE,
                     "line 8: the source of the license is server and the station has none");
        assert_int_equal(LOAD(&rss, true), 0);
        order.license.source = LICENSE_FROM_CARD;
        assert_int_equal(LOAD(&rss, false), 0);
        assert_string_equal(digest, "");
        assert_null(license.data);
        return 0;
}

/* Without an RSS profile the vendor's tool installs: the family decides, and the file may be anything but
 * ours. */
static int load_theirs(void *subject)
{
        static const uint8_t key[16] = { 1 }, nonce[12] = { 2 };
        static uint8_t long_one[4097] = { 1 };
        struct family h5 = { .name = "STM32H56x", .procedure = PROCEDURE_STATE };
        struct order order = { .license = { LICENSE_GLOBAL, "SFI", "", 8 } };
        struct order_error error = { .code = "" };
        struct bytes license CLEANUP(bytes_wipe_free) = { 0 };
        uint8_t made[LICENSE_LENGTH];
        char digest[65];

        (void)subject;
        snprintf(order.license.file, sizeof(order.license.file), "%s/st.bin", test_directory());
        assert_fault(order_load_license(&order, &family, NULL, false, &license, digest, &error),
                     BAD_VALUE, "a part driven by STM32H75x takes no global license");
        license_global_make(key, nonce, made);
        assert_int_equal(file_write(order.license.file, made, sizeof(made), 0600), 0);
        assert_fault(order_load_license(&order, &h5, NULL, false, &license, digest, &error),
                     BAD_FILE, "is Gangway's reference of a global license, which no part takes");
        assert_int_equal(file_write(order.license.file, "", 0, 0600), 0);
        assert_fault(order_load_license(&order, &h5, NULL, false, &license, digest, &error),
                     BAD_FILE, "st.bin (0 bytes) is empty");
        assert_int_equal(file_write(order.license.file, long_one, sizeof(long_one), 0600), 0);
        assert_fault(order_load_license(&order, &h5, NULL, false, &license, digest, &error),
                     TOO_LARGE, "line 8: ");
        assert_int_equal(file_write(order.license.file, long_one, 200, 0600), 0);
        assert_int_equal(order_load_license(&order, &h5, NULL, false, &license, digest, &error), 0);
        assert_int_equal(license.length, 200);
        assert_int_equal(strlen(digest), 64);
        return 0;
}

static void a_global_license_for_the_tool_is_any_file_but_ours(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, load_theirs, NULL), 0);
}

static void a_global_license_is_read_and_held_against_the_part(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, load_license, NULL), 0);
}

static int load_real_image(void *subject)
{
        CLEANUP(bytes_free) struct bytes file = { NULL, 0 };
        struct order order = { .family = "STM32H75x" };
        struct order_error error;
        struct sfi *sfi = NULL;

        assert_int_equal(file_read(subject, SFI_FILE_MAX, &file), 0);
        digest_sha256(file.data, file.length, order.image_digest);
        snprintf(order.image_file, sizeof(order.image_file), "%s", (const char *)subject);
        assert_int_equal(order_load_image(&order, &family, &rss, NULL, &sfi, &error), 0);
        assert_int_equal(sfi->count, 3);
        (void)sfi_free(sfi);
        return 0;
}

static void the_image_of_st_fits_an_h7(void **state)
{
        const char *path = test_data("data.sfi");

        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, load_real_image, (void *)(uintptr_t)path),
                         0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_order_is_read_field_by_field),
                cmocka_unit_test(what_may_be_left_out_has_defaults),
                cmocka_unit_test(licenses_and_modules_are_read),
                cmocka_unit_test(unusual_but_plain_forms_are_taken),
                cmocka_unit_test(bad_orders_are_refused_with_line_sentence_and_remedy),
                cmocka_unit_test(a_nul_byte_is_refused),
                cmocka_unit_test(sixty_four_kilobytes_are_the_limit),
                cmocka_unit_test(a_path_too_long_is_refused),
                cmocka_unit_test(the_annotated_example_is_a_good_order),
                cmocka_unit_test(an_image_is_held_against_family_and_station),
                cmocka_unit_test(a_missing_wrong_or_broken_image_is_refused_by_its_line),
                cmocka_unit_test(a_global_license_is_read_and_held_against_the_part),
                cmocka_unit_test(a_global_license_for_the_tool_is_any_file_but_ours),
                cmocka_unit_test(the_image_of_st_fits_an_h7),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
