/*
 * settings_tree.h - a libconfig text against tables of keys: every name known, every value in
 * range.
 *
 * Pure: reads memory only, follows no @include. Refusals open with FILE:LINE and end with the
 * remedy.
 */
#pragma once

#include "scheduler/base.h"
#include "scheduler/fault.h"

#include <libconfig.h>
#include <stdbool.h>

enum kind {
        KIND_LABEL,    /* char[high], any printable text */
        KIND_NAME,     /* char[high], letters, digits, dot, dash, underscore */
        KIND_ASCII,    /* char[high] */
        KIND_PATH,     /* char[high], made absolute or relative to the file's directory */
        KIND_UNSIGNED, /* unsigned, low..high */
        KIND_REAL,     /* double, low..high in thousandths */
        KIND_BOOL,
        KIND_OTHER, /* by its own function */
};

struct tree {
        const char *file; /* borrowed */
        char directory[256];
        config_t config;
};

/* One key of a group: where its value goes and what may stand there. A text with low 0 may be
 * empty. */
struct key {
        const char *name;
        enum kind kind;
        size_t offset; /* in the group's struct */
        long long low, high;
        const char *wanted; /* the unit, or the form of a text */
        int (*read)(struct tree *, const config_setting_t *, void *group);
        bool is_required;
};

/* Look over the text and make the tree of it. `text` has a NUL behind. tree_free in every case.
 *      -FAULT_BAD_FILE, -FAULT_BAD_VALUE */
int tree_make(struct tree *tree, const char *file, const char *text, size_t length) MUST_USE;
void tree_free(struct tree *tree);

/* Read a group into `ret_group`, which holds the defaults.
 *      -FAULT_BAD_VALUE */
int tree_read_group(struct tree *tree, const config_setting_t *group, const struct key *keys,
                    size_t count, void *ret_group) MUST_USE;

/* One value by its key's kind, into group + offset. */
int tree_read(struct tree *tree, const struct key *key, const config_setting_t *setting,
              void *group) MUST_USE;

/* A text, borrowed from the tree. */
int tree_text(const struct tree *tree, const config_setting_t *setting,
              const char **ret_text) MUST_USE;

/* The elements of a list or array, `low` to `high` of them: how many. */
int tree_elements(const struct tree *tree, const config_setting_t *setting, unsigned low,
                  unsigned high) MUST_USE;

unsigned tree_line(const config_setting_t *setting);

/* "FILE:LINE: NAME is a text, wanted ..." */
int tree_refuse_type(const struct tree *tree, const config_setting_t *setting,
                     const char *wanted) MUST_USE;

#define tree_refuse(tree, line, format, ...)                                                       \
        fault(FAULT_BAD_VALUE, "%s:%u: " format, (tree)->file, (unsigned)(line), __VA_ARGS__)
