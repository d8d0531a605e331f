#include "station/commands/ssp_files.h"

#include "crypto/pem.h"
#include "scheduler/file.h"
#include "station/commands/answer.h"

int ssp_files_image(const char *path, struct ssp *ret_ssp)
{
        struct bytes file CLEANUP(bytes_free) = { 0 };
        int r = file_read(path, 4096, &file);

        if (r < 0)
                return r;
        return ssp_parse(path, file.data, file.length, ret_ssp);
}

int ssp_files_public_key(const char *path, uint8_t ret_key[static SSP_KEY_LENGTH])
{
        struct bytes file CLEANUP(bytes_wipe_free) = { 0 };
        struct pem_key key CLEANUP(pem_wipe) = { 0 };
        int r = file_read(path, PEM_FILE_MAX, &file);

        if (r >= 0)
                r = pem_parse(path, file.data, file.length, &key);
        if (r < 0)
                return fault_prefix(r, "the OEM public key");
        memcpy(ret_key, key.public_key, SSP_KEY_LENGTH);
        return 0;
}

int ssp_files_secrets(const char *key_path, const char *nonce_path, struct secrets *ret_secrets)
{
        struct bytes nonce CLEANUP(bytes_wipe_free) = { 0 };
        int r;

        r = secrets_read_exactly("key", key_path, ret_secrets->key, sizeof(ret_secrets->key));
        if (r >= 0)
                r = secrets_read_file("nonce", nonce_path, &nonce);
        if (r < 0)
                return r;
        return ssp_nonce(nonce_path, nonce.data, nonce.length, ret_secrets->nonce);
}

void ssp_print(FILE *out, const char *name, const struct ssp *ssp)
{
        char text[2 * SSP_KEY_LENGTH + 1];

        fprintf(out, "%s\n", name);
        fprintf(out, "  magic               SSPP\n");
        fprintf(out, "  protocol version    %u\n", ssp->version);
        fprintf(out, "  OEM public key, x   %.64s\n",
                hex_encode(ssp->public_key, SSP_KEY_LENGTH, text));
        fprintf(out, "  OEM public key, y   %s\n", text + SSP_KEY_LENGTH);
        fprintf(out, "  its SHA-256         %s\n", digest_text(ssp->key_hash, text));
        fprintf(out, "  secret size         %u\n", ssp->secret_length);
        fprintf(out, "  payload tag         %s\n", hex_encode(ssp->tag, sizeof(ssp->tag), text));
}

json_t *ssp_json(const char *name, const struct ssp *ssp)
{
        char key[2 * SSP_KEY_LENGTH + 1], hash[65], tag[2 * GCM_TAG_LENGTH + 1];

        return json_pack("{s:o, s:i, s:s, s:s, s:i, s:s}", "file", answer_text(name), "version",
                         ssp->version, "public_key",
                         hex_encode(ssp->public_key, SSP_KEY_LENGTH, key), "public_key_sha256",
                         digest_text(ssp->key_hash, hash), "secret_length", ssp->secret_length,
                         "tag", hex_encode(ssp->tag, sizeof(ssp->tag), tag));
}
