/*
 * gangway obk chain show: what a certificate chain lets through, after proving it; no private key is needed.
 */
#include "station/commands/command.h"

#include "crypto/adac.h"
#include "crypto/digest.h"
#include "scheduler/file.h"
#include "station/commands/answer.h"
#include "station/commands/image_view.h"
#include "station/commands/options.h"

#include <jansson.h>
#include <stdio.h>

static const char *const roles[] = { NULL, "root", "intermediate", "leaf" };

static const char *permissions_of(const struct adac_certificate *certificate, char *text)
{
        return adac_permission_text(certificate->permissions, text);
}

static void print(const char *path, const struct adac_chain *chain)
{
        uint8_t all[ADAC_PERMISSION_LENGTH], digest[DIGEST_LENGTH];
        char text[65], permission[2 * ADAC_PERMISSION_LENGTH + 3];

        digest_sha256(chain->certificates[0].public_key, CURVE_POINT_LENGTH, digest);
        printf("%s: %zu certificates, each signed by the one before\n", path, chain->count);
        printf("  root key SHA-256          %s\n", digest_text(digest, text));
        for (size_t i = 0; i < chain->count; i++)
                printf("  %-24s  permission %s, SoC class 0x%X\n",
                       roles[chain->certificates[i].role],
                       permissions_of(&chain->certificates[i], permission),
                       chain->certificates[i].soc_class);
        adac_chain_permissions(chain, all);
        printf("  all together              %s\n", adac_permission_text(all, permission));
        for (unsigned bit = 8 * ADAC_PERMISSION_LENGTH; bit-- > 0;)
                if (adac_permission_has(all, bit))
                        printf("    bit %-3u                 %s\n", bit,
                               adac_permission_name(bit) ? adac_permission_name(bit)
                                                         : "not public");
}

static json_t *as_json(const struct adac_chain *chain)
{
        uint8_t all[ADAC_PERMISSION_LENGTH], digest[DIGEST_LENGTH];
        char text[65], permission[2 * ADAC_PERMISSION_LENGTH + 3];
        json_t *list = json_array();

        for (size_t i = 0; i < chain->count; i++)
                json_array_append_new(
                        list, json_pack("{s:s, s:s, s:I}", "role",
                                        roles[chain->certificates[i].role], "permissions",
                                        permissions_of(&chain->certificates[i], permission),
                                        "soc_class", (json_int_t)chain->certificates[i].soc_class));
        digest_sha256(chain->certificates[0].public_key, CURVE_POINT_LENGTH, digest);
        adac_chain_permissions(chain, all);
        return json_pack("{s:s, s:s, s:b, s:o}", "root_key_sha256", digest_text(digest, text),
                         "permissions", adac_permission_text(all, permission), "full_regression",
                         (int)adac_permission_has(all, ADAC_FULL_REGRESSION), "certificates", list);
}

static int run(int argc, char **argv)
{
        struct bytes file CLEANUP(bytes_free) = { 0 };
        struct adac_chain chain;
        const char *path;
        bool is_json;
        int r = options_one_file(argc, argv, &path, &is_json);

        if (r >= 0)
                r = file_read(path, ADAC_FILE_MAX, &file);
        if (r >= 0)
                r = adac_chain_parse(path, file.data, file.length, &chain);
        if (r < 0)
                return r;
        if (is_json)
                return answer_json(as_json(&chain), EXIT_OK);
        print(path, &chain);
        return EXIT_OK;
}

const struct command obk_chain_show_command = {
        .words = "obk chain show",
        .summary = "decode and prove a certificate chain",
        .help = "usage: gangway obk chain show CHAIN.b64 [--json]\n"
                "\n"
                "The certificates that open a part by debug authentication: whose root, what each\n"
                "lets through, and what all together do. The signatures are proven first. The\n"
                "digest of the root key is the one in the .obk (gangway obk show).\n"
                "\n"
                "  --json  the same for programs\n"
                "\n"
                "Exit codes: 0 proven, 2 usage or a file that is no such chain\n"
                "example: gangway obk chain show DA/Certificates/cert_leaf_chain.b64\n",
        .run = run,
};
