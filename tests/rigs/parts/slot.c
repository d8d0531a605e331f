#include "tests/rigs/parts/slot.h"

#include "drivers/simulated/card_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Only LICENSE carries a certificate: no other command of these tests is so long. */
static bool is_license(size_t length)
{
        return length > CERTIFICATE_LENGTH;
}

static void make_card(struct slot *slot)
{
        struct card_settings settings = {
                .profile = slot->profile,
                .counter = &slot->counter,
                .maximum = slot->is_blank ? 0 : 1000,
                .key = "sixteen key byte",
                .nonce = "twelve nonce",
                .firmware_id = "TEST_1",
                .state = slot->is_blank ? HSM_STATE_OEM : HSM_STATE_OPERATIONAL,
                .version = slot->is_blank ? 2 : 1,
                .serial = slot->serial,
                .license_ms_low = 1000,
                .license_ms_high = 2000,
                .speed = slot->speed,
                .seed = slot->serial,
        };

        slot->card = simulated_card_create(&settings);
        slot->is_dead = false;
}

void slot_make(struct slot *slot, const struct card_profile *profile, uint64_t serial,
               uint32_t count, double speed)
{
        *slot = (struct slot){ .profile = profile,
                               .serial = serial,
                               .speed = speed,
                               .counter = count,
                               .is_in = true,
                               .is_blank = count == 0 };
        make_card(slot);
}

size_t slot_command_reaches(const struct slot *slot, size_t length)
{
        if (slot->yank != YANK_COMMAND || !is_license(length) || slot->yank_at >= length)
                return length;
        return slot->yank_at;
}

void slot_begin(struct slot *slot, const uint8_t *apdu, size_t length,
                struct slot_exchange *ret_exchange)
{
        uint32_t before = slot->counter;
        int r;

        *ret_exchange = (struct slot_exchange){ .length = 0 };
        if (slot_command_reaches(slot, length) < length) {
                ret_exchange->is_pulled = true;
                return;
        }
        r = simulated_card_apdu(slot->card, apdu, length, ret_exchange->answer,
                                &ret_exchange->duration_ns);
        if (slot->counter < before)
                slot->spent += before - slot->counter;
        if (r < 0)
                return;
        ret_exchange->length = (size_t)r;
        ret_exchange->is_whole = true;
        if (!is_license(length) || slot->yank == YANK_NONE)
                return;
        ret_exchange->is_pulled = true;
        if (slot->yank == YANK_WORK)
                ret_exchange->duration_ns /= 2;
        if (slot->yank == YANK_WORK || slot->yank_at < ret_exchange->length) {
                ret_exchange->length = slot->yank == YANK_WORK ? 0 : slot->yank_at;
                ret_exchange->is_whole = false;
        }
}

void slot_pull(struct slot *slot)
{
        slot->is_in = false;
        slot->yank = YANK_NONE;
        simulated_card_reset(slot->card);
}

void slot_reset(struct slot *slot)
{
        simulated_card_reset(slot->card);
}

/* --- words --------------------------------------------------------------------------------- */

static int arm(struct slot *slot, const char *where)
{
        unsigned at = 0;

        if (strcmp(where, "work") == 0)
                slot->yank = YANK_WORK;
        else if (sscanf(where, "command %u", &at) == 1)
                slot->yank = YANK_COMMAND;
        else if (sscanf(where, "answer %u", &at) == 1)
                slot->yank = YANK_ANSWER;
        else
                return -1;
        slot->yank_at = at;
        return 0;
}

int slot_tell(struct slot *slot, const char *words)
{
        unsigned number;

        if (strncmp(words, "yank ", 5) == 0)
                return arm(slot, words + 5);
        if (sscanf(words, "counter %u", &number) == 1) {
                slot->counter = number;
        } else if (strcmp(words, "spent") == 0) {
                return (int)slot->spent;
        } else if (strcmp(words, "out") == 0) {
                slot_pull(slot);
        } else if (strcmp(words, "in") == 0) {
                slot->is_in = true;
        } else if (strcmp(words, "kill") == 0) {
                simulated_card_kill(slot->card);
                slot->is_dead = true;
        } else {
                return -1;
        }
        return 0;
}
