/*
 * Flash of a simulated part and its controller (targets.md 6.1 to 6.3, 7.1; H7 register layout).
 *
 * Each bank has its own register set, lock and queue. A program collects one flash word byte by
 * byte; the last byte (or FW) puts it into the queue, QW stays up until its time has passed, then
 * the word stands in the array. An erase works the same with a sector or a bank. Only when the time
 * is due does the array change, so a power cut before leaves it as it was.
 *
 * Refusals: a word can be written once after its erase (ECC, targets.md 10.1), PG missing or an
 * uncleared error gives PGSERR, a byte written twice STRBERR, a second word begun before the first
 * is complete INCERR, anything protected WRPERR; a wrong key faults and locks until reset. A bank
 * that works answers WAIT to reads and writes of its own array and of its control register.
 */
#include "drivers/simulated/part_private.h"

#include "scheduler/bytes.h"

#define KEYR  0x04u
#define CR    0x0Cu
#define SR    0x10u
#define CCR   0x14u
#define KEY_1 0x45670123u
#define KEY_2 0xCDEF89ABu

#define CR_LOCK    0x001u
#define CR_PG      0x002u
#define CR_SER     0x004u
#define CR_BER     0x008u
#define CR_FW      0x040u
#define CR_START   0x080u
#define CR_KEPT    0x73Fu /* what stays of a write: all but FW and START */
#define CR_RESET   0x031u /* locked, PSIZE x64 */
#define CR_PSIZE   4      /* bit number */
#define CR_SNB     8      /* bit number */
#define SR_BSY     (1u << 0)
#define SR_WBNE    (1u << 1)
#define SR_QW      (1u << 2)
#define SR_EOP     (1u << 16)
#define SR_WRPERR  (1u << 17)
#define SR_PGSERR  (1u << 18)
#define SR_STRBERR (1u << 19)
#define SR_INCERR  (1u << 21)
#define SR_ERRORS  (SR_WRPERR | SR_PGSERR | SR_STRBERR | SR_INCERR)

/* --- the array ----------------------------------------------------------------------------- */

static unsigned bank_of(const struct simulated_part *part, uint32_t address)
{
        unsigned bank = 0;

        while (bank < part->family->banks &&
               (address < part->family->bank_address[bank] ||
                address - part->family->bank_address[bank] >= part->family->bank_length))
                bank++;
        return bank;
}

/* A range may run from one bank into the next where they touch. */
bool flash_holds(const struct simulated_part *part, uint32_t address, uint32_t length)
{
        const struct family *family = part->family;
        unsigned bank = bank_of(part, address);
        uint32_t rest;

        if (bank == family->banks)
                return false;
        rest = family->bank_length - (address - family->bank_address[bank]);
        while (length > rest) {
                uint32_t end = family->bank_address[bank] + family->bank_length;

                if (++bank == family->banks || family->bank_address[bank] != end)
                        return false;
                rest += family->bank_length;
        }
        return true;
}

uint32_t flash_offset(const struct simulated_part *part, uint32_t address)
{
        unsigned bank = bank_of(part, address);

        return bank * part->family->bank_length + (address - part->family->bank_address[bank]);
}

uint8_t *flash_at(struct simulated_part *part, uint32_t address)
{
        return part->flash + flash_offset(part, address);
}

bool flash_is_written(const struct simulated_part *part, uint32_t address)
{
        uint32_t word = flash_offset(part, address) / part->family->word_length;
        const uint8_t *bytes = part->flash + word * part->family->word_length;

        if (part->written[word / 8] & 1u << word % 8)
                return true;
        /* the map is set after the bytes: a kill between the two must not allow a second write */
        for (unsigned i = 0; i < part->family->word_length; i++)
                if (bytes[i] != 0xFF)
                        return true;
        return false;
}

bool flash_commit(struct simulated_part *part, uint32_t address, const uint8_t *word)
{
        uint32_t number = flash_offset(part, address) / part->family->word_length;
        uint8_t *to = flash_at(part, address);

        memcpy(to, word, part->family->word_length);
        core_memory_changed(part, address, part->family->word_length);
        part->written[number / 8] |= (uint8_t)(1u << number % 8);
        if (!part->record->has_weak_word || part->record->weak_word != address)
                return true;
        to[0] ^= 0x10; /* one cell does not hold its charge */
        return false;
}

/* The map goes first: a word whose bytes are not erased yet still counts as written. */
static void erase(struct simulated_part *part, uint32_t address, uint32_t length)
{
        uint32_t first = flash_offset(part, address) / part->family->word_length;

        memset(part->written + first / 8, 0, length / part->family->word_length / 8);
        memset(flash_at(part, address), 0xFF, length);
        core_memory_changed(part, address, length);
}

void flash_erase_all(struct simulated_part *part)
{
        for (unsigned i = 0; i < part->family->banks; i++)
                erase(part, part->family->bank_address[i], part->family->bank_length);
}

/* --- what the bus sees --------------------------------------------------------------------- */

static bool overlaps_busy(const struct simulated_part *part, uint32_t address, size_t length)
{
        for (unsigned i = bank_of(part, address);
             i <= bank_of(part, address + (uint32_t)length - 1); i++)
                if (part->banks[i].work != FLASH_IDLE)
                        return true;
        return false;
}

enum part_answer flash_read(struct simulated_part *part, uint32_t address, void *data,
                            size_t length)
{
        uint32_t flag = 0;

        if (part->protection >= 1)
                return PART_FAULT;
        if (option_protects_read(part, address, (uint32_t)length, &flag)) {
                part->banks[bank_of(part, address)].status |= flag;
                return PART_FAULT;
        }
        if (overlaps_busy(part, address, length))
                return PART_WAIT;
        memcpy(data, flash_at(part, address), length);
        return PART_OK;
}

/* Program and erase times grow with narrower parallelism: targets.md 10.1, DS12110, in percent of
 * x64, for PSIZE x8, x16, x32, x64. */
static const unsigned program_percent[] = { 290, 180, 130, 100 };
static const unsigned erase_percent[] = { 200, 180, 110, 100 };

static void start_work(struct simulated_part *part, struct flash_bank *bank, enum flash_work work,
                       uint64_t duration_ns)
{
        unsigned size = bank->control >> CR_PSIZE & 3u;
        unsigned percent = work == FLASH_PROGRAM ? program_percent[size] : erase_percent[size];

        bank->work = work;
        bank->due_ns = part->now_ns + part_scaled(part, duration_ns * percent / 100);
        part_changed(part);
}

/* The collected word enters the queue; bytes never written are programmed as ones. */
static void queue_word(struct simulated_part *part, struct flash_bank *bank)
{
        bool is_zero = true;

        bank->buffer_mask = 0;
        for (unsigned i = 0; i < part->family->word_length; i++)
                is_zero = is_zero && bank->buffer[i] == 0;
        if (flash_is_written(part, bank->buffer_address) && !is_zero) {
                bank->status |= SR_PGSERR;
                return;
        }
        start_work(part, bank, FLASH_PROGRAM, part->family->word_program_us * NS_PER_US);
}

/* Which error a write of `width` bytes at `address` makes; 0: none. */
static uint32_t write_error(struct simulated_part *part, const struct flash_bank *bank,
                            uint32_t address, unsigned width)
{
        uint32_t start = address - address % part->family->word_length;
        uint32_t mask = ((1u << width) - 1) << (address - start);

        if (!(bank->control & CR_PG) || bank->status & SR_ERRORS)
                return SR_PGSERR;
        if (option_protects_write(part, address, width))
                return SR_WRPERR;
        if (bank->buffer_mask != 0 && bank->buffer_address != start)
                return SR_INCERR;
        return bank->buffer_mask & mask ? SR_STRBERR : 0;
}

static uint32_t full_mask(const struct simulated_part *part)
{
        return part->family->word_length == 32 ? UINT32_MAX : (1u << part->family->word_length) - 1;
}

/* An error of the controller is no bus error: the write is taken and lost, SR tells. */
enum part_answer flash_write(struct simulated_part *part, uint32_t address, const void *data,
                             unsigned width)
{
        struct flash_bank *bank = &part->banks[bank_of(part, address)];
        uint32_t start = address - address % part->family->word_length;
        uint32_t error;

        if (part->protection >= 1)
                return PART_FAULT;
        if (bank->work != FLASH_IDLE)
                return PART_WAIT;
        error = write_error(part, bank, address, width);
        if (error != 0) {
                bank->status |= error;
                return PART_OK;
        }
        if (bank->buffer_mask == 0)
                memset(bank->buffer, 0xFF, sizeof(bank->buffer));
        bank->buffer_address = start;
        memcpy(bank->buffer + (address - start), data, width);
        bank->buffer_mask |= ((1u << width) - 1) << (address - start);
        if (bank->buffer_mask == full_mask(part))
                queue_word(part, bank);
        return PART_OK;
}

/* --- registers ----------------------------------------------------------------------------- */

static uint32_t status_of(const struct flash_bank *bank)
{
        uint32_t value = bank->status;

        if (bank->work != FLASH_IDLE)
                value |= SR_BSY | SR_QW;
        if (bank->buffer_mask != 0)
                value |= SR_WBNE;
        return value;
}

static void start_erase(struct simulated_part *part, unsigned number)
{
        struct flash_bank *bank = &part->banks[number];
        const struct family *family = part->family;
        uint32_t sectors = family->bank_length / family->sector_length;
        uint32_t sector = bank->control >> CR_SNB & 7u;
        bool is_bank = bank->control & CR_BER;
        uint32_t start =
                part->family->bank_address[number] + (is_bank ? 0 : sector * family->sector_length);
        uint32_t length = is_bank ? family->bank_length : family->sector_length;

        if (!(bank->control & (CR_SER | CR_BER)))
                return;
        if (bank->control & CR_PG || bank->status & SR_ERRORS || bank->buffer_mask != 0) {
                bank->status |= SR_PGSERR;
                return;
        }
        if (!flash_holds(part, start, length) || option_protects_write(part, start, length)) {
                bank->status |= SR_WRPERR;
                return;
        }
        bank->sector = sector;
        start_work(part, bank, is_bank ? FLASH_ERASE_BANK : FLASH_ERASE_SECTOR,
                   (uint64_t)family->sector_erase_ms * NS_PER_MS * (is_bank ? sectors : 1));
}

/* Both banks erase side by side, each as long as its sectors take. Protected areas stay out of it
 * only for OPTCR.MER; a regression of RDP takes everything. */
void flash_start_mass_erase(struct simulated_part *part, uint64_t now_ns)
{
        const struct family *family = part->family;
        uint64_t sectors = family->bank_length / family->sector_length;

        (void)now_ns;
        for (unsigned i = 0; i < family->banks; i++) {
                struct flash_bank *bank = &part->banks[i];

                if (bank->work != FLASH_IDLE || bank->control & CR_LOCK)
                        continue;
                if (option_protects_write(part, family->bank_address[i], family->bank_length))
                        bank->status |= SR_WRPERR;
                else
                        start_work(part, bank, FLASH_ERASE_BANK,
                                   family->sector_erase_ms * NS_PER_MS * sectors);
        }
}

static enum part_answer write_control(struct simulated_part *part, unsigned number, uint32_t value)
{
        struct flash_bank *bank = &part->banks[number];

        if (bank->work != FLASH_IDLE)
                return PART_WAIT;
        if (bank->control & CR_LOCK)
                return PART_OK; /* ignored */
        bank->control = value & CR_KEPT;
        if (value & CR_FW && bank->buffer_mask != 0)
                queue_word(part, bank);
        if (value & CR_START)
                start_erase(part, number);
        return PART_OK;
}

/* targets.md 6.1: a wrong key or order faults and locks the register until the next reset. */
static enum part_answer write_key(struct flash_bank *bank, uint32_t value)
{
        if (bank->is_dead || !(bank->control & CR_LOCK) ||
            value != (bank->keys == 0 ? KEY_1 : KEY_2)) {
                bank->is_dead = true;
                bank->control |= CR_LOCK;
                return PART_FAULT;
        }
        if (++bank->keys == 2) {
                bank->keys = 0;
                bank->control &= ~CR_LOCK;
        }
        return PART_OK;
}

/* Which bank's set, and which register of it; false for the option registers and holes. */
static bool is_bank_register(const struct simulated_part *part, uint32_t offset, unsigned *ret_bank,
                             uint32_t *ret_register)
{
        unsigned bank = offset / FLASH_BANK_OFFSET;
        uint32_t reg = offset % FLASH_BANK_OFFSET;

        if (bank >= part->family->banks || (reg != KEYR && reg != CR && reg != SR && reg != CCR))
                return false;
        *ret_bank = bank;
        *ret_register = reg;
        return true;
}

/* Holes read zero: ST's own tool reads 308 bytes from OPTSR_CUR in one go (targets.md 7.1). */
enum part_answer flash_register_read(struct simulated_part *part, uint32_t offset,
                                     uint32_t *ret_value)
{
        unsigned bank;
        uint32_t reg;

        *ret_value = 0;
        if (!is_bank_register(part, offset, &bank, &reg)) {
                (void)option_register_read(part, offset, ret_value);
                return PART_OK;
        }
        if (reg == CR)
                *ret_value = part->banks[bank].control;
        else if (reg == SR)
                *ret_value = status_of(&part->banks[bank]);
        return PART_OK;
}

enum part_answer flash_register_write(struct simulated_part *part, uint32_t offset, uint32_t value)
{
        enum part_answer answer;
        unsigned bank;
        uint32_t reg;

        if (option_register_write(part, offset, value, &answer))
                return answer;
        if (!is_bank_register(part, offset, &bank, &reg))
                return PART_OK;
        if (reg == KEYR)
                return write_key(&part->banks[bank], value);
        if (reg == CR)
                return write_control(part, bank, value);
        if (reg == CCR)
                part->banks[bank].status &= ~value;
        return PART_OK;
}

/* --- time ---------------------------------------------------------------------------------- */

void flash_reset(struct simulated_part *part)
{
        for (unsigned i = 0; i < FAMILY_BANKS_MAX; i++)
                part->banks[i] = (struct flash_bank){ .control = CR_RESET, .due_ns = NEVER };
}

bool flash_is_busy(const struct simulated_part *part)
{
        return flash_due(part) != NEVER;
}

uint64_t flash_due(const struct simulated_part *part)
{
        uint64_t due_ns = NEVER;

        for (unsigned i = 0; i < part->family->banks; i++)
                if (part->banks[i].work != FLASH_IDLE && part->banks[i].due_ns < due_ns)
                        due_ns = part->banks[i].due_ns;
        return due_ns;
}

static void finish_work(struct simulated_part *part, unsigned number)
{
        struct flash_bank *bank = &part->banks[number];
        uint32_t start = part->family->bank_address[number],
                 sector_length = part->family->sector_length;

        switch (bank->work) {
        case FLASH_IDLE:
                return;
        case FLASH_PROGRAM:
                (void)flash_commit(part, bank->buffer_address, bank->buffer); /* SR never tells */
                break;
        case FLASH_ERASE_SECTOR:
                erase(part, start + bank->sector * sector_length, sector_length);
                break;
        case FLASH_ERASE_BANK:
                erase(part, start, part->family->bank_length);
                break;
        }
        bank->work = FLASH_IDLE;
        bank->due_ns = NEVER;
        bank->status |= SR_EOP;
}

void flash_advance(struct simulated_part *part, uint64_t now_ns)
{
        for (unsigned i = 0; i < part->family->banks; i++)
                if (part->banks[i].work != FLASH_IDLE && part->banks[i].due_ns <= now_ns)
                        finish_work(part, i);
}
