/*
 * recorder.c - the ring: what it keeps, what it forgets, what it never knew; and the file it becomes.
 */
#include "tests/support/replay_wire.h"
#include "tests/support/test.h"

#include "drivers/recorder.h"
#include "scheduler/fiber.h"

#include <stdio.h>

/* A probe that answers 0xA0, 0xA1, ... after a millisecond, or with a fault. */
struct parrot {
        struct wire wire;
        int fault;
};

static int parrot_exchange(struct wire *wire, const struct wire_exchange *exchange)
{
        struct parrot *parrot = CONTAINER_OF(wire, struct parrot, wire);
        int r = fiber_sleep_ns(NS_PER_MS);

        if (r < 0)
                return r;
        if (parrot->fault)
                return fault((enum fault)parrot->fault, "the parrot is tired");
        for (size_t i = 0; i < exchange->in_length; i++)
                ((uint8_t *)exchange->in)[i] = (uint8_t)(0xA0 + i);
        return 0;
}

static int parrot_resync(struct wire *wire)
{
        (void)wire;
        return 0;
}

static const struct wire_operations parrot_operations = { .exchange = parrot_exchange,
                                                          .resync = parrot_resync };

struct bed {
        struct parrot parrot;
        struct recorder *recorder;
        void (*act)(struct bed *bed);
        struct bytes file;
        size_t exported;
        struct replay_wire reading; /* the file taken apart */
};

static int say(struct bed *bed, uint8_t op, const void *out, size_t out_length, void *in,
               size_t in_length)
{
        struct wire_exchange exchange = { .command = { 0xF2, op },
                                          .out = out,
                                          .out_length = out_length,
                                          .in = in,
                                          .in_length = in_length };

        for (unsigned i = 0; i < 14; i++)
                exchange.command[2 + i] = (uint8_t)(0x11 * (i + 1));
        return wire_exchange(&bed->parrot.wire, &exchange);
}

static int perform(void *subject)
{
        static const struct capture_about about = { .comment = "about", .interface = "site 1" };
        struct bed *bed = subject;

        bed->act(bed);
        bed->exported = recorder_export(bed->recorder, &about, "the end", &bed->file);
        return 0;
}

static struct bed record(enum recorder_size size, void (*act)(struct bed *bed))
{
        struct bed bed = { .parrot.wire = { .operations = &parrot_operations,
                                            .identity = { .product = 0x3748,
                                                          .serial = "0042",
                                                          .path = "1-4.2" } },
                           .recorder = recorder_create(size),
                           .act = act };

        wire_record(&bed.parrot.wire, bed.recorder);
        assert_int_equal(test_on_fiber(LOOP_TIME_VIRTUAL, 1, perform, &bed), 0);
        recorder_destroy(bed.recorder);
        replay_wire_init(&bed.reading, bed.file.data, bed.file.length);
        return bed;
}

static void finish(struct bed *bed)
{
        replay_wire_finish(&bed->reading);
        bytes_free(&bed->file);
}

static bool piece_is(struct piece piece, const char *text)
{
        return piece.length == strlen(text) && memcmp(piece.data, text, piece.length) == 0;
}

/* --- keeping ------------------------------------------------------------------------------- */

static void say_a_few(struct bed *bed)
{
        uint8_t answer[12];

        recorder_say(bed->recorder, "step: %s", "one");
        assert_int_equal(say(bed, 0x3E, NULL, 0, answer, sizeof(answer)), 0);
        recorder_say(bed->recorder, "step: two");
        recorder_say(bed->recorder, "step: three");
        assert_int_equal(say(bed, 0x08, "abcdefgh", 8, NULL, 0), 0);
        assert_int_equal(say(bed, 0x21, NULL, 0, NULL, 0), 0);
        recorder_say(bed->recorder, "step: four");
}

static void what_passed_is_in_the_file_with_its_time_and_words(void **state)
{
        struct bed bed = record(RECORDER_LATELY, say_a_few);
        const struct capture_exchange *items = bed.reading.exchanges.items;
        const struct capture_packet *packets = bed.reading.capture.packets;

        (void)state;
        assert_int_equal(bed.exported, 3);
        assert_int_equal(bed.reading.exchanges.count, 3);
        assert_int_equal(bed.reading.exchanges.others, 0);
        assert_int_equal(bed.reading.capture.count, 4 + 4 + 2);
        assert_string_equal(bed.reading.capture.about.comment, "about");
        assert_string_equal(bed.reading.capture.about.interface, "site 1");
        assert_string_equal(bed.reading.capture.about.description, "ST-LINK/V2 0042 at 1-4.2");
        assert_true(items[0].is_in);
        assert_int_equal(items[0].data_length, 12);
        assert_int_equal(items[0].data[11], 0xAB);
        assert_int_equal(items[0].completed_ns - items[0].submitted_ns, NS_PER_MS);
        assert_true(piece_is(items[0].before, "step: one"));
        assert_int_equal(items[0].after.length, 0);
        assert_false(items[1].is_in);
        assert_memory_equal(items[1].data, "abcdefgh", 8);
        assert_true(piece_is(items[1].before, "step: two\nstep: three"));
        assert_int_equal(items[2].length, 0);
        assert_int_equal(items[2].completed_ns - items[2].submitted_ns, NS_PER_MS);
        assert_true(piece_is(items[2].after, "step: four\nthe end"));
        /* bus 1, the port of the path, and the endpoints of a V2 (stlink.md 1.2) */
        assert_int_equal(packets[0].bus, 1);
        assert_int_equal(packets[0].device, 3);
        assert_int_equal(packets[0].endpoint, 0x02);
        assert_int_equal(packets[1].endpoint, 0x81);
        assert_int_equal(packets[0].status, CAPTURE_IN_PROGRESS);
        assert_int_equal(packets[2].id, packets[0].id);
        assert_int_equal(packets[3].id, packets[1].id);
        finish(&bed);
}

static void fail_in_each_way(struct bed *bed)
{
        static const enum fault faults[] = { FAULT_TIMEOUT, FAULT_PROBE, FAULT_UNPLUGGED };
        uint8_t answer[8];

        for (size_t i = 0; i < LENGTH_OF(faults); i++) {
                bed->parrot.fault = (int)faults[i];
                assert_int_equal(say(bed, 0x36, NULL, 0, answer, 8), -(int)faults[i]);
                assert_int_equal(wire_resync(&bed->parrot.wire), 0);
        }
        assert_int_equal(say(bed, 0x21, NULL, 0, NULL, 0), -FAULT_UNPLUGGED);
}

static void a_fault_is_the_status_of_its_last_urb_and_a_sentence(void **state)
{
        struct bed bed = record(RECORDER_LATELY, fail_in_each_way);
        const struct capture_exchange *items = bed.reading.exchanges.items;
        static const int32_t statuses[] = { -2, -32, -19, -19 };

        (void)state;
        assert_int_equal(bed.reading.exchanges.count, 4);
        for (unsigned i = 0; i < 4; i++) {
                assert_int_equal(items[i].status, statuses[i]);
                assert_int_equal(items[i].data_length, 0);
                assert_int_equal(recorder_status_of(-(int)recorder_fault_of(statuses[i])),
                                 statuses[i]);
                if (i < 3)
                        assert_true(piece_is(items[i].after, "the parrot is tired"));
                if (i)
                        assert_true(piece_is(items[i].before, "resync: done"));
        }
        assert_true(piece_is(items[3].after, "the parrot is tired\nthe end"));
        finish(&bed);
}

/* --- limits -------------------------------------------------------------------------------- */

static uint8_t much[6144];

static void write_much(struct bed *bed)
{
        for (size_t i = 0; i < sizeof(much); i++)
                much[i] = (uint8_t)(i * 7);
        assert_int_equal(say(bed, 0x08, much, sizeof(much), NULL, 0), 0);
        memset(much, 0xFF, sizeof(much));
        assert_int_equal(say(bed, 0x08, much, sizeof(much), NULL, 0), 0);
        much[sizeof(much) - 1] = 0;
        assert_int_equal(say(bed, 0x08, much, sizeof(much), NULL, 0), 0);
}

static void data_are_kept_to_the_snap_length_and_whole_where_one_byte_says_all(void **state)
{
        struct bed bed = record(RECORDER_LATELY, write_much);
        const struct capture_exchange *items = bed.reading.exchanges.items;

        (void)state;
        assert_int_equal(items[0].length, 6144);
        assert_int_equal(items[0].data_length, 256);
        assert_int_equal(items[0].data[255], (uint8_t)(255 * 7));
        assert_int_equal(items[1].data_length, 6144);
        for (unsigned i = 0; i < 6144; i++)
                assert_int_equal(items[1].data[i], 0xFF);
        assert_int_equal(items[2].data_length, 256); /* only its last byte differs */
        assert_int_equal(bed.reading.capture.cut, 2);
        finish(&bed);
}

static void the_whole_recorder_cuts_nothing(void **state)
{
        struct bed bed = record(RECORDER_WHOLE, write_much);

        (void)state;
        assert_int_equal(bed.reading.capture.cut, 0);
        assert_int_equal(bed.reading.exchanges.items[0].data_length, 6144);
        finish(&bed);
}

#define MANY 9000u

/* Sizes that end at every place of the ring; the first byte of each counts. */
static void say_many(struct bed *bed)
{
        static uint8_t data[256];

        for (unsigned i = 0; i < MANY; i++) {
                store_le32(data, i);
                data[4] = 1;
                if (i % 100 == 0)
                        recorder_say(bed->recorder, "%u", i);
                assert_int_equal(say(bed, 0x08, data, 5 + i * 37 % 250, NULL, 0), 0);
        }
}

static void the_oldest_is_overwritten_and_counted(void **state)
{
        struct bed bed = record(RECORDER_LATELY, say_many);
        const struct capture_exchanges *exchanges = &bed.reading.exchanges;
        size_t first = MANY - exchanges->count;

        (void)state;
        assert_true(exchanges->count > 3000 && exchanges->count < MANY);
        assert_int_equal(bed.exported, exchanges->count);
        assert_int_equal(bed.reading.capture.dropped, 4 * first);
        for (size_t i = 0; i < exchanges->count; i++) {
                char number[16];

                assert_int_equal(load_le32(exchanges->items[i].data), first + i);
                assert_int_equal(exchanges->items[i].length, 5 + (first + i) * 37 % 250);
                snprintf(number, sizeof(number), "%zu", first + i);
                if ((first + i) % 100 == 0 && i)
                        assert_true(piece_is(exchanges->items[i].before, number));
        }
        finish(&bed);
}

static void begin_again(struct bed *bed)
{
        say_a_few(bed);
        recorder_begin(bed->recorder);
        assert_int_equal(say(bed, 0x21, NULL, 0, NULL, 0), 0);
}

static void an_attempt_begins_with_nothing(void **state)
{
        struct bed bed = record(RECORDER_LATELY, begin_again);

        (void)state;
        assert_int_equal(bed.reading.exchanges.count, 1);
        assert_int_equal(bed.reading.capture.dropped, 0);
        finish(&bed);
}

static void say_nothing(struct bed *bed)
{
        recorder_say(bed->recorder, "step: connect");
}

static void a_file_without_a_packet_is_one_too(void **state)
{
        struct bed bed = record(RECORDER_LATELY, say_nothing);

        (void)state;
        assert_int_equal(bed.reading.capture.count, 0);
        assert_string_equal(bed.reading.capture.about.comment, "about");
        finish(&bed);
}

static void read_blank_for_long(struct bed *bed)
{
        memset(much, 0xFF, sizeof(much));
        for (unsigned i = 0; i < 14000; i++)
                assert_int_equal(say(bed, 0x08, much, sizeof(much), NULL, 0), 0);
}

/* In the ring a blank block is one byte, in the file it is whole. */
static void the_file_keeps_its_limit_and_leaves_the_oldest_out(void **state)
{
        struct bed bed = record(RECORDER_LATELY, read_blank_for_long);

        (void)state;
        assert_true(bed.file.length <= CAPTURE_FILE_MAX);
        assert_true(bed.file.length > CAPTURE_FILE_MAX - (1u << 20));
        assert_int_equal(bed.exported, bed.reading.exchanges.count);
        assert_int_equal(bed.reading.capture.dropped, 4 * (14000 - bed.exported));
        finish(&bed);
}

/* --- secrets ------------------------------------------------------------------------------- */

static void say_a_secret(struct bed *bed)
{
        uint8_t answer[2];

        assert_int_equal(say(bed, 0x35, NULL, 0, answer, 2), 0);
        wire_conceal(&bed->parrot.wire, true);
        assert_int_equal(say(bed, 0x08, "hush, never tell", 16, NULL, 0), 0);
        assert_int_equal(say(bed, 0x35, NULL, 0, answer, 2), 0);
        bed->parrot.fault = FAULT_TIMEOUT;
        assert_int_equal(say(bed, 0x0D, "hush", 4, NULL, 0), -FAULT_TIMEOUT);
        bed->parrot.fault = 0;
        wire_conceal(&bed->parrot.wire, false);
        assert_int_equal(say(bed, 0x08, "public", 6, NULL, 0), 0);
}

static void what_is_concealed_is_kept_by_its_length_alone(void **state)
{
        struct bed bed = record(RECORDER_WHOLE, say_a_secret);
        const struct capture_exchange *items = bed.reading.exchanges.items;
        static const uint8_t zeros[16];

        (void)state;
        assert_null(memmem(bed.file.data, bed.file.length, "hush", 4));
        assert_int_equal(bed.reading.exchanges.count, 5);
        assert_int_equal(items[0].command[6], 0x55); /* the value of a word, as it was sent */
        assert_int_equal(items[1].length, 16);
        assert_int_equal(items[1].data_length, 16);
        assert_memory_equal(items[1].data, zeros, 16);
        assert_int_equal(items[1].command[6], 0x55); /* a length stands there */
        assert_int_equal(items[2].command[5], 0x44); /* the address */
        assert_memory_equal(items[2].command + 6, zeros, 10);
        assert_int_equal(items[3].length, 4);
        assert_int_equal(items[3].status, -2);
        assert_memory_equal(items[4].data, "public", 6);
        finish(&bed);
}

static void ask_nobody(struct bed *bed)
{
        wire_record(&bed->parrot.wire, NULL);
        assert_int_equal(say(bed, 0x21, NULL, 0, NULL, 0), 0);
        assert_int_equal(wire_resync(&bed->parrot.wire), 0);
        recorder_begin(NULL);
        recorder_say(NULL, "nobody hears this");
}

static void a_wire_without_a_recorder_tells_nobody(void **state)
{
        struct bed bed = record(RECORDER_LATELY, ask_nobody);

        (void)state;
        assert_int_equal(bed.reading.capture.count, 0);
        finish(&bed);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_passed_is_in_the_file_with_its_time_and_words),
                cmocka_unit_test(a_fault_is_the_status_of_its_last_urb_and_a_sentence),
                cmocka_unit_test(
                        data_are_kept_to_the_snap_length_and_whole_where_one_byte_says_all),
                cmocka_unit_test(the_whole_recorder_cuts_nothing),
                cmocka_unit_test(the_oldest_is_overwritten_and_counted),
                cmocka_unit_test(an_attempt_begins_with_nothing),
                cmocka_unit_test(a_file_without_a_packet_is_one_too),
                cmocka_unit_test(the_file_keeps_its_limit_and_leaves_the_oldest_out),
                cmocka_unit_test(what_is_concealed_is_kept_by_its_length_alone),
                cmocka_unit_test(a_wire_without_a_recorder_tells_nobody),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
