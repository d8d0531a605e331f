/* Answers of a card: whatever comes, what is believed is well formed, and texts end. */
#include "tests/support/fuzz.h"

#include "drivers/apdu.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        struct hsm_info info = { 0 };
        uint8_t license[LICENSE_LENGTH];
        /* exactly as long as the answer, so that a byte too far is seen */
        uint8_t *answer = malloc(length ? length : 1);
        int r;

        if (!answer || length > 4 * APDU_ANSWER_MAX) {
                free(answer);
                return 0;
        }
        memcpy(answer, data, length);
        r = apdu_parse_info(answer, length, &info);
        demand(r == 0 || r == -FAULT_CARD_REFUSED || r == -FAULT_CARD_DEAD);
        if (r == 0)
                check_info(&info);
        r = apdu_parse_license(answer, length, license);
        demand((r == 0) == (length == LICENSE_LENGTH + 2 && answer[length - 2] == 0x90 &&
                            answer[length - 1] == 0));
        r = apdu_parse_select(answer, length);
        demand(r == 0 || r == -FAULT_CARD_REFUSED || r == -FAULT_CARD_DEAD);
        r = apdu_parse_personalize(answer, length);
        demand((r == 0) == (length == 2 && answer[0] == 0x90 && answer[1] == 0));
        demand(r == 0 || r == -FAULT_CARD_STATE || r == -FAULT_CARD_REFUSED ||
               r == -FAULT_CARD_DEAD);
        free(answer);
        return 0;
}
