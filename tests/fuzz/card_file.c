/* A simulated card's file, then the card that was made of it: every file is refused or is a card
 * that answers, and nothing that is asked of it breaks its own rules. The file, then APDUs: a
 * length and so many bytes each. */
#include "tests/support/fuzz.h"

#include "drivers/apdu.h"
#include "drivers/simulated/card.h"
#include "scheduler/bytes.h"
#include "tests/support/card_text.h"

#include <stdlib.h>
#include <string.h>

static void demand(bool claim)
{
        if (!claim)
                abort();
}

static int tell(struct simulated_card *card, const void *apdu, size_t length, uint8_t *answer)
{
        uint64_t duration_ns;
        int r = simulated_card_apdu(card, apdu, length, answer, &duration_ns);

        demand(r >= 2 && (unsigned)r <= APDU_ANSWER_MAX);
        return r;
}

/* The profile's commands, for the simulated card's application. */
static const struct card_profile *own_profile(void)
{
        static const uint8_t aid[] = { 0xF0, 'G', 'A', 'N', 'G', 'W', 'A', 'Y', 1 };
        static struct card_profile profile;

        if (profile.aid_length == 0) {
                profile = *card_text_profile();
                memcpy(profile.aid, aid, sizeof(aid));
                profile.aid_length = sizeof(aid);
        }
        return &profile;
}

static void check_info(struct simulated_card *card, const struct card_memory *memory)
{
        struct apdu_facts facts = { 0 };
        uint8_t answer[APDU_ANSWER_MAX];
        struct apdu apdu;
        int r;

        apdu_build(own_profile(), CARD_SELECT, 0, NULL, &apdu);
        r = tell(card, apdu.bytes, apdu.length, answer);
        demand(apdu_read(own_profile(), CARD_SELECT, 0, answer, (size_t)r, &facts) == 0);
        apdu_build(own_profile(), CARD_INFO, 0, NULL, &apdu);
        r = tell(card, apdu.bytes, apdu.length, answer);
        demand(apdu_read(own_profile(), CARD_INFO, 0, answer, (size_t)r, &facts) == 0);
        demand(apdu_check_info(own_profile(), &facts) == 0);
        demand((uint32_t)facts.info.state == memory->state);
}

/* Once operational, always; the key stays; the counter only goes down. */
static void check_step(const struct card_memory *before, const struct card_memory *after)
{
        if (before->state != HSM_STATE_OPERATIONAL)
                return;
        demand(after->state == HSM_STATE_OPERATIONAL);
        demand(after->counter <= before->counter && before->counter - after->counter <= 1);
        demand(memcmp(before->iv, after->iv, 32) == 0 && before->maximum == after->maximum);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        struct card_memory memory, before, again;
        struct card_settings settings = { .profile = own_profile(), .memory = &memory, .speed = 0 };
        size_t file = length < CARD_MEMORY_LENGTH ? length : CARD_MEMORY_LENGTH, at = file;
        uint8_t answer[APDU_ANSWER_MAX];
        struct simulated_card *card;
        int r = card_memory_parse("fuzz", data, file, &memory);

        demand(r == 0 || r == -FAULT_BAD_FILE);
        if (r < 0)
                return 0;
        card = simulated_card_create(&settings);
        check_info(card, &memory);
        while (at < length) {
                size_t wanted = data[at++];
                size_t step = wanted < length - at ? wanted : length - at;
                uint8_t *apdu = malloc(step ? step : 1); /* exactly as long */

                before = memory;
                memcpy(apdu, data + at, step);
                (void)tell(card, apdu, step, answer);
                free(apdu);
                at += step;
                check_step(&before, &memory);
                demand(card_memory_parse("again", &memory, sizeof(memory), &again) == 0);
        }
        check_info(card, &memory);
        simulated_card_destroy(card);
        return 0;
}
