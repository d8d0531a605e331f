/*
 * The option-byte CSV (AN5054 section 2.5.1, figure 15; spec/secure-install.md section 4).
 *
 * One row a register: name, separator, value. The order and number of rows belong to the family and
 * must not change, so nothing is sorted or filled in here. Spreadsheets write a byte-order mark and
 * CRLF; both are taken.
 */
#include "crypto/option_bytes.h"

#include "crypto/csv.h"

#include <ctype.h>
#include <string.h>

#define CSV_LENGTH_MAX (64u << 10)

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

static int take_value(const char *file, unsigned line, struct span value,
                      struct option_row *ret_row)
{
        if (!csv_number(value, &ret_row->value))
                return fault(FAULT_BAD_FILE,
                             "%s line %u: the value of %s is no 32-bit number, wanted decimal or "
                             "0x and up to 8 digits",
                             file, line, ret_row->name);
        return 0;
}

static int take_row(const char *file, unsigned line, struct span row, struct option_row *ret_row)
{
        struct span cells[2];
        size_t count = csv_split(row, cells, LENGTH_OF(cells));
        int r;

        if (count != LENGTH_OF(cells))
                return fault(FAULT_BAD_FILE,
                             "%s line %u: %zu column%s, wanted register name, comma, value", file,
                             line, count, count == 1 ? "" : "s");
        r = take_name(file, line, cells[0], ret_row);
        if (r < 0)
                return r;
        return take_value(file, line, cells[1], ret_row);
}

int option_bytes_parse(const char *name, const void *text, size_t length,
                       struct option_bytes *ret_option_bytes)
{
        struct option_bytes parsed = { .count = 0 };
        struct csv csv;
        struct span row;
        int r = csv_open(name, text, length, CSV_LENGTH_MAX, &csv);

        if (r < 0)
                return r;
        while (csv_next(&csv, &row)) {
                if (parsed.count == OPTION_ROWS_MAX)
                        return fault(FAULT_BAD_FILE, "%s line %u: more than %u rows", name,
                                     csv.lines.line, OPTION_ROWS_MAX);
                r = take_row(name, csv.lines.line, row, &parsed.rows[parsed.count]);
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
