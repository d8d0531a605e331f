#include "station/commands/image_view.h"

#include "scheduler/file.h"

#include <ctype.h>
#include <stdlib.h>

const char *digest_text(const uint8_t digest[static 32], char text[static 65])
{
        hex_encode(digest, 32, text);
        for (size_t i = 0; text[i]; i++)
                text[i] = (char)tolower((unsigned char)text[i]);
        return text;
}

static char letter(const struct sfi_area *area)
{
        return isprint((unsigned char)area->type) ? area->type : '?';
}

/* NULL, with the sentence of the fault, when pauses and resumes do not pair. */
static struct sfi_part *find_parts(const struct sfi *sfi, int *ret_count)
{
        size_t capacity = (size_t)sfi->count + 1;
        struct sfi_part *parts = calloc(capacity, sizeof(*parts));

        INSIST(parts);
        *ret_count = sfi_parts(sfi, parts, capacity);
        if (*ret_count >= 0)
                return parts;
        free(parts);
        return NULL;
}

static void print_areas(FILE *out, const struct sfi *sfi)
{
        char tag[2 * GCM_TAG_LENGTH + 1], length[32], offset[32];

        fprintf(out, "\n  index  type                 version  payload              address     "
                     "areas  offset           tag\n");
        for (size_t i = 0; i < sfi->count; i++) {
                const struct sfi_area *area = &sfi->areas[i];

                snprintf(length, sizeof(length), "0x%X (%u)", area->length, area->length);
                snprintf(offset, sizeof(offset), "0x%zX (%zu)", area->offset, area->offset);
                fprintf(out, "  %5u  %c %-17s  %7u  %-19s  0x%08X  %5u  %-15s  %s\n", area->index,
                        letter(area), sfi_type_name(area->type), area->version, length,
                        area->address, area->total, offset,
                        hex_encode(area->tag, sizeof(area->tag), tag));
        }
}

static void print_parts(FILE *out, const struct sfi *sfi)
{
        struct sfi_part *parts;
        int count;

        parts = find_parts(sfi, &count);
        if (!parts) {
                fprintf(out, "\n  parts: %s\n", fault_sentence(count));
                return;
        }
        fprintf(out, "\n");
        for (int i = 0; i < count; i++)
                fprintf(out, "  part %d: areas %d to %d, %zu bytes\n", i + 1, parts[i].first + 1,
                        parts[i].first + parts[i].count, parts[i].length);
        free(parts);
}

/* What in this image is a choice of ours because ST's way is not public. */
struct choice {
        char type;
        const char *words;
};

static const struct choice choices[] = {
        { SFI_KEYS,
          "K: couples of size and address (AN5054 2.3); that it follows F and has the first "
          "key's address is a reference" },
        { SFI_EXTERNAL,
          "E: prefix of 12 bytes (AN5054 2.3); that it follows all internal areas is a "
          "reference" },
        { SFI_PAUSE,
          "P, R: 32 bytes as in ST's logs; zeroes, or with -hash 1 the firmware's SHA-256, "
          "are a reference" },
        { SFI_OPTION_KEY_REFERENCE, "O: an .obk file; letter and layout are a reference" },
        { SFI_SSFI_REFERENCE, "S: an .ssfi file; letter and layout are a reference" },
};

static bool has_choice(const struct sfi *sfi, const struct choice *choice)
{
        for (size_t i = 0; i < sfi->count; i++)
                if (sfi->areas[i].type == choice->type &&
                    (choice->type != SFI_PAUSE || sfi->areas[i].length))
                        return true;
        return false;
}

static void print_choices(FILE *out, const struct sfi *sfi)
{
        const char *title = "\n  not public, so chosen here:\n";

        for (size_t i = 0; i < LENGTH_OF(choices); i++) {
                if (!has_choice(sfi, &choices[i]))
                        continue;
                fprintf(out, "%s    %s\n", title, choices[i].words);
                title = "";
        }
}

static json_t *choices_json(const struct sfi *sfi)
{
        json_t *list = json_array();

        for (size_t i = 0; i < LENGTH_OF(choices); i++)
                if (has_choice(sfi, &choices[i]))
                        json_array_append_new(list, json_string(choices[i].words));
        return list;
}

void image_view_print(FILE *out, const char *name, const struct sfi *sfi)
{
        char text[65];

        fprintf(out, "%s\n", name);
        fprintf(out, "  file length       0x%zX (%zu)\n", sfi->file.length, sfi->file.length);
        fprintf(out, "  SHA-256           %s\n", digest_text(sfi->digest, text));
        fprintf(out, "  magic             SFIMAGIC\n");
        fprintf(out, "  protocol version  %u\n", sfi->protocol);
        fprintf(out, "  number of areas   %u\n", sfi->count);
        if (sfi->count)
                fprintf(out, "  image version     %u\n", sfi->areas[0].version);
        fprintf(out, "  header tag        %s\n", hex_encode(sfi->tag, sizeof(sfi->tag), text));
        print_areas(out, sfi);
        print_parts(out, sfi);
        print_choices(out, sfi);
}

static json_t *areas_json(const struct sfi *sfi)
{
        char tag[2 * GCM_TAG_LENGTH + 1];
        json_t *list = json_array();

        for (size_t i = 0; i < sfi->count; i++) {
                const struct sfi_area *area = &sfi->areas[i];
                const char type[] = { letter(area), '\0' };

                hex_encode(area->tag, sizeof(area->tag), tag);
                json_array_append_new(list,
                                      json_pack("{s:i, s:s, s:s, s:i, s:I, s:I, s:i, s:I, s:s}",
                                                "index", area->index, "type", type, "name",
                                                sfi_type_name(area->type), "version", area->version,
                                                "length", (json_int_t)area->length, "address",
                                                (json_int_t)area->address, "areas", area->total,
                                                "offset", (json_int_t)area->offset, "tag", tag));
        }
        return list;
}

static json_t *parts_json(const struct sfi *sfi)
{
        struct sfi_part *parts;
        json_t *list;
        int count;

        parts = find_parts(sfi, &count);
        if (!parts)
                return json_null();
        list = json_array();
        for (int i = 0; i < count; i++)
                json_array_append_new(list, json_pack("{s:i, s:i, s:I}", "first",
                                                      parts[i].first + 1, "areas", parts[i].count,
                                                      "length", (json_int_t)parts[i].length));
        free(parts);
        return list;
}

json_t *image_view_json(const char *name, const struct sfi *sfi)
{
        char tag[2 * GCM_TAG_LENGTH + 1], digest[65];

        hex_encode(sfi->tag, sizeof(sfi->tag), tag);
        digest_text(sfi->digest, digest);
        return json_pack("{s:o, s:I, s:s, s:i, s:i, s:s, s:o, s:o, s:o}", "file", answer_text(name),
                         "length", (json_int_t)sfi->file.length, "sha256", digest, "protocol",
                         sfi->protocol, "areas_total", sfi->count, "tag", tag, "areas",
                         areas_json(sfi), "parts", parts_json(sfi), "reference", choices_json(sfi));
}

int image_read(const char *path, struct sfi **ret_sfi)
{
        struct bytes file;
        int r;

        r = file_read(path, SFI_FILE_MAX, &file);
        if (r < 0)
                return r;
        return sfi_parse(path, file, ret_sfi);
}

void image_release(struct sfi **sfi)
{
        *sfi = sfi_free(*sfi);
}
