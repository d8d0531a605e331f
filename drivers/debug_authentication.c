/*
 * debug_authentication.c - words through the mailbox, requests and answers out of words, a session of those.
 *
 * Each word has its own deadline, polled every millisecond: the part checks a signature between our last word
 * and its first. A status that is not "more" or "success" ends the session at once, with the step in the
 * sentence, because "unauthorized" alone does not tell a wrong key from a permission that was not granted.
 * The password is read from its owner word by word, copied nowhere, and concealed from a recorder.
 */
#include "drivers/debug_authentication.h"

#include "drivers/family_fields.h"
#include "drivers/form.h"
#include "scheduler/fiber.h"
#include "scheduler/loop.h"

#include <stdio.h>

/* CMSIS stm32h573xx.h: offsets in DBGMCU, and bits of DBGMCU_DBG_AUTH_ACK. */
#define UNIT_IDCODE   0x000u
#define MAILBOX_HOST  0x100u
#define MAILBOX_PART  0x104u
#define MAILBOX_FLAGS 0x108u
#define FLAG_HOST     1u
#define FLAG_PART     2u

#define LOOK_MS         100u
#define POLL_MS         1u
#define RESET_MS        20u /* how long NRST is low: ours, some 1000 times what a part wants */
#define WORDS_MAX       128u
#define CHALLENGE_WORDS 9u /* version, zero, 32 bytes */

/* Commands and statuses: psa-adac, psa_adac.h. */
enum { COMMAND_DISCOVERY = 1, COMMAND_START = 2, COMMAND_RESPONSE = 3 };
enum { STATUS_SUCCESS = 0, STATUS_MORE = 2 };

#define FIELD(name_, kind_, low_, high_, multiple_)                                                \
        {                                                                                          \
                .key = #name_, .kind = kind_, .offset = offsetof(struct debug_profile, name_),     \
                .low = low_, .high = high_, .multiple = multiple_                                  \
        }
#define TEXT_FIELD(name_)                                                                          \
        {                                                                                          \
                .key = #name_, .kind = FORM_TEXT, .offset = offsetof(struct debug_profile, name_), \
                .capacity = sizeof(((struct debug_profile *)0)->name_)                             \
        }

static const char *const sources[] = { "reference", "document", "silicon", NULL };

static const struct form_field fields[] = {
        TEXT_FIELD(name),
        { .key = "source",
          .kind = FORM_CHOICE,
          .offset = offsetof(struct debug_profile, source),
          .choices = sources },
        TEXT_FIELD(gap),
        FIELD(access_port, FORM_UNSIGNED, 0, 255, 0),
        FIELD(debug_unit, FORM_U32, 0, 0xFFFFF000u, 0x1000),
        FIELD(request, FORM_U32, 1, UINT32_MAX, 0),
        FIELD(reply, FORM_U32, 1, UINT32_MAX, 0),
        FIELD(marker_address, FORM_U32, 0, UINT32_MAX, 4),
        TEXT_FIELD(marker),
        FIELD(reply_timeout_ms, FORM_UNSIGNED, 1, 600000, 0),
        FIELD(word_timeout_ms, FORM_UNSIGNED, 1, 600000, 0),
        FIELD(regression_timeout_ms, FORM_UNSIGNED, 1, 600000, 0),
};

int debug_profile_load(const char *path, struct debug_profile *ret_profile)
{
        CLEANUP(form_close) struct form form;
        struct debug_profile profile = { 0 };
        int r = form_open(path, &form);

        if (r >= 0)
                r = form_read(&form, config_root_setting(&form.config), fields, LENGTH_OF(fields),
                              &profile);
        if (r < 0)
                return r;
        if (profile.source == SOURCE_REFERENCE && !profile.marker_address)
                return form_fault(&form, config_lookup(&form.config, "marker_address"),
                                  "a reference profile needs a marker, or it would run on real "
                                  "hardware");
        *ret_profile = profile;
        return 0;
}

/* --- may it be used? ----------------------------------------------------------------------- */

static int read_word(struct debug_session *session, uint32_t address, uint32_t *ret_value)
{
        return stlink_read_word(session->probe, session->profile->access_port, address, ret_value);
}

static int read_marker(struct debug_session *session, char *ret_found)
{
        const struct debug_profile *profile = session->profile;

        for (size_t at = 0; at < strlen(profile->marker); at += 4) {
                uint32_t word;
                int r = read_word(session, profile->marker_address + (uint32_t)at, &word);

                if (r < 0)
                        return r;
                store_le32(ret_found + at, word);
        }
        return 0;
}

int debug_check_allowed(struct debug_session *session)
{
        const struct debug_profile *profile = session->profile;
        char found[sizeof(profile->marker) + 4] = "";
        int r = stlink_open_ap(session->probe, profile->access_port);

        if (r == -FAULT_PROBE)
                return fault(FAULT_LOCKED,
                             "access port %u does not answer: this is no part with debug "
                             "authentication, or profile %s is not its",
                             profile->access_port, profile->name);
        if (r < 0 || profile->source != SOURCE_REFERENCE)
                return r;
        r = read_marker(session, found);
        if (r < 0 && r != -FAULT_TARGET_ACCESS)
                return r;
        if (!r && memcmp(found, profile->marker, strlen(profile->marker)) == 0)
                return 0;
        return fault(FAULT_REFERENCE_ONLY,
                     "debug authentication: profile %s is a reference for the simulator, and this "
                     "part does not carry its marker at 0x%08X; what is missing: %s",
                     profile->name, profile->marker_address, profile->gap);
}

int debug_read_idcode(struct debug_session *session, uint32_t *ret_idcode)
{
        return read_word(session, session->profile->debug_unit + UNIT_IDCODE, ret_idcode);
}

/* --- words --------------------------------------------------------------------------------- */

/* Until the debug port answers again after the reset; what it says meanwhile is no news. */
static int come_back(struct debug_session *session)
{
        uint32_t dpidr;
        int r = stlink_enter(session->probe, &dpidr);

        if (r >= 0)
                r = stlink_open_ap(session->probe, session->profile->access_port);
        return r < 0 && !target_may_come_back(r) ? r : 0;
}

/* Until `flag` is as wanted, or the deadline. Faults of a part on its way through a reset are waited out
 * where `is_booting`. */
static int wait_flag(struct debug_session *session, uint32_t flag, bool is_wanted, bool is_booting,
                     unsigned timeout_ms)
{
        uint64_t deadline_ns = clock_now_ns() + timeout_ms * NS_PER_MS;

        for (;;) {
                uint32_t flags = 0;
                int r = read_word(session, session->profile->debug_unit + MAILBOX_FLAGS, &flags);

                if (r == 0 && !(flags & flag) == !is_wanted)
                        return 0;
                if (r < 0)
                        r = is_booting && target_may_come_back(r) ? come_back(session) : r;
                if (r < 0)
                        return r;
                if (clock_now_ns() >= deadline_ns)
                        return fault(FAULT_TIMEOUT, "not within %u ms", timeout_ms);
                r = fiber_sleep_ns(POLL_MS * NS_PER_MS);
                if (r < 0)
                        return r;
        }
}

static int send_word(struct debug_session *session, uint32_t word)
{
        const struct debug_profile *profile = session->profile;
        int r = wait_flag(session, FLAG_HOST, false, false, profile->word_timeout_ms);

        return r < 0 ? r
                     : stlink_write_word(session->probe, profile->access_port,
                                         profile->debug_unit + MAILBOX_HOST, word);
}

static int receive_word(struct debug_session *session, uint32_t *ret_word)
{
        const struct debug_profile *profile = session->profile;
        int r = wait_flag(session, FLAG_PART, true, false, profile->word_timeout_ms);

        return r < 0 ? r : read_word(session, profile->debug_unit + MAILBOX_PART, ret_word);
}

/* --- requests and answers ------------------------------------------------------------------ */

struct message {
        uint16_t status;
        uint32_t count;
        uint8_t data[4 * WORDS_MAX];
};

static int send_request(struct debug_session *session, uint16_t command, const uint8_t *data,
                        uint32_t words)
{
        int r = send_word(session, (uint32_t)command << 16);

        if (r >= 0)
                r = send_word(session, words);
        for (uint32_t i = 0; r >= 0 && i < words; i++)
                r = send_word(session, load_le32(data + 4 * i));
        return r;
}

static int receive_answer(struct debug_session *session, struct message *ret_answer)
{
        uint32_t word = 0;
        int r = receive_word(session, &word);

        if (r < 0)
                return r;
        if (word & 0xFFFF)
                return fault(FAULT_RSS,
                             "the answer begins with 0x%08X, wanted zero and a status: the two "
                             "sides are out of step",
                             word);
        ret_answer->status = (uint16_t)(word >> 16);
        r = receive_word(session, &ret_answer->count);
        if (r >= 0 && ret_answer->count > WORDS_MAX)
                return fault(FAULT_RSS, "an answer of %u words, at most %u are taken",
                             ret_answer->count, WORDS_MAX);
        for (uint32_t i = 0; r >= 0 && i < ret_answer->count; i++) {
                r = receive_word(session, &word);
                store_le32(ret_answer->data + 4 * i, word);
        }
        return r;
}

/* `step` is for sentences: "discovery", "certificate 2 of 3". */
static int exchange(struct debug_session *session, const char *step, uint16_t command,
                    const uint8_t *data, uint32_t words, struct message *ret_answer)
{
        int r = send_request(session, command, data, words);

        if (r >= 0)
                r = receive_answer(session, ret_answer);
        return r < 0 ? fault_prefix(r, "debug authentication, %s", step) : 0;
}

/* psa-adac, psa_adac.h: adac_status_t. */
static const char *status_text(uint16_t status)
{
        switch (status) {
        case 0:
                return "success";
        case 1:
                return "failure";
        case 2:
                return "more data wanted";
        case 3:
                return "unsupported";
        case 4:
                return "unauthorized";
        case 5:
                return "invalid parameters";
        case 0x7FFF:
                return "invalid command";
        default:
                return "no known status";
        }
}

static int refused(const char *step, uint16_t status, const char *meaning)
{
        return fault(FAULT_LOCKED, "debug authentication, %s: the part refuses (status %u, %s); %s",
                     step, status, status_text(status), meaning);
}

/* --- the session --------------------------------------------------------------------------- */

static int wake(struct debug_session *session)
{
        const struct debug_profile *profile = session->profile;
        int r = stlink_drive_nrst(session->probe, STLINK_NRST_LOW), released;

        if (r >= 0)
                r = fiber_sleep_ns(RESET_MS * NS_PER_MS);
        if (r >= 0)
                r = stlink_write_word(session->probe, profile->access_port,
                                      profile->debug_unit + MAILBOX_HOST, profile->request);
        released = stlink_drive_nrst(session->probe, STLINK_NRST_HIGH); /* whatever went wrong */
        return r < 0 ? r : released;
}

static int await_reply(struct debug_session *session)
{
        const struct debug_profile *profile = session->profile;
        uint32_t word = 0;
        int r = wait_flag(session, FLAG_PART, true, true, profile->reply_timeout_ms);

        if (r == -FAULT_TIMEOUT)
                return fault(FAULT_LOCKED,
                             "no debug authentication answers within %u ms of a reset: the product "
                             "state is open (then nothing is needed) or locked (then nothing leads "
                             "back), or NRST of the probe does not reach the part",
                             profile->reply_timeout_ms);
        if (r >= 0)
                r = read_word(session, profile->debug_unit + MAILBOX_PART, &word);
        if (r >= 0 && word != profile->reply)
                return fault(FAULT_RSS, "debug authentication answers 0x%08X, wanted 0x%08X", word,
                             profile->reply);
        return r;
}

int debug_open(struct debug_session *session, struct debug_discovery *ret_discovery)
{
        struct message answer = { 0 };
        int r = wake(session);

        if (r >= 0)
                r = await_reply(session);
        if (r >= 0)
                r = exchange(session, "discovery", COMMAND_DISCOVERY, NULL, 0, &answer);
        if (r >= 0 && answer.status != STATUS_SUCCESS)
                return refused("discovery", answer.status, "nothing else can be asked");
        return r < 0 ? r : debug_discovery_parse(answer.data, 4 * answer.count, ret_discovery);
}

int debug_close(struct debug_session *session)
{
        int r = stlink_drive_nrst(session->probe, STLINK_NRST_LOW), released;

        if (r >= 0)
                r = fiber_sleep_ns(RESET_MS * NS_PER_MS);
        released = stlink_drive_nrst(session->probe, STLINK_NRST_HIGH);
        return r < 0 ? r : released;
}

/* --- credentials --------------------------------------------------------------------------- */

static int ask_challenge(struct debug_session *session,
                         uint8_t ret_challenge[static ADAC_CHALLENGE_LENGTH])
{
        struct message answer = { 0 };
        int r = exchange(session, "start", COMMAND_START, NULL, 0, &answer);

        if (r < 0)
                return r;
        if (answer.status != STATUS_SUCCESS)
                return refused("start", answer.status, "it gives no challenge");
        if (answer.count != CHALLENGE_WORDS || load_le32(answer.data) != 1)
                return fault(FAULT_RSS,
                             "debug authentication, start: %u words beginning with 0x%08X, wanted "
                             "a challenge of version 1.0: %u words",
                             answer.count, answer.count ? load_le32(answer.data) : 0,
                             CHALLENGE_WORDS);
        memcpy(ret_challenge, answer.data + 4, ADAC_CHALLENGE_LENGTH);
        return 0;
}

static int send_certificates(struct debug_session *session, const struct adac_chain *chain)
{
        for (size_t i = 0; i < chain->count; i++) {
                struct message answer = { 0 };
                char step[64];
                int r;

                snprintf(step, sizeof(step), "certificate %zu of %zu", i + 1, chain->count);
                r = exchange(session, step, COMMAND_RESPONSE, chain->certificates[i].bytes,
                             sizeof(chain->certificates[i].bytes) / 4, &answer);
                if (r < 0)
                        return r;
                if (answer.status != STATUS_MORE)
                        return refused(step, answer.status,
                                       i ? "the chain is not one for this part"
                                         : "its root key is not the one of the .obk that was "
                                           "provisioned");
        }
        return 0;
}

int debug_by_certificate(struct debug_session *session, const struct adac_chain *chain,
                         const uint8_t private_key[static CURVE_NUMBER_LENGTH], unsigned bit)
{
        uint8_t challenge[ADAC_CHALLENGE_LENGTH], permissions[ADAC_PERMISSION_LENGTH] = { 0 };
        uint8_t token[ADAC_TLV_LENGTH + ADAC_TOKEN_LENGTH];
        struct message answer = { 0 };
        int r = ask_challenge(session, challenge);

        if (r >= 0)
                r = send_certificates(session, chain);
        if (r < 0)
                return r;
        adac_permission_add(permissions, bit);
        adac_token_make(private_key, challenge, permissions, token);
        r = exchange(session, "token", COMMAND_RESPONSE, token, sizeof(token) / 4, &answer);
        if (r < 0 || answer.status == STATUS_SUCCESS)
                return r;
        return refused("token", answer.status,
                       "the key is not that of the last certificate, the permission is not "
                       "provisioned, or the challenge has expired");
}

int debug_by_password(struct debug_session *session, const struct bytes *password)
{
        uint8_t challenge[ADAC_CHALLENGE_LENGTH];
        struct message answer = { 0 };
        int r = ask_challenge(session, challenge);

        INSIST(password->length % 4 == 0);
        wire_conceal(session->probe->wire, true);
        if (r >= 0)
                r = exchange(session, "password", COMMAND_RESPONSE, password->data,
                             (uint32_t)(password->length / 4), &answer);
        wire_conceal(session->probe->wire, false);
        if (r < 0 || answer.status == STATUS_SUCCESS)
                return r;
        return refused("password", answer.status, "it is not the one that was provisioned");
}

/* --- after it ------------------------------------------------------------------------------ */

/* A part whose port stays visible answers while it still erases. */
static int look_at_state(struct target *target)
{
        uint32_t options[OPTION_ROWS_MAX];
        int r = target_read_options(target, options);

        if (r >= 0 && !family_is_open(target->family, options))
                return fault(FAULT_LOCKED,
                             "the product state is 0x%02X after a regression was "
                             "granted, wanted open; is the power stable?",
                             family_protection(target->family, options));
        return r;
}

int debug_await_open(struct debug_session *session, struct target *target)
{
        unsigned limit_ms = session->profile->regression_timeout_ms;
        uint64_t deadline_ns = clock_now_ns() + limit_ms * NS_PER_MS;

        for (;;) {
                int r = target_reattach(target, limit_ms);

                if (r >= 0)
                        r = look_at_state(target);
                if (r >= 0 || (r != -FAULT_LOCKED && !target_may_come_back(r)) ||
                    clock_now_ns() >= deadline_ns)
                        return r;
                r = fiber_sleep_ns(LOOK_MS * NS_PER_MS);
                if (r < 0)
                        return r;
        }
}
