/*
 * t0.c - the four cases of a short APDU and what T=0 makes of them (ISO/IEC 7816-3, 12.2.1).
 */
#include "drivers/t0.h"

#include "scheduler/bytes.h"

#define SHORT_ANSWER_MAX 256

/* More exchanges than any answer of 256 bytes can need, a byte at a time. */
#define STEPS_MAX 260

struct talk {
        t0_exchange *exchange;
        void *context;
        uint8_t *answer; /* collected so far */
        size_t length;
};

/* Case 4: header, Lc, data, Le. The Le is not sent. */
static size_t length_without_le(const uint8_t *apdu, size_t length)
{
        bool has_data = length > 5;

        return has_data && length == 5u + apdu[4] + 1u ? length - 1 : length;
}

/* One exchange; its data are appended. Returns the status. */
static int talk_step(struct talk *talk, const uint8_t *command, size_t length)
{
        uint8_t answer[APDU_ANSWER_MAX];
        int r = talk->exchange(talk->context, command, length, answer);
        size_t data;

        if (r < 0)
                return r;
        if (r < 2)
                return fault(FAULT_CARD_DEAD, "the card answered %d byte(s), a status has 2", r);
        data = (size_t)r - 2;
        if (talk->length + data > SHORT_ANSWER_MAX)
                r = fault(FAULT_CARD_DEAD, "the card's answer is longer than %d bytes",
                          SHORT_ANSWER_MAX);
        else
                memcpy(talk->answer + talk->length, answer, data);
        if (r >= 0) {
                talk->length += data;
                r = load_be16(answer + data);
        }
        wipe(answer, sizeof(answer));
        return r;
}

static int converse(struct talk *talk, uint8_t *command, size_t command_length)
{
        for (int steps = 0; steps < STEPS_MAX; steps++) {
                int status = talk_step(talk, command, command_length);

                if (status < 0)
                        return status;
                if (status >> 8 == 0x61) { /* xx bytes wait: GET RESPONSE */
                        memcpy(command, "\x00\xC0\x00\x00", 4);
                        command[4] = (uint8_t)status;
                        command_length = 5;
                } else if (status >> 8 == 0x6C && command_length <= 5) { /* the same with Le xx */
                        command[4] = (uint8_t)status;
                        command_length = 5;
                } else {
                        talk->answer[talk->length] = (uint8_t)(status >> 8);
                        talk->answer[talk->length + 1] = (uint8_t)status;
                        return (int)talk->length + 2;
                }
        }
        return fault(FAULT_CARD_DEAD, "the card asks for GET RESPONSE without end");
}

int t0_transmit(t0_exchange *exchange, void *context, const uint8_t *apdu, size_t length,
                uint8_t ret_answer[static APDU_ANSWER_MAX])
{
        struct talk talk = { exchange, context, ret_answer, 0 };
        uint8_t command[APDU_MAX];
        size_t command_length = length_without_le(apdu, length);
        int r;

        memcpy(command, apdu, command_length);
        r = converse(&talk, command, command_length);
        wipe(command, sizeof(command)); /* PERSONALIZE carries a key */
        return r;
}
