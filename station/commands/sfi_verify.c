/*
 * gangway sfi verify: which tags of an image hold, unit by unit (header, then areas).
 *
 * With key and nonce each unit is opened. Without the key, where the hash key H is known, a tag is
 * GHASH_H(AAD, ciphertext) XOR E_K(J0), and the mask E_K(J0) of each unit comes from a file
 * (spec/secure-install.md 3.2). A unit that was not checked is never called proven.
 */
#include "station/commands/command.h"

#include "scheduler/file.h"
#include "station/commands/answer.h"
#include "station/commands/image_opened.h"
#include "station/commands/image_view.h"
#include "station/commands/options.h"
#include "station/commands/secrets.h"

#include <stdlib.h>

#define MASK_FILE_MAX (256u << 10)
#define MASK_DIGITS   32u

struct request {
        const char *path, *key_file, *nonce_file, *hash_key, *mask_file;
        enum sfi_iv_policy policy;
        bool is_json;
};

enum verdict { PROVEN, WRONG, NOT_CHECKED };

static const char *const verdict_words[] = {
        [PROVEN] = "tag proven",
        [WRONG] = "TAG DOES NOT MATCH",
        [NOT_CHECKED] = "not checked: no mask for it",
};

/* Unit 0 is the image header, then the areas. */
struct unit {
        const uint8_t *aad, *payload, *tag;
        size_t aad_length, length;
};

static struct unit unit_of(const struct sfi *sfi, size_t index)
{
        const struct sfi_area *area;

        if (index == 0)
                return (struct unit){ .aad = sfi->file.data,
                                      .aad_length = SFI_HEADER_AAD_LENGTH,
                                      .payload = sfi->file.data,
                                      .tag = sfi->tag };
        area = &sfi->areas[index - 1];
        return (struct unit){ .aad = area->header,
                              .aad_length = SFI_AREA_AAD_LENGTH,
                              .payload = area->payload,
                              .length = area->length,
                              .tag = area->tag };
}

/* --- two ways to know ---------------------------------------------------------------------- */

static int verify_with_key(const struct request *request, const struct sfi *sfi,
                           enum verdict *verdicts)
{
        struct secrets secrets CLEANUP(secrets_wipe) = { 0 };
        struct gcm_key *key;
        int r;

        r = secrets_read(request->key_file, request->nonce_file, &secrets);
        if (r < 0)
                return r;
        key = gcm_key_create(secrets.key);
        for (size_t i = 0; i <= sfi->count; i++) {
                struct unit unit = unit_of(sfi, i);
                struct bytes plain CLEANUP(bytes_wipe_free) = bytes_new(unit.length);
                uint8_t iv[GCM_IV_LENGTH];

                sfi_iv(secrets.nonce, i ? sfi->areas[i - 1].index : 0, request->policy, iv);
                r = gcm_open(key, iv, unit.aad, unit.aad_length, unit.payload, plain.data,
                             unit.length, unit.tag);
                verdicts[i] = r < 0 ? WRONG : PROVEN;
                wipe(iv, sizeof(iv));
        }
        (void)gcm_key_destroy(key);
        return 0;
}

/* Take the next line that holds a mask; 0 at the end. */
static int next_mask(const char *path, char **rest, unsigned *line, uint8_t ret_mask[static 16])
{
        char *text;

        while ((text = strsep(rest, "\n"))) {
                size_t length;

                ++*line;
                text += strspn(text, " \t");
                length = strcspn(text, " \t\r#");
                if (length == 0)
                        continue;
                if (text[length] && text[length + strspn(text + length, " \t\r")] != '#' &&
                    text[length + strspn(text + length, " \t\r")] != '\0')
                        length = 0;
                text[length] = '\0';
                if (length != MASK_DIGITS || !hex_decode(text, ret_mask, MASK_DIGITS / 2))
                        return fault(FAULT_BAD_FILE,
                                     "%s line %u: wanted one mask of %u hexadecimal digits", path,
                                     *line, MASK_DIGITS);
                return 1;
        }
        return 0;
}

static enum verdict verify_unit_hash(const struct sfi *sfi, size_t index,
                                     const uint8_t hash_key[static 16],
                                     const uint8_t mask[static 16])
{
        struct unit unit = unit_of(sfi, index);
        uint8_t tag[GCM_TAG_LENGTH];

        gcm_ghash(hash_key, unit.aad, unit.aad_length, unit.payload, unit.length, tag);
        for (size_t i = 0; i < sizeof(tag); i++)
                tag[i] ^= mask[i];
        return equal_secret(tag, unit.tag, sizeof(tag)) ? PROVEN : WRONG;
}

static int verify_with_hash_key(const struct request *request, const struct sfi *sfi,
                                enum verdict *verdicts)
{
        struct bytes file CLEANUP(bytes_wipe_free) = { 0 };
        uint8_t hash_key[16], mask[16];
        unsigned line = 0;
        size_t count = 0;
        char *rest;
        int r;

        if (!hex_decode(request->hash_key, hash_key, sizeof(hash_key)))
                return fault(FAULT_BAD_VALUE, "--ghash-key wants 32 hexadecimal digits");
        r = file_read(request->mask_file, MASK_FILE_MAX, &file);
        if (r < 0)
                return r;
        rest = (char *)file.data; /* a zero byte follows */
        while ((r = next_mask(request->mask_file, &rest, &line, mask)) > 0) {
                if (count > sfi->count)
                        return fault(FAULT_BAD_FILE,
                                     "%s line %u: more masks than the image has units, %u",
                                     request->mask_file, line, sfi->count + 1u);
                verdicts[count] = verify_unit_hash(sfi, count, hash_key, mask);
                count++;
        }
        return r;
}

/* --- telling ------------------------------------------------------------------------------- */

static void unit_name(const struct sfi *sfi, size_t index, char text[static 64])
{
        const struct sfi_area *area = index ? &sfi->areas[index - 1] : NULL;

        if (area)
                snprintf(text, 64, "area %u %s 0x%08X", area->index, sfi_type_name(area->type),
                         area->address);
        else
                snprintf(text, 64, "header");
}

static size_t count_verdicts(const struct sfi *sfi, const enum verdict *verdicts,
                             enum verdict wanted)
{
        size_t count = 0;

        for (size_t i = 0; i <= sfi->count; i++)
                count += verdicts[i] == wanted;
        return count;
}

static int print_text(const struct request *request, const struct sfi *sfi,
                      const enum verdict *verdicts)
{
        size_t units = (size_t)sfi->count + 1, proven = count_verdicts(sfi, verdicts, PROVEN);
        char name[64];

        for (size_t i = 0; i < units; i++) {
                unit_name(sfi, i, name);
                printf("%-34s %s%s\n", name, verdict_words[verdicts[i]],
                       request->key_file && i && verdicts[i] == PROVEN ? ", payload decrypts" : "");
        }
        printf("%s: %zu of %zu units proven (%s)\n", request->path, proven, units,
               request->key_file ? sfi_iv_policy_name(request->policy) : "hash key and masks");
        if (proven != units)
                printf("the image is NOT verified: wrong key, nonce%s, or the file was changed\n",
                       request->key_file ? ", --iv-policy" : "'s masks");
        return 0;
}

static int print_json(const struct request *request, const struct sfi *sfi,
                      const enum verdict *verdicts)
{
        static const char *const words[] = { "proven", "wrong", "not checked" };
        json_t *units = json_array();
        char name[64];

        for (size_t i = 0; i <= sfi->count; i++) {
                unit_name(sfi, i, name);
                json_array_append_new(units,
                                      json_pack("{s:I, s:s, s:s}", "index", (json_int_t)i, "unit",
                                                name, "verdict", words[verdicts[i]]));
        }
        return answer_json(json_pack("{s:b, s:s, s:o}", "verified",
                                     count_verdicts(sfi, verdicts, PROVEN) == sfi->count + 1u, "by",
                                     request->key_file ? "key" : "hash key", "units", units),
                           0);
}

/* --- the command --------------------------------------------------------------------------- */

static int check_request(const struct request *request)
{
        bool with_key = request->key_file && request->nonce_file;
        bool with_hash = request->hash_key && request->mask_file;
        bool any_key = request->key_file || request->nonce_file;
        bool any_hash = request->hash_key || request->mask_file;

        if ((with_key && !any_hash) || (with_hash && !any_key))
                return 0;
        return fault(FAULT_BAD_VALUE, "give -k and -n, or --ghash-key and --tag-mask");
}

static int read_request(int argc, char **argv, struct request *request)
{
        const struct argument arguments[] = {
                { .what = "file", .text = &request->path, .needed = "FILE" },
                { "key", "k", .text = &request->key_file },
                { "nonce", "n", .text = &request->nonce_file },
                { "iv-policy", .take = image_policy_take, .context = &request->policy },
                { "ghash-key", .text = &request->hash_key },
                { "tag-mask", .text = &request->mask_file },
                { "json", .flag = &request->is_json },
        };
        int r = options_read(argc, argv, arguments, LENGTH_OF(arguments));

        return r < 0 ? r : check_request(request);
}

static int run(int argc, char **argv)
{
        struct sfi *sfi CLEANUP(image_release) = NULL;
        struct request request = { 0 };
        enum verdict *verdicts;
        int r = read_request(argc, argv, &request);

        if (r >= 0)
                r = image_read(request.path, &sfi);
        if (r < 0)
                return r;
        verdicts = calloc((size_t)sfi->count + 1, sizeof(*verdicts));
        INSIST(verdicts);
        for (size_t i = 0; i <= sfi->count; i++)
                verdicts[i] = NOT_CHECKED;
        r = request.key_file ? verify_with_key(&request, sfi, verdicts)
                             : verify_with_hash_key(&request, sfi, verdicts);
        if (r >= 0)
                r = request.is_json ? print_json(&request, sfi, verdicts)
                                    : print_text(&request, sfi, verdicts);
        if (r >= 0)
                r = count_verdicts(sfi, verdicts, PROVEN) == sfi->count + 1u ? EXIT_OK : EXIT_NO;
        free(verdicts);
        return r;
}

const struct command sfi_verify_command = {
        .words = "sfi verify",
        .summary = "check every tag of an .sfi image",
        .help = "usage: gangway sfi verify FILE -k KEY -n NONCE [--iv-policy NAME] [--json]\n"
                "       gangway sfi verify FILE --ghash-key HEX --tag-mask FILE [--json]\n"
                "\n"
                "Says of the header and of each area whether its tag is proven. Exit 0 only when\n"
                "all are; 1 when one is wrong or could not be checked.\n"
                "\n"
                "  -k, --key FILE      AES-128 key, 16 bytes\n"
                "  -n, --nonce FILE    nonce, 12 bytes\n"
                "  --iv-policy NAME    as for sfi create\n"
                "  --ghash-key HEX     the hash key H, where the key is not known\n"
                "  --tag-mask FILE     E_K(J0) of each unit, 32 hexadecimal digits a line, the\n"
                "                      header's first; # opens a comment\n"
                "\n"
                "example: gangway sfi verify app.sfi -k key.bin -n nonce.bin\n",
        .run = run,
};
