/*
 * option_fields.h - the option bytes of a family by field: names, bits, and values in words.
 *
 * Data of the family file (`fields`, configs/targets/NAME.conf), read apart from the rest because
 * only people preparing an image look at all of it; what the drivers need is kept in the family
 * (family_fields.h). What a value does to a part (`effect`) is data too, so that the lint knows
 * rules and not parts.
 */
#pragma once

#include "drivers/family.h"

#define FIELD_VALUES_MAX  12u
#define OPTION_FIELDS_MAX 128u

/* What can still be done with a part that has this value. */
enum field_effect {
        EFFECT_NONE,
        EFFECT_OPEN,   /* debug access is open */
        EFFECT_CLOSED, /* closed; a way back exists, which erases */
        EFFECT_FINAL,  /* no way back */
};

struct field_value {
        uint32_t value;
        char word[72]; /* "level 0: debug access is open"; what stands before ':' names it */
        enum field_effect effect;
};

struct option_field {
        char name[28];  /* "RDP" */
        char about[48]; /* "read-out protection" */
        char group
                [28]; /* of ROLE_START and ROLE_END: "PCROP bank 1"; of ROLE_ERASE and ROLE_LOCK */
        size_t row;   /* in family->options */
        unsigned high, low;
        enum field_role role;
        enum area_kind kind; /* of ROLE_START */
        char when[28];       /* it counts while this field is on; "": always */
        uint32_t unit, base; /* an address is base + value * unit; unit 0: a plain number */
        struct field_value values[FIELD_VALUES_MAX];
        size_t value_count;
        char other[72]; /* of every other value; may be empty */
        enum field_effect other_effect;
};

struct option_fields {
        struct option_field *fields;
        size_t count;
};

/* Read the fields of the family file at `path` (waits). A file without fields gives none.
 *      -FAULT_BAD_FILE  file, line, what was wanted */
int option_fields_load(const char *path, const struct family *family,
                       struct option_fields *ret_fields) MUST_USE;

/* The same from a file that is open already. */
struct form;
int option_fields_read(const struct form *form, const struct family *family,
                       struct option_fields *ret_fields) MUST_USE;

/* For CLEANUP(option_fields_free). */
void option_fields_free(struct option_fields *fields);

/* By name, not minding case; NULL: none. */
const struct option_field *option_fields_find(const struct option_fields *fields, const char *name);

uint32_t option_field_get(const struct option_field *field, uint32_t row);
uint32_t option_field_mask(const struct option_field *field);

/* What `value` means: a listed word, the other word, an address, or the number. `ret_text` is cut
 * where it does not fit. */
void option_field_text(const struct option_field *field, uint32_t value, char *ret_text,
                       size_t capacity);
enum field_effect option_field_effect(const struct option_field *field, uint32_t value);

/* A number in any base, or the word of a value ("level 0"), into the field's value.
 *      -FAULT_BAD_VALUE  names the field, what fits and the words there are */
int option_field_parse(const struct option_field *field, const char *text,
                       uint32_t *ret_value) MUST_USE;
