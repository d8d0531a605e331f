/*
 * A smart card reader of the USB device class "smart card": one slot, APDU level, a reference card in it.
 *
 * Cited as CCID: "Specification for Integrated Circuit(s) Cards Interface Devices", revision 1.1, 2005. The
 * reader does what its descriptor promises: it takes parameters from the ATR, exchanges short APDUs, speaks
 * T=0 or T=1 to the card by itself, tells card movements on its interrupt endpoint and asks for more time
 * while the card works. Vendor and product are those of a reader libccid knows; like that one it has no serial
 * number, so pcscd tells two of them apart by a number that changes when they are plugged in anew.
 *
 * Besides the words of slot.h it hears "fall command", "fall work" and "fall answer N": it is unplugged at the
 * next license, before the command reaches the card, while the card works, or after N bytes of the message
 * with the answer have gone over the bus; "busy N": it works N ms longer on the next license; and "extensions":
 * how often it has asked for more time.
 */
#include "scheduler/bytes.h"
#include "tests/rigs/parts/kinds.h"
#include "tests/rigs/parts/slot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OUT_ENDPOINT = 0x01, IN_ENDPOINT = 0x82, CHANGE_ENDPOINT = 0x83, PACKET = 64 };
enum { HEADER = 10, MESSAGE_MAX = HEADER + APDU_MAX };

/* CCID tables 6.1-1 and 6.2-1. */
enum { POWER_ON = 0x62, POWER_OFF = 0x63, GET_STATUS = 0x65, TRANSFER = 0x6F };
enum { GET_PARAMETERS = 0x6C, RESET_PARAMETERS = 0x6D, SET_PARAMETERS = 0x61, ABORT = 0x72 };
enum { DATA_BLOCK = 0x80, SLOT_STATUS = 0x81, PARAMETERS = 0x82 };
enum { NOTIFY_SLOT_CHANGE = 0x50 };

/* CCID table 6.2-3: bmICCStatus below, bmCommandStatus above. */
enum { CARD_ACTIVE = 0, CARD_INACTIVE = 1, CARD_NONE = 2 };
enum { FAILED = 1 << 6, MORE_TIME = 2 << 6 };

/* CCID table 6.2-2. Small numbers: the offset of the byte that is not understood. */
enum { MUTE = 0xFE, NOT_SUPPORTED = 0, BAD_LENGTH = 1, BAD_SLOT = 5 };

/* The card's wait is over after about a second (its WI in the ATR is the default 10; ISO/IEC 7816-3, 10.2);
 * the reader asks in time (CCID 6.2.6). */
#define EXTENSION_NS (300 * NS_PER_MS)
#define MUTE_NS      NS_PER_S

enum fall { FALL_NEVER, FALL_COMMAND, FALL_WORK, FALL_ANSWER };

struct ccid {
        struct slot slot;
        bool is_active, is_change_untold;
        uint8_t parameters[7];
        size_t parameters_length;
        uint8_t protocol;

        uint8_t answer[MESSAGE_MAX];
        size_t answer_length, answer_taken;

        bool is_working;
        struct slot_exchange exchange;
        uint8_t sequence;
        uint64_t done_ns, extend_ns, extra_ns;
        unsigned extensions;

        enum fall fall;
        size_t fall_at;
};

static struct card_profile profile;

/* clang-format off */
/* USB 2.0 tables 9-8, 9-10, 9-12, 9-13; CCID table 5.1-1 for the class descriptor. */
static const uint8_t descriptors[] = {
        18, 1, 0x00, 0x02, 0, 0, 0, 64, 0x2F, 0x07, 0x00, 0xB1, 0x00, 0x01, 1, 2, 0, 1,
        9, 2, 93, 0, 1, 1, 0, 0x80, 50,        /* one interface, configuration 1, 100 mA */
        9, 4, 0, 0, 3, 0x0B, 0, 0, 0,          /* class smart card, CCID protocol */
        54, 0x21, 0x10, 0x01, 0, 0x07,         /* CCID 1.10, slot 0, 5 V 3 V 1.8 V */
        3, 0, 0, 0,                            /* dwProtocols: T=0, T=1 */
        0xA0, 0x0F, 0, 0, 0xA0, 0x0F, 0, 0, 0, /* clock 4 MHz, no choice */
        0x00, 0x2A, 0, 0, 0x00, 0x2A, 0, 0, 0, /* 10752 bit/s, no choice */
        0xFE, 0, 0, 0,                         /* dwMaxIFSD 254 */
        0, 0, 0, 0, 0, 0, 0, 0,                /* no synchronous cards, no mechanics */
        0xBA, 0x04, 0x02, 0x00,                /* all by itself from the ATR; short APDUs */
        MESSAGE_MAX & 0xFF, MESSAGE_MAX >> 8, 0, 0,
        0xFF, 0xFF, 0, 0, 0, 1,                /* classes echoed, no display, no keypad, one busy slot */
        7, 5, OUT_ENDPOINT, 2, PACKET, 0, 0,
        7, 5, IN_ENDPOINT, 2, PACKET, 0, 0,
        7, 5, CHANGE_ENDPOINT, 3, 8, 0, 16,
};
/* clang-format on */

static int load(void)
{
        return card_profile_load("configs/cards/reference.conf", &profile);
}

/* --- answers ------------------------------------------------------------------------------- */

static uint8_t card_status(const struct ccid *ccid)
{
        if (!ccid->slot.is_in)
                return CARD_NONE;
        return ccid->is_active ? CARD_ACTIVE : CARD_INACTIVE;
}

/* CCID 6.2: header, status, error, one byte more, data. */
static void reply(struct ccid *ccid, uint8_t type, uint8_t sequence, uint8_t status, uint8_t error,
                  const void *data, size_t length)
{
        uint8_t *answer = ccid->answer;

        memset(answer, 0, HEADER);
        answer[0] = type;
        store_le32(answer + 1, (uint32_t)length);
        answer[6] = sequence;
        answer[7] = status | card_status(ccid);
        answer[8] = error;
        if (length)
                memcpy(answer + HEADER, data, length);
        ccid->answer_length = HEADER + length;
        ccid->answer_taken = 0;
}

static void power_on(struct ccid *ccid, uint8_t sequence)
{
        if (!ccid->slot.is_in || ccid->slot.is_dead) {
                ccid->is_active = false;
                reply(ccid, DATA_BLOCK, sequence, FAILED, MUTE, NULL, 0);
                return;
        }
        slot_reset(&ccid->slot);
        ccid->is_active = true;
        reply(ccid, DATA_BLOCK, sequence, 0, 0, profile.atr, profile.atr_length);
}

/* CCID 6.1.7: the bytes for T=0 or T=1, taken as given. 6.2.3: told again. */
static void take_parameters(struct ccid *ccid, const uint8_t *message, size_t length)
{
        ccid->protocol = message[7];
        ccid->parameters_length =
                length < sizeof(ccid->parameters) ? length : sizeof(ccid->parameters);
        memcpy(ccid->parameters, message + HEADER, ccid->parameters_length);
}

static void tell_parameters(struct ccid *ccid, uint8_t sequence)
{
        reply(ccid, PARAMETERS, sequence, 0, 0, ccid->parameters, ccid->parameters_length);
        ccid->answer[9] = ccid->protocol;
}

static void reset_parameters(struct ccid *ccid)
{
        static const uint8_t defaults[5] = { 0x11, 0, 0, 10, 0 }; /* T=0: Fi 372, Di 1, WI 10 */

        ccid->protocol = 0;
        ccid->parameters_length = sizeof(defaults);
        memcpy(ccid->parameters, defaults, sizeof(defaults));
}

static void transfer(struct ccid *ccid, uint64_t now_ns, const uint8_t *message, size_t length)
{
        bool is_license = length > CERTIFICATE_LENGTH;

        if (!ccid->slot.is_in || !ccid->is_active) {
                reply(ccid, DATA_BLOCK, message[6], FAILED, MUTE, NULL, 0);
                return;
        }
        slot_begin(&ccid->slot, message + HEADER, length, &ccid->exchange);
        if (is_license)
                ccid->exchange.duration_ns += ccid->extra_ns;
        if (is_license)
                ccid->extra_ns = 0;
        if (ccid->slot.is_dead)
                ccid->exchange.duration_ns = MUTE_NS;
        ccid->is_working = true;
        ccid->sequence = message[6];
        ccid->done_ns = now_ns + ccid->exchange.duration_ns;
        if (is_license && ccid->fall == FALL_WORK)
                ccid->done_ns -= ccid->exchange.duration_ns / 2;
        ccid->extend_ns = now_ns + EXTENSION_NS;
}

static void obey(struct ccid *ccid, uint64_t now_ns, const uint8_t *message, size_t length)
{
        uint8_t type = message[0], sequence = message[6];

        if (message[5] != 0) {
                reply(ccid, SLOT_STATUS, sequence, FAILED, BAD_SLOT, NULL, 0);
                return;
        }
        switch (type) {
        case POWER_ON:
                power_on(ccid, sequence);
                return;
        case POWER_OFF:
                ccid->is_active = false;
                reply(ccid, SLOT_STATUS, sequence, 0, 0, NULL, 0);
                return;
        case GET_STATUS:
        case ABORT:
                reply(ccid, SLOT_STATUS, sequence, 0, 0, NULL, 0);
                return;
        case TRANSFER:
                transfer(ccid, now_ns, message, length);
                return;
        case RESET_PARAMETERS:
                reset_parameters(ccid);
                tell_parameters(ccid, sequence);
                return;
        case SET_PARAMETERS:
                take_parameters(ccid, message, length);
                tell_parameters(ccid, sequence);
                return;
        case GET_PARAMETERS:
                tell_parameters(ccid, sequence);
                return;
        default:
                reply(ccid, SLOT_STATUS, sequence, FAILED, NOT_SUPPORTED, NULL, 0);
        }
}

/* --- the card at work ---------------------------------------------------------------------- */

static void note_change(struct ccid *ccid)
{
        ccid->is_change_untold = true;
        if (!ccid->slot.is_in)
                ccid->is_active = false;
}

static void finish(struct ccid *ccid)
{
        const struct slot_exchange *exchange = &ccid->exchange;
        bool has_answer = exchange->is_whole;

        ccid->is_working = false;
        if (exchange->is_pulled) {
                slot_pull(&ccid->slot);
                note_change(ccid);
        }
        if (has_answer)
                reply(ccid, DATA_BLOCK, ccid->sequence, 0, 0, exchange->answer, exchange->length);
        else
                reply(ccid, DATA_BLOCK, ccid->sequence, FAILED, MUTE, NULL, 0);
        wipe(&ccid->exchange, sizeof(ccid->exchange));
}

/* Let time pass. */
static void look(struct device *device, uint64_t now_ns)
{
        struct ccid *ccid = device->model;
        bool is_gone = !ccid->slot.is_in; /* by hand, meanwhile */

        if (!ccid->is_working)
                return;
        if (now_ns >= ccid->done_ns && ccid->fall == FALL_WORK) {
                device->is_falling = true;
        } else if (now_ns >= ccid->done_ns || is_gone) {
                ccid->exchange.is_whole = ccid->exchange.is_whole && !is_gone;
                finish(ccid);
        } else if (now_ns >= ccid->extend_ns && ccid->answer_taken == ccid->answer_length) {
                reply(ccid, DATA_BLOCK, ccid->sequence, MORE_TIME, 1, NULL, 0); /* one more wait */
                ccid->extend_ns = now_ns + EXTENSION_NS;
                ccid->extensions++;
        }
}

/* --- the kind ------------------------------------------------------------------------------ */

static void power_up(struct device *device)
{
        struct ccid *ccid = device->model;

        ccid->is_active = ccid->is_working = false;
        ccid->is_change_untold = true; /* CCID 6.3.1: told once after the configuration is set */
        ccid->answer_length = ccid->answer_taken = 0;
        ccid->fall = FALL_NEVER;
        reset_parameters(ccid);
        slot_reset(&ccid->slot);
}

/* RIG_SPEED scales the card's durations; RIG_LICENSES is what each card starts with, 0 blank ones. */
static void create(struct device *device, unsigned index)
{
        struct ccid *ccid = calloc(1, sizeof(*ccid));
        const char *speed = getenv("RIG_SPEED"), *licenses = getenv("RIG_LICENSES");

        INSIST(ccid);
        device->model = ccid;
        slot_make(&ccid->slot, &profile, 1 + index, licenses ? (uint32_t)atoi(licenses) : 100,
                  speed ? atof(speed) : 1.0);
        power_up(device);
}

static int out(struct device *device, uint64_t now_ns, const void *data, size_t length)
{
        struct ccid *ccid = device->model;
        const uint8_t *message = data;

        if (ccid->is_working)
                return -EAGAIN;
        if (length < HEADER || length > MESSAGE_MAX)
                return -EPIPE;
        if (load_le32(message + 1) != length - HEADER) {
                reply(ccid, SLOT_STATUS, message[6], FAILED, BAD_LENGTH, NULL, 0);
                return (int)length;
        }
        if (ccid->fall == FALL_COMMAND && length - HEADER > CERTIFICATE_LENGTH) {
                device->is_falling = true;
                return -EAGAIN;
        }
        obey(ccid, now_ns, message, length - HEADER);
        return (int)length;
}

/* CCID 6.3.1: two bits a slot, is it there and has that changed. */
static int tell_change(struct ccid *ccid, void *data, size_t capacity)
{
        const uint8_t message[2] = { NOTIFY_SLOT_CHANGE, (ccid->slot.is_in ? 1 : 0) | 2 };

        if (!ccid->is_change_untold || capacity < sizeof(message))
                return -EAGAIN;
        ccid->is_change_untold = false;
        memcpy(data, message, sizeof(message));
        return (int)sizeof(message);
}

/* The packets before the fall go over; the transfer ends with the device. */
static void fall_in_answer(struct device *device, void *data, size_t capacity)
{
        const struct ccid *ccid = device->model;
        size_t arrived = ccid->fall_at / PACKET * PACKET;

        if (arrived <= capacity && arrived <= ccid->answer_length) {
                memcpy(data, ccid->answer, arrived);
                device->arrived = arrived;
                device->arrived_on = IN_ENDPOINT;
        }
        device->is_falling = true;
}

static int in(struct device *device, uint64_t now_ns, uint8_t endpoint, void *data, size_t capacity)
{
        struct ccid *ccid = device->model;

        look(device, now_ns);
        if (endpoint == CHANGE_ENDPOINT)
                return tell_change(ccid, data, capacity);
        if (device->is_falling || ccid->answer_taken == ccid->answer_length)
                return -EAGAIN;
        if (ccid->fall == FALL_ANSWER && ccid->answer_length >= HEADER + LICENSE_LENGTH) {
                fall_in_answer(device, data, capacity);
                return -EAGAIN;
        }
        return device_give_packets(ccid->answer, ccid->answer_length, &ccid->answer_taken, PACKET,
                                   data, capacity);
}

static uint64_t wake_ns(struct device *device, uint64_t now_ns)
{
        const struct ccid *ccid = device->model;
        uint64_t next_ns;

        if (!ccid->is_working)
                return UINT64_MAX;
        next_ns = ccid->done_ns < ccid->extend_ns ? ccid->done_ns : ccid->extend_ns;
        return next_ns > now_ns ? next_ns : now_ns + NS_PER_MS;
}

static int tell(struct device *device, uint64_t now_ns, const char *words)
{
        struct ccid *ccid = device->model;
        bool was_in = ccid->slot.is_in;
        unsigned number;
        int r = 0;

        (void)now_ns;
        if (strcmp(words, "fall command") == 0) {
                ccid->fall = FALL_COMMAND;
        } else if (strcmp(words, "fall work") == 0) {
                ccid->fall = FALL_WORK;
        } else if (sscanf(words, "fall answer %u", &number) == 1) {
                ccid->fall = FALL_ANSWER;
                ccid->fall_at = number;
        } else if (sscanf(words, "busy %u", &number) == 1) {
                ccid->extra_ns = number * NS_PER_MS;
        } else if (strcmp(words, "extensions") == 0) {
                return (int)ccid->extensions;
        } else {
                r = slot_tell(&ccid->slot, words);
        }
        if (was_in != ccid->slot.is_in)
                note_change(ccid);
        return r;
}

const struct device_kind ccid_kind = {
        .name = "ccid",
        .manufacturer = "Gangway rig",
        .product = "CCID reader",
        .interface = "",
        .descriptors = descriptors,
        .descriptors_length = sizeof(descriptors),
        .mbit = 12,
        .load = load,
        .create = create,
        .power_up = power_up,
        .out = out,
        .in = in,
        .wake_ns = wake_ns,
        .tell = tell,
};
