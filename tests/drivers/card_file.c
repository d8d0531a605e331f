/*
 * A card in a file: what it keeps between sessions, what it loses with the power, and files that
 * are no cards.
 */
#include "tests/support/fake_card.h"
#include "tests/support/simulated.h"

#include "drivers/simulated/card_file.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char path[512];

static struct hsm_program a_program(void)
{
        return (struct hsm_program){ .key = "sixteen key byte",
                                     .nonce = "twelve nonce",
                                     .maximum = 3,
                                     .firmware_id = "FILE_1",
                                     .is_personalized = true,
                                     .personalization = { "45002001", "SFI", 1, 0 } };
}

static int open_card(struct reader **ret_reader)
{
        *ret_reader = card_file_reader(path, simulated_card_conf());
        return hsm_open(*ret_reader, simulated_card_conf(), NS_PER_S);
}

static void new_card(void)
{
        unlink(path);
        assert_int_equal(card_file_make(path, 2, "SFI", 0xABCDEF), 0);
}

static struct hsm_info look(void)
{
        struct reader *reader;
        struct hsm_info info;

        assert_int_equal(open_card(&reader), 0);
        assert_int_equal(hsm_info(reader, simulated_card_conf(), &info), 0);
        reader_close(reader);
        return info;
}

static void on_fiber(int (*procedure)(void *))
{
        (void)simulated_card_conf(); /* loads on a loop of its own */
        snprintf(path, sizeof(path), "%s/card.bin", test_directory());
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, procedure, NULL), 0);
}

static int keep(void *subject)
{
        struct hsm_program program = a_program();
        struct certificate certificate;
        uint8_t license[LICENSE_LENGTH];
        struct reader *reader;
        struct stat found;

        (void)subject;
        new_card();
        assert_int_equal(stat(path, &found), 0);
        assert_int_equal(found.st_mode & 07777, 0600);
        assert_fault(card_file_make(path, 2, "SFI", 1), DUPLICATE, "never overwritten");
        assert_int_equal(look().state, HSM_STATE_OEM);
        assert_string_equal(look().serial, "0000000000ABCDEF");
        assert_int_equal(open_card(&reader), 0);
        assert_true(reader->is_simulated);
        assert_int_equal(hsm_personalize(reader, simulated_card_conf(), &program), 0);
        assert_fault(hsm_personalize(reader, simulated_card_conf(), &program), CARD_STATE,
                     "locked");
        fake_certificate(1, &certificate);
        assert_int_equal(hsm_license(reader, simulated_card_conf(), &certificate, license), 0);
        /* on disk before the answer: a session that is never ended has lost nothing */
        reader_disconnect(reader);
        assert_fault(hsm_license(reader, simulated_card_conf(), &certificate, license), NO_CARD,
                     "no session");
        reader_close(reader);
        assert_int_equal(look().state, HSM_STATE_OPERATIONAL);
        assert_int_equal(look().counter, 2);
        assert_int_equal(look().maximum, 3);
        assert_string_equal(look().firmware_id, "FILE_1");
        return 0;
}

static void what_was_done_is_there_in_the_next_session(void **state)
{
        (void)state;
        on_fiber(keep);
}

static int cut(void *subject)
{
        struct hsm_program program = a_program();
        struct reader *reader;
        unsigned writes = 0;
        int r;

        (void)subject;
        do {
                new_card();
                assert_int_equal(open_card(&reader), 0);
                simulated_card_cut(card_file_card(reader), writes++);
                r = hsm_personalize(reader, simulated_card_conf(), &program);
                reader_close(reader);
                if (r < 0) {
                        assert_int_equal(r, -FAULT_CARD_DEAD);
                        assert_int_equal(look().state, HSM_STATE_OEM);
                        assert_int_equal(open_card(&reader), 0); /* and once more, with power */
                        assert_int_equal(hsm_personalize(reader, simulated_card_conf(), &program),
                                         0);
                        reader_close(reader);
                }
                assert_int_equal(look().state, HSM_STATE_OPERATIONAL);
                assert_int_equal(look().counter, 3);
        } while (r < 0);
        assert_int_equal(writes, 11);
        return 0;
}

static void a_pull_at_any_write_leaves_a_blank_or_a_whole_card(void **state)
{
        (void)state;
        on_fiber(cut);
}

static int wait_for_lock(void *subject)
{
        struct reader *first, *second;

        (void)subject;
        new_card();
        assert_int_equal(open_card(&first), 0);
        assert_fault(open_card(&second), TIMEOUT, "another program uses the card");
        assert_true(clock_now_ns() >= NS_PER_S);
        reader_close(first);
        assert_int_equal(hsm_open(second, simulated_card_conf(), NS_PER_S), 0);
        reader_close(second);
        return 0;
}

static void a_session_is_exclusive(void **state)
{
        (void)state;
        on_fiber(wait_for_lock);
}

/* offset, value, words: on an operational card */
static const struct {
        unsigned offset;
        uint8_t value;
        const char *words;
} spoiled[] = {
        { 0, 'g', "offset 0: it does not begin with GWCARD01" },
        { 8, 3, "offset 8: the state" },
        { 15, 1, "offset 12: the counter" },
        { 20, 3, "offset 20: the version" },
        { 24, '.', "offset 24: the type" },
        { 27, 'x', "offset 24: the type" },
        { 51, 1, "offset 48: the last 4 bytes of the IV" },
        { 68, 0, "offset 68: the firmware identifier" },
        { 99, 'x', "offset 68: the firmware identifier" },
        { 70, 0x7F, "offset 68: the firmware identifier" },
        { 107, 'a', "offset 100: the product id" },
        { 109, '.', "offset 108: the flow" },
        { 120, 1, "offset 120: the last 8 bytes" },
        { 127, 1, "offset 120: the last 8 bytes" },
};

static struct card_memory whole(void)
{
        struct card_memory memory = card_memory_blank(2, "SFI", 1);

        memory.state = HSM_STATE_OPERATIONAL;
        memory.counter = memory.maximum = 3;
        memcpy(memory.firmware_id, "FILE_1", 6);
        memcpy(memory.product_id, "45002001", 8);
        card_memory_pad("SFI", memory.flow);
        return memory;
}

static void each_field_is_checked_by_its_offset(void **state)
{
        struct card_memory memory = whole(), parsed = { .counter = 77 };
        uint8_t bytes[CARD_MEMORY_LENGTH + 1] = { 0 };

        (void)state;
        assert_int_equal(card_memory_parse("c", &memory, sizeof(memory), &parsed), 0);
        assert_memory_equal(&memory, &parsed, sizeof(memory));
        for (unsigned i = 0; i < LENGTH_OF(spoiled); i++) {
                memcpy(bytes, &memory, sizeof(memory));
                bytes[spoiled[i].offset] = spoiled[i].value;
                assert_fault(card_memory_parse("c", bytes, sizeof(memory), &parsed), BAD_FILE,
                             spoiled[i].words);
        }
        memory.maximum = memory.counter = 0;
        assert_fault(card_memory_parse("c", &memory, sizeof(memory), &parsed), BAD_FILE,
                     "within its maximum");
        memory = whole();
        memcpy(bytes, &memory, sizeof(memory));
        for (size_t length = 0; length <= sizeof(bytes); length++)
                if (length != CARD_MEMORY_LENGTH)
                        assert_fault(card_memory_parse("c", bytes, length, &parsed), BAD_FILE,
                                     "a simulated card has 128");
        /* a blank card's burned fields are residue of a cut: nobody believes them */
        memset(bytes + 12, 0xEE, 8);
        memset(bytes + 36, 0xEE, 84);
        bytes[8] = HSM_STATE_OEM;
        assert_int_equal(card_memory_parse("c", bytes, CARD_MEMORY_LENGTH, &parsed), 0);
}

static void put(const void *bytes, size_t length, mode_t mode)
{
        int descriptor;

        unlink(path);
        descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(descriptor >= 0);
        assert_int_equal(write(descriptor, bytes, length), length);
        assert_int_equal(fchmod(descriptor, mode), 0);
        close(descriptor);
}

static int refuse(void *subject)
{
        struct card_memory memory = whole();
        struct reader *reader;

        (void)subject;
        unlink(path);
        assert_fault(open_card(&reader), NOT_FOUND, "card.bin");
        reader_close(reader);
        put(&memory, sizeof(memory), 0604);
        assert_fault(open_card(&reader), BAD_FILE, "chmod 600");
        reader_close(reader);
        put(&memory, sizeof(memory) - 1, 0600);
        assert_fault(open_card(&reader), BAD_FILE, "has 127 bytes");
        reader_close(reader);
        unlink(path);
        assert_int_equal(mkfifo(path, 0600), 0);
        assert_fault(open_card(&reader), BAD_FILE, "not a regular file");
        reader_close(reader);
        unlink(path);
        assert_int_equal(symlink("/dev/null", path), 0);
        assert_int_equal(open_card(&reader), -FAULT_SYSTEM);
        reader_close(reader);
        return 0;
}

static void files_that_are_no_cards_are_refused(void **state)
{
        (void)state;
        on_fiber(refuse);
}

/* A child spends licenses and is killed at any moment: as many are gone as it saw, or one more. */
static int spend_until_killed(void *subject)
{
        int pipe_end = *(int *)subject;
        struct certificate certificate;
        uint8_t license[LICENSE_LENGTH];
        struct reader *reader;

        fake_certificate(1, &certificate);
        if (open_card(&reader) < 0)
                return 1;
        while (hsm_license(reader, simulated_card_conf(), &certificate, license) == 0)
                if (write(pipe_end, "l", 1) != 1)
                        break;
        reader_close(reader);
        return 0;
}

static int load_big(void *subject)
{
        struct hsm_program program = a_program();
        struct reader *reader;

        (void)subject;
        new_card();
        program.maximum = 10000;
        assert_int_equal(open_card(&reader), 0);
        assert_int_equal(hsm_personalize(reader, simulated_card_conf(), &program), 0);
        reader_close(reader);
        return 0;
}

static int count_left(void *subject)
{
        *(uint32_t *)subject = look().counter;
        return 0;
}

static void a_kill_loses_one_license_at_most(void **state)
{
        uint32_t before = 10000, after;

        (void)state;
        on_fiber(load_big);
        for (unsigned round = 0; round < 8; round++) {
                unsigned seen = 0;
                int ends[2];
                pid_t child;
                char one;

                assert_int_equal(pipe(ends), 0);
                child = fork();
                if (child == 0) {
                        close(ends[0]);
                        _exit(test_on_fiber(LOOP_TIME_REAL, 1, spend_until_killed, &ends[1]));
                }
                close(ends[1]);
                while (seen < 3 + round && read(ends[0], &one, 1) == 1)
                        seen++;
                kill(child, SIGKILL);
                assert_int_equal(waitpid(child, NULL, 0), child);
                while (read(ends[0], &one, 1) == 1)
                        seen++;
                close(ends[0]);
                assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, count_left, &after), 0);
                assert_in_range(before - after, seen, seen + 1);
                before = after;
        }
        assert_true(before < 10000 - 8 * 3);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_field_is_checked_by_its_offset),
                cmocka_unit_test(files_that_are_no_cards_are_refused),
                cmocka_unit_test(what_was_done_is_there_in_the_next_session),
                cmocka_unit_test(a_pull_at_any_write_leaves_a_blank_or_a_whole_card),
                cmocka_unit_test(a_session_is_exclusive),
                cmocka_unit_test(a_kill_loses_one_license_at_most),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
