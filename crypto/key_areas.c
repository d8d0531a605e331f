/*
 * key_areas.c - lines of two numbers into couples, couples into a payload and back.
 */
#include "crypto/key_areas.h"

#include "crypto/csv.h"

static int take_row(const char *name, unsigned line, struct span row, struct key_area *ret_area)
{
        struct span cells[2];
        size_t count = csv_split(row, cells, LENGTH_OF(cells));

        if (count != LENGTH_OF(cells))
                return fault(FAULT_BAD_FILE,
                             "%s line %u: %zu columns, wanted two numbers: size, address", name,
                             line, count);
        if (!csv_number(cells[0], &ret_area->length) || !csv_number(cells[1], &ret_area->address))
                return fault(FAULT_BAD_FILE,
                             "%s line %u: not two 32-bit numbers, wanted size, address such as "
                             "0x00000010, 0x0C020000",
                             name, line);
        if (!ret_area->length || ret_area->length > KEY_AREA_LENGTH_MAX)
                return fault(FAULT_BAD_FILE,
                             "%s line %u: the size is 0x%X, wanted 1 to 0x%X; the size stands "
                             "first, then the address",
                             name, line, ret_area->length, KEY_AREA_LENGTH_MAX);
        if (ret_area->address > UINT32_MAX - (ret_area->length - 1))
                return fault(FAULT_BAD_FILE,
                             "%s line %u: 0x%X bytes at 0x%08X go beyond 0xFFFFFFFF", name, line,
                             ret_area->length, ret_area->address);
        ret_area->line = line;
        return 0;
}

static int check_overlap(const char *name, const struct key_areas *areas,
                         const struct key_area *last)
{
        for (size_t i = 0; i < areas->count; i++) {
                const struct key_area *area = &areas->areas[i];

                if (area->address - last->address < last->length ||
                    last->address - area->address < area->length)
                        return fault(FAULT_BAD_VALUE,
                                     "%s: the key areas of line %u (0x%08X, 0x%X bytes) and line "
                                     "%u (0x%08X, 0x%X bytes) overlap",
                                     name, area->line, area->address, area->length, last->line,
                                     last->address, last->length);
        }
        return 0;
}

int key_areas_parse(const char *name, const void *text, size_t length, struct key_areas *ret_areas)
{
        struct csv csv;
        struct span row;
        int r = csv_open(name, text, length, KEY_AREAS_FILE_MAX, &csv);

        if (r < 0)
                return r;
        ret_areas->count = 0;
        while (csv_next(&csv, &row)) {
                struct key_area area;

                if (ret_areas->count == KEY_AREAS_MAX)
                        return fault(FAULT_BAD_FILE, "%s line %u: more than %u key areas", name,
                                     csv.lines.line, KEY_AREAS_MAX);
                r = take_row(name, csv.lines.line, row, &area);
                if (r >= 0)
                        r = check_overlap(name, ret_areas, &area);
                if (r < 0)
                        return r;
                ret_areas->areas[ret_areas->count++] = area;
        }
        if (!ret_areas->count)
                return fault(FAULT_BAD_FILE, "%s: no rows, wanted size, comma, address", name);
        return 0;
}

struct bytes key_areas_encode(const struct key_areas *areas)
{
        struct bytes payload = bytes_new(areas->count * KEY_AREA_ENTRY_LENGTH);

        for (size_t i = 0; i < areas->count; i++) {
                store_le32(payload.data + i * KEY_AREA_ENTRY_LENGTH, areas->areas[i].length);
                store_le32(payload.data + i * KEY_AREA_ENTRY_LENGTH + 4, areas->areas[i].address);
        }
        return payload;
}

int key_areas_decode(const void *payload, size_t length, struct key_areas *ret_areas)
{
        const uint8_t *bytes = payload;

        if (length % KEY_AREA_ENTRY_LENGTH || length / KEY_AREA_ENTRY_LENGTH > KEY_AREAS_MAX)
                return fault(FAULT_BAD_FILE,
                             "a K area of %zu bytes, wanted couples of %u, at most %u", length,
                             KEY_AREA_ENTRY_LENGTH, KEY_AREAS_MAX);
        ret_areas->count = length / KEY_AREA_ENTRY_LENGTH;
        for (size_t i = 0; i < ret_areas->count; i++)
                ret_areas->areas[i] = (struct key_area){
                        .length = load_le32(bytes + i * KEY_AREA_ENTRY_LENGTH),
                        .address = load_le32(bytes + i * KEY_AREA_ENTRY_LENGTH + 4),
                };
        return 0;
}
