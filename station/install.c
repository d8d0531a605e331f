/*
 * install.c - the steps of a secure install, in their order, and what always follows them.
 *
 * perform() runs the table and stops at the first fault; put_back() then always runs: it ends the
 * license request, takes back what can be taken back, and tells the ledger what became of the license.
 * The order is the safety argument: read everything; then the certificate; only then ask for a license
 * and begin to change the part; make the license durable as offered; only then hand it over.
 */
#include "station/install_parts.h"

#include "drivers/family_fields.h"
#include "drivers/preflight.h"
#include "drivers/rsse.h"
#include "scheduler/fiber.h"
#include "scheduler/loop.h"
#include "station/log.h"
#include "station/lot.h"
#include "station/site.h"
#include "station/station.h"

#include <stdio.h>
#include <string.h>

const char *install_about(const struct install *install)
{
        static char about[32];

        snprintf(about, sizeof(about), "site %s", install->site->settings->name);
        return about;
}

void install_begin_step(struct install *install, const char *name)
{
        install->step = name;
        install->step_started_ns = clock_now_ns();
        install->work_done = install->work_total = 0;
        install->progress = (struct rss_progress){ 0 };
        log_line(install_about(install), "%s", name);
        recorder_say(install->site->recorder, "step: %s", name);
        station_changed(install->station);
}

/* Keep what went wrong where it was first seen; later waits may overwrite the fiber's sentence. */
static void note_fault(struct install *install, int fault)
{
        struct record *record = &install->record;

        snprintf(record->fault, sizeof(record->fault), "%s", fault_name(fault));
        snprintf(record->step, sizeof(record->step), "%s", install->step);
        snprintf(record->sentence, sizeof(record->sentence), "%s", fault_sentence(fault));
}

static bool is_by_vendor(const struct install *install)
{
        return install->station->settings.installer == INSTALLER_VENDOR;
}

/* --- sectors the image touches ------------------------------------------------------------- */

static bool area_is_in_flash(const struct sfi_area *area)
{
        return area->type == SFI_FIRMWARE || area->type == SFI_MODULE;
}

/* Without the secure alias: image and part may call a byte by different names. */
static uint32_t start_of(const struct install *install, const struct sfi_area *area)
{
        return family_plain_address(install->target.family, area->address);
}

/* Of this part: smaller ones of a two-bank line keep the bank addresses and halve the banks. */
static uint32_t bank_length(const struct install *install)
{
        const struct family *family = install->target.family;
        uint32_t length = (install->identity.flash_kib << 10) / family->banks;

        return length < family->bank_length ? length : family->bank_length;
}

/* Where random keys go is sealed with the rest (secure-install.md 6.2): anywhere may be theirs. */
static bool image_touches(const struct install *install, uint32_t address, uint32_t length)
{
        const struct sfi *sfi = install->lot->sfi;

        for (unsigned i = 0; i < sfi->count; i++) {
                const struct sfi_area *area = &sfi->areas[i];
                uint32_t start = start_of(install, area);

                if (area->type == SFI_KEYS)
                        return true;
                if (area_is_in_flash(area) && start < address + length &&
                    address < start + area->length)
                        return true;
        }
        return false;
}

/* Call `act` for each sector of the part that the image touches; the first fault ends it. */
static int each_touched_sector(struct install *install,
                               int (*act)(struct install *install, uint32_t address))
{
        const struct family *family = install->target.family;
        uint32_t length = bank_length(install);
        int r;

        for (unsigned bank = 0; bank < family->banks; bank++)
                for (uint32_t at = 0; at < length; at += family->sector_length) {
                        uint32_t address = family->bank_address[bank] + at;

                        if (!image_touches(install, address, family->sector_length))
                                continue;
                        r = act(install, address);
                        if (r < 0)
                                return r;
                }
        return 0;
}

static int count_sector(struct install *install, uint32_t address)
{
        (void)address;
        install->work_total += install->target.family->sector_length;
        return 0;
}

static int check_sector_blank(struct install *install, uint32_t address)
{
        uint32_t length = install->target.family->sector_length;
        int r = target_check_blank(&install->target, address, length);

        install->work_done += length;
        return r;
}

/* Without a mass erase only the words the image writes must be blank, not what shares their sector. */
static int check_words_blank(struct install *install)
{
        const struct sfi *sfi = install->lot->sfi;
        uint32_t unit = install->target.family->word_length;
        int r = 0;

        for (unsigned i = 0; i < sfi->count && r >= 0; i++) {
                const struct sfi_area *area = &sfi->areas[i];
                uint32_t at = start_of(install, area), start = at - at % unit;
                uint32_t end = (at + area->length + unit - 1) / unit * unit;

                if (area_is_in_flash(area) && area->length)
                        r = target_check_blank(&install->target, start, end - start);
        }
        return r;
}

static int erase_sector(struct install *install, uint32_t address)
{
        uint32_t length = install->target.family->sector_length;
        int r = target_erase(&install->target, address, length, NULL);

        install->work_done += length;
        return r;
}

/* --- preflight: reads only ----------------------------------------------------------------- */

/* A part that is closed already was either never ours, or closed by an install whose end we missed. */
static int check_open(struct install *install)
{
        uint8_t level = family_protection(install->target.family, install->options);

        if (family_is_open(install->target.family, install->options) ||
            !install->history.was_interrupted)
                return 0; /* what else it is, preflight says */
        return fault(FAULT_NOT_PROVABLE,
                     "the part is closed (%s 0x%02X) after an interrupted install of this order",
                     family_field(install->target.family, ROLE_READOUT) ? "RDP" : "product state",
                     level);
}

static int check_size(struct install *install)
{
        const struct sfi *sfi = install->lot->sfi;
        const struct family *family = install->target.family;
        uint32_t bank = bank_length(install);

        for (unsigned i = 0; i < sfi->count; i++) {
                const struct sfi_area *area = &sfi->areas[i];
                bool fits = !area_is_in_flash(area);
                uint32_t start = start_of(install, area);

                for (unsigned b = 0; b < family->banks && !fits; b++)
                        fits = start >= family->bank_address[b] &&
                               start - family->bank_address[b] + area->length <= bank;
                /* An area may run from the end of a full bank into the next one. */
                if (!fits && bank == family->bank_length)
                        fits = start >= family->bank_address[0] &&
                               start - family->bank_address[0] + area->length <=
                                       family->banks * family->bank_length;
                if (!fits)
                        return fault(FAULT_WRONG_PART,
                                     "area %u needs 0x%08X..0x%08X, the part has %u KiB of flash",
                                     area->index, area->address, area->address + area->length - 1,
                                     install->identity.flash_kib);
        }
        return 0;
}

bool install_may_erase(const struct install *install)
{
        const struct order *order = &install->lot->order;

        if (strcmp(order->license.type, "SFIA") == 0)
                return false; /* what is beside the image stays (AN5054 section 8.1) */
        return order->erase == ERASE_ALWAYS ||
               (order->erase == ERASE_INTERRUPTED && install->history.was_interrupted);
}

static int check_blank(struct install *install)
{
        int r;

        if (strcmp(install->lot->order.license.type, "SFIA") == 0)
                return check_words_blank(install);
        (void)each_touched_sector(install, count_sector);
        r = each_touched_sector(install, check_sector_blank);
        if (r != -FAULT_NOT_BLANK || !install_may_erase(install))
                return r;
        install->must_erase = true;
        return 0;
}

/* The vendor's tool speaks to the RSS by itself, so no profile is asked for it. */
int install_check_conditions(struct install *install)
{
        const struct rss_profile *rss = is_by_vendor(install) ? NULL : &install->station->rss;
        int r = check_open(install);

        if (r >= 0)
                r = preflight_check(&install->target, install->options, rss);
        if (r >= 0)
                r = check_size(install);
        if (r >= 0)
                r = check_blank(install);
        return r < 0 ? r : install_check_external(install);
}

int install_check_part(struct install *install)
{
        int r = target_read_options(&install->target, install->options);

        return r < 0 ? r : install_check_conditions(install);
}

/* --- certificate --------------------------------------------------------------------------- */

/* Read twice: what its signature covers is not public, so nothing else shows a bit that was flipped on
 * the way there, and a license for it would be lost. */
int install_read_certificate(struct install *install)
{
        struct certificate again;
        int r = rss_read_certificate(&install->target, &install->station->rss,
                                     &install->certificate);

        if (r == 0)
                r = rss_read_certificate(&install->target, &install->station->rss, &again);
        if (r < 0)
                return r;
        if (memcmp(again.bytes, install->certificate.bytes, sizeof(again.bytes)) != 0)
                return fault(FAULT_BAD_CERTIFICATE,
                             "two readings of the certificate differ (%s, then %s)",
                             install->certificate.fingerprint, again.fingerprint);
        memcpy(install->record.certificate, install->certificate.fingerprint,
               sizeof(install->record.certificate));
        licenses_ask(install);
        return 0;
}

/* --- changing the part --------------------------------------------------------------------- */

int install_erase_flash(struct install *install)
{
        int r = 0;

        if (install->must_erase) {
                (void)each_touched_sector(install, count_sector);
                r = each_touched_sector(install, erase_sector);
        }
        return r < 0 ? r : install_erase_external(install);
}

int install_write_options(struct install *install, const uint32_t *options)
{
        const struct family *family = install->target.family;

        for (size_t i = 0; i < family->option_count; i++)
                install->options_changed |=
                        ((options[i] ^ install->options[i]) & family->options[i].mask) != 0;
        return target_write_options(&install->target, options);
}

int install_load_rsse(struct install *install)
{
        const struct rsse *rsse = &install->station->rsse;
        int r;

        install->work_total = (uint32_t)rsse->file.length;
        r = rsse_start(&install->target, &install->station->rss, rsse, &install->work_done);
        install->work_total = 0;
        return r;
}

static int install_each_part(struct install *install, const uint8_t *licenses)
{
        struct lot *lot = install->lot;

        for (unsigned i = 0; i < lot->part_count; i++) {
                bool is_last = i + 1 == lot->part_count;
                int r = rss_install_part(&install->target, &install->station->rss, lot->sfi,
                                         &lot->parts[i], is_last, licenses, install->license_count,
                                         &install->progress);

                install->end = install->progress.end;
                if (r >= 0)
                        r = install_program_external(install, &lot->parts[i], is_last);
                if (r < 0)
                        return lot->part_count == 1
                                       ? r
                                       : fault_prefix(r, "part %u of %u", i + 1, lot->part_count);
        }
        return 0;
}

int install_image(struct install *install)
{
        uint8_t licenses[INSTALL_LICENSES_MAX * LICENSE_LENGTH];
        int r = fiber_yield(); /* the last moment at which a stop is heard */

        if (r < 0)
                return r;
        install->is_past_return = true;
        r = licenses_offer(install);
        if (r < 0)
                return r;
        licenses_copy(install, licenses);
        r = install_each_part(install, licenses);
        install->image_is_in = r >= 0;
        wipe(licenses, sizeof(licenses));
        return r;
}

/* --- performing ---------------------------------------------------------------------------- */

static const struct install_steps *procedure_of(const struct install *install)
{
        if (is_by_vendor(install))
                return &install_by_vendor;
        switch (install->target.family->procedure) {
        case PROCEDURE_NONE: /* no station starts with such a family (family_check_drivers) */
        case PROCEDURE_RSS_ROM:
                break;
        case PROCEDURE_RSSE:
                return &install_rsse;
        case PROCEDURE_STATE:
                return &install_state;
        }
        return &install_rss_rom;
}

static int perform(struct install *install)
{
        const struct install_steps *procedure = procedure_of(install);

        for (size_t i = 0; i < procedure->count; i++) {
                int r;

                install_begin_step(install, procedure->steps[i].name);
                r = procedure->steps[i].perform(install);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* --- what always follows ------------------------------------------------------------------- */

static void restore_part(struct install *install)
{
        struct record *record = &install->record;
        size_t end = strlen(record->sentence);

        snprintf(record->sentence + end, sizeof(record->sentence) - end, "%s",
                 procedure_of(install)->put_back(install));
}

static int put_back(struct install *install, int outcome)
{
        int r;

        licenses_end_asking(install);
        install->is_unproven = outcome == -FAULT_NOT_PROVABLE;
        if (outcome < 0 && outcome != -FAULT_UNPLUGGED)
                restore_part(install);
        r = licenses_settle(install, outcome);
        licenses_wipe(install);
        install_vendor_finish(install);
        return r;
}

/* What the wire saw, where it is wanted. That it cannot be kept is no fault of the unit. */
static void keep_capture(struct install *install)
{
        struct station *station = install->station;
        struct site *site = install->site;
        char name[CAPTURE_NAME_MAX];
        int r = captures_keep(&station->captures, site->recorder, &install->record,
                              site->probe.version.text, name);

        if (r < 0)
                station_alarm(station, "site %s: the capture was not kept: %s",
                              site->settings->name, fault_sentence(r));
        else if (name[0])
                log_line(install_about(install), "capture %s", name);
}

/* --- the attempt --------------------------------------------------------------------------- */

int install_identify(struct install *install, struct station *station, struct site *site,
                     struct lot *lot)
{
        struct record *record = &install->record;
        int r;

        *install = (struct install){
                .station = station,
                .site = site,
                .lot = lot,
                .target = { .probe = &site->probe, .family = &station->family },
                .started_ns = clock_now_ns(),
        };
        snprintf(record->order, sizeof(record->order), "%s", lot->order.id);
        snprintf(record->site, sizeof(record->site), "%s", site->settings->name);
        snprintf(record->probe, sizeof(record->probe), "%s",
                 wire_identity(site->probe.wire)->serial);
        recorder_begin(site->recorder);
        install_begin_step(install, "connect");
        r = target_attach(&install->target, station->settings.clock_khz);
        if (r == 0)
                r = target_identify(&install->target, &install->identity);
        if (r < 0) {
                note_fault(install, r);
                return r;
        }
        memcpy(record->unit, install->identity.unique_id_text, sizeof(record->unit));
        r = records_identify(station->records, record, &install->history);
        if (r < 0)
                note_fault(install, r);
        return r;
}

int install_attempt(struct install *install, int identified)
{
        struct records *records = install->station->records;
        struct record *record = &install->record;
        int r, outcome = identified;

        r = records_open_attempt(records, record);
        if (r < 0)
                return r;
        if (outcome == 0) {
                outcome = perform(install);
                if (outcome < 0)
                        note_fault(install, outcome);
        }
        r = put_back(install, outcome);
        if (r < 0 && outcome == 0) {
                outcome = r;
                note_fault(install, outcome);
        }
        record->result = result_of(outcome);
        r = records_close_attempt(records, record);
        log_line(install_about(install), "unit %s attempt %u: %s%s%s%s%s", record->unit,
                 record->attempt, result_name(record->result), outcome < 0 ? " " : "",
                 record->fault, outcome < 0 ? ": " : "", record->sentence);
        keep_capture(install);
        install->step = "";
        return r < 0 ? r : outcome;
}

unsigned install_progress(const struct install *install)
{
        const struct rss_progress *rss = &install->progress;

        if (install->vendor.is_installing)
                return install->vendor.output.progress;
        if (install->work_total)
                return (unsigned)(1000ull * install->work_done / install->work_total);
        if (rss->bytes_total)
                /* sending is the first tenth; the rest is the RSS at work, area by area */
                return (unsigned)(100ull * rss->bytes_sent / rss->bytes_total) +
                       (rss->area_count ? 900u * rss->area_reached / rss->area_count : 0);
        return 0;
}
