/*
 * The memory outside a simulated part, and the one program its core can run: the reference loader.
 *
 * A NOR flash of 1 MiB stands at the start of each external address range of the family. Erasing a
 * sector makes it 0xFF, programming takes ones away and never puts them back. In the store it lies
 * inverted, so that an erased one is a hole in the file. It is behind a controller that nobody has
 * set up after a reset: until a loader's Init the bus faults there.
 *
 * Without an engine (core.h) nothing executes here. So that the station's way with
 * external loaders can be walked on a simulated line all the same, a core that is started on an
 * entry of the reference loader does what that entry says. REFERENCE: the image is ours; it is known by
 * the name in its StorageInfo, "GANGWAY REFERENCE LOADER ...", and each entry, a multiple of 8, holds
 *
 *      + 0  UDF #0x40 + function (drivers/loader.h), which a real core takes as a fault
 *      + 2  BX LR
 *      + 4  address of StorageInfo
 *
 * Work goes page by page and sector by sector, each due in its time (targets.md 10.1): what had its
 * time has happened when power goes, nothing of the rest has. Anything else a core is started on runs
 * and runs.
 */
#include "drivers/loader.h"
#include "drivers/simulated/part_private.h"

#include "scheduler/bytes.h"

#define REFERENCE_NAME "GANGWAY REFERENCE LOADER"
#define UDF            0xDE40u
#define BX_LR          0x4770u

/* MX25LM51245G class: targets.md 10.1. */
#define PAGE      256u
#define PAGE_NS   (150 * NS_PER_US)
#define SECTOR    4096u
#define SECTOR_NS (25 * NS_PER_MS)
#define BLOCK     65536u
#define BLOCK_NS  (220 * NS_PER_MS)
#define INIT_NS   (2 * NS_PER_MS)  /* estimate */
#define READ_NS   (25 * NS_PER_US) /* of a page: estimate, 10 MB/s */

/* Offsets in StorageInfo, a second time: targets.md 8.4. */
#define AT_ADDRESS 104u
#define AT_LENGTH  108u
#define AT_GROUPS  120u
#define STORAGE    200u

/* --- the array ----------------------------------------------------------------------------- */

/* Where `address` lies in the store; NULL: outside. */
static uint8_t *cell(const struct simulated_part *part, uint32_t address, size_t length)
{
        for (size_t i = 0; i < part->family->external_count; i++) {
                uint32_t offset = address - part->family->externals[i].address;

                if (offset < EXTERNAL_LENGTH && length <= EXTERNAL_LENGTH - offset)
                        return part->external + i * EXTERNAL_LENGTH + offset;
        }
        return NULL;
}

bool external_holds(const struct simulated_part *part, uint32_t address, size_t length)
{
        return cell(part, address, length) != NULL;
}

/* Only where something is: writing zeros into a hole of the store would fill it. */
void external_make_fresh(struct simulated_part *part)
{
        static const uint8_t zeros[SECTOR];

        for (size_t at = 0; at < part->family->external_count * EXTERNAL_LENGTH; at += SECTOR)
                if (memcmp(part->external + at, zeros, SECTOR) != 0)
                        memset(part->external + at, 0, SECTOR);
}

uint8_t part_external_byte(const struct simulated_part *part, uint32_t address)
{
        const uint8_t *at = cell(part, address, 1);

        INSIST(at);
        return (uint8_t) ~*at;
}

static void copy_out(const struct simulated_part *part, uint32_t address, uint8_t *to,
                     size_t length)
{
        const uint8_t *from = cell(part, address, length);

        for (size_t i = 0; i < length; i++)
                to[i] = (uint8_t)~from[i];
}

static void program(struct simulated_part *part, uint32_t address, const uint8_t *from,
                    size_t length)
{
        uint8_t *to = cell(part, address, length);

        for (size_t i = 0; i < length; i++)
                to[i] |= (uint8_t)~from[i]; /* inverted: a zero is set and stays */
}

void part_fill_external(struct simulated_part *part, uint32_t address, const void *data,
                        size_t length)
{
        INSIST(external_holds(part, address, length));
        program(part, address, data, length);
}

void part_set_external(struct simulated_part *part, bool is_there)
{
        part->record->has_no_external = !is_there;
}

enum part_answer external_read(struct simulated_part *part, uint32_t address, void *data,
                               size_t length)
{
        if (!part->loader.is_up)
                return PART_FAULT;
        copy_out(part, address, data, length);
        return otfdec_see(part, address, data, length);
}

/* --- the reference loader: start and end --------------------------------------------------- */

void external_reset(struct simulated_part *part)
{
        part->loader = (struct external_run){ .due_ns = NEVER };
}

static bool is_reference(struct simulated_part *part, uint32_t storage)
{
        const uint8_t *at = part_ram(part, storage, STORAGE);

        return at && memcmp(at, REFERENCE_NAME, strlen(REFERENCE_NAME)) == 0;
}

/* Which function of the reference loader is at `entry`? False: none. */
static bool function_at(struct simulated_part *part, uint32_t entry, unsigned *ret_function,
                        uint32_t *ret_storage)
{
        const uint8_t *code = entry % 8 == 0 ? part_ram(part, entry, 8) : NULL;

        if (!code || load_le16(code + 2) != BX_LR)
                return false;
        *ret_function = load_le16(code) - UDF;
        *ret_storage = load_le32(code + 4);
        return *ret_function < LOADER_FUNCTIONS && is_reference(part, *ret_storage);
}

static void finish(struct simulated_part *part, uint32_t result)
{
        part->loader.due_ns = NEVER;
        part->core[0] = result;
        part->core[15] = part->core[14] & ~1u;
        part->is_halted = true; /* on the BKPT at its return address */
        part->dfsr |= 2;
        part_changed(part);
}

/* Length of the sectors at `address`, as StorageInfo says; 0: outside its memory. */
static uint32_t sector_length(struct simulated_part *part, uint32_t address)
{
        const uint8_t *at = part_ram(part, part->loader.storage, STORAGE);
        uint32_t offset = at ? address - load_le32(at + AT_ADDRESS) : 0;

        for (uint32_t i = AT_GROUPS; at && i < STORAGE; i += 8) {
                uint64_t all = (uint64_t)load_le32(at + i) * load_le32(at + i + 4);

                if (all == 0)
                        break;
                if (offset < all)
                        return load_le32(at + i + 4);
                offset -= (uint32_t)all;
        }
        return 0;
}

static uint64_t sector_ns(uint32_t length)
{
        return length >= BLOCK ? length / BLOCK * BLOCK_NS
                               : (length + SECTOR - 1) / SECTOR * SECTOR_NS;
}

/* How long the next step takes. */
static uint64_t step_ns(struct simulated_part *part)
{
        const struct external_run *run = &part->loader;

        switch (run->function) {
        case LOADER_INIT:
                return INIT_NS;
        case LOADER_WRITE:
                return PAGE_NS;
        case LOADER_SECTOR_ERASE:
                return sector_ns(sector_length(part, run->first));
        default:
                return READ_NS;
        }
}

static void next(struct simulated_part *part)
{
        part->loader.due_ns += part_scaled(part, step_ns(part));
        part_changed(part);
}

void external_core_starts(struct simulated_part *part)
{
        struct external_run *run = &part->loader;
        const uint32_t *core = part->core;
        uint32_t storage;
        unsigned function;

        if (part->engine || !function_at(part, core[15], &function, &storage))
                return;
        *run = (struct external_run){ .is_up = run->is_up,
                                      .due_ns = part->now_ns,
                                      .function = function,
                                      .first = core[0],
                                      .length = core[1],
                                      .buffer = core[2],
                                      .storage = storage };
        next(part);
}

/* --- its functions, a step at a time ------------------------------------------------------- */

/* Move one page, or what is left of one at either end. */
static void move_page(struct simulated_part *part)
{
        struct external_run *run = &part->loader;
        uint32_t room = PAGE - run->first % PAGE;
        uint32_t count = run->length < room ? run->length : room;
        uint8_t *buffer = part_ram(part, run->buffer, count);

        if (!buffer || !external_holds(part, run->first, count)) {
                finish(part, 0);
                return;
        }
        if (run->function == LOADER_WRITE)
                program(part, run->first, buffer, count);
        else
                copy_out(part, run->first, buffer, count);
        run->first += count;
        run->length -= count;
        run->buffer += count;
        if (run->length > 0)
                next(part);
        else
                finish(part, 1);
}

/* What other functions take for a length is the last address here. */
static void erase_sector(struct simulated_part *part)
{
        struct external_run *run = &part->loader;
        uint32_t length = sector_length(part, run->first), last = run->length;
        uint32_t start = length ? run->first - run->first % length : 0;

        if (length == 0 || last < run->first || !external_holds(part, start, length)) {
                finish(part, 0);
                return;
        }
        memset(cell(part, start, length), 0, length);
        if (last - start < length) {
                finish(part, 1);
                return;
        }
        run->first = start + length;
        next(part);
}

void external_advance(struct simulated_part *part)
{
        struct external_run *run = &part->loader;

        if (run->function == LOADER_INIT) {
                run->is_up = !part->record->has_no_external;
                finish(part, run->is_up);
        } else if (!run->is_up) {
                finish(part, 0);
        } else if (run->function == LOADER_SECTOR_ERASE) {
                erase_sector(part);
        } else if (run->function == LOADER_WRITE || run->function == LOADER_READ) {
                move_page(part);
        } else {
                finish(part, 0);
        }
}
