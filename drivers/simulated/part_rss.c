/*
 * The ROM and the RSS of a simulated part: the reference protocol of drivers/rss.h.
 *
 * REFERENCE: how silicon does it is not public (targets.md 13). While the part runs from system
 * memory its ROM watches the mailbox and answers the certificate command. A pending install is
 * taken at the next reset with SECURITY = 1: the debug port goes silent, and the run goes through
 * steps with a due time each: license, header, then per area its tag and rules, then its flash
 * words one after the other; last of all the option bytes and a reset. What had its time has
 * happened; nothing of the rest has, when power goes.
 *
 * Durations: words as the family says; decryption at the middle of targets.md 10.2 (0.2 to 1 MB/s);
 * license and header are our estimate for software P-256 on the 64 MHz core.
 *
 * Keys, nonces and plaintext live in the run and are wiped when it ends, however it ends.
 */
#include "drivers/simulated/part_private.h"

#include "crypto/digest.h"
#include "crypto/license_global.h"
#include "drivers/rss_external.h"
#include "scheduler/bytes.h"

#include <stdlib.h>

#define MAGIC          0x53525747u /* "GWRS" */
#define RNUR           0x52554E52u
#define DONE           0x454E4F44u
#define AT_COMMAND     0x04u
#define AT_LENGTH      0x08u
#define AT_COUNT       0x0Cu
#define AT_LAST        0x10u
#define AT_MODULES     0x14u
#define AT_STATE       0x20u
#define AT_VALUE       0x24u
#define AT_INDEX       0x28u
#define AT_REASON      0x2Cu
#define AT_CERTIFICATE 0x40u
#define MAILBOX_LENGTH (AT_CERTIFICATE + CERTIFICATE_LENGTH)

#define CERTIFICATE_TIME (20 * NS_PER_MS)
#define LICENSE_TIME     (60 * NS_PER_MS)
#define HEADER_TIME      (1 * NS_PER_MS)
#define DECRYPT_RATE     500000u /* bytes a second */

/* --- mailbox ------------------------------------------------------------------------------- */

static uint8_t *mailbox(struct simulated_part *part)
{
        return part_ram(part, part->rss->mailbox, MAILBOX_LENGTH);
}

uint32_t rss_mailbox_get(struct simulated_part *part, uint32_t offset)
{
        const uint8_t *box = mailbox(part);

        return box ? load_le32(box + offset) : 0;
}

void rss_mailbox_put(struct simulated_part *part, uint32_t offset, uint32_t value)
{
        uint8_t *box = mailbox(part);

        if (box)
                store_le32(box + offset, value);
}

/* A command is taken once: its word goes back to zero. */
uint32_t rss_command(struct simulated_part *part)
{
        return rss_mailbox_get(part, 0) == MAGIC ? rss_mailbox_get(part, AT_COMMAND) : 0;
}

static void mailbox_done(struct simulated_part *part, uint32_t value)
{
        rss_mailbox_put(part, AT_COMMAND, 0);
        rss_mailbox_put(part, AT_VALUE, value);
        rss_mailbox_put(part, AT_STATE, DONE);
}

/* --- the ROM ------------------------------------------------------------------------------- */

bool rss_has_pending_install(struct simulated_part *part)
{
        return rss_command(part) == part->rss->command_install;
}

static bool waits_for_reset(const struct simulated_part *part, uint32_t command)
{
        return command == part->rss->command_install || command == part->rss->command_rsse;
}

/* Somebody wrote there: the ROM sees a new command within its polling loop. */
void rss_mailbox_written(struct simulated_part *part, uint32_t address, uint32_t length)
{
        uint32_t box = part->rss->mailbox;
        uint32_t command;

        if (address - box >= AT_STATE && box - address >= length)
                return; /* the range does not touch the words the host writes */
        if (!part_rom_is_running(part))
                return;
        command = rss_command(part);
        if (part->is_rsse_running && command == part->rss->command_install) {
                rss_begin(part, part->now_ns);
                return;
        }
        if (command != 0 && !waits_for_reset(part, command)) {
                part->certificate_ns = part->now_ns + part_scaled(part, CERTIFICATE_TIME);
                part_changed(part);
        }
}

/* At the time of a certificate, and once whenever the ROM gets to run again. */
void rss_look_into_mailbox(struct simulated_part *part, uint64_t now_ns)
{
        uint32_t command = rss_command(part);
        bool is_due = part->certificate_ns <= now_ns;

        part->certificate_ns = NEVER;
        if (!part_rom_is_running(part) || command == 0 || waits_for_reset(part, command))
                return;
        if (!is_due) {
                part->certificate_ns = now_ns + part_scaled(part, CERTIFICATE_TIME);
                part_changed(part);
                return;
        }
        if (command != part->rss->command_certificate) {
                mailbox_done(part, RSS_ERROR_COMMAND);
                return;
        }
        part_certificate(part, mailbox(part) + AT_CERTIFICATE);
        mailbox_done(part, RSS_OK);
}

void rss_refuse(struct simulated_part *part, uint32_t code)
{
        rss_end_run(part, code);
}

/* --- a run: begin and end ------------------------------------------------------------------ */

static void forget_plain(struct rss_run *run)
{
        if (run->plain)
                wipe(run->plain, run->plain_length);
        free(run->plain);
        run->plain = NULL;
        run->plain_length = run->programmed = 0;
}

void rss_abandon(struct simulated_part *part)
{
        forget_plain(&part->run);
        wipe(&part->run, sizeof(part->run));
        part->run.step = RSS_IDLE;
        part->run.due_ns = NEVER;
}

/* The image's license, then those of the modules. */
static uint8_t *licenses(struct simulated_part *part)
{
        return part_ram(part, part->rss->license, RSS_LICENSES_MAX * LICENSE_LENGTH);
}

/* The licenses are spent either way: they do not stay in RAM for the next who looks. */
void rss_end_run(struct simulated_part *part, uint32_t code)
{
        uint8_t *slot = licenses(part);

        if (slot)
                wipe(slot, RSS_LICENSES_MAX * LICENSE_LENGTH);
        rss_abandon(part);
        rss_mailbox_put(part, AT_REASON, rsse_is_wanted(part) ? code : 0);
        if (rsse_is_wanted(part))
                code = code == RSS_OK ? RSSE_GOOD : RSSE_BAD;
        mailbox_done(part, code);
        part_changed(part);
}

void rss_next_step(struct simulated_part *part, enum rss_step step, uint64_t duration_ns)
{
        part->run.step = step;
        part->run.due_ns += part_scaled(part, duration_ns);
}

/* targets.md 3.2, secure-install.md 13.2: security on, 16 KiB of DTCM for the RSS, RDP 0, no PCROP
 * and no secure area. */
static bool is_prepared(const struct simulated_part *part)
{
        const uint32_t *options = part->in_force;
        uint32_t wanted[OPTION_ROWS_MAX];

        if (rsse_is_wanted(part))
                return part->is_rsse_running && rsse_is_prepared(part);
        memcpy(wanted, options, sizeof(wanted));
        family_secure(part->family, wanted);
        return memcmp(wanted, options, sizeof(wanted)) == 0 &&
               family_is_open(part->family, options) && !option_has_areas(part);
}

/* At the reset that finds an install pending. */
void rss_begin(struct simulated_part *part, uint64_t now_ns)
{
        struct rss_run *run = &part->run;

        rss_abandon(part);
        run->list_length = rss_mailbox_get(part, AT_LENGTH);
        run->count = rss_mailbox_get(part, AT_COUNT);
        run->is_last = rss_mailbox_get(part, AT_LAST) != 0;
        run->license_count = rss_mailbox_get(part, AT_MODULES);
        rss_mailbox_put(part, AT_COMMAND, 0);
        rss_mailbox_put(part, AT_INDEX, 0);
        rss_mailbox_put(part, RSS_AT_EXTERNALS, 0);
        rss_mailbox_put(part, RSS_AT_EXTERNAL_LENGTH, 0);
        rss_mailbox_put(part, AT_STATE, RNUR);
        if (!is_prepared(part)) {
                rss_end_run(part, RSS_ERROR_SECURITY);
                return;
        }
        if (run->count == 0 || run->count > SFI_AREAS_MAX ||
            run->list_length > part->rss->areas_capacity ||
            !part_ram(part, part->rss->areas, run->list_length) ||
            !part_ram(part, part->rss->header, SFI_HEADER_LENGTH) ||
            run->license_count >= RSS_LICENSES_MAX || !licenses(part)) {
                rss_end_run(part, RSS_ERROR_COMMAND);
                return;
        }
        run->due_ns = now_ns;
        rss_next_step(part, RSS_LICENSE, (1 + run->license_count) * LICENSE_TIME);
        part_changed(part);
}

/* --- its steps ----------------------------------------------------------------------------- */

/* An ordinary install takes the license of one without mass erase too: image and way are the same
 * (AN5054 section 8). Those of modules and of SSP are for others. */
static bool is_for_install(const uint8_t license[static LICENSE_LENGTH])
{
        char type[5];

        return license_type(license, type) &&
               (strcmp(type, "SFI") == 0 || strcmp(type, "SFIA") == 0);
}

/* What a module's license carries is the module's own affair: it need only be for this chip. */
static bool module_license_opens(struct simulated_part *part, unsigned module)
{
        uint8_t key[GCM_KEY_LENGTH], nonce[SFI_NONCE_LENGTH];
        int r = license_open(licenses(part) + module * LICENSE_LENGTH, NULL,
                             part->record->private_key, key, nonce);

        wipe(key, sizeof(key));
        wipe(nonce, sizeof(nonce));
        return r >= 0;
}

static void refuse_module(struct simulated_part *part, uint32_t module)
{
        rss_mailbox_put(part, AT_INDEX, module);
        rss_end_run(part, RSS_ERROR_MODULE);
}

static void open_license(struct simulated_part *part)
{
        struct rss_run *run = &part->run;
        const uint8_t *license = licenses(part);
        bool is_global =
                part->rss->takes_global && license_global_is(license, LICENSE_GLOBAL_LENGTH);
        int r = is_global ? license_global_open(license, run->key, run->nonce)
                          : license_open(license, NULL, part->record->private_key, run->key,
                                         run->nonce);

        if (r < 0 || (!is_global && !is_for_install(license))) {
                rss_end_run(part, RSS_ERROR_LICENSE);
                return;
        }
        for (unsigned i = 1; i <= run->license_count; i++)
                if (!module_license_opens(part, i)) {
                        refuse_module(part, i);
                        return;
                }
        rss_next_step(part, RSS_HEADER, HEADER_TIME);
}

static uint64_t decrypt_time(uint32_t length)
{
        return (uint64_t)length * NS_PER_S / DECRYPT_RATE;
}

/* Length of the payload that comes next in the list; false when the list is cut short. */
static bool peek_area(struct simulated_part *part, const uint8_t **ret_header, uint32_t *ret_length)
{
        const struct rss_run *run = &part->run;
        const uint8_t *list = part_ram(part, part->rss->areas, run->list_length);
        uint32_t rest = run->list_length - run->offset;

        if (rest < SFI_AREA_HEADER_LENGTH)
                return false;
        *ret_header = list + run->offset;
        *ret_length = load_le32(*ret_header + 4);
        return *ret_length <= rest - SFI_AREA_HEADER_LENGTH;
}

/* The licenses are spent; what follows, the option bytes, may shut the mailbox for good. */
static void show_value(struct simulated_part *part)
{
        wipe(licenses(part), RSS_LICENSES_MAX * LICENSE_LENGTH);
        rss_mailbox_put(part, AT_VALUE, RSSE_GOOD);
        rss_mailbox_put(part, AT_REASON, RSS_OK);
        rss_mailbox_put(part, AT_STATE, RSS_STATE_SHOWN);
        part->run.step = RSS_SHOW;
        part->run.due_ns +=
                part->rss->show_ms * NS_PER_MS; /* for a host, however fast the part is */
}

/* What comes after an area or the header: the next area, the option bytes, or the end. */
static void go_on(struct simulated_part *part)
{
        struct rss_run *run = &part->run;
        struct install_context *install = &part->record->install;
        const uint8_t *header;
        uint32_t length = 0;

        if (run->position < run->count) {
                if (peek_area(part, &header, &length))
                        rss_next_step(part, RSS_AREA, decrypt_time(length));
                else
                        rss_end_run(part, RSS_ERROR_COMMAND);
                return;
        }
        if (run->offset != run->list_length) {
                rss_end_run(part, RSS_ERROR_COMMAND);
                return;
        }
        if (run->is_last && install->modules < run->license_count) {
                refuse_module(part, install->modules + 1); /* there is no such module */
                return;
        }
        /* The part counts from here on; until now a repetition began where this one did. */
        install->next_index = run->first_index + run->count;
        install->kept = install->range_count;
        install->modules_kept = install->modules;
        if (run->is_last)
                install->is_active = 0;
        if (run->is_last && rsse_is_wanted(part))
                show_value(part);
        else if (run->is_last && run->has_options)
                rss_next_step(part, RSS_OPTIONS, part->family->option_program_ms * NS_PER_MS);
        else
                rss_end_run(part, RSS_OK);
}

/* Which install this is: a later part must show the same nonce and header as the first. */
static void digest_install(const struct rss_run *run, const uint8_t *header,
                           uint8_t ret_digest[static DIGEST_LENGTH])
{
        const struct piece pieces[] = { { run->nonce, sizeof(run->nonce) },
                                        { header, SFI_HEADER_LENGTH } };

        digest_sha256_pieces(pieces, LENGTH_OF(pieces), ret_digest);
}

/* The first part opens a new context; a later one must fit the one that stands. */
static bool enter_install(struct simulated_part *part, const uint8_t *header)
{
        struct install_context *install = &part->record->install;
        struct rss_run *run = &part->run;
        const uint8_t *area;
        uint8_t digest[DIGEST_LENGTH];
        uint32_t length;

        digest_install(run, header, digest);
        if (!peek_area(part, &area, &length))
                return true; /* go_on() finds the list too short and says so */
        run->first_index = load_le16(area + 2);
        if (run->first_index == 1) {
                install->is_active = 0;
                part->record->option_keys = part->record->images = 0;
                install->range_count = install->kept = 0;
                install->modules = install->modules_kept = 0;
                install->next_index = 1;
                memcpy(install->digest, digest, sizeof(digest));
                install->is_active = 1;
                return true;
        }
        install->range_count = install->kept; /* areas of a part that failed do not count */
        install->modules = install->modules_kept;
        return install->is_active && install->next_index == run->first_index &&
               memcmp(install->digest, digest, sizeof(digest)) == 0;
}

static void check_header(struct simulated_part *part)
{
        struct rss_run *run = &part->run;
        const uint8_t *header = part_ram(part, part->rss->header, SFI_HEADER_LENGTH);
        struct gcm_key *key = gcm_key_create(run->key);
        uint16_t protocol = load_le16(header + 8);
        uint8_t iv[GCM_IV_LENGTH];
        int r;

        sfi_iv(run->nonce, 0, part->rss->iv_policy, iv);
        r = gcm_open(key, iv, header, SFI_HEADER_AAD_LENGTH, NULL, NULL, 0,
                     header + SFI_HEADER_AAD_LENGTH);
        gcm_key_destroy(key);
        run->total = load_le16(header + 10);
        if (r < 0 || memcmp(header, "SFIMAGIC", 8) != 0 || protocol < 1 || protocol > 2)
                rss_end_run(part, RSS_ERROR_HEADER);
        else if (!enter_install(part, header))
                rss_end_run(part, RSS_ERROR_ORDER);
        else
                go_on(part);
}

/* Indexes run on, a part ends with P unless it is the last, and begins with R unless the first. */
static bool is_in_order(const struct rss_run *run, const uint8_t *header)
{
        uint32_t index = load_le16(header + 2);
        bool is_first = run->position == 0, is_end = run->position + 1 == run->count;

        if (index != run->first_index + run->position || load_le16(header + 12) != run->total ||
            index > run->total)
                return false;
        if (is_first && run->first_index > 1 && header[0] != SFI_RESUME)
                return false;
        if (is_end && !run->is_last && header[0] != SFI_PAUSE)
                return false;
        return !is_end || !run->is_last || index == run->total;
}

static uint32_t open_area(struct simulated_part *part, const uint8_t *header, uint32_t length)
{
        struct rss_run *run = &part->run;
        struct gcm_key *key = gcm_key_create(run->key);
        uint8_t iv[GCM_IV_LENGTH];
        int r;

        run->plain = malloc((size_t)length + 1);
        INSIST(run->plain);
        run->plain_length = length;
        run->plain_address = load_le32(header + 8);
        sfi_iv(run->nonce, load_le16(header + 2), part->rss->iv_policy, iv);
        r = gcm_open(key, iv, header, SFI_AREA_AAD_LENGTH, header + SFI_AREA_HEADER_LENGTH,
                     run->plain, length, header + SFI_AREA_AAD_LENGTH);
        gcm_key_destroy(key);
        return r < 0 ? RSS_ERROR_AREA : RSS_OK;
}

/* Rules for what goes into flash: in it, clear of this install's other areas, on erased words. */
uint32_t rss_check_range(struct simulated_part *part, uint32_t start, uint32_t length)
{
        struct install_context *install = &part->record->install;
        uint32_t unit = part->family->word_length;

        if (length == 0)
                return RSS_OK;
        if (!flash_holds(part, start, length))
                return RSS_ERROR_RANGE;
        for (uint32_t i = 0; i < install->range_count; i++)
                if (start < install->ranges[i].end && install->ranges[i].start < start + length)
                        return RSS_ERROR_OVERLAP;
        if (install->range_count == INSTALL_RANGES_MAX)
                return RSS_ERROR_COMMAND;
        if (option_protects_write(part, start, length))
                return RSS_ERROR_FLASH;
        for (uint32_t at = start - start % unit; at < start + length; at += unit)
                if (flash_is_written(part, at))
                        return RSS_ERROR_NOT_BLANK;
        return RSS_OK;
}

static uint32_t check_destination(struct simulated_part *part)
{
        /* TrustZone parts are told the secure name of a byte, too (AN5054 section 12.3.2). */
        part->run.plain_address = family_plain_address(part->family, part->run.plain_address);
        return rss_check_range(part, part->run.plain_address, part->run.plain_length);
}

static void note_range(struct simulated_part *part)
{
        struct install_context *install = &part->record->install;

        install->ranges[install->range_count] =
                (struct install_range){ part->run.plain_address,
                                        part->run.plain_address + part->run.plain_length };
        install->range_count++;
}

static uint32_t keep_options(struct simulated_part *part)
{
        struct rss_run *run = &part->run;

        if (run->plain_length != part->family->option_count * 4 || !run->is_last)
                return RSS_ERROR_OPTION;
        for (size_t i = 0; i < part->family->option_count; i++)
                run->options[i] = load_le32(run->plain + 4 * i);
        if (rsse_is_wanted(part) ? !option_rsse_may(part, run->options)
                                 : !option_change_is_allowed(part, run->options))
                return RSS_ERROR_OPTION;
        run->has_options = true;
        return RSS_OK;
}

/* Files for the part's key store and ST's own images (reference letters, crypto/sfi.h): they are opened
 * and counted; of what is in them, debug authentication is kept (part_authentication.c). */
static uint32_t keep_file(struct simulated_part *part, char type)
{
        const struct family_range *keys = &part->family->option_keys;
        const struct rss_run *run = &part->run;

        if (part->family->procedure != PROCEDURE_STATE || run->plain_length == 0)
                return RSS_ERROR_COMMAND;
        if (type == SFI_SSFI_REFERENCE) {
                part->record->images++;
                return RSS_OK;
        }
        if (keys->length && run->plain_address - keys->address >= keys->length)
                return RSS_ERROR_RANGE;
        part->record->option_keys++;
        authentication_provision(part, run->plain, run->plain_length);
        return RSS_OK;
}

/* What an opened area asks for. Letters we do not know are refused, as drivers/rss.h says. */
static uint32_t judge_area(struct simulated_part *part, char type)
{
        switch (type) {
        case SFI_FIRMWARE:
        case SFI_MODULE:
                return check_destination(part);
        case SFI_CONFIGURATION:
                return keep_options(part);
        case SFI_PAUSE:
        case SFI_RESUME:
                return RSS_OK;
        case SFI_EXTERNAL:
                return rss_give_external(part);
        case SFI_OPTION_KEY_REFERENCE:
        case SFI_SSFI_REFERENCE:
                return keep_file(part, type);
        case SFI_KEYS:
                return rsse_is_wanted(part)
                               ? rsse_make_keys(part, part->run.plain, part->run.plain_length)
                               : RSS_ERROR_COMMAND;
        default:
                return RSS_ERROR_COMMAND;
        }
}

static void finish_area(struct simulated_part *part)
{
        forget_plain(&part->run);
        part->run.position++;
        go_on(part);
}

static void take_area(struct simulated_part *part)
{
        struct rss_run *run = &part->run;
        const uint8_t *header;
        uint32_t length, code;
        char type;

        if (!peek_area(part, &header, &length)) {
                rss_end_run(part, RSS_ERROR_COMMAND);
                return;
        }
        type = (char)header[0];
        if (rsse_is_wanted(part))
                rsse_enter_areas(part);
        rss_mailbox_put(part, AT_INDEX, load_le16(header + 2));
        code = is_in_order(run, header) ? open_area(part, header, length) : RSS_ERROR_ORDER;
        if (code == RSS_OK)
                code = judge_area(part, type);
        if (code == RSS_OK && type == SFI_MODULE &&
            ++part->record->install.modules > run->license_count) {
                refuse_module(part, part->record->install.modules);
                return;
        }
        if (code != RSS_OK) {
                rss_end_run(part, code);
                return;
        }
        run->offset += SFI_AREA_HEADER_LENGTH + length;
        if ((type != SFI_FIRMWARE && type != SFI_MODULE) || length == 0) {
                finish_area(part);
                return;
        }
        note_range(part);
        rss_next_step(part, RSS_PROGRAM, part->family->word_program_us * NS_PER_US);
}

/* One flash word: the bytes of the area that fall into it, ones around them. */
static void program_word(struct simulated_part *part)
{
        struct rss_run *run = &part->run;
        uint32_t unit = part->family->word_length;
        uint32_t at = run->plain_address + run->programmed, start = at - at % unit;
        uint32_t skip = at - start, rest = run->plain_length - run->programmed;
        uint32_t count = unit - skip < rest ? unit - skip : rest;
        uint8_t word[WORD_LENGTH_MAX];
        bool took;

        memset(word, 0xFF, sizeof(word));
        memcpy(word + skip, run->plain + run->programmed, count);
        took = flash_commit(part, start, word);
        wipe(word, sizeof(word));
        if (!took) {
                rss_end_run(part, RSS_ERROR_FLASH);
                return;
        }
        run->programmed += count;
        if (run->programmed < run->plain_length)
                rss_next_step(part, RSS_PROGRAM, part->family->word_program_us * NS_PER_US);
        else
                finish_area(part);
}

/* Option bytes stand, the mailbox tells, and the part resets itself to live by them. */
static void finish_options(struct simulated_part *part)
{
        uint64_t now_ns = part->run.due_ns;

        if (rsse_is_wanted(part))
                option_apply_by_rsse(part, part->run.options);
        else
                option_apply(part, part->run.options);
        rss_end_run(part, RSS_OK);
        part_reset(part, now_ns);
}

static void run_step(struct simulated_part *part)
{
        switch (part->run.step) {
        case RSS_IDLE:
                break;
        case RSS_LOAD:
                rsse_look(part);
                break;
        case RSS_LICENSE:
                open_license(part);
                break;
        case RSS_HEADER:
                check_header(part);
                break;
        case RSS_AREA:
                take_area(part);
                break;
        case RSS_PROGRAM:
                program_word(part);
                break;
        case RSS_SHOW:
                if (part->run.has_options)
                        rss_next_step(part, RSS_OPTIONS,
                                      part->family->option_program_ms * NS_PER_MS);
                else
                        rss_end_run(part, RSS_OK);
                break;
        case RSS_OPTIONS:
                finish_options(part);
                break;
        }
}

/* All steps that are due, without a look at anything else between: nothing else moves meanwhile. */
void rss_advance(struct simulated_part *part, uint64_t now_ns)
{
        while (part->run.step != RSS_IDLE && part->run.due_ns <= now_ns)
                run_step(part);
        part_changed(part);
}
