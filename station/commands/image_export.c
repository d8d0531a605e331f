/*
 * image_export.c - runs of areas to files.
 */
#include "station/commands/image_export.h"

#include "crypto/firmware_write.h"
#include "crypto/key_areas.h"
#include "scheduler/file.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#define SECRET_MODE   0600u
#define SECRET_FOLDER 0700u

static bool ends_with(const char *text, const char *ending)
{
        size_t length = strlen(text), tail = strlen(ending);

        return length > tail && strcasecmp(text + length - tail, ending) == 0;
}

static int by_address(const void *a, const void *b)
{
        const struct firmware_piece *one = a, *other = b;

        return (one->address > other->address) - (one->address < other->address);
}

/* --- one file ------------------------------------------------------------------------------ */

static size_t gather_firmware(const struct image_runs *runs, struct firmware_piece *pieces)
{
        size_t count = 0;

        for (size_t i = 0; i < runs->count; i++)
                if (runs->runs[i].type == SFI_FIRMWARE || runs->runs[i].type == SFI_EXTERNAL)
                        pieces[count++] = (struct firmware_piece){ runs->runs[i].address,
                                                                   runs->runs[i].data.data,
                                                                   runs->runs[i].data.length };
        qsort(pieces, count, sizeof(*pieces), by_address);
        return count;
}

static int export_firmware(const struct image_runs *runs, const char *output)
{
        struct firmware_piece *pieces = calloc(runs->count + 1, sizeof(*pieces));
        struct bytes file CLEANUP(bytes_wipe_free) = { 0 };
        size_t count;
        int r = 0;

        INSIST(pieces);
        count = gather_firmware(runs, pieces);
        if (!count)
                r = fault(FAULT_BAD_VALUE, "the image has no firmware to write");
        else if (ends_with(output, ".elf"))
                r = firmware_write_elf(pieces, count, &file);
        else
                file = firmware_write_hex(pieces, count);
        free(pieces);
        return r < 0 ? r : file_write(output, file.data, file.length, SECRET_MODE);
}

/* --- a folder ------------------------------------------------------------------------------ */

/* Text of rows, given; at most what `capacity` asks for. */
struct text {
        struct bytes bytes;
        size_t capacity;
};

static struct text text_new(size_t capacity)
{
        struct text text = { .bytes = bytes_new(capacity), .capacity = capacity };

        text.bytes.length = 0;
        return text;
}

static void PRINTF_LIKE(2, 3) put(struct text *text, const char *format, ...)
{
        size_t room = text->capacity + 1 - text->bytes.length;
        va_list values;
        int length;

        va_start(values, format);
        length = vsnprintf((char *)text->bytes.data + text->bytes.length, room, format, values);
        va_end(values);
        INSIST(length >= 0 && (size_t)length < room);
        text->bytes.length += (size_t)length;
}

static int export_options(const struct image_run *run, const struct family *family,
                          const char *path)
{
        size_t count = run->data.length / 4;
        struct text text = text_new(40 * count);
        char name[24];
        int r;

        for (size_t i = 0; i < count; i++)
                put(&text, "%s,0x%08X\n", area_row_name(family, count, i, name),
                    load_le32(run->data.data + 4 * i));
        r = file_write(path, text.bytes.data, text.bytes.length, SECRET_MODE);
        bytes_free(&text.bytes);
        return r;
}

static int export_keys(const struct image_run *run, const char *path)
{
        size_t count = run->data.length / KEY_AREA_ENTRY_LENGTH;
        struct text text = text_new(32 * count);
        int r;

        for (size_t i = 0; i < count; i++)
                put(&text, "0x%08X, 0x%08X\n",
                    load_le32(run->data.data + KEY_AREA_ENTRY_LENGTH * i),
                    load_le32(run->data.data + KEY_AREA_ENTRY_LENGTH * i + 4));
        r = file_write(path, text.bytes.data, text.bytes.length, SECRET_MODE);
        bytes_free(&text.bytes);
        return r;
}

static int export_run(const struct image_run *run, size_t number, const struct family *family,
                      const char *folder)
{
        char path[512],
                type = run->type > 0x20 && run->type < 0x7F && run->type != '/' ? run->type : '_';
        const char *ending = run->type == SFI_CONFIGURATION          ? "csv"
                             : run->type == SFI_KEYS                 ? "kcsv"
                             : run->type == SFI_OPTION_KEY_REFERENCE ? "obk"
                             : run->type == SFI_SSFI_REFERENCE       ? "ssfi"
                                                                     : "bin";

        if (snprintf(path, sizeof(path), "%s/%02zu-%c-0x%08X.%s", folder, number, type,
                     run->address, ending) >= (int)sizeof(path))
                return fault(FAULT_BAD_VALUE, "the path %.80s... is too long", folder);
        if (run->type == SFI_CONFIGURATION && run->data.length % 4 == 0)
                return export_options(run, family, path);
        if (run->type == SFI_KEYS && run->data.length % KEY_AREA_ENTRY_LENGTH == 0)
                return export_keys(run, path);
        return file_write(path, run->data.data, run->data.length, SECRET_MODE);
}

static int export_folder(const struct image_runs *runs, const struct family *family,
                         const char *folder)
{
        int r = 0;

        if (mkdir(folder, SECRET_FOLDER) < 0 && errno != EEXIST)
                return fault_errno(errno, "the folder %s cannot be made", folder);
        for (size_t i = 0; i < runs->count && r >= 0; i++)
                r = export_run(&runs->runs[i], i + 1, family, folder);
        return r;
}

int image_export(const struct opened_image *image, const struct family *family, const char *output)
{
        struct image_runs runs = image_runs_make(image);
        int r;

        if (ends_with(output, ".hex") || ends_with(output, ".elf"))
                r = export_firmware(&runs, output);
        else
                r = export_folder(&runs, family, output);
        image_runs_free(&runs);
        return r;
}
