/*
 * target_flash.c - the flash of the H7 line: is it blank, and erase it sector by sector.
 *
 * The sequence is targets.md 6.3 (H7): wait until the queue is empty, clear the error flags, ask
 * for one sector at full parallelism, start, wait for the queue again. Each bank has registers of
 * its own, 0x100 apart. The control register is locked again whatever happened before.
 */
#include "drivers/target.h"

#include "scheduler/fiber.h"
#include "scheduler/loop.h"

#include <stdio.h>
#include <string.h>

/* Offsets and bits: targets.md 6.2, column H75x. */
#define BANK_STRIDE 0x100u
#define KEYR        0x04u
#define CR          0x0Cu
#define SR          0x10u
#define CCR         0x14u

#define KEY_1 0x45670123u /* targets.md 6.1 */
#define KEY_2 0xCDEF89ABu

#define CR_LOCK      (1u << 0)
#define CR_SER       (1u << 2)
#define CR_PSIZE_64  (3u << 4)
#define CR_START     (1u << 7)
#define CR_SNB(n)    ((uint32_t)(n) << 8)
#define SR_QW        (1u << 2)
#define SR_WRPERR    (1u << 17)
#define SR_ERRORS    0x07EE0000u            /* 17 18 19 21 22 23 24 25 26 */
#define SR_CLEARABLE (SR_ERRORS | 1u << 16) /* and EOP */

#define ERASE_TIMEOUT_MS 10000u /* OpenOCD's (targets.md 10.1); the datasheet's worst is 4 s */
#define POLL_MS          10u

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

struct sector {
        uint32_t registers; /* of its bank */
        uint32_t number;    /* in its bank */
        uint32_t address;
};

static int find_sector(const struct family *family, uint32_t address, struct sector *ret_sector)
{
        for (unsigned i = 0; i < family->banks; i++) {
                uint32_t offset = address - family->bank_address[i];

                if (offset >= family->bank_length)
                        continue;
                ret_sector->registers = family->flash_registers + BANK_STRIDE * i;
                ret_sector->number = offset / family->sector_length;
                ret_sector->address =
                        family->bank_address[i] + ret_sector->number * family->sector_length;
                return 0;
        }
        return fault(FAULT_BAD_VALUE, "0x%08X is in no flash bank of a %s", address, family->name);
}

static int unlock(struct target *target, const struct sector *sector)
{
        uint32_t control;
        int r = target_read_word(target, sector->registers + CR, &control);

        if (r < 0 || !(control & CR_LOCK))
                return r;
        r = target_write_word(target, sector->registers + KEYR, KEY_1);
        if (!r)
                r = target_write_word(target, sector->registers + KEYR, KEY_2);
        if (!r)
                r = target_read_word(target, sector->registers + CR, &control);
        if (r < 0)
                return r;
        if (control & CR_LOCK)
                return fault(FAULT_FLASH,
                             "the flash stays locked after both keys (CR 0x%08X); power-cycle the "
                             "board",
                             control);
        return 0;
}

static int wait_queue(struct target *target, const struct sector *sector, uint32_t *ret_status)
{
        uint64_t deadline_ns = clock_now_ns() + ERASE_TIMEOUT_MS * NS_PER_MS;

        for (;;) {
                int r = target_read_word(target, sector->registers + SR, ret_status);

                if (r < 0 || !(*ret_status & SR_QW))
                        return r;
                if (clock_now_ns() > deadline_ns)
                        return fault(FAULT_FLASH,
                                     "the flash is still busy after %u ms at sector 0x%08X (SR "
                                     "0x%08X)",
                                     ERASE_TIMEOUT_MS, sector->address, *ret_status);
                r = fiber_sleep_ns(POLL_MS * NS_PER_MS);
                if (r < 0)
                        return r;
        }
}

static int erase_unlocked(struct target *target, const struct sector *sector)
{
        uint32_t control = CR_SER | CR_PSIZE_64 | CR_SNB(sector->number), status;
        int r = wait_queue(target, sector, &status);

        if (!r)
                r = target_write_word(target, sector->registers + CCR, SR_CLEARABLE);
        if (!r)
                r = target_write_word(target, sector->registers + CR, control);
        if (!r)
                r = target_write_word(target, sector->registers + CR, control | CR_START);
        if (!r)
                r = wait_queue(target, sector, &status);
        if (r < 0)
                return r;
        if (status & SR_WRPERR)
                return fault(FAULT_PROTECTED, "sector 0x%08X is write-protected (SR 0x%08X)",
                             sector->address, status);
        if (status & SR_ERRORS)
                return fault(FAULT_FLASH, "erasing sector 0x%08X failed (SR 0x%08X)",
                             sector->address, status);
        return 0;
}

static int erase_sector(struct target *target, const struct sector *sector)
{
        char sentence[512];
        int r = unlock(target, sector), locked;

        if (r < 0)
                return r;
        r = erase_unlocked(target, sector);
        if (r < 0)
                snprintf(sentence, sizeof(sentence), "%s", fault_sentence(r));
        locked = target_write_word(target, sector->registers + CR, CR_LOCK);
        return r < 0 ? fault((enum fault) - r, "%s", sentence) : locked;
}

int target_erase(struct target *target, uint32_t address, uint32_t length, uint32_t *progress)
{
        for (uint64_t at = address; at < (uint64_t)address + length;) {
                struct sector sector;
                int r = find_sector(target->family, (uint32_t)at, &sector);

                if (!r)
                        r = erase_sector(target, &sector);
                if (r < 0)
                        return r;
                if (progress)
                        *progress += target->family->sector_length;
                at = (uint64_t)sector.address + target->family->sector_length;
        }
        return 0;
}
