/*
 * loader_run.c - an external loader at work on a target.
 *
 * Into one of the part's RAMs: the loader's segments where they were linked, and behind the last one of that RAM
 * a breakpoint, the stack, and a buffer of what is left, at most 64 KiB in whole pages. Each function
 * is one call (target_core.h) with a time limit of its own (targets.md 8.4: 10 s to program, 6 to 10 s
 * to erase a sector; whole chips 300 s at most, 10.1).
 */
#include "drivers/loader.h"

#include "drivers/target_core.h"

#include <stdlib.h>

#define STACK_LENGTH 8192u /* ST's HAL in Init takes one to two KiB (estimate); room beyond that */
#define BUFFER_MAX   65536u
#define BUFFER_LEAST 256u
#define GRAIN        16u /* also what chips with ECC program at once */
#define TYPE_NOR     3u  /* StorageInfo: targets.md 8.4 */
#define TYPE_SPI     7u
#define ZEROS        4096u

static const unsigned timeouts_ms[LOADER_FUNCTIONS] = {
        [LOADER_INIT] = 5000,         [LOADER_WRITE] = 10000, [LOADER_SECTOR_ERASE] = 10000,
        [LOADER_MASS_ERASE] = 300000, [LOADER_READ] = 10000,  [LOADER_VERIFY] = 10000,
};

/* --- into RAM ------------------------------------------------------------------------------ */

/* The RAM that holds all of [address, address + length), seen through the same alias. */
static bool find_ram(const struct family *family, uint32_t address, uint64_t length,
                     struct family_range *ret_ram)
{
        for (size_t i = 0; i < family->ram_count; i++)
                for (uint32_t alias = 0; alias <= 0x10000000u; alias += 0x10000000u) {
                        uint32_t start = family->rams[i].address + alias;

                        if (alias && !family->secure_alias)
                                break;
                        if (address < start || address - start >= family->rams[i].length ||
                            length > family->rams[i].length - (address - start))
                                continue;
                        *ret_ram = (struct family_range){ start, family->rams[i].length };
                        return true;
                }
        return false;
}

static bool stays_behind(const struct loader_run *run, const struct loader_segment *segment)
{
        struct family_range ram;

        return segment->is_descriptor &&
               !find_ram(run->target->family, segment->address, segment->length, &ram);
}

/* Where the loader ends in the RAM of its first segment. */
static int find_room(const struct loader_run *run, struct family_range *ret_room)
{
        const struct family *family = run->target->family;
        const struct loader *loader = run->loader;
        struct family_range ram = { 0 };
        uint32_t end = 0;

        for (unsigned i = 0; i < loader->segment_count; i++) {
                const struct loader_segment *segment = &loader->segments[i];
                uint32_t length = segment->length + segment->zeros;
                struct family_range found;

                if (stays_behind(run, segment))
                        continue;
                if (!find_ram(family, segment->address, length, &found))
                        return fault(FAULT_NO_ROOM,
                                     "the loader's segment of %u bytes at 0x%08X is not in the RAM "
                                     "of a %s: it was made for another part",
                                     length, segment->address, family->name);
                if (!ram.length)
                        ram = found;
                if (found.address == ram.address && segment->address + length > end)
                        end = segment->address + length;
        }
        end = (end + 7) & ~7u;
        *ret_room = (struct family_range){ end, ram.address + ram.length - end };
        return 0;
}

static int lay_out(struct loader_run *run)
{
        const struct loader_storage *storage = &run->loader->storage;
        struct family_range room = { 0 };
        uint32_t left;
        int r = find_room(run, &room);

        if (r < 0)
                return r;
        if (room.length < 8 + STACK_LENGTH + BUFFER_LEAST)
                return fault(FAULT_NO_ROOM,
                             "the loader leaves %u bytes of RAM behind it, wanted %u for stack and "
                             "buffer",
                             room.length, 8 + STACK_LENGTH + BUFFER_LEAST);
        run->breakpoint = room.address;
        run->stack = room.address + 8 + STACK_LENGTH;
        run->buffer = run->stack;
        left = room.length - 8 - STACK_LENGTH;
        if (left > BUFFER_MAX)
                left = BUFFER_MAX;
        run->buffer_length = left >= storage->page_length ? left - left % storage->page_length
                                                          : left & ~(GRAIN - 1);
        return 0;
}

static int put_zeros(struct target *target, uint32_t address, uint32_t length)
{
        static const uint8_t zeros[ZEROS];
        int r = 0;

        while (length && !r) {
                uint32_t count = length < ZEROS ? length : ZEROS;

                r = target_write(target, address, zeros, count, NULL);
                address += count;
                length -= count;
        }
        return r;
}

static int put_segments(struct loader_run *run)
{
        int r = 0;

        for (unsigned i = 0; i < run->loader->segment_count && !r; i++) {
                const struct loader_segment *segment = &run->loader->segments[i];

                if (stays_behind(run, segment))
                        continue;
                if (segment->length)
                        r = target_write(run->target, segment->address, segment->data,
                                         segment->length, NULL);
                if (!r)
                        r = put_zeros(run->target, segment->address + segment->length,
                                      segment->zeros);
        }
        return r < 0 ? fault_prefix(r, "external loader to RAM")
                     : target_core_prepare(run->target, run->breakpoint);
}

/* --- its functions ------------------------------------------------------------------------- */

static int call(struct loader_run *run, enum loader_function function, uint32_t first,
                uint32_t second, uint32_t third)
{
        const struct target_call arguments = {
                .function = run->loader->entries[function],
                .arguments = { first, second, third, 0 },
                .stack = run->stack,
                .breakpoint = run->breakpoint,
                .timeout_ms = timeouts_ms[function],
        };
        uint32_t result = 0;
        int r = target_core_call(run->target, &arguments, &result);

        run->is_mapped = function == LOADER_INIT;
        if (r < 0)
                return fault_prefix(r, "external loader, %s(0x%X, 0x%X)",
                                    loader_function_name(function), first, second);
        if (result != 1)
                return fault(FAULT_FLASH,
                             "external loader \"%s\": %s(0x%X, 0x%X) answered %u, wanted 1",
                             run->loader->storage.name, loader_function_name(function), first,
                             second, result);
        return 0;
}

static int check_range(const struct loader_run *run, uint32_t address, uint32_t length)
{
        const struct loader_storage *storage = &run->loader->storage;

        if (length && loader_holds(storage, address, length))
                return 0;
        return fault(
                FAULT_BAD_VALUE,
                "%u bytes at 0x%08X are not in the memory of the external loader \"%s\", which is "
                "%u bytes at 0x%08X",
                length, address, storage->name, storage->length, storage->address);
}

int loader_start(struct target *target, const struct loader *loader, struct loader_run *ret_run)
{
        struct loader_run run = { .target = target, .loader = loader };
        int r = lay_out(&run);

        if (!r)
                r = target_core_halt(target);
        if (!r)
                r = put_segments(&run);
        if (!r)
                r = call(&run, LOADER_INIT, 0, 0, 0);
        if (r < 0)
                return r;
        *ret_run = run;
        return 0;
}

int loader_erase(struct loader_run *run, uint32_t address, uint32_t length, uint32_t *progress)
{
        uint32_t start, sector, done = 0;
        int r = check_range(run, address, length);

        while (!r && done < length) {
                loader_sector(&run->loader->storage, address + done, &start, &sector);
                r = call(run, LOADER_SECTOR_ERASE, start, start + sector - 1, 0);
                done = sector - (address + done - start) < length - done
                               ? done + sector - (address + done - start)
                               : length;
                if (progress)
                        *progress = done;
        }
        return r;
}

/* Some loaders cannot begin or end at an odd byte: with both edges of the clock eight lines carry pairs
 * of bytes, and ST's own code takes no care of that. So portions go out, and come in, in whole grains. */
struct portion {
        uint32_t start, length; /* of whole grains, inside the storage */
        uint32_t skip, count;   /* where in it the caller's bytes are */
};

static struct portion portion_at(const struct loader_run *run, uint32_t grain, uint32_t address,
                                 uint32_t left)
{
        const struct loader_storage *storage = &run->loader->storage;
        uint32_t offset = address - storage->address, skip = offset % grain, length;
        uint32_t room = storage->length - (offset - skip), page = storage->page_length;
        uint32_t most = run->buffer_length;

        if (most >= page)
                most -= (offset - skip) % page;
        most = most < grain ? grain : most - most % grain;
        length = left < most - skip ? skip + left : most;
        length = (length + grain - 1) / grain * grain;
        if (length > room)
                length = room;
        return (struct portion){ address - skip, length, skip,
                                 left < length - skip ? left : length - skip };
}

/* Without Read the memory is seen through its address, which Write and SectorErase may have switched
 * off, and ST's do: Init switches it on again. */
static int prepare_to_read(struct loader_run *run)
{
        return run->loader->entries[LOADER_READ] || run->is_mapped
                       ? 0
                       : call(run, LOADER_INIT, 0, 0, 0);
}

int loader_read(struct loader_run *run, uint32_t address, void *data, uint32_t length)
{
        bool has_read = run->loader->entries[LOADER_READ];
        int r = check_range(run, address, length);

        if (!r)
                r = prepare_to_read(run);
        for (uint32_t done = 0; done < length && !r;) {
                struct portion portion = portion_at(run, GRAIN, address + done, length - done);

                if (has_read)
                        r = call(run, LOADER_READ, portion.start, portion.length, run->buffer);
                if (!r)
                        r = target_read(run->target,
                                        has_read ? run->buffer + portion.skip : address + done,
                                        (uint8_t *)data + done, portion.count);
                done += portion.count;
        }
        return r;
}

static int compare(struct loader_run *run, uint32_t address, const uint8_t *wanted, uint32_t length)
{
        struct bytes found CLEANUP(bytes_free) = bytes_new(length);
        int r = loader_read(run, address, found.data, length);

        for (uint32_t i = 0; i < length && !r; i++)
                if (found.data[i] != wanted[i])
                        return fault(FAULT_FLASH,
                                     "external memory reads 0x%02X at 0x%08X, wanted 0x%02X",
                                     found.data[i], address + i, wanted[i]);
        return r;
}

/* Programming the erased value again changes nothing in a NOR flash; of other memories that is not known. */
static uint32_t grain_of(const struct loader_storage *storage)
{
        bool is_nor = storage->type == TYPE_NOR || storage->type == TYPE_SPI;

        return is_nor && storage->erased == 0xFF ? GRAIN : 1;
}

static int write_portion(struct loader_run *run, const struct portion *portion, const uint8_t *data)
{
        struct bytes padded CLEANUP(bytes_free) = bytes_new(portion->length);
        int r;

        memset(padded.data, run->loader->storage.erased, portion->length);
        memcpy(padded.data + portion->skip, data, portion->count);
        r = target_write(run->target, run->buffer, padded.data, portion->length, NULL);
        return r < 0 ? r : call(run, LOADER_WRITE, portion->start, portion->length, run->buffer);
}

int loader_write(struct loader_run *run, uint32_t address, const void *data, uint32_t length,
                 uint32_t *progress)
{
        uint32_t grain = grain_of(&run->loader->storage);
        int r = check_range(run, address, length);

        for (uint32_t done = 0; done < length && !r;) {
                struct portion portion = portion_at(run, grain, address + done, length - done);

                r = write_portion(run, &portion, (const uint8_t *)data + done);
                done += portion.count;
                if (progress)
                        *progress = done;
        }
        return r < 0 ? r : compare(run, address, data, length);
}

int loader_check_blank(struct loader_run *run, uint32_t address, uint32_t length)
{
        uint8_t erased = run->loader->storage.erased;
        struct bytes found CLEANUP(bytes_free) = bytes_new(length);
        int r = loader_read(run, address, found.data, length);

        for (uint32_t i = 0; i < length && !r; i++)
                if (found.data[i] != erased)
                        return fault(FAULT_NOT_BLANK,
                                     "external memory reads 0x%02X at 0x%08X, wanted 0x%02X: erase "
                                     "it",
                                     found.data[i], address + i, erased);
        return r;
}

int loader_finish(struct loader_run *run)
{
        return target_core_release(run->target);
}
