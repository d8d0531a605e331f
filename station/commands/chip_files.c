#include "station/commands/chip_files.h"

#include "scheduler/file.h"
#include "station/order.h"
#include "station/text.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CERTIFICATE_SUFFIX   ".certificate.bin"
#define LICENSE_SUFFIX       ".license.bin"
#define CERTIFICATE_FILE_MAX 4096u /* a longer one is told by its length */

static char *copy_text(const char *text)
{
        char *copy = strdup(text);

        INSIST(copy);
        return copy;
}

/* Both are copied; `license` may be NULL. */
static int add(struct chip_files *files, const char *certificate, const char *license)
{
        struct chip_file *row;

        if (files->count == CHIP_FILES_MAX)
                return fault(FAULT_TOO_LARGE, "more than %u chips at once", CHIP_FILES_MAX);
        if (files->count == files->capacity) {
                files->capacity = files->capacity ? 2 * files->capacity : 16;
                files->rows = realloc(files->rows, files->capacity * sizeof(*files->rows));
                INSIST(files->rows);
        }
        row = &files->rows[files->count++];
        row->certificate = copy_text(certificate);
        row->license = license ? copy_text(license) : NULL;
        return 0;
}

/* --- a directory --------------------------------------------------------------------------- */

static int is_certificate(const struct dirent *entry)
{
        size_t length = strlen(entry->d_name), suffix = strlen(CERTIFICATE_SUFFIX);

        return entry->d_name[0] != '.' && length > suffix &&
               strcmp(entry->d_name + length - suffix, CERTIFICATE_SUFFIX) == 0;
}

static int add_entry(struct chip_files *files, const char *directory, const char *name,
                     bool has_licenses)
{
        int stem = (int)(strlen(name) - strlen(CERTIFICATE_SUFFIX)), r;
        char *certificate, *license = NULL;

        INSIST(asprintf(&certificate, "%s/%s", directory, name) > 0);
        if (has_licenses)
                INSIST(asprintf(&license, "%s/%.*s" LICENSE_SUFFIX, directory, stem, name) > 0);
        r = add(files, certificate, license);
        free(certificate);
        free(license);
        return r;
}

/* Every chip by its name; whether its license is there is seen when it is read. */
static int add_directory(struct chip_files *files, const char *directory, bool has_licenses)
{
        struct dirent **entries;
        int count = scandir(directory, &entries, is_certificate, alphasort), r = 0;

        if (count < 0)
                return fault_errno(errno, "%s", directory);
        if (count == 0)
                r = fault(FAULT_NOT_FOUND, "there is no NAME%s in %s", CERTIFICATE_SUFFIX,
                          directory);
        for (int i = 0; i < count; i++) {
                if (r >= 0)
                        r = add_entry(files, directory, entries[i]->d_name, has_licenses);
                free(entries[i]);
        }
        free(entries);
        return r;
}

int chip_certificate_read(const char *path, const char *product_id,
                          struct certificate *ret_certificate)
{
        struct bytes bytes CLEANUP(bytes_free) = { 0 };
        int r = file_read(path, CERTIFICATE_FILE_MAX, &bytes);

        if (r < 0)
                return r;
        return fault_prefix(
                certificate_parse(bytes.data, bytes.length, product_id, ret_certificate), "%s",
                path);
}

/* --- what for ------------------------------------------------------------------------------ */

static int check_purpose(struct chip_purpose *purpose)
{
        static const char *const types[] = { "SFI", "SFIA", "SMU", "SSP" };
        bool is_type = false;

        if (!purpose->type)
                purpose->type = "SFI";
        if (!purpose->order)
                purpose->order = "";
        if (!purpose->firmware_id || !text_is_ascii(purpose->firmware_id, 33))
                return fault(FAULT_BAD_VALUE,
                             "--firmware-id is \"%.40s\", wanted 1 to 32 characters, as the card "
                             "holds it",
                             purpose->firmware_id ? purpose->firmware_id : "");
        if (purpose->order[0] && !text_is_name(purpose->order, ORDER_ID_MAX + 1))
                return fault(FAULT_BAD_VALUE, "--lot is \"%.70s\", which is no name of an order",
                             purpose->order);
        for (size_t i = 0; i < LENGTH_OF(types); i++)
                is_type = is_type || strcmp(purpose->type, types[i]) == 0;
        if (!is_type)
                return fault(FAULT_BAD_VALUE, "--type is \"%.20s\", wanted SFI, SFIA, SMU or SSP",
                             purpose->type);
        return 0;
}

/* --- all of it ----------------------------------------------------------------------------- */

static int take_directory(void *context, struct options *options)
{
        struct chip_request *request = context;

        return add_directory(&request->files, options->value, request->has_licenses);
}

static int take_chip(void *context, struct options *options)
{
        struct chip_request *request = context;
        const char *certificate = options->value;
        const char *license = request->has_licenses ? options_take_word(options) : NULL;
        int r;

        if (request->has_licenses && !license)
                return fault(FAULT_BAD_VALUE,
                             "%.80s has no license behind it; files come in pairs: CERTIFICATE "
                             "LICENSE",
                             certificate);
        r = add(&request->files, certificate, license);
        return r < 0 ? r : 1;
}

int chip_request_read(int argc, char **argv, struct chip_request *request)
{
        const struct argument arguments[] = {
                { .take = take_chip, .context = request },
                { "directory", "d", .take = take_directory, .context = request,
                  .is_repeatable = true },
                { "firmware-id", .text = &request->purpose.firmware_id },
                { "type", .text = &request->purpose.type },
                { "lot", .text = &request->purpose.order },
                { "station", .text = &request->station_file },
                { "json", .flag = &request->is_json },
        };
        int r = options_read(argc, argv, arguments, LENGTH_OF(arguments));

        if (r >= 0 && !request->files.count)
                return fault(FAULT_BAD_VALUE, "no chip given: CERTIFICATE%s ... or --directory",
                             request->has_licenses ? " LICENSE" : "");
        return r < 0 ? r : check_purpose(&request->purpose);
}

void chip_request_release(struct chip_request *request)
{
        for (size_t i = 0; i < request->files.count; i++) {
                free(request->files.rows[i].certificate);
                free(request->files.rows[i].license);
        }
        free(request->files.rows);
        request->files = (struct chip_files){ 0 };
}
