/*
 * gangway order check: what the station would answer to an order, without dropping it.
 *
 * Uses the very functions of the drop folder: the form, then the image and the global license it
 * names, checked against the family and RSS profile of the station file. Cards are not looked at: which
 * are in when the lot begins nobody knows now.
 */
#include "station/commands/command.h"

#include "drivers/family.h"
#include "drivers/loader.h"
#include "drivers/rss.h"
#include "scheduler/file.h"
#include "station/commands/answer.h"
#include "station/commands/image_view.h"
#include "station/commands/options.h"
#include "station/commands/places.h"
#include "station/order.h"
#include "station/settings.h"

#include <libgen.h>
#include <stdlib.h>

struct request {
        const char *path, *station_file;
        bool is_json;
};

/* What the check knows of the station. Settings are large: on the heap. */
struct surroundings {
        struct settings settings;
        struct family family;
        struct rss_profile rss;
};

static int read_request(int argc, char **argv, struct request *request)
{
        const struct argument arguments[] = {
                { .what = "order file", .text = &request->path, .needed = "FILE" },
                { "station", .text = &request->station_file },
                { "json", .flag = &request->is_json },
        };

        return options_read(argc, argv, arguments, LENGTH_OF(arguments));
}

static int load_surroundings(const struct request *request, struct surroundings *ret_around)
{
        char path[PLACE_LENGTH_MAX];
        int r = 0;

        if (request->station_file)
                snprintf(path, sizeof(path), "%s", request->station_file);
        else
                r = place_find("gangway.conf", path);
        if (r >= 0)
                r = settings_load(path, &ret_around->settings);
        if (r >= 0)
                r = family_load(ret_around->settings.family_file, &ret_around->family);
        if (r >= 0)
                r = rss_profile_load(ret_around->settings.rss_profile_file, &ret_around->rss);
        return r;
}

static int load_license(const struct order *order, const struct surroundings *around,
                        char ret_digest[static 65], struct order_error *ret_error)
{
        bool has_server = around->settings.license_server.url[0] != '\0';
        uint8_t license[LICENSE_LENGTH];
        int r = order_load_license(order, &around->rss, has_server, license, ret_digest, ret_error);

        wipe(license, sizeof(license));
        return r;
}

static int check(const struct request *request, const struct surroundings *around,
                 struct order *ret_order, char ret_digest[static 65], struct order_error *ret_error)
{
        struct sfi *sfi CLEANUP(image_release) = NULL;
        struct loader loader CLEANUP(loader_free) = { 0 };
        struct bytes file CLEANUP(bytes_free) = { 0 };
        char *copy = strdup(request->path);
        int r;

        INSIST(copy);
        r = file_read(request->path, ORDER_FILE_MAX, &file);
        if (r == -FAULT_TOO_LARGE)
                snprintf(ret_error->sentence, sizeof(ret_error->sentence), "%s", fault_sentence(r));
        if (r >= 0)
                r = order_parse(file.data, file.length, dirname(copy), ret_order, ret_error);
        if (r >= 0)
                r = order_load_image(ret_order, &around->family,
                                     around->settings.installer == INSTALLER_NATIVE ? &around->rss
                                                                                    : NULL,
                                     NULL, &sfi, ret_error);
        if (r >= 0)
                r = order_load_loader(ret_order, sfi, &loader, ret_error);
        if (r >= 0)
                r = load_license(ret_order, around, ret_digest, ret_error);
        free(copy);
        return r;
}

/* What each good unit takes, and from where. */
static json_t *licenses_json(const struct order *order, const char *digest)
{
        bool is_global = order->license.source == LICENSE_GLOBAL;
        json_t *list = json_array(), *first;

        first = json_pack("{s:s, s:s, s:s}", "source", license_source_name(order->license.source),
                          "type", order->license.type, is_global ? "sha256" : "firmware_id",
                          is_global ? digest : order->firmware_id);
        json_array_append_new(list, first);
        for (unsigned i = 0; i < order->module_count; i++)
                json_array_append_new(list,
                                      json_pack("{s:s, s:s, s:s}", "source",
                                                license_source_name(order_module_source(order)),
                                                "type", order->modules[i].type, "firmware_id",
                                                order->modules[i].firmware_id));
        return list;
}

static int tell_json(const struct order *order, const char *digest, const struct order_error *error,
                     bool is_accepted)
{
        json_t *answer;

        if (is_accepted)
                answer = json_pack("{s:b, s:s, s:I, s:o}", "accepted", 1, "order", order->id,
                                   "quantity", (json_int_t)order->quantity, "licenses",
                                   licenses_json(order, digest));
        else
                answer = json_pack("{s:b, s:s, s:i, s:s, s:s}", "accepted", 0, "code", error->code,
                                   "line", (int)error->line, "reason", error->sentence, "remedy",
                                   error->remedy);
        return answer_json(answer, is_accepted ? EXIT_OK : EXIT_NO);
}

static void print_licenses(const struct order *order, const char *digest)
{
        if (order->license.source == LICENSE_GLOBAL)
                printf("license: global, %s, SHA-256 %s\n", order->license.file, digest);
        else
                printf("license: %s for %s from %s\n", order->license.type, order->firmware_id,
                       license_source_name(order->license.source));
        for (unsigned i = 0; i < order->module_count; i++)
                printf("module %u: %s for %s from %s\n", i + 1, order->modules[i].type,
                       order->modules[i].firmware_id,
                       license_source_name(order_module_source(order)));
}

static int answer(const struct request *request, const struct order *order, const char *digest,
                  const struct order_error *error, bool is_accepted)
{
        if (request->is_json)
                return tell_json(order, digest, error, is_accepted);
        if (is_accepted) {
                printf("order accepted: %s, %u units of %s with %s\n", order->id, order->quantity,
                       order->part, order->image_file);
                print_licenses(order, digest);
                return EXIT_OK;
        }
        printf("order rejected: %s", request->path);
        if (error->line)
                printf(" line %u", error->line);
        printf(": %s: %s\n", error->code, error->sentence);
        if (error->remedy[0])
                printf("remedy: %s\n", error->remedy);
        return EXIT_NO;
}

static int run(int argc, char **argv)
{
        struct request request = { 0 };
        struct order_error error = { .code = "" };
        struct order order = { .id = "" };
        struct surroundings *around;
        char digest[65] = "";
        int r;

        r = read_request(argc, argv, &request);
        if (r < 0)
                return r;
        around = calloc(1, sizeof(*around));
        INSIST(around);
        r = load_surroundings(&request, around);
        if (r >= 0)
                r = check(&request, around, &order, digest, &error);
        free(around);
        if (r < 0 && !error.sentence[0])
                return r; /* not about the order: the file itself, the station file */
        if (r < 0 && !error.code[0])
                snprintf(error.code, sizeof(error.code), "%s", fault_name(r));
        return answer(&request, &order, digest, &error, r >= 0);
}

const struct command order_check_command = {
        .words = "order check",
        .summary = "what the station would answer to an order",
        .help = "usage: gangway order check FILE [--station FILE] [--json]\n"
                "\n"
                "Reads the order and the image it names as the drop folder does, and says \"order\n"
                "accepted\" and which licenses a unit takes from where, or the line, the reason\n"
                "and the remedy. Nothing is dropped or moved, and no card is looked at.\n"
                "\n"
                "  --station FILE  the station file, for family and RSS profile; default\n"
                "                  configs/gangway.conf\n"
                "  --json          the answer as JSON\n"
                "\n"
                "Exit 0 accepted, 1 rejected, 2 no such file or a bad station file.\n"
                "\n"
                "example: gangway order check orders/DEMO-0001.yaml --station \\\n"
                "           configs/gangway.conf\n",
        .run = run,
};
