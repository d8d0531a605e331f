/* The language of card profiles: what is refused, and where. */
#include "tests/drivers/card_texts.h"
#include "tests/support/simulated.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* libconfig loses its half-read string when a text is cut within one; every other leak is ours. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
        return "leak:strbuf_append\nleak:libconfig_yylex\n";
}

/* --- the one that ships -------------------------------------------------------------------- */

static int load_shipped(void *subject)
{
        static struct card_profile profile;
        uint8_t check = 0;

        (void)subject;
        assert_int_equal(card_profile_load("configs/cards/reference.conf", &profile), 0);
        assert_string_equal(profile.name, "reference");
        assert_int_equal(profile.source, SOURCE_REFERENCE);
        assert_int_equal(profile.atr_length, 16);
        assert_int_equal(profile.aid_length, 9);
        assert_int_equal(profile.timeout_ms, 8000);
        assert_int_equal(apdu_timeout_ms(&profile, CARD_INFO, 0), 4000);
        assert_int_equal(apdu_timeout_ms(&profile, CARD_LICENSE, 0), 8000);
        assert_true(card_profile_has(&profile, CARD_PERSONALIZE));
        assert_true(card_profile_has_personalization(&profile));
        assert_int_equal(profile.ceiling_count, 4);
        assert_string_equal(profile.ceilings[3].type, "SMU");
        assert_int_equal(profile.ceilings[3].maximum, 300);
        assert_int_equal(profile.version_1_count, 4);
        assert_string_equal(profile.version_1_products[3], "49701005");
        for (unsigned i = 1; i < profile.atr_length; i++)
                check ^= profile.atr[i]; /* TCK makes it zero, ISO/IEC 7816-3 section 8.2.5 */
        assert_int_equal(check, 0);
        return 0;
}

static void the_shipped_profile_is_read(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, load_shipped, NULL), 0);
}

static int load_files(void *subject)
{
        static struct card_profile profile;
        char path[512];
        FILE *file;

        snprintf(path, sizeof(path), "%s/card.conf", (const char *)subject);
        file = fopen(path, "w");
        assert_non_null(file);
        fputs("name = 7;", file);
        fclose(file);
        assert_fault(card_profile_load(path, &profile), BAD_FILE, "card.conf:1: name");
        unlink(path);
        assert_fault(card_profile_load(path, &profile), NOT_FOUND, "card.conf");
        return 0;
}

static void a_file_is_named_with_its_line(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, load_files,
                                       (void *)(uintptr_t)test_directory()),
                         0);
}

/* --- what is refused ----------------------------------------------------------------------- */

/* replace, by, words of the sentence */
static const char *const spoiled[][3] = {
        /* the top */
        { "name = \"x\"", "title = \"x\"", "x:1: unknown key \"title\"" },
        { "\"x\"", "7", "x:1: name: expected a text" },
        { "silicon", "gold", "x:2: source is \"gold\", allowed is one of" },
        { "\"silicon\"; gap = \"none\"; atr = \"3B 00\"", "\"reference\"; gap = \"none\"",
          "needs `atr`" },
        { "\"silicon\"; gap = \"none\"", "\"reference\"",
          "a reference profile needs `atr` and `gap`" },
        { "3B 00", "3B 0", "x:2: atr must be" },
        { "F0 01 02 03 04", "F0 01 02 03", "x:3: aid must be 5 to 16" },
        { "F0 01 02 03 04", "F0 01 02 03 0G", "x:3: aid must be" },
        { "F0 01 02 03 04", "F0 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F 10", "more than 16" },
        { "aid = \"F0 01 02 03 04\";", "", "x:5: {aid} is sent, but there is no `aid`" },
        { "timeout_ms = 1000", "timeout_ms = 1", "x:3: timeout_ms is 1" },
        { "timeout_ms = 1000;", "", "\"timeout_ms\" is missing" },
        { "timeout_ms = 1000;", "timeout_ms = ;", "x:3" },
        { "name = \"x\";", "@include \"/dev/zero\"", "x:1: @include" },
        /* statuses */
        { "status = ( { sw = \"9000\"", "status = [ 1 ]; x = ( { sw = \"9000\"", "unknown key" },
        { "( { sw = \"9000\"; means = \"good\"; }, { sw = \"67xx\"; means = \"refused\"; } )",
          "[ 1 ]", "x:4: status must be a list" },
        { "\"9000\"", "\"900\"", "x:4: sw is \"900\"" },
        { "\"9000\"", "\"90G0\"", "x:4: sw is \"90G0\"" },
        { "\"9000\"", "\"x000\"", "x:4: sw is \"x000\"" },
        { "\"9000\"; means = \"good\"", "\"9000\"; means = \"blank\"", "\"blank\" is nothing" },
        { "\"9000\"; means = \"good\"", "\"9000\"; means = \"fine\"", "means is \"fine\"" },
        { "\"67xx\"", "\"9000\"", "x:4: it is never reached: row 1" },
        { "\"9000\"; means = \"good\"", "\"9000\"; means = \"dead\"",
          "x:5: no status means \"good\"" },
        { "\"6A88\";\n means = \"refused\"", "\"6A88\";\n means = \"empty\"",
          "\"empty\" is nothing" },
        /* commands */
        { "select = {", "selekt = {", "unknown key \"selekt\"" },
        { "license = {", "personalise = {", "unknown key" },
        { "00A40400{aid}", "00A404", "x:5: command, character 7: a command begins with" },
        { "00A40400{aid}", "00A40400 {aid", "character 10: the } is missing" },
        { "00A40400{aid}", "00A40400 {aid }", "wanted {name} or {name little}" },
        { "00A40400{aid}", "00A40400 {aid little}", "no lowest byte" },
        { "00A40400{aid}", "00A40400 {key}",
          "{key} is nothing that SELECT can be given, only {aid}" },
        { "00A40400{aid}", "00A40400 A", "half a byte" },
        { "00A40400{aid}", "00A40400 (aid)", "wanted a byte" },
        { "00A40400{aid}", "00A40400 [ 01 ]", "only personalize" },
        { "10 00 00 le", "10 00 00 le 1", "after le comes a byte" },
        { "10 00 00 le", "10 00 00 le 10 10", "something behind le" },
        { "10 00 00 le", "10 00 00 le le", "after le comes a byte" },
        { "{certificate} le", "le", "x:16: {certificate} is sent 0 times" },
        { "{certificate} le", "{certificate} {certificate} le", "in the command already" },
        { "{nonce} {key}", "{key}", "one of {iv} and {nonce}" },
        { "{nonce} {key}", "{nonce} {iv} {key}", "one of {iv} and {nonce}" },
        { "{nonce} {key}", "{nonce}", "{key} is sent 0 times" },
        { "{maximum little} {firmware_id}", "{firmware_id}", "{maximum} is sent 0 times" },
        { "[ {product_id} {flow} ]", "{product_id} {flow}", "it belongs between [ and ]" },
        { "[ {product_id} {flow} ]", "[ {flow} ]", "{product_id} is sent 0 times" },
        { "[ {product_id} {flow} ]", "[ {product_id} {flow}", "the ] is missing" },
        { "[ {product_id} {flow} ]", "[ {product_id} [ {flow} ] ]", "a second [ within" },
        { "[ {product_id} {flow} ]", "[ {product_id} ] [ {flow} ]", "a second [ ]" },
        { "[ {product_id} {flow} ]", "{product_id} ]", "it belongs between" },
        { "[ {product_id} {flow} ]", "[ {product_id} le ]", "le stands behind the ]" },
        { "{key} 7F", "7F", "{key} is sent 0 times" },
        { "{product_id} {flow}", "{product_id} {aid}", "not in [ ]" },
        { "length = [ 0, 9 ]", "length = [ 0, 9, 1 ]", "x:5: length is a number or" },
        { "length = [ 0, 9 ]", "length = [ 9, 0 ]", "x:5: length is 9 to 0" },
        { "length = [ 0, 9 ]", "length = 257", "x:5: length is 257" },
        { "length = [ 0, 9 ]", "length = \"9\"", "x:5: length: expected a number" },
        { "length = 136; fields", "length = 136; otherwise = \"refused\"; fields",
          "would promise" },
        { "otherwise = \"refused\"", "otherwise = \"good\"", "otherwise is \"good\"" },
        { "otherwise = \"refused\"", "timeout_ms = 99", "timeout_ms is 99" },
        { "le\"; length = 40", "le\"; tries = 3; length = 40", "x:6: unknown key \"tries\"" },
        { "license = { command", "license = ( ); x = { command", "unknown key" },
        { "00 00 le\"; length = 40", "00 00\"; length = 40",
          "x:6: length is 40 or more, but the command asks for 0 (le)" },
        { "le 88", "le 87", "x:16: length is 136 or more, but the command asks for 135" },
        /* fields */
        { "\"state\"; offset = 0", "\"mood\"; offset = 0", "x:8: name is \"mood\"" },
        { "{ name = \"license\"; offset = 0; length = 136; as = \"bytes\"; }",
          "{ name = \"serial\"; offset = 0; length = 8; as = \"hex\"; }",
          "x:17: serial does not come with LICENSE" },
        { "\"version\"; offset = 1", "\"license\"; offset = 1", "license does not come with INFO" },
        { "{ name = \"version\"; offset = 1; length = 1; as = \"decimal\"; },", "",
          "no field is the version; it is needed" },
        { "{ name = \"serial\"; offset = 20; length = 4; as = \"hex\"; },", "",
          "no field is the serial; it is needed" },
        { "\"version\"; offset = 1; length = 1; as = \"decimal\"",
          "\"counter\"; offset = 1; length = 1; as = \"big\"", "no field is the version" },
        { "offset = 30; bytes = \"9F 7F\"", "offset = 30; length = 1; as = \"hex\"",
          "a constant has" },
        { "\"constant\"; offset = 30; bytes = \"9F 7F\"",
          "\"counter\"; offset = 30; length = 2; as = \"big\"", "counter comes 2 times" },
        { "offset = 1; length = 1", "offset = 0; length = 2", "x:10: version overlaps state" },
        { "offset = 30; bytes", "offset = 23; bytes", "x:15: constant overlaps serial" },
        { "offset = 30; bytes", "offset = 39; bytes", "x:15: constant goes to byte 41" },
        { "offset = 20; length = 4", "offset = 37; length = 4", "x:14: serial goes to byte 41" },
        { "offset = 20; length = 4", "offset = 20", "x:14: serial may have 20 bytes, at most 8" },
        { "offset = 20; length = 4", "offset = 256; length = 4", "x:14: offset is 256" },
        { "offset = 2; length = 3", "offset = 2; length = 5", "x:11: counter may have 5 bytes" },
        { "length = 3; as = \"little\"", "length = 3; as = \"hex\"",
          "counter cannot be written as hex" },
        { "length = 3; as = \"little\"", "length = 3; as = \"middle\"", "as is \"middle\"" },
        { "length = 3; as = \"little\"", "length = 3", "the key \"as\" is missing" },
        { "length = 3; as = \"little\"", "length = 3; as = \"little\"; pad = 1",
          "only a text is filled" },
        { "length = 3; as = \"little\"", "length = 3; as = \"little\"; bytes = \"01\"",
          "bytes are of a" },
        { "length = 3; as = \"little\"", "length = 3; as = \"little\"; values = ()",
          "is no values" },
        { "length = 4; as = \"hex\"", "length = 4; as = \"hex\"; case = 1",
          "unknown key \"case\"" },
        { "bytes = \"9F 7F\"", "bytes = \"9F 7F\"; as = \"hex\"",
          "a constant has name, offset and bytes" },
        { "bytes = \"9F 7F\"", "length = 2", "a constant has name, offset and bytes" },
        { "bytes = \"9F 7F\"", "bytes = \"01 02 03 04 05 06 07 08 09\"", "more than 8" },
        { "bytes = \"0F\"", "bytes = \"07\"", "x:9: these bytes of state have a meaning already" },
        { "bytes = \"0F\"", "bytes = \"0F 01\"", "x:9: bytes" },
        { "means = \"OPERATIONAL\"", "means = \"HAPPY\"",
          "\"HAPPY\" is nothing that state can be" },
        { "length = 136; as = \"bytes\"", "length = 135; as = \"bytes\"", "135 bytes, wanted 136" },
        { "length = 136; fields", "length = [ 135, 136 ]; fields", "goes to byte 136" },
        { "{ sw = \"6A88\";\n means = \"refused\"; }", "{ sw = \"6A88\";\n means = \"blank\"; }",
          "a status means \"blank\" where the state is told" },
        /* for programming */
        { "type = \"SFI\"; maximum", "type = \"\"; maximum", "x:20: type has 0" },
        { "type = \"SFI\"; maximum", "type = \"SFIXX\"; maximum", "x:20: type has 5" },
        { "maximum = 5", "maximum = 0", "x:20: maximum is 0" },
        { "maximum = 5;", "maximum = 5; color = 1;", "x:20: unknown key" },
        { "maximum = 5; }", "maximum = 5; }, { type = \"SFI\"; maximum = 6; }",
          "has a ceiling already" },
        { "( { type", "[ 1 ]; #", "ceilings must be a list" },
        { "[ \"45002001\" ]", "\"45002001\"", "x:21: version_1_products must be an array" },
        { "[ \"45002001\" ]", "[ \"4500200a\" ]", "x:21: version_1_products holds" },
        { "[ \"45002001\" ]", "[ 45002001 ]", "x:21: version_1_products holds" },
};

static void a_spoiled_profile_is_refused_with_its_line(void **state)
{
        static struct card_profile profile, before;

        (void)state;
        parse_good(good, &profile);
        before = profile;
        for (unsigned i = 0; i < LENGTH_OF(spoiled); i++) {
                const char *text = with(spoiled[i][0], spoiled[i][1]);

                assert_fault(card_profile_parse("x", text, strlen(text), &profile), BAD_FILE,
                             spoiled[i][2]);
        }
        assert_fault(card_profile_parse("x", "name = \"x\0y\";", 13, &profile), BAD_FILE,
                     "zero byte");
        assert_memory_equal(&profile, &before, sizeof(profile)); /* written on success only */
}

/* Cut anywhere, or a character lost anywhere: refused or read, and nothing worse. */
static void a_profile_cut_anywhere_is_refused(void **state)
{
        static struct card_profile profile;
        size_t whole = strlen(good);

        (void)state;
        for (size_t length = 0; length < whole; length++)
                if (card_profile_parse("x", good, length, &profile) == 0)
                        assert_true(good + length + 3 >= strstr(good, "personalize"));
        for (size_t at = 0; at < whole; at++) {
                char text[sizeof(good)];
                int r;

                memcpy(text, good, at);
                memcpy(text + at, good + at + 1, whole - at);
                r = card_profile_parse("x", text, whole - 1, &profile);
                assert_true(r == 0 || r == -FAULT_BAD_FILE);
        }
}

static void too_much_of_anything_is_refused(void **state)
{
        static struct card_profile profile;
        char text[1400] = "00 A4 04 00 ", *at = text + strlen(text);

        (void)state;
        for (unsigned i = 0; i < 97; i++)
                at += sprintf(at, "5A ");
        assert_int_equal(card_profile_parse("x", with("00A40400{aid}", text),
                                            strlen(with("00A40400{aid}", text)), &profile),
                         -FAULT_BAD_FILE);
        *(at - 3) = '\0';
        parse_good(with("00A40400{aid}", text), &profile);
        strcpy(text, "00 A4 04 00");
        for (unsigned i = 0; i < 17; i++)
                strcat(text, " {aid}");
        assert_fault(card_profile_parse("x", with("00A40400{aid}", text),
                                        strlen(with("00A40400{aid}", text)), &profile),
                     BAD_FILE, "more than 16 pieces");
        strcpy(text, "F0 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F"); /* 16 x 16 is 256 */
        {
                char two[9000], command[200] = "00A40400";
                const char *aid = with("F0 01 02 03 04", text), *select;

                for (unsigned i = 0; i < 16; i++)
                        strcat(command, "{aid}");
                select = strstr(aid, "00A40400{aid}");
                snprintf(two, sizeof(two), "%.*s%s%s", (int)(select - aid), aid, command,
                         select + strlen("00A40400{aid}"));
                assert_fault(card_profile_parse("x", two, strlen(two), &profile), BAD_FILE,
                             "x:5: the command has 256 bytes of data");
        }
}

static void more_exchanges_than_there_are_places_are_refused(void **state)
{
        static struct card_profile profile;
        static char text[8192];
        static const char one[] =
                "{ command = \"00 A4 04 00 F0 01 02 03 04\"; length = [ 0, 256 ]; }";
        const char *at = strstr(in_steps, one);

        (void)state;
        assert_non_null(at);
        for (unsigned count = 1; count <= 6; count++) {
                size_t length = (size_t)snprintf(text, sizeof(text), "%.*s(", (int)(at - in_steps),
                                                 in_steps);

                for (unsigned i = 0; i < count; i++)
                        length += (size_t)sprintf(text + length, "%s%s", i ? "," : "", one);
                length +=
                        (size_t)sprintf(text + length, ")%s%s", at + strlen(one), burned_in_steps);
                if (count <= 2) /* with three of info, two of license, three of personalize: ten */
                        parse_good(text, &profile);
                else
                        assert_fault(card_profile_parse("x", text, length, &profile), BAD_FILE,
                                     "a command has 1 to 4, all together 10");
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_shipped_profile_is_read),
                cmocka_unit_test(a_file_is_named_with_its_line),
                cmocka_unit_test(a_spoiled_profile_is_refused_with_its_line),
                cmocka_unit_test(a_profile_cut_anywhere_is_refused),
                cmocka_unit_test(too_much_of_anything_is_refused),
                cmocka_unit_test(more_exchanges_than_there_are_places_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
