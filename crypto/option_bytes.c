/*
 * The option-byte CSV (AN5054 section 2.5.1, figure 15; spec/secure-install.md section 4).
 *
 * One row a register: name, separator, value. The order and number of rows belong to the family and
 * must not change, so nothing is sorted or filled in here. Spreadsheets write a byte-order mark and
 * CRLF; both are taken.
 */
#include "crypto/option_bytes.h"

#include "crypto/firmware_reader.h"

#include <ctype.h>

#define CSV_LENGTH_MAX (64u << 10)

struct span {
        const char *text;
        size_t length;
};

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

static int take_name(const char *file, unsigned line, struct span name, struct option_row *ret_row)
{
        if (!name.length || name.length >= sizeof(ret_row->name))
                return fault(FAULT_BAD_FILE,
                             "%s line %u: a register name of %zu characters, wanted 1 to %zu", file,
                             line, name.length, sizeof(ret_row->name) - 1);
        for (size_t i = 0; i < name.length; i++)
                if (!isalnum((unsigned char)name.text[i]) && name.text[i] != '_')
                        return fault(FAULT_BAD_FILE,
                                     "%s line %u: byte 0x%02X in the register name, wanted "
                                     "letters, digits and '_'",
                                     file, line, (uint8_t)name.text[i]);
        memset(ret_row->name, 0, sizeof(ret_row->name));
        memcpy(ret_row->name, name.text, name.length);
        return 0;
}

/* Decimal, or hexadecimal after 0x; nothing else, no sign, no sloppy tail. */
static bool parse_word(struct span value, uint32_t *ret_word)
{
        bool is_hex = value.length > 2 && value.text[0] == '0' && (value.text[1] | 0x20) == 'x';
        unsigned base = is_hex ? 16 : 10;
        uint64_t word = 0;

        for (size_t i = is_hex ? 2 : 0; i < value.length; i++) {
                unsigned char c = (unsigned char)value.text[i];

                if (is_hex ? !isxdigit(c) : !isdigit(c))
                        return false;
                word = word * base +
                       (isdigit(c) ? c - 48u : (c | 0x20u) - 87u); /* '0'; 'a' is 10 */
                if (word > UINT32_MAX)
                        return false;
        }
        *ret_word = (uint32_t)word;
        return value.length > 0;
}

static int take_value(const char *file, unsigned line, struct span value,
                      struct option_row *ret_row)
{
        if (!parse_word(value, &ret_row->value))
                return fault(FAULT_BAD_FILE,
                             "%s line %u: the value of %s is no 32-bit number, wanted decimal or "
                             "0x and up to 8 digits",
                             file, line, ret_row->name);
        return 0;
}

static int take_row(const char *file, unsigned line, struct span row, struct option_row *ret_row)
{
        const char *end = row.text + row.length, *separator = row.text;
        int r;

        while (separator < end && *separator != ',' && *separator != ';')
                separator++;
        if (separator == end)
                return fault(FAULT_BAD_FILE,
                             "%s line %u: one column, wanted register name, comma, value", file,
                             line);
        r = take_name(file, line, trimmed(row.text, (size_t)(separator - row.text)), ret_row);
        if (r < 0)
                return r;
        return take_value(file, line, trimmed(separator + 1, (size_t)(end - separator - 1)),
                          ret_row);
}

int option_bytes_parse(const char *name, const void *text, size_t length,
                       struct option_bytes *ret_option_bytes)
{
        struct text_lines lines = { .at = text, .end = (const char *)text + length };
        struct option_bytes parsed = { .count = 0 };
        int r;

        if (length > CSV_LENGTH_MAX)
                return fault(FAULT_BAD_FILE, "%s: %zu bytes, wanted at most %u", name, length,
                             CSV_LENGTH_MAX);
        if (length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
                lines.at += 3;
        while (text_lines_next(&lines)) {
                struct span row = trimmed(lines.text, lines.length);

                if (!row.length || row.text[0] == '#')
                        continue;
                if (parsed.count == OPTION_ROWS_MAX)
                        return fault(FAULT_BAD_FILE, "%s line %u: more than %u rows", name,
                                     lines.line, OPTION_ROWS_MAX);
                r = take_row(name, lines.line, row, &parsed.rows[parsed.count]);
                if (r < 0)
                        return r;
                parsed.count++;
        }
        if (!parsed.count)
                return fault(FAULT_BAD_FILE, "%s: no rows, wanted register name, comma, value",
                             name);
        *ret_option_bytes = parsed;
        return 0;
}

int option_bytes_check(const struct option_bytes *option_bytes, const char *const *names,
                       size_t count)
{
        for (size_t i = 0; i < option_bytes->count && i < count; i++)
                if (strcmp(option_bytes->rows[i].name, names[i]) != 0)
                        return fault(FAULT_BAD_VALUE,
                                     "option-byte row %zu is %s, wanted %s: start from the "
                                     "family's example and change values only",
                                     i + 1, option_bytes->rows[i].name, names[i]);
        if (option_bytes->count > count)
                return fault(FAULT_BAD_VALUE, "option-byte row %zu is %s, wanted only %zu rows",
                             count + 1, option_bytes->rows[count].name, count);
        if (option_bytes->count < count)
                return fault(FAULT_BAD_VALUE,
                             "the option bytes have %zu rows, wanted %zu: %s is missing",
                             option_bytes->count, count, names[option_bytes->count]);
        return 0;
}
