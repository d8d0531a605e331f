/*
 * gangway sfi open: check every tag, show what is inside, write it back to files.
 */
#include "station/commands/command.h"

#include "station/commands/answer.h"
#include "station/commands/image_export.h"
#include "station/commands/opening.h"

#include <stdlib.h>

struct request {
        struct opening opening;
        const char *output;
};

static int read_request(int argc, char **argv, struct request *request)
{
        const struct argument arguments[] = {
                OPENING_ARGUMENTS(&request->opening),
                { "outfile", "o", .text = &request->output },
        };

        return options_read(argc, argv, arguments, LENGTH_OF(arguments));
}

static void print_text(const struct request *request, const struct opened_image *image,
                       const struct family *family)
{
        printf("%s: protocol %u, image version %u, %u areas, all tags proven\n",
               request->opening.path, image->sfi->protocol, image->sfi->areas[0].version,
               image->sfi->count);
        for (size_t i = 0; i < image->sfi->count; i++) {
                const struct sfi_plain_area *area = &image->areas[i];

                printf("  %5zu  %c %-17s  0x%08X  0x%zX (%zu)\n", i + 1,
                       area->type > 0x20 && area->type < 0x7F ? area->type : '?',
                       sfi_type_name(area->type), area->address, area->length, area->length);
                area_view_print(stdout, image, i, family);
        }
        if (request->output)
                printf("written to %s, readable by you only: it is not encrypted\n",
                       request->output);
}

static int print_json(const struct opened_image *image, const struct family *family)
{
        json_t *areas = json_array();

        for (size_t i = 0; i < image->sfi->count; i++)
                json_array_append_new(areas, area_view_json(image, i, family));
        return answer_json(json_pack("{s:i, s:i, s:o}", "protocol", image->sfi->protocol, "version",
                                     image->sfi->areas[0].version, "areas", areas),
                           EXIT_OK);
}

static int run(int argc, char **argv)
{
        struct opened_image image CLEANUP(image_opened_free) = { 0 };
        struct request request = { 0 };
        const struct family *family = NULL;
        struct chosen_family chosen;
        int r = read_request(argc, argv, &request);

        if (r >= 0 && opening_has_part(&request.opening)) {
                r = family_choose(&request.opening.choice, &chosen);
                family = &chosen.family;
        }
        if (r >= 0)
                r = opening_open(&request.opening, &image);
        if (r == -FAULT_BAD_TAG) {
                fprintf(stderr, "gangway sfi open: %s\n", fault_sentence(r));
                return EXIT_NO;
        }
        if (r >= 0 && request.output)
                r = image_export(&image, family, request.output);
        if (r < 0)
                return r;
        if (request.opening.is_json)
                return print_json(&image, family);
        print_text(&request, &image, family);
        return EXIT_OK;
}

const struct command sfi_open_command = {
        .words = "sfi open",
        .summary = "check an image with its key and write its areas back to files",
        .help = "usage: gangway sfi open FILE -k KEY -n NONCE [-o OUT.hex|OUT.elf|DIR] [--json]\n"
                "\n"
                "Checks every tag and shows what is in each area: option bytes, random keys,\n"
                "OTFDEC regions, .obk files. Nothing is shown or written unless all tags hold.\n"
                "\n"
                "  -k, --key FILE; -n, --nonce FILE  what the image was sealed with\n"
                "  -o, --outfile OUT.hex|OUT.elf     firmware, internal and external\n"
                "  -o, --outfile DIR                 a file for each run of areas, and .csv,\n"
                "                                    .kcsv, .obk as gangway sfi create takes\n"
                "  --family NAME, -devid ID          names the rows of option bytes\n"
                "  --iv-policy NAME                  as in gangway sfi create\n"
                "  --json                            areas, for programs, with SHA-256 each\n"
                "\n"
                "Files are written 0600: they hold the firmware in plain.\n"
                "Exit code 1: a tag does not hold.\n"
                "\n"
                "example: gangway sfi open app.sfi -k key.bin -n nonce.bin --family stm32h75x \\\n"
                "           -o app.hex\n",
        .run = run,
};
