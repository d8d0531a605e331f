/*
 * form.h - a libconfig file read strictly into a struct: every key known, present and in range.
 *
 * A form is a table of fields. What the table does not name is refused, so that a misspelt key is
 * an error with a line and not a silent default. An optional field leaves what the caller put there.
 */
#pragma once

#include "scheduler/base.h"
#include "scheduler/fault.h"

#include <libconfig.h>
#include <stdbool.h>

#define FORM_FILE_MAX (64u << 10)

enum form_kind {
        FORM_TEXT,     /* into char[capacity], 1 .. capacity - 1 printable characters */
        FORM_U16,      /* into uint16_t, low .. high */
        FORM_U32,      /* into uint32_t, low .. high */
        FORM_UNSIGNED, /* into unsigned, low .. high */
        FORM_BOOL,     /* into bool, true or false */
        FORM_CHOICE,   /* a word of `choices` into unsigned: its position */
        FORM_OWN,      /* the caller reads it; only its presence is checked */
};

struct form_field {
        const char *key;
        enum form_kind kind;
        size_t offset;   /* in the struct */
        size_t capacity; /* FORM_TEXT */
        uint32_t low, high;
        uint32_t multiple;          /* of this; 0: any */
        const char *const *choices; /* ends with NULL */
        bool is_optional;
};

struct form {
        const char *path; /* borrowed */
        config_t config;
};

/* Read and parse (waits). form_close() also after a failure.
 *      -FAULT_BAD_FILE  file, line; -FAULT_NOT_FOUND, -FAULT_TOO_LARGE */
int form_open(const char *path, struct form *ret_form) MUST_USE;
void form_close(struct form *form);

/* The same of a text in memory, copied; never waits. `name` stands for the path in sentences. */
int form_parse(const char *name, const void *text, size_t length, struct form *ret_form) MUST_USE;

/* Read `group` by the table into the struct at `record`. */
int form_read(const struct form *form, config_setting_t *group, const struct form_field *fields,
              size_t count, void *record) MUST_USE;

/* A number of an array or list into 32 bits, 0 .. UINT32_MAX. `what` is for the sentence. */
int form_number(const struct form *form, config_setting_t *setting, const char *what,
                uint32_t *ret_number) MUST_USE;

/* "file:line: " and what is wrong; returns -FAULT_BAD_FILE. */
int form_fault(const struct form *form, config_setting_t *setting, const char *format, ...)
        PRINTF_LIKE(3, 4) MUST_USE;
