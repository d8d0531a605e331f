/*
 * gangway sfi lint: what a part will look like after this image, before anybody installs it.
 */
#include "station/commands/command.h"

#include "station/commands/answer.h"
#include "station/commands/image_lint.h"
#include "station/commands/image_opened.h"
#include "station/commands/opening.h"

struct request {
        struct opening opening;
        bool is_allowed;
};

static int read_request(int argc, char **argv, struct request *request)
{
        const struct argument arguments[] = {
                OPENING_ARGUMENTS(&request->opening),
                { "allow", .flag = &request->is_allowed },
        };

        return options_read(argc, argv, arguments, LENGTH_OF(arguments));
}

static int tell(const struct request *request, const struct chosen_family *chosen,
                const struct image_lint *lint)
{
        bool is_refused = lint->refusals && !request->is_allowed;

        if (request->opening.is_json) {
                json_t *object = image_lint_json(lint);

                json_object_set_new(object, "family", json_string(chosen->family.name));
                json_object_set_new(object, "refused", json_boolean(is_refused));
                return answer_json(object, is_refused ? EXIT_NO : EXIT_OK);
        }
        printf("a part of %s after %s:\n", chosen->family.name, request->opening.path);
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
                r = family_choose(&request.opening.choice, &chosen);
        if (r >= 0)
                r = opening_open(&request.opening, &image);
        if (r < 0)
                return r;
        if (!opening_has_part(&request.opening))
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
