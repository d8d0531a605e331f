#include "tests/support/test.h"

#include "crypto/obk_recipe.h"

#include <stdio.h>
#include <stdlib.h>

static struct bytes read_file(const char *path)
{
        uint8_t buffer[8192];
        FILE *file = fopen(path, "rb");
        size_t length;

        assert_non_null(file);
        length = fread(buffer, 1, sizeof(buffer), file);
        fclose(file);
        return bytes_copy(buffer, length);
}

/* --- ST's own recipes ---------------------------------------------------------------------- */

static void build_from(const char *path, struct obk_recipe **ret_recipe, struct bytes *ret_file)
{
        struct bytes xml = read_file(path), contents[16] = { { 0 } };

        assert_int_equal(obk_recipe_parse(path, xml.data, xml.length, ret_recipe), 0);
        assert_in_range((*ret_recipe)->count, 1, 16);
        for (size_t i = 0; i < (*ret_recipe)->count; i++) {
                const struct recipe_item *item = &(*ret_recipe)->items[i];
                char key[512];

                if (item->kind != RECIPE_FILE)
                        continue;
                assert_int_equal(obk_recipe_path(path, item->value, sizeof(key), key), 0);
                contents[i] = read_file(key);
        }
        assert_int_equal(obk_recipe_build(*ret_recipe, contents, ret_file), 0);
        for (size_t i = 0; i < (*ret_recipe)->count; i++)
                bytes_free(&contents[i]);
        bytes_free(&xml);
}

static void st_recipes_give_st_files_byte_for_byte(void **state)
{
        static const char *const recipes[] = {
                "obk/DA/Config/DA_Config.xml",
                "obk/DA/Config/DA_ConfigWithPassword.xml",
                "obk/OEMiROT/Config/OEMiROT_Config.xml",
        };

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(recipes); i++) {
                struct obk_recipe *recipe;
                struct bytes file, wanted;
                char path[512], output[512];

                snprintf(path, sizeof(path), "%s", test_data(recipes[i]));
                build_from(path, &recipe, &file);
                assert_int_equal(obk_recipe_path(path, recipe->output, sizeof(output), output), 0);
                wanted = read_file(output);
                assert_int_equal(file.length, wanted.length);
                assert_memory_equal(file.data, wanted.data, wanted.length);
                bytes_free(&wanted);
                bytes_free(&file);
                obk_recipe_free(recipe);
        }
}

static void the_password_file_is_sts(void **state)
{
        struct obk_recipe *recipe;
        struct bytes file, password, wanted;
        char path[512];

        (void)state;
        snprintf(path, sizeof(path), "%s", test_data("obk/DA/Config/DA_ConfigWithPassword.xml"));
        build_from(path, &recipe, &file);
        assert_string_equal(obk_recipe_password(recipe), "0123456789012345");
        password = obk_password_file(obk_recipe_password(recipe));
        wanted = read_file(test_data("obk/DA/Binary/password.bin"));
        assert_int_equal(password.length, wanted.length);
        assert_memory_equal(password.data, wanted.data, wanted.length);
        bytes_free(&wanted);
        bytes_free(&password);
        bytes_free(&file);
        obk_recipe_free(recipe);
}

/* --- recipes of our own -------------------------------------------------------------------- */

#define INFO                                                                                       \
        "<Info><Title>t</Title><ObDestAddress>0x108</ObDestAddress>"                               \
        "<DoEncryption>1</DoEncryption><GlobalAlign>16</GlobalAlign></Info>"
#define OUTPUT       "<Output><Name>o</Name><Value>o.obk</Value></Output>"
#define ROOT(inside) "<Root><Obdata>" inside "</Obdata></Root>"
#define DATA(value, width)                                                                         \
        "<Data><Name>d</Name><Value>" value "</Value><Width>" width "</Width></Data>"

static int parse(const char *text, struct obk_recipe **ret_recipe)
{
        return obk_recipe_parse("r.xml", text, strlen(text), ret_recipe);
}

/* Hexadecimal of the payload the recipe makes; no files. */
static char *payload_of(const char *text)
{
        static char hex[1024];
        const struct bytes none[16] = { { 0 } };
        struct obk_recipe *recipe;
        struct bytes file;
        size_t head;

        assert_int_equal(parse(text, &recipe), 0);
        assert_int_equal(obk_recipe_build(recipe, none, &file), 0);
        head = recipe->has_destination ? OBK_HEADER_LENGTH : 0;
        assert_true(file.length - head < sizeof(hex) / 2);
        hex_encode(file.data + head, file.length - head, hex);
        bytes_free(&file);
        obk_recipe_free(recipe);
        return hex;
}

static void numbers_are_little_endian_of_their_width(void **state)
{
        (void)state;
        assert_string_equal(payload_of(ROOT(INFO DATA("0x01020304", "4") DATA("218", "1")
                                                    DATA("0x0", "3") DATA(" 0XaB ", "2") OUTPUT)),
                            "04030201DA000000AB00000000000000");
}

static void a_list_and_a_bool_take_one_of_their_choices(void **state)
{
        (void)state;
        assert_string_equal(
                payload_of(ROOT(
                        INFO
                        "<List><Name>l</Name><Value>0x2</Value><Width>1</Width>"
                        "<Val>0x00, none</Val><Val>0x02,two</Val></List>"
                        "<Bool><Name>b</Name><Value>0xC3</Value><Width>1</Width>"
                        "<True>0x0</True><False>0xC3</False><Hidden>1</Hidden></Bool>" OUTPUT)),
                "02C30000000000000000000000000000");
}

/* The digest of 01 and 15 times 00, by sha256sum(1). */
static void the_hash_covers_the_padding(void **state)
{
        (void)state;
        assert_string_equal(payload_of(ROOT(INFO "<Hash></Hash>" DATA("1", "1") OUTPUT)),
                            "4CBBD8CA5215B8D161AEC181A74B694F4E24B001D5B081DC0030ED797A8973E0"
                            "01000000000000000000000000000000");
}

static void without_destination_there_is_no_header(void **state)
{
        (void)state;
        assert_string_equal(
                payload_of(ROOT("<Info><GlobalAlign>1</GlobalAlign></Info>" DATA("5", "2") OUTPUT)),
                "0500");
}

static void a_binary_file_goes_in_as_it_is(void **state)
{
        struct bytes contents = bytes_copy("\x01\x02\x03", 3), file;
        struct obk_recipe *recipe;

        (void)state;
        assert_int_equal(parse(ROOT(INFO "<File><Name>f</Name><Value>f.bin</Value><Align>4</Align>"
                                         "<KeyType>ecdsa-p256</KeyType><Type/></File>" OUTPUT),
                               &recipe),
                         0);
        assert_int_equal(obk_recipe_build(recipe, &contents, &file), 0);
        assert_int_equal(file.length, OBK_HEADER_LENGTH + 16);
        assert_memory_equal(file.data + OBK_HEADER_LENGTH, "\x01\x02\x03\0\0", 5);
        bytes_free(&file);
        bytes_free(&contents);
        obk_recipe_free(recipe);
}

static void what_is_not_known_is_refused_by_name_and_line(void **state)
{
        static const struct {
                const char *text, *reason;
        } cases[] = {
                { "", "line 1: no element found" },
                { "<Root>", "line 1: no element found" },
                { "<Other/>", "the outermost element is Other" },
                { ROOT(""), "no Info" },
                { ROOT(INFO DATA("1", "1")), "no Output" },
                { ROOT(INFO OUTPUT), "nothing to put into the file" },
                { "<Root><McubootFormat/></Root>", "it is an image recipe" },
                { "<Root><Obdata>\n\n<Surprise/></Obdata></Root>",
                  "line 3: element Surprise is not known below Obdata" },
                { ROOT("<Info>\n<Endian>big</Endian></Info>"),
                  "line 2: element Endian is not known in Info" },
                { ROOT(INFO "<Data><Align>4</Align></Data>"),
                  "element Align is not known in Data" },
                { ROOT("<Info><Title><b/></Title></Info>"), "element b is nested deeper than 4" },
                { ROOT("<Info kind='x'/>"), "attribute kind of Info" },
                { ROOT("stray"), "text between elements" },
                { ROOT(INFO INFO), "a second Info" },
                { ROOT(INFO "<Hash/><Hash/>"), "a second Hash" },
                { ROOT(INFO DATA("1", "1") "<Hash/>"), "Hash stands after Data" },
                { ROOT(INFO OUTPUT OUTPUT), "a second Output" },
                { ROOT(INFO "<Data><Name>a</Name><Name>b</Name></Data>"), "a second Name in Data" },
                { "<!DOCTYPE Root [<!ENTITY a 'b'>]>" ROOT(INFO), "a document type (DTD)" },
                { ROOT(INFO DATA("&a;", "1") OUTPUT), "undefined entity" },
        };
        struct obk_recipe *recipe = NULL;

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(cases); i++)
                assert_fault(parse(cases[i].text, &recipe), BAD_FILE, cases[i].reason);
        assert_null(recipe);
}

static void values_that_do_not_fit_are_refused(void **state)
{
        static const struct {
                const char *text, *reason;
        } cases[] = {
                { ROOT(INFO DATA("256", "1") OUTPUT), "256 of Data 'd' is no number of 1 bytes" },
                { ROOT(INFO DATA("010", "1") OUTPUT), "010 of Data" }, /* ten or eight? */
                { ROOT(INFO DATA("0x", "1") OUTPUT), "0x of Data" },
                { ROOT(INFO DATA("-1", "1") OUTPUT), "-1 of Data" },
                { ROOT(INFO DATA("1", "65") OUTPUT), "Width is 65" },
                { ROOT(INFO DATA("1", "0") OUTPUT), "Width is 0" },
                { ROOT(INFO DATA("", "1") OUTPUT), "Data has no Value" },
                { ROOT(INFO "<Data><Value>1</Value></Data>"), "Data has no Width" },
                { ROOT(INFO "<List><Name>l</Name><Value>3</Value><Width>1</Width>"
                            "<Val>1,one</Val><Val>2</Val></List>"),
                  "3 of List 'l' is none of its 2 choices" },
                { ROOT(INFO "<List><Val>one</Val></List>"), "the choice one" },
                { ROOT("<Info><GlobalAlign>0</GlobalAlign></Info>"), "GlobalAlign is 0" },
                { ROOT("<Info><ObDestAddress>0x100000000</ObDestAddress>"
                       "<GlobalAlign>1</GlobalAlign></Info>"),
                  "ObDestAddress is 0x100000000" },
                { ROOT("<Info><ObDestAddress>1</ObDestAddress><DoEncryption>2</DoEncryption>"
                       "<GlobalAlign>1</GlobalAlign></Info>"),
                  "DoEncryption is 2" },
                { ROOT("<Info><ObDestAddress>1</ObDestAddress>"
                       "<GlobalAlign>1</GlobalAlign></Info>"),
                  "Info has no DoEncryption" },
                { ROOT(INFO "<File><Value>f</Value><Align>1</Align><KeyType>rsa</KeyType></File>"),
                  "KeyType is rsa" },
                { ROOT(INFO "<File><Value>f</Value><Align>1</Align><Type>Private</Type></File>"),
                  "Type is Private" },
                { ROOT(INFO "<DA/><Permission><Value>1</Value><Width>8</Width></Permission>"),
                  "Width of Permission is 8" },
                { ROOT(INFO "<DA/><Text><Name>p</Name><Value>abc</Value><MinWidth>4</MinWidth>"
                            "<Width>16</Width></Text>"),
                  "p has 3 characters, wanted 4 to 16" },
        };
        struct obk_recipe *recipe = NULL;

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(cases); i++)
                assert_fault(parse(cases[i].text, &recipe), BAD_VALUE, cases[i].reason);
}

static void debug_authentication_has_rules_of_its_own(void **state)
{
#define TEXT "<Text><Name>p</Name><Value>abcd</Value><Width>16</Width></Text>"
        static const struct {
                const char *text, *reason;
        } cases[] = {
                { ROOT(INFO TEXT), "Text is known in debug authentication only" },
                { ROOT(INFO "<Permission><Value>1</Value><Width>4</Width></Permission>"),
                  "Permission is known in debug authentication only" },
                { ROOT(INFO "<DA/>" TEXT OUTPUT), "wants Hash and ObDestAddress" },
                { ROOT(INFO "<Hash/><DA/>" DATA("1", "4") TEXT OUTPUT), "and that first" },
                { ROOT(INFO "<Hash/><DA/>" TEXT TEXT OUTPUT), "one root key or password" },
        };
        const struct bytes none[4] = { { 0 } };
        struct obk_recipe *recipe = NULL;
        struct bytes file;

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(cases); i++)
                assert_fault(parse(cases[i].text, &recipe), BAD_FILE, cases[i].reason);
        assert_int_equal(parse(ROOT(INFO "<Hash/><DA/>" TEXT DATA("1", "33") OUTPUT), &recipe), 0);
        assert_fault(obk_recipe_build(recipe, none, &file), BAD_VALUE, "has 65 bytes");
        obk_recipe_free(recipe);
}

static void key_files_must_be_what_the_recipe_says(void **state)
{
#define KEY(type)                                                                                  \
        "<File><Name>k</Name><Value>k.pem</Value><Align>1</Align><Type>" type "</Type></File>"
        struct bytes binary = bytes_copy("\x01", 1), junk, file;
        struct obk_recipe *recipe;

        (void)state;
        junk = bytes_copy("-----BEGIN X-----\n", 18);
        assert_int_equal(parse(ROOT(INFO KEY("Public") OUTPUT), &recipe), 0);
        assert_fault(obk_recipe_build(recipe, &binary, &file), BAD_FILE,
                     "line 1: File 'k': k.pem has no PEM block");
        assert_fault(obk_recipe_build(recipe, &junk, &file), BAD_FILE, "no readable key");
        obk_recipe_free(recipe);
        assert_int_equal(parse(ROOT(INFO "<Hash/><DA/>" KEY("") OUTPUT), &recipe), 0);
        assert_fault(obk_recipe_build(recipe, &binary, &file), BAD_FILE, "no PEM block");
        assert_fault(obk_recipe_build(recipe, &junk, &file), BAD_FILE, "empty Type");
        obk_recipe_free(recipe);
        bytes_free(&binary);
        bytes_free(&junk);
}

static void a_payload_has_a_limit(void **state)
{
        struct bytes contents[2] = { bytes_new(OBK_PAYLOAD_MAX), bytes_new(1) }, file;
        struct obk_recipe *recipe;

        (void)state;
        assert_int_equal(parse(ROOT(INFO KEY("") KEY("") OUTPUT), &recipe), 0);
        assert_fault(obk_recipe_build(recipe, contents, &file), BAD_VALUE, "exceeds 65536 bytes");
        obk_recipe_free(recipe);
        bytes_free(&contents[0]);
        bytes_free(&contents[1]);
}

static void documents_have_limits(void **state)
{
        char *text = malloc(RECIPE_FILE_MAX + 1);
        struct obk_recipe *recipe;
        size_t length = 0;

        (void)state;
        assert_non_null(text);
        memset(text, ' ', RECIPE_FILE_MAX + 1);
        assert_fault(obk_recipe_parse("r", text, RECIPE_FILE_MAX + 1, &recipe), BAD_FILE,
                     "at most 262144");
        length += (size_t)sprintf(text + length, "<Root><Obdata>" INFO);
        for (unsigned i = 0; i < RECIPE_ITEMS_MAX + 1; i++)
                length += (size_t)sprintf(text + length, DATA("1", "1"));
        assert_fault(obk_recipe_parse("r", text, length, &recipe), BAD_FILE, "more than 256 items");
        length = (size_t)sprintf(text, "<Root><Obdata><Info><Title>");
        memset(text + length, 'x', 9000);
        assert_fault(obk_recipe_parse("r", text, length + 9000, &recipe), BAD_FILE,
                     "a text of more than 8192 bytes");
        free(text);
}

static void paths_are_relative_to_the_recipe(void **state)
{
        char path[32];

        (void)state;
        assert_int_equal(obk_recipe_path("a/b.xml", ".\\..\\c\\d.obk", sizeof(path), path), 0);
        assert_string_equal(path, "a/./../c/d.obk");
        assert_int_equal(obk_recipe_path("b.xml", "c.obk", sizeof(path), path), 0);
        assert_string_equal(path, "c.obk");
        assert_int_equal(obk_recipe_path("a/b.xml", "/c.obk", sizeof(path), path), 0);
        assert_string_equal(path, "/c.obk");
        assert_fault(obk_recipe_path("a/b.xml", "C:\\c.obk", sizeof(path), path), BAD_VALUE,
                     "a path of a Windows drive");
        assert_fault(
                obk_recipe_path("a/b.xml", "123456789012345678901234567890", sizeof(path), path),
                BAD_VALUE, "longer than 31");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(numbers_are_little_endian_of_their_width),
                cmocka_unit_test(a_list_and_a_bool_take_one_of_their_choices),
                cmocka_unit_test(the_hash_covers_the_padding),
                cmocka_unit_test(without_destination_there_is_no_header),
                cmocka_unit_test(a_binary_file_goes_in_as_it_is),
                cmocka_unit_test(what_is_not_known_is_refused_by_name_and_line),
                cmocka_unit_test(values_that_do_not_fit_are_refused),
                cmocka_unit_test(debug_authentication_has_rules_of_its_own),
                cmocka_unit_test(key_files_must_be_what_the_recipe_says),
                cmocka_unit_test(a_payload_has_a_limit),
                cmocka_unit_test(documents_have_limits),
                cmocka_unit_test(paths_are_relative_to_the_recipe),
                cmocka_unit_test(st_recipes_give_st_files_byte_for_byte),
                cmocka_unit_test(the_password_file_is_sts),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
