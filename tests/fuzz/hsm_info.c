/* Answers of a card: whatever comes, what is believed is well formed, and texts end. */
#include "tests/support/fuzz.h"

#include "drivers/apdu.h"
#include "tests/support/card_text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static void demand(bool claim)
{
        if (!claim)
                abort();
}

static void check_info(const struct hsm_info *info)
{
        demand(info->counter <= info->maximum);
        demand(info->version == 1 || info->version == 2);
        demand(info->state <= HSM_STATE_UNKNOWN);
        demand(info->type[0] && memchr(info->type, 0, sizeof(info->type)));
        demand(memchr(info->firmware_id, 0, sizeof(info->firmware_id)));
        demand(strlen(info->serial) == 16);
        for (const char *c = info->firmware_id; *c; c++)
                demand(isprint((unsigned char)*c));
}

static bool is_status(int r)
{
        return r == -FAULT_CARD_REFUSED || r == -FAULT_CARD_DEAD;
}

static void read_all(const uint8_t *answer, size_t length)
{
        const struct card_profile *profile = card_text_profile();
        struct apdu_facts facts = { 0 };
        bool is_good = length >= 2 && answer[length - 2] == 0x90 && answer[length - 1] == 0;
        int r = apdu_read(profile, CARD_INFO, 0, answer, length, &facts);

        if (r == 0)
                r = apdu_check_info(profile, &facts);
        demand(r == 0 || is_status(r));
        if (r == 0)
                check_info(&facts.info);
        r = apdu_read(profile, CARD_LICENSE, 0, answer, length, &facts);
        demand((r == 0) == (is_good && length == LICENSE_LENGTH + 2));
        r = apdu_read(profile, CARD_SELECT, 0, answer, length, &facts);
        demand(r == 0 || is_status(r));
        r = apdu_read(profile, CARD_PERSONALIZE, 0, answer, length, &facts);
        demand((r == 0) == (is_good && length == 2));
        demand(r == 0 || r == -FAULT_CARD_STATE || is_status(r));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        /* exactly as long as the answer, so that a byte too far is seen */
        uint8_t *answer = malloc(length ? length : 1);

        if (answer && length <= 4 * APDU_ANSWER_MAX) {
                memcpy(answer, data, length);
                read_all(answer, length);
        }
        free(answer);
        return 0;
}
