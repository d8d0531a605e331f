/*
 * The image an order names, checked as far as a file can be before a board is touched.
 *
 * Digest first: a wrong file should be called the wrong file, not a broken one. Then the image is
 * taken apart, and every area is held against the family (where flash is, how many option rows,
 * how much RAM takes one part) and against what this station installs. Tags are left to the target:
 * the key is in the cards and in the part, never here.
 */
#include "crypto/digest.h"
#include "drivers/family.h"
#include "drivers/rss.h"
#include "scheduler/file.h"
#include "scheduler/workers.h"
#include "station/order.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REMEDY_RESEAL "seal the image for this family, or correct family"

struct check {
        const struct order *order;
        const struct family *family;
        const struct rss_profile *rss; /* NULL: the vendor's tool installs */
        const struct sfi *sfi;
        struct order_error *error;
};

static const char *file_name(const struct order *order)
{
        const char *slash = strrchr(order->image_file, '/');

        return slash ? slash + 1 : order->image_file;
}

/* Pass on a fault of a lower room, with the order's line. */
static int refuse_fault(const struct order *order, int result, const char *remedy,
                        struct order_error *ret_error)
{
        char sentence[256];

        snprintf(sentence, sizeof(sentence), "%s", fault_sentence(result));
        return order_refuse(ret_error, (enum fault) - result, order->file_line, remedy, "%s",
                            sentence);
}

static int read_image(const struct order *order, struct bytes *ret_file,
                      struct order_error *ret_error)
{
        int r;

        r = file_read(order->image_file, SFI_FILE_MAX, ret_file);
        if (r == -FAULT_NOT_FOUND)
                return refuse_fault(order, r,
                                    "copy the image there before the order, or correct image.file",
                                    ret_error);
        if (r == -FAULT_TOO_LARGE)
                return refuse_fault(order, r, "name the .sfi image in image.file", ret_error);
        if (r < 0)
                return refuse_fault(order, r, "make it a readable regular file", ret_error);
        return 0;
}

static int check_digest(const struct order *order, const struct bytes *file,
                        struct order_error *ret_error)
{
        uint8_t digest[DIGEST_LENGTH];
        char found[2 * DIGEST_LENGTH + 1];

        digest_sha256(file->data, file->length, digest);
        if (!memcmp(digest, order->image_digest, sizeof(digest)))
                return 0;
        hex_encode(digest, sizeof(digest), found);
        return order_refuse(ret_error, FAULT_BAD_TAG, order->digest_line,
                            "deliver the file the order means, complete, or correct image.sha256",
                            "the SHA-256 of %.100s (%zu bytes) is %s, not what image.sha256 says",
                            file_name(order), file->length, found);
}

static int refuse_area(const struct check *check, const struct sfi_area *area, const char *remedy,
                       const char *sentence)
{
        return order_refuse(check->error, FAULT_BAD_VALUE, check->order->file_line, remedy,
                            "area %u of %.100s, type %c, %u bytes at 0x%08X: %s", area->index,
                            file_name(check->order),
                            area->type >= 'A' && area->type <= 'Z' ? area->type : '?', area->length,
                            area->address, sentence);
}

/* Every byte of the range lies in a flash bank; banks may follow each other. */
static bool is_in_flash(const struct family *family, uint64_t address, uint64_t length)
{
        bool has_moved = true;
        uint64_t end;

        address = family_plain_address(family, (uint32_t)address);
        end = address + length;
        while (address < end && has_moved) {
                has_moved = false;
                for (unsigned i = 0; i < family->banks; i++) {
                        uint64_t start = family->bank_address[i];

                        if (address >= start && address - start < family->bank_length) {
                                address = start + family->bank_length;
                                has_moved = true;
                        }
                }
        }
        return address >= end;
}

static int check_firmware(const struct check *check, const struct sfi_area *area)
{
        const struct sfi *sfi = check->sfi;
        const struct family *family = check->family;
        uint64_t at = family_plain_address(family, area->address); /* one of two names */

        if (!area->length)
                return refuse_area(check, area, "seal the image again", "it is empty");
        if (!is_in_flash(family, at, area->length))
                return refuse_area(check, area, REMEDY_RESEAL,
                                   "its destination is not in the flash of this family");
        if (family->word_length && at % family->word_length)
                return refuse_area(check, area, REMEDY_RESEAL,
                                   "its destination is not on a flash word of this family");
        /* overlap of any two segments is an error: AN5054 section 2.2 */
        for (const struct sfi_area *other = sfi->areas; other < area; other++) {
                uint64_t begin = family_plain_address(family, other->address);

                if ((other->type == SFI_FIRMWARE || other->type == SFI_MODULE) &&
                    at < begin + other->length && begin < at + area->length)
                        return refuse_area(check, area, "seal the image again without overlaps",
                                           "it overlaps an earlier area");
        }
        return 0;
}

static int check_configuration(const struct check *check, const struct sfi_area *area)
{
        char sentence[96];
        size_t wanted = 4 * check->family->option_count; /* one word a row: AN5054 2.5.1 */

        /* where the rows are a reference of ours, nobody knows how many an image for silicon has */
        bool is_known = check->rss || check->family->option_rows != FAMILY_ROWS_REFERENCE;

        if (area->length != wanted && is_known) {
                snprintf(sentence, sizeof(sentence), "the option bytes of this family are %zu",
                         wanted);
                return refuse_area(check, area, REMEDY_RESEAL, sentence);
        }
        for (const struct sfi_area *other = check->sfi->areas; other < area; other++)
                if (other->type == SFI_CONFIGURATION)
                        return refuse_area(check, area, "seal the image with one option-byte file",
                                           "there is an option-byte area already");
        return 0;
}

/* Files for the key store and ST's own images go to parts with product states (AN5054 9.3.2, 10.3.2). */
static int check_file(const struct check *check, const struct sfi_area *area)
{
        const struct family_range *keys = &check->family->option_keys;

        if (check->family->procedure != PROCEDURE_STATE)
                return refuse_area(check, area, REMEDY_RESEAL, "this family takes no such files");
        if (area->type == SFI_OPTION_KEY_REFERENCE && keys->length &&
            area->address - keys->address >= keys->length)
                return refuse_area(check, area, "make the .obk for this family",
                                   "its destination is not in the option keys of this family");
        return 0;
}

/* Region, mode and key address are enciphered: the part judges them (secure-install.md 6.1). */
static int check_external(const struct check *check, const struct sfi_area *area)
{
        const struct family_external *external;

        if (area->length <= SFI_EXTERNAL_PREFIX_LENGTH)
                return refuse_area(check, area, "seal the image again", "it is empty");
        external = family_external_at(check->family, area->address,
                                      area->length - SFI_EXTERNAL_PREFIX_LENGTH);
        if (!external || !external->regions || !check->family->otfdec_registers)
                return refuse_area(check, area, REMEDY_RESEAL,
                                   "its destination is not external memory that this family can "
                                   "decipher");
        return 0;
}

static int check_area(const struct check *check, const struct sfi_area *area)
{
        switch (area->type) {
        case SFI_FIRMWARE:
        case SFI_MODULE: /* destination and payload are the module's: secure-install.md section 5 */
                return check_firmware(check, area);
        case SFI_CONFIGURATION:
                return check_configuration(check, area);
        case SFI_PAUSE:
        case SFI_RESUME:
                return 0;
        case SFI_EXTERNAL:
                return check_external(check, area);
        case SFI_KEYS: /* of the OTFDEC, or for the key store: AN5054 12.3.2 */
                return check->family->procedure == PROCEDURE_STATE ||
                                       (check->family->procedure == PROCEDURE_RSSE &&
                                        check->family->otfdec_registers)
                               ? 0
                               : refuse_area(check, area, "seal an image without a key area",
                                             "random keys are not installed on this family");
        case SFI_OPTION_KEY_REFERENCE:
        case SFI_SSFI_REFERENCE:
                return check_file(check, area);
        default: /* letters from outside: any byte */
                return refuse_area(check, area, "seal the image with areas F, C, M, E, K, P and R",
                                   "its type is unknown, so it is not installed");
        }
}

/* Each module takes a license of its own, in the order of the areas. */
static int check_modules(const struct check *check)
{
        const struct order *order = check->order;
        unsigned count = 0;

        if (!check->rss)
                return 0; /* order_load_modules() */
        for (unsigned i = 0; i < check->sfi->count; i++)
                count += check->sfi->areas[i].type == SFI_MODULE;
        if (count == order->module_count)
                return 0;
        return order_refuse(check->error, FAULT_BAD_VALUE,
                            order->module_count ? order->modules[0].line : order->file_line,
                            "name each module of the image below modules, in its order",
                            "%.100s holds %u modules and the order names %u", file_name(order),
                            count, order->module_count);
}

static void free_parts(struct sfi_part **parts)
{
        free(*parts);
}

/* image_ram 0 is not public: then what the profile has room for decides. */
static uint32_t room_of(const struct check *check)
{
        uint32_t ram = check->family->image_ram ? check->family->image_ram : UINT32_MAX;

        return check->rss && check->rss->areas_capacity < ram ? check->rss->areas_capacity : ram;
}

/* Each part must fit the RAM that takes it and the place the RSS reads it from. */
static int check_parts(const struct check *check)
{
        CLEANUP(free_parts) struct sfi_part *parts = calloc(SFI_AREAS_MAX, sizeof(*parts));
        uint32_t room = room_of(check);
        int count;

        INSIST(parts);
        count = sfi_parts(check->sfi, parts, SFI_AREAS_MAX);
        if (count < 0)
                return refuse_fault(check->order, count, "seal the image again", check->error);
        for (int i = 0; i < count; i++)
                if (parts[i].length > room)
                        return order_refuse(check->error, FAULT_NO_ROOM, check->order->file_line,
                                            "seal the image with a smaller RAM size, so that it is "
                                            "cut into more parts",
                                            "part %d of %.100s has %zu bytes, the RAM of %s takes "
                                            "%u",
                                            i + 1, file_name(check->order), parts[i].length,
                                            check->family->name, room);
        return 0;
}

static int check_image(const struct check *check)
{
        int r = 0;

        if (!check->sfi->count)
                return order_refuse(check->error, FAULT_BAD_VALUE, check->order->file_line,
                                    "seal the image again", "%.100s has no areas",
                                    file_name(check->order));
        for (unsigned i = 0; i < check->sfi->count && r >= 0; i++)
                r = check_area(check, &check->sfi->areas[i]);
        if (r >= 0)
                r = check_modules(check);
        return r < 0 ? r : check_parts(check);
}

/* Hashing and taking apart: on a worker, for an image may have 64 MiB. */
struct load {
        struct check check;
        struct bytes file;
        struct sfi *sfi;
};

static int load_file(void *argument)
{
        struct load *load = argument;
        struct check *check = &load->check;
        int r = check_digest(check->order, &load->file, check->error);

        if (r < 0) {
                bytes_free(&load->file);
                return r;
        }
        r = sfi_parse(file_name(check->order), load->file, &load->sfi); /* takes the bytes */
        if (r < 0)
                return refuse_fault(check->order, r, "name the .sfi image in image.file",
                                    check->error);
        check->sfi = load->sfi;
        r = check_image(check);
        if (r < 0)
                load->sfi = sfi_free(load->sfi);
        return r;
}

/* Without mass erase, beside what is in the flash: the WBA5 only (AN5054 section 8), and nothing of it
 * may be erased. */
static int check_type(const struct check *check)
{
        const struct order *order = check->order;

        if (strcmp(order->license.type, "SFIA") != 0)
                return 0;
        if (!check->family->takes_sfia)
                return order_refuse(check->error, FAULT_BAD_VALUE, order->license.line,
                                    "take a license of type SFI", "%s takes no SFIA license",
                                    check->family->name);
        if (order->erase == ERASE_ALWAYS)
                return order_refuse(check->error, FAULT_BAD_VALUE, order->license.line,
                                    "leave erase out, or take a license of type SFI",
                                    "erase is always, and an install with an SFIA license erases "
                                    "nothing");
        return 0;
}

int order_load_image(const struct order *order, const struct family *family,
                     const struct rss_profile *rss, struct workers *workers, struct sfi **ret_sfi,
                     struct order_error *ret_error)
{
        struct load load = {
                .check = { .order = order, .family = family, .rss = rss, .error = ret_error },
        };
        int r;

        if (strcmp(order->family, family->name) != 0)
                return order_refuse(
                        ret_error, FAULT_BAD_VALUE, order->family_line,
                        "give the order to a station for that family, or correct family",
                        "family is %s, this station installs %s", order->family, family->name);
        r = check_type(&load.check);
        if (r >= 0)
                r = read_image(order, &load.file, ret_error);
        if (r < 0)
                return r;
        r = workers ? workers_run(workers, load_file, &load) : load_file(&load);
        if (r < 0)
                return r;
        *ret_sfi = load.sfi;
        return 0;
}
