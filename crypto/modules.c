/*
 * modules.c - rows of an .mcsv.
 */
#include "crypto/modules.h"

#include "crypto/csv.h"

#include <stdlib.h>
#include <string.h>

#define SMI_MAGIC "SMIMAGIC"

static int take_text(const char *name, unsigned line, const char *what, struct span cell,
                     char ret_text[static MODULE_TEXT_MAX])
{
        if (cell.length >= MODULE_TEXT_MAX)
                return fault(FAULT_BAD_FILE,
                             "%s line %u: the %s has %zu characters, at most %u fit", name, line,
                             what, cell.length, MODULE_TEXT_MAX - 1);
        for (size_t i = 0; i < cell.length; i++) {
                unsigned char c = (unsigned char)cell.text[i];

                if (c < 0x20 || c == 0x7F)
                        return fault(FAULT_BAD_FILE, "%s line %u: byte 0x%02X in the %s", name,
                                     line, c, what);
                ret_text[i] = (char)(c == '\\' ? '/' : c);
        }
        ret_text[cell.length] = '\0';
        return 0;
}

static int take_row(const char *name, unsigned line, struct span row, struct module_row *ret_row)
{
        struct span cells[3];
        size_t count = csv_split(row, cells, LENGTH_OF(cells));
        int r;

        if (count != LENGTH_OF(cells))
                return fault(FAULT_BAD_FILE,
                             "%s line %u: %zu columns, wanted module path, license path or "
                             "firmware identifier, address",
                             name, line, count);
        if (!cells[0].length)
                return fault(FAULT_BAD_FILE, "%s line %u: no module path in the first column", name,
                             line);
        r = take_text(name, line, "module path", cells[0], ret_row->path);
        if (r >= 0)
                r = take_text(name, line, "license", cells[1], ret_row->license);
        if (r < 0)
                return r;
        if (!csv_number(cells[2], &ret_row->address))
                return fault(FAULT_BAD_FILE,
                             "%s line %u: the address is no 32-bit number, wanted decimal or 0x "
                             "and up to 8 digits",
                             name, line);
        ret_row->line = line;
        return 0;
}

static int take_rows(const char *name, struct csv *csv, struct modules *modules)
{
        struct span row;

        while (csv_next(csv, &row)) {
                int r;

                if (modules->count == MODULES_MAX)
                        return fault(FAULT_BAD_FILE, "%s line %u: more than %u modules", name,
                                     csv->lines.line, MODULES_MAX);
                r = take_row(name, csv->lines.line, row, &modules->rows[modules->count]);
                if (r < 0)
                        return r;
                modules->count++;
        }
        if (!modules->count)
                return fault(FAULT_BAD_FILE, "%s: no rows, wanted module path, license, address",
                             name);
        return 0;
}

int modules_parse(const char *name, const void *text, size_t length, struct modules *ret_modules)
{
        struct modules modules = { 0 };
        struct csv csv;
        int r = csv_open(name, text, length, MODULES_FILE_MAX, &csv);

        if (r < 0)
                return r;
        modules.rows = calloc(MODULES_MAX, sizeof(*modules.rows));
        INSIST(modules.rows);
        r = take_rows(name, &csv, &modules);
        if (r < 0) {
                modules_free(&modules);
                return r;
        }
        *ret_modules = modules;
        return 0;
}

void modules_free(struct modules *modules)
{
        free(modules->rows);
        *modules = (struct modules){ 0 };
}

bool module_is_smi(const void *data, size_t length)
{
        return length >= strlen(SMI_MAGIC) && memcmp(data, SMI_MAGIC, strlen(SMI_MAGIC)) == 0;
}
