/*
 * gangway sfi create: seal firmware and option bytes into an image (AN5054 section 2.5.1).
 *
 * Options, then files in the order given, then the plan of areas (image_plan.c), then one sealing
 * pass, then the file in one step. What was written is taken apart again and shown, so that a file
 * that cannot be read never leaves the command as a success.
 */
#include "station/commands/command.h"

#include "crypto/option_bytes.h"
#include "scheduler/file.h"
#include "station/commands/image_plan.h"
#include "station/commands/image_view.h"
#include "station/commands/options.h"
#include "station/commands/places.h"
#include "station/commands/sealing.h"
#include "station/commands/secrets.h"

#include <string.h>

#define FIRMWARE_FILES_MAX 64u
#define OPTION_FILE_MAX    (64u << 10)
#define IMAGE_MODE         0644u /* an image is not secret */
#define DEFAULT_FAMILY     "targets/stm32h75x.conf"

enum {
        KEY_FIRMWARE = OPTIONS_KEYS,
        KEY_KEY,
        KEY_NONCE,
        KEY_VERSION,
        KEY_OPTION_BYTES,
        KEY_RAM_SIZE,
        KEY_TOKEN,
        KEY_DEVICE,
        KEY_OUTPUT,
        KEY_PROTOCOL,
        KEY_PADDING,
        KEY_IV_POLICY,
        KEY_FAMILY,
        KEY_JSON,
        KEY_NO_LEDGER,
};

static const struct option_name names[] = {
        { "firmware", "fir", true, true, KEY_FIRMWARE },
        { "key", "k", true, false, KEY_KEY },
        { "nonce", "n", true, false, KEY_NONCE },
        { "ver", "v", true, false, KEY_VERSION },
        { "obfile", "ob", true, false, KEY_OPTION_BYTES },
        { "ramsize", "rs", true, false, KEY_RAM_SIZE },
        { "token", "ct", true, false, KEY_TOKEN },
        { "deviceid", "devid", true, false, KEY_DEVICE },
        { "outfile", "o", true, false, KEY_OUTPUT },
        { "protocol", NULL, true, false, KEY_PROTOCOL },
        { "padding", NULL, true, false, KEY_PADDING },
        { "iv-policy", NULL, true, false, KEY_IV_POLICY },
        { "family", NULL, true, false, KEY_FAMILY },
        { "json", NULL, false, false, KEY_JSON },
        { "no-ledger", NULL, true, false, KEY_NO_LEDGER },
};

struct firmware_input {
        const char *path;
        bool has_address;
        uint32_t address;
};

struct request {
        struct firmware_input inputs[FIRMWARE_FILES_MAX];
        size_t input_count;
        const char *key_file, *nonce_file, *option_file, *family_file, *output_file, *no_ledger;
        bool has_version, has_token, has_device, is_json;
        uint32_t version, ram_length, token, device, protocol, padding;
        enum sfi_iv_policy policy;
};

/* --- options ------------------------------------------------------------------------------- */

static int take_firmware(struct request *request, struct options *options)
{
        struct firmware_input *input = &request->inputs[request->input_count];
        const char *address;

        if (request->input_count == FIRMWARE_FILES_MAX)
                return fault(FAULT_BAD_VALUE, "more than %u firmware files", FIRMWARE_FILES_MAX);
        request->input_count++;
        input->path = options->value;
        address = options_take_word(options);
        if (!address)
                return 0;
        input->has_address = true;
        return options_number("the address after --firmware", address, UINT32_MAX, &input->address);
}

static int take_policy(struct request *request, const char *name)
{
        if (sfi_iv_policy_find(name, &request->policy))
                return 0;
        return fault(FAULT_BAD_VALUE, "--iv-policy is %.40s, wanted %s, %s, %s or %s", name,
                     sfi_iv_policy_name(SFI_IV_BIG_ENDIAN), sfi_iv_policy_name(SFI_IV_LAST_WORD_LE),
                     sfi_iv_policy_name(SFI_IV_FIRST_WORD_LE),
                     sfi_iv_policy_name(SFI_IV_LAST_WORD_BE));
}

static int take_option(struct request *request, struct options *options, int key)
{
        const char *value = options->value;

        switch (key) {
        case KEY_FIRMWARE:
                return take_firmware(request, options);
        case KEY_KEY:
                request->key_file = value;
                return 0;
        case KEY_NONCE:
                request->nonce_file = value;
                return 0;
        case KEY_VERSION:
                request->has_version = true;
                return options_number("--ver", value, UINT8_MAX, &request->version);
        case KEY_OPTION_BYTES:
                request->option_file = value;
                return 0;
        case KEY_RAM_SIZE:
                return options_number("--ramsize", value, UINT32_MAX, &request->ram_length);
        case KEY_TOKEN:
                request->has_token = true;
                return options_number("--token", value, UINT32_MAX, &request->token);
        case KEY_DEVICE:
                request->has_device = true;
                return options_number("--deviceid", value, 0xFFF, &request->device);
        case KEY_OUTPUT:
                request->output_file = value;
                return 0;
        case KEY_PROTOCOL:
                return options_number("--protocol", value, 2, &request->protocol);
        case KEY_PADDING:
                return options_number("--padding", value, UINT8_MAX, &request->padding);
        case KEY_IV_POLICY:
                return take_policy(request, value);
        case KEY_FAMILY:
                request->family_file = value;
                return 0;
        case KEY_JSON:
                request->is_json = true;
                return 0;
        case KEY_NO_LEDGER:
                request->no_ledger = value;
                return 0;
        default:
                return fault(FAULT_BAD_VALUE, "%.60s: firmware files are given with -fir", value);
        }
}

static bool ends_with(const char *text, const char *ending)
{
        size_t length = strlen(text), tail = strlen(ending);

        return length > tail && strcmp(text + length - tail, ending) == 0;
}

static int check_request(const struct request *request)
{
        if (!request->input_count)
                return fault(FAULT_BAD_VALUE, "no firmware: give -fir FILE");
        if (!request->key_file || !request->nonce_file)
                return fault(FAULT_BAD_VALUE,
                             "key and nonce are both needed: give -k FILE -n FILE");
        if (!request->has_version)
                return fault(FAULT_BAD_VALUE, "no image version: give -v 0..255");
        if (!request->output_file || !ends_with(request->output_file, ".sfi"))
                return fault(FAULT_BAD_VALUE,
                             "the output is %.80s, wanted -o and a name that ends "
                             "in .sfi",
                             request->output_file ? request->output_file : "not given");
        if (request->protocol == 0)
                return fault(FAULT_BAD_VALUE, "--protocol is 0, wanted 1 or 2");
        if (request->padding != 0xFF && request->padding != 0)
                return fault(FAULT_BAD_VALUE, "--padding is 0x%02X, wanted 0xFF or 0x00",
                             request->padding);
        return 0;
}

static int read_request(int argc, char **argv, struct request *ret_request)
{
        struct options options;
        int r;

        options_init(&options, argc, argv, names, LENGTH_OF(names));
        while ((r = options_next(&options)) > 0) {
                r = take_option(ret_request, &options, r);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        return check_request(ret_request);
}

/* --- files --------------------------------------------------------------------------------- */

static int load_family(const struct request *request, struct family *ret_family)
{
        char path[PLACE_LENGTH_MAX];
        int r;

        if (request->family_file) {
                r = family_load(request->family_file, ret_family);
        } else {
                r = place_find(DEFAULT_FAMILY, path);
                if (r == 0)
                        r = family_load(path, ret_family);
        }
        if (r < 0)
                return r;
        if (request->has_device && request->device != ret_family->device_id)
                return fault(FAULT_BAD_VALUE,
                             "the device id is 0x%03X, %s has 0x%03X: give --family FILE of the "
                             "device",
                             request->device, ret_family->name, ret_family->device_id);
        return 0;
}

static int load_firmware(const struct request *request, struct firmware *firmware)
{
        for (size_t i = 0; i < request->input_count; i++) {
                const struct firmware_input *input = &request->inputs[i];
                struct bytes file CLEANUP(bytes_wipe_free) = { 0 };
                int r;

                r = file_read(input->path, FIRMWARE_FILE_MAX, &file);
                if (r < 0)
                        return r;
                if (firmware_form(file.data, file.length) == FIRMWARE_BIN && !input->has_address)
                        return fault(FAULT_BAD_VALUE,
                                     "%s is neither ELF nor HEX nor S-record, so it is BIN: give "
                                     "its address after it",
                                     input->path);
                r = firmware_add(firmware, input->path, file.data, file.length, input->address);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int load_options(const struct request *request, const struct family *family,
                        struct bytes *ret_options)
{
        const char *wanted[OPTION_ROWS_MAX];
        struct bytes file CLEANUP(bytes_free) = { 0 };
        struct option_bytes rows;
        int r;

        if (!request->option_file) {
                fprintf(stderr, "note: without option bytes (-ob) the image is not for a first "
                                "install (AN5054 section 2.5.1)\n");
                return 0;
        }
        r = file_read(request->option_file, OPTION_FILE_MAX, &file);
        if (r >= 0)
                r = option_bytes_parse(request->option_file, file.data, file.length, &rows);
        if (r < 0)
                return r;
        for (size_t i = 0; i < family->option_count; i++)
                wanted[i] = family->options[i].name;
        r = option_bytes_check(&rows, wanted, family->option_count);
        if (r < 0)
                return fault_prefix(r, "%s", request->option_file);
        *ret_options = bytes_new(4 * rows.count);
        for (size_t i = 0; i < rows.count; i++)
                store_le32(ret_options->data + 4 * i, rows.rows[i].value);
        return 0;
}

/* --- sealing ------------------------------------------------------------------------------- */

static void warn_about_ram(const struct family *family, const struct image_plan *plan)
{
        if (family->image_ram && plan->largest_part > family->image_ram)
                fprintf(stderr,
                        "warning: the largest part takes %llu bytes of RAM, %s has %u for it: "
                        "give --ramsize and --token\n",
                        (unsigned long long)plan->largest_part, family->name, family->image_ram);
}

static int seal(const struct request *request, const struct image_plan *plan,
                struct sealing *sealing, struct bytes *ret_file)
{
        struct secrets secrets CLEANUP(secrets_wipe) = { 0 };
        struct sfi_recipe recipe = {
                .protocol = (uint16_t)request->protocol,
                .version = (uint8_t)request->version,
                .policy = request->policy,
                .areas = plan->areas,
                .count = plan->count,
        };
        int r;

        r = secrets_read(request->key_file, request->nonce_file, &secrets);
        if (r >= 0)
                r = sfi_seal(&recipe, secrets.key, secrets.nonce, NULL, ret_file);
        if (r < 0)
                return r;
        return sealing_reserve(sealing, secrets.key, secrets.nonce, recipe.policy, recipe.count,
                               ret_file);
}

static int show_result(const struct request *request)
{
        struct sfi *sfi CLEANUP(image_release) = NULL;
        int r;

        r = image_read(request->output_file, &sfi);
        if (r < 0)
                return r;
        if (request->is_json)
                return json_print(stdout, image_view_json(request->output_file, sfi))
                               ? EXIT_OK
                               : fault(FAULT_SYSTEM, "no memory for the answer");
        printf("SFI generation SUCCESS\n");
        image_view_print(stdout, request->output_file, sfi);
        return EXIT_OK;
}

static int create(const struct request *request, const struct family *family)
{
        struct firmware firmware CLEANUP(firmware_free) = FIRMWARE_EMPTY;
        struct image_plan plan CLEANUP(image_plan_free) = { 0 };
        struct bytes options CLEANUP(bytes_free) = { 0 };
        struct bytes file CLEANUP(bytes_free) = { 0 };
        struct sealing sealing CLEANUP(sealing_close) = { .key_file = request->key_file,
                                                          .output = request->output_file,
                                                          .no_ledger = request->no_ledger };
        struct image_rules rules = {
                .family = family,
                .protocol = (uint16_t)request->protocol,
                .padding = (uint8_t)request->padding,
                .ram_length = request->ram_length,
                .has_token = request->has_token,
                .token = request->token,
        };
        int r;

        r = load_firmware(request, &firmware);
        if (r >= 0)
                r = load_options(request, family, &options);
        if (r >= 0)
                r = image_plan_make(&rules, &firmware, &options, &plan);
        if (r < 0)
                return r;
        warn_about_ram(family, &plan);
        r = seal(request, &plan, &sealing, &file);
        if (r >= 0)
                r = file_write(request->output_file, file.data, file.length, IMAGE_MODE);
        if (r >= 0)
                r = sealing_confirm(&sealing);
        if (r < 0)
                return r;
        return show_result(request);
}

static int run(int argc, char **argv)
{
        struct request request = { .protocol = 2, .padding = 0xFF };
        struct family family;
        int r;

        r = read_request(argc, argv, &request);
        if (r >= 0)
                r = load_family(&request, &family);
        if (r < 0)
                return r;
        return create(&request, &family);
}

const struct command sfi_create_command = {
        .words = "sfi create",
        .summary = "seal firmware and option bytes into an .sfi image",
        .help = "usage: gangway sfi create -fir FILE [ADDRESS] ... -k KEY -n NONCE -v VERSION -o "
                "OUT.sfi\n"
                "\n"
                "  -fir, --firmware FILE [ADDRESS]  BIN, HEX, S-record or ELF; again for more "
                "files;\n"
                "                                   the address is for BIN only, in any base\n"
                "  -k, --key FILE                   AES-128 key, exactly 16 bytes\n"
                "  -n, --nonce FILE                 nonce, exactly 12 bytes\n"
                "  -v, --ver NUMBER                 image version, 0 to 255, any base\n"
                "  -ob, --obfile FILE               option bytes, CSV: register name, value\n"
                "  -rs, --ramsize BYTES             cut the image into parts of at most this\n"
                "  -ct, --token ADDRESS             continuation token in flash, for the parts\n"
                "  -devid, --deviceid ID            refuse another family's file\n"
                "  -o, --outfile FILE.sfi           the image, written in one step\n"
                "  --protocol 1|2                   protocol version, 2 unless given\n"
                "  --padding 0xFF|0x00              of gaps and of the tail of a flash word\n"
                "  --iv-policy NAME                 big-endian (default), last-word-le,\n"
                "                                   first-word-le, last-word-be\n"
                "  --family FILE                    default configs/" DEFAULT_FAMILY "\n"
                "  --json                           what was made, as JSON\n"
                "  --no-ledger " SEALING_OVERRIDE "  no guard against reuse\n"
                "\n"
                "example: gangway sfi create -fir app.hex -k key.bin -n nonce.bin -ob ob.csv -v 1 "
                "\\\n"
                "                 -rs 0x55500 -ct 0x081E0000 -o app.sfi\n",
        .run = run,
};
