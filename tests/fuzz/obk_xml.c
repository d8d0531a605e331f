/*
 * Any bytes as an XML recipe; what parses is built with the input itself in place of its files, and
 * what was built is an .obk.
 */
#include "tests/support/fuzz.h"

#include "crypto/obk_recipe.h"

#include <stdlib.h>

static void check(int claim)
{
        if (!claim)
                abort();
}

static void check_recipe(const struct obk_recipe *recipe, const struct bytes *input)
{
        struct bytes *contents = calloc(recipe->count, sizeof(*contents)), file;
        struct obk_facts facts;
        char path[64];
        struct obk obk;

        check(contents && recipe->count && recipe->count <= RECIPE_ITEMS_MAX);
        check(recipe->global_align && recipe->output[0]);
        for (size_t i = 0; i < recipe->count; i++)
                if (recipe->items[i].kind == RECIPE_FILE)
                        contents[i] = *input;
        if (obk_recipe_path("fuzz/r.xml", recipe->output, sizeof(path), path) == 0)
                check(strlen(path) < sizeof(path) && !strchr(path, '\\'));
        if (obk_recipe_build(recipe, contents, &file) == 0) {
                if (recipe->has_destination) {
                        check(obk_parse("fuzz", file.data, file.length, &obk) == 0);
                        obk_examine(&obk, &facts);
                }
                bytes_free(&file);
        }
        if (obk_recipe_password(recipe)) {
                file = obk_password_file(obk_recipe_password(recipe));
                check(file.length >= 8);
                bytes_free(&file);
        }
        free(contents);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
        struct bytes input = bytes_copy(data, length);
        struct obk_recipe *recipe = NULL;

        if (obk_recipe_parse("fuzz", input.data, input.length, &recipe) == 0)
                check_recipe(recipe, &input);
        obk_recipe_free(recipe);
        bytes_free(&input);
        return 0;
}
