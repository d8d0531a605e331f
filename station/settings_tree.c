/*
 * The text is looked over first for what libconfig would let pass or follow: bytes that are not
 * text, @include, deep nesting, numbers too long for their type. libconfig then makes a tree of it.
 * Each group of the tree is read against a table of keys, one row a key, with its type and limits;
 * a name that stands in no table is refused.
 */
#include "station/settings_tree.h"

#include "station/text.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX   8u  /* ours has 3; libconfig recurses when it frees */
#define DECIMAL_MAX 18u /* digits that fit a signed 64-bit number whatever they are */

unsigned tree_line(const config_setting_t *setting)
{
        unsigned line = config_setting_source_line(setting);

        return line ? line : 1; /* the root has none */
}

static const char *type_name(int type)
{
        switch (type) {
        case CONFIG_TYPE_GROUP:
                return "a group";
        case CONFIG_TYPE_INT:
        case CONFIG_TYPE_INT64:
                return "a whole number";
        case CONFIG_TYPE_FLOAT:
                return "a fraction";
        case CONFIG_TYPE_STRING:
                return "a text";
        case CONFIG_TYPE_BOOL:
                return "true or false";
        case CONFIG_TYPE_ARRAY:
                return "an array";
        case CONFIG_TYPE_LIST:
                return "a list";
        default: /* libconfig's numbers, not an enum of ours */
                return "nothing";
        }
}

int tree_refuse_type(const struct tree *tree, const config_setting_t *setting, const char *wanted)
{
        const char *name = config_setting_name(setting);

        return tree_refuse(tree, tree_line(setting), "%s is %s, wanted %s; write it as %s",
                           name ? name : "this element", type_name(config_setting_type(setting)),
                           wanted, wanted);
}

/* --- the text before libconfig sees it ----------------------------------------------------- */

/* Where the quoted text or the block comment that opens at `at` closes; past `length`, never. */
static size_t closing(const char *text, size_t length, size_t at)
{
        if (text[at] != '"') {
                const char *close = memmem(text + at + 2, length - at - 2, "*/", 2);

                return close ? (size_t)(close - text) + 1 : length;
        }
        for (at++; at < length && text[at] != '"'; at++)
                at += text[at] == '\\';
        return at;
}

/* A comment or a quoted text that starts at `at`: its length, or 0.
 *      -FAULT_BAD_VALUE */
static int skip_quiet(const struct tree *tree, const char *text, size_t length, size_t at)
{
        bool has_two = at + 1 < length;
        size_t end;

        if (text[at] == '#' || (text[at] == '/' && has_two && text[at + 1] == '/')) {
                const char *feed = memchr(text + at, '\n', length - at);

                return (int)((feed ? (size_t)(feed - text) : length) - at);
        }
        if (text[at] != '"' && !(text[at] == '/' && has_two && text[at + 1] == '*'))
                return 0;
        end = closing(text, length, at);
        if (end >= length) /* libconfig 1.5 would lose the memory of it */
                return tree_refuse(tree, text_line(text, at),
                                   "the %s that opens here never closes; "
                                   "close it with %s",
                                   text[at] == '"' ? "text" : "comment",
                                   text[at] == '"' ? "a double quote" : "*/");
        if (text[at] == '"' && memmem(text + at, end - at, "\\x", 2))
                return tree_refuse(tree, text_line(text, at),
                                   "%s in a text is not read; write the character itself", "\\x");
        return (int)(end + 1 - at);
}

/* libconfig 1.5 cuts numbers without an L to 32 bits, and longer ones to 64, without a word. */
static bool number_fits(const char *word, size_t length)
{
        size_t sign = word[0] == '-' || word[0] == '+', digits = 0;

        if (length > 2 && word[0] == '0' && (word[1] == 'x' || word[1] == 'X')) {
                while (2 + digits < length && isxdigit((uint8_t)word[2 + digits]))
                        digits++;
                return digits <= (2 + digits < length ? 16u : 8u);
        }
        while (sign + digits < length && isdigit((uint8_t)word[sign + digits]))
                digits++;
        if (sign + digits < length || digits > DECIMAL_MAX) /* an L, or a fraction */
                return digits <= DECIMAL_MAX;
        return strtoull(word + sign, NULL, 10) <= INT_MAX;
}

static size_t word_length(const char *text, size_t length, size_t at)
{
        size_t end = at;

        while (end < length && (isalnum((uint8_t)text[end]) || strchr("+-._*", text[end])))
                end++;
        return end - at;
}

/* A word or a single character that starts at `at`: its length. */
static int skip_word(const struct tree *tree, const char *text, size_t length, size_t at)
{
        size_t step = word_length(text, length, at);

        if (text[at] == '@')
                return tree_refuse(tree, text_line(text, at),
                                   "%s is not followed; write everything into one file",
                                   "@include");
        if (step && !isalpha((uint8_t)text[at]) && !number_fits(text + at, step))
                return tree_refuse(tree, text_line(text, at),
                                   "the number %.*s is too long; write an L behind numbers above "
                                   "2147483647, and at most %u decimal or 16 hexadecimal digits",
                                   (int)(step < 40 ? step : 40), text + at, DECIMAL_MAX);
        return step ? (int)step : 1;
}

static int text_check(const struct tree *tree, const char *text, size_t length)
{
        unsigned depth = 0;
        int step;

        for (size_t at = 0; at < length; at += (size_t)step) {
                step = skip_quiet(tree, text, length, at);
                if (step == 0) {
                        depth += strchr("{([", text[at]) != NULL;
                        depth -= depth && strchr("})]", text[at]);
                        step = skip_word(tree, text, length, at);
                }
                if (step < 0)
                        return step;
                if (depth > DEPTH_MAX)
                        return tree_refuse(tree, text_line(text, at),
                                           "brackets are nested more than %u deep; a station file "
                                           "needs three levels",
                                           DEPTH_MAX);
        }
        return 0;
}

static int text_to_tree(struct tree *tree, const char *text, size_t length)
{
        size_t clean = text_clean(text, length);
        int r;

        if (clean < length)
                return fault(FAULT_BAD_FILE,
                             "%s:%u: byte 0x%02X at offset %zu is not UTF-8 text; save the file as "
                             "plain UTF-8",
                             tree->file, text_line(text, clean), (uint8_t)text[clean], clean);
        r = text_check(tree, text, length);
        if (r < 0)
                return r;
        if (!config_read_string(&tree->config, text))
                return fault(FAULT_BAD_FILE,
                             "%s:%d: %s; a setting is written as name = value; with a semicolon, "
                             "see gangway.conf",
                             tree->file, config_error_line(&tree->config),
                             config_error_text(&tree->config));
        return 0;
}

/* --- values -------------------------------------------------------------------------------- */

int tree_text(const struct tree *tree, const config_setting_t *setting, const char **ret_text)
{
        if (config_setting_type(setting) != CONFIG_TYPE_STRING)
                return tree_refuse_type(tree, setting, "a text in double quotes");
        *ret_text = config_setting_get_string(setting);
        return 0;
}

static int text_read(const struct tree *tree, const struct key *key,
                     const config_setting_t *setting, char *ret_text)
{
        size_t capacity = (size_t)key->high;
        const char *text = "";
        bool is_good;
        int r;

        r = tree_text(tree, setting, &text);
        if (r < 0)
                return r;
        if (key->kind == KIND_NAME)
                is_good = text_is_name(text, capacity);
        else if (key->kind == KIND_ASCII)
                is_good = text_is_ascii(text, capacity);
        else
                is_good = text_is_label(text, capacity);
        if (!is_good && (text[0] || key->low))
                return tree_refuse(tree, tree_line(setting),
                                   "%s is \"%.60s\", wanted %s of at most %zu characters",
                                   key->name, text, key->wanted, capacity - 1);
        strcpy(ret_text, text);
        return 0;
}

static int path_read(const struct tree *tree, const struct key *key,
                     const config_setting_t *setting, char *ret_path)
{
        const char *text = "";
        int r;

        r = tree_text(tree, setting, &text);
        if (r < 0)
                return r;
        if (!text[0] && !key->low) {
                ret_path[0] = '\0';
                return 0;
        }
        if (!text_is_label(text, (size_t)key->high))
                return tree_refuse(tree, tree_line(setting),
                                   "%s is \"%.60s\", wanted a path of 1 to %lld characters",
                                   key->name, text, key->high - 1);
        if (!text_resolve(tree->directory, text, ret_path, (size_t)key->high))
                return tree_refuse(tree, tree_line(setting),
                                   "%s makes a path longer than %lld characters with this file's "
                                   "directory; use a shorter path",
                                   key->name, key->high - 1);
        return 0;
}

static int unsigned_read(const struct tree *tree, const struct key *key,
                         const config_setting_t *setting, unsigned *ret_value)
{
        int type = config_setting_type(setting);
        long long value;

        if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64)
                return tree_refuse_type(tree, setting, "a whole number");
        value = type == CONFIG_TYPE_INT ? config_setting_get_int(setting)
                                        : config_setting_get_int64(setting);
        if (value < key->low || value > key->high)
                return tree_refuse(tree, tree_line(setting), "%s is %lld, wanted %lld to %lld %s",
                                   key->name, value, key->low, key->high, key->wanted);
        *ret_value = (unsigned)value;
        return 0;
}

static int real_read(const struct tree *tree, const struct key *key,
                     const config_setting_t *setting, double *ret_value)
{
        int type = config_setting_type(setting);
        double value;

        if (type == CONFIG_TYPE_FLOAT)
                value = config_setting_get_float(setting);
        else if (type == CONFIG_TYPE_INT)
                value = config_setting_get_int(setting);
        else
                return tree_refuse_type(tree, setting, "a number");
        if (!(value * 1000 >= (double)key->low && value * 1000 <= (double)key->high))
                return tree_refuse(tree, tree_line(setting), "%s is %g, wanted %g to %g %s",
                                   key->name, value, (double)key->low / 1000,
                                   (double)key->high / 1000, key->wanted);
        *ret_value = value;
        return 0;
}

int tree_read(struct tree *tree, const struct key *key, const config_setting_t *setting,
              void *group)
{
        void *place = (char *)group + key->offset;

        switch (key->kind) {
        case KIND_LABEL:
        case KIND_NAME:
        case KIND_ASCII:
                return text_read(tree, key, setting, place);
        case KIND_PATH:
                return path_read(tree, key, setting, place);
        case KIND_UNSIGNED:
                return unsigned_read(tree, key, setting, place);
        case KIND_REAL:
                return real_read(tree, key, setting, place);
        case KIND_BOOL:
                if (config_setting_type(setting) != CONFIG_TYPE_BOOL)
                        return tree_refuse_type(tree, setting, "true or false");
                *(bool *)place = config_setting_get_bool(setting);
                return 0;
        case KIND_OTHER:
                return key->read(tree, setting, group);
        }
        return 0;
}

/* --- groups -------------------------------------------------------------------------------- */

static const struct key *key_find(const struct key *keys, size_t count, const char *name)
{
        for (size_t i = 0; i < count; i++)
                if (!strcmp(keys[i].name, name))
                        return &keys[i];
        return NULL;
}

static int refuse_unknown(const struct tree *tree, const config_setting_t *setting,
                          const struct key *keys, size_t count)
{
        const char *name = config_setting_name(setting);
        const char *nearest = text_nearest(name, &keys->name, sizeof(*keys), count);

        if (nearest)
                return tree_refuse(tree, tree_line(setting),
                                   "there is no setting \"%.60s\" here; did you mean \"%s\"?", name,
                                   nearest);
        return tree_refuse(tree, tree_line(setting),
                           "there is no setting \"%.60s\" here; gangway.conf names them all", name);
}

int tree_read_group(struct tree *tree, const config_setting_t *group, const struct key *keys,
                    size_t count, void *ret_group)
{
        int r;

        if (config_setting_type(group) != CONFIG_TYPE_GROUP)
                return tree_refuse_type(tree, group, "a group in braces");
        for (unsigned i = 0; i < (unsigned)config_setting_length(group); i++) {
                const config_setting_t *setting = config_setting_get_elem(group, i);
                const struct key *key = key_find(keys, count, config_setting_name(setting));

                if (!key)
                        return refuse_unknown(tree, setting, keys, count);
                r = tree_read(tree, key, setting, ret_group);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < count; i++)
                if (keys[i].is_required && !config_setting_get_member(group, keys[i].name))
                        return tree_refuse(tree, tree_line(group),
                                           "%s is missing; add %s = ...; with %s", keys[i].name,
                                           keys[i].name, keys[i].wanted);
        return 0;
}

int tree_elements(const struct tree *tree, const config_setting_t *setting, unsigned low,
                  unsigned high)
{
        int type = config_setting_type(setting), length;

        if (type != CONFIG_TYPE_LIST && type != CONFIG_TYPE_ARRAY)
                return tree_refuse_type(tree, setting, "a list in parentheses");
        length = config_setting_length(setting);
        if ((unsigned)length < low || (unsigned)length > high)
                return tree_refuse(tree, tree_line(setting), "%s has %d entries, wanted %u to %u",
                                   config_setting_name(setting), length, low, high);
        return length;
}

int tree_make(struct tree *tree, const char *file, const char *text, size_t length)
{
        const char *slash = strrchr(file, '/');
        size_t directory = slash ? (size_t)(slash - file) + (slash == file) : 0;

        *tree = (struct tree){ .file = file };
        config_init(&tree->config);
        if (directory >= sizeof(tree->directory))
                return fault(FAULT_BAD_VALUE, "%s: the path is too long; move the file", file);
        memcpy(tree->directory, file, directory);
        return text_to_tree(tree, text, length);
}

void tree_free(struct tree *tree)
{
        config_destroy(&tree->config);
}
