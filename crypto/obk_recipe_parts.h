/*
 * obk_recipe_parts.h - between reading a recipe's XML and taking its values. Internal to crypto.
 */
#pragma once

#include "crypto/obk_recipe.h"

#define RECIPE_CHOICES_MAX 256u

/* One element below Obdata with its fields, as they were written. */
enum recipe_field {
        FIELD_NAME,
        FIELD_VALUE,
        FIELD_WIDTH,
        FIELD_MIN_WIDTH,
        FIELD_ALIGN,
        FIELD_KEY_TYPE,
        FIELD_TYPE,
        FIELD_TITLE,
        FIELD_MCU,
        FIELD_DESTINATION,
        FIELD_ENCRYPTION,
        FIELD_GLOBAL_ALIGN,
        FIELD_COUNT,
        FIELD_CHOICE, /* Val, True, False: kept apart, there are many */
        FIELD_GUI,    /* no effect on the bytes */
};

enum recipe_section {
        SECTION_INFO,
        SECTION_HASH,
        SECTION_DA,
        SECTION_FILE,
        SECTION_PERMISSION,
        SECTION_TEXT,
        SECTION_DATA,
        SECTION_LIST,
        SECTION_BOOL,
        SECTION_OUTPUT,
        SECTION_COUNT,
};

struct recipe_element {
        enum recipe_section section;
        unsigned line;
        struct recipe_text {
                bool is_given;
                unsigned line;
                char text[RECIPE_VALUE_MAX];
        } fields[FIELD_COUNT];
        uint64_t choices[RECIPE_CHOICES_MAX];
        size_t choice_count;
};

const char *recipe_section_name(enum recipe_section section);

/* A number as the XML files write them: 0x and hexadecimal digits, or decimal, at most `width`
 * bytes. */
bool recipe_number(const char *text, size_t width, uint8_t ret_number[static RECIPE_NUMBER_MAX]);

/* The element is whole: take it into the recipe. */
int recipe_take(struct obk_recipe *recipe, const struct recipe_element *element) MUST_USE;

/* The document is whole: what must be there? */
int recipe_finish(const struct obk_recipe *recipe) MUST_USE;
