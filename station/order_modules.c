/*
 * The list of modules an order names for the vendor's tool: read once with the order, and every file it
 * names with it, so that each unit gets what was there then.
 *
 * The tool takes at the install the list that the image was made with (AN5054 section 13.3.4). Where a
 * row names a card, the tool would take a license off that card itself, and no book of ours could say
 * whether it came: such a row gets a license from our own ledger instead, as a file.
 */
#include "crypto/modules.h"
#include "drivers/family.h"
#include "scheduler/file.h"
#include "station/order.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODULES_BYTES_MAX ((size_t)64 << 20) /* of all modules: they stay in memory with the lot */
#define LICENSE_FILE_MAX  4096u
#define REMEDY_ROW        "correct the list, or name another in module_list"

struct reading {
        const struct order *order;
        struct module_files *files;
        size_t length;   /* of all modules so far */
        unsigned wanted; /* entries of order.modules that rows have named so far */
        struct order_error *error;
};

static const char *base_name(const char *path)
{
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

static int refuse(const struct reading *reading, int result, const char *remedy)
{
        char sentence[256];

        snprintf(sentence, sizeof(sentence), "%s", fault_sentence(result));
        return order_refuse(reading->error, (enum fault)(-result), reading->order->list_line,
                            remedy, "%s", sentence);
}

static int refuse_row(const struct reading *reading, const struct module_row *row,
                      const char *sentence)
{
        return order_refuse(reading->error, FAULT_BAD_VALUE, reading->order->list_line, REMEDY_ROW,
                            "%.60s line %u: %s", base_name(reading->order->module_list), row->line,
                            sentence);
}

/* Paths are relative to the list, and may climb: ST's own script writes "./../Binary/..." (spec
 * secure-install.md section 11). */
static int read_beside(const struct reading *reading, const char *name, size_t most,
                       struct bytes *ret_file)
{
        const char *list = reading->order->module_list;
        char path[sizeof(reading->order->module_list) + MODULE_TEXT_MAX];
        int directory = name[0] == '/' ? 0 : (int)(base_name(list) - list);

        snprintf(path, sizeof(path), "%.*s%s", directory, list, name);
        return file_read(path, most, ret_file);
}

static void keep_ending(const char *path, char *ending, size_t capacity)
{
        const char *dot = strrchr(base_name(path), '.');

        if (dot && strlen(dot) < capacity)
                strcpy(ending, dot);
}

/* The next entry of modules, or a file. */
static int load_row_license(struct reading *reading, const struct module_row *row,
                            struct module_file *file)
{
        const struct order *order = reading->order;
        int r;

        if (!row->license[0])
                return refuse_row(reading, row, "the license column is empty");
        if (reading->wanted < order->module_count &&
            strcmp(order->modules[reading->wanted].firmware_id, row->license) == 0) {
                file->wanted = reading->wanted++;
                return 0;
        }
        r = read_beside(reading, row->license, LICENSE_FILE_MAX, &file->license);
        if (r == -FAULT_NOT_FOUND)
                return refuse_row(reading, row,
                                  "the license column names no file, nor the firmware_id of the "
                                  "next entry of modules");
        if (r < 0)
                return refuse(reading, r, REMEDY_ROW);
        return file->license.length ? 0 : refuse_row(reading, row, "the license file is empty");
}

static int load_row(struct reading *reading, const struct module_row *row)
{
        struct module_file *file = &reading->files->files[reading->files->count++];
        int r;

        file->address = row->address;
        keep_ending(row->path, file->ending, sizeof(file->ending));
        r = read_beside(reading, row->path, MODULE_FILE_MAX, &file->module);
        if (r < 0)
                return refuse(reading, r, REMEDY_ROW);
        reading->length += file->module.length;
        if (reading->length > MODULES_BYTES_MAX)
                return refuse_row(reading, row, "the modules have more than 64 MiB together");
        return load_row_license(reading, row, file);
}

static int load_rows(struct reading *reading, const struct modules *rows)
{
        const struct order *order = reading->order;
        int r = 0;

        for (size_t i = 0; i < rows->count && r >= 0; i++)
                r = load_row(reading, &rows->rows[i]);
        if (r >= 0 && reading->wanted < order->module_count)
                return order_refuse(
                        reading->error, FAULT_BAD_VALUE, order->modules[reading->wanted].line,
                        "name only the modules whose rows carry a firmware identifier, "
                        "in the order of the rows",
                        "no further row of %.60s has the license of %s",
                        base_name(order->module_list), order->modules[reading->wanted].firmware_id);
        return r;
}

/* How ST packs modules of today is not public, so an image may show none; what it shows must agree. */
static int check_areas(const struct reading *reading, const struct modules *rows,
                       const struct family *family, const struct sfi *sfi)
{
        size_t count = 0;

        for (unsigned i = 0; i < sfi->count; i++) {
                const struct sfi_area *area = &sfi->areas[i];

                if (area->type != SFI_MODULE)
                        continue;
                if (count < rows->count &&
                    family_plain_address(family, area->address) !=
                            family_plain_address(family, rows->rows[count].address))
                        return refuse_row(reading, &rows->rows[count],
                                          "the image has that module at another address");
                count++;
        }
        if (count == 0 || count == rows->count)
                return 0;
        return order_refuse(reading->error, FAULT_BAD_VALUE, reading->order->list_line,
                            "name the list the image was made with",
                            "the image has %zu modules, %.60s has %zu", count,
                            base_name(reading->order->module_list), rows->count);
}

static int load_list(struct reading *reading, const struct family *family, const struct sfi *sfi)
{
        CLEANUP(bytes_free) struct bytes file = { 0 };
        CLEANUP(modules_free) struct modules rows = { 0 };
        const char *list = reading->order->module_list;
        int r = file_read(list, MODULES_FILE_MAX, &file);

        if (r >= 0)
                r = modules_parse(base_name(list), file.data, file.length, &rows);
        if (r < 0)
                return refuse(reading, r,
                              "copy the list there before the order, or correct module_list");
        reading->files->files = calloc(rows.count + 1, sizeof(*reading->files->files));
        INSIST(reading->files->files);
        r = check_areas(reading, &rows, family, sfi);
        return r < 0 ? r : load_rows(reading, &rows);
}

/* Without a list: then nothing may ask for one. */
static int check_none(const struct order *order, const struct sfi *sfi,
                      struct order_error *ret_error)
{
        unsigned count = 0;

        for (unsigned i = 0; i < sfi->count; i++)
                count += sfi->areas[i].type == SFI_MODULE;
        if (count == 0 && order->module_count == 0)
                return 0;
        return order_refuse(ret_error, FAULT_BAD_VALUE,
                            order->module_count ? order->modules[0].line : order->file_line,
                            "name the list the image was made with (.mcsv) in module_list",
                            "the vendor's tool takes modules by a list; the image has %u modules, "
                            "the order wants %u, and no list is named",
                            count, order->module_count);
}

int order_load_modules(const struct order *order, const struct family *family,
                       const struct rss_profile *rss, const struct sfi *sfi,
                       struct module_files *ret_modules, struct order_error *ret_error)
{
        CLEANUP(module_files_free) struct module_files files = { 0 };
        struct reading reading = { .order = order, .files = &files, .error = ret_error };
        int r;

        *ret_modules = (struct module_files){ 0 };
        if (rss && order->module_list[0])
                return order_refuse(ret_error, FAULT_BAD_VALUE, order->list_line,
                                    "leave module_list out, or install with installer = \"vendor\"",
                                    "a list of modules is for the vendor's tool");
        if (rss)
                return 0;
        if (!order->module_list[0])
                return check_none(order, sfi, ret_error);
        if (family->sequence != FAMILY_H5)
                return order_refuse(ret_error, FAULT_BAD_VALUE, order->list_line,
                                    "leave module_list out",
                                    "%s takes no list of modules: AN5054 section 13 shows one for "
                                    "STM32H5 only",
                                    family->name);
        r = load_list(&reading, family, sfi);
        if (r < 0)
                return r;
        *ret_modules = files;
        files = (struct module_files){ 0 };
        return 0;
}

void module_files_free(struct module_files *modules)
{
        for (size_t i = 0; i < modules->count; i++) {
                bytes_free(&modules->files[i].module);
                bytes_wipe_free(&modules->files[i].license);
        }
        free(modules->files);
        *modules = (struct module_files){ 0 };
}
