/*
 * capture.c - pcapng files from anywhere: what is read of them, and what is said of bad ones.
 */
#include "tests/support/test.h"

#include "drivers/capture_exchange.h"
#include "scheduler/file.h"

#include <stdio.h>

struct reading {
        const char *name;
        struct bytes bytes;
};

static int read_now(void *subject)
{
        struct reading *reading = subject;
        char path[128];

        snprintf(path, sizeof(path), "tests/fuzz/corpus/capture/%s", reading->name);
        return file_read(path, CAPTURE_FILE_MAX, &reading->bytes);
}

/* A file of the corpus, where each stands for one way to be good or bad. */
static struct bytes corpus(const char *name)
{
        struct reading reading = { .name = name };

        assert_int_equal(test_on_fiber(LOOP_TIME_REAL, 1, read_now, &reading), 0);
        return reading.bytes;
}

static void bad_files_are_refused_with_offset_and_reason(void **state)
{
        static const struct {
                const char *name, *sentence;
        } cases[] = {
                { "nothing", "not a pcapng file" },
                { "classic-pcap", "not a pcapng file" },
                { "big-endian", "only captures of little-endian machines" },
                { "version-2", "pcapng version 2" },
                { "ethernet", "offset 28: link type 1, wanted 220" },
                { "huge-block", "its length is 4294967292" },
                { "cut-off", "offset 48: its length is 112" },
                { "length-twice-different", "20 at its beginning and 16777216 at its end" },
                { "interface-99", "interface 99, there are 1" },
                { "two-sections", "interface 0, there are 0" },
                { "many-interfaces", "more than 16 interfaces" },
                { "many-options", "more than 64 options" },
                { "option-too-long", "an option of 900 bytes" },
                { "resolution-99", "10^-99" },
                { "captured-too-long", "9999 bytes captured" },
                { "captured-too-short", "20 bytes captured, wanted 64" },
                { "event-x", "URB event 0x58" },
        };

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(cases); i++) {
                struct bytes file = corpus(cases[i].name);
                struct capture capture;
                int r = capture_parse(cases[i].name, file.data, file.length, &capture);

                assert_fault(r, BAD_FILE, cases[i].sentence);
                bytes_free(&file);
        }
}

static void a_file_that_ends_anywhere_is_refused_or_shorter(void **state)
{
        struct bytes file = corpus("time-out");
        struct capture whole, part;

        (void)state;
        assert_int_equal(capture_parse("whole", file.data, file.length, &whole), 0);
        for (size_t length = 0; length < file.length; length++) {
                int r = capture_parse("part", file.data, length, &part);

                if (r == 0) {
                        assert_true(part.count <= whole.count);
                        capture_free(&part);
                } else {
                        assert_int_equal(r, -FAULT_BAD_FILE);
                }
        }
        capture_free(&whole);
        bytes_free(&file);
}

static void read_exchanges(const char *name, struct bytes *file, struct capture *capture,
                           struct capture_exchanges *exchanges)
{
        *file = corpus(name);
        assert_int_equal(capture_parse(name, file->data, file->length, capture), 0);
        capture_exchanges(capture, exchanges);
}

static void release(struct bytes *file, struct capture *capture,
                    struct capture_exchanges *exchanges)
{
        capture_exchanges_free(exchanges);
        capture_free(capture);
        bytes_free(file);
}

/* 16 bytes of data look like a command; what was sent before tells (OpenOCD submits both at once, others
 * one after the other). */
static void sixteen_bytes_of_data_are_no_command(void **state)
{
        static const char *const names[] = { "write-16", "write-16-in-turn", "other-device" };

        (void)state;
        for (size_t i = 0; i < LENGTH_OF(names); i++) {
                struct capture_exchanges exchanges;
                struct capture capture;
                struct bytes file;

                read_exchanges(names[i], &file, &capture, &exchanges);
                assert_int_equal(exchanges.count, 1);
                assert_int_equal(exchanges.others, i == 2 ? 2 : 0);
                assert_false(exchanges.items[0].is_in);
                assert_int_equal(exchanges.items[0].data_length, 16);
                assert_int_equal(exchanges.items[0].data[0], 0xAA);
                assert_true(exchanges.items[0].completed_ns > 0);
                release(&file, &capture, &exchanges);
        }
}

static void what_cannot_be_paired_is_counted(void **state)
{
        struct capture_exchanges exchanges;
        struct capture capture;
        struct bytes file;

        (void)state;
        read_exchanges("completions-first", &file, &capture, &exchanges);
        /* the data, submitted first here, are taken for a command; the rest belongs to nothing */
        assert_true(exchanges.others >= 2);
        for (size_t i = 0; i < exchanges.count; i++)
                assert_int_equal(exchanges.items[i].completed_ns, 0);
        release(&file, &capture, &exchanges);
        read_exchanges("submit-error", &file, &capture, &exchanges);
        assert_int_equal(exchanges.count, 1);
        assert_int_equal(exchanges.others, 1);
        assert_int_equal(exchanges.items[0].status, -19);
        release(&file, &capture, &exchanges);
}

static void texts_lose_their_control_characters(void **state)
{
        struct capture_exchanges exchanges;
        struct capture capture;
        struct bytes file;

        (void)state;
        read_exchanges("comments", &file, &capture, &exchanges);
        assert_string_equal(capture.about.interface, "usbmon1");
        assert_null(strchr(capture.about.comment, '\x1b'));
        assert_int_equal(exchanges.items[0].before.length, strlen("resync: UNPLUGGED") + 1);
        release(&file, &capture, &exchanges);
}

static void statistics_and_resolutions_are_read(void **state)
{
        struct capture_exchanges exchanges;
        struct capture capture;
        struct bytes file;

        (void)state;
        read_exchanges("statistics", &file, &capture, &exchanges);
        assert_int_equal(capture.dropped, 77);
        release(&file, &capture, &exchanges);
        read_exchanges("resolution-two", &file, &capture, &exchanges);
        assert_int_equal(capture.packets[0].time_ns, 1000ull * NS_PER_S / (1u << 20));
        release(&file, &capture, &exchanges);
        read_exchanges("write-16", &file, &capture, &exchanges);
        assert_int_equal(capture.packets[0].time_ns, NS_PER_MS); /* 1000 of the default, us */
        release(&file, &capture, &exchanges);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(bad_files_are_refused_with_offset_and_reason),
                cmocka_unit_test(a_file_that_ends_anywhere_is_refused_or_shorter),
                cmocka_unit_test(sixteen_bytes_of_data_are_no_command),
                cmocka_unit_test(what_cannot_be_paired_is_counted),
                cmocka_unit_test(texts_lose_their_control_characters),
                cmocka_unit_test(statistics_and_resolutions_are_read),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
