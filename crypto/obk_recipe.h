/*
 * obk_recipe.h - ST's XML description of an .obk file (root element Obdata), as -obk of ST's tool
 * reads it (spec/secure-install.md section 10; element set and effects measured on all XML files of
 * STM32CubeH5, STM32CubeH7RS and STM32CubeWBA against the .obk files beside them).
 *
 * The recipe names key files; reading them is the caller's, so parsing and building touch no disk.
 */
#pragma once

#include "crypto/obk.h"
#include "scheduler/fault.h"

#define RECIPE_FILE_MAX   (256u << 10)
#define RECIPE_ITEMS_MAX  256u
#define RECIPE_VALUE_MAX  512u
#define RECIPE_NAME_MAX   96u
#define RECIPE_NUMBER_MAX 64u /* bytes of a Width */

enum recipe_kind {
        RECIPE_FILE,       /* File: a key in PEM, or bytes as they are */
        RECIPE_PERMISSION, /* Permission: 16 bytes */
        RECIPE_TEXT,       /* Text: a password */
        RECIPE_DATA,       /* Data, List, Bool: a number of `width` bytes */
};

struct recipe_item {
        enum recipe_kind kind;
        const char *element; /* "File", "List" */
        unsigned line;       /* where it begins */
        char name[RECIPE_NAME_MAX];
        char value[RECIPE_VALUE_MAX]; /* path, password or number as written */
        uint32_t width, minimum_width, align;
        bool is_public;                    /* File, Type Public */
        uint8_t number[RECIPE_NUMBER_MAX]; /* little-endian */
};

struct obk_recipe {
        char file[RECIPE_NAME_MAX]; /* for sentences: the end of its name */
        char title[RECIPE_NAME_MAX];
        char mcu[RECIPE_NAME_MAX];     /* empty: not said */
        char output[RECIPE_VALUE_MAX]; /* as written */
        bool has_destination;          /* without: the payload alone, no header */
        uint32_t destination, do_encryption, global_align;
        bool has_hash, is_debug_authentication;
        struct recipe_item *items;
        size_t count;
};

/* Take an XML file apart. No DTD, no entities but the five of XML, limits on size and depth.
 *      -FAULT_BAD_FILE   not XML, or an element nobody has seen; names file and line
 *      -FAULT_BAD_VALUE  a value that does not fit its element */
int obk_recipe_parse(const char *name, const void *text, size_t length,
                     struct obk_recipe **ret_recipe) MUST_USE;

/* Wipes (passwords) and frees; NULL is fine; returns NULL. */
struct obk_recipe *obk_recipe_free(struct obk_recipe *recipe);

/* The path `written` in a recipe at `recipe_path`: '\' as '/', relative to the recipe. Truncated
 * paths and those with a Windows drive are refused; `line` is for the sentence.
 *      -FAULT_BAD_VALUE */
int obk_recipe_path(const char *recipe_path, const char *written, size_t capacity,
                    char *ret_path) MUST_USE;

/* The bytes of the file the recipe describes. `contents[i]` is the file of item i, empty for items
 * that are no File. Given to the caller, who wipes.
 *      -FAULT_BAD_FILE, -FAULT_BAD_VALUE  with the recipe's line */
int obk_recipe_build(const struct obk_recipe *recipe, const struct bytes *contents,
                     struct bytes *ret_file) MUST_USE;

/* The password of a debug-authentication recipe, for password.bin; NULL: it has none. Borrowed. */
const char *obk_recipe_password(const struct obk_recipe *recipe);

/* password.bin of the regression (ST's own file): u32 0x80000000, u32 length, the bytes. */
struct bytes obk_password_file(const char *password);
