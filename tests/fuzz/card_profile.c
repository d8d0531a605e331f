/* The text of a card profile, then after a zero byte an answer: every text is refused with a
 * sentence or is a profile whose commands are well formed, and with which no answer does harm. */
#include "tests/support/fuzz.h"

#include "drivers/apdu.h"
#include "scheduler/bytes.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* libconfig loses its half-read string when a text is cut within one (as in settings.c); every other
 * leak is a finding. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
        return "leak:strbuf_append\nleak:libconfig_yylex\n";
}

static void demand(bool claim)
{
        if (!claim)
                abort();
}

static bool is_text(const char *text, size_t capacity)
{
        if (!memchr(text, 0, capacity))
                return false;
        for (; *text; text++)
                if (!isprint((unsigned char)*text))
                        return false;
        return true;
}

/* Header; Lc and so many bytes; Le. */
static void check_apdu(const struct apdu *apdu)
{
        size_t rest;

        demand(apdu->length >= 4 && apdu->length <= APDU_MAX);
        rest = apdu->length - 4;
        demand(rest <= 1 || rest == 1u + apdu->bytes[4] || rest == 2u + apdu->bytes[4]);
        demand(rest <= 1 || apdu->bytes[4] > 0);
}

static void check_facts(const struct apdu_facts *facts)
{
        const struct hsm_info *info = &facts->info;

        demand(info->state <= HSM_STATE_UNKNOWN);
        demand(info->version <= 2);
        demand(is_text(info->type, sizeof(info->type)));
        demand(is_text(info->firmware_id, sizeof(info->firmware_id)));
        demand(is_text(info->serial, sizeof(info->serial)));
}

static void check_whole(const struct card_profile *profile, const struct hsm_info *info)
{
        demand(info->version && info->type[0] && info->serial[0]);
        demand(info->state != HSM_STATE_OPERATIONAL || info->firmware_id[0]);
        demand(profile->source != SOURCE_REFERENCE || profile->atr_length);
}

static bool is_of_a_card(int r)
{
        return r == 0 || r == -FAULT_CARD_EMPTY || r == -FAULT_CARD_STATE ||
               r == -FAULT_CARD_REFUSED || r == -FAULT_CARD_DEAD;
}

/* The same answer to each exchange of the command. */
static void converse(const struct card_profile *profile, enum card_command command,
                     const struct apdu_values *values, const uint8_t *answer, size_t length)
{
        struct apdu_facts facts = { 0 };
        unsigned count = apdu_count(profile, command);
        bool is_empty = length == 2; /* a blank card's */
        int r = 0;

        for (unsigned i = 0; i < count; i++) {
                struct apdu_facts before = facts;
                struct apdu apdu;
                int one;

                if (apdu_is_wanted(profile, command, i, values)) {
                        apdu_build(profile, command, i, values, &apdu);
                        check_apdu(&apdu);
                }
                demand(apdu_timeout_ms(profile, command, i) >= 100);
                one = apdu_read(profile, command, i, answer, length, &facts);
                demand(is_of_a_card(one));
                demand(one == 0 || memcmp(&before, &facts, sizeof(facts)) == 0);
                check_facts(&facts);
                r = one < 0 ? one : r;
        }
        if (r == 0 && command == CARD_INFO && !is_empty && apdu_check_info(profile, &facts) == 0)
                check_whole(profile, &facts.info);
}

static void use(const struct card_profile *profile, const uint8_t *answer, size_t length)
{
        struct hsm_program program = { .firmware_id = "FUZZ", .maximum = 1 };
        uint8_t certificate[CERTIFICATE_LENGTH] = { 0 };
        const struct apdu_values values = { .certificate = certificate, .program = &program };

        for (unsigned i = 0; i < CARD_COMMANDS; i++) {
                demand(card_profile_has(profile, (enum card_command)i) || i == CARD_PERSONALIZE);
                converse(profile, (enum card_command)i, &values, answer, length);
        }
        program.is_personalized = true;
        converse(profile, CARD_PERSONALIZE, &values, answer, length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        static struct card_profile profile;
        const uint8_t *zero = length ? memchr(data, 0, length) : NULL;
        size_t text = zero ? (size_t)(zero - data) : length;
        size_t rest = zero ? length - text - 1 : 0;
        uint8_t *answer;
        int r = card_profile_parse("fuzz", data, text, &profile);

        demand(r == 0 || r == -FAULT_BAD_FILE || r == -FAULT_TOO_LARGE);
        if (r < 0 || rest > APDU_ANSWER_MAX)
                return 0;
        answer = malloc(rest ? rest : 1); /* exactly as long, so that a byte too far is seen */
        if (rest)
                memcpy(answer, zero + 1, rest);
        use(&profile, answer, rest);
        free(answer);
        return 0;
}
