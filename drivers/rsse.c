/*
 * rsse.c - choose the RSSe by die, refuse what is missing or foreign, load it, start it.
 *
 * The choice is made when the station starts, not when the first part is half prepared. What is sent
 * is the file as it is. Starting it is a command in the mailbox and a reset (our reference: the value
 * of RSSCMDR that does it on silicon is not public, targets.md 13 row 2).
 */
#include "drivers/rsse.h"

#include "crypto/digest.h"
#include "drivers/rss_mailbox.h"
#include "scheduler/fiber.h"
#include "scheduler/file.h"
#include "scheduler/loop.h"

#include <string.h>

#define MAGIC         "GWRSSE01"
#define HEADER_LENGTH 32u
#define POLL_MS       20u

/* --- file ---------------------------------------------------------------------------------- */

int rsse_parse(const char *name, const void *data, size_t length, struct rsse *ret_rsse)
{
        const uint8_t *bytes = data;
        uint8_t digest[DIGEST_LENGTH];
        size_t body = length - DIGEST_LENGTH;

        if (length < RSSE_OVERHEAD || memcmp(bytes, MAGIC, 8) != 0)
                return fault(FAULT_BAD_FILE,
                             "%s: no reference RSSe: %zu bytes that do not begin with %s; make one "
                             "with configs/rss/make-reference-rsse",
                             name, length, MAGIC);
        if (load_le32(bytes + 16) != length)
                return fault(FAULT_BAD_FILE, "%s: it has %zu bytes, its header at 16 says %u", name,
                             length, load_le32(bytes + 16));
        digest_sha256(bytes, body, digest);
        if (memcmp(digest, bytes + body, sizeof(digest)) != 0)
                return fault(FAULT_BAD_FILE,
                             "%s: the digest at %zu is not that of the bytes before it", name,
                             body);
        if (load_le32(bytes + 8) > 0xFFF)
                return fault(FAULT_BAD_FILE, "%s: device id 0x%X at 8, wanted 1 to 0xFFF", name,
                             load_le32(bytes + 8));
        *ret_rsse = (struct rsse){
                .file = bytes_copy(data, length),
                .device_id = (uint16_t)load_le32(bytes + 8),
                .version = load_le32(bytes + 12),
        };
        return 0;
}

void rsse_free(struct rsse *rsse)
{
        bytes_free(&rsse->file);
}

static const char *file_for(const struct rss_profile *profile, const struct family *family)
{
        for (size_t i = 0; i < profile->rsse_count; i++)
                if (profile->rsse[i].device == family->device_id)
                        return profile->rsse[i].file;
        return NULL;
}

static int check_reference(const char *path, const struct family *family, const struct bytes *file,
                           struct rsse *ret_rsse)
{
        struct rsse rsse;
        int r = rsse_parse(path, file->data, file->length, &rsse);

        if (r < 0)
                return r;
        if (rsse.device_id != family->device_id) {
                rsse_free(&rsse);
                return fault(FAULT_BAD_VALUE,
                             "%s is the RSSe of device 0x%03X, a %s is 0x%03X; name the right file "
                             "in the RSS profile",
                             path, rsse.device_id, family->name, family->device_id);
        }
        *ret_rsse = rsse;
        return 0;
}

/* What may follow the lookup: the file must be there, fit, and be for the die. */
static int load_file(const struct rss_profile *profile, const struct family *family,
                     const char *path, struct rsse *ret_rsse)
{
        CLEANUP(bytes_free) struct bytes file = { 0 };
        int r = file_read(path, profile->rsse_capacity, &file);

        if (r < 0)
                return fault_prefix(r, "RSSe of device 0x%03X", family->device_id);
        if (!file.length)
                return fault(FAULT_BAD_FILE, "%s: the RSSe is empty", path);
        if (profile->source == SOURCE_REFERENCE)
                return check_reference(path, family, &file, ret_rsse);
        *ret_rsse = (struct rsse){ .file = bytes_copy(file.data, file.length) };
        return 0;
}

int rsse_load(const struct rss_profile *profile, const struct family *family, struct rsse *ret_rsse)
{
        const char *path = file_for(profile, family);

        *ret_rsse = (struct rsse){ 0 };
        if (family->procedure != PROCEDURE_RSSE && family->procedure != PROCEDURE_STATE)
                return 0;
        if (!path)
                return fault(FAULT_NOT_FOUND,
                             "RSS profile %s names no RSSe for device 0x%03X (%s), and without one "
                             "a part would only get its option bytes changed; add it to rsse",
                             profile->name, family->device_id, family->name);
        return load_file(profile, family, path, ret_rsse);
}

/* --- starting ------------------------------------------------------------------------------ */

static int read_status(struct target *target, const struct rss_profile *profile, bool *ret_is_done,
                       uint32_t *ret_value)
{
        uint32_t state, value, reason;
        int r = rss_get(target, profile, RSS_AT_STATE, &state);

        if (!r)
                r = rss_get(target, profile, RSS_AT_VALUE, &value);
        if (!r)
                r = rss_get(target, profile, RSS_AT_REASON, &reason);
        if (r < 0)
                return r;
        *ret_is_done = state == RSS_STATE_DONE;
        *ret_value = rss_plain_value(profile, value, reason);
        return 0;
}

static int await_running(struct target *target, const struct rss_profile *profile)
{
        uint64_t patience_ms =
                profile->rsse_timeout_ms + target->family->reset_ms + target->family->rss_boot_ms;
        uint64_t deadline_ns = clock_now_ns() + patience_ms * NS_PER_MS;
        bool is_attached = false, is_done = false;
        uint32_t value = 0;

        for (;;) {
                int r = is_attached ? 0 : target_reattach(target, 0);

                if (!r)
                        r = read_status(target, profile, &is_done, &value);
                is_attached = !r;
                if (r < 0 && !target_may_come_back(r))
                        return r;
                if (is_attached && is_done)
                        return value == RSS_OK ? 0
                                               : fault_prefix(rss_judge(value, 0, NULL),
                                                              "the RSSe did not start");
                if (clock_now_ns() > deadline_ns)
                        return fault(FAULT_RSS_SILENT,
                                     "the RSSe says nothing %llu ms after its start",
                                     (unsigned long long)patience_ms);
                r = fiber_sleep_ns(POLL_MS * NS_PER_MS);
                if (r < 0)
                        return r;
        }
}

int rsse_start(struct target *target, const struct rss_profile *profile, const struct rsse *rsse,
               uint32_t *progress)
{
        const struct rss_command command = { .command = profile->command_rsse,
                                             .length = (uint32_t)rsse->file.length };
        int r = target_write(target, profile->rsse_address, rsse->file.data, rsse->file.length,
                             progress);

        if (r < 0)
                return fault_prefix(r, "RSSe to 0x%08X", profile->rsse_address);
        r = rss_post(target, profile, &command);
        if (!r)
                r = rss_reset_into(target);
        return r < 0 ? r : await_running(target, profile);
}
