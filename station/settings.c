/*
 * The station file: which keys there are, their limits and defaults.
 *
 * One table of keys a group (settings_tree.h reads them). What concerns several keys - hardware and
 * sites, time and seed - is checked last, while the tree still knows the lines.
 */
#include "station/settings.h"

#include "scheduler/bytes.h"
#include "scheduler/file.h"
#include "station/settings_parts.h"
#include "station/text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_CAPACITY 256

static int hardware_read(struct tree *tree, const config_setting_t *setting, void *group)
{
        struct settings *settings = group;
        const char *text = "";
        int r;

        r = tree_text(tree, setting, &text);
        if (r < 0)
                return r;
        if (!strcmp(text, "usb"))
                settings->hardware = HARDWARE_USB;
        else if (!strcmp(text, "simulated"))
                settings->hardware = HARDWARE_SIMULATED;
        else
                return tree_refuse(tree, tree_line(setting),
                                   "hardware is \"%.60s\", wanted \"usb\" or \"simulated\"", text);
        return 0;
}

static int sites_read(struct tree *tree, const config_setting_t *setting, void *group)
{
#define PLACE(member) offsetof(struct settings_site, member)
        static const struct key keys[] = {
                { "name", KIND_NAME, PLACE(name), 1, 16,
                  "a name of letters, digits, dot, dash and underscore", NULL, true },
                { "path", KIND_ASCII, PLACE(path), 1, 64, "a USB port path such as \"1-4.2\"", NULL,
                  true },
                { "serial", KIND_ASCII, PLACE(serial), 0, 64, "a probe's serial", NULL, false },
        };
#undef PLACE
        struct settings *settings = group;
        int length = tree_elements(tree, setting, 1, SETTINGS_SITES_MAX), r;

        if (length < 0)
                return length;
        for (int i = 0; i < length; i++) {
                r = tree_read_group(tree, config_setting_get_elem(setting, (unsigned)i), keys,
                                    LENGTH_OF(keys), &settings->sites[i]);
                if (r < 0)
                        return r;
        }
        settings->site_count = (unsigned)length;
        return 0;
}

static int reader_read(struct tree *tree, const config_setting_t *setting, char *ret_name)
{
        static const struct key slot = { .name = "a reader",
                                         .kind = KIND_UNSIGNED,
                                         .low = 1,
                                         .high = 999,
                                         .wanted = "as slot number" };
        static const struct key name = { .name = "a reader",
                                         .kind = KIND_LABEL,
                                         .low = 1,
                                         .high = 128,
                                         .wanted = "a PC/SC reader name" };
        unsigned number = 0;
        int r;

        if (config_setting_type(setting) != CONFIG_TYPE_INT)
                return tree_read(tree, &name, setting, ret_name);
        r = tree_read(tree, &slot, setting, &number);
        if (r < 0)
                return r;
        snprintf(ret_name, 128, "%u", number);
        return 0;
}

static int readers_read(struct tree *tree, const config_setting_t *setting, void *group)
{
        struct settings *settings = group;
        int length = tree_elements(tree, setting, 1, SETTINGS_READERS_MAX), r;

        if (length < 0)
                return length;
        for (int i = 0; i < length; i++) {
                const config_setting_t *element = config_setting_get_elem(setting, (unsigned)i);

                r = reader_read(tree, element, settings->readers[i]);
                if (r < 0)
                        return r;
                for (int j = 0; j < i; j++)
                        if (!strcmp(settings->readers[i], settings->readers[j]))
                                return tree_refuse(
                                        tree, tree_line(element),
                                        "the reader \"%s\" is named twice; name each once",
                                        settings->readers[i]);
        }
        settings->reader_count = (unsigned)length;
        return 0;
}

static int worker_cpus_read(struct tree *tree, const config_setting_t *setting, void *group)
{
        struct settings *settings = group;
        int length = tree_elements(tree, setting, 0, SETTINGS_WORKERS_MAX), cpu;

        if (length < 0)
                return length;
        for (int i = 0; i < length; i++) {
                const config_setting_t *element = config_setting_get_elem(setting, (unsigned)i);

                if (config_setting_type(element) != CONFIG_TYPE_INT)
                        return tree_refuse_type(tree, element, "a CPU number, or -1");
                cpu = config_setting_get_int(element);
                if (cpu < -1 || cpu > 1023)
                        return tree_refuse(
                                tree, tree_line(element),
                                "the CPU of worker %d is %d, wanted 0 to 1023, or -1 for any",
                                i + 1, cpu);
                settings->worker_cpus[i] = cpu;
        }
        return 0;
}

/* "127.0.0.1:8470" or "[::1]:8470"; a name would have to be looked up, which may hang. */
static bool is_address(const char *text)
{
        char host[64];
        uint8_t binary[16];
        const char *colon = strrchr(text, ':'), *from = text;
        size_t length = colon ? (size_t)(colon - text) : 0;
        int family = AF_INET;

        if (!length || length >= sizeof(host))
                return false;
        if (text[0] == '[' && text[length - 1] == ']' && length > 2) {
                family = AF_INET6;
                from++;
                length -= 2;
        }
        memcpy(host, from, length);
        host[length] = '\0';
        return inet_pton(family, host, binary) == 1 && colon[1] && strlen(colon + 1) <= 5 &&
               strspn(colon + 1, "0123456789") == strlen(colon + 1) && atoi(colon + 1) <= 65535;
}

static int web_address_read(struct tree *tree, const config_setting_t *setting, void *group)
{
        static const struct key key = {
                .name = "web_address", .kind = KIND_ASCII, .high = 64, .wanted = "an address"
        };
        struct settings *settings = group;
        int r;

        r = tree_read(tree, &key, setting, settings->web_address);
        if (r < 0)
                return r;
        if (settings->web_address[0] && !is_address(settings->web_address))
                return tree_refuse(tree, tree_line(setting),
                                   "web_address is \"%s\", wanted a number and a port as "
                                   "\"127.0.0.1:8470\" or \"[::1]:8470\", or \"\" for no page",
                                   settings->web_address);
        return 0;
}

static int capture_read(struct tree *tree, const config_setting_t *setting, void *group)
{
        static const char *const names[] = {
                [CAPTURE_NONE] = "none", [CAPTURE_FAILURES] = "failures", [CAPTURE_ALL] = "all"
        };
        struct settings *settings = group;
        const char *text = "";
        int r = tree_text(tree, setting, &text);

        for (size_t i = 0; r == 0 && i < LENGTH_OF(names); i++)
                if (!strcmp(text, names[i])) {
                        settings->capture = (enum capture_rule)i;
                        return 0;
                }
        return r < 0 ? r
                     : tree_refuse(tree, tree_line(setting),
                                   "capture is \"%.60s\", wanted \"failures\", \"all\" or \"none\"",
                                   text);
}

/* 64 bits: hexadecimal reaches the upper half, which libconfig keeps as a negative number. */
static int seed_read(struct tree *tree, const config_setting_t *setting, void *group)
{
        struct settings *settings = group;
        bool is_hex = config_setting_get_format(setting) == CONFIG_FORMAT_HEX;
        int type = config_setting_type(setting);
        long long value = -1;

        if (type == CONFIG_TYPE_INT64)
                value = config_setting_get_int64(setting);
        else if (type == CONFIG_TYPE_INT && is_hex)
                value = (uint32_t)config_setting_get_int(setting);
        else if (type == CONFIG_TYPE_INT)
                value = config_setting_get_int(setting);
        if (value < 0 && !(is_hex && type == CONFIG_TYPE_INT64))
                return tree_refuse_type(tree, setting, "a whole number from 0");
        settings->seed = (uint64_t)value;
        return 0;
}

/* --- the whole ----------------------------------------------------------------------------- */

#define PLACE(member) offsetof(struct settings, member)
static const struct key root_keys[] = {
        { "station", KIND_NAME, PLACE(station), 1, 32,
          "a name of letters, digits, dot, dash and underscore", NULL, true },
        { "hardware", KIND_OTHER, 0, 0, 0, "\"usb\" or \"simulated\"", hardware_read, true },
        { "family_file", KIND_PATH, PLACE(family_file), 1, 256, "a file", NULL, false },
        { "rss_profile_file", KIND_PATH, PLACE(rss_profile_file), 1, 256, "a file", NULL, false },
        { "card_profile_file", KIND_PATH, PLACE(card_profile_file), 1, 256, "a file", NULL, false },
        { "installer", KIND_OTHER, 0, 0, 0, "\"native\" or \"vendor\"", settings_read_installer,
          false },
        { "vendor", KIND_OTHER, 0, 0, 0, "", settings_read_vendor, false },
        { "sites", KIND_OTHER, 0, 0, 0, "", sites_read, false },
        { "readers", KIND_OTHER, 0, 0, 0, "", readers_read, false },
        { "workers", KIND_UNSIGNED, PLACE(workers), 0, SETTINGS_WORKERS_MAX, "threads", NULL,
          false },
        { "worker_cpus", KIND_OTHER, 0, 0, 0, "", worker_cpus_read, false },
        { "orders_directory", KIND_PATH, PLACE(orders_directory), 1, 200,
          "the drop folder of the orders", NULL, true },
        { "data_directory", KIND_PATH, PLACE(data_directory), 1, 200,
          "the directory of records and ledger", NULL, true },
        { "web_address", KIND_OTHER, 0, 0, 0, "", web_address_read, false },
        { "clock_khz", KIND_UNSIGNED, PLACE(clock_khz), 5, 24000, "kHz", NULL, false },
        { "poll_ms", KIND_UNSIGNED, PLACE(poll_ms), 1, 60000, "milliseconds", NULL, false },
        { "settle_ms", KIND_UNSIGNED, PLACE(settle_ms), 0, 60000, "milliseconds", NULL, false },
        { "minimum_mv", KIND_UNSIGNED, PLACE(minimum_mv), 1500, 5000, "millivolts", NULL, false },
        { "license_hours_alarm", KIND_UNSIGNED, PLACE(license_hours_alarm), 0, 1000, "hours", NULL,
          false },
        { "license_lost_alarm", KIND_UNSIGNED, PLACE(license_lost_alarm), 0, 1000000, "licenses",
          NULL, false },
        { "license_ratio_alarm", KIND_REAL, PLACE(license_ratio_alarm), 0, 10000,
          "licenses for each a good unit needs", NULL, false },
        { "scan_s", KIND_UNSIGNED, PLACE(scan_s), 1, 3600, "seconds", NULL, false },
        { "license_alarm", KIND_UNSIGNED, PLACE(license_alarm), 0, 1000000, "licenses", NULL,
          false },
        { "license_server", KIND_OTHER, 0, 0, 0, "", settings_read_server, false },
        { "capture", KIND_OTHER, 0, 0, 0, "", capture_read, false },
        { "capture_mb", KIND_UNSIGNED, PLACE(capture_mb), 0, 1000000, "MiB", NULL, false },
        { "simulated", KIND_OTHER, 0, 0, 0, "", settings_read_simulated, false },
        { "virtual_time", KIND_BOOL, PLACE(is_virtual_time), 0, 0, "true or false", NULL, false },
        { "seed", KIND_OTHER, 0, 0, 0, "", seed_read, false },
};
#undef PLACE

static const struct settings defaults = {
        .workers = 2,
        .worker_cpus = { -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 },
        .web_address = "127.0.0.1:8470",
        /* stlink.md section 18 point 5: start at 8 MHz or less, whatever the probe could do */
        .clock_khz = 8000,
        .poll_ms = 20,
        .settle_ms = 50,
        .minimum_mv = 1500, /* stlink.md section 18 point 4 */
        .license_hours_alarm = 1,
        .license_lost_alarm = 1,
        .license_ratio_alarm = 1.05,
        .scan_s = 5,
        .vendor.timeout_s = 180, /* an SFIx in three parts takes 44 s: AN5054 figure 65 */
        .license_alarm = 100,
        .capture = CAPTURE_FAILURES,
        .capture_mb = 256,
        .license_server.timeout_ms = 10000, /* a card behind it takes 1-2 s a license */
        .bench = {
                .handling_ms = 3000,
                .speed = 1.0,
                .cards = 2,
                .card_counter = 1000,
                .license_ms_low = 1000, /* secure-install.md section 12, timing */
                .license_ms_high = 2000,
        },
};
_Static_assert(SETTINGS_WORKERS_MAX == 16, "as many defaults for worker_cpus");

/* The line of a root key, or of the end of what is missing. */
static unsigned root_line(const struct tree *tree, const char *name)
{
        const config_setting_t *setting = config_lookup(&tree->config, name);

        return setting ? tree_line(setting) : 1;
}

/* Digits after `from`, at least one; where they end, or NULL. */
static const char *digits_end(const char *from)
{
        size_t length = strspn(from, "0123456789");

        return length && length <= 5 ? from + length : NULL;
}

/* BUS-PORT.PORT... as the kernel names it in sysfs, at most 7 tiers (USB 2.0 section 4.1.1). */
static bool is_usb_path(const char *path)
{
        const char *at = digits_end(path);
        unsigned ports = 0;

        if (!at || *at != '-')
                return false;
        do {
                at = digits_end(at + 1);
                ports++;
        } while (at && *at == '.');
        return at && !*at && ports <= 7;
}

static bool is_simulated_path(const char *path, unsigned sites)
{
        char wanted[16];

        for (unsigned i = 0; i < sites; i++) {
                snprintf(wanted, sizeof(wanted), "sim-%u", i);
                if (!strcmp(path, wanted))
                        return true;
        }
        return false;
}

static int check_site(const struct tree *tree, const struct settings *settings, unsigned index,
                      unsigned line)
{
        const struct settings_site *site = &settings->sites[index], *other;

        if (settings->hardware == HARDWARE_USB && !is_usb_path(site->path))
                return tree_refuse(tree, line,
                                   "the path of site %s is \"%s\", wanted a USB port path such as "
                                   "\"1-4.2\" as /sys/bus/usb/devices names it",
                                   site->name, site->path);
        if (settings->hardware == HARDWARE_SIMULATED &&
            !is_simulated_path(site->path, settings->site_count))
                return tree_refuse(tree, line,
                                   "the path of site %s is \"%s\", wanted \"sim-0\" to \"sim-%u\"",
                                   site->name, site->path, settings->site_count - 1);
        for (unsigned i = 0; i < index; i++) {
                other = &settings->sites[i];
                if (!strcmp(site->name, other->name))
                        return tree_refuse(tree, line,
                                           "the site name \"%s\" is used twice; give each its own",
                                           site->name);
                if (!strcmp(site->path, other->path))
                        return tree_refuse(tree, line,
                                           "the path \"%s\" of site %s is that of site %s; a site "
                                           "is one port",
                                           site->path, site->name, other->name);
                if (site->serial[0] && !strcmp(site->serial, other->serial))
                        return tree_refuse(tree, line,
                                           "the serial \"%s\" of site %s is that of site %s; leave "
                                           "it empty where probes report the same one",
                                           site->serial, site->name, other->name);
        }
        return 0;
}

/* simulated.sites = 16 stands for sites "1" to "16" at "sim-0" to "sim-15". */
static void sites_generate(struct settings *settings, unsigned count)
{
        for (unsigned i = 0; i < count; i++) {
                snprintf(settings->sites[i].name, sizeof(settings->sites[i].name), "%u", i + 1);
                snprintf(settings->sites[i].path, sizeof(settings->sites[i].path), "sim-%u", i);
        }
        settings->site_count = count;
}

static int check_sites(const struct tree *tree, struct settings *settings)
{
        const config_setting_t *list = config_lookup(&tree->config, "sites");
        int count = 0, r;

        (void)config_lookup_int(&tree->config, "simulated.sites", &count); /* 0 without one */
        if (list && count)
                return tree_refuse(tree, tree_line(list),
                                   "the sites are listed here and counted in simulated.sites (%d); "
                                   "keep one of the two",
                                   count);
        if (!list && !count)
                return tree_refuse(
                        tree, root_line(tree, "hardware"), "%s",
                        "there are no sites; list them as sites = ( { name = \"1\"; path "
                        "= \"1-4.2\"; } ); or, simulated, count them in "
                        "simulated.sites");
        if (!list)
                sites_generate(settings, (unsigned)count);
        for (unsigned i = 0; list && i < settings->site_count; i++) {
                r = check_site(tree, settings, i, tree_line(config_setting_get_elem(list, i)));
                if (r < 0)
                        return r;
        }
        return 0;
}

static int check_usb(const struct tree *tree, struct settings *settings)
{
        const config_setting_t *bench = config_lookup(&tree->config, "simulated");

        if (settings->hardware != HARDWARE_USB)
                return 0;
        if (bench)
                return tree_refuse(tree, tree_line(bench), "%s",
                                   "the group simulated stands beside hardware = \"usb\"; remove "
                                   "it, or set hardware = \"simulated\"");
        if (!settings->reader_count)
                return tree_refuse(tree, root_line(tree, "hardware"), "%s",
                                   "there are no readers, so there would be no licenses; add "
                                   "readers = ( 1 );");
        return 0;
}

static int check_simulated(const struct tree *tree, struct settings *settings)
{
        const struct settings_bench *bench = &settings->bench;

        if (settings->hardware != HARDWARE_SIMULATED)
                return 0;
        if (!config_lookup(&tree->config, "simulated"))
                return tree_refuse(tree, root_line(tree, "hardware"), "%s",
                                   "hardware is \"simulated\" and the group simulated is missing; "
                                   "add simulated = { sites = 16; ... };");
        if (settings->reader_count)
                return tree_refuse(tree, root_line(tree, "readers"), "%s",
                                   "readers are for real cards; simulated ones are counted in "
                                   "simulated.cards");
        if (bench->cards + bench->module_card_count > SETTINGS_READERS_MAX)
                return tree_refuse(
                        tree, root_line(tree, "simulated"),
                        "cards and module_cards are %u, at most %u are served; take fewer",
                        bench->cards + bench->module_card_count, SETTINGS_READERS_MAX);
        if (bench->license_ms_low > bench->license_ms_high)
                return tree_refuse(tree, root_line(tree, "simulated"),
                                   "license_ms_low is %u, above license_ms_high, %u; swap them",
                                   bench->license_ms_low, bench->license_ms_high);
        return 0;
}

static int check_workers(const struct tree *tree, struct settings *settings)
{
        const config_setting_t *cpus = config_lookup(&tree->config, "worker_cpus");

        if (cpus && (unsigned)config_setting_length(cpus) != settings->workers)
                return tree_refuse(tree, tree_line(cpus),
                                   "worker_cpus has %d entries for %u workers; give one each, -1 "
                                   "for any",
                                   config_setting_length(cpus), settings->workers);
        return 0;
}

static int check_time(const struct tree *tree, struct settings *settings)
{
        if (!settings->is_virtual_time)
                return 0;
        if (settings->hardware != HARDWARE_SIMULATED)
                return tree_refuse(tree, root_line(tree, "virtual_time"), "%s",
                                   "virtual time cannot drive real probes; remove virtual_time, or "
                                   "set hardware = \"simulated\"");
        if (settings->license_server.url[0])
                return tree_refuse(tree, root_line(tree, "license_server"), "%s",
                                   "virtual time cannot wait for a real server; remove "
                                   "license_server, or virtual_time");
        if (!settings->seed)
                return tree_refuse(
                        tree, root_line(tree, "virtual_time"), "%s",
                        "virtual time needs a seed, so that the run can be repeated; add "
                        "seed = 1;");
        return 0;
}

/* Every unit needs all its licenses: a limit below one would be an alarm for nothing. */
static int check_ratio(const struct tree *tree, struct settings *settings)
{
        if (settings->license_ratio_alarm == 0 || settings->license_ratio_alarm >= 1)
                return 0;
        return tree_refuse(tree, root_line(tree, "license_ratio_alarm"),
                           "license_ratio_alarm is %g, wanted 1 to 10, or 0 for never",
                           settings->license_ratio_alarm);
}

/* The files that ship beside the station file. */
static int defaults_resolve(const struct tree *tree, struct settings *settings)
{
        const struct {
                const char *name;
                char *path;
        } files[] = { { "targets/stm32h75x.conf", settings->family_file },
                      { "rss/reference-h7.conf", settings->rss_profile_file },
                      { "cards/reference.conf", settings->card_profile_file } };

        for (size_t i = 0; i < LENGTH_OF(files); i++)
                if (!files[i].path[0] &&
                    !text_resolve(tree->directory, files[i].name, files[i].path, PATH_CAPACITY))
                        return tree_refuse(tree, 1, "%s/%s is too long a path; move the file",
                                           tree->directory, files[i].name);
        return 0;
}

static int settings_read(struct tree *tree, struct settings *settings)
{
        static int (*const checks[])(const struct tree *, struct settings *) = {
                check_usb,   check_simulated,          check_sites,      check_workers, check_time,
                check_ratio, settings_check_installer, defaults_resolve,
        };
        int r = tree_read_group(tree, config_root_setting(&tree->config), root_keys,
                                LENGTH_OF(root_keys), settings);

        for (size_t i = 0; r >= 0 && i < LENGTH_OF(checks); i++)
                r = checks[i](tree, settings);
        return r;
}

static void free_settings(struct settings **settings)
{
        free(*settings);
}

static int parse_text(const char *path, const char *text, size_t length,
                      struct settings *ret_settings)
{
        CLEANUP(free_settings) struct settings *settings = malloc(sizeof(*settings));
        CLEANUP(tree_free) struct tree tree = { .file = path };
        int r;

        INSIST(settings);
        *settings = defaults;
        r = tree_make(&tree, path, text, length);
        if (r >= 0)
                r = settings_read(&tree, settings);
        if (r < 0)
                return r;
        snprintf(settings->file, sizeof(settings->file), "%s", path);
        *ret_settings = *settings;
        return 0;
}

int settings_parse(const char *path, const void *text, size_t length, struct settings *ret_settings)
{
        CLEANUP(bytes_free) struct bytes copy = { NULL, 0 };

        if (length > SETTINGS_FILE_MAX)
                return fault(FAULT_TOO_LARGE, "%s: %zu bytes; a station file has at most %u", path,
                             length, SETTINGS_FILE_MAX);
        copy = bytes_copy(text, length); /* with a NUL behind, for libconfig */
        return parse_text(path, (const char *)copy.data, length, ret_settings);
}

int settings_load(const char *path, struct settings *ret_settings)
{
        CLEANUP(bytes_free) struct bytes text = { NULL, 0 };
        int r;

        r = file_read(path, SETTINGS_FILE_MAX, &text);
        if (r < 0)
                return fault_prefix(r, "station file");
        return settings_parse(path, text.data, text.length, ret_settings);
}
