#include "tests/support/test.h"

#include "station/commands/options.h"

#include <string.h>

enum { KEY_FIRMWARE = OPTIONS_KEYS, KEY_KEY, KEY_JSON };

static const struct option_name names[] = {
        { "firmware", "fir", true, true, KEY_FIRMWARE },
        { "key", "k", true, false, KEY_KEY },
        { "json", NULL, false, false, KEY_JSON },
};

static struct options begin(const char *const *words)
{
        char **argv = (char **)(uintptr_t)words; /* getopt's prototype; it changes nothing here */
        struct options options;
        int argc = 0;

        while (argv[argc])
                argc++;
        options_init(&options, argc, argv, names, LENGTH_OF(names));
        return options;
}

static void assert_next(struct options *options, int key, const char *value)
{
        assert_int_equal(options_next(options), key);
        if (value)
                assert_string_equal(options->value, value);
}

#define WORDS(...)                                                                                 \
        (const char *const[])                                                                      \
        {                                                                                          \
                "command", __VA_ARGS__, NULL                                                       \
        }

static void st_spellings_long_and_short_parse(void **state)
{
        struct options o = begin(WORDS("-fir", "a.hex", "--firmware", "b.hex", "-firmware=c.hex",
                                       "--fir", "d.hex", "-k", "key.bin"));

        (void)state;
        assert_next(&o, KEY_FIRMWARE, "a.hex");
        assert_next(&o, KEY_FIRMWARE, "b.hex");
        assert_next(&o, KEY_FIRMWARE, "c.hex");
        assert_next(&o, KEY_FIRMWARE, "d.hex");
        assert_next(&o, KEY_KEY, "key.bin");
        assert_int_equal(options_next(&o), OPTIONS_END);
        assert_int_equal(options_next(&o), OPTIONS_END);
}

static void an_address_after_a_file_can_be_taken(void **state)
{
        struct options o = begin(WORDS("-fir", "a.bin", "0x08000000", "-fir", "b.hex", "-k", "k"));

        (void)state;
        assert_next(&o, KEY_FIRMWARE, "a.bin");
        assert_string_equal(options_take_word(&o), "0x08000000");
        assert_next(&o, KEY_FIRMWARE, "b.hex");
        assert_null(options_take_word(&o));
        assert_next(&o, KEY_KEY, "k");
        assert_null(options_take_word(&o));
        assert_int_equal(options_next(&o), OPTIONS_END);
}

static void words_come_in_order_and_after_two_dashes(void **state)
{
        struct options o = begin(WORDS("one", "--json", "two", "--", "-k"));

        (void)state;
        assert_next(&o, OPTIONS_POSITION, "one");
        assert_next(&o, KEY_JSON, NULL);
        assert_next(&o, OPTIONS_POSITION, "two");
        assert_next(&o, OPTIONS_POSITION, "-k");
        assert_int_equal(options_next(&o), OPTIONS_END);
}

static void mistakes_are_named(void **state)
{
        struct options o = begin(WORDS("-fri", "x"));

        (void)state;
        assert_fault(options_next(&o), BAD_VALUE, "unknown option -fri; did you mean --fir?");
        o = begin(WORDS("--frimware", "x"));
        assert_fault(options_next(&o), BAD_VALUE, "did you mean --firmware?");
        o = begin(WORDS("-z"));
        assert_fault(options_next(&o), BAD_VALUE, "unknown option -z");
        o = begin(WORDS("--json=3"));
        assert_fault(options_next(&o), BAD_VALUE, "--json=3");
        o = begin(WORDS("-k"));
        assert_fault(options_next(&o), BAD_VALUE, "option -k wants a value");
        o = begin(WORDS("--key"));
        assert_fault(options_next(&o), BAD_VALUE, "option --key wants a value");
        o = begin(WORDS("-k", "a", "--key", "b"));
        assert_next(&o, KEY_KEY, "a");
        assert_fault(options_next(&o), BAD_VALUE, "option --key is given twice");
}

static void numbers_have_any_base_and_a_limit(void **state)
{
        static const struct {
                const char *text;
                uint32_t number;
        } good[] = { { "0", 0 },      { "255", 255 },
                     { "0xfF", 255 }, { "0b101", 5 },
                     { "017", 15 },   { "0X08000000", 0x08000000 },
                     { "00", 0 },     { "4294967295", UINT32_MAX } };
        static const char *const bad[] = { "",   "-1",   "+1",         " 1",
                                           "1 ", "0x",   "0b2",        "08",
                                           "1k", "0x1g", "4294967296", "99999999999999999999999" };
        uint32_t number = 77;

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(good); i++) {
                assert_int_equal(options_number("n", good[i].text, UINT32_MAX, &number), 0);
                assert_int_equal(number, good[i].number);
        }
        number = 77;
        for (size_t i = 0; i < LENGTH_OF(bad); i++) {
                assert_fault(options_number("n", bad[i], UINT32_MAX, &number), BAD_VALUE, "n is ");
                assert_int_equal(number, 77);
        }
        assert_fault(options_number("--ver", "256", 255, &number), BAD_VALUE,
                     "--ver is 256, wanted a number from 0 to 255");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(st_spellings_long_and_short_parse),
                cmocka_unit_test(an_address_after_a_file_can_be_taken),
                cmocka_unit_test(words_come_in_order_and_after_two_dashes),
                cmocka_unit_test(mistakes_are_named),
                cmocka_unit_test(numbers_have_any_base_and_a_limit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
