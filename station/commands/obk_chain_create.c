/*
 * gangway obk chain create: the certificates that open a part by debug authentication, from their keys.
 *
 * Each --key is a link, the root first; every certificate is signed by the key before its own. So all but the
 * last must be private; the last may be the public key of somebody who keeps his own. What is written is read
 * again as a part would get it.
 */
#include "station/commands/command.h"

#include "crypto/adac.h"
#include "crypto/pem.h"
#include "scheduler/file.h"
#include "station/commands/options.h"
#include "station/commands/secrets.h"

#include <openssl/evp.h>

#include <stdio.h>
#include <string.h>

#define PERMISSION_DEFAULT 0x5077u /* ST's example: DA_Config.xml of STM32CubeH5 */
#define PIECE              (ADAC_TLV_LENGTH + ADAC_CERTIFICATE_LENGTH)
#define TEXT_MAX           (ADAC_CHAIN_MAX * PIECE / 3 * 4 + 8)

struct request {
        const char *keys[ADAC_CHAIN_MAX], *output;
        size_t count;
        uint32_t permission, soc_class;
};

static int take_key(void *context, struct options *options)
{
        struct request *request = context;

        if (request->count == ADAC_CHAIN_MAX)
                return fault(FAULT_BAD_VALUE, "more than %u --key", ADAC_CHAIN_MAX);
        request->keys[request->count++] = options->value;
        return 0;
}

static int read_request(int argc, char **argv, struct request *request)
{
        const struct argument arguments[] = {
                { "output", "o", .text = &request->output, .needed = "-o FILE" },
                { "key", "k", .take = take_key, .context = request, .is_repeatable = true,
                  .needed = "--key FILE, the root's first, then one a link" },
                { "permission", "per", .number = &request->permission, .most = UINT32_MAX },
                { "soc-class", .number = &request->soc_class, .most = UINT32_MAX },
        };

        return options_read(argc, argv, arguments, LENGTH_OF(arguments));
}

static int read_key(const char *path, bool needs_private, struct pem_key *ret_key)
{
        struct bytes text CLEANUP(bytes_wipe_free) = { 0 };
        int r = needs_private ? secrets_read_file("private key", path, &text)
                              : file_read(path, PEM_FILE_MAX, &text);

        if (r >= 0)
                r = pem_parse(path, text.data, text.length, ret_key);
        if (r >= 0 && needs_private && !ret_key->has_private)
                return fault(FAULT_BAD_FILE,
                             "%s holds a public key; wanted the private one, which signs the next "
                             "certificate",
                             path);
        return r;
}

static enum adac_role role_of(const struct request *request, size_t i)
{
        return i == 0 ? ADAC_ROOT : i + 1 < request->count ? ADAC_INTERMEDIATE : ADAC_LEAF;
}

static int make(const struct request *request, uint8_t *ret_bytes)
{
        struct pem_key issuer CLEANUP(pem_wipe) = { 0 };

        for (size_t i = 0; i < request->count; i++) {
                struct pem_key own CLEANUP(pem_wipe) = { 0 };
                struct adac_certificate made = { .role = role_of(request, i),
                                                 .usage = 1, /* as ST's */
                                                 .soc_class = request->soc_class };
                int r = read_key(request->keys[i], i == 0 || i + 1 < request->count, &own);

                if (r < 0)
                        return r;
                store_le32(made.permissions, request->permission);
                memcpy(made.public_key, own.public_key, sizeof(made.public_key));
                adac_certificate_make(&made, i ? issuer.private_key : own.private_key);
                memcpy(ret_bytes + i * PIECE, made.bytes, PIECE);
                issuer = own;
        }
        return 0;
}

static int run(int argc, char **argv)
{
        struct request request = { .permission = PERMISSION_DEFAULT };
        uint8_t bytes[ADAC_CHAIN_MAX * PIECE], text[TEXT_MAX];
        struct adac_chain chain;
        int length, r = read_request(argc, argv, &request);

        if (r >= 0)
                r = make(&request, bytes);
        if (r >= 0)
                r = adac_chain_parse(request.output, bytes, request.count * PIECE, &chain);
        if (r < 0)
                return r;
        length = EVP_EncodeBlock(text, bytes, (int)(request.count * PIECE));
        r = file_write(request.output, text, (size_t)length, 0644);
        if (r < 0)
                return r;
        printf("%s: %zu certificates, permission 0x%X, read back and proven\n", request.output,
               request.count, request.permission);
        return EXIT_OK;
}

const struct command obk_chain_create_command = {
        .words = "obk chain create",
        .summary = "certificates for debug authentication, from their keys",
        .help = "usage: gangway obk chain create --key ROOT.pem [--key ...] -o CHAIN.b64\n"
                "\n"
                "A certificate chain for gangway target regress, as ST's cert_leaf_chain.b64:\n"
                "the root signs itself, each further certificate is signed by the key before.\n"
                "The root must be the one in the .obk (gangway obk create, DA_Config.xml).\n"
                "\n"
                "  -k, --key FILE      P-256 in PEM, root first, up to 8; all private but the\n"
                "                      last, which may be public\n"
                "  --permission MASK   what each lets through; 0x5077 (an H5: all) unless given,\n"
                "                      bit 14 is the full regression\n"
                "  --soc-class N       for parts of this device id only; any where not given\n"
                "  -o, --output FILE   base64, on one line\n"
                "\n"
                "Exit codes: 0 ok, 2 usage or a bad file\n"
                "example: gangway obk chain create --key root.pem --key leaf.pem -o chain.b64\n",
        .run = run,
};
