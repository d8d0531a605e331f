#include "tests/support/test.h"

#include "station/commands/options.h"

#include <string.h>

#define WORDS(...)                                                                                 \
        (const char *const[])                                                                      \
        {                                                                                          \
                "command", __VA_ARGS__, NULL                                                       \
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

/* --- rows ---------------------------------------------------------------------------------- */

#define PAIRS_MAX 4u
#define BOARDS    3u

/* Everything a row can be bound to. */
struct answer {
        const char *recipe, *key, *output, *boards[BOARDS];
        size_t board_count;
        uint32_t version, interval;
        bool has_version, is_json;
        struct {
                const char *file, *address;
        } pairs[PAIRS_MAX];
        size_t pair_count;
        const char *slot;
};

static int read_rows(const char *const *words, const struct argument *arguments, size_t count)
{
        char **argv = (char **)(uintptr_t)words; /* getopt's prototype; it changes nothing here */
        int argc = 0;

        while (argv[argc])
                argc++;
        return options_read(argc, argv, arguments, count);
}

static int take_pair(void *context, struct options *options)
{
        struct answer *answer = context;

        if (answer->pair_count == PAIRS_MAX)
                return fault(FAULT_BAD_VALUE, "more than %u pairs", PAIRS_MAX);
        answer->pairs[answer->pair_count].file = options->value;
        answer->pairs[answer->pair_count++].address = options_take_word(options);
        return 1;
}

static int take_slot(void *context, struct options *options)
{
        struct answer *answer = context;

        if (strncmp(options->value, "slot=", 5) != 0)
                return 0;
        if (!options->value[5])
                return fault(FAULT_BAD_VALUE, "which slot?");
        answer->slot = options->value + 5;
        return 1;
}

static int read_answer(const char *const *words, struct answer *answer)
{
        const struct argument arguments[] = {
                { .take = take_slot, .context = answer },
                { .what = "recipe", .text = &answer->recipe, .needed = "RECIPE.xml" },
                { "key", "k", .text = &answer->key, .needed = "-k FILE" },
                { "outfile", "o", .text = &answer->output, .what = "output", .needed = "-o FILE" },
                { "ver", "v", .number = &answer->version, .most = UINT8_MAX,
                  .flag = &answer->has_version },
                { "interval", .number = &answer->interval, .least = 50, .most = 60000 },
                { "firmware", "fir", .take = take_pair, .context = answer, .is_repeatable = true },
                { "json", .flag = &answer->is_json },
        };

        *answer = (struct answer){ .interval = 250 };
        return read_rows(words, arguments, LENGTH_OF(arguments));
}

#define NEEDED "r.xml", "-k", "k.bin", "-o", "out.bin"

static void each_value_goes_where_its_row_says(void **state)
{
        struct answer answer;

        (void)state;
        assert_int_equal(read_answer(WORDS("-k", "k.bin", "--json", "r.xml", "-v", "0x10",
                                           "--interval", "50", "-o", "out.bin"),
                                     &answer),
                         0);
        assert_string_equal(answer.recipe, "r.xml");
        assert_string_equal(answer.key, "k.bin");
        assert_string_equal(answer.output, "out.bin");
        assert_int_equal(answer.version, 16);
        assert_int_equal(answer.interval, 50);
        assert_true(answer.is_json && answer.has_version);
}

static void st_spellings_long_and_short_parse(void **state)
{
        static const char *const files[] = { "a.hex", "b.hex", "c.hex", "d.hex" };
        struct answer answer;

        (void)state;
        assert_int_equal(read_answer(WORDS(NEEDED, "-fir", "a.hex", "--firmware", "b.hex",
                                           "-firmware=c.hex", "--fir", "d.hex"),
                                     &answer),
                         0);
        assert_int_equal(answer.pair_count, LENGTH_OF(files));
        for (size_t i = 0; i < LENGTH_OF(files); i++)
                assert_string_equal(answer.pairs[i].file, files[i]);
        assert_string_equal(answer.key, "k.bin");
}

static void what_is_not_given_keeps_its_default(void **state)
{
        struct answer answer;

        (void)state;
        assert_int_equal(read_answer(WORDS(NEEDED), &answer), 0);
        assert_int_equal(answer.interval, 250);
        assert_false(answer.is_json || answer.has_version);
        assert_int_equal(answer.pair_count, 0);
}

static void a_row_with_a_function_reads_what_follows(void **state)
{
        struct answer answer;

        (void)state;
        assert_int_equal(read_answer(WORDS("-fir", "a.bin", "0x08000000", "-fir", "b.hex", "-k",
                                           "k.bin", "-o", "out.bin", "r.xml"),
                                     &answer),
                         0);
        assert_int_equal(answer.pair_count, 2);
        assert_string_equal(answer.pairs[0].file, "a.bin");
        assert_string_equal(answer.pairs[0].address, "0x08000000");
        assert_string_equal(answer.pairs[1].file, "b.hex");
        assert_null(answer.pairs[1].address);
        assert_string_equal(answer.recipe, "r.xml");
}

static void a_word_that_is_not_the_functions_goes_to_the_next_row(void **state)
{
        struct answer answer;

        (void)state;
        assert_int_equal(read_answer(WORDS("slot=2", NEEDED), &answer), 0);
        assert_string_equal(answer.slot, "2");
        assert_string_equal(answer.recipe, "r.xml");
        assert_fault(read_answer(WORDS(NEEDED, "slot="), &answer), BAD_VALUE, "which slot?");
}

static void each_mistake_in_a_row_is_named(void **state)
{
        struct answer answer;

        (void)state;
        assert_fault(read_answer(WORDS("--frimware", "x"), &answer), BAD_VALUE,
                     "unknown option --frimware; did you mean --firmware?");
        assert_fault(read_answer(WORDS("-fri", "x"), &answer), BAD_VALUE,
                     "unknown option -fri; did you mean --fir?");
        assert_fault(read_answer(WORDS("-z"), &answer), BAD_VALUE,
                     "unknown option -z; --help lists what there is");
        assert_fault(read_answer(WORDS("--key"), &answer), BAD_VALUE, "option --key wants a value");
        assert_fault(read_answer(WORDS("-k"), &answer), BAD_VALUE, "option -k wants a value");
        assert_fault(read_answer(WORDS("-k", "a", "--key", "b"), &answer), BAD_VALUE,
                     "option --key is given twice");
        assert_fault(read_answer(WORDS("--json", "--json"), &answer), BAD_VALUE,
                     "option --json is given twice");
        assert_fault(read_answer(WORDS(NEEDED, "-v"), &answer), BAD_VALUE,
                     "option -v wants a value");
        assert_fault(read_answer(WORDS("--json=3"), &answer), BAD_VALUE, "--json=3");
        assert_fault(read_answer(WORDS("-v", "256"), &answer), BAD_VALUE,
                     "--ver is 256, wanted a number from 0 to 255 (0xFF)");
        assert_fault(read_answer(WORDS("-v", "one"), &answer), BAD_VALUE, "--ver is one, wanted");
        assert_fault(read_answer(WORDS("--interval", "49"), &answer), BAD_VALUE,
                     "--interval is 49, wanted a number from 50 to 60000");
        assert_int_equal(answer.interval, 250);
        assert_fault(
                read_answer(WORDS("-fir", "a", "-fir", "b", "-fir", "c", "-fir", "d", "-fir", "e"),
                            &answer),
                BAD_VALUE, "more than 4 pairs");
}

static void what_is_needed_is_asked_for_in_one_sentence(void **state)
{
        struct answer answer;

        (void)state;
        assert_fault(read_answer(WORDS("--json"), &answer), BAD_VALUE,
                     "recipe, key and output are needed: give RECIPE.xml -k FILE -o FILE");
        assert_fault(read_answer(WORDS("r.xml"), &answer), BAD_VALUE,
                     "key and output are needed: give -k FILE -o FILE");
        assert_fault(read_answer(WORDS("r.xml", "-k", "k"), &answer), BAD_VALUE,
                     "no output: give -o FILE");
        assert_fault(read_answer(WORDS("-k", "k", "-o", "o"), &answer), BAD_VALUE,
                     "no recipe given");
}

static int read_boards(const char *const *words, struct answer *answer)
{
        const struct argument arguments[] = {
                { .what = "board",
                  .text = answer->boards,
                  .most = BOARDS,
                  .count = &answer->board_count },
                { "json", .flag = &answer->is_json },
        };

        *answer = (struct answer){ 0 };
        return read_rows(words, arguments, LENGTH_OF(arguments));
}

static void words_are_as_many_as_their_row_has_room_for(void **state)
{
        struct answer answer;

        (void)state;
        assert_fault(read_answer(WORDS(NEEDED, "s.xml"), &answer), BAD_VALUE,
                     "one recipe at a time, not s.xml too");
        assert_int_equal(read_boards(WORDS("a", "--json", "b", "--", "-k"), &answer), 0);
        assert_true(answer.is_json);
        assert_int_equal(answer.board_count, 3);
        assert_string_equal(answer.boards[0], "a");
        assert_string_equal(answer.boards[1], "b");
        assert_string_equal(answer.boards[2], "-k");
        assert_fault(read_boards(WORDS("a", "b", "c", "d"), &answer), BAD_VALUE,
                     "3 boards at a time, not d too");
}

static void a_command_without_words_says_what_to_do_instead(void **state)
{
        const struct argument plain[] = { { "json", .flag = &(bool){ false } } };
        const struct argument told[] = { { .instead = "the file is given with -o" } };

        (void)state;
        assert_int_equal(read_rows(WORDS("--json"), plain, LENGTH_OF(plain)), 0);
        assert_fault(read_rows(WORDS("a.bin"), plain, LENGTH_OF(plain)), BAD_VALUE,
                     "a.bin is not expected here");
        assert_fault(read_rows(WORDS("a.bin"), told, LENGTH_OF(told)), BAD_VALUE,
                     "a.bin: the file is given with -o");
        assert_fault(read_rows(WORDS("-o"), told, LENGTH_OF(told)), BAD_VALUE, "unknown option -o");
}

static int read_key(const char *const *words, const char **ret_key)
{
        const struct argument arguments[] = {
                { "key", "k", .text = ret_key },
                { .what = "key", .text = ret_key, .needed = "KEY" },
        };

        *ret_key = NULL;
        return read_rows(words, arguments, LENGTH_OF(arguments));
}

static void two_rows_of_one_place_are_two_ways_to_say_it(void **state)
{
        const char *key;

        (void)state;
        assert_int_equal(read_key(WORDS("a.bin"), &key), 0);
        assert_string_equal(key, "a.bin");
        assert_int_equal(read_key(WORDS("-k", "b.bin"), &key), 0);
        assert_string_equal(key, "b.bin");
        assert_fault(read_key(WORDS("-k", "a.bin", "b.bin"), &key), BAD_VALUE,
                     "one key at a time, not b.bin too");
        assert_fault(read_key(WORDS("a.bin", "-k", "b.bin"), &key), BAD_VALUE,
                     "one key at a time, not b.bin too");
        assert_fault(read_key(WORDS("--"), &key), BAD_VALUE, "no key given");
}

static void one_file_and_json_are_a_call(void **state)
{
        char *two[] = { (char *)(uintptr_t) "command", (char *)(uintptr_t) "a", NULL };
        const char *path = "before";
        bool is_json = true;

        (void)state;
        assert_int_equal(options_one_file(2, two, &path, &is_json), 0);
        assert_string_equal(path, "a");
        assert_false(is_json);
        assert_fault(options_one_file(1, two, &path, &is_json), BAD_VALUE, "no file given");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(numbers_have_any_base_and_a_limit),
                cmocka_unit_test(each_value_goes_where_its_row_says),
                cmocka_unit_test(st_spellings_long_and_short_parse),
                cmocka_unit_test(what_is_not_given_keeps_its_default),
                cmocka_unit_test(a_row_with_a_function_reads_what_follows),
                cmocka_unit_test(a_word_that_is_not_the_functions_goes_to_the_next_row),
                cmocka_unit_test(each_mistake_in_a_row_is_named),
                cmocka_unit_test(what_is_needed_is_asked_for_in_one_sentence),
                cmocka_unit_test(words_are_as_many_as_their_row_has_room_for),
                cmocka_unit_test(a_command_without_words_says_what_to_do_instead),
                cmocka_unit_test(two_rows_of_one_place_are_two_ways_to_say_it),
                cmocka_unit_test(one_file_and_json_are_a_call),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
