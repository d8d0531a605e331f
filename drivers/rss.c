/*
 * rss.c - talk to the root security services through their mailbox in RAM (rss.h has its layout).
 *
 * The certificate is a question and an answer. An install is: license, header and areas of one part
 * into RAM, the mailbox with the command word last, a reset. From then on the part is on its own:
 * the debug port stays closed while the RSS decrypts and programs, so we knock every 50 ms. When it
 * opens, the mailbox says how far the RSS got and, in the end, what became of it.
 *
 * No answer is never taken for success. After the last part the new option bytes may have closed
 * the part for good, rightly; then the verdict is that nothing proves the install.
 */
#include "drivers/rss_mailbox.h"

#include "scheduler/bytes.h"
#include "scheduler/fiber.h"
#include "scheduler/loop.h"

#include <stdio.h>

#define MAGIC 0x53525747u /* "GWRS" in memory order */

#define CERTIFICATE_POLL_MS 2u
#define INSTALL_POLL_MS     50u
#define SHUT_LOOKS          4u /* longer than any reset takes */
#define WORK_FACTOR         3u /* worst program time is twice the typical (targets.md 10.1) */

static const struct code {
        enum fault fault;
        const char *meaning;
} codes[] = {
        [RSS_OK] = { FAULT_NONE, "good" },
        [RSS_ERROR_COMMAND] = { FAULT_RSS, "unknown command or lengths that do not fit" },
        [RSS_ERROR_SECURITY] = { FAULT_PROTECTED,
                                 "SECURITY or ST_RAM_SIZE is not set, or the part is read-out "
                                 "protected" },
        [RSS_ERROR_LICENSE] = { FAULT_BAD_LICENSE, "the license is not for this chip" },
        [RSS_ERROR_HEADER] = { FAULT_BAD_IMAGE, "the image header's tag: wrong key or nonce" },
        [RSS_ERROR_AREA] = { FAULT_BAD_AREA, "the area's tag" },
        [RSS_ERROR_OVERLAP] = { FAULT_BAD_IMAGE, "the area overlaps an earlier one" },
        [RSS_ERROR_RANGE] = { FAULT_BAD_IMAGE, "the area's destination is not in flash" },
        [RSS_ERROR_NOT_BLANK] = { FAULT_NOT_BLANK, "the area's destination is not erased" },
        [RSS_ERROR_FLASH] = { FAULT_FLASH, "a flash word did not take its value" },
        [RSS_ERROR_ORDER] = { FAULT_RSS, "part or area out of order" },
        [RSS_ERROR_OPTION] = { FAULT_OPTION_BYTES, "the option bytes were refused" },
        [RSS_ERROR_MODULE] = { FAULT_BAD_LICENSE,
                               "the license of a module is missing, one too many, or not for this "
                               "chip" },
        [RSS_ERROR_RSSE] = { FAULT_RSS, "what was loaded is no RSSe for this die" },
        [RSS_ERROR_CIPHER] = { FAULT_BAD_IMAGE,
                               "the OTFDEC region is not in front of this memory, its mode is not "
                               "public, or its key is not there" },
};

static bool names_an_area(uint32_t value)
{
        return value == RSS_ERROR_AREA || value == RSS_ERROR_OVERLAP || value == RSS_ERROR_RANGE ||
               value == RSS_ERROR_NOT_BLANK || value == RSS_ERROR_FLASH ||
               value == RSS_ERROR_ORDER || value == RSS_ERROR_OPTION || value == RSS_ERROR_CIPHER;
}

static const struct sfi_area *find_area(const struct sfi *sfi, uint32_t index)
{
        for (unsigned i = 0; sfi && i < sfi->count; i++)
                if (sfi->areas[i].index == index)
                        return &sfi->areas[i];
        return NULL;
}

/* What the complete value means to us. `sfi` NULL: no area to name. */
int rss_judge(uint32_t value, uint32_t area_index, const struct sfi *sfi)
{
        const struct sfi_area *area = find_area(sfi, area_index);
        const struct code *code = value < LENGTH_OF(codes) ? &codes[value] : NULL;

        if (value == RSS_OK)
                return 0;
        if (!code)
                return fault(FAULT_RSS, "the RSS complete value is 0x%X, which is in no table",
                             value);
        if (value == RSS_ERROR_MODULE)
                return fault(code->fault, "the RSS complete value is %u at module %u: %s", value,
                             area_index, code->meaning);
        if (names_an_area(value) && area)
                return fault(code->fault,
                             "the RSS complete value is %u at area %u (type %c, %u bytes at "
                             "0x%08X): %s",
                             value, area_index, area->type, area->length, area->address,
                             code->meaning);
        return fault(code->fault, "the RSS complete value is %u: %s", value, code->meaning);
}

/* --- mailbox ------------------------------------------------------------------------------- */

static int put(struct target *target, const struct rss_profile *profile, uint32_t at,
               uint32_t value)
{
        return target_write_word(target, profile->mailbox + at, value);
}

int rss_get(struct target *target, const struct rss_profile *profile, uint32_t at,
            uint32_t *ret_value)
{
        return target_read_word(target, profile->mailbox + at, ret_value);
}

/* Answer fields to zero and the arguments first, the command word last: the RSS looks at that one.
 */
int rss_post(struct target *target, const struct rss_profile *profile,
             const struct rss_command *command)
{
        const struct {
                uint32_t at, value;
        } words[] = {
                { RSS_AT_COMMAND, 0 },
                { RSS_AT_STATE, 0 },
                { RSS_AT_VALUE, 0 },
                { RSS_AT_AREA, 0 },
                { RSS_AT_REASON, 0 },
                { RSS_AT_LENGTH, command->length },
                { RSS_AT_COUNT, command->count },
                { RSS_AT_LAST, command->is_last },
                { RSS_AT_MODULES, command->modules },
                { RSS_AT_MAGIC, MAGIC },
                { RSS_AT_COMMAND, command->command },
        };
        int r = 0;

        for (size_t i = 0; i < LENGTH_OF(words) && !r; i++)
                r = put(target, profile, words[i].at, words[i].value);
        return r < 0 ? fault_prefix(r, "RSS mailbox") : 0;
}

uint32_t rss_plain_value(const struct rss_profile *profile, uint32_t value, uint32_t reason)
{
        if (profile->rsse_address && value == RSSE_GOOD)
                return RSS_OK;
        if (profile->rsse_address && value == RSSE_BAD && reason != RSS_OK)
                return reason;
        if (profile->rsse_address && value == RSS_OK)
                return UINT32_MAX; /* no status of an RSSe */
        return value;
}

/* --- certificate --------------------------------------------------------------------------- */

static int await_certificate(struct target *target, const struct rss_profile *profile)
{
        uint64_t deadline_ns = clock_now_ns() + profile->certificate_timeout_ms * NS_PER_MS;
        uint32_t state, value;
        int r;

        for (;;) {
                r = rss_get(target, profile, RSS_AT_STATE, &state);
                if (r < 0)
                        return r;
                if (state == RSS_STATE_DONE)
                        break;
                if (clock_now_ns() > deadline_ns)
                        return fault(FAULT_RSS_SILENT,
                                     "no certificate within %u ms, the state is 0x%08X; parts "
                                     "without the security feature never answer",
                                     profile->certificate_timeout_ms, state);
                r = fiber_sleep_ns(CERTIFICATE_POLL_MS * NS_PER_MS);
                if (r < 0)
                        return r;
        }
        r = rss_get(target, profile, RSS_AT_VALUE, &value);
        if (r < 0)
                return r;
        if (value != RSS_OK)
                return fault_prefix(rss_judge(value, 0, NULL), "certificate");
        return 0;
}

/* Where the product id of a family is not public, its first three digits are known all the same: the
 * device id (secure-install.md 4). */
static int check_certificate(const struct family *family, const uint8_t *bytes,
                             struct certificate *ret_certificate)
{
        char device[4];

        if (family->product_id[0])
                return certificate_parse(bytes, CERTIFICATE_LENGTH, family->product_id,
                                         ret_certificate);
        snprintf(device, sizeof(device), "%03X", family->device_id & 0xFFFu);
        if (memcmp(bytes, device, 3) != 0)
                return fault(FAULT_BAD_CERTIFICATE,
                             "the certificate is not of device %s as a %s has it", device,
                             family->name);
        return certificate_parse(bytes, CERTIFICATE_LENGTH, NULL, ret_certificate);
}

static int read_once(struct target *target, const struct rss_profile *profile,
                     struct certificate *ret_certificate)
{
        uint8_t bytes[CERTIFICATE_LENGTH];
        const struct rss_command command = { .command = profile->command_certificate };
        int r = rss_post(target, profile, &command);

        if (!r)
                r = await_certificate(target, profile);
        if (!r)
                r = target_read(target, profile->mailbox + RSS_AT_CERTIFICATE, bytes,
                                sizeof(bytes));
        if (r < 0)
                return r;
        return check_certificate(target->family, bytes, ret_certificate);
}

int rss_read_certificate(struct target *target, const struct rss_profile *profile,
                         struct certificate *ret_certificate)
{
        struct certificate again;
        int r = read_once(target, profile, ret_certificate);

        if (!r)
                r = read_once(target, profile, &again);
        if (r < 0)
                return r;
        if (memcmp(again.bytes, ret_certificate->bytes, sizeof(again.bytes)) != 0)
                return fault(FAULT_BAD_CERTIFICATE,
                             "two readings of the certificate differ (%s, then %s)",
                             ret_certificate->fingerprint, again.fingerprint);
        return 0;
}

/* --- install ------------------------------------------------------------------------------- */

struct install {
        struct target *target;
        const struct rss_profile *profile;
        const struct sfi *sfi;
        const struct sfi_part *part;
        bool is_last;
        unsigned license_count;
        uint32_t length; /* of the part's area headers and payloads */
        struct rss_progress *progress;
};

/* Areas follow each other in the file as they must in RAM. */
static uint32_t part_length(const struct sfi *sfi, const struct sfi_part *part)
{
        uint32_t length = 0;

        for (unsigned i = 0; i < part->count; i++)
                length += SFI_AREA_HEADER_LENGTH + sfi->areas[part->first + i].length;
        return length;
}

static int check_fits(const struct install *install)
{
        const struct family *family = install->target->family;

        if (install->length > install->profile->areas_capacity)
                return fault(FAULT_NO_ROOM,
                             "the part needs %u bytes, the RSS profile %s has room for %u; create "
                             "the image with a smaller RAM size",
                             install->length, install->profile->name,
                             install->profile->areas_capacity);
        if (family->image_ram && install->length > family->image_ram)
                return fault(FAULT_NO_ROOM,
                             "the part needs %u bytes, a %s takes %u at a time; create the image "
                             "with a smaller RAM size",
                             install->length, family->name, family->image_ram);
        return 0;
}

/* The one secret that passes the wire; the areas are encrypted. */
static int send_licenses(struct install *install, const uint8_t *licenses)
{
        struct wire *wire = install->target->probe->wire;
        int r;

        wire_conceal(wire, true);
        r = target_write(install->target, install->profile->license, licenses,
                         install->license_count * LICENSE_LENGTH, NULL);
        wire_conceal(wire, false);
        return r;
}

static int send(struct install *install, const uint8_t *licenses)
{
        const struct rss_profile *profile = install->profile;
        struct target *target = install->target;
        const uint8_t *areas = install->sfi->areas[install->part->first].header;
        int r = send_licenses(install, licenses);

        if (r < 0)
                return fault_prefix(r, "licenses to 0x%08X", profile->license);
        r = target_write(target, profile->header, install->sfi->file.data, SFI_HEADER_LENGTH, NULL);
        if (r < 0)
                return fault_prefix(r, "image header to 0x%08X", profile->header);
        r = target_write(target, profile->areas, areas, install->length,
                         &install->progress->bytes_sent);
        if (r < 0)
                return fault_prefix(r, "areas to 0x%08X", profile->areas);
        return rss_post(target, profile,
                        &(struct rss_command){ .command = profile->command_install,
                                               .length = install->length,
                                               .count = install->part->count,
                                               .is_last = install->is_last,
                                               .modules = install->license_count - 1 });
}

/* The longest an RSS in good health may take. */
static uint64_t patience_ms(const struct install *install)
{
        const struct family *family = install->target->family;
        uint64_t words = install->length / family->word_length + install->part->count;
        uint64_t work_us = words * family->word_program_us * WORK_FACTOR;

        return install->profile->install_timeout_ms + work_us / 1000 + family->reset_ms +
               family->rss_boot_ms + WORK_FACTOR * family->option_program_ms +
               install->profile->show_ms;
}

/* What one look at the mailbox found. CLOSED: nobody answers, or no access; SHUT: the debug port does
 * and the access port is gone. */
enum look { LOOK_CLOSED, LOOK_SHUT, LOOK_WAITING, LOOK_RUNNING, LOOK_SHOWN, LOOK_DONE };

struct result {
        uint32_t state, value, area;
        bool was_shown;     /* the value was read before the part closed */
        unsigned shut_seen; /* in a row */
};

static int read_result(struct install *install, struct result *result)
{
        struct target *target = install->target;
        uint32_t value, reason = 0;
        int r = rss_get(target, install->profile, RSS_AT_STATE, &result->state);

        if (!r)
                r = rss_get(target, install->profile, RSS_AT_AREA, &result->area);
        if (!r)
                r = rss_get(target, install->profile, RSS_AT_REASON, &reason);
        if (!r)
                r = rss_get(target, install->profile, RSS_AT_VALUE, &value);
        if (!r)
                result->value = rss_plain_value(install->profile, value, reason);
        return r;
}

static int look_without_access(struct install *install, enum look *ret_look)
{
        bool is_shut = false;
        int r = target_check_shut(install->target, &is_shut);

        *ret_look = is_shut ? LOOK_SHUT : LOOK_CLOSED;
        return r;
}

static enum look look_of(uint32_t state)
{
        return state == RSS_STATE_DONE      ? LOOK_DONE
               : state == RSS_STATE_SHOWN   ? LOOK_SHOWN
               : state == RSS_STATE_RUNNING ? LOOK_RUNNING
                                            : LOOK_WAITING;
}

/* One look (waits). Attaches first when the port was closed at the last one. */
static int look(struct install *install, bool *is_attached, struct result *result,
                enum look *ret_look)
{
        int r = *is_attached ? 0 : target_reattach(install->target, 0);

        if (!r)
                r = read_result(install, result);
        *is_attached = !r;
        if (r < 0 && !target_may_come_back(r))
                return r;
        if (r < 0)
                return look_without_access(install, ret_look);
        *ret_look = look_of(result->state);
        if (*ret_look != LOOK_WAITING)
                install->progress->area_reached = (uint16_t)result->area;
        return 0;
}

static int out_of_time(const struct install *install, enum look seen, const struct result *result,
                       uint64_t waited_ms)
{
        if (seen != LOOK_CLOSED && seen != LOOK_SHUT)
                return fault(FAULT_RSS_SILENT,
                             "the RSS is not done after %llu ms: state 0x%08X at area %u",
                             (unsigned long long)waited_ms, result->state, result->area);
        if (result->was_shown)
                return fault(FAULT_NOT_PROVABLE,
                             "the RSSe said that all areas are in, then nothing of the part was "
                             "seen again for %llu ms, not even its debug port",
                             (unsigned long long)waited_ms);
        if (install->is_last)
                return fault(FAULT_NOT_PROVABLE,
                             "debug access did not come back within %llu ms after the last part, "
                             "so its complete value could not be read",
                             (unsigned long long)waited_ms);
        return fault(FAULT_RSS_SILENT,
                     "debug access did not come back within %llu ms, though parts are still to "
                     "come",
                     (unsigned long long)waited_ms);
}

/* Closed as the image wanted it: the value was read before, and since then the debug port answers
 * while the access port is gone (secure-install.md 13.4; product states closed and locked). */
static bool is_closed_for_good(const struct result *result, enum look seen)
{
        return seen == LOOK_SHUT && result->was_shown && result->value == RSS_OK &&
               result->shut_seen >= SHUT_LOOKS;
}

static int judge_done(struct install *install, const struct result *result)
{
        install->progress->license_refused =
                result->value == RSS_ERROR_MODULE ? (uint16_t)result->area : 0;
        return rss_judge(result->value, result->area, install->sfi);
}

static int await_done(struct install *install)
{
        uint64_t waited_ms = patience_ms(install);
        uint64_t deadline_ns = clock_now_ns() + waited_ms * NS_PER_MS;
        struct result result = { 0 };
        bool is_attached = false;

        for (;;) {
                enum look seen;
                int r = look(install, &is_attached, &result, &seen);

                if (r < 0)
                        return r;
                result.was_shown |= seen == LOOK_SHOWN;
                result.shut_seen = seen == LOOK_SHUT ? result.shut_seen + 1 : 0;
                if (seen == LOOK_DONE)
                        return judge_done(install, &result);
                if (is_closed_for_good(&result, seen)) {
                        install->progress->end = RSS_END_CLOSED;
                        return 0;
                }
                if (clock_now_ns() > deadline_ns)
                        return out_of_time(install, seen, &result, waited_ms);
                r = fiber_sleep_ns(INSTALL_POLL_MS * NS_PER_MS);
                if (r < 0)
                        return r;
        }
}

int rss_reset_into(struct target *target)
{
        const uint32_t aircr = 0xE000ED0Cu, vectkey_sysresetreq = 0x05FA0004u;
        int r = target_write_word(target, aircr, vectkey_sysresetreq);

        if (r < 0 && !target_may_come_back(r))
                return r;
        return fiber_sleep_ns(target->family->reset_ms * NS_PER_MS);
}

/* An RSS in ROM begins at a reset; an RSSe runs already. */
static int start(struct install *install)
{
        return install->profile->rsse_address ? 0 : rss_reset_into(install->target);
}

int rss_install_part(struct target *target, const struct rss_profile *profile,
                     const struct sfi *sfi, const struct sfi_part *part, bool is_last,
                     const uint8_t licenses[static LICENSE_LENGTH], unsigned license_count,
                     struct rss_progress *progress)
{
        struct rss_progress unseen = { 0 };
        struct install install = { .target = target,
                                   .profile = profile,
                                   .sfi = sfi,
                                   .part = part,
                                   .is_last = is_last,
                                   .license_count = license_count,
                                   .length = part_length(sfi, part),
                                   .progress = progress ? progress : &unseen };
        int r;

        INSIST(part->count && part->first + part->count <= sfi->count);
        INSIST(license_count && license_count <= RSS_LICENSES_MAX);
        r = check_fits(&install);
        if (r < 0)
                return r;
        install.progress->bytes_sent = 0;
        install.progress->end = RSS_END_READABLE;
        install.progress->bytes_total = install.length;
        install.progress->area_count = sfi->count;
        r = send(&install, licenses);
        if (!r)
                r = start(&install);
        return r < 0 ? r : await_done(&install);
}
