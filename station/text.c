/*
 * Words from outside.
 *
 * UTF-8 is checked by the ranges of RFC 3629 section 4 (no overlong forms, no surrogates, nothing
 * above U+10FFFF); the C0 and C1 control characters are refused because sentences go to terminals
 * and logs. The nearest name is found by the usual two-row edit distance, over words short enough
 * that its cost does not matter.
 */
#include "station/text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define WORD_MAX 48u /* longer words are not compared */

/* Length of the well-formed, printable character at `at`; 0 when there is none. */
static size_t character(const uint8_t *at, size_t left)
{
        static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
        uint32_t point;
        size_t length;

        if (at[0] < 0x80)
                return (at[0] >= 0x20 && at[0] != 0x7F) || at[0] == '\t' || at[0] == '\n' ||
                       at[0] == '\r';
        length = at[0] < 0xC0 ? 0 : at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : at[0] < 0xF8 ? 4 : 0;
        if (!length || length > left)
                return 0;
        point = at[0] & (0x7Fu >> length);
        for (size_t i = 1; i < length; i++) {
                if ((at[i] & 0xC0) != 0x80)
                        return 0;
                point = point << 6 | (at[i] & 0x3F);
        }
        if (point < least[length] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF))
                return 0;
        return point >= 0xA0 ? length : 0;
}

size_t text_clean(const void *text, size_t length)
{
        const uint8_t *bytes = text;
        size_t done = 0, step;

        while (done < length && (step = character(bytes + done, length - done)))
                done += step;
        return done;
}

unsigned text_line(const void *text, size_t offset)
{
        const char *bytes = text;
        unsigned line = 1;

        for (size_t i = 0; i < offset; i++)
                line += bytes[i] == '\n';
        return line;
}

bool text_is_label(const char *text, size_t capacity)
{
        size_t length = strlen(text);

        return length && length < capacity && text_clean(text, length) == length &&
               !strpbrk(text, "\t\r\n") && text[0] != ' ' && text[length - 1] != ' ';
}

bool text_is_ascii(const char *text, size_t capacity)
{
        for (const char *c = text; *c; c++)
                if ((uint8_t)*c > 0x7E)
                        return false;
        return text_is_label(text, capacity);
}

bool text_is_name(const char *text, size_t capacity)
{
        size_t length = strlen(text);

        return length && length < capacity && text[0] != '.' &&
               strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                            "0123456789._-") == length;
}

static unsigned least_of(unsigned a, unsigned b, unsigned c)
{
        unsigned least = a < b ? a : b;

        return least < c ? least : c;
}

/* Insertions, deletions and replacements from `a` to `b`, letters compared without case. */
static unsigned distance(const char *a, const char *b)
{
        unsigned row[WORD_MAX + 1], diagonal, above;
        size_t length = strlen(b);

        for (unsigned j = 0; j <= length; j++)
                row[j] = j;
        for (unsigned i = 0; a[i]; i++) {
                diagonal = row[0];
                row[0] = i + 1;
                for (size_t j = 0; j < length; j++) {
                        above = row[j + 1];
                        row[j + 1] = least_of(
                                above + 1, row[j] + 1,
                                diagonal + (tolower((uint8_t)a[i]) != tolower((uint8_t)b[j])));
                        diagonal = above;
                }
        }
        return row[length];
}

const char *text_nearest(const char *word, const char *const *names, size_t stride, size_t count)
{
        unsigned best = strlen(word) > 8 ? 4 : 3, found;
        const char *nearest = NULL, *name;

        if (strlen(word) > WORD_MAX)
                return NULL;
        for (size_t i = 0; i < count; i++) {
                memcpy(&name, (const char *)names + i * stride, sizeof(name));
                if (strlen(name) > WORD_MAX)
                        continue;
                found = distance(word, name);
                if (found < best) {
                        best = found;
                        nearest = name;
                }
        }
        return nearest;
}

bool text_resolve(const char *directory, const char *name, char *ret_path, size_t capacity)
{
        int length;

        if (name[0] == '/' || !directory[0])
                length = snprintf(ret_path, capacity, "%s", name);
        else
                length = snprintf(ret_path, capacity, "%s%s%s", directory,
                                  directory[strlen(directory) - 1] == '/' ? "" : "/", name);
        return length >= 0 && (size_t)length < capacity;
}

bool text_climbs(const char *path)
{
        for (const char *at = path; at; at = strchr(at, '/')) {
                at += *at == '/';
                if (at[0] == '.' && at[1] == '.' && (at[2] == '/' || !at[2]))
                        return true;
        }
        return false;
}
