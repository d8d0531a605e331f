/*
 * Words of a connection as ST's scripts have them; what is not done is refused with its reason.
 */
#include "tests/support/test.h"

#include "station/commands/target_choice.h"
#include "station/commands/target_spelling.h"

#include <stdio.h>
#include <string.h>

static struct target_choice choice;

/* Up to three words, as a command with no words of its own reads them. */
static int take_words(const char *first, const char *second, const char *third)
{
        const char *words[] = { "target", first, second, third, NULL };
        char **argv = (char **)(uintptr_t)words; /* getopt's prototype; it changes nothing here */
        const struct argument arguments[] = { TARGET_ARGUMENTS(&choice) };
        int argc = 0;

        while (argv[argc])
                argc++;
        choice = (struct target_choice)TARGET_CHOICE;
        return options_read(argc, argv, arguments, LENGTH_OF(arguments));
}

static int take(const char *word)
{
        return take_words("-c", word, NULL);
}

static void hotplug_over_swd_is_taken_in_any_case_of_letters(void **state)
{
        (void)state;
        assert_int_equal(take("port=SWD"), 0);
        assert_int_equal(take("port=swd"), 0);
        assert_int_equal(take("mode=HOTPLUG"), 0);
        assert_int_equal(take("Mode=Hotplug"), 0);
}

static void a_reset_at_connect_is_refused_with_its_section(void **state)
{
        static const char *const modes[] = { "mode=UR", "mode=NORMAL", "mode=POWERDOWN",
                                             "mode=HWRSTPULSE", "mode=" };

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(modes); i++)
                assert_fault(take(modes[i]), BAD_VALUE, "AN5054 section 3.3.2");
}

static void other_ports_are_refused(void **state)
{
        (void)state;
        assert_fault(take("port=JTAG"), BAD_VALUE, "SWD only");
        assert_fault(take("port=USB1"), BAD_VALUE, "boot loader ports");
        assert_fault(take("port=/dev/ttyS0"), BAD_VALUE, "only port=SWD");
}

static void probe_clock_and_access_port_are_kept(void **state)
{
        (void)state;
        assert_int_equal(take("port=SWD"), 0);
        assert_int_equal(choice.clock_khz, TARGET_CLOCK_KHZ);
        assert_int_equal(take_words("-c", "sn=003500203137510733353639", "freq=24000"), 0);
        assert_string_equal(choice.serial, "003500203137510733353639");
        assert_int_equal(choice.clock_khz, 24000);
        assert_int_equal(take_words("ap=1", "index=3", "reset=HWrst"), 0);
        assert_true(choice.has_access_port && choice.access_port == 1);
        assert_true(choice.has_index && choice.index == 3);
        assert_int_equal(choice.reset, TARGET_RESET_PIN);
}

static void numbers_have_limits(void **state)
{
        (void)state;
        assert_fault(take("freq=0"), BAD_VALUE, "wanted 1 to 24000");
        assert_fault(take("freq=24001"), BAD_VALUE, "0 to 24000");
        assert_fault(take("freq=fast"), BAD_VALUE, "freq=");
        assert_fault(take("ap=256"), BAD_VALUE, "0 to 255");
        assert_fault(take("ap="), BAD_VALUE, "ap=");
        assert_fault(take("index=-1"), BAD_VALUE, "index=");
}

static void a_serial_is_letters_and_digits_that_fit(void **state)
{
        char word[80] = "sn=";

        (void)state;
        memset(word + 3, 'A', 63);
        assert_int_equal(take(word), 0);
        word[3 + 63] = 'A';
        assert_fault(take(word), BAD_VALUE, "64 characters");
        assert_fault(take("sn="), BAD_VALUE, "0 characters");
        assert_fault(take("sn=00 35"), BAD_VALUE, "character 3");
}

static void a_misspelled_key_behind_c_is_told_the_nearest(void **state)
{
        (void)state;
        assert_fault(take("prot=SWD"), BAD_VALUE, "did you mean port=");
        assert_fault(take("SWD"), BAD_VALUE, "KEY=VALUE");
}

static void other_words_are_left_to_the_command(void **state)
{
        static const char *const words[] = { "RDP=0xBB", "port", "", "0x08000000" };
        const char *taken[LENGTH_OF(words)];
        size_t count = 0;
        char name[] = "target", *argv[2 + LENGTH_OF(words)] = { name };
        const struct argument arguments[] = {
                TARGET_ARGUMENTS(&choice),
                { .what = "word", .text = taken, .most = LENGTH_OF(words), .count = &count },
        };

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(words); i++)
                argv[1 + i] = (char *)(uintptr_t)words[i];
        assert_int_equal(options_read(1 + LENGTH_OF(words), argv, arguments, LENGTH_OF(arguments)),
                         0);
        assert_int_equal(count, LENGTH_OF(words));
        for (size_t i = 0; i < LENGTH_OF(words); i++)
                assert_string_equal(taken[i], words[i]);
        assert_fault(take_words("-c", "port=SWD", "RDP=0xBB"), BAD_VALUE,
                     "RDP=0xBB is not expected here");
}

/* --- ST's verbs ---------------------------------------------------------------------------- */

/* Spell `line` (words apart by one space), join what comes. */
static int spell(const char *line, char text[static 256])
{
        char copy[256], *argv[SPELLING_WORDS_MAX], *out[SPELLING_WORDS_MAX], *at = copy;
        int argc = 0, count;

        snprintf(copy, sizeof(copy), "%s", line);
        while ((argv[argc] = strsep(&at, " ")))
                argc++;
        text[0] = '\0';
        count = target_spelling(argc, argv, out);
        for (int i = 0; i < count; i++)
                snprintf(text + strlen(text), 256 - strlen(text), "%s%s", i ? " " : "", out[i]);
        if (count > 0)
                assert_null(out[count]);
        return count;
}

static void st_verbs_become_ours(void **state)
{
        static const struct {
                const char *st, *ours;
        } lines[] = {
                { "gangway target -c port=SWD mode=HOTPLUG -gc a.bin",
                  "gangway target certificate a.bin -c port=SWD mode=HOTPLUG" },
                { "gangway target -c port=SWD -ob displ",
                  "gangway target ob read displ -c port=SWD" },
                { "gangway target -c port=SWD -ob RDP=0xBB nBOOT0=1 -y",
                  "gangway target ob write RDP=0xBB nBOOT0=1 -c port=SWD -y" },
                { "gangway target -c port=SWD -w a.bin 0x08000000",
                  "gangway target write a.bin 0x08000000 -c port=SWD" },
                { "gangway target -c port=SWD -r32 0x08000000 16",
                  "gangway target read 0x08000000 16 -c port=SWD" },
                { "gangway target -c port=SWD -e all", "gangway target erase all -c port=SWD" },
                { "gangway target -c port=SWD -setdefaultob",
                  "gangway target default-ob -c port=SWD" },
                { "gangway target -dsecurity -c port=SWD",
                  "gangway target disable-security -c port=SWD" },
                { "gangway target -c port=SWD -rdu", "gangway target regress -c port=SWD" },
                { "gangway target -l", "gangway target list" },
        };
        char text[256];

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(lines); i++) {
                assert_true(spell(lines[i].st, text) > 0);
                assert_string_equal(text, lines[i].ours);
        }
}

static void a_line_without_a_verb_of_st_is_left_alone(void **state)
{
        char text[256];

        (void)state;
        assert_int_equal(spell("gangway target --family stm32h75x info", text), 0);
}

static void two_verbs_in_one_line_are_refused(void **state)
{
        char text[256];

        (void)state;
        assert_fault(spell("gangway target -c port=SWD -e all -rst", text), BAD_VALUE,
                     "-e and -rst");
}

static void too_many_words_are_refused(void **state)
{
        char *argv[SPELLING_WORDS_MAX + 2], *out[SPELLING_WORDS_MAX];
        static char word[] = "-e";

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(argv); i++)
                argv[i] = i == 2 ? word : word + 2;
        assert_fault(target_spelling(LENGTH_OF(argv), argv, out), BAD_VALUE, "words");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(hotplug_over_swd_is_taken_in_any_case_of_letters),
                cmocka_unit_test(a_reset_at_connect_is_refused_with_its_section),
                cmocka_unit_test(other_ports_are_refused),
                cmocka_unit_test(probe_clock_and_access_port_are_kept),
                cmocka_unit_test(numbers_have_limits),
                cmocka_unit_test(a_serial_is_letters_and_digits_that_fit),
                cmocka_unit_test(a_misspelled_key_behind_c_is_told_the_nearest),
                cmocka_unit_test(other_words_are_left_to_the_command),
                cmocka_unit_test(st_verbs_become_ours),
                cmocka_unit_test(a_line_without_a_verb_of_st_is_left_alone),
                cmocka_unit_test(two_verbs_in_one_line_are_refused),
                cmocka_unit_test(too_many_words_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
