/*
 * Collecting the pieces of one firmware file, and adding them to the container.
 *
 * Pieces are put as the file gives them. Finishing sorts them by address and joins those that
 * touch; a pass over neighbours finds overlaps within the file, a second one overlaps with segments
 * of earlier files. Then the new segments are merged into the sorted list.
 */
#include "crypto/firmware_reader.h"

#include <stdio.h>
#include <stdlib.h>

/* Room for the sentence about an overlap in a fault's 511 characters. */
#define PLACE_LENGTH 160

static void *grown(void *array, size_t *capacity, size_t element, size_t wanted)
{
        size_t now = *capacity ? *capacity : 16;
        void *moved;

        if (wanted <= *capacity)
                return array;
        while (now < wanted)
                now *= 2;
        moved = reallocarray(array, now, element);
        INSIST(moved);
        *capacity = now;
        return moved;
}

/* --- lines of text ------------------------------------------------------------------------- */

bool text_lines_next(struct text_lines *lines)
{
        while (lines->at < lines->end) {
                const char *feed = memchr(lines->at, '\n', (size_t)(lines->end - lines->at));
                const char *stop = feed ? feed : lines->end;

                lines->text = lines->at;
                lines->at = feed ? feed + 1 : lines->end;
                lines->line++;
                while (stop > lines->text && strchr(" \t\r", stop[-1]) && stop[-1])
                        stop--;
                lines->length = (size_t)(stop - lines->text);
                if (lines->length)
                        return true;
        }
        return false;
}

static int hex_digit(char digit)
{
        if (digit >= '0' && digit <= '9')
                return digit - '0';
        if (digit >= 'A' && digit <= 'F')
                return digit - 'A' + 10;
        if (digit >= 'a' && digit <= 'f')
                return digit - 'a' + 10;
        return -1;
}

int text_hex_byte(const char *text)
{
        int high = hex_digit(text[0]);
        int low = hex_digit(text[1]);

        return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* --- collecting ---------------------------------------------------------------------------- */

static int check_room(const struct firmware_reader *reader, unsigned line, uint32_t address,
                      size_t length)
{
        if (length > (uint64_t)UINT32_MAX + 1 - address)
                return fault(
                        FAULT_BAD_FILE,
                        "%s %s %u: %zu bytes at 0x%08X end above 4 GiB, wanted 32-bit addresses",
                        reader->name, reader->unit ? reader->unit : "byte", line, length, address);
        if (length > FIRMWARE_FILE_MAX - reader->length)
                return fault(FAULT_TOO_LARGE, "%s %s %u: more than %u bytes of firmware",
                             reader->name, reader->unit ? reader->unit : "byte", line,
                             FIRMWARE_FILE_MAX);
        return 0;
}

/* The bytes that come next, as a run of their own. */
static int add_run(struct firmware_reader *reader, unsigned line, uint32_t address, size_t length)
{
        if (reader->count == FIRMWARE_RUNS_MAX)
                return fault(FAULT_TOO_LARGE,
                             "%s %s %u: more than %u pieces that do not touch, let the linker "
                             "write them in rising order",
                             reader->name, reader->unit ? reader->unit : "byte", line,
                             FIRMWARE_RUNS_MAX);
        reader->runs = grown(reader->runs, &reader->runs_capacity, sizeof(*reader->runs),
                             reader->count + 1);
        reader->runs[reader->count++] = (struct firmware_run){
                .address = address,
                .line = line,
                .offset = reader->length,
                .length = length,
        };
        return 0;
}

int firmware_reader_put(struct firmware_reader *reader, unsigned line, uint32_t address,
                        const void *data, size_t length)
{
        struct firmware_run *last = reader->count ? &reader->runs[reader->count - 1] : NULL;
        int r = check_room(reader, line, address, length);

        if (!length || r < 0)
                return length ? r : 0;
        if (last && (uint64_t)last->address + last->length == address)
                last->length += length;
        else
                r = add_run(reader, line, address, length);
        if (r < 0)
                return r;
        reader->data = grown(reader->data, &reader->capacity, 1, reader->length + length);
        memcpy(reader->data + reader->length, data, length);
        reader->length += length;
        return 0;
}

int firmware_reader_give(struct firmware_reader *reader, uint32_t address, struct bytes *file)
{
        int r = check_room(reader, 0, address, file->length);

        INSIST(!reader->count);
        if (r < 0 || !file->length)
                return r;
        r = add_run(reader, 0, address, file->length);
        INSIST(r == 0);
        reader->data = file->data;
        reader->length = reader->capacity = file->length;
        *file = (struct bytes){ 0 };
        return 0;
}

void firmware_reader_free(struct firmware_reader *reader)
{
        free(reader->data);
        free(reader->runs);
        *reader = (struct firmware_reader){ 0 };
}

/* --- finishing ----------------------------------------------------------------------------- */

static int run_compare(const void *a, const void *b)
{
        const struct firmware_run *left = a, *right = b;

        if (left->address != right->address)
                return left->address < right->address ? -1 : 1;
        return left->offset < right->offset ? -1 : left->offset > right->offset;
}

/* "blinky.hex line 7 (0x08000000..0x0800034B)" */
static const char *place_text(const char *name, const char *unit, unsigned line, uint32_t address,
                              size_t length, char text[static PLACE_LENGTH])
{
        uint32_t last = (uint32_t)(address + length - 1);
        size_t skipped = strlen(name) > 90 ? strlen(name) - 90 : 0; /* the end of a path tells */

        if (unit)
                snprintf(text, PLACE_LENGTH, "%s %s %u (0x%08X..0x%08X)", name + skipped, unit,
                         line, address, last);
        else
                snprintf(text, PLACE_LENGTH, "%s (0x%08X..0x%08X)", name + skipped, address, last);
        return text;
}

/* Sort the runs; join those that touch into groups: returns the number of groups. `first[i]` is the
 * index of the first run of group i. */
static int group_runs(struct firmware_reader *reader, size_t *first)
{
        char here[PLACE_LENGTH], there[PLACE_LENGTH];
        size_t groups = 0;

        qsort(reader->runs, reader->count, sizeof(*reader->runs), run_compare);
        for (size_t i = 0; i < reader->count; i++) {
                const struct firmware_run *run = &reader->runs[i];
                const struct firmware_run *below = i ? run - 1 : NULL;
                uint64_t end = below ? (uint64_t)below->address + below->length : 0;

                if (below && run->address < end)
                        return fault(FAULT_BAD_VALUE,
                                     "%s overlaps %s: remove one of them from the file",
                                     place_text(reader->name, reader->unit, run->line, run->address,
                                                run->length, here),
                                     place_text(reader->name, reader->unit, below->line,
                                                below->address, below->length, there));
                if (!below || run->address != end) {
                        if (groups == FIRMWARE_SEGMENTS_MAX)
                                return fault(FAULT_TOO_LARGE, "%s: more than %u segments",
                                             reader->name, FIRMWARE_SEGMENTS_MAX);
                        first[groups++] = i;
                }
        }
        return (int)groups;
}

/* What the reader holds is given away when it is one run, so that a large one is never held twice. */
static struct bytes take_runs(struct firmware_reader *reader, size_t first, size_t end)
{
        const struct firmware_run *runs = reader->runs;
        struct bytes bytes = { reader->data, reader->length };
        size_t length = 0, at = 0;

        if (reader->count == 1) {
                reader->data = NULL;
                bytes_grow(&bytes, bytes.length); /* to what it needs, and the spare byte */
                return bytes;
        }
        for (size_t i = first; i < end; i++)
                length += runs[i].length;
        bytes = bytes_new(length);
        for (size_t i = first; i < end; i++) {
                memcpy(bytes.data + at, reader->data + runs[i].offset, runs[i].length);
                at += runs[i].length;
        }
        return bytes;
}

static struct firmware_segment make_segment(struct firmware_reader *reader, size_t first,
                                            size_t end, unsigned file)
{
        const struct firmware_run *runs = reader->runs;
        struct firmware_segment segment = {
                .address = runs[first].address,
                .file = file,
                .line = runs[first].line,
                .unit = reader->unit,
        };

        for (size_t i = first; i < end; i++)
                if (runs[i].line < segment.line) /* where the file first speaks of it */
                        segment.line = runs[i].line;
        segment.data = take_runs(reader, first, end);
        return segment;
}

static size_t payload_length(const struct firmware *firmware)
{
        size_t length = 0;

        for (size_t i = 0; i < firmware->count; i++)
                length += firmware->segments[i].data.length;
        return length;
}

static int check_apart(const struct firmware *firmware, const struct firmware_reader *reader,
                       const struct firmware_segment *added, size_t count)
{
        char here[PLACE_LENGTH], there[PLACE_LENGTH];
        size_t old = 0;

        for (size_t i = 0; i < count; i++) {
                const struct firmware_segment *a = &added[i], *b;

                while (old < firmware->count &&
                       (uint64_t)firmware->segments[old].address +
                                       firmware->segments[old].data.length <=
                               a->address)
                        old++;
                if (old == firmware->count)
                        return 0;
                b = &firmware->segments[old];
                if (b->address >= (uint64_t)a->address + a->data.length)
                        continue;
                return fault(FAULT_BAD_VALUE, "%s overlaps %s: give each address once",
                             place_text(reader->name, a->unit, a->line, a->address, a->data.length,
                                        here),
                             place_text(firmware->names[b->file], b->unit, b->line, b->address,
                                        b->data.length, there));
        }
        return 0;
}

/* Both lists are sorted and apart: merge from the top, in place. */
static void take_segments(struct firmware *firmware, const struct firmware_segment *added,
                          size_t count, const char *name)
{
        size_t old = firmware->count, left = count, to = old + count;
        struct firmware_segment *segments;
        const char **names;
        char *copy;

        segments = reallocarray(firmware->segments, to, sizeof(*segments));
        names = reallocarray(firmware->names, firmware->files + 1, sizeof(*names));
        copy = strdup(name);
        INSIST(segments && names && copy);
        while (left) {
                if (old && segments[old - 1].address > added[left - 1].address)
                        segments[--to] = segments[--old];
                else
                        segments[--to] = added[--left];
        }
        names[firmware->files++] = copy;
        firmware->names = names;
        firmware->segments = segments;
        firmware->count += count;
}

void firmware_segments_free(struct firmware_segment *segments, size_t count)
{
        for (size_t i = 0; i < count; i++)
                bytes_free(&segments[i].data);
        free(segments);
}

int firmware_reader_finish(struct firmware_reader *reader, struct firmware *firmware)
{
        static const size_t limit = FIRMWARE_SEGMENTS_MAX;
        struct firmware_segment *added;
        size_t *first, count;
        int r;

        if (!reader->count)
                return fault(FAULT_BAD_FILE, "%s: it holds no firmware bytes, wanted at least one",
                             reader->name);
        first = calloc(limit, sizeof(*first));
        INSIST(first);
        r = group_runs(reader, first);
        if (r < 0) {
                free(first);
                return r;
        }
        count = (size_t)r;
        added = calloc(count, sizeof(*added));
        INSIST(added);
        for (size_t i = 0; i < count; i++)
                added[i] =
                        make_segment(reader, first[i], i + 1 < count ? first[i + 1] : reader->count,
                                     firmware->files);
        free(first);
        r = check_apart(firmware, reader, added, count);
        if (r == 0 && firmware->count + count > limit)
                r = fault(FAULT_TOO_LARGE, "%s: more than %u segments in all files", reader->name,
                          FIRMWARE_SEGMENTS_MAX);
        if (r == 0 && payload_length(firmware) + reader->length > FIRMWARE_FILE_MAX)
                r = fault(FAULT_TOO_LARGE, "%s: more than %u bytes of firmware in all files",
                          reader->name, FIRMWARE_FILE_MAX);
        if (r < 0) {
                firmware_segments_free(added, count);
                return r;
        }
        take_segments(firmware, added, count, reader->name);
        free(added); /* the bytes went over */
        return 0;
}
