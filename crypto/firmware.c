/*
 * The container of firmware: which form a file has, BIN, merging over gaps, freeing.
 *
 * The readers of the other forms are firmware_hex.c, firmware_srecord.c and firmware_elf.c; what
 * they share, and how a file enters the container, is firmware_reader.c.
 */
#include "crypto/firmware.h"

#include "crypto/firmware_reader.h"

#include <ctype.h>
#include <stdlib.h>

/* How much of a file is looked at to tell text from BIN. */
#define TEXT_PROBE_LENGTH 256u

/* --- by form ------------------------------------------------------------------------------- */

static bool is_text(const uint8_t *data, size_t length)
{
        for (size_t i = 0; i < length && i < TEXT_PROBE_LENGTH; i++)
                if (data[i] >= 0x7F || (data[i] < 0x20 && !strchr("\t\r\n", data[i])) || !data[i])
                        return false;
        return true;
}

enum firmware_form firmware_form(const void *data, size_t length)
{
        const uint8_t *bytes = data;
        size_t at = 0;

        if (length >= 4 && memcmp(bytes, "\177ELF", 4) == 0)
                return FIRMWARE_ELF;
        if (!is_text(bytes, length))
                return FIRMWARE_BIN;
        while (at < length && isspace(bytes[at]))
                at++;
        if (at < length && bytes[at] == ':')
                return FIRMWARE_HEX;
        if (at + 1 < length && bytes[at] == 'S' && isdigit(bytes[at + 1]))
                return FIRMWARE_SRECORD;
        return FIRMWARE_BIN;
}

static int read_form(struct firmware_reader *reader, enum firmware_form form, const void *data,
                     size_t length, uint32_t bin_address)
{
        if (length > FIRMWARE_FILE_MAX)
                return fault(FAULT_TOO_LARGE, "%s: %zu bytes, at most %u are read", reader->name,
                             length, FIRMWARE_FILE_MAX);
        switch (form) {
        case FIRMWARE_ELF:
                return firmware_read_elf(reader, data, length);
        case FIRMWARE_HEX:
                return firmware_read_hex(reader, data, length);
        case FIRMWARE_SRECORD:
                return firmware_read_srecord(reader, data, length);
        case FIRMWARE_BIN:
                break;
        }
        return firmware_reader_put(reader, 0, bin_address, data, length);
}

static int add_form(struct firmware *firmware, enum firmware_form form, const char *name,
                    const void *data, size_t length, uint32_t bin_address)
{
        struct firmware_reader reader CLEANUP(firmware_reader_free) = { .name = name };
        int r = read_form(&reader, form, data, length, bin_address);

        return r < 0 ? r : firmware_reader_finish(&reader, firmware);
}

int firmware_add(struct firmware *firmware, const char *name, const void *data, size_t length,
                 uint32_t bin_address)
{
        return add_form(firmware, firmware_form(data, length), name, data, length, bin_address);
}

int firmware_add_bin(struct firmware *firmware, const char *name, const void *data, size_t length,
                     uint32_t address)
{
        return add_form(firmware, FIRMWARE_BIN, name, data, length, address);
}

int firmware_add_hex(struct firmware *firmware, const char *name, const void *data, size_t length)
{
        return add_form(firmware, FIRMWARE_HEX, name, data, length, 0);
}

int firmware_add_srecord(struct firmware *firmware, const char *name, const void *data,
                         size_t length)
{
        return add_form(firmware, FIRMWARE_SRECORD, name, data, length, 0);
}

int firmware_add_elf(struct firmware *firmware, const char *name, const void *data, size_t length)
{
        return add_form(firmware, FIRMWARE_ELF, name, data, length, 0);
}

int firmware_take(struct firmware *firmware, const char *name, struct bytes *file,
                  uint32_t bin_address)
{
        struct firmware_reader reader CLEANUP(firmware_reader_free) = { .name = name };
        enum firmware_form form = firmware_form(file->data, file->length);
        int r;

        if (form == FIRMWARE_BIN)
                r = firmware_reader_give(&reader, bin_address, file);
        else
                r = read_form(&reader, form, file->data, file->length, 0);
        bytes_wipe_free(file);
        return r < 0 ? r : firmware_reader_finish(&reader, firmware);
}

/* --- merging and freeing ------------------------------------------------------------------- */

/* What one or more neighbours become. */
struct group {
        uint64_t begin, end; /* on multiples of the unit */
        size_t first, count;
};

static size_t make_groups(const struct firmware *firmware, uint32_t gap, uint32_t unit,
                          struct group *groups)
{
        uint64_t raw_end = 0;
        size_t count = 0;

        for (size_t i = 0; i < firmware->count; i++) {
                const struct firmware_segment *segment = &firmware->segments[i];
                struct group *last = count ? &groups[count - 1] : NULL;
                uint64_t begin = segment->address - segment->address % unit;
                uint64_t raw_begin = segment->address;

                if (!last || (begin > last->end && raw_begin - raw_end > gap)) {
                        last = &groups[count++];
                        *last = (struct group){ .begin = begin, .first = i };
                }
                raw_end = raw_begin + segment->data.length;
                last->end = (raw_end + unit - 1) / unit * unit;
                last->count++;
        }
        return count;
}

/* A segment alone is padded where it lies. */
static void pad(struct firmware_segment *segment, const struct group *group, uint8_t padding)
{
        size_t before = segment->address - (size_t)group->begin, length = segment->data.length;
        uint8_t *data;

        if (group->begin + length == group->end)
                return;
        bytes_grow(&segment->data, (size_t)(group->end - group->begin));
        data = segment->data.data;
        if (before)
                memmove(data + before, data, length);
        memset(data, padding, before);
        memset(data + before + length, padding, segment->data.length - before - length);
        segment->address = (uint32_t)group->begin;
}

/* Their bytes are given: a large segment alone is never held twice, of neighbours each is freed as soon
 * as it is copied. */
static struct firmware_segment make_merged(struct firmware *firmware, const struct group *group,
                                           uint8_t padding)
{
        struct firmware_segment merged = firmware->segments[group->first];

        if (group->count == 1) {
                firmware->segments[group->first].data = (struct bytes){ 0 };
                pad(&merged, group, padding);
                return merged;
        }
        merged.address = (uint32_t)group->begin;
        merged.data = bytes_new((size_t)(group->end - group->begin));
        memset(merged.data.data, padding, merged.data.length);
        for (size_t i = group->first; i < group->first + group->count; i++) {
                struct firmware_segment *segment = &firmware->segments[i];

                memcpy(merged.data.data + (segment->address - group->begin), segment->data.data,
                       segment->data.length);
                bytes_free(&segment->data);
        }
        return merged;
}

int firmware_merge(struct firmware *firmware, uint32_t gap, uint8_t padding, uint32_t unit)
{
        struct firmware_segment *merged;
        struct group *groups;
        uint64_t length = 0;
        size_t count;

        INSIST(unit > 0);
        if (!firmware->count)
                return 0;
        groups = calloc(firmware->count, sizeof(*groups));
        INSIST(groups);
        count = make_groups(firmware, gap, unit, groups);
        for (size_t i = 0; i < count; i++)
                length += groups[i].end - groups[i].begin;
        if (length > FIRMWARE_FILE_MAX || groups[count - 1].end > (uint64_t)UINT32_MAX + 1) {
                free(groups);
                return fault(FAULT_TOO_LARGE,
                             "with gaps of %u bytes filled the firmware has %llu bytes, at most %u "
                             "are possible",
                             gap, (unsigned long long)length, FIRMWARE_FILE_MAX);
        }
        merged = calloc(count, sizeof(*merged));
        INSIST(merged);
        for (size_t i = 0; i < count; i++)
                merged[i] = make_merged(firmware, &groups[i], padding);
        free(groups);
        firmware_segments_free(firmware->segments, firmware->count);
        firmware->segments = merged;
        firmware->count = count;
        return 0;
}

void firmware_free(struct firmware *firmware)
{
        firmware_segments_free(firmware->segments, firmware->count);
        for (unsigned i = 0; i < firmware->files; i++)
                free((void *)(uintptr_t)firmware->names[i]);
        free((void *)(uintptr_t)firmware->names);
        *firmware = (struct firmware)FIRMWARE_EMPTY;
}
