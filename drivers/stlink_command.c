/*
 * stlink_command.c - send one command, judge its status, repeat it where that helps.
 *
 * A WAIT is repeated with backoff for two seconds, a transmission error once with the sticky flags
 * cleared before. The whole is repeated, command and data and status, never the status query alone
 * (probe-rs@1e0ff3d37). When the exchange itself broke, the wire is brought back into step at once,
 * so that the next command, perhaps the clean-up's, does not read the last one's answer.
 */
#include "drivers/stlink_command.h"

#include "drivers/stlink_status.h"
#include "scheduler/bytes.h"
#include "scheduler/fiber.h"
#include "scheduler/loop.h"

#include <stdio.h>

#define STATUS_OK           0x80u
#define STATUS_CONF_CHANGED 0x40u
#define OP_SWITCH_FREQUENCY 0x63u
#define BACKOFF_FIRST_NS    (500 * NS_PER_US) /* stlink.md 10: start, cap and end */
#define BACKOFF_LAST_NS     (64 * NS_PER_MS)
#define BACKOFF_TOTAL_NS    (2 * NS_PER_S)
#define FEW                 3u
#define SENTENCE_MAX        512u

/* Clocks of one word on SWD (stlink.md 12.1), and what is assumed before a clock was chosen. */
#define CLOCKS_PER_WORD   46u
#define CLOCK_SLOWEST_KHZ 5u

unsigned stlink_timeout_ms(const struct stlink *stlink, size_t length)
{
        unsigned clock_khz = stlink->clock_khz ? stlink->clock_khz : CLOCK_SLOWEST_KHZ;

        return 6000u + 3u * (unsigned)(length / 4 * CLOCKS_PER_WORD / clock_khz);
}

/* Resync after a broken exchange, and say again what had broken. */
static int back_in_step(struct stlink *stlink, int result)
{
        char sentence[SENTENCE_MAX];
        int r;

        snprintf(sentence, sizeof(sentence), "%s", fault_sentence(result));
        r = wire_resync(stlink->wire);
        if (r == -FAULT_CANCELLED) {
                result = r;
                snprintf(sentence, sizeof(sentence), "%s", fault_sentence(r));
                r = wire_resync(stlink->wire);
        }
        if (r == -FAULT_UNPLUGGED && result != -FAULT_CANCELLED)
                return r;
        return fault((enum fault) - result, "%s", sentence);
}

static int send(struct stlink *stlink, const struct wire_exchange *exchange)
{
        int r = wire_exchange(stlink->wire, exchange);

        if (r == -FAULT_TIMEOUT || r == -FAULT_PROBE || r == -FAULT_CANCELLED)
                return back_in_step(stlink, r);
        return r;
}

int stlink_query(struct stlink *stlink, const struct wire_exchange *exchange)
{
        int r = send(stlink, exchange);

        if (r == -FAULT_TIMEOUT && exchange->in_length)
                r = send(stlink, exchange);
        return r;
}

/* DP ABORT <- 0x1E: STKCMPCLR, STKERRCLR, WDERRCLR, ORUNERRCLR (stlink.md 7.4). Its own status says
 * nothing new. */
static int clear_sticky(struct stlink *stlink)
{
        uint8_t reply[2];
        struct wire_exchange abort = {
                .command = { 0xF2, 0x46, 0xFF, 0xFF, 0, 0, 0x1E },
                .in = reply,
                .in_length = sizeof(reply),
        };

        return stlink->is_debugging ? send(stlink, &abort) : 0;
}

struct verdict {
        unsigned code; /* u16; byte 0 is decisive, byte 1 was never seen set (stlink.md 3.2) */
        uint32_t fault_address;
        bool has_fault_address;
};

/* Once: command, data, status. */
static int attempt(struct stlink *stlink, const struct stlink_command *command,
                   struct verdict *verdict)
{
        uint8_t reply[12];
        struct wire_exchange last_status = {
                .command = { 0xF2, 0x3E }, /* GETLASTRWSTATUS2 (stlink.md 9.3) */
                .in = reply,
                .in_length = sizeof(reply),
        };
        int r = send(stlink, &command->exchange);

        if (r < 0)
                return r;
        if (!command->is_bulk) {
                verdict->code = load_le16(command->exchange.in);
                return 0;
        }
        r = send(stlink, &last_status);
        if (r < 0)
                return r;
        verdict->code = load_le16(reply);
        verdict->fault_address = load_le32(reply + 4);
        verdict->has_fault_address = true;
        return 0;
}

static const struct stlink_status *judge(const struct stlink_command *command, unsigned code)
{
        if (code == STATUS_CONF_CHANGED && command->exchange.command[1] == OP_SWITCH_FREQUENCY)
                return stlink_status_find(STATUS_OK);
        return stlink_status_find(code <= 0xFF ? (uint8_t)code : 0xFF);
}

static int fail(const struct stlink_command *command, const struct stlink_status *status,
                const struct verdict *verdict, bool has_waited)
{
        const char *patience = has_waited ? " after 2 s of WAIT" : "";

        if (command->has_address && verdict->has_fault_address && verdict->fault_address)
                return fault(status->fault, "%s at 0x%08X: status %02X %s at 0x%08X%s",
                             command->name, command->address, verdict->code, status->name,
                             verdict->fault_address, patience);
        if (command->has_address)
                return fault(status->fault, "%s at 0x%08X: status %02X %s%s", command->name,
                             command->address, verdict->code, status->name, patience);
        return fault(status->fault, "%s: status %02X %s%s", command->name, verdict->code,
                     status->name, patience);
}

/* How often and how long one command has been repeated so far. */
struct patience {
        bool has_waited; /* a WAIT came: from now on a bus fault means "still busy" (Q9) */
        unsigned repeats;
        uint64_t pause_ns, deadline_ns;
};

static bool may_repeat(struct patience *patience, enum stlink_retry retry)
{
        switch (retry) {
        case STLINK_DONE:
        case STLINK_NEVER:
                return false;
        case STLINK_ONCE:
                return patience->repeats++ < 1;
        case STLINK_FEW:
                return patience->repeats++ < FEW;
        case STLINK_WAIT:
                patience->has_waited = true;
                break;
        case STLINK_BUS:
                break;
        }
        return patience->has_waited && clock_now_ns() + patience->pause_ns <= patience->deadline_ns;
}

int stlink_perform(struct stlink *stlink, struct stlink_command *command)
{
        struct patience patience = { .pause_ns = BACKOFF_FIRST_NS,
                                     .deadline_ns = clock_now_ns() + BACKOFF_TOTAL_NS };

        for (;;) {
                struct verdict verdict = { 0 };
                const struct stlink_status *status;
                bool repeat;
                int r = attempt(stlink, command, &verdict);

                if (r < 0)
                        return fault_prefix(r, "%s", command->name);
                status = judge(command, verdict.code);
                if (status->retry == STLINK_DONE)
                        return 0;
                repeat = may_repeat(&patience, status->retry);
                if (status->is_sticky && (!repeat || status->retry == STLINK_ONCE))
                        r = clear_sticky(stlink);
                if (!r && repeat)
                        r = fiber_sleep_ns(patience.pause_ns);
                if (r == -FAULT_CANCELLED || r == -FAULT_UNPLUGGED)
                        return r;
                if (!repeat)
                        return fail(command, status, &verdict, patience.has_waited);
                if (patience.pause_ns < BACKOFF_LAST_NS)
                        patience.pause_ns *= 2;
        }
}
