/*
 * Flash of a simulated part: the array, the words on their way into it, what is erased when
 * (targets.md 2.1, 6.3, 10.1). The registers in front of it are those of its sequence: part_h7.c,
 * part_l4.c, part_h5.c, part_h7rs.c.
 *
 * A program collects one flash word; the last byte of it (or FW) starts the work, and when its time
 * has passed the word stands in the array. An erase works the same with a sector or whole banks. Only
 * when the time is due does the array change, so a power cut before leaves it as it was. On the H7
 * each bank works by itself, and takes one word more while it programs; elsewhere there is one thing at
 * a time.
 *
 * Refusals: a word can be written once after its erase (ECC, targets.md 10.1); PG missing or an
 * uncleared error; bytes written twice; a second word begun before the first is complete; anything
 * protected. With TrustZone a page belongs to one world: the other one reads zeros and writes
 * nothing. What works answers WAIT.
 */
#include "drivers/simulated/part_private.h"

#include "scheduler/bytes.h"

#define KEY_1 0x45670123u
#define KEY_2 0xCDEF89ABu

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

void flash_erase_non_secure(struct simulated_part *part)
{
        const struct family *family = part->family;

        for (unsigned i = 0; i < family->banks; i++)
                for (uint32_t at = 0; at < family->bank_length; at += family->sector_length)
                        if (!option_is_secure_at(part, family->bank_address[i] + at))
                                erase(part, family->bank_address[i] + at, family->sector_length);
}

uint64_t flash_bank_erase_ns(const struct simulated_part *part)
{
        const struct family *family = part->family;
        uint64_t sectors = family->bank_length / family->sector_length;

        if (family->bank_erase_ms)
                return family->bank_erase_ms * NS_PER_MS;
        return family->sector_erase_ms * NS_PER_MS * sectors;
}

/* --- what the bus sees --------------------------------------------------------------------- */

static struct flash_set *set_of(struct simulated_part *part, bool is_secure, uint32_t address)
{
        if (part->sequence->has_set_a_bank)
                return &part->sets[bank_of(part, address)];
        return &part->sets[is_secure];
}

bool flash_set_is_busy(const struct simulated_part *part, const struct flash_set *set)
{
        if (part->sequence->has_set_a_bank)
                return set->work != FLASH_IDLE;
        return flash_is_busy(part) || part->option_due_ns != NEVER;
}

static bool overlaps_busy(struct simulated_part *part, uint32_t address, uint32_t length)
{
        return flash_set_is_busy(part, set_of(part, false, address)) ||
               flash_set_is_busy(part, set_of(part, false, address + length - 1));
}

static bool is_foreign(const struct simulated_part *part, bool is_secure, uint32_t address)
{
        return part->is_trustzone_on && option_is_secure_at(part, address) != is_secure;
}

/* Zeros where a page belongs to the other world. */
static void copy_out(struct simulated_part *part, bool is_secure, uint32_t address, uint8_t *data,
                     size_t length)
{
        uint32_t page = part->family->sector_length;

        while (length > 0) {
                size_t piece = page - address % page;

                if (piece > length)
                        piece = length;
                if (is_foreign(part, is_secure, address))
                        memset(data, 0, piece);
                else
                        memcpy(data, flash_at(part, address), piece);
                address += (uint32_t)piece;
                data += piece;
                length -= piece;
        }
}

enum part_answer flash_read(struct simulated_part *part, bool is_secure, uint32_t address,
                            void *data, size_t length)
{
        uint32_t flag = 0;

        if (part->protection >= LEVEL_1)
                return PART_FAULT;
        if (option_protects_read(part, address, (uint32_t)length, &flag)) {
                set_of(part, is_secure, address)->flags |= flag;
                return PART_FAULT;
        }
        if (overlaps_busy(part, address, (uint32_t)length))
                return PART_WAIT;
        copy_out(part, is_secure, address, data, length);
        return PART_OK;
}

/* Program and erase times grow with narrower parallelism: targets.md 10.1, DS12110, in percent of
 * x64, for PSIZE x8, x16, x32, x64. */
static const unsigned program_percent[] = { 290, 180, 130, 100 };
static const unsigned erase_percent[] = { 200, 180, 110, 100 };

static void start_work(struct simulated_part *part, struct flash_set *set, enum flash_work work,
                       uint64_t from_ns, uint64_t duration_ns)
{
        unsigned percent = work == FLASH_PROGRAM ? program_percent[set->parallelism]
                                                 : erase_percent[set->parallelism];

        set->work = work;
        set->due_ns = from_ns + part_scaled(part, duration_ns * percent / 100);
        part_changed(part);
}

static void start_word(struct simulated_part *part, struct flash_set *set, uint64_t from_ns)
{
        memcpy(set->word, set->buffer, sizeof(set->word));
        set->word_address = set->buffer_address;
        set->is_queued = false;
        start_work(part, set, FLASH_PROGRAM, from_ns, part->family->word_program_us * NS_PER_US);
}

static bool is_at_work(const struct flash_set *set, uint32_t word)
{
        return set->work == FLASH_PROGRAM && set->word_address == word;
}

/* The collected word enters the queue; bytes never written are programmed as ones. */
static void queue_word(struct simulated_part *part, struct flash_set *set)
{
        bool is_zero = true;

        set->buffer_mask = 0;
        for (unsigned i = 0; i < part->family->word_length; i++)
                is_zero = is_zero && set->buffer[i] == 0;
        if (!is_zero &&
            (flash_is_written(part, set->buffer_address) || is_at_work(set, set->buffer_address)))
                set->flags |= FLASH_OVERWRITE;
        else if (set->work == FLASH_PROGRAM)
                set->is_queued = true;
        else
                start_word(part, set, part->now_ns);
}

void flash_force_word(struct simulated_part *part, struct flash_set *set)
{
        if (set->buffer_mask != 0)
                queue_word(part, set);
}

/* Which error a write of `width` bytes at `address` makes; 0: none. */
static uint32_t write_error(struct simulated_part *part, const struct flash_set *set,
                            bool is_secure, uint32_t address, unsigned width)
{
        uint32_t start = address - address % part->family->word_length;
        uint32_t mask = ((1u << width) - 1) << (address - start);

        if (!set->may_program || set->flags & FLASH_ERRORS)
                return FLASH_SEQUENCE;
        if (part->sequence->wants_words && width != 4)
                return FLASH_NARROW;
        if (option_protects_write(part, address, width) || is_foreign(part, is_secure, address))
                return FLASH_PROTECTED;
        if (set->buffer_mask != 0 && set->buffer_address != start)
                return FLASH_MIXED;
        return set->buffer_mask & mask ? FLASH_TWICE : 0;
}

static uint32_t full_mask(const struct simulated_part *part)
{
        return part->family->word_length == 32 ? UINT32_MAX : (1u << part->family->word_length) - 1;
}

/* On the H7 the next word is taken while one is programmed (targets.md 6.2, QW; that it is one and no
 * more is an estimate: the depth of the queue is not in our sources). */
static bool has_room(const struct simulated_part *part, const struct flash_set *set)
{
        return part->sequence->has_set_a_bank && set->work == FLASH_PROGRAM && !set->is_queued;
}

/* An error of the controller is no bus error: the write is taken and lost, SR tells. */
enum part_answer flash_write(struct simulated_part *part, bool is_secure, uint32_t address,
                             const void *data, unsigned width)
{
        struct flash_set *set = set_of(part, is_secure, address);
        uint32_t start = address - address % part->family->word_length;
        uint32_t error;

        if (part->protection >= LEVEL_1)
                return PART_FAULT;
        if (flash_set_is_busy(part, set) && !has_room(part, set))
                return PART_WAIT;
        error = write_error(part, set, is_secure, address, width);
        if (error != 0) {
                set->flags |= error;
                return PART_OK;
        }
        if (set->buffer_mask == 0)
                memset(set->buffer, 0xFF, sizeof(set->buffer));
        set->buffer_address = start;
        memcpy(set->buffer + (address - start), data, width);
        set->buffer_mask |= ((1u << width) - 1) << (address - start);
        if (set->buffer_mask == full_mask(part))
                queue_word(part, set);
        return PART_OK;
}

/* --- for the sequences --------------------------------------------------------------------- */

/* May the set erase that? A sector must belong to its world; whole banks go as they are, if the
 * secure side has no part of them or asks itself (targets.md 6.3). */
static bool may_erase(struct simulated_part *part, const struct flash_set *set, unsigned bank,
                      uint32_t start, uint32_t length)
{
        bool is_secure = !part->sequence->has_set_a_bank && set == &part->sets[1];
        uint32_t page = part->family->sector_length;

        if (bank >= part->family->banks || !flash_holds(part, start, length) ||
            option_protects_write(part, start, length))
                return false;
        for (uint32_t at = 0; at < length; at += page)
                if (is_foreign(part, is_secure, start + at))
                        return false;
        return true;
}

void flash_start_erase(struct simulated_part *part, struct flash_set *set, uint32_t banks,
                       bool is_whole, uint32_t sector)
{
        const struct family *family = part->family;

        if (set->may_program || set->flags & FLASH_ERRORS || set->buffer_mask != 0) {
                set->flags |= FLASH_SEQUENCE;
                return;
        }
        for (unsigned bank = 0; bank < FAMILY_BANKS_MAX; bank++) {
                uint32_t length = is_whole ? family->bank_length : family->sector_length;

                if (!(banks & 1u << bank))
                        continue;
                if (bank < family->banks && sector < family->bank_length / family->sector_length &&
                    may_erase(part, set, bank,
                              family->bank_address[bank] +
                                      (is_whole ? 0 : sector * family->sector_length),
                              length))
                        continue;
                set->flags |= FLASH_PROTECTED;
                return;
        }
        set->banks = banks;
        set->sector = sector;
        start_work(part, set, is_whole ? FLASH_ERASE_BANKS : FLASH_ERASE_SECTOR, part->now_ns,
                   is_whole ? flash_bank_erase_ns(part) : family->sector_erase_ms * NS_PER_MS);
}

enum part_answer flash_give_key(struct flash_set *set, uint32_t value)
{
        if (set->is_dead || !set->is_locked || value != (set->keys == 0 ? KEY_1 : KEY_2)) {
                set->is_dead = true;
                set->is_locked = true;
                return PART_FAULT;
        }
        if (++set->keys == 2) {
                set->keys = 0;
                set->is_locked = false;
        }
        return PART_OK;
}

uint32_t flash_show(uint32_t flags, const uint8_t bits[static FLASH_FLAGS])
{
        uint32_t value = 0;

        for (unsigned i = 0; i < FLASH_FLAGS; i++)
                if (flags >> i & 1u && bits[i] < 32)
                        value |= 1u << bits[i];
        return value;
}

uint32_t flash_parse(uint32_t value, const uint8_t bits[static FLASH_FLAGS])
{
        uint32_t flags = 0;

        for (unsigned i = 0; i < FLASH_FLAGS; i++)
                if (bits[i] < 32 && value >> bits[i] & 1u)
                        flags |= 1u << i;
        return flags;
}

/* --- time ---------------------------------------------------------------------------------- */

void flash_reset(struct simulated_part *part)
{
        for (unsigned i = 0; i < FLASH_SETS; i++)
                part->sets[i] =
                        (struct flash_set){ .is_locked = true, .parallelism = 3, .due_ns = NEVER };
        part->sequence->reset(part);
}

bool flash_is_busy(const struct simulated_part *part)
{
        return flash_due(part) != NEVER;
}

uint64_t flash_due(const struct simulated_part *part)
{
        uint64_t due_ns = NEVER;

        for (unsigned i = 0; i < FLASH_SETS; i++)
                if (part->sets[i].work != FLASH_IDLE && part->sets[i].due_ns < due_ns)
                        due_ns = part->sets[i].due_ns;
        return due_ns;
}

static void finish_work(struct simulated_part *part, struct flash_set *set)
{
        const struct family *family = part->family;
        uint64_t now_ns = set->due_ns;

        switch (set->work) {
        case FLASH_IDLE:
                return;
        case FLASH_PROGRAM:
                (void)flash_commit(part, set->word_address, set->word); /* SR never tells */
                break;
        case FLASH_ERASE_SECTOR:
        case FLASH_ERASE_BANKS:
                for (unsigned i = 0; i < family->banks; i++)
                        if (set->banks & 1u << i && set->work == FLASH_ERASE_BANKS)
                                erase(part, family->bank_address[i], family->bank_length);
                        else if (set->banks & 1u << i)
                                erase(part,
                                      family->bank_address[i] + set->sector * family->sector_length,
                                      family->sector_length);
                break;
        }
        set->work = FLASH_IDLE;
        set->due_ns = NEVER;
        set->flags |= FLASH_EOP;
        if (set->is_queued)
                start_word(part, set, now_ns);
}

void flash_advance(struct simulated_part *part, uint64_t now_ns)
{
        for (unsigned i = 0; i < FLASH_SETS; i++)
                if (part->sets[i].work != FLASH_IDLE && part->sets[i].due_ns <= now_ns)
                        finish_work(part, &part->sets[i]);
}
