/*
 * adac.c - from a file to a chain that is proven, and from a challenge to the token that answers it.
 *
 * A file is text in base64 or bytes; which one is decided by its first byte, which is zero in bytes.
 * Then one certificate after another is looked at field by field: what is not what ST's files have
 * is refused with offset, found and wanted, for a part says no more than "no". The chain is proven
 * here before a part sees it, because a part may count refusals (RM0481 does not say).
 */
#include "crypto/adac.h"

#include <openssl/evp.h>

#include <ctype.h>
#include <stdio.h>

/* Offsets in the body of a certificate, see adac.h. */
#define SIGNATURE_TYPE    2u
#define KEY_TYPE          3u
#define ROLE              4u
#define USAGE             5u
#define RESERVED          6u
#define LIFE_CYCLE        8u
#define OEM_CONSTRAINT    10u
#define EXTENSIONS        12u
#define SOC_CLASS         16u
#define SOC_ID            20u
#define PERMISSIONS       36u
#define PUBLIC_KEY        52u
#define EXTENSIONS_DIGEST 116u
#define SIGNATURE         148u

/* and of a token */
#define TOKEN_PERMISSIONS 8u
#define TOKEN_SIGNATURE   56u

#define PASSWORD_HEADER 8u
#define BITS            (8u * ADAC_PERMISSION_LENGTH)

/* --- bytes of the file --------------------------------------------------------------------- */

static void put_header(uint8_t *to, uint16_t type, uint32_t length)
{
        store_le16(to, 0);
        store_le16(to + 2, type);
        store_le32(to + 4, length);
}

/* base64 in lines of any length; `text` is at most ADAC_FILE_MAX long. */
static int decode(const char *name, const uint8_t *text, size_t length, struct bytes *ret_bytes)
{
        struct bytes packed CLEANUP(bytes_free) = bytes_new(length);
        size_t count = 0, padding = 0;
        int made;

        for (size_t i = 0; i < length; i++) {
                if (isspace(text[i]))
                        continue;
                if (!isalnum(text[i]) && text[i] != '+' && text[i] != '/' && text[i] != '=')
                        return fault(FAULT_BAD_FILE,
                                     "%s offset %zu: found 0x%02X, wanted base64; is it a "
                                     "certificate chain for debug authentication (.b64)?",
                                     name, i, text[i]);
                padding += text[i] == '=';
                packed.data[count++] = text[i];
        }
        *ret_bytes = bytes_new(count / 4 * 3);
        made = count % 4 == 0 && padding <= 2
                       ? EVP_DecodeBlock(ret_bytes->data, packed.data, (int)count)
                       : -1;
        if (made < 0 || (size_t)made < padding) {
                bytes_free(ret_bytes);
                return fault(FAULT_BAD_FILE,
                             "%s: %zu base64 characters do not end well; is it cut?", name, count);
        }
        ret_bytes->length = (size_t)made - padding;
        return 0;
}

/* --- one certificate ----------------------------------------------------------------------- */

struct reading {
        const char *name;
        size_t offset; /* of the body in the bytes */
        const uint8_t *body;
};

static int refuse(const struct reading *at, size_t offset, const char *what, unsigned found,
                  const char *wanted)
{
        return fault(FAULT_BAD_FILE, "%s offset %zu: %s is 0x%X, wanted %s", at->name,
                     at->offset + offset, what, found, wanted);
}

static int check_form(const struct reading *at)
{
        const uint8_t *body = at->body;

        if (load_le16(body) != 0x0001)
                return refuse(at, 0, "the version", load_le16(body), "1.0");
        if (body[SIGNATURE_TYPE] != ADAC_ECDSA_P256)
                return refuse(at, SIGNATURE_TYPE, "the signature type", body[SIGNATURE_TYPE],
                              "1 (ECDSA on P-256), the one STM32H5 and H7RS have");
        if (body[KEY_TYPE] != ADAC_ECDSA_P256)
                return refuse(at, KEY_TYPE, "the key type", body[KEY_TYPE], "1 (P-256)");
        if (body[ROLE] < ADAC_ROOT || body[ROLE] > ADAC_LEAF)
                return refuse(at, ROLE, "the role", body[ROLE], "1 root, 2 intermediate or 3 leaf");
        if (load_le16(body + RESERVED))
                return refuse(at, RESERVED, "the reserved field", load_le16(body + RESERVED), "0");
        if (load_le32(body + EXTENSIONS))
                return refuse(at, EXTENSIONS, "the length of extensions",
                              load_le32(body + EXTENSIONS), "0: none are read");
        for (unsigned i = EXTENSIONS_DIGEST; i < SIGNATURE; i++)
                if (body[i])
                        return refuse(at, i, "the digest of no extensions", body[i], "zeros");
        if (!curve_has_point(body + PUBLIC_KEY))
                return fault(FAULT_BAD_FILE, "%s offset %zu: the public key is no point of P-256",
                             at->name, at->offset + PUBLIC_KEY);
        return 0;
}

static void take_fields(const uint8_t *body, struct adac_certificate *certificate)
{
        certificate->role = body[ROLE];
        certificate->usage = body[USAGE];
        certificate->life_cycle = load_le16(body + LIFE_CYCLE);
        certificate->oem_constraint = load_le16(body + OEM_CONSTRAINT);
        certificate->soc_class = load_le32(body + SOC_CLASS);
        memcpy(certificate->soc_id, body + SOC_ID, ADAC_SOC_ID_LENGTH);
        memcpy(certificate->permissions, body + PERMISSIONS, ADAC_PERMISSION_LENGTH);
        memcpy(certificate->public_key, body + PUBLIC_KEY, CURVE_POINT_LENGTH);
        memcpy(certificate->bytes, body - ADAC_TLV_LENGTH,
               ADAC_TLV_LENGTH + ADAC_CERTIFICATE_LENGTH);
}

/* By the key of the one before it; the first must be a root and signs itself. */
static int check_issuer(const struct reading *at, const struct adac_chain *chain)
{
        const struct adac_certificate *own = &chain->certificates[chain->count];
        const struct adac_certificate *issuer = chain->count ? own - 1 : own;
        const struct piece signed_part = { at->body, SIGNATURE };

        if (chain->count == 0 && own->role != ADAC_ROOT)
                return refuse(at, ROLE, "the role of the first certificate", own->role,
                              "1: a chain begins with its root");
        if (chain->count && (own->role == ADAC_ROOT || issuer->role == ADAC_LEAF))
                return fault(FAULT_BAD_FILE,
                             "%s offset %zu: a certificate of role %u follows one of role %u; "
                             "wanted root, intermediates, leaf",
                             at->name, at->offset + ROLE, own->role, issuer->role);
        if (!ecdsa_verify(issuer->public_key, &signed_part, 1, at->body + SIGNATURE))
                return fault(FAULT_BAD_FILE,
                             "%s offset %zu: certificate %zu is not signed by %s; make the chain "
                             "again from its keys",
                             at->name, at->offset + SIGNATURE, chain->count + 1,
                             chain->count ? "the one before it" : "its own key, as a root is");
        return 0;
}

static int take_certificate(const char *name, const struct bytes *file, size_t offset,
                            struct adac_chain *chain)
{
        const uint8_t *piece = file->data + offset;
        struct reading at = { name, offset + ADAC_TLV_LENGTH, piece + ADAC_TLV_LENGTH };
        size_t rest = file->length - offset;
        int r;

        if (chain->count == ADAC_CHAIN_MAX)
                return fault(FAULT_BAD_FILE, "%s offset %zu: more than %u certificates", name,
                             offset, ADAC_CHAIN_MAX);
        if (rest < ADAC_TLV_LENGTH + ADAC_CERTIFICATE_LENGTH)
                return fault(FAULT_BAD_FILE, "%s offset %zu: %zu bytes, a certificate has %u", name,
                             offset, rest, ADAC_TLV_LENGTH + ADAC_CERTIFICATE_LENGTH);
        if (load_le16(piece) || load_le16(piece + 2) != ADAC_TYPE_CERTIFICATE ||
            load_le32(piece + 4) != ADAC_CERTIFICATE_LENGTH)
                return fault(FAULT_BAD_FILE,
                             "%s offset %zu: found type 0x%04X of %u bytes, wanted a certificate: "
                             "0x0201 of %u",
                             name, offset, load_le16(piece + 2), load_le32(piece + 4),
                             ADAC_CERTIFICATE_LENGTH);
        r = check_form(&at);
        if (r < 0)
                return r;
        take_fields(at.body, &chain->certificates[chain->count]);
        r = check_issuer(&at, chain);
        chain->count += r >= 0;
        return r;
}

/* --- the chain ----------------------------------------------------------------------------- */

int adac_chain_parse(const char *name, const void *file, size_t length,
                     struct adac_chain *ret_chain)
{
        struct bytes bytes CLEANUP(bytes_free) = { 0 };
        struct adac_chain chain = { .count = 0 };
        int r = 0;

        if (length == 0 || length > ADAC_FILE_MAX)
                return fault(FAULT_BAD_FILE, "%s: %zu bytes, a certificate chain has 1 to %u", name,
                             length, ADAC_FILE_MAX);
        if (*(const uint8_t *)file == 0)
                bytes = bytes_copy(file, length);
        else
                r = decode(name, file, length, &bytes);
        if (r >= 0 && bytes.length == 0)
                r = fault(FAULT_BAD_FILE, "%s: no certificate in it", name);
        for (size_t at = 0; r >= 0 && at < bytes.length;
             at += ADAC_TLV_LENGTH + ADAC_CERTIFICATE_LENGTH)
                r = take_certificate(name, &bytes, at, &chain);
        if (r >= 0)
                *ret_chain = chain;
        return r < 0 ? r : 0;
}

void adac_chain_permissions(const struct adac_chain *chain,
                            uint8_t ret_permissions[static ADAC_PERMISSION_LENGTH])
{
        memset(ret_permissions, chain->count ? 0xFF : 0, ADAC_PERMISSION_LENGTH);
        for (size_t i = 0; i < chain->count; i++)
                for (unsigned j = 0; j < ADAC_PERMISSION_LENGTH; j++)
                        ret_permissions[j] &= chain->certificates[i].permissions[j];
}

void adac_certificate_make(struct adac_certificate *certificate,
                           const uint8_t issuer[static CURVE_NUMBER_LENGTH])
{
        uint8_t *body = certificate->bytes + ADAC_TLV_LENGTH;
        const struct piece signed_part = { body, SIGNATURE };

        memset(certificate->bytes, 0, sizeof(certificate->bytes));
        put_header(certificate->bytes, ADAC_TYPE_CERTIFICATE, ADAC_CERTIFICATE_LENGTH);
        body[0] = 1;
        body[SIGNATURE_TYPE] = body[KEY_TYPE] = ADAC_ECDSA_P256;
        body[ROLE] = (uint8_t)certificate->role;
        body[USAGE] = certificate->usage;
        store_le16(body + LIFE_CYCLE, certificate->life_cycle);
        store_le16(body + OEM_CONSTRAINT, certificate->oem_constraint);
        store_le32(body + SOC_CLASS, certificate->soc_class);
        memcpy(body + SOC_ID, certificate->soc_id, ADAC_SOC_ID_LENGTH);
        memcpy(body + PERMISSIONS, certificate->permissions, ADAC_PERMISSION_LENGTH);
        memcpy(body + PUBLIC_KEY, certificate->public_key, CURVE_POINT_LENGTH);
        ecdsa_sign(issuer, &signed_part, 1, body + SIGNATURE);
}

/* --- what answers a challenge -------------------------------------------------------------- */

void adac_token_make(const uint8_t private_key[static CURVE_NUMBER_LENGTH],
                     const uint8_t challenge[static ADAC_CHALLENGE_LENGTH],
                     const uint8_t permissions[static ADAC_PERMISSION_LENGTH],
                     uint8_t ret_token[static ADAC_TLV_LENGTH + ADAC_TOKEN_LENGTH])
{
        uint8_t *body = ret_token + ADAC_TLV_LENGTH;
        const struct piece signed_parts[] = { { body, TOKEN_SIGNATURE },
                                              { challenge, ADAC_CHALLENGE_LENGTH } };

        memset(ret_token, 0, ADAC_TLV_LENGTH + ADAC_TOKEN_LENGTH);
        put_header(ret_token, ADAC_TYPE_TOKEN, ADAC_TOKEN_LENGTH);
        body[0] = 1;
        body[SIGNATURE_TYPE] = ADAC_ECDSA_P256;
        memcpy(body + TOKEN_PERMISSIONS, permissions, ADAC_PERMISSION_LENGTH);
        ecdsa_sign(private_key, signed_parts, LENGTH_OF(signed_parts), body + TOKEN_SIGNATURE);
}

int adac_password_parse(const char *name, const void *file, size_t length, struct bytes *ret_sent)
{
        const uint8_t *bytes = file;
        uint32_t count = length >= PASSWORD_HEADER ? load_le32(bytes + 4) : 0;

        if (length < PASSWORD_HEADER || load_le16(bytes) ||
            load_le16(bytes + 2) != ADAC_TYPE_PASSWORD || count != length - PASSWORD_HEADER)
                return fault(FAULT_BAD_FILE,
                             "%s: %zu bytes that do not begin with 0x80000000 and the length of "
                             "the rest; wanted the password.bin that gangway obk create writes "
                             "beside the .obk",
                             name, length);
        if (count < ADAC_PASSWORD_MIN || count > ADAC_PASSWORD_MAX)
                return fault(FAULT_BAD_FILE, "%s: a password of %u bytes, parts take %u to %u",
                             name, count, ADAC_PASSWORD_MIN, ADAC_PASSWORD_MAX);
        *ret_sent = bytes_new((length + 3) / 4 * 4);
        memcpy(ret_sent->data, bytes, length);
        return 0;
}

/* --- permissions --------------------------------------------------------------------------- */

/* Numbers 14 and 12: the discovery of STM32CubeProgrammer on an H563, "(a/14) ==> Full Regression",
 * "(b/12) ==> To TZ Regression" (wolfTrust, docs of tests/target). The others are listed there in this
 * order for the mask 0x5077 (community.st.com, td-p/694861). */
static const struct {
        unsigned bit;
        const char *name;
} permissions_known[] = {
        { ADAC_FULL_REGRESSION, "full regression" },
        { ADAC_TZ_REGRESSION, "regression to TZ-closed" },
        { 6, "level 3 debug" },
        { 5, "level 2 debug" },
        { 4, "level 1 debug" },
        { 2, "level 3 non-secure debug" },
        { 1, "level 2 non-secure debug" },
        { 0, "level 1 non-secure debug" },
};

const char *adac_permission_name(unsigned bit)
{
        for (size_t i = 0; i < LENGTH_OF(permissions_known); i++)
                if (permissions_known[i].bit == bit)
                        return permissions_known[i].name;
        return NULL;
}

bool adac_permission_has(const uint8_t permissions[static ADAC_PERMISSION_LENGTH], unsigned bit)
{
        return bit < BITS && permissions[bit / 8] >> bit % 8 & 1;
}

void adac_permission_add(uint8_t permissions[static ADAC_PERMISSION_LENGTH], unsigned bit)
{
        INSIST(bit < BITS);
        permissions[bit / 8] |= (uint8_t)(1u << bit % 8);
}

char *adac_permission_text(const uint8_t permissions[static ADAC_PERMISSION_LENGTH], char *text)
{
        unsigned at = ADAC_PERMISSION_LENGTH;
        char *end = text + sprintf(text, "0x");

        while (at > 1 && !permissions[at - 1])
                at--;
        end += sprintf(end, "%X", permissions[--at]);
        while (at > 0)
                end += sprintf(end, "%02X", permissions[--at]);
        return text;
}
