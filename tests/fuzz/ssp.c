/* Any bytes as an .ssp file, as a nonce file, and as the two MP2 inputs. */
#include "tests/support/fuzz.h"

#include "crypto/backup_memory.h"
#include "crypto/otp_secrets.h"
#include "crypto/ssp.h"

#include <stdlib.h>
#include <string.h>

static void check(int claim)
{
        if (!claim)
                abort();
}

static void check_ssp(const uint8_t *data, size_t length)
{
        static const uint8_t key[GCM_KEY_LENGTH] = { 1 };
        uint8_t nonce[GCM_IV_LENGTH], plain[SSP_PLAIN_LENGTH];
        struct ssp ssp;

        if (ssp_nonce("fuzz", data, length, nonce) == 0)
                check(memcmp(nonce, data, sizeof(nonce)) == 0);
        if (ssp_parse("fuzz", data, length, &ssp) < 0)
                return;
        check(length == SSP_LENGTH && ssp.secret_length <= SSP_PLAIN_LENGTH);
        memset(nonce, 0, sizeof(nonce));
        (void)!(ssp_open(&ssp, key, nonce, plain)); /* the corpus has one that opens */
}

static void check_otp(const uint8_t *data, size_t length)
{
        struct otp_secrets secrets = { .count = 0 };
        struct bytes again;

        if (otp_secrets_read_csv("fuzz", data, length, &secrets) == 0)
                check(secrets.count <= OTP_WORDS);
        if (otp_secrets_parse("fuzz", data, length, &secrets) < 0)
                return;
        again = otp_secrets_build(&secrets);
        check(again.length == length && memcmp(again.data, data, length) == 0);
        bytes_free(&again);
}

static void check_backup(const uint8_t *data, size_t length)
{
        static struct backup_memory memory, got;
        struct bytes again;

        if (backup_memory_parse("fuzz", data, length, &memory) < 0)
                return;
        again = backup_memory_build(&memory); /* sections that touch are one then */
        check(backup_memory_parse("fuzz", again.data, again.length, &got) == 0);
        check(memcmp(&memory, &got, sizeof(got)) == 0);
        bytes_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        check_ssp(data, length);
        check_otp(data, length);
        check_backup(data, length);
        return 0;
}
