/*
 * The one program a core without an engine can run: the reference loader of the memory outside (part_nor.c).
 *
 * Nothing executes here by itself (core.h). So that the station's way with external loaders can be walked on a
 * simulated line all the same, a core that is started on an entry of the reference loader does what that entry
 * says, straight to the array. Init leaves the controllers memory-mapped, as real loaders do. REFERENCE: the image
 * is ours; it is known by the name in its StorageInfo, "GANGWAY REFERENCE LOADER ...", and each entry, a
 * multiple of 8, holds
 *
 *      + 0  UDF #0x40 + function (drivers/loader.h), which a real core takes as a fault
 *      + 2  BX LR
 *      + 4  address of StorageInfo
 *
 * Work goes page by page and sector by sector, each due in its time (targets.md 10.1): what had its
 * time has happened when power goes, nothing of the rest has. Anything else a core is started on runs
 * and runs. With an engine real loaders run, on part_octospi.c, and this one is taken for the fault it is.
 */
#include "drivers/loader.h"
#include "drivers/simulated/part_private.h"

#include "scheduler/bytes.h"

#define REFERENCE_NAME "GANGWAY REFERENCE LOADER"
#define UDF            0xDE40u
#define BX_LR          0x4770u

#define INIT_NS (2 * NS_PER_MS)  /* estimate */
#define READ_NS (25 * NS_PER_US) /* of a page: estimate, 10 MB/s */

/* Offsets in StorageInfo, a second time: targets.md 8.4. */
#define AT_ADDRESS 104u
#define AT_LENGTH  108u
#define AT_GROUPS  120u
#define STORAGE    200u

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

/* How long the next step takes. */
static uint64_t step_ns(struct simulated_part *part)
{
        const struct external_run *run = &part->loader;

        switch (run->function) {
        case LOADER_INIT:
                return INIT_NS;
        case LOADER_WRITE:
                return NOR_PAGE_NS;
        case LOADER_SECTOR_ERASE:
                return nor_erase_ns(sector_length(part, run->first));
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
        uint32_t room = NOR_PAGE - run->first % NOR_PAGE;
        uint32_t count = run->length < room ? run->length : room;
        uint8_t *buffer = part_ram(part, run->buffer, count);
        bool is_write = run->function == LOADER_WRITE;

        if (!buffer || !nor_holds(part, run->first, count) ||
            (is_write && !nor_takes(part, run->first, count))) {
                finish(part, 0);
                return;
        }
        if (is_write)
                nor_program(part, run->first, buffer, count);
        for (uint32_t i = 0; i < count && !is_write; i++)
                buffer[i] = part_external_byte(part, run->first + i);
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

        if (length == 0 || last < run->first || !nor_takes(part, start, length)) {
                finish(part, 0);
                return;
        }
        nor_erase(part, start, length);
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
                if (run->is_up)
                        octospi_map(part);
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
