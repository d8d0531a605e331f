/*
 * option_change.h - what a change of option bytes does to a part, before it is done.
 *
 * Field by field, with the effects of the family file (drivers/option_fields.h) that sfi lint uses too.
 * Nothing here waits.
 */
#pragma once

#include "drivers/option_fields.h"

#include <stdio.h>

enum change_weight {
        CHANGE_PLAIN,
        CHANGE_GRAVE, /* can be undone, but costs the flash, or shuts the part: asks */
        CHANGE_FINAL, /* cannot be undone: wants --allow */
};

struct option_change {
        const struct option_field *field; /* borrowed */
        uint32_t from, to;
        enum change_weight weight;
        char why[160]; /* of the weight; "": plain */
};

struct option_changes {
        struct option_change changes[OPTION_FIELDS_MAX];
        size_t count;
        enum change_weight weight; /* the gravest */
};

/* Compare rows; those bits only that read back what was written. */
void option_changes_make(const struct family *family, const struct option_fields *fields,
                         const uint32_t *before, const uint32_t *after,
                         struct option_changes *ret_changes);

/* A line each, and one more where it weighs. */
void option_changes_print(FILE *out, const struct option_changes *changes);

/* Take "NAME=VALUE" into the rows; VALUE a number, or a word of the family file.
 *      -FAULT_BAD_VALUE  no such field, with the nearest; a value that does not fit */
int option_change_take(const struct option_fields *fields, const char *word,
                       uint32_t *rows) MUST_USE;
