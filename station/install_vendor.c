/*
 * install_vendor.c - the steps of an install by STM32_Programmer_CLI.
 *
 * Our own driver looks at the part first, as far as what is public goes: who it is, and everything of the
 * native preflight but the RSS. Then each step that belongs to the tool goes the same way: let go of the
 * probe, run the tool on a fiber of its own, watch that the probe stays on the bus, take the probe again.
 * The order of things is that of install.c: no license is asked for before the certificate is there, none
 * leaves the ledger before it is durable as offered.
 */
#include "station/install_vendor.h"

#include "drivers/vendor_cli.h"
#include "scheduler/file.h"
#include "scheduler/loop.h"
#include "station/install_parts.h"
#include "station/log.h"
#include "station/lot.h"
#include "station/site.h"
#include "station/station.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOK_NS (250 * NS_PER_MS) /* between looks whether the probe is still there */
/* The tool may reset the probe, which leaves the bus for a moment (stlink.md section 18). */
#define GONE_NS       (2 * NS_PER_S)
#define TAKE_AGAIN_NS (5 * NS_PER_S)
#define PROBES_MAX    256u /* on one bus: twice the sites */

/* --- the probe changes hands --------------------------------------------------------------- */

static void free_identities(struct wire_identity **identities)
{
        free(*identities);
}

/* All of them: too many for a fiber's stack. How many, or a fault; given. */
static int list_probes(const struct station *station, struct wire_identity **ret_identities)
{
        *ret_identities = calloc(PROBES_MAX, sizeof(**ret_identities));
        INSIST(*ret_identities);
        return bus_list(station->bus, *ret_identities, PROBES_MAX);
}

static bool is_on_bus(const struct site *site, const char *path)
{
        CLEANUP(free_identities) struct wire_identity *identities = NULL;
        int count = list_probes(site->station, &identities);

        for (int i = 0; i < count; i++)
                if (strcmp(identities[i].path, path) == 0)
                        return true;
        return count < 0; /* not known is not gone */
}

/* The tool has ended, so the kernel has freed the probe; it may still come back from a reset. A cancel
 * that arrives meanwhile is kept for later. On failure site->probe is closed. */
static int take_probe_again(struct site *site)
{
        uint64_t deadline_ns = clock_now_ns() + TAKE_AGAIN_NS;
        bool was_cancelled = false;
        int r;

        for (;;) {
                r = site_open_probe(site);
                if (r == -FAULT_CANCELLED)
                        was_cancelled = true;
                else if (r == 0 || clock_now_ns() >= deadline_ns)
                        break;
                if (fiber_sleep_ns(LOOK_NS / 5) == -FAULT_CANCELLED)
                        was_cancelled = true;
        }
        if (was_cancelled)
                return fault(FAULT_CANCELLED, "");
        return r;
}

/* Our estimate: through an ST-LINK and a loader or the RSS no memory takes less than 16 KiB a second. Figure
 * 65 has 44 s for an SFIx image in three parts. */
uint64_t vendor_limit_ns(const struct settings *settings, size_t image_length)
{
        return (settings->vendor.timeout_s + (image_length >> 14)) * NS_PER_S;
}

struct tool_run {
        struct install *install;
        enum vendor_action action;
        struct vendor_cli cli;
        const char *certificate;
        struct vendor_install files;
        bool has_ended;
        struct waitlist ended;
};

static int run_tool(void *subject)
{
        struct tool_run *run = subject;
        struct vendor_output *output = &run->install->vendor.output;
        int r = -FAULT_SYSTEM;

        switch (run->action) {
        case VENDOR_IDENTIFY:
                r = vendor_identify(&run->cli, output);
                break;
        case VENDOR_GET_CERTIFICATE:
                r = vendor_get_certificate(&run->cli, run->certificate, output);
                break;
        case VENDOR_INSTALL:
                r = vendor_install(&run->cli, &run->files, output);
                break;
        }
        run->has_ended = true;
        waitlist_wake(&run->ended);
        return r;
}

/* Cancels go on to the tool; so does the loss of its probe, which it may not notice by itself. */
static int watch_tool(struct tool_run *run, const char *path)
{
        struct site *site = run->install->site;
        struct fiber *fiber = fiber_spawn("STM32_Programmer_CLI", run_tool, run);
        uint64_t gone_since_ns = 0;
        bool is_gone = false;

        while (!run->has_ended) {
                int r = waitlist_wait(&run->ended, LOOK_NS);

                if (r == -FAULT_CANCELLED)
                        fiber_cancel(fiber);
                if (r != -FAULT_TIMEOUT || is_gone)
                        continue;
                if (is_on_bus(site, path))
                        gone_since_ns = 0;
                else if (!gone_since_ns)
                        gone_since_ns = clock_now_ns();
                else if (clock_now_ns() - gone_since_ns >= GONE_NS) {
                        is_gone = true;
                        fiber_cancel(fiber);
                }
        }
        if (!is_gone)
                return fiber_join(fiber);
        IGNORE(fiber_join(fiber)); /* cancelled by us */
        return fault(FAULT_UNPLUGGED, "the probe at %s was unplugged under the vendor's tool",
                     path);
}

/* Phases of an install become steps; the log keeps what is not merely progress. */
static void hear(void *context, const struct vendor_output *output)
{
        struct install *install = context;
        const char *step = vendor_phase_name(output->phase);

        if (install->vendor.is_installing && strcmp(step, install->step) != 0)
                install_begin_step(install, step);
        recorder_say(install->site->recorder, "tool: %s", output->last);
        if (output->errors > install->vendor.errors_told)
                log_line(install_about(install), "the vendor's tool: %s", output->last);
        install->vendor.errors_told = output->errors;
        station_changed(install->station);
}

/* One run, with the probe given away for it (waits). */
static int with_tool(struct install *install, struct tool_run *run)
{
        const struct settings *settings = &install->station->settings;
        struct site *site = install->site;
        char serial[64], path[64];
        int r, taken;

        snprintf(serial, sizeof(serial), "%s", wire_identity(site->probe.wire)->serial);
        snprintf(path, sizeof(path), "%s", wire_identity(site->probe.wire)->path);
        run->install = install;
        run->cli = (struct vendor_cli){
                .program = settings->vendor.program,
                .directory = install->vendor.directory,
                .serial = serial,
                .clock_khz = settings->clock_khz,
                .access_port = install->station->family.access_port,
                .limit_ns = run->action == VENDOR_INSTALL
                                    ? vendor_limit_ns(settings, install->lot->sfi->file.length)
                                    : settings->vendor.timeout_s * NS_PER_S,
                .parts = install->lot->part_count,
                .heard = hear,
                .context = install,
        };
        stlink_close(&site->probe);
        r = watch_tool(run, path);
        snprintf(install->vendor.sentence, sizeof(install->vendor.sentence), "%s",
                 r < 0 ? fault_sentence(r) : "");
        taken = take_probe_again(site);
        if (r < 0)
                return fault((enum fault) - r, "%s", install->vendor.sentence);
        /* an install that succeeded is one, whatever becomes of the probe */
        return run->action == VENDOR_INSTALL && taken != -FAULT_CANCELLED ? 0 : taken;
}

/* --- what is known before ------------------------------------------------------------------ */

static int check_serial_is_one(struct install *install)
{
        CLEANUP(free_identities) struct wire_identity *identities = NULL;
        const char *serial = wire_identity(install->site->probe.wire)->serial;
        int count = list_probes(install->station, &identities);
        unsigned same = 0;

        for (int i = 0; i < count; i++)
                same += strcmp(identities[i].serial, serial) == 0;
        if (same > 1)
                return fault(
                        FAULT_PROBE,
                        "%u probes have the serial number %s, by which the vendor's tool knows "
                        "them; give one of the sites another probe",
                        same, serial);
        return 0;
}

static bool image_has(const struct install *install, char type)
{
        const struct sfi *sfi = install->lot->sfi;

        for (unsigned i = 0; i < sfi->count; i++)
                if (sfi->areas[i].type == type)
                        return true;
        return false;
}

/* The least system flash security package: AN5054 sections 10.2 and 13.2. Where the tool does not tell
 * it, nothing is known. */
static int check_security_package(const struct install *install)
{
        const struct family *family = install->target.family;
        const char *found = install->vendor.output.sfsp;
        bool is_h7rs = family->sequence == FAMILY_H7RS;
        unsigned wanted = is_h7rs ? 0x10100 : 0x20400;
        unsigned major = 0, minor = 0, patch = 0;

        if (!is_h7rs && (family->sequence != FAMILY_H5 || !image_has(install, SFI_EXTERNAL)))
                return 0;
        if (sscanf(found, "v%3u.%3u.%3u", &major, &minor, &patch) < 2)
                return 0;
        if ((major << 16) + (minor << 8) + patch >= wanted)
                return 0;
        return fault(FAULT_WRONG_PART,
                     "the part's system flash security package (SFSP) is %s, this install needs "
                     "v%u.%u.%u; use parts of a later date code",
                     found, wanted >> 16, wanted >> 8 & 0xFF, wanted & 0xFF);
}

static int compare_identity(const struct install *install)
{
        const struct vendor_output *output = &install->vendor.output;

        if (output->device_id != install->identity.device_id)
                return fault(FAULT_WRONG_PART,
                             "the vendor's tool sees device 0x%03X (%s), the station 0x%03X",
                             output->device_id, output->device_name, install->identity.device_id);
        if (output->flash_kib && !output->is_flash_default &&
            output->flash_kib != install->identity.flash_kib)
                return fault(FAULT_WRONG_PART,
                             "the vendor's tool sees %u KiB of flash, the station %u KiB",
                             output->flash_kib, install->identity.flash_kib);
        return check_security_package(install);
}

/* Whatever our drivers can read they check; then the tool must see the same part. */
static int check_part(struct install *install)
{
        struct tool_run run = { .action = VENDOR_IDENTIFY };
        int r = check_serial_is_one(install);

        if (r == 0)
                r = install_check_part(install);
        if (r == 0)
                r = vendor_files_make(install->station->settings.data_directory,
                                      install->vendor.directory);
        if (r == 0)
                r = with_tool(install, &run);
        return r < 0 ? r : compare_identity(install);
}

/* --- certificate --------------------------------------------------------------------------- */

/* A global license is for any part (AN5054 section 9.3.3); those of modules may be for this one. */
static bool needs_certificate(const struct order *order)
{
        return order->license.source != LICENSE_GLOBAL || order->module_count > 0;
}

static int read_certificate(struct install *install)
{
        const struct family *family = install->target.family;
        const char *product = family->product_id[0] ? family->product_id : NULL;
        struct tool_run run = { .action = VENDOR_GET_CERTIFICATE };
        struct bytes file CLEANUP(bytes_free) = { 0 };
        char path[VENDOR_PATH_MAX + 32];
        int r;

        if (!needs_certificate(&install->lot->order)) {
                licenses_ask(install);
                return 0;
        }
        snprintf(path, sizeof(path), "%s/certificate.bin", install->vendor.directory);
        run.certificate = path;
        r = with_tool(install, &run);
        if (r < 0)
                return r;
        r = file_read(path, CERTIFICATE_LENGTH, &file);
        if (r < 0)
                return fault(
                        FAULT_BAD_CERTIFICATE,
                        "the vendor's tool reported a certificate and left no file of %d bytes",
                        CERTIFICATE_LENGTH);
        r = certificate_parse(file.data, file.length, product, &install->certificate);
        if (r < 0)
                return r;
        /* the file could be of another chip; the tool says which one it saw, not which it read */
        if (install->certificate.device_id != install->identity.device_id)
                return fault(FAULT_BAD_CERTIFICATE,
                             "the certificate is of a device 0x%03X, the part is a 0x%03X",
                             install->certificate.device_id, install->identity.device_id);
        memcpy(install->record.certificate, install->certificate.fingerprint,
               sizeof(install->record.certificate));
        licenses_ask(install);
        return 0;
}

/* --- the install --------------------------------------------------------------------------- */

/* The probe was away: our side of the part is opened anew. */
static int erase_flash(struct install *install)
{
        int r;

        if (!install->must_erase && !install->must_erase_external)
                return 0;
        r = target_attach(&install->target, install->station->settings.clock_khz);
        return r < 0 ? r : install_erase_flash(install);
}

static const char *or_none(const char *file)
{
        return file[0] ? file : NULL;
}

/* The files of one install, in its private folder: all as they were checked, not as they may be by now. */
struct install_files {
        char image[VENDOR_PATH_MAX], license[VENDOR_PATH_MAX];
        char loader[VENDOR_PATH_MAX], modules[VENDOR_PATH_MAX]; /* "" none */
};

/* Under its own name: nobody knows what the tool makes of it. */
static int put_loader(struct install *install, char path[static VENDOR_PATH_MAX])
{
        const char *file = install->lot->order.external_loader, *slash = strrchr(file, '/');
        const char *name =
                slash && strlen(slash + 1) <= VENDOR_NAME_MAX - 16 ? slash + 1 : "loader.stldr";
        const struct bytes *bytes = &install->lot->loader.file;
        const struct piece piece = { bytes->data, bytes->length };

        if (!install->lot->loader.segment_count)
                return 0;
        return vendor_files_put(install->vendor.directory, name, &piece, path);
}

/* Names in the list are relative to it, and the tool works in the same folder: right either way. */
static int put_module(struct install *install, size_t index, FILE *list)
{
        const struct module_file *file = &install->lot->modules.files[index];
        const struct piece module = { file->module.data, file->module.length };
        struct piece license = { file->license.data, file->license.length };
        char path[VENDOR_PATH_MAX], name[VENDOR_NAME_MAX];
        int r;

        if (!license.length)
                license = licenses_piece(install, 1 + file->wanted);
        snprintf(name, sizeof(name), "module-%zu%s", index + 1, file->ending);
        fprintf(list, "./%s, ", name);
        r = vendor_files_put(install->vendor.directory, name, &module, path);
        snprintf(name, sizeof(name), "license-%zu.bin", index + 1);
        fprintf(list, "./%s, 0x%X\n", name, file->address);
        return r < 0 ? r : vendor_files_put(install->vendor.directory, name, &license, path);
}

/* The rows of the order's list, with this unit's licenses (AN5054 section 13.3.2). */
static int put_modules(struct install *install, char path[static VENDOR_PATH_MAX])
{
        char *text = NULL;
        size_t length = 0;
        FILE *list;
        int r = 0;

        if (!install->lot->modules.count)
                return 0;
        list = open_memstream(&text, &length);
        INSIST(list);
        for (size_t i = 0; i < install->lot->modules.count && r == 0; i++)
                r = put_module(install, i, list);
        INSIST(fclose(list) == 0);
        if (r == 0)
                r = vendor_files_put(install->vendor.directory, "modules.mcsv",
                                     &(struct piece){ text, length }, path);
        free(text);
        return r;
}

static int put_files(struct install *install, struct install_files *ret_files)
{
        const struct bytes *file = &install->lot->sfi->file;
        const struct piece image = { file->data, file->length };
        const struct piece license = licenses_piece(install, 0);
        const char *name = image_has(install, SFI_EXTERNAL) ? "image.sfix" : "image.sfi";
        int r = vendor_files_put(install->vendor.directory, name, &image, ret_files->image);

        if (r == 0)
                r = vendor_files_put(install->vendor.directory, "license.bin", &license,
                                     ret_files->license);
        if (r == 0)
                r = put_loader(install, ret_files->loader);
        return r < 0 ? r : put_modules(install, ret_files->modules);
}

/* Of several licenses nobody knows which one the tool means when it says that one is invalid: all stay in
 * hand then. A global one is in no book. */
static void tell_license_apart(struct install *install)
{
        install->progress.license_refused = install->license_count == 1 ? 0 : UINT16_MAX;
}

static int install_by_tool(struct install *install)
{
        struct install_files files = { .loader = "" };
        struct tool_run run = { .action = VENDOR_INSTALL };
        int r = put_files(install, &files);

        run.files = (struct vendor_install){
                .image = files.image,
                .license = files.license,
                .rsse = or_none(install->station->settings.vendor.rsse_file),
                .loader = or_none(files.loader),
                .modules = or_none(files.modules),
        };
        tell_license_apart(install);
        if (r == 0)
                r = fiber_yield(); /* the last moment at which a stop is heard */
        if (r < 0)
                return r;
        install->is_past_return = true;
        r = licenses_offer(install);
        if (r < 0)
                return r;
        install->vendor.is_installing = true;
        r = with_tool(install, &run);
        install->vendor.is_installing = false;
        return r;
}

/* --- the table ----------------------------------------------------------------------------- */

/* What the tool left, nobody but the tool can put back. */
static const char *put_back(struct install *install)
{
        if (!install->is_past_return || install->vendor.output.phase < VENDOR_PREPARING)
                return "";
        return install_vendor_left(install);
}

static const struct install_step steps[] = {
        { "check the part", check_part },
        { "read the certificate", read_certificate },
        { "erase", erase_flash },
        { "obtain the license", licenses_obtain },
        { "start the install", install_by_tool },
        { "prove the result", install_vendor_prove },
};

const struct install_steps install_by_vendor = { steps, LENGTH_OF(steps), put_back };

/* --- what follows -------------------------------------------------------------------------- */

void install_vendor_finish(struct install *install)
{
        if (vendor_files_remove(install->vendor.directory) < 0)
                station_alarm(install->station, "%s", fault_sentence(-FAULT_SYSTEM));
}

/* --- before any unit ----------------------------------------------------------------------- */

static int check_file(const char *what, const char *file, int mode)
{
        if (!file[0] || access(file, mode) == 0)
                return 0;
        return fault_errno(errno, "vendor.%s of the station file: %s", what, file);
}

int vendor_check_tool(const struct settings *settings, const struct family *family)
{
        const struct settings_vendor *vendor = &settings->vendor;
        int r;

        if (settings->installer != INSTALLER_VENDOR)
                return 0;
        r = check_file("program", vendor->program, X_OK);
        if (r == 0)
                r = check_file("rsse_file", vendor->rsse_file, R_OK);
        if (r < 0)
                return r;
        /* the tool itself goes on without one, and leaves the part damaged: spec 13.7, log U599 */
        if (family->needs_rsse && !vendor->rsse_file[0])
                return fault(FAULT_BAD_VALUE,
                             "%s is installed through an RSSe; set vendor.rsse_file in the station "
                             "file to the one for its die, from the tool's bin/RSSe",
                             family->name);
        return 0;
}

int vendor_check_station(const struct station *station)
{
        unsigned left = vendor_files_sweep(station->settings.data_directory);

        if (left)
                log_line("station", "removed the files of %u interrupted runs of the vendor's tool",
                         left);
        return vendor_check_tool(&station->settings, &station->family);
}
