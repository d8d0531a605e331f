/*
 * hsm.c - a conversation with one card: connect, check that it is ours, select, ask.
 *
 * Each exchange runs on a fiber of its own while the caller waits with the profile's time limit: a
 * reader that says nothing is told to stop (its fiber is cancelled) and then still waited for, as
 * its buffers are ours. An answer that comes all the same, late, is taken: it may hold a license
 * that is paid for.
 */
#include "drivers/hsm.h"

#include "drivers/apdu.h"
#include "scheduler/bytes.h"
#include "scheduler/fiber.h"

#include <stdio.h>

struct exchange {
        struct reader *reader;
        const struct apdu *apdu;
        uint8_t answer[APDU_ANSWER_MAX];
        bool is_done;
        struct waitlist done;
};

static int exchange_procedure(void *subject)
{
        struct exchange *exchange = subject;
        int r = reader_transmit(exchange->reader, exchange->apdu->bytes, exchange->apdu->length,
                                exchange->answer);

        exchange->is_done = true;
        waitlist_wake(&exchange->done);
        return r;
}

/* Wait for the end of the exchange; -FAULT_TIMEOUT, -FAULT_CANCELLED when that comes first. */
static int exchange_wait(struct exchange *exchange, uint64_t timeout_ns)
{
        while (!exchange->is_done) {
                int r = waitlist_wait(&exchange->done, timeout_ns);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* Returns the answer's length. A cancel of the caller cuts the exchange short. */
static int exchange_run(struct exchange *exchange, unsigned timeout_ms)
{
        struct fiber *fiber = fiber_spawn("apdu", exchange_procedure, exchange);
        int waited = exchange_wait(exchange, timeout_ms * NS_PER_MS);
        int r;

        if (waited < 0)
                fiber_cancel(fiber);
        r = fiber_join(fiber);
        if (r >= 0) {
                if (waited == -FAULT_CANCELLED)
                        fiber_cancel(fiber_self()); /* reported at the next wait instead */
                return r;
        }
        if (waited == -FAULT_CANCELLED)
                return fault(FAULT_CANCELLED, "the exchange with the card in %s was cancelled",
                             reader_name(exchange->reader));
        if (waited == -FAULT_TIMEOUT && r == -FAULT_CANCELLED)
                return fault(FAULT_CARD_DEAD, "the card in %s gave no answer within %u ms",
                             reader_name(exchange->reader), timeout_ms);
        return r; /* its sentence came with the joining */
}

/* Before what a card said stands which one; what a reader says names it already. */
static int say_where(const struct reader *reader, int result)
{
        if (strstr(fault_sentence(result), reader_name(reader)))
                return result;
        return fault_prefix(result, "%s", reader_name(reader));
}

/* One exchange of a command, its answer into `facts`. */
static int ask(struct reader *reader, const struct card_profile *profile, enum card_command command,
               unsigned number, const struct apdu_values *values, struct apdu_facts *facts)
{
        struct apdu apdu;
        struct exchange exchange = { .reader = reader, .apdu = &apdu };
        int r;

        apdu_build(profile, command, number, values, &apdu);
        r = exchange_run(&exchange, apdu_timeout_ms(profile, command, number));
        wipe(&apdu, sizeof(apdu));
        if (r >= 0)
                r = apdu_read(profile, command, number, exchange.answer, (size_t)r, facts);
        wipe(exchange.answer, sizeof(exchange.answer));
        return r;
}

/* All exchanges of a command, until one fails. */
static int converse(struct reader *reader, const struct card_profile *profile,
                    enum card_command command, const struct apdu_values *values,
                    struct apdu_facts *facts)
{
        int r = 0;

        for (unsigned i = 0; i < apdu_count(profile, command) && r >= 0; i++)
                if (apdu_is_wanted(profile, command, i, values))
                        r = ask(reader, profile, command, i, values, facts);
        return r < 0 ? r : 0;
}

/* --- opening ------------------------------------------------------------------------------- */

/* A reference command set is spoken only to the card it was made for. A profile from a document or
 * from silicon may leave the ATR open; where it names one it must match as well. */
static int check_atr(const struct reader *reader, const struct card_profile *profile,
                     const uint8_t *atr, size_t length)
{
        char found[2 * ATR_MAX + 1], wanted[2 * ATR_MAX + 1];

        if (length == profile->atr_length && memcmp(atr, profile->atr, length) == 0)
                return 0;
        hex_encode(atr, length, found);
        hex_encode(profile->atr, profile->atr_length, wanted);
        if (profile->source == SOURCE_REFERENCE)
                return fault(FAULT_REFERENCE_ONLY,
                             "the card in %s has ATR %s; profile %s is a reference for the "
                             "simulator's card (%s) and not for real ones: %s",
                             reader_name(reader), found, profile->name, wanted, profile->gap);
        if (profile->atr_length == 0)
                return 0;
        return fault(FAULT_CARD_REFUSED, "the card in %s has ATR %s, profile %s is for %s",
                     reader_name(reader), found, profile->name, wanted);
}

static int select_application(struct reader *reader, const struct card_profile *profile)
{
        struct apdu_facts facts = { 0 };

        return converse(reader, profile, CARD_SELECT, NULL, &facts);
}

int hsm_open(struct reader *reader, const struct card_profile *profile, uint64_t timeout_ns)
{
        uint8_t atr[ATR_MAX];
        int r = reader_connect(reader, timeout_ns, atr);

        if (r < 0)
                return r;
        r = check_atr(reader, profile, atr, (size_t)r);
        if (r >= 0)
                r = select_application(reader, profile);
        if (r < 0) {
                char sentence[512];

                snprintf(sentence, sizeof(sentence), "%s", fault_sentence(r));
                reader_disconnect(reader);
                return fault((enum fault)(-r), "%s", sentence);
        }
        return 0;
}

/* --- asking -------------------------------------------------------------------------------- */

int hsm_info(struct reader *reader, const struct card_profile *profile, struct hsm_info *ret_info)
{
        struct apdu_facts facts = { 0 };
        int r = converse(reader, profile, CARD_INFO, NULL, &facts);

        if (r >= 0)
                r = apdu_check_info(profile, &facts);
        if (r < 0)
                return say_where(reader, r);
        *ret_info = facts.info;
        return 0;
}

int hsm_license(struct reader *reader, const struct card_profile *profile,
                const struct certificate *certificate, uint8_t ret_license[static LICENSE_LENGTH])
{
        const struct apdu_values values = { .certificate = certificate->bytes };
        struct apdu_facts facts = { 0 };
        int r = converse(reader, profile, CARD_LICENSE, &values, &facts);

        if (r >= 0)
                memcpy(ret_license, facts.license, LICENSE_LENGTH);
        wipe(&facts, sizeof(facts));
        return r < 0 ? say_where(reader, r) : 0;
}

/* --- programming --------------------------------------------------------------------------- */

const char *hsm_state_name(enum hsm_state state)
{
        static const char *const names[] = { [HSM_STATE_ST] = "ST_STATE",
                                             [HSM_STATE_OEM] = "OEM_STATE",
                                             [HSM_STATE_OPERATIONAL] = "OPERATIONAL_STATE",
                                             [HSM_STATE_UNKNOWN] = "UNKNOWN_STATE" };

        INSIST((unsigned)state < LENGTH_OF(names));
        return names[state];
}

int hsm_check_product(const struct card_profile *profile, const struct hsm_info *info,
                      const char *product_id)
{
        char known[CARD_PRODUCTS_MAX * (PRODUCT_ID_LENGTH + 1) + 1] = "";

        if (info->version != 1 || profile->version_1_count == 0)
                return 0;
        for (size_t i = 0; i < profile->version_1_count; i++) {
                if (strcmp(profile->version_1_products[i], product_id) == 0)
                        return 0;
                strcat(strcat(known, " "), profile->version_1_products[i]);
        }
        return fault(FAULT_CARD_REFUSED,
                     "a version-1 card issues no licenses for product %s, only for%s; take a "
                     "version-2 card",
                     product_id, known);
}

static int check_state(const struct hsm_info *info)
{
        if (info->state == HSM_STATE_OPERATIONAL)
                return fault(FAULT_CARD_STATE,
                             "card %s is locked: it was programmed for '%s' and a card is "
                             "programmed once; take a blank one",
                             info->serial, info->firmware_id);
        if (info->state != HSM_STATE_OEM)
                return fault(FAULT_CARD_STATE,
                             "card %s is in %s, only a blank one in OEM_STATE can be programmed",
                             info->serial, hsm_state_name(info->state));
        return 0;
}

static int check_ceiling(const struct card_profile *profile, const struct hsm_info *info,
                         uint32_t maximum)
{
        for (size_t i = 0; i < profile->ceiling_count; i++) {
                if (strcmp(profile->ceilings[i].type, info->type) != 0)
                        continue;
                if (maximum > 0 && maximum <= profile->ceilings[i].maximum)
                        return 0;
                return fault(FAULT_BAD_VALUE,
                             "%u licenses: a card of type %s takes 1 to %u (ceilings of profile "
                             "%s)",
                             maximum, info->type, profile->ceilings[i].maximum, profile->name);
        }
        return fault(FAULT_BAD_VALUE,
                     "profile %s has no ceiling for cards of type %s; add it to its `ceilings`",
                     profile->name, info->type);
}

int hsm_check_program(const struct card_profile *profile, const struct hsm_info *info,
                      const struct hsm_program *program)
{
        int r = check_state(info);

        if (r < 0)
                return r;
        if (!card_profile_has(profile, CARD_PERSONALIZE))
                return fault(FAULT_CARD_REFUSED,
                             "profile %s has no `personalize`: its cards can be read, not "
                             "programmed",
                             profile->name);
        if (program->is_personalized && !card_profile_has_personalization(profile))
                return fault(FAULT_CARD_REFUSED,
                             "profile %s sends no {product_id}: its cards take no personalization",
                             profile->name);
        if (info->version == 2 && !program->is_personalized)
                return fault(FAULT_BAD_VALUE,
                             "card %s is of version 2 and needs a personalization package: give "
                             "-pd FILE, or --cert and --packages",
                             info->serial);
        r = check_ceiling(profile, info, program->maximum);
        if (r >= 0 && program->is_personalized)
                r = hsm_check_product(profile, info, program->personalization.product_id);
        return r;
}

int hsm_personalize(struct reader *reader, const struct card_profile *profile,
                    const struct hsm_program *program)
{
        const struct apdu_values values = { .program = program };
        struct apdu_facts facts = { 0 };
        int r;

        INSIST(card_profile_has(profile, CARD_PERSONALIZE));
        r = converse(reader, profile, CARD_PERSONALIZE, &values, &facts);
        return r < 0 ? say_where(reader, r) : 0;
}
