/* The language of card profiles: what is refused and where, and what is said and read by it. */
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

/* One of each thing that can be spoiled, as few lines as possible. */
static const char good[] =
        "name = \"x\";\n"
        "source = \"silicon\"; gap = \"none\"; atr = \"3B 00\";\n"
        "aid = \"F0 01 02 03 04\"; timeout_ms = 1000;\n"
        "status = ( { sw = \"9000\"; means = \"good\"; }, { sw = \"67xx\"; means = \"refused\"; } "
        ");\n"
        "select = { command = \"00A40400{aid}\"; length = [ 0, 9 ]; otherwise = \"refused\"; };\n"
        "info = { command = \"80 10 00 00 le\"; length = 40; status = ( { sw = \"6A88\";\n"
        " means = \"refused\"; } ); fields = (\n"
        " { name = \"state\"; offset = 0; length = 1; as = \"values\"; values = (\n"
        "  { bytes = \"07\"; means = \"OEM\"; }, { bytes = \"0F\"; means = \"OPERATIONAL\"; } ); "
        "},\n"
        " { name = \"version\"; offset = 1; length = 1; as = \"decimal\"; },\n"
        " { name = \"counter\"; offset = 2; length = 3; as = \"little\"; },\n"
        " { name = \"type\"; offset = 5; length = 3; as = \"text\"; pad = 0x20; },\n"
        " { name = \"firmware_id\"; offset = 8; length = 12; as = \"text\"; },\n"
        " { name = \"serial\"; offset = 20; length = 4; as = \"hex\"; },\n"
        " { name = \"constant\"; offset = 30; bytes = \"9F 7F\"; } ); };\n"
        "license = { command = \"80 20 00 00 {certificate} le 88\"; length = 136; fields = (\n"
        " { name = \"license\"; offset = 0; length = 136; as = \"bytes\"; } ); };\n"
        "personalize = { command = \"80 30 0A bc {nonce} {key} 7F {maximum little} "
        "{firmware_id}\"\n"
        " \" [ {product_id} {flow} ]\"; };\n"
        "ceilings = ( { type = \"SFI\"; maximum = 5; } );\n"
        "version_1_products = [ \"45002001\" ];\n";

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

static void parse_good(const char *text, struct card_profile *profile)
{
        int r = card_profile_parse("x", text, strlen(text), profile);

        if (r < 0)
                print_error("%s\n", fault_sentence(r));
        assert_int_equal(r, 0);
}

/* `good` with one passage replaced; static. */
static const char *with(const char *passage, const char *other)
{
        static char text[8192];
        const char *at = strstr(good, passage);

        if (!at)
                print_error("not in the text: %s\n", passage);
        assert_non_null(at);
        snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - good), good, other,
                 at + strlen(passage));
        return text;
}

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

/* --- what is said -------------------------------------------------------------------------- */

static void is_built(const char *text, enum card_command command, const struct apdu_values *values,
                     const char *wanted)
{
        static struct card_profile profile;
        char found[2 * APDU_MAX + 1], joined[2 * APDU_MAX + 1];
        struct apdu apdu;
        size_t count = 0;

        parse_good(text, &profile);
        apdu_build(&profile, command, 0, values, &apdu);
        for (; *wanted; wanted++)
                if (!isspace((unsigned char)*wanted))
                        joined[count++] = *wanted;
        joined[count] = '\0';
        assert_string_equal(hex_encode(apdu.bytes, apdu.length, found), joined);
}

static void a_template_becomes_bytes(void **state)
{
        static const char select[] = "00A40400{aid}";
        struct hsm_program program = { .key = "sixteen key byte",
                                       .nonce = "twelve nonce",
                                       .maximum = 0x01020304,
                                       .firmware_id = "B",
                                       .is_personalized = true,
                                       .personalization = { "45002001", "SFI", 1, 0x0A0B0C0D } };
        const struct apdu_values values = { .program = &program };

        (void)state;
        is_built(good, CARD_SELECT, NULL, "00A40400 05 F001020304");
        is_built(with(select, "00 a4 04 00"), CARD_SELECT, NULL, "00A40400");
        is_built(with(select, "00A40400 le"), CARD_SELECT, NULL, "00A4040000");
        is_built(with(select, "00A40400 le 20"), CARD_SELECT, NULL, "00A4040020");
        is_built(with(select, "00A40400 4F05{aid}00 le 20"), CARD_SELECT, NULL,
                 "00A40400 08 4F05 F001020304 00 20");
        is_built(good, CARD_PERSONALIZE, &values,
                 "80300ABC 4D 7477656C7665206E6F6E6365 7369787465656E206B65792062797465 7F 04030201"
                 "42000000000000000000000000000000 00000000000000000000000000000000"
                 "3435303032303031 5346492E");
        program.is_personalized = false;
        is_built(good, CARD_PERSONALIZE, &values,
                 "80300ABC 41 7477656C7665206E6F6E6365 7369787465656E206B65792062797465 7F 04030201"
                 "42000000000000000000000000000000 00000000000000000000000000000000");
}

/* --- what is read -------------------------------------------------------------------------- */

/* A good answer to `good`'s info. */
static void fill(uint8_t answer[static 42])
{
        memset(answer, 0xEE, 42); /* in the gaps anything may stand */
        answer[0] = 0x0F;
        answer[1] = '2';
        memcpy(answer + 2, "\x10\x27\x00", 3);
        memcpy(answer + 5, "SFI", 3);
        memcpy(answer + 8, "BLINKY 1\0\0\0\0", 12);
        memcpy(answer + 20, "\x01\x23\xCD\xEF", 4);
        memcpy(answer + 30, "\x9F\x7F", 2);
        memcpy(answer + 40, "\x90\x00", 2);
}

static int read_info(const struct card_profile *profile, const uint8_t *answer, size_t length,
                     struct hsm_info *ret_info)
{
        struct apdu_facts facts = { 0 };
        int r = apdu_read(profile, CARD_INFO, 0, answer, length, &facts);

        if (r >= 0)
                r = apdu_check_info(profile, &facts.info);
        *ret_info = facts.info;
        return r;
}

static void every_way_of_writing_is_read(void **state)
{
        static struct card_profile profile;
        uint8_t answer[42];
        struct hsm_info info;

        (void)state;
        parse_good(good, &profile);
        fill(answer);
        assert_int_equal(read_info(&profile, answer, 42, &info), 0);
        assert_int_equal(info.state, HSM_STATE_OPERATIONAL);
        assert_int_equal(info.version, 2);
        assert_int_equal(info.counter, 10000);
        assert_int_equal(info.maximum, 0); /* not told, and so not above */
        assert_string_equal(info.type, "SFI");
        assert_string_equal(info.firmware_id, "BLINKY 1");
        assert_string_equal(info.serial, "0123CDEF");
        answer[0] = 0x07;
        answer[7] = ' ';
        assert_int_equal(read_info(&profile, answer, 42, &info), 0);
        assert_int_equal(info.state, HSM_STATE_OEM);
        assert_string_equal(info.type, "SF");
        answer[0] = 0x00;
        assert_int_equal(read_info(&profile, answer, 42, &info), 0);
        assert_int_equal(info.state, HSM_STATE_UNKNOWN);
        fill(answer);
        parse_good(with("length = 3; as = \"little\"", "length = 3; as = \"big\""), &profile);
        assert_int_equal(read_info(&profile, answer, 42, &info), 0);
        assert_int_equal(info.counter, 0x102700);
        parse_good(with("length = 3; as = \"little\"", "length = 3; as = \"decimal\""), &profile);
        assert_fault(read_info(&profile, answer, 42, &info), CARD_DEAD, "its counter is no number");
        memcpy(answer + 2, "042", 3);
        assert_int_equal(read_info(&profile, answer, 42, &info), 0);
        assert_int_equal(info.counter, 42);
        parse_good(with("offset = 5; length = 3; as = \"text\"; pad = 0x20",
                        "offset = 5; length = 1; as = \"values\"; values = ( { bytes = \"53\"; "
                        "means = \"SSP\"; } )"),
                   &profile);
        assert_int_equal(read_info(&profile, answer, 42, &info), 0);
        assert_string_equal(info.type, "SSP");
        answer[5]++;
        assert_fault(read_info(&profile, answer, 42, &info), CARD_DEAD, "its type is not a known");
        parse_good(with("offset = 1; length = 1; as = \"decimal\"",
                        "offset = 1; length = 1; as = \"values\"; values = ( { bytes = \"A1\"; "
                        "means = \"1\"; } )"),
                   &profile);
        fill(answer);
        answer[1] = 0xA1;
        assert_int_equal(read_info(&profile, answer, 42, &info), 0);
        assert_int_equal(info.version, 1);
        answer[1] = 0xA2;
        assert_fault(read_info(&profile, answer, 42, &info), CARD_DEAD, "neither 1 nor 2");
}

static void an_answer_against_the_rules_is_not_believed(void **state)
{
        static const struct {
                unsigned offset;
                uint8_t value;
                const char *words;
        } cases[] = {
                { 1, '3', "its version is neither 1 nor 2 (offset 1)" },
                { 1, 0, "its version" },
                { 5, 0, "its type" },
                { 9, 0x1F, "its firmware identifier is not printable text (offset 8)" },
                { 12, 0, "its firmware identifier" }, /* a zero, then more text */
                { 31, 0, "other bytes where the profile has a constant (offset 30)" },
                { 41, 1, "status 9001 (profile has no row for it)" },
        };
        static struct card_profile profile;
        uint8_t answer[258];
        struct hsm_info info;

        (void)state;
        parse_good(good, &profile);
        for (unsigned i = 0; i < LENGTH_OF(cases); i++) {
                fill(answer);
                answer[cases[i].offset] = cases[i].value;
                assert_fault(read_info(&profile, answer, 42, &info), CARD_DEAD, cases[i].words);
                assert_string_equal(info.serial, ""); /* all or nothing */
        }
        for (size_t length = 0; length <= sizeof(answer); length++) {
                fill(answer);
                if (length == 42)
                        continue;
                if (length >= 2)
                        memcpy(answer + length - 2, "\x90\x00", 2);
                assert_int_equal(read_info(&profile, answer, length, &info), -FAULT_CARD_DEAD);
        }
        fill(answer);
        memset(answer + 8, 0, 12);
        assert_fault(read_info(&profile, answer, 42, &info), CARD_DEAD,
                     "operational without a firmware identifier");
}

static void a_status_is_looked_up_in_its_command_then_for_all(void **state)
{
        static const struct {
                uint16_t status;
                enum card_command command;
                enum fault code;
        } cases[] = {
                { 0x6A88, CARD_INFO, FAULT_CARD_REFUSED },    /* its own */
                { 0x6A88, CARD_LICENSE, FAULT_CARD_DEAD },    /* no row */
                { 0x67FF, CARD_LICENSE, FAULT_CARD_REFUSED }, /* x fits all */
                { 0x6800, CARD_LICENSE, FAULT_CARD_DEAD },
                { 0x6800, CARD_SELECT, FAULT_CARD_REFUSED }, /* otherwise */
                { 0x9001, CARD_PERSONALIZE, FAULT_CARD_DEAD },
        };
        static struct card_profile profile;
        struct apdu_facts facts = { 0 };

        (void)state;
        parse_good(good, &profile);
        for (unsigned i = 0; i < LENGTH_OF(cases); i++) {
                uint8_t answer[] = { (uint8_t)(cases[i].status >> 8), (uint8_t)cases[i].status };

                assert_int_equal(apdu_read(&profile, cases[i].command, 0, answer, 2, &facts),
                                 -(int)cases[i].code);
        }
}

/* --- two questions for one answer ---------------------------------------------------------- */

/* As a traced card might: what it is, then how many are left, which a blank one refuses; the
 * license by two commands. */
static const char in_steps[] =
        "name = \"steps\"; source = \"silicon\"; timeout_ms = 1000;\n"
        "status = ( { sw = \"9000\"; means = \"good\"; } );\n"
        "select = { command = \"00 A4 04 00 F0 01 02 03 04\"; length = [ 0, 256 ]; };\n"
        "info = ( { command = \"80 CA 9F 7F le\"; length = 8; fields = (\n"
        "  { name = \"constant\"; offset = 0; bytes = \"9F 7F\"; },\n"
        "  { name = \"serial\"; offset = 2; length = 2; as = \"hex\"; },\n"
        "  { name = \"state\"; offset = 4; length = 1; as = \"values\"; values = (\n"
        "    { bytes = \"01\"; means = \"OEM\"; }, { bytes = \"02\"; means = \"OPERATIONAL\"; } ); "
        "},\n"
        "  { name = \"version\"; offset = 5; length = 1; as = \"big\"; },\n"
        "  { name = \"type\"; offset = 6; length = 1; as = \"values\"; values = (\n"
        "    { bytes = \"01\"; means = \"SFI\"; }, { bytes = \"03\"; means = \"SSP\"; } ); } ); "
        "},\n"
        "  { command = \"80 CA 00 01 le\"; length = [ 2, 4 ];\n"
        "    fields = ( { name = \"counter\"; offset = 0; length = 2; as = \"big\"; } );\n"
        "    status = ( { sw = \"6985\"; means = \"blank\"; } ); },\n"
        "  { command = \"80 CA 00 02 le\"; length = [ 0, 32 ];\n"
        "    fields = ( { name = \"firmware_id\"; offset = 0; as = \"text\"; } ); } );\n"
        "license = ( { command = \"80 20 00 00 {certificate}\";\n"
        "    status = ( { sw = \"61xx\"; means = \"good\"; }, { sw = \"6A88\"; means = \"empty\"; "
        "} );\n"
        "    timeout_ms = 5000; },\n"
        "  { command = \"00 C0 00 00 le 8A\"; length = 138; fields = (\n"
        "    { name = \"constant\"; offset = 0; bytes = \"81 88\"; },\n"
        "    { name = \"license\"; offset = 2; length = 136; as = \"bytes\"; } ); } );\n";

/* A reader that answers by its table and notes what it was asked. */
struct scripted {
        struct reader reader; /* first */
        const struct line {
                uint8_t command[4];
                const char *answer; /* hexadecimal */
        } * lines;
        unsigned asked;
        char license[2 * 140 + 1];
        const struct certificate *certificate;
};

static int scripted_connect(struct reader *reader, uint64_t timeout_ns, uint8_t *ret_atr)
{
        (void)reader;
        (void)timeout_ns;
        memcpy(ret_atr, "\x3B\x00", 2);
        return 2;
}

static int scripted_transmit(struct reader *reader, const void *apdu, size_t length,
                             uint8_t *ret_answer)
{
        struct scripted *script = CONTAINER_OF(reader, struct scripted, reader);
        const struct line *line = &script->lines[script->asked++];
        const uint8_t *bytes = apdu;

        assert_true(length >= 4 && line->answer);
        assert_memory_equal(bytes, line->command, 4);
        if (bytes[1] == 0x20)
                assert_memory_equal(bytes + 5, script->certificate->bytes, CERTIFICATE_LENGTH);
        assert_true(hex_decode(line->answer, ret_answer, strlen(line->answer) / 2));
        return (int)strlen(line->answer) / 2;
}

static void scripted_disconnect(struct reader *reader)
{
        (void)reader;
}

static const struct reader_operations scripted_operations = {
        .connect = scripted_connect,
        .transmit = scripted_transmit,
        .disconnect = scripted_disconnect,
        .close = scripted_disconnect,
};

static int speak_in_steps(void *subject)
{
        static struct card_profile profile;
        static char license_answer[2 * 140 + 1];
        const struct line lines[] = {
                { { 0x00, 0xA4, 4, 0 }, "6F009000" },
                { { 0x80, 0xCA, 0x9F, 0x7F }, "9F7FABCD020203FF9000" },
                { { 0x80, 0xCA, 0, 1 }, "01F400009000" },
                { { 0x80, 0xCA, 0, 2 }, "424C494E4B599000" },
                /* a blank one */
                { { 0x80, 0xCA, 0x9F, 0x7F }, "9F7FABCD010201FF9000" },
                { { 0x80, 0xCA, 0, 1 }, "6985" },
                { { 0x80, 0xCA, 0, 2 }, "9000" },
                /* one that says it is operational and has no counter to tell */
                { { 0x80, 0xCA, 0x9F, 0x7F }, "9F7FABCD020201FF9000" },
                { { 0x80, 0xCA, 0, 1 }, "6985" },
                { { 0x80, 0xCA, 0, 2 }, "9000" },
                /* licenses: whole, at zero, and lost between the two */
                { { 0x80, 0x20, 0, 0 }, "618A" },
                { { 0x00, 0xC0, 0, 0 }, license_answer },
                { { 0x80, 0x20, 0, 0 }, "6A88" },
                { { 0x80, 0x20, 0, 0 }, "618A" },
                { { 0x00, 0xC0, 0, 0 }, "6F00" },
                { { 0x80, 0xCA, 0x9F, 0x7F }, "6D00" },
        };
        struct scripted script = { .reader.operations = &scripted_operations, .lines = lines };
        uint8_t license[LICENSE_LENGTH] = { 0 }, certificate_bytes[CERTIFICATE_LENGTH];
        struct certificate certificate = { 0 };
        struct hsm_info info;

        (void)subject;
        memset(certificate_bytes, 0x5C, sizeof(certificate_bytes));
        memcpy(certificate.bytes, certificate_bytes, sizeof(certificate_bytes));
        script.certificate = &certificate;
        strcpy(license_answer, "8188");
        for (unsigned i = 0; i < LICENSE_LENGTH; i++)
                sprintf(license_answer + 4 + 2 * i, "%02X", i);
        strcat(license_answer, "9000");
        parse_good(in_steps, &profile);
        assert_int_equal(hsm_open(&script.reader, &profile, NS_PER_S), 0);
        assert_int_equal(hsm_info(&script.reader, &profile, &info), 0);
        assert_int_equal(info.state, HSM_STATE_OPERATIONAL);
        assert_int_equal(info.counter, 500);
        assert_string_equal(info.type, "SSP");
        assert_string_equal(info.firmware_id, "BLINKY");
        assert_string_equal(info.serial, "ABCD");
        assert_int_equal(hsm_info(&script.reader, &profile, &info), 0);
        assert_int_equal(info.state, HSM_STATE_OEM);
        assert_int_equal(info.counter, 0);
        assert_string_equal(info.firmware_id, "");
        assert_fault(hsm_info(&script.reader, &profile, &info), CARD_DEAD, "without a firmware");
        assert_int_equal(hsm_license(&script.reader, &profile, &certificate, license), 0);
        for (unsigned i = 0; i < LICENSE_LENGTH; i++)
                assert_int_equal(license[i], i);
        assert_fault(hsm_license(&script.reader, &profile, &certificate, license), CARD_EMPTY,
                     "LICENSE (exchange 1) with status 6A88");
        assert_fault(hsm_license(&script.reader, &profile, &certificate, license), CARD_DEAD,
                     "LICENSE (exchange 2) with status 6F00");
        assert_fault(hsm_info(&script.reader, &profile, &info), CARD_DEAD,
                     "INFO (exchange 1) with status 6D00");
        assert_int_equal(script.asked, LENGTH_OF(lines));
        return 0;
}

static void a_card_of_several_steps_is_described_without_code(void **state)
{
        (void)state;
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, speak_in_steps, NULL), 0);
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
                length += (size_t)sprintf(text + length, ")%s", at + strlen(one));
                if (count <= 3) /* with three of info and two of license: eight */
                        parse_good(text, &profile);
                else
                        assert_fault(card_profile_parse("x", text, length, &profile), BAD_FILE,
                                     "a command has 1 to 4, all together 8");
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
                cmocka_unit_test(a_template_becomes_bytes),
                cmocka_unit_test(every_way_of_writing_is_read),
                cmocka_unit_test(an_answer_against_the_rules_is_not_believed),
                cmocka_unit_test(a_status_is_looked_up_in_its_command_then_for_all),
                cmocka_unit_test(a_card_of_several_steps_is_described_without_code),
                cmocka_unit_test(more_exchanges_than_there_are_places_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
