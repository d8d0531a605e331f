/*
 * gangway obk create: an .obk file from ST's XML recipe (spec/secure-install.md sections 10, 14.1).
 *
 * The recipe, then the files it names, then the bytes, then the output in one step. A password
 * recipe also leaves password.bin beside the output, where ST's regression scripts look for it
 * (ROT_Provisioning/DA/regression.sh: pass=Binary/password.bin). Both may hold secrets: mode 0600.
 */
#include "station/commands/command.h"

#include "crypto/obk_recipe.h"
#include "scheduler/file.h"
#include "station/commands/answer.h"
#include "station/commands/obk_view.h"
#include "station/commands/options.h"

#include <stdlib.h>
#include <string.h>

#define PATH_LENGTH_MAX 1024u
#define SECRET_MODE     0600u
#define PASSWORD_FILE   "password.bin"

struct request {
        const char *recipe_path, *output;
        bool is_json;
};

/* Files of a recipe, one place an item. */
struct contents {
        struct bytes *files;
        size_t count;
};

static void contents_free(struct contents *contents)
{
        for (size_t i = 0; i < contents->count; i++)
                bytes_wipe_free(&contents->files[i]);
        free(contents->files);
}

static void recipe_release(struct obk_recipe **recipe)
{
        *recipe = obk_recipe_free(*recipe);
}

static int read_request(int argc, char **argv, struct request *request)
{
        const struct argument arguments[] = {
                { .what = "recipe", .text = &request->recipe_path, .needed = "RECIPE.xml" },
                { "outfile", "o", .text = &request->output },
                { "json", .flag = &request->is_json },
        };

        return options_read(argc, argv, arguments, LENGTH_OF(arguments));
}

static int read_recipe(const char *path, struct obk_recipe **ret_recipe)
{
        struct bytes file CLEANUP(bytes_wipe_free) = { 0 };
        int r = file_read(path, RECIPE_FILE_MAX, &file);

        if (r < 0)
                return r;
        return obk_recipe_parse(path, file.data, file.length, ret_recipe);
}

static int read_contents(const char *recipe_path, const struct obk_recipe *recipe,
                         struct contents *contents)
{
        contents->files = calloc(recipe->count, sizeof(*contents->files));
        INSIST(contents->files);
        contents->count = recipe->count;
        for (size_t i = 0; i < recipe->count; i++) {
                const struct recipe_item *item = &recipe->items[i];
                char path[PATH_LENGTH_MAX];
                int r;

                if (item->kind != RECIPE_FILE)
                        continue;
                r = obk_recipe_path(recipe_path, item->value, sizeof(path), path);
                if (r == 0)
                        r = file_read(path, OBK_PAYLOAD_MAX, &contents->files[i]);
                if (r < 0)
                        return fault_prefix(r, "%s line %u: %s '%.60s'", recipe->file, item->line,
                                            item->element, item->name);
        }
        return 0;
}

/* password.bin beside `output`; nothing when the recipe has no password. */
static int write_password(const struct obk_recipe *recipe, const char *output, size_t capacity,
                          char *ret_path)
{
        const char *password = obk_recipe_password(recipe);
        struct bytes file CLEANUP(bytes_wipe_free) = { 0 };
        int r;

        ret_path[0] = '\0';
        if (!password)
                return 0;
        r = obk_recipe_path(output, PASSWORD_FILE, capacity, ret_path);
        if (r < 0)
                return r;
        file = obk_password_file(password);
        return file_write(ret_path, file.data, file.length, SECRET_MODE);
}

static int show(const struct request *request, const struct obk_recipe *recipe,
                const struct bytes *file, const char *output, const char *password_path)
{
        struct obk obk;
        int r;

        if (!recipe->has_destination) {
                if (request->is_json)
                        return answer_json(json_pack("{s:s, s:I}", "file", output, "length",
                                                     (json_int_t)file->length),
                                           EXIT_OK);
                printf("%s\n  %zu bytes, no destination: for a later step, not a device\n", output,
                       file->length);
                return EXIT_OK;
        }
        r = obk_parse(output, file->data, file->length, &obk);
        if (r < 0)
                return r;
        if (request->is_json)
                return answer_json(obk_view_json(output, &obk), EXIT_OK);
        printf("OBK generation SUCCESS\n");
        obk_view_print(stdout, output, &obk);
        if (password_path[0])
                printf("%s\n  the password, for the regression of the chip; keep it secret\n",
                       password_path);
        return EXIT_OK;
}

static int run(int argc, char **argv)
{
        struct obk_recipe *recipe CLEANUP(recipe_release) = NULL;
        struct contents contents CLEANUP(contents_free) = { 0 };
        struct bytes file CLEANUP(bytes_wipe_free) = { 0 };
        struct request request = { 0 };
        char output[PATH_LENGTH_MAX], password_path[PATH_LENGTH_MAX];
        int r;

        r = read_request(argc, argv, &request);
        if (r >= 0)
                r = read_recipe(request.recipe_path, &recipe);
        if (r >= 0)
                r = request.output ? obk_recipe_path("", request.output, sizeof(output), output)
                                   : obk_recipe_path(request.recipe_path, recipe->output,
                                                     sizeof(output), output);
        if (r >= 0)
                r = read_contents(request.recipe_path, recipe, &contents);
        if (r >= 0)
                r = obk_recipe_build(recipe, contents.files, &file);
        if (r >= 0)
                r = file_write(output, file.data, file.length, SECRET_MODE);
        if (r >= 0)
                r = write_password(recipe, output, sizeof(password_path), password_path);
        if (r < 0)
                return r;
        return show(&request, recipe, &file, output, password_path);
}

const struct command obk_create_command = {
        .words = "obk create",
        .summary = "OB-keys from ST's XML recipe",
        .help = "usage: gangway obk create RECIPE.xml [-o FILE] [--json]\n"
                "\n"
                "Makes the .obk file an Obdata recipe of STM32CubeH5, H7RS or WBA describes, byte\n"
                "for byte as ST's -obk does. Key files and output are where the recipe says,\n"
                "relative to it, with / or \\ between names. A recipe with a password also writes\n"
                "password.bin beside the output. Elements that are not known are refused by name.\n"
                "\n"
                "  -o, --outfile FILE  write here instead of the recipe's Output\n"
                "  --json              what was made, as JSON\n"
                "\n"
                "example: gangway obk create ROT_Provisioning/DA/Config/DA_Config.xml\n",
        .run = run,
};
