/*
 * The firmware of a simulated ST-LINK: packets in, packets out (stlink.md 3 to 6).
 *
 * A command of 16 bytes comes in; what it does to the part happens at once, at the time the command
 * will be finished, and its answer waits in line until the host fetches it. Commands with data wait
 * for their data first. Time: one USB turn-round a command, the bytes on USB, the clocks on SWD.
 *
 * probe_debug.c holds the F2 commands, probe_memory.c those that move memory.
 */
#include "drivers/simulated/probe_private.h"

#include "scheduler/bytes.h"

#include <stdlib.h>

#define TURN_ROUND_V3_US 280u /* stlink.md 12.2 */
#define TURN_ROUND_V2_US 1000u
#define USB_RATE_V3      40000000u /* bytes a second, stlink.md 12.2 */
#define USB_RATE_V2      1216000u
#define PACKET_V3        512u
#define PACKET_V2        64u

/* V3J15M7B5S1 and V2J37M27 */
#define V3_STORAGE 7u
#define V3_BRIDGE  5u
#define V3_SWIM    1u
#define V2_STORAGE 27u

#define CLOCK_START_KHZ_V3 24000u
#define CLOCK_START_KHZ_V2 1800u /* divisor 1: stlink.md 6.1 */

/* Half the target voltage against 1.2 V: stlink.md 5.4. 3.3 V, and 0.11 V as measured unpowered. */
#define ADC_REFERENCE 1489u
#define ADC_POWERED   2047u
#define ADC_EMPTY     69u

struct simulated_probe *probe_create(const struct probe_settings *settings)
{
        struct simulated_probe *probe = calloc(1, sizeof(*probe));

        INSIST(probe);
        probe->settings = *settings;
        probe->is_v3 = settings->product != 0x374B;
        probe->data = malloc(DATA_CAPACITY);
        INSIST(probe->data);
        for (unsigned i = 0; i < ANSWERS_MAX; i++) {
                probe->answers[i].bytes = malloc(ANSWER_CAPACITY);
                INSIST(probe->answers[i].bytes);
        }
        probe_power_up(probe);
        return probe;
}

struct simulated_probe *probe_destroy(struct simulated_probe *probe)
{
        if (!probe)
                return NULL;
        for (unsigned i = 0; i < ANSWERS_MAX; i++)
                free(probe->answers[i].bytes);
        free(probe->data);
        free(probe->misc);
        free(probe);
        return NULL;
}

void probe_set_part(struct simulated_probe *probe, struct simulated_part *part)
{
        probe->part = part;
        probe->is_empty_seen = false;
        if (part)
                part_hold_reset(part, probe->time_ns, probe->is_nrst_low);
}

/* The last clock stays with the probe while it has power (Q10), and only so long. */
void probe_power_up(struct simulated_probe *probe)
{
        probe->mode = MODE_MASS;
        probe->clock_khz = probe->is_v3 ? CLOCK_START_KHZ_V3 : CLOCK_START_KHZ_V2;
        probe->answer_count = probe->answer_first = 0;
        probe->data_wanted = probe->data_length = 0;
        probe->misc_count = 0;
        probe->has_stall = probe->is_empty_seen = false;
        probe->last_status = STATUS_OK;
        probe->last_fault = 0;
        probe_leave_debug(probe);
}

bool probe_has_seen_empty(const struct simulated_probe *probe)
{
        return probe->is_empty_seen;
}

const char *probe_serial(const struct simulated_probe *probe)
{
        return probe->settings.serial;
}

uint16_t probe_product(const struct simulated_probe *probe)
{
        return probe->settings.product;
}

/* --- time ---------------------------------------------------------------------------------- */

static void spend(struct simulated_probe *probe, uint64_t duration_ns)
{
        probe->time_ns += (uint64_t)((double)duration_ns * probe->settings.speed);
}

void probe_spend_clocks(struct simulated_probe *probe, uint64_t clocks)
{
        spend(probe, clocks * 1000000u / probe->clock_khz);
}

static void spend_usb(struct simulated_probe *probe, size_t length)
{
        spend(probe, (uint64_t)length * NS_PER_S / (probe->is_v3 ? USB_RATE_V3 : USB_RATE_V2));
}

/* --- answers ------------------------------------------------------------------------------- */

/* With the line full the oldest is lost: firmware has no memory for more. */
uint8_t *probe_answer(struct simulated_probe *probe, size_t length)
{
        struct probe_answer *answer;

        INSIST(length <= ANSWER_CAPACITY);
        if (probe->answer_count == ANSWERS_MAX) {
                probe->answer_first = (probe->answer_first + 1) % ANSWERS_MAX;
                probe->answer_count--;
        }
        answer = &probe->answers[(probe->answer_first + probe->answer_count) % ANSWERS_MAX];
        probe->answer_count++;
        answer->length = length;
        answer->taken = 0;
        memset(answer->bytes, 0, length);
        return answer->bytes;
}

void probe_answer_status(struct simulated_probe *probe, uint8_t status)
{
        probe_answer(probe, 2)[0] = status;
}

void probe_stall(struct simulated_probe *probe)
{
        probe->has_stall = true;
}

bool probe_take_stall(struct simulated_probe *probe)
{
        bool had = probe->has_stall;

        probe->has_stall = false;
        return had;
}

int probe_in(struct simulated_probe *probe, uint64_t now_ns, void *data, size_t capacity)
{
        struct probe_answer *answer = &probe->answers[probe->answer_first];
        size_t packet = probe->is_v3 ? PACKET_V3 : PACKET_V2;
        size_t count;

        if (probe->answer_count == 0 || now_ns < answer->ready_ns)
                return -1;
        count = answer->length - answer->taken;
        if (count > capacity)
                count = capacity;
        memcpy(data, answer->bytes + answer->taken, count);
        answer->taken += count;
        /* The rest stays only behind a whole packet; a packet cut short is lost (stlink.md 3.1). */
        if (answer->taken == answer->length || capacity % packet != 0) {
                probe->answer_first = (probe->answer_first + 1) % ANSWERS_MAX;
                probe->answer_count--;
        }
        return (int)count;
}

void probe_want_data(struct simulated_probe *probe, size_t length)
{
        INSIST(length <= DATA_CAPACITY);
        probe->data_wanted = length;
        probe->data_length = 0;
}

/* --- commands outside debug ---------------------------------------------------------------- */

static void answer_version(struct simulated_probe *probe)
{
        uint8_t *answer = probe_answer(probe, 6);
        unsigned word =
                probe->is_v3 ? 0x3000u
                             : 0x2000u | (unsigned)probe->settings.jtag_version << 6 | V2_STORAGE;

        answer[0] = (uint8_t)(word >> 8); /* the one big-endian field: stlink.md 4.1 */
        answer[1] = (uint8_t)word;
        store_le16(answer + 2, 0x0483);
        store_le16(answer + 4, probe->settings.product);
}

static void answer_version_extended(struct simulated_probe *probe)
{
        uint8_t *answer;

        if (!probe->is_v3) {
                probe_answer_status(probe, STATUS_UNKNOWN_CMD);
                return;
        }
        answer = probe_answer(probe, 12);
        answer[0] = 3;
        answer[1] = V3_SWIM;
        answer[2] = probe->settings.jtag_version;
        answer[3] = V3_STORAGE;
        answer[4] = V3_BRIDGE;
        store_le16(answer + 8, 0x0483);
        store_le16(answer + 10, probe->settings.product);
}

static void answer_voltage(struct simulated_probe *probe)
{
        uint8_t *answer = probe_answer(probe, 8);
        bool is_powered = probe->part && part_is_powered(probe->part);

        store_le32(answer, ADC_REFERENCE);
        store_le32(answer + 4, is_powered ? ADC_POWERED : ADC_EMPTY);
        if (!is_powered)
                probe->is_empty_seen = true;
}

static void run_command(struct simulated_probe *probe, const uint8_t *command)
{
        switch (command[0]) {
        case 0xF1:
                answer_version(probe);
                break;
        case 0xFB:
                answer_version_extended(probe);
                break;
        case 0xF2:
                if (!probe_debug_command(probe, command))
                        probe_answer_status(probe, STATUS_UNKNOWN_CMD);
                break;
        case 0xF3: /* leave the loader: we are not in it */
        case 0xF4: /* SWIM 01 leaves it; nothing else of SWIM is here */
                if (command[0] == 0xF4 ? command[1] != 1 : command[1] != 7)
                        probe_answer_status(probe, STATUS_UNKNOWN_CMD);
                break;
        case 0xF5:
                probe_answer(probe, 2)[0] = (uint8_t)probe->mode;
                break;
        case 0xF7:
                answer_voltage(probe);
                break;
        default:
                probe_answer_status(probe, STATUS_UNKNOWN_CMD);
                break;
        }
}

/* A command asks for data or leaves an answer; what it left is ready when the time it took is
 * over. */
static void finish(struct simulated_probe *probe, unsigned answers_before)
{
        unsigned last = (probe->answer_first + probe->answer_count - 1) % ANSWERS_MAX;

        if (probe->answer_count == answers_before && answers_before != ANSWERS_MAX)
                return;
        if (probe->answer_count == 0)
                return;
        spend_usb(probe, probe->answers[last].length);
        probe->answers[last].ready_ns = probe->time_ns;
}

static void take_command(struct simulated_probe *probe, const uint8_t *command)
{
        unsigned before = probe->answer_count;

        spend(probe, (probe->is_v3 ? TURN_ROUND_V3_US : TURN_ROUND_V2_US) * NS_PER_US);
        memcpy(probe->command, command, sizeof(probe->command));
        run_command(probe, command);
        finish(probe, before);
}

static void take_data(struct simulated_probe *probe, const void *data, size_t length)
{
        size_t rest = probe->data_wanted - probe->data_length;
        size_t count = length < rest ? length : rest;

        memcpy(probe->data + probe->data_length, data, count);
        probe->data_length += count;
        spend_usb(probe, count);
        if (probe->data_length < probe->data_wanted)
                return;
        probe->data_wanted = 0;
        probe_memory_data(probe);
}

uint64_t probe_out(struct simulated_probe *probe, uint64_t now_ns, const void *data, size_t length)
{
        if (now_ns > probe->time_ns)
                probe->time_ns = now_ns;
        if (probe->data_wanted > 0)
                take_data(probe, data, length);
        else if (length == WIRE_COMMAND_LENGTH)
                take_command(probe, data);
        else
                probe_stall(probe); /* commands are 16 bytes, always: stlink.md 3.1 */
        return probe->time_ns;
}
