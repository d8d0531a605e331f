/*
 * gangway sfi create: seal firmware and option bytes into an image (AN5054 section 2.5.1).
 *
 * Options in ST's spellings, then the files in the order given (image_inputs.c), then the plan of
 * areas (image_checks.c, image_plan.c), the lint, one sealing pass, and the file in one step. What
 * was written is taken apart again and shown, so that a file that cannot be read never leaves the
 * command as a success.
 */
#include "station/commands/command.h"

#include "scheduler/file.h"
#include "station/commands/answer.h"
#include "station/commands/family_find.h"
#include "station/commands/image_lint.h"
#include "station/commands/image_opened.h"
#include "station/commands/image_plan.h"
#include "station/commands/image_view.h"
#include "station/commands/options.h"
#include "station/commands/places.h"
#include "station/commands/pool.h"
#include "station/commands/progress.h"
#include "station/commands/sealing.h"
#include "station/commands/secrets.h"

#include <string.h>

#define FILES_MAX  128u
#define IMAGE_MODE 0644u /* an image is not secret */

/* What a file of the command line is. */
enum input_kind {
        INPUT_FIRMWARE,
        INPUT_EXTERNAL,
        INPUT_MODULE,
        INPUT_MODULES,
        INPUT_KEY_AREAS,
        INPUT_OPTION_KEY,
        INPUT_SSFI,
};

/* One of them; numbers are what stood after it. */
struct input {
        enum input_kind kind;
        const char *path;
        uint32_t numbers[4];
        size_t count;
};

struct request {
        struct input inputs[FILES_MAX];
        size_t input_count;
        const char *key_file, *nonce_file, *option_file, *output_file, *no_ledger;
        struct family_choice choice;
        bool is_json, is_allowed, has_external, has_firmware;
        uint32_t version, ram_length, protocol, padding, hash;
        struct image_token token;
        enum sfi_iv_policy policy;
};

/* --- options ------------------------------------------------------------------------------- */

/* An option that gives files; at most `most` numbers follow each. */
struct file_option {
        struct request *request;
        enum input_kind kind;
        size_t most;
};

static int take_input(const struct file_option *option, const char *path, struct input **ret_input)
{
        struct request *request = option->request;

        if (request->input_count == FILES_MAX)
                return fault(FAULT_BAD_VALUE, "more than %u files", FILES_MAX);
        *ret_input = &request->inputs[request->input_count++];
        **ret_input = (struct input){ .kind = option->kind, .path = path };
        return 0;
}

static int take_file(void *context, struct options *options)
{
        const struct file_option *option = context;
        struct input *input = NULL;
        const char *word;
        int r = take_input(option, options->value, &input);

        while (r >= 0 && input && input->count < option->most &&
               (word = options_take_word(options)))
                r = options_number("the number after the file", word, UINT32_MAX,
                                   &input->numbers[input->count++]);
        return r;
}

/* --ob-keys FILE FILE ...: all words up to the next option. */
static int take_files(void *context, struct options *options)
{
        const char *path = options->value;
        struct input *input;
        int r = 0;

        for (; path && r >= 0; path = options_take_word(options))
                r = take_input(context, path, &input);
        return r;
}

static bool ends_with(const char *text, const char *ending)
{
        size_t length = strlen(text), tail = strlen(ending);

        return length > tail && strcmp(text + length - tail, ending) == 0;
}

static int check_output(const struct request *request)
{
        const char *wanted = request->has_external ? ".sfix" : ".sfi";

        if (request->output_file && ends_with(request->output_file, wanted))
                return 0;
        return fault(FAULT_BAD_VALUE, "the output is %.80s, wanted -o and a name that ends in %s%s",
                     request->output_file ? request->output_file : "not given", wanted,
                     request->has_external ? ", for there is external firmware" : "");
}

static int check_request(const struct request *request)
{
        if (!request->has_firmware && !request->has_external)
                return fault(FAULT_BAD_VALUE, "no firmware: give -fir FILE");
        if (request->protocol == 1 && request->hash)
                return fault(FAULT_BAD_VALUE, "-hash 1 needs protocol 2: pause and resume areas of "
                                              "protocol 1 have no room for a digest");
        if (request->padding != 0xFF && request->padding != 0)
                return fault(FAULT_BAD_VALUE, "--padding is 0x%02X, wanted 0xFF or 0x00",
                             request->padding);
        return check_output(request);
}

static int read_request(int argc, char **argv, struct request *request)
{
        const struct argument arguments[] = {
                { "firmware", "fir", .take = take_file,
                  .context = &(struct file_option){ request, INPUT_FIRMWARE, 1 },
                  .is_repeatable = true, .flag = &request->has_firmware },
                { "firmwx", "firx", .take = take_file,
                  .context = &(struct file_option){ request, INPUT_EXTERNAL, 4 },
                  .is_repeatable = true, .flag = &request->has_external },
                { "module", "m", .take = take_file,
                  .context = &(struct file_option){ request, INPUT_MODULE, 1 },
                  .is_repeatable = true },
                { "mcsv", .take = take_file,
                  .context = &(struct file_option){ request, INPUT_MODULES, 0 },
                  .is_repeatable = true },
                { "kcsv", .take = take_file,
                  .context = &(struct file_option){ request, INPUT_KEY_AREAS, 0 } },
                { "ob-keys", .take = take_files,
                  .context = &(struct file_option){ request, INPUT_OPTION_KEY, 0 },
                  .is_repeatable = true },
                { "ssfi", .take = take_file,
                  .context = &(struct file_option){ request, INPUT_SSFI, 0 } },
                { "hash", .number = &request->hash, .most = 1 },
                { "allow", .flag = &request->is_allowed },
                { "key", "k", .text = &request->key_file, .needed = "-k FILE" },
                { "nonce", "n", .text = &request->nonce_file, .needed = "-n FILE" },
                { "ver", "v", .number = &request->version, .most = UINT8_MAX,
                  .what = "image version", .needed = "-v 0..255" },
                { "obfile", "ob", .text = &request->option_file },
                { "ramsize", "rs", .number = &request->ram_length, .most = UINT32_MAX },
                { "token", "ct", .number = &request->token.address, .most = UINT32_MAX,
                  .flag = &request->token.is_given },
                FAMILY_ARGUMENTS(&request->choice),
                { "outfile", "o", .text = &request->output_file },
                { "protocol", .number = &request->protocol, .least = 1, .most = 2 },
                { "padding", .number = &request->padding, .most = UINT8_MAX },
                { "iv-policy", .take = image_policy_take, .context = &request->policy },
                { "json", .flag = &request->is_json },
                { "no-ledger", .text = &request->no_ledger },
                { .instead = "firmware files are given with -fir" },
        };
        int r = options_read(argc, argv, arguments, LENGTH_OF(arguments));

        return r < 0 ? r : check_request(request);
}

/* --- files --------------------------------------------------------------------------------- */

static int load_input(const struct input *input, const struct family *family,
                      struct image_inputs *inputs)
{
        switch (input->kind) {
        case INPUT_FIRMWARE:
                return image_inputs_firmware(inputs, input->path, input->count > 0,
                                             input->numbers[0]);
        case INPUT_EXTERNAL:
                return image_inputs_external(inputs, input->path, input->numbers, input->count);
        case INPUT_MODULE:
                return image_inputs_module(inputs, input->path, input->count > 0,
                                           input->numbers[0]);
        case INPUT_MODULES:
                return image_inputs_modules(inputs, input->path);
        case INPUT_KEY_AREAS:
                return image_inputs_keys(inputs, input->path);
        case INPUT_SSFI:
                return image_inputs_ssfi(inputs, input->path);
        case INPUT_OPTION_KEY:
                break;
        }
        return image_inputs_option_key(inputs, family, input->path);
}

static int load_inputs(const struct request *request, const struct family *family,
                       struct image_inputs *inputs)
{
        int r = 0;

        for (size_t i = 0; i < request->input_count && r >= 0; i++)
                r = load_input(&request->inputs[i], family, inputs);
        if (r < 0)
                return r;
        if (request->option_file)
                return image_inputs_options(inputs, family, request->option_file);
        fprintf(stderr, "note: without option bytes (-ob) the image is not for a first install "
                        "(AN5054 section 2.5.1)\n");
        return 0;
}

/* --- what the part can take ---------------------------------------------------------------- */

static int check_part(const struct request *request, const struct family *family)
{
        if (family->hash_mandatory && !request->hash)
                return fault(FAULT_BAD_VALUE,
                             "%s checks the digest of its firmware: give -hash 1 (AN5054 section "
                             "4.3.8)",
                             family->name);
        if (request->ram_length > family->ram_length)
                return fault(FAULT_BAD_VALUE, "--ramsize is 0x%X, %s has 0x%X bytes of RAM",
                             request->ram_length, family->name, family->ram_length);
        if (request->has_external && family->cipher_parts[0])
                fprintf(stderr,
                        "note: of %s, these can decipher external flash: %s (spec/targets.md 8.1); "
                        "the device id does not tell them from the others\n",
                        family->name, family->cipher_parts);
        return 0;
}

static void warn_about_ram(const struct family *family, const struct image_plan *plan)
{
        if (family->image_ram && plan->largest_part > family->image_ram)
                fprintf(stderr,
                        "warning: the largest part takes %llu bytes of RAM, %s has %u for it: "
                        "give --ramsize and --token\n",
                        (unsigned long long)plan->largest_part, family->name, family->image_ram);
}

/* AN5054 section 2.5.1: without a device id P and R are generated for every device; with one, parts
 * that install through an RSSe have none unless they are needed (spec/secure-install.md 6.3). Without
 * a token there is no place for them. */
static bool wants_parts(const struct request *request, const struct family *family)
{
        bool is_for_any = !request->choice.has_device && !request->choice.family;

        return request->hash || (request->token.is_given && (is_for_any || !family->needs_rsse));
}

/* --- sealing ------------------------------------------------------------------------------- */

/* The payloads of the plan are encrypted where they lie, and written from there. The IVs are taken in
 * the ledger before the file is written: a crash between the two costs a nonce and never uses one
 * twice. */
static int seal_and_write(const struct request *request, const struct image_plan *plan,
                          struct progress *progress)
{
        struct workers *pool CLEANUP(pool_destroy) = NULL;
        struct secrets secrets CLEANUP(secrets_wipe) = { 0 };
        struct sfi_sealed sealed CLEANUP(sfi_sealed_free) = { 0 };
        struct sealing sealing CLEANUP(sealing_close) = { .key_file = request->key_file,
                                                          .output = request->output_file,
                                                          .no_ledger = request->no_ledger };
        struct sfi_recipe recipe = {
                .protocol = (uint16_t)request->protocol,
                .version = (uint8_t)request->version,
                .policy = request->policy,
                .areas = plan->areas,
                .count = plan->count,
        };
        uint8_t digest[DIGEST_LENGTH];
        int r;

        progress_next(progress, "sealing", 0);
        r = secrets_read(request->key_file, request->nonce_file, &secrets);
        if (r >= 0)
                r = pool_create(&pool);
        if (r >= 0)
                r = sfi_seal(&recipe, secrets.key, secrets.nonce, pool, &sealed);
        if (r < 0)
                return r;
        progress_next(progress, "recording the nonce", 0);
        digest_sha256_pieces(sealed.pieces, sealed.count, digest);
        r = sealing_reserve(&sealing, secrets.key, secrets.nonce, recipe.policy, recipe.count,
                            digest);
        progress_next(progress, "writing", sealed.length);
        if (r >= 0)
                r = file_write_pieces(request->output_file, sealed.pieces, sealed.count,
                                      IMAGE_MODE);
        if (r >= 0)
                r = sealing_confirm(&sealing);
        return r;
}

static int show_result(const struct request *request)
{
        struct sfi *sfi CLEANUP(image_release) = NULL;
        int r;

        r = image_read(request->output_file, &sfi);
        if (r < 0)
                return r;
        if (request->is_json)
                return answer_json(image_view_json(request->output_file, sfi), EXIT_OK);
        printf("SFI generation SUCCESS\n");
        image_view_print(stdout, request->output_file, sfi);
        return EXIT_OK;
}

/* What the part will look like: told when it cannot be undone, and then only done when allowed. */
static int lint(const struct request *request, const struct chosen_family *chosen,
                const struct image_plan *plan)
{
        struct image_lint lint CLEANUP(image_lint_free) = { 0 };
        int r = image_lint_make(chosen, plan->areas, plan->count, &lint);

        if (r < 0 || !lint.refusals)
                return r;
        image_lint_print(stderr, &lint);
        if (request->is_allowed)
                return 0;
        fprintf(stderr, "gangway sfi create: nothing was sealed; --allow does it all the same\n");
        return EXIT_NO;
}

static int create(const struct request *request, const struct chosen_family *chosen)
{
        struct image_inputs *inputs CLEANUP(image_inputs_free) = image_inputs_create();
        struct image_plan plan CLEANUP(image_plan_free) = { 0 };
        struct progress progress CLEANUP(progress_end);
        struct image_rules rules = {
                .family = &chosen->family,
                .protocol = (uint16_t)request->protocol,
                .padding = (uint8_t)request->padding,
                .ram_length = request->ram_length,
                .token = request->token,
                .always_parts = wants_parts(request, &chosen->family),
                .has_hash = request->hash == 1,
        };
        int r;

        progress_begin(&progress, "reading the firmware");
        r = check_part(request, &chosen->family);
        if (r >= 0)
                r = load_inputs(request, &chosen->family, inputs);
        if (r >= 0)
                r = image_plan_make(&rules, inputs, &plan);
        if (r < 0)
                return r;
        progress_next(&progress, "checking", 0);
        warn_about_ram(&chosen->family, &plan);
        r = lint(request, chosen, &plan);
        if (r != 0)
                return r;
        r = seal_and_write(request, &plan, &progress);
        progress_end(&progress);
        image_plan_free(&plan); /* what is shown is read again: not both at once */
        image_inputs_free(&inputs);
        return r < 0 ? r : show_result(request);
}

static int run(int argc, char **argv)
{
        struct request request = { .protocol = 2, .padding = 0xFF };
        struct chosen_family chosen;
        int r;

        r = read_request(argc, argv, &request);
        if (r >= 0)
                r = family_choose(&request.choice, &chosen);
        if (r < 0)
                return r;
        return create(&request, &chosen);
}

const struct command sfi_create_command = {
        .words = "sfi create",
        .summary = "seal firmware and option bytes into an .sfi or .sfix image",
        .help = "usage: gangway sfi create -fir FILE [ADDRESS] ... -k KEY -n NONCE -v N -o OUT\n"
                "  -fir, --firmware FILE [ADDRESS]  BIN at ADDRESS, HEX, S-record, ELF; again\n"
                "  -firx, --firmwx FILE [ADDRESS] REGION MODE KEYADDRESS   external; OUT is .sfix\n"
                "  --kcsv FILE                      random keys: lines of size, address\n"
                "  -m, --module FILE [ADDRESS]      module; -mcsv FILE: a list of modules\n"
                "  -k, --key FILE; -n, --nonce FILE AES-128 key, 16 bytes; nonce, 12 bytes\n"
                "  -v, --ver NUMBER                 image version, 0 to 255, any base\n"
                "  -ob, --obfile FILE               option bytes, CSV (gangway ob create)\n"
                "  --ob-keys FILE ...; -ssfi FILE   .obk files, ST image: reference areas O and S\n"
                "  -rs, --ramsize BYTES             cut into parts of at most this\n"
                "  -ct, --token ADDRESS             continuation token in flash; SFIx wants it\n"
                "  -hash 0|1                        firmware digest (reference placement)\n"
                "  -devid, --deviceid ID            0x450, ...: the family; or --family NAME|FILE\n"
                "  -o, --outfile FILE               the image, written in one step\n"
                "  --allow                          also what cannot be undone (gangway sfi lint)\n"
                "  --protocol 1|2 (2); --padding 0xFF|0x00; --json\n"
                "  --no-ledger " SEALING_OVERRIDE "    no guard against reuse\n"
                "  --iv-policy big-endian|last-word-le|first-word-le|last-word-be\n"
                "\n"
                "example: gangway sfi create -devid 0x472 -fir a.hex -firx d.bin 0x90000000 0 "
                "2 \\\n"
                "           0x0C020000 --kcsv keys.kcsv -k key.bin -n nonce.bin -ob ob.csv -v 1 "
                "\\\n"
                "           -rs 0x19000 -ct 0x0807F000 -o app.sfix\n",
        .run = run,
};
