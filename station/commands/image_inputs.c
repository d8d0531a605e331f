/*
 * image_inputs.c - every kind of file `sfi create` takes, one function each.
 */
#include "station/commands/image_inputs.h"

#include "crypto/modules.h"
#include "crypto/obk.h"
#include "crypto/option_bytes.h"
#include "crypto/sfi.h"
#include "crypto/smi.h"
#include "scheduler/file.h"
#include "station/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPTION_FILE_MAX (64u << 10)
#define SSFI_FILE_MAX   (8u << 20)
#define REGIONS         8u /* numbers 0 to 7: AN5054 section 2.5.1 */
#define MODES           4u

struct image_inputs *image_inputs_create(void)
{
        struct image_inputs *inputs = calloc(1, sizeof(*inputs));

        INSIST(inputs);
        return inputs;
}

void image_inputs_free(struct image_inputs **inputs)
{
        if (!*inputs)
                return;
        firmware_free(&(*inputs)->firmware);
        for (size_t i = 0; i < (*inputs)->external_count; i++)
                firmware_free(&(*inputs)->externals[i].firmware);
        for (size_t i = 0; i < (*inputs)->blob_count; i++)
                bytes_wipe_free(&(*inputs)->blobs[i].data);
        bytes_free(&(*inputs)->options);
        free(*inputs);
        *inputs = NULL;
}

/* --- firmware ------------------------------------------------------------------------------ */

static int read_firmware(struct firmware *firmware, const char *path, bool has_address,
                         uint32_t address)
{
        struct bytes file CLEANUP(bytes_wipe_free) = { 0 };
        int r = file_read(path, FIRMWARE_FILE_MAX, &file);

        if (r < 0)
                return r;
        if (firmware_form(file.data, file.length) == FIRMWARE_BIN && !has_address)
                return fault(FAULT_BAD_VALUE,
                             "%s is neither ELF nor HEX nor S-record, so it is BIN: give its "
                             "address after it",
                             path);
        return firmware_take(firmware, path, &file, address);
}

int image_inputs_firmware(struct image_inputs *inputs, const char *path, bool has_address,
                          uint32_t address)
{
        return read_firmware(&inputs->firmware, path, has_address, address);
}

static int is_bin(const char *path, bool *ret_is_bin)
{
        struct bytes file CLEANUP(bytes_wipe_free) = { 0 };
        int r = file_read(path, FIRMWARE_FILE_MAX, &file);

        if (r < 0)
                return r;
        *ret_is_bin = firmware_form(file.data, file.length) == FIRMWARE_BIN;
        return 0;
}

int image_inputs_external(struct image_inputs *inputs, const char *path, const uint32_t *numbers,
                          size_t count)
{
        struct image_external *external = &inputs->externals[inputs->external_count];
        bool bin;
        int r;

        if (inputs->external_count == IMAGE_EXTERNALS_MAX)
                return fault(FAULT_BAD_VALUE, "more than %u external firmware files",
                             IMAGE_EXTERNALS_MAX);
        r = is_bin(path, &bin);
        if (r < 0)
                return r;
        if (bin ? count != 4 : count != 3 && count != 4)
                return fault(FAULT_BAD_VALUE,
                             "%s has %zu numbers after it, wanted %sregion, mode and key address",
                             path, count, bin ? "address, " : "");
        *external = (struct image_external){
                .path = path,
                .region = numbers[count - 3],
                .mode = numbers[count - 2],
                .key_address = numbers[count - 1],
        };
        if (external->region >= REGIONS)
                return fault(FAULT_BAD_VALUE, "%s: the region is %u, wanted 0 to %u", path,
                             external->region, REGIONS - 1);
        if (external->mode >= MODES)
                return fault(FAULT_BAD_VALUE,
                             "%s: the region mode is %u, wanted 0 instructions, 1 data, 2 both, 3 "
                             "instructions with ST's enhanced cipher",
                             path, external->mode);
        inputs->external_count++;
        return read_firmware(&external->firmware, path, true, numbers[0]);
}

int image_inputs_keys(struct image_inputs *inputs, const char *path)
{
        struct bytes file CLEANUP(bytes_free) = { 0 };
        int r = file_read(path, KEY_AREAS_FILE_MAX, &file);

        if (r < 0)
                return r;
        inputs->key_file = path;
        return key_areas_parse(path, file.data, file.length, &inputs->key_areas);
}

/* --- verbatim ------------------------------------------------------------------------------ */

static int add_blob(struct image_inputs *inputs, char type, const char *path, size_t limit,
                    struct image_blob **ret_blob)
{
        struct image_blob *blob = &inputs->blobs[inputs->blob_count];
        int r;

        if (inputs->blob_count == IMAGE_BLOBS_MAX)
                return fault(FAULT_BAD_VALUE, "more than %u modules, .obk and .ssfi files",
                             IMAGE_BLOBS_MAX);
        *blob = (struct image_blob){ .type = type };
        snprintf(blob->path, sizeof(blob->path), "%s", path);
        r = file_read(path, limit, &blob->data);
        if (r < 0)
                return r;
        inputs->blob_count++;
        if (!blob->data.length)
                return fault(FAULT_BAD_FILE, "%s is empty", path);
        *ret_blob = blob;
        return 0;
}

/* An .smi tells its own destination, and how much flash its code takes. */
static int take_smi(struct image_blob *blob, bool has_address, uint32_t address)
{
        struct smi smi;
        int r = smi_parse(blob->path, blob->data.data, blob->data.length, &smi);

        if (r < 0)
                return r;
        if (has_address && address != smi.destination)
                return fault(FAULT_BAD_VALUE,
                             "%s is given for 0x%08X, its own header says 0x%08X: leave the "
                             "address away",
                             blob->path, address, smi.destination);
        blob->address = smi.destination;
        blob->span = smi.code_length;
        return 0;
}

int image_inputs_module(struct image_inputs *inputs, const char *path, bool has_address,
                        uint32_t address)
{
        struct image_blob *blob;
        int r = add_blob(inputs, SFI_MODULE, path, MODULE_FILE_MAX, &blob);

        if (r < 0)
                return r;
        if (module_is_smi(blob->data.data, blob->data.length))
                return take_smi(blob, has_address, address);
        if (!has_address)
                return fault(FAULT_BAD_VALUE,
                             "%s is no .smi, so its destination is not in it: give its address "
                             "after it",
                             path);
        blob->address = address;
        blob->span = (uint32_t)blob->data.length;
        return 0;
}

int image_inputs_modules(struct image_inputs *inputs, const char *path)
{
        CLEANUP(modules_free) struct modules modules = { 0 };
        struct bytes file CLEANUP(bytes_free) = { 0 };
        char folder[256] = ".";
        const char *slash = strrchr(path, '/');
        int r = file_read(path, MODULES_FILE_MAX, &file);

        if (r >= 0)
                r = modules_parse(path, file.data, file.length, &modules);
        if (r < 0)
                return r;
        if (slash && snprintf(folder, sizeof(folder), "%.*s",
                              slash == path ? 1 : (int)(slash - path), path) >= (int)sizeof(folder))
                return fault(FAULT_BAD_VALUE, "the path %.80s... is too long", path);
        for (size_t i = 0; i < modules.count && r >= 0; i++) {
                const struct module_row *row = &modules.rows[i];
                char full[256];

                if (!text_resolve(folder, row->path, full, sizeof(full)))
                        return fault(FAULT_BAD_FILE, "%s line %u: the module path is too long",
                                     path, row->line);
                r = image_inputs_module(inputs, full, true, row->address);
                if (r < 0)
                        r = fault_prefix(r, "%s line %u", path, row->line);
        }
        return r;
}

/* The layout inside an SFI image is not public (spec/secure-install.md 2.5): see sfi.h. */
int image_inputs_option_key(struct image_inputs *inputs, const struct family *family,
                            const char *path)
{
        const struct family_range *range = &family->option_keys;
        struct image_blob *blob;
        struct obk obk;
        int r = add_blob(inputs, SFI_OPTION_KEY_REFERENCE, path, OBK_FILE_MAX, &blob);

        if (r >= 0)
                r = obk_parse(path, blob->data.data, blob->data.length, &obk);
        if (r < 0)
                return r;
        if (range->length &&
            (obk.destination < range->address || obk.destination - range->address >= range->length))
                return fault(FAULT_BAD_VALUE,
                             "%s is for 0x%08X, the OB-keys of %s lie at 0x%08X..0x%08X: is it of "
                             "another family?",
                             path, obk.destination, family->name, range->address,
                             range->address + range->length - 1);
        if (!family->has_lock_out)
                return fault(FAULT_BAD_VALUE, "%s: %s takes no .obk files", path, family->name);
        blob->address = obk.destination;
        return 0;
}

int image_inputs_ssfi(struct image_inputs *inputs, const char *path)
{
        struct image_blob *blob;

        return add_blob(inputs, SFI_SSFI_REFERENCE, path, SSFI_FILE_MAX, &blob);
}

/* --- option bytes -------------------------------------------------------------------------- */

/* Names and order are checked where they are public, the number where that is (targets.md 6.5). */
static int check_rows(const struct family *family, const char *path,
                      const struct option_bytes *rows)
{
        const char *wanted[OPTION_ROWS_MAX];
        int r;

        for (size_t i = 0; i < family->option_count; i++)
                wanted[i] = family->options[i].name;
        switch (family->option_rows) {
        case FAMILY_ROWS_PUBLISHED:
                r = option_bytes_check(rows, wanted, family->option_count);
                return r < 0 ? fault_prefix(r, "%s", path) : 0;
        case FAMILY_ROWS_COUNTED:
                if (rows->count != family->option_count)
                        return fault(FAULT_BAD_VALUE,
                                     "%s has %zu rows, %s wants %zu: start from "
                                     "the family's example and change values only",
                                     path, rows->count, family->name, family->option_count);
                break;
        case FAMILY_ROWS_REFERENCE:
                if (rows->count != family->option_count)
                        fprintf(stderr,
                                "warning: %s has %zu rows, the reference for %s has %zu; the "
                                "true number is not public\n",
                                path, rows->count, family->name, family->option_count);
                break;
        }
        if (option_bytes_check(rows, wanted, family->option_count) < 0)
                fprintf(stderr,
                        "warning: the rows of %s are not named as in the reference for %s; they "
                        "are taken in their order\n",
                        path, family->name);
        return 0;
}

int image_inputs_options(struct image_inputs *inputs, const struct family *family, const char *path)
{
        struct bytes file CLEANUP(bytes_free) = { 0 };
        struct option_bytes rows;
        int r = file_read(path, OPTION_FILE_MAX, &file);

        if (r >= 0)
                r = option_bytes_parse(path, file.data, file.length, &rows);
        if (r >= 0)
                r = check_rows(family, path, &rows);
        if (r < 0)
                return r;
        inputs->options = bytes_new(4 * rows.count);
        for (size_t i = 0; i < rows.count; i++)
                store_le32(inputs->options.data + 4 * i, rows.rows[i].value);
        return 0;
}
