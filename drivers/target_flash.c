/*
 * target_flash.c - the flash of a part: is it blank, erase it by sectors, program it by words.
 *
 * All families work in the same steps (targets.md 6.3): wait until the controller is idle, clear the
 * error flags, ask for one sector and start, or for programming and write a whole word; wait again,
 * look at the flags. Registers and bits come from target_layout.c. The control register is locked again whatever happened before.
 *
 * With TrustZone on, sectors inside a secure watermark are served from the secure side and the
 * others from the other one (targets.md 6.3), so the option bytes are read first there.
 */
#include "drivers/target.h"

#include "drivers/family_fields.h"
#include "drivers/target_layout.h"
#include "scheduler/fiber.h"
#include "scheduler/loop.h"

#include <stdio.h>
#include <string.h>

#define ERASE_TIMEOUT_MS 10000u /* OpenOCD's (targets.md 10.1); the H7's worst is 4 s */
#define POLL_MAX_MS      10u

int target_check_blank(struct target *target, uint32_t address, uint32_t length)
{
        uint8_t data[STLINK_CHUNK_MAX];

        for (uint32_t done = 0; done < length;) {
                uint32_t piece = length - done;
                int r;

                if (piece > sizeof(data))
                        piece = sizeof(data);
                r = target_read(target, address + done, data, piece);
                if (r < 0)
                        return r;
                for (uint32_t i = 0; i < piece; i++)
                        if (data[i] != 0xFF)
                                return fault(FAULT_NOT_BLANK,
                                             "the flash at 0x%08X holds 0x%02X, expected 0xFF "
                                             "(erased)",
                                             address + done + i, data[i]);
                done += piece;
        }
        return 0;
}

uint32_t target_bank_length(const struct target *target, const struct target_identity *identity)
{
        const struct family *family = target->family;
        uint32_t length = (identity->flash_kib << 10) / family->banks;

        return length == 0 || length > family->bank_length ? family->bank_length : length;
}

int target_check_all_blank(struct target *target, const struct target_identity *identity)
{
        const struct family *family = target->family;
        int r = 0;

        for (unsigned i = 0; i < family->banks && !r; i++)
                r = target_check_blank(target, family->bank_address[i],
                                       target_bank_length(target, identity));
        return r;
}

struct sector {
        struct flash_layout at;
        uint32_t number; /* in its bank */
        uint32_t address;
        bool is_secure;
};

/* Does the address lie in secure flash? `options` NULL: no TrustZone. */
static bool is_secure_at(const struct family *family, const uint32_t *options, uint32_t address)
{
        uint32_t first, last;

        for (size_t i = 0; options && i < family->field_count; i++) {
                const struct family_field *field = &family->fields[i];

                if (field->role == ROLE_START && field->kind == AREA_WATERMARK &&
                    family_area(family, field, options, &first, &last) && address >= first &&
                    address <= last)
                        return true;
        }
        return false;
}

static int find_sector(const struct family *family, const uint32_t *options, uint32_t address,
                       struct sector *ret_sector)
{
        for (unsigned i = 0; i < family->banks; i++) {
                uint32_t offset = address - family->bank_address[i];

                if (offset >= family->bank_length)
                        continue;
                ret_sector->is_secure = is_secure_at(family, options, address);
                flash_layout(family, i, ret_sector->is_secure, &ret_sector->at);
                ret_sector->number = offset / family->sector_length;
                ret_sector->address =
                        family->bank_address[i] + ret_sector->number * family->sector_length;
                return 0;
        }
        return fault(FAULT_BAD_VALUE, "0x%08X is in no flash bank of a %s", address, family->name);
}

static int unlock(struct target *target, const struct flash_layout *at)
{
        uint32_t control;
        int r = target_read_word(target, at->control, &control);

        if (r < 0 || !(control & at->lock))
                return r;
        r = target_write_word(target, at->key, FLASH_KEY_1);
        if (!r)
                r = target_write_word(target, at->key, FLASH_KEY_2);
        if (!r)
                r = target_read_word(target, at->control, &control);
        if (r < 0)
                return r;
        if (control & at->lock)
                return fault(FAULT_FLASH,
                             "the flash stays locked after both keys (CR 0x%08X); power-cycle the "
                             "board",
                             control);
        return 0;
}

/* As often as a sector may take to be looked at ten times, and not oftener than every ms. */
static unsigned poll_ms(const struct family *family)
{
        unsigned tenth = family->sector_erase_ms / 10;

        return tenth < 1 ? 1 : tenth > POLL_MAX_MS ? POLL_MAX_MS : tenth;
}

static int wait_idle(struct target *target, const struct sector *sector)
{
        uint64_t deadline_ns = clock_now_ns() + ERASE_TIMEOUT_MS * NS_PER_MS;
        uint32_t status;

        for (;;) {
                int r = target_read_word(target, sector->at.status, &status);

                if (r < 0 || !(status & sector->at.busy))
                        return r;
                if (clock_now_ns() > deadline_ns)
                        return fault(FAULT_FLASH,
                                     "the flash is still busy after %u ms at sector 0x%08X (SR "
                                     "0x%08X)",
                                     ERASE_TIMEOUT_MS, sector->address, status);
                r = fiber_sleep_ns(poll_ms(target->family) * NS_PER_MS);
                if (r < 0)
                        return r;
        }
}

/* Idle, and no flag left from before. */
static int make_ready(struct target *target, const struct sector *sector)
{
        int r = wait_idle(target, sector);

        return r < 0 ? r : target_write_word(target, sector->at.clear, sector->at.clearing);
}

/* Wait for the end; what went wrong on the way? */
static int see_result(struct target *target, const struct sector *sector, const char *what,
                      uint32_t address)
{
        uint32_t flags;
        int r = wait_idle(target, sector);

        if (!r)
                r = target_read_word(target, sector->at.flags, &flags);
        if (r < 0)
                return r;
        if (flags & sector->at.protect)
                return fault(FAULT_PROTECTED, "sector 0x%08X is write-protected (SR 0x%08X)",
                             sector->address, flags);
        if (flags & sector->at.errors)
                return fault(FAULT_FLASH, "%s 0x%08X failed (SR 0x%08X)", what, address, flags);
        return 0;
}

static int erase_unlocked(struct target *target, const struct sector *sector)
{
        const struct flash_layout *at = &sector->at;
        uint32_t control = at->erase | at->bank_bit | sector->number << at->number_low;
        int r = make_ready(target, sector);

        if (!r)
                r = target_write_word(target, at->control, control);
        if (!r)
                r = target_write_word(target, at->control, control | at->start);
        return r < 0 ? r : see_result(target, sector, "erasing sector", sector->address);
}

/* What is wanted of one sector: erase it, or program the bytes of it that the work reaches. */
struct work {
        const uint8_t *data; /* of `start`; NULL: erase */
        uint64_t start, end;
        uint32_t *progress; /* may be NULL */
};

static int program_unlocked(struct target *target, const struct sector *sector,
                            const struct work *work)
{
        const struct family *family = target->family;
        uint64_t at = work->start > sector->address ? work->start : sector->address;
        uint64_t end = (uint64_t)sector->address + family->sector_length;
        uint32_t alias = sector->is_secure ? family->secure_alias : 0;
        int r = make_ready(target, sector);

        if (!r)
                r = target_write_word(target, sector->at.control, sector->at.program);
        for (; at < end && at < work->end && !r; at += family->word_length) {
                r = target_write(target, (uint32_t)at + alias, work->data + (at - work->start),
                                 family->word_length, NULL);
                if (!r)
                        r = see_result(target, sector, "programming", (uint32_t)at);
                if (!r && work->progress)
                        *work->progress += family->word_length;
        }
        return r;
}

static int serve_sector(struct target *target, const struct sector *sector, const struct work *work)
{
        char sentence[512];
        int r = unlock(target, &sector->at), locked;

        if (r < 0)
                return r;
        r = work->data ? program_unlocked(target, sector, work) : erase_unlocked(target, sector);
        if (r < 0)
                snprintf(sentence, sizeof(sentence), "%s", fault_sentence(r));
        locked = target_write_word(target, sector->at.control, sector->at.lock);
        if (r < 0)
                return fault((enum fault) - r, "%s", sentence);
        if (!work->data && work->progress)
                *work->progress += target->family->sector_length;
        return locked;
}

static int serve(struct target *target, const uint32_t *options, const struct work *work)
{
        for (uint64_t at = work->start; at < work->end;) {
                struct sector sector;
                int r = find_sector(target->family, options, (uint32_t)at, &sector);

                if (!r)
                        r = serve_sector(target, &sector, work);
                if (r < 0)
                        return r;
                at = (uint64_t)sector.address + target->family->sector_length;
        }
        return 0;
}

static int begin(struct target *target, const struct work *work)
{
        uint32_t options[OPTION_ROWS_MAX];
        bool has_trustzone = family_has_trustzone(target->family);
        int r = has_trustzone ? target_read_options(target, options) : 0;

        return r < 0 ? r : serve(target, has_trustzone ? options : NULL, work);
}

int target_erase(struct target *target, uint32_t address, uint32_t length, uint32_t *progress)
{
        uint64_t start = family_plain_address(target->family, address);

        return begin(target, &(struct work){ NULL, start, start + length, progress });
}

int target_program(struct target *target, uint32_t address, const void *data, uint32_t length,
                   uint32_t *progress)
{
        uint64_t start = family_plain_address(target->family, address);
        uint32_t unit = target->family->word_length;

        if (address % unit || length % unit)
                return fault(FAULT_BAD_VALUE,
                             "0x%08X with %u bytes is not made of whole flash words of %u bytes",
                             address, length, unit);
        return begin(target, &(struct work){ data, start, start + length, progress });
}
