/*
 * ssp.c - seal, take apart and open the secrets of an STM32MP1.
 */
#include "crypto/ssp.h"

#include "crypto/curve.h"
#include "crypto/digest.h"
#include "scheduler/bytes.h"

#include <assert.h>

#define MAGIC             "SSPP"
#define VERSION           1u
#define VERSION_OFFSET    4
#define KEY_OFFSET        8
#define SIZE_OFFSET       72
#define TAG_OFFSET        76 /* and the length of the AAD */
#define ENCRYPTED_OFFSET  92
#define RMA_LENGTH        4
#define RMA_PASSWORD_BITS 15

static_assert(ENCRYPTED_OFFSET + SSP_PLAIN_LENGTH == SSP_LENGTH, "AN5054 table 2");
static_assert(RMA_LENGTH + SSP_SECRET_LENGTH == SSP_PLAIN_LENGTH, "AN5054 section 2.4");

int ssp_parse(const char *name, const void *file, size_t length, struct ssp *ret_ssp)
{
        const uint8_t *bytes = file;
        struct ssp ssp;

        if (length != SSP_LENGTH)
                return fault(FAULT_BAD_FILE, "%s: %zu bytes, an .ssp has exactly %u", name, length,
                             SSP_LENGTH);
        if (memcmp(bytes, MAGIC, strlen(MAGIC)) != 0)
                return fault(FAULT_BAD_FILE, "%s offset 0: found 0x%08X, wanted \"" MAGIC "\"",
                             name, load_le32(bytes));
        ssp.version = load_le32(bytes + VERSION_OFFSET);
        ssp.secret_length = load_le32(bytes + SIZE_OFFSET);
        if (ssp.version != VERSION)
                return fault(FAULT_BAD_FILE, "%s offset %u: protocol version %u, wanted %u", name,
                             VERSION_OFFSET, ssp.version, VERSION);
        /* TF-A takes fewer, the table keeps its length */
        if (!ssp.secret_length || ssp.secret_length > SSP_PLAIN_LENGTH || ssp.secret_length % 4)
                return fault(FAULT_BAD_FILE,
                             "%s offset %u: %u bytes of secrets, wanted words of at most %u bytes",
                             name, SIZE_OFFSET, ssp.secret_length, SSP_PLAIN_LENGTH);
        if (!curve_has_point(bytes + KEY_OFFSET))
                return fault(FAULT_BAD_FILE,
                             "%s offset %u: the OEM public key is not a point of P-256", name,
                             KEY_OFFSET);
        memcpy(ssp.public_key, bytes + KEY_OFFSET, sizeof(ssp.public_key));
        memcpy(ssp.tag, bytes + TAG_OFFSET, sizeof(ssp.tag));
        memcpy(ssp.bytes, bytes, sizeof(ssp.bytes));
        digest_sha256(ssp.public_key, sizeof(ssp.public_key), ssp.key_hash);
        *ret_ssp = ssp;
        return 0;
}

uint32_t ssp_rma_word(uint32_t unlock, uint32_t relock)
{
        INSIST(unlock <= SSP_RMA_MAX && relock <= SSP_RMA_MAX);
        return relock << RMA_PASSWORD_BITS | unlock;
}

int ssp_nonce(const char *name, const void *file, size_t length,
              uint8_t ret_nonce[static GCM_IV_LENGTH])
{
        const uint8_t *bytes = file;

        if (length != GCM_IV_LENGTH && length != SSP_NONCE_MAX)
                return fault(FAULT_BAD_FILE,
                             "the nonce file %s has %zu bytes, wanted %u, or %u with 4 zeros last",
                             name, length, GCM_IV_LENGTH, SSP_NONCE_MAX);
        if (length == SSP_NONCE_MAX && load_le32(bytes + GCM_IV_LENGTH) != 0)
                return fault(FAULT_BAD_FILE,
                             "the last 4 of the 16 bytes of the nonce file %s are not zero: only "
                             "12 count (AN5054 section 3.1.2)",
                             name);
        memcpy(ret_nonce, bytes, GCM_IV_LENGTH);
        return 0;
}

void ssp_seal(const uint8_t key[static GCM_KEY_LENGTH], const uint8_t nonce[static GCM_IV_LENGTH],
              const uint8_t public_key[static SSP_KEY_LENGTH], uint32_t rma_word,
              const uint8_t secrets[static SSP_SECRET_LENGTH], uint8_t ret_file[static SSP_LENGTH])
{
        struct gcm_key *cipher = gcm_key_create(key);
        uint8_t plain[SSP_PLAIN_LENGTH];

        memcpy(ret_file, MAGIC, strlen(MAGIC));
        store_le32(ret_file + VERSION_OFFSET, VERSION);
        memcpy(ret_file + KEY_OFFSET, public_key, SSP_KEY_LENGTH);
        store_le32(ret_file + SIZE_OFFSET, SSP_PLAIN_LENGTH);
        store_le32(plain, rma_word);
        memcpy(plain + RMA_LENGTH, secrets, SSP_SECRET_LENGTH);
        gcm_seal(cipher, nonce, ret_file, TAG_OFFSET, plain, ret_file + ENCRYPTED_OFFSET,
                 sizeof(plain), ret_file + TAG_OFFSET);
        gcm_key_destroy(cipher);
        wipe(plain, sizeof(plain));
}

int ssp_open(const struct ssp *ssp, const uint8_t key[static GCM_KEY_LENGTH],
             const uint8_t nonce[static GCM_IV_LENGTH], uint8_t ret_plain[static SSP_PLAIN_LENGTH])
{
        struct gcm_key *cipher = gcm_key_create(key);
        int r;

        memset(ret_plain, 0, SSP_PLAIN_LENGTH);
        r = gcm_open(cipher, nonce, ssp->bytes, TAG_OFFSET, ssp->bytes + ENCRYPTED_OFFSET,
                     ret_plain, ssp->secret_length, ssp->tag);
        gcm_key_destroy(cipher);
        if (r < 0)
                return fault(FAULT_BAD_TAG, "the tag does not match: another key or nonce, or the "
                                            "file was changed");
        return 0;
}
