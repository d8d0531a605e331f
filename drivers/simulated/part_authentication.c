/*
 * Debug authentication of a simulated H5 or H7RS: the mailbox behind access port 0, and the service.
 *
 * A host that holds the part in reset leaves a request in the mailbox. The boot code finds it when reset
 * is released, answers, and from then on takes requests of Arm's ADAC (DEN0101; psa-adac, psa_adac.h):
 * discovery, a challenge, certificates and a token, or ST's password. What is provisioned decides: the
 * 96 bytes of a debug-authentication .obk (spec/secure-install.md section 10). A full regression that is
 * granted erases the flash, sets the option bytes to factory values, forgets the OB-keys and resets.
 *
 * Words go one by one: each register has a flag that its writer sets and its reader clears, as in ST's own
 * service for the STM32N6 (debug_authentication.c of its OEMuRoT example), whose words, types and
 * order of an answer are taken here. That the ROM of H5 and H7RS speaks the same, its words of request and
 * reply among it, is not public. Nothing here is shared with drivers/debug_authentication.c.
 */
#include "drivers/simulated/part_private.h"

#include "crypto/adac.h"
#include "crypto/digest.h"
#include "scheduler/bytes.h"

/* DBGMCU as the debugger sees it (RM0481 section 59.12.4) and its registers (CMSIS stm32h573xx.h). */
#define UNIT_BASE     0xE00E4000u
#define UNIT_LENGTH   0x1000u
#define UNIT_IDCODE   0x000u
#define MAILBOX_HOST  0x100u
#define MAILBOX_PART  0x104u
#define MAILBOX_FLAGS 0x108u
#define FLAG_HOST     1u
#define FLAG_PART     2u
#define MARKER_PLACE  0xE00u /* ours: nothing stands there */

#define WORD_REQUEST 0x4F454441u /* "OEDA": of the N6 */
#define WORD_REPLY   0x44414F4Bu /* "DAOK" */

enum { COMMAND_DISCOVERY = 1, COMMAND_START = 2, COMMAND_RESPONSE = 3 };
enum {
        STATUS_SUCCESS = 0,
        STATUS_FAILURE = 1,
        STATUS_MORE = 2,
        STATUS_UNSUPPORTED = 3,
        STATUS_UNAUTHORIZED = 4,
        STATUS_PARAMETERS = 5,
        STATUS_COMMAND = 0x7FFF,
};

/* Body of a certificate and of a token, DEN0101. */
#define BODY_ROLE        4u
#define BODY_PERMISSIONS 36u
#define BODY_KEY         52u
#define BODY_SIGNATURE   148u
#define TOKEN_MASK       8u
#define TOKEN_SIGNATURE  56u

/* What a challenge is good for: ours. */
#define CHALLENGE_NS (10000 * NS_PER_MS)

#define LOCKED_STATE   0x5Cu /* product state, targets.md 5.2 */
#define LOCKED_METHOD  0xB4u /* DBG_AUTH of the H7RS */
#define INTEGRITY_GOOD 0xEAEAEAEAu
#define INTEGRITY_BAD  0xF5F5F5F5u
#define BY_CERTIFICATE 0x01u /* cryptosystems: ECDSA on P-256 */
#define BY_PASSWORD    0x80u /* ST's */

bool authentication_is_there(const struct simulated_part *part, unsigned ap)
{
        return ap == AP_AUTHENTICATION && family_field(part->family, ROLE_STATE);
}

/* --- what is provisioned ------------------------------------------------------------------- */

/* By the destination: H5 has one place, H7RS one a method (spec/secure-install.md section 10). */
static enum part_method method_at(uint32_t destination)
{
        switch (destination) {
        case 0x0FFD0100:
                return METHOD_EITHER;
        case 0x00510008:
                return METHOD_CERTIFICATE;
        case 0x008A0008:
                return METHOD_PASSWORD;
        case 0x00B40008:
                return METHOD_LOCKED;
        default:
                return METHOD_NONE;
        }
}

void authentication_provision(struct simulated_part *part, const void *file, size_t length)
{
        struct part_credential *own = &part->record->credential;
        const uint8_t *bytes = file, *record;
        enum part_method method = length >= 12 ? method_at(load_le32(bytes)) : METHOD_NONE;
        uint8_t digest[DIGEST_LENGTH];

        if (method == METHOD_NONE)
                return;
        *own = (struct part_credential){ .method = method };
        if (method == METHOD_LOCKED)
                return;
        if (length != 12 + DIGEST_LENGTH + 64) {
                own->method = METHOD_BROKEN;
                return;
        }
        record = bytes + 12 + DIGEST_LENGTH;
        digest_sha256(record, 64, digest);
        if (memcmp(digest, bytes + 12, sizeof(digest)) != 0)
                own->method = METHOD_BROKEN;
        memcpy(own->digest, record, sizeof(own->digest));
        memcpy(own->permissions, record + DIGEST_LENGTH, sizeof(own->permissions));
}

/* The password is for parts without TrustZone, the certificate for those with (AN6008 section 2.1). */
static unsigned method_of(const struct simulated_part *part)
{
        bool is_h5 = part->family->sequence == FAMILY_H5;

        switch ((enum part_method)part->record->credential.method) {
        case METHOD_EITHER:
                return !is_h5 ? 0 : part->is_trustzone_on ? BY_CERTIFICATE : BY_PASSWORD;
        case METHOD_CERTIFICATE:
                return is_h5 ? 0 : BY_CERTIFICATE;
        case METHOD_PASSWORD:
                return is_h5 ? 0 : BY_PASSWORD;
        case METHOD_NONE:
        case METHOD_BROKEN:
        case METHOD_LOCKED:
                break;
        }
        return 0;
}

static bool is_locked(const struct simulated_part *part)
{
        const struct family *family = part->family;

        if (part->record->credential.method == METHOD_LOCKED ||
            family_field_get(family_field(family, ROLE_STATE), part->in_force) == LOCKED_STATE)
                return true;
        for (size_t i = 0; i < family->field_count; i++)
                if (strcmp(family->fields[i].name, "DBG_AUTH") == 0)
                        return family_field_get(&family->fields[i], part->in_force) ==
                               LOCKED_METHOD;
        return false;
}

/* --- the service --------------------------------------------------------------------------- */

void authentication_reset(struct simulated_part *part)
{
        struct authentication *own = &part->authentication;
        uint32_t request = own->host;
        bool is_asked = own->host_waits && request == WORD_REQUEST;

        *own = (struct authentication){ .due_ns = NEVER };
        own->host = request;
        own->host_waits = is_asked; /* the mailbox lives through the reset it is written under */
}

static void offer_word(struct authentication *own)
{
        if (own->part_waits || own->sent == own->answers)
                return;
        own->word = own->answer[own->sent++];
        own->part_waits = true;
}

/* Boot code: is somebody asking? An open part needs no authentication, a locked one gives none. */
bool authentication_begins(struct simulated_part *part)
{
        struct authentication *own = &part->authentication;

        if (!authentication_is_there(part, AP_AUTHENTICATION) || !own->host_waits ||
            own->host != WORD_REQUEST)
                return false;
        own->host_waits = false;
        if (part->protection == LEVEL_0 || is_locked(part))
                return false;
        own->is_awake = true;
        own->answer[0] = WORD_REPLY;
        own->answers = 1;
        own->sent = 0;
        offer_word(own);
        return true;
}

static void answer(struct authentication *own, uint16_t status, const void *data, unsigned words)
{
        INSIST(words + 2 <= LENGTH_OF(own->answer));
        own->answer[0] = (uint32_t)status << 16;
        own->answer[1] = words;
        for (unsigned i = 0; i < words; i++)
                own->answer[2 + i] = load_le32((const uint8_t *)data + 4 * i);
        own->answers = 2 + words;
        own->sent = 0;
        offer_word(own);
}

/* --- discovery ----------------------------------------------------------------------------- */

struct list {
        uint8_t bytes[256];
        unsigned length;
};

static void add(struct list *list, uint16_t type, const void *value, unsigned length)
{
        uint8_t *to = list->bytes + list->length;

        INSIST(list->length + 8 + length <= sizeof(list->bytes));
        store_le16(to + 2, type);
        store_le32(to + 4, length);
        memcpy(to + 8, value, length);
        list->length += 8 + length; /* packed, as the N6 sends them */
}

static void add_number(struct list *list, uint16_t type, uint32_t number, unsigned length)
{
        uint8_t value[4];

        store_le32(value, number);
        add(list, type, value, length);
}

/* The product state, and above it the PSA life cycle: the N6 sends 0x17 0x20. Provisioning is 0x20 there
 * and secured 0x30 (RFC 9783 section 4.3.1). */
static uint16_t life_cycle(const struct simulated_part *part)
{
        uint32_t state = family_field_get(family_field(part->family, ROLE_STATE), part->in_force);

        return (uint16_t)((part->protection == LEVEL_2 ? 0x3000 : 0x2000) | state);
}

static void discover(struct simulated_part *part)
{
        const struct part_credential *own = &part->record->credential;
        unsigned method = method_of(part);
        uint8_t soc_id[16] = { 0 };
        struct list list = { .length = 0 };

        for (unsigned i = 0; i < 3; i++)
                store_le32(soc_id + 4 * i, part->record->unique_id[i]);
        add_number(&list, 0x0001, 0x0001, 2); /* 1.0 */
        add_number(&list, 0x0002, 0x0020, 2); /* STMicroelectronics */
        add_number(&list, 0x0003, part->record->device_id, 4);
        add(&list, 0x0004, soc_id, sizeof(soc_id));
        add(&list, 0x0007, own->permissions, sizeof(own->permissions));
        add_number(&list, 0x0008, life_cycle(part), 2);
        add_number(&list, 0x000A, 0x00000402, 4); /* 2.4.0: logs of the H563 */
        add_number(&list, 0x0100, method == BY_CERTIFICATE ? 0x0200 : 0, 2);
        add_number(&list, 0x0101, method == BY_CERTIFICATE ? 0x0201 : 0, 2);
        add_number(&list, 0x0102, method, 1);
        add_number(&list, 0x8000, method ? INTEGRITY_GOOD : INTEGRITY_BAD, 4);
        add_number(&list, 0x8001, UINT32_MAX, 4);
        add_number(&list, 0x8002, UINT32_MAX, 4);
        add_number(&list, 0x8003, UINT32_MAX, 4);
        answer(&part->authentication, STATUS_SUCCESS, list.bytes, (list.length + 3) / 4);
}

/* --- authentication ------------------------------------------------------------------------ */

/* From the chip's own key and a count that outlives power: never twice, and one seed gives one run. */
static void start(struct simulated_part *part)
{
        struct authentication *own = &part->authentication;
        uint8_t count[4], sent[36] = { 1 };
        const struct piece pieces[] = { { "challenge", 9 },
                                        { part->record->private_key, PRIVATE_KEY_LENGTH },
                                        { count, sizeof(count) } };

        store_le32(count, ++part->record->challenges);
        digest_sha256_pieces(pieces, LENGTH_OF(pieces), own->challenge);
        own->challenge_until_ns = part->now_ns + CHALLENGE_NS;
        own->links = 0;
        memcpy(sent + 4, own->challenge, sizeof(own->challenge));
        answer(own, STATUS_SUCCESS, sent, sizeof(sent) / 4);
}

/* Once, and not for ever. */
static bool challenge_stands(struct simulated_part *part)
{
        struct authentication *own = &part->authentication;
        bool stands = part->now_ns < own->challenge_until_ns;

        own->challenge_until_ns = stands ? own->challenge_until_ns : 0;
        return stands;
}

static void grant_regression(struct simulated_part *part)
{
        struct authentication *own = &part->authentication;

        own->has_ended = true;
        answer(own, STATUS_SUCCESS, NULL, 0);
}

static uint16_t take_certificate(struct simulated_part *part, const uint8_t *body)
{
        struct authentication *own = &part->authentication;
        const struct part_credential *provisioned = &part->record->credential;
        const uint8_t *issuer = own->links ? own->key : body + BODY_KEY;
        const struct piece signed_part = { body, BODY_SIGNATURE };
        uint8_t digest[DIGEST_LENGTH];

        digest_sha256(body + BODY_KEY, 64, digest);
        if (body[0] != 1 || body[2] != 1 || body[3] != 1 ||
            (own->links == 0) != (body[BODY_ROLE] == 1))
                return STATUS_PARAMETERS;
        if (own->links == 0 && memcmp(digest, provisioned->digest, sizeof(digest)) != 0)
                return STATUS_UNAUTHORIZED;
        if (!ecdsa_verify(issuer, &signed_part, 1, body + BODY_SIGNATURE))
                return STATUS_UNAUTHORIZED;
        for (unsigned i = 0; i < sizeof(own->permissions); i++)
                own->permissions[i] =
                        body[BODY_PERMISSIONS + i] &
                        (own->links ? own->permissions[i] : provisioned->permissions[i]);
        memcpy(own->key, body + BODY_KEY, sizeof(own->key));
        own->links++;
        return STATUS_MORE;
}

/* STATUS_SUCCESS: what was asked for is a full regression, and it is granted. */
static uint16_t take_token(struct simulated_part *part, const uint8_t *body)
{
        struct authentication *own = &part->authentication;
        const struct piece signed_parts[] = { { body, TOKEN_SIGNATURE },
                                              { own->challenge, sizeof(own->challenge) } };

        if (own->links == 0 || body[0] != 1 || body[2] != 1)
                return STATUS_PARAMETERS;
        own->challenge_until_ns = 0;
        if (!ecdsa_verify(own->key, signed_parts, LENGTH_OF(signed_parts), body + TOKEN_SIGNATURE))
                return STATUS_UNAUTHORIZED;
        for (unsigned i = 0; i < sizeof(own->permissions); i++)
                if (body[TOKEN_MASK + i] & ~own->permissions[i])
                        return STATUS_UNAUTHORIZED;
        return adac_permission_has(body + TOKEN_MASK, 14) ? STATUS_SUCCESS : STATUS_UNSUPPORTED;
}

static uint16_t take_password(struct simulated_part *part, const uint8_t *value, uint32_t length)
{
        uint8_t digest[DIGEST_LENGTH];

        part->authentication.challenge_until_ns = 0;
        digest_sha256(value, length, digest);
        return equal_secret(digest, part->record->credential.digest, sizeof(digest))
                       ? STATUS_SUCCESS
                       : STATUS_FAILURE;
}

/* A piece of an answer to the challenge. */
static uint16_t take_piece(struct simulated_part *part, const uint8_t *piece, uint32_t length)
{
        unsigned method = method_of(part), type = load_le16(piece + 2);
        uint32_t size = load_le32(piece + 4);

        if (length < 8 || size > length - 8 || load_le16(piece))
                return STATUS_PARAMETERS;
        if (!challenge_stands(part))
                return STATUS_FAILURE;
        if (type == 0x0201 && size == 212 && method == BY_CERTIFICATE)
                return take_certificate(part, piece + 8);
        if (type == 0x0200 && size == 120 && method == BY_CERTIFICATE)
                return take_token(part, piece + 8);
        if (type == 0x8000 && size >= 4 && size <= 16 && method == BY_PASSWORD)
                return take_password(part, piece + 8, size);
        return STATUS_UNSUPPORTED;
}

static void respond(struct simulated_part *part)
{
        struct authentication *own = &part->authentication;
        uint8_t bytes[sizeof(own->request)];
        uint16_t status;

        for (unsigned i = 0; i < LENGTH_OF(own->request); i++)
                store_le32(bytes + 4 * i, own->request[i]);
        status = take_piece(part, bytes + 8, 4 * own->request[1]);
        wipe(bytes, sizeof(bytes));
        if (status == STATUS_SUCCESS)
                grant_regression(part);
        else
                answer(own, status, NULL, 0);
}

static void handle(struct simulated_part *part)
{
        struct authentication *own = &part->authentication;

        own->received = 0;
        switch (own->request[0] >> 16) {
        case COMMAND_DISCOVERY:
                discover(part);
                break;
        case COMMAND_START:
                start(part);
                break;
        case COMMAND_RESPONSE:
                respond(part);
                break;
        default:
                answer(own, STATUS_COMMAND, NULL, 0);
                break;
        }
        wipe(own->request, sizeof(own->request));
}

/* A request that is longer than any is answered when its head is there; what follows of it is taken for the
 * next one. */
static void take_word(struct simulated_part *part, uint32_t value)
{
        struct authentication *own = &part->authentication;

        own->request[own->received++] = value;
        if (own->received < 2)
                return;
        if (own->request[1] > LENGTH_OF(own->request) - 2) {
                own->received = 0;
                answer(own, STATUS_PARAMETERS, NULL, 0);
        } else if (own->received == own->request[1] + 2) {
                handle(part);
        }
}

/* --- full regression ----------------------------------------------------------------------- */

static void begin_regression(struct simulated_part *part)
{
        uint64_t duration = flash_bank_erase_ns(part) + part->family->option_program_ms * NS_PER_MS;

        part->authentication.due_ns = part->now_ns + part_scaled(part, duration);
        part_changed(part);
}

/* The H503 keeps its password in OTP (RM0492; wiki.st.com), which nothing erases. */
static bool keeps_credential(const struct family *family)
{
        return family->sequence == FAMILY_H5 && !family_has_trustzone(family);
}

void authentication_advance(struct simulated_part *part, uint64_t now_ns)
{
        struct part_record *record = part->record;

        part->authentication.due_ns = NEVER;
        flash_erase_all(part);
        for (size_t i = 0; i < part->family->option_count; i++)
                record->options[i] = part->family->options[i].factory;
        if (!keeps_credential(part->family))
                record->credential = (struct part_credential){ 0 };
        record->option_keys = record->images = 0;
        memset(&record->install, 0, sizeof(record->install));
        memset(part->ram, 0, part_ram_length(part));
        option_load(part);
        part_reset(part, now_ns);
}

/* --- the mailbox --------------------------------------------------------------------------- */

static uint32_t marker_word(uint32_t offset)
{
        static const char marker[] = "GANGWAY REFERENCE PART\0\0";

        return offset + 4 <= sizeof(marker) - 1 ? load_le32(marker + offset) : 0;
}

static uint32_t read_part_word(struct simulated_part *part)
{
        struct authentication *own = &part->authentication;
        uint32_t word = own->part_waits ? own->word : 0;

        if (!own->part_waits)
                return 0;
        own->part_waits = false;
        offer_word(own);
        if (!own->part_waits && own->has_ended && own->due_ns == NEVER)
                begin_regression(part);
        return word;
}

enum part_answer authentication_read(struct simulated_part *part, uint32_t address, void *data,
                                     unsigned width)
{
        struct authentication *own = &part->authentication;
        uint32_t offset = address - UNIT_BASE, value = 0;

        if (address < UNIT_BASE || offset >= UNIT_LENGTH || width != 4)
                return PART_FAULT;
        if (offset == UNIT_IDCODE)
                value = part->record->revision << 16 | part->record->device_id;
        else if (offset == MAILBOX_HOST)
                value = own->host;
        else if (offset == MAILBOX_PART)
                value = read_part_word(part);
        else if (offset == MAILBOX_FLAGS)
                value = (own->host_waits ? FLAG_HOST : 0) | (own->part_waits ? FLAG_PART : 0);
        else if (offset >= MARKER_PLACE)
                value = marker_word(offset - MARKER_PLACE);
        store_le32(data, value);
        return PART_OK;
}

/* Awake, it takes a word at once; a word before the last was taken is lost. */
enum part_answer authentication_write(struct simulated_part *part, uint32_t address, uint32_t value)
{
        struct authentication *own = &part->authentication;
        uint32_t offset = address - UNIT_BASE;

        if (address < UNIT_BASE || offset >= UNIT_LENGTH)
                return PART_FAULT;
        if (offset != MAILBOX_HOST)
                return PART_OK;
        own->host = value;
        own->host_waits = true;
        if (!own->is_awake || own->has_ended)
                return PART_OK;
        own->host_waits = false;
        take_word(part, value);
        return PART_OK;
}
