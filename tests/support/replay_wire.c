#include "tests/support/replay_wire.h"

#include "drivers/recorder.h"
#include "scheduler/fiber.h"
#include "scheduler/loop.h"

#include <stdio.h>

static struct replay_wire *replay_of(struct wire *wire)
{
        return CONTAINER_OF(wire, struct replay_wire, wire);
}

static int mismatch(struct replay_wire *replay, const char *what)
{
        replay->mismatches++;
        printf("# exchange %zu of %zu: %s\n", replay->at + 1, replay->exchanges.count, what);
        return fault(FAULT_SYSTEM, "exchange %zu of the capture: %s", replay->at + 1, what);
}

static int check_sent(struct replay_wire *replay, const struct capture_exchange *then,
                      const struct wire_exchange *now)
{
        if (memcmp(then->command, now->command, WIRE_COMMAND_LENGTH) != 0)
                return mismatch(replay, "another command was sent then");
        if (then->length != now->out_length + now->in_length ||
            (then->length && then->is_in != (now->in_length > 0)))
                return mismatch(replay, "another data phase was asked for then");
        if (now->out_length && memcmp(then->data, now->out, then->data_length) != 0)
                return mismatch(replay, "other data were sent then");
        return 0;
}

/* The enum of "UNPLUGGED". */
static enum fault fault_of_name(const char *name, size_t length)
{
        for (int i = 1; i < FAULT_COUNT; i++)
                if (strlen(fault_name(-i)) == length && strncmp(fault_name(-i), name, length) == 0)
                        return (enum fault)i;
        return FAULT_NONE;
}

/* The first line of a failed exchange's comment is its sentence. */
static size_t line_of(struct piece comment)
{
        const char *end = comment.length ? memchr(comment.data, '\n', comment.length) : NULL;

        return end ? (size_t)(end - (const char *)comment.data) : comment.length;
}

static int replay_exchange(struct wire *wire, const struct wire_exchange *now)
{
        struct replay_wire *replay = replay_of(wire);
        const struct capture_exchange *then = &replay->exchanges.items[replay->at];
        int r;

        if (replay->at == replay->exchanges.count)
                return mismatch(replay, "the capture has ended");
        r = check_sent(replay, then, now);
        if (r == 0)
                r = fiber_sleep_ns(then->completed_ns - then->submitted_ns);
        if (r < 0)
                return r;
        replay->at++;
        replay->resyncs = 0;
        if (then->status)
                return fault(recorder_fault_of(then->status), "%.*s", (int)line_of(then->after),
                             (const char *)then->after.data);
        if (!now->in_length)
                return 0;
        memset(now->in, 0, now->in_length);
        memcpy(now->in, then->data, then->data_length);
        replay->cut += then->data_length < now->in_length;
        return 0;
}

/* The `skip`-th line "resync: NAME" of a comment. */
static int resync_in(struct piece comment, unsigned skip, bool *ret_is_there)
{
        static const char word[] = "resync: ";
        const char *at = comment.data, *end = at + comment.length;

        *ret_is_there = false;
        while (at && at < end) {
                const char *line_end = memchr(at, '\n', (size_t)(end - at));
                size_t length = (size_t)((line_end ? line_end : end) - at), opening = strlen(word);

                if (length > opening && strncmp(at, word, opening) == 0 && !skip--) {
                        enum fault code = fault_of_name(at + opening, length - opening);

                        *ret_is_there = true;
                        return code ? fault(code, "as recorded") : 0;
                }
                at = line_end ? line_end + 1 : end;
        }
        return 0;
}

static int replay_resync(struct wire *wire)
{
        struct replay_wire *replay = replay_of(wire);
        size_t count = replay->exchanges.count;
        bool is_there = false;
        int r = 0;

        if (replay->at < count)
                r = resync_in(replay->exchanges.items[replay->at].before, replay->resyncs,
                              &is_there);
        else if (count)
                r = resync_in(replay->exchanges.items[count - 1].after, replay->resyncs, &is_there);
        replay->resyncs++;
        return is_there ? r : mismatch(replay, "no resync was done then");
}

static int replay_reset(struct wire *wire)
{
        return mismatch(replay_of(wire), "a reset of the probe, which no capture of a unit has");
}

static void replay_close(struct wire *wire)
{
        (void)wire;
}

static const struct wire_operations operations = {
        .exchange = replay_exchange,
        .resync = replay_resync,
        .reset = replay_reset,
        .close = replay_close,
};

void replay_wire_init(struct replay_wire *replay, const void *file, size_t length)
{
        *replay = (struct replay_wire){ .wire = { .operations = &operations,
                                                  .identity = { .product = 0x374F,
                                                                .path = "replay" } } };
        INSIST(capture_parse("the capture", file, length, &replay->capture) == 0);
        capture_exchanges(&replay->capture, &replay->exchanges);
}

void replay_wire_finish(struct replay_wire *replay)
{
        capture_exchanges_free(&replay->exchanges);
        capture_free(&replay->capture);
}

struct stlink replay_wire_session(struct replay_wire *replay)
{
        const uint8_t *first = replay->exchanges.items[0].command;
        bool was_debugging = first[0] == 0xF2 && first[1] == 0x21;

        return (struct stlink){ .wire = &replay->wire,
                                .version = { .major = 3, .jtag = 15 },
                                .has_csw = true,
                                .has_init_ap = true,
                                .has_frequency_list = true,
                                .clock_khz = was_debugging ? 24000 : 0,
                                .is_debugging = was_debugging };
}
