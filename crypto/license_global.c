/*
 * license_global.c - the reference global license: made and opened with a key everybody has.
 *
 * The IV comes from the SHA-256 of what is encrypted, so that another record gets another IV under
 * the constant key, and the same one the same bytes.
 */
#include "crypto/license_global.h"

#include "crypto/digest.h"
#include "scheduler/bytes.h"

#define HEAD             "SFIG"
#define MARK             "GWREFGLB"
#define VERSION          1u
#define VERSION_OFFSET   8
#define MARK_OFFSET      16
#define IV_OFFSET        24
#define RECORD_OFFSET    88 /* and the length of the AAD */
#define RECORD_LENGTH    32
#define RECORD_IV_LENGTH 16
#define TAG_OFFSET       120

/* Its SHA-256 is the key: no secret, and nobody takes it for one. */
#define REFERENCE_PHRASE "Gangway reference global license, not ST's"

static struct gcm_key *reference_key(void)
{
        uint8_t digest[DIGEST_LENGTH];

        digest_sha256(REFERENCE_PHRASE, strlen(REFERENCE_PHRASE), digest);
        return gcm_key_create(digest);
}

/* All but the encrypted record is known beforehand. */
static void head_fill(const uint8_t iv[static GCM_IV_LENGTH],
                      uint8_t ret_head[static RECORD_OFFSET])
{
        memset(ret_head, 0, RECORD_OFFSET);
        memcpy(ret_head, HEAD, strlen(HEAD));
        store_le32(ret_head + VERSION_OFFSET, VERSION);
        memcpy(ret_head + MARK_OFFSET, MARK, strlen(MARK));
        memcpy(ret_head + IV_OFFSET, iv, GCM_IV_LENGTH);
}

void license_global_make(const uint8_t key[static GCM_KEY_LENGTH],
                         const uint8_t nonce[static GCM_IV_LENGTH],
                         uint8_t ret_license[static LICENSE_GLOBAL_LENGTH])
{
        uint8_t record[RECORD_LENGTH] = { 0 }, digest[DIGEST_LENGTH];
        struct gcm_key *cipher = reference_key();

        memcpy(record, nonce, GCM_IV_LENGTH);
        memcpy(record + RECORD_IV_LENGTH, key, GCM_KEY_LENGTH);
        digest_sha256(record, sizeof(record), digest);
        head_fill(digest, ret_license);
        gcm_seal(cipher, digest, ret_license, RECORD_OFFSET, record, ret_license + RECORD_OFFSET,
                 sizeof(record), ret_license + TAG_OFFSET);
        gcm_key_destroy(cipher);
        wipe(record, sizeof(record));
        wipe(digest, sizeof(digest));
}

bool license_global_is(const void *license, size_t length)
{
        const uint8_t *bytes = license;
        uint8_t head[RECORD_OFFSET];

        if (length != LICENSE_GLOBAL_LENGTH)
                return false;
        head_fill(bytes + IV_OFFSET, head);
        return memcmp(head, bytes, sizeof(head)) == 0;
}

int license_global_open(const uint8_t license[static LICENSE_GLOBAL_LENGTH],
                        uint8_t ret_key[static GCM_KEY_LENGTH],
                        uint8_t ret_nonce[static GCM_IV_LENGTH])
{
        uint8_t record[RECORD_LENGTH];
        struct gcm_key *cipher;
        int r;

        if (!license_global_is(license, LICENSE_GLOBAL_LENGTH))
                return fault(FAULT_BAD_LICENSE, "it is not a global license of the reference "
                                                "layout (\"" HEAD "\", \"" MARK "\")");
        cipher = reference_key();
        r = gcm_open(cipher, license + IV_OFFSET, license, RECORD_OFFSET, license + RECORD_OFFSET,
                     record, sizeof(record), license + TAG_OFFSET);
        gcm_key_destroy(cipher);
        if (r < 0)
                return fault(FAULT_BAD_LICENSE, "the global license was changed: its tag does not "
                                                "match");
        memcpy(ret_nonce, record, GCM_IV_LENGTH);
        memcpy(ret_key, record + RECORD_IV_LENGTH, GCM_KEY_LENGTH);
        wipe(record, sizeof(record));
        return 0;
}
