/*
 * csv.c - rows and cells of small text tables, without a copy of anything.
 */
#include "crypto/csv.h"

#include <ctype.h>
#include <string.h>

static struct span trimmed(const char *text, size_t length)
{
        while (length && isspace((unsigned char)*text)) {
                text++;
                length--;
        }
        while (length && isspace((unsigned char)text[length - 1]))
                length--;
        return (struct span){ text, length };
}

int csv_open(const char *name, const void *text, size_t length, size_t maximum, struct csv *ret_csv)
{
        const char *zero = length && length <= maximum ? memchr(text, 0, length) : NULL;

        if (length > maximum)
                return fault(FAULT_BAD_FILE, "%s: %zu bytes, wanted at most %zu", name, length,
                             maximum);
        if (zero)
                return fault(FAULT_BAD_FILE,
                             "%s: a zero byte at offset 0x%zX; this is no text file", name,
                             (size_t)(zero - (const char *)text));
        *ret_csv = (struct csv){ .lines = { .at = text, .end = (const char *)text + length } };
        if (length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
                ret_csv->lines.at += 3;
        return 0;
}

bool csv_next(struct csv *csv, struct span *ret_row)
{
        while (text_lines_next(&csv->lines)) {
                struct span row = trimmed(csv->lines.text, csv->lines.length);

                if (!row.length || row.text[0] == '#')
                        continue;
                *ret_row = row;
                return true;
        }
        return false;
}

static struct span unquoted(struct span cell)
{
        if (cell.length >= 2 && cell.text[0] == '"' && cell.text[cell.length - 1] == '"')
                return (struct span){ cell.text + 1, cell.length - 2 };
        return cell;
}

size_t csv_split(struct span row, struct span *cells, size_t capacity)
{
        const char *at = row.text, *end = row.text + row.length;
        size_t count = 0;

        for (;;) {
                const char *begin = at;

                while (at < end && *at != ',' && *at != ';')
                        at++;
                if (count < capacity)
                        cells[count] = unquoted(trimmed(begin, (size_t)(at - begin)));
                count++;
                if (at == end)
                        return count;
                at++;
        }
}

bool csv_number(struct span cell, uint32_t *ret_number)
{
        bool is_hex = cell.length > 2 && cell.text[0] == '0' && (cell.text[1] | 0x20) == 'x';
        unsigned base = is_hex ? 16 : 10;
        uint64_t number = 0;

        for (size_t i = is_hex ? 2 : 0; i < cell.length; i++) {
                unsigned char c = (unsigned char)cell.text[i];

                if (is_hex ? !isxdigit(c) : !isdigit(c))
                        return false;
                number = number * base +
                         (isdigit(c) ? c - 48u : (c | 0x20u) - 87u); /* '0'; 'a' is 10 */
                if (number > UINT32_MAX)
                        return false;
        }
        *ret_number = (uint32_t)number;
        return cell.length > 0;
}
