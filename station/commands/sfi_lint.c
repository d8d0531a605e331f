/*
 * gangway sfi lint: what a part will look like after this image, before anybody installs it.
 */
#include "station/commands/command.h"

#include "station/commands/image_lint.h"
#include "station/commands/image_opened.h"
#include "station/commands/image_view.h"
#include "station/commands/options.h"

enum {
        KEY_KEY = OPTIONS_KEYS,
        KEY_NONCE,
        KEY_IV_POLICY,
        KEY_FAMILY,
        KEY_DEVICE,
        KEY_ALLOW,
        KEY_JSON,
};

static const struct option_name names[] = {
        { "key", "k", true, false, KEY_KEY },
        { "nonce", "n", true, false, KEY_NONCE },
        { "iv-policy", NULL, true, false, KEY_IV_POLICY },
        { "family", NULL, true, false, KEY_FAMILY },
        { "deviceid", "devid", true, false, KEY_DEVICE },
        { "allow", NULL, false, false, KEY_ALLOW },
        { "json", NULL, false, false, KEY_JSON },
};

struct request {
        const char *path, *key_file, *nonce_file;
        struct family_choice choice;
        enum sfi_iv_policy policy;
        bool is_allowed, is_json;
};

static int take_option(struct request *request, int key, const char *value)
{
        switch (key) {
        case KEY_KEY:
                request->key_file = value;
                return 0;
        case KEY_NONCE:
                request->nonce_file = value;
                return 0;
        case KEY_IV_POLICY:
                return image_policy_parse(value, &request->policy);
        case KEY_FAMILY:
                request->choice.family = value;
                return 0;
        case KEY_DEVICE:
                request->choice.has_device = true;
                return options_number("--deviceid", value, 0xFFF, &request->choice.device);
        case KEY_ALLOW:
                request->is_allowed = true;
                return 0;
        case KEY_JSON:
                request->is_json = true;
                return 0;
        default:
                if (request->path)
                        return fault(FAULT_BAD_VALUE, "one image at a time, not %.80s too", value);
                request->path = value;
                return 0;
        }
}

static int read_request(int argc, char **argv, struct request *request)
{
        struct options options;
        int r;

        options_init(&options, argc, argv, names, LENGTH_OF(names));
        while ((r = options_next(&options)) > 0) {
                r = take_option(request, r, options.value);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        if (!request->path || !request->key_file || !request->nonce_file)
                return fault(FAULT_BAD_VALUE, "give the image, its key and its nonce: FILE -k FILE "
                                              "-n FILE");
        return 0;
}

static int tell(const struct request *request, const struct chosen_family *chosen,
                const struct image_lint *lint)
{
        bool is_refused = lint->refusals && !request->is_allowed;

        if (request->is_json) {
                json_t *object = image_lint_json(lint);

                json_object_set_new(object, "family", json_string(chosen->family.name));
                json_object_set_new(object, "refused", json_boolean(is_refused));
                if (!json_print(stdout, object))
                        return fault(FAULT_SYSTEM, "no memory for the answer");
                return is_refused ? EXIT_NO : EXIT_OK;
        }
        printf("a part of %s after %s:\n", chosen->family.name, request->path);
        image_lint_print(stdout, lint);
        if (is_refused)
                printf("REFUSED: %zu thing%s cannot be undone; --allow accepts that\n",
                       lint->refusals, lint->refusals == 1 ? "" : "s");
        return is_refused ? EXIT_NO : EXIT_OK;
}

static int run(int argc, char **argv)
{
        struct opened_image image CLEANUP(image_opened_free) = { 0 };
        struct image_lint lint CLEANUP(image_lint_free) = { 0 };
        struct request request = { 0 };
        struct chosen_family chosen;
        int r = read_request(argc, argv, &request);

        if (r >= 0)
                r = family_choose(&request.choice, &chosen);
        if (r >= 0)
                r = image_open(request.path, request.key_file, request.nonce_file, request.policy,
                               &image);
        if (r < 0)
                return r;
        if (!request.choice.family && !request.choice.has_device)
                fprintf(stderr, "note: read as for %s; give --family NAME or -devid ID\n",
                        chosen.family.name);
        r = image_lint_make(&chosen, image.areas, image.sfi->count, &lint);
        return r < 0 ? r : tell(&request, &chosen, &lint);
}

const struct command sfi_lint_command = {
        .words = "sfi lint",
        .summary = "say what a part will look like after an image, and refuse the final",
        .help = "usage: gangway sfi lint FILE -k KEY -n NONCE [--family NAME | -devid ID]\n"
                "           [--allow]\n"
                "\n"
                "Opens the image and says in words: read-out protection, TrustZone, product\n"
                "state, security, boot addresses, write protection, debug authentication, and\n"
                "whether the part can be opened again. gangway sfi create looks at the same\n"
                "before it seals.\n"
                "\n"
                "  -k, --key FILE; -n, --nonce FILE  what the image was sealed with\n"
                "  --family NAME, -devid ID          the part, stm32h75x unless given\n"
                "  --allow                           accept what cannot be undone\n"
                "  --iv-policy NAME; --json\n"
                "\n"
                "Exit code 1: something cannot be undone (read-out protection level 2, a locked\n"
                "product state, an H5 or H7RS image without a debug-authentication .obk) and\n"
                "--allow was not given.\n"
                "\n"
                "example: gangway sfi lint app.sfi -k key.bin -n nonce.bin --family stm32u575\n",
        .run = run,
};
