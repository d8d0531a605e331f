/*
 * A Cortex-M core on unicorn. RAM and flash of the part are mapped, everything else is the part's bus.
 *
 * RAM runs at full speed. Loads from flash ask the part first, stores to it find no permission and go to
 * the part's controller instead. Peripherals, the core's own registers and system memory are windows whose every
 * access goes to the part. Time is counted in halfwords of code, block by block; a run ends at the block
 * that begins after the cycles are used up. An exception of any kind ends it too: BKPT is what loaders end with, the
 * rest are faults.
 *
 * Registers are exchanged at each run, without the FPU's: those stay here.
 */
#include "tests/rigs/parts/core.h"

#include "scheduler/bytes.h"

#include <stdlib.h>
#include <string.h>
#include <unicorn/unicorn.h>

/* QEMU target/arm/cpu.h: numbers of UC_HOOK_INTR */
enum { EXCP_BKPT = 7 };

struct part_core;

/* unicorn tells how far into a window an access is, not where. */
struct window {
        struct part_core *core;
        uint32_t address;
};

struct part_core {
        struct simulated_part *part;
        uc_engine *engine;
        struct core_memory memories[CORE_MEMORIES_MAX];
        unsigned memory_count;
        struct window windows[CORE_MEMORIES_MAX];
        unsigned cycles, used; /* of the run in hand */
        enum core_stop stop;
};

#define CHECKED(call) INSIST((call) == UC_ERR_OK)

static void end(struct part_core *core, enum core_stop stop)
{
        core->stop = stop;
        uc_emu_stop(core->engine);
}

/* After every access over the bus. */
static void look(struct part_core *core, bool is_well)
{
        if (!is_well)
                end(core, CORE_FAULT);
        else if (part_core_is_stopped(core->part))
                uc_emu_stop(core->engine);
}

/* --- hooks --------------------------------------------------------------------------------- */

static uint64_t load_window(uc_engine *engine, uint64_t offset, unsigned width, void *subject)
{
        const struct window *window = subject;
        struct part_core *core = window->core;
        uint8_t bytes[4] = { 0 };

        (void)engine;
        INSIST(width <= sizeof(bytes));
        look(core, part_core_load(core->part, core->used, window->address + (uint32_t)offset, bytes,
                                  width));
        return load_le32(bytes);
}

static void store(struct part_core *core, uint32_t address, uint64_t value, unsigned width)
{
        uint8_t bytes[4];

        for (unsigned done = 0; done < width; done += sizeof(bytes)) { /* a double word is two */
                unsigned step = width < sizeof(bytes) ? width : sizeof(bytes);

                store_le32(bytes, (uint32_t)(value >> 8 * done));
                look(core, part_core_store(core->part, core->used, address + done, bytes, step));
        }
}

static void store_window(uc_engine *engine, uint64_t offset, unsigned width, uint64_t value,
                         void *subject)
{
        const struct window *window = subject;

        (void)engine;
        store(window->core, window->address + (uint32_t)offset, value, width);
}

static void before_flash_load(uc_engine *engine, uc_mem_type type, uint64_t address, int width,
                              int64_t value, void *subject)
{
        struct part_core *core = subject;

        (void)engine;
        (void)type;
        (void)value;
        look(core, part_core_may_load(core->part, core->used, (uint32_t)address, (unsigned)width));
}

/* True: go on. The mapping is read-only, so the store itself is dropped. */
static bool flash_store(uc_engine *engine, uc_mem_type type, uint64_t address, int width,
                        int64_t value, void *subject)
{
        (void)engine;
        (void)type;
        store(subject, (uint32_t)address, (uint64_t)value, (unsigned)width);
        return true;
}

static void block_begins(uc_engine *engine, uint64_t address, uint32_t length, void *subject)
{
        struct part_core *core = subject;

        (void)address;
        if (core->used >= core->cycles)
                uc_emu_stop(engine);
        else
                core->used += length / 2;
}

static void exception(uc_engine *engine, uint32_t number, void *subject)
{
        (void)engine;
        end(subject, number == EXCP_BKPT ? CORE_BREAKPOINT : CORE_FAULT);
}

/* --- life ---------------------------------------------------------------------------------- */

static void map_window(struct part_core *core, const struct core_memory *memory)
{
        struct window *window = &core->windows[memory - core->memories];

        *window = (struct window){ core, memory->address };
        CHECKED(uc_mmio_map(core->engine, memory->address, memory->length, load_window, window,
                            store_window, window));
}

static void map_memory(struct part_core *core, const struct core_memory *memory)
{
        uint32_t last = memory->address + memory->length - 1;
        uc_hook hook;

        CHECKED(uc_mem_map_ptr(core->engine, memory->address, memory->length, UC_PROT_ALL,
                               memory->bytes));
        if (memory->kind != CORE_FLASH)
                return;
        /* mapping it so at once asks the hook, and then stores all the same (unicorn 2.0.1) */
        CHECKED(uc_mem_protect(core->engine, memory->address, memory->length,
                               UC_PROT_READ | UC_PROT_EXEC));
        CHECKED(uc_hook_add(core->engine, &hook, UC_HOOK_MEM_READ, (void *)before_flash_load, core,
                            memory->address, last));
        CHECKED(uc_hook_add(core->engine, &hook, UC_HOOK_MEM_WRITE_PROT, (void *)flash_store, core,
                            memory->address, last));
}

static struct part_core *core_create(struct simulated_part *part)
{
        static const int models[] = { [FAMILY_M4] = UC_CPU_ARM_CORTEX_M4,
                                      [FAMILY_M7] = UC_CPU_ARM_CORTEX_M7,
                                      [FAMILY_M33] = UC_CPU_ARM_CORTEX_M33 };
        struct part_core *core = calloc(1, sizeof(*core));
        uc_hook hook;

        INSIST(core);
        core->part = part;
        CHECKED(uc_open(UC_ARCH_ARM, UC_MODE_THUMB | UC_MODE_MCLASS, &core->engine));
        CHECKED(uc_ctl_set_cpu_model(core->engine, models[part_core_model(part)]));
        core->memory_count = part_core_memories(part, core->memories);
        for (unsigned i = 0; i < core->memory_count; i++) {
                if (core->memories[i].kind == CORE_WINDOW)
                        map_window(core, &core->memories[i]);
                else
                        map_memory(core, &core->memories[i]);
        }
        CHECKED(uc_hook_add(core->engine, &hook, UC_HOOK_BLOCK, (void *)block_begins, core, 1, 0));
        CHECKED(uc_hook_add(core->engine, &hook, UC_HOOK_INTR, (void *)exception, core, 1, 0));
        return core;
}

static struct part_core *core_destroy(struct part_core *core)
{
        if (!core)
                return NULL;
        uc_close(core->engine);
        free(core);
        return NULL;
}

static void core_forget(struct part_core *core, uint32_t first, uint32_t last)
{
        for (unsigned i = 0; i < core->memory_count; i++) {
                const struct core_memory *memory = &core->memories[i];
                uint32_t end_of = memory->address + (memory->length - 1);
                uint32_t from = first > memory->address ? first : memory->address;
                uint32_t to = last < end_of ? last : end_of;

                if (memory->bytes && from <= to)
                        CHECKED(uc_ctl_remove_cache(core->engine, (uint64_t)from,
                                                    (uint64_t)to + 1));
        }
}

/* --- running ------------------------------------------------------------------------------- */

static const int names[CORE_EXCHANGED] = {
        UC_ARM_REG_R0,  UC_ARM_REG_R1,   UC_ARM_REG_R2,  UC_ARM_REG_R3,  UC_ARM_REG_R4,
        UC_ARM_REG_R5,  UC_ARM_REG_R6,   UC_ARM_REG_R7,  UC_ARM_REG_R8,  UC_ARM_REG_R9,
        UC_ARM_REG_R10, UC_ARM_REG_R11,  UC_ARM_REG_R12, UC_ARM_REG_R13, UC_ARM_REG_R14,
        UC_ARM_REG_R15, UC_ARM_REG_XPSR,
};

static enum core_stop core_run(struct part_core *core, uint32_t registers[CORE_EXCHANGED],
                               unsigned cycles, unsigned *ret_used)
{
        uint32_t thumb = registers[CORE_XPSR] >> 24 & 1u;
        uc_err r;

        core->cycles = cycles;
        core->used = 0;
        core->stop = CORE_ON;
        for (unsigned i = 0; i < CORE_EXCHANGED; i++)
                if (i != CORE_PC)
                        CHECKED(uc_reg_write(core->engine, names[i], &registers[i]));
        r = uc_emu_start(core->engine, registers[CORE_PC] | thumb, UINT32_MAX - 1, 0,
                         cycles == 1 ? 1 : 0);
        for (unsigned i = 0; i < CORE_EXCHANGED; i++)
                CHECKED(uc_reg_read(core->engine, names[i], &registers[i]));
        registers[CORE_PC] &= ~1u;
        *ret_used = core->used;
        return r == UC_ERR_OK ? core->stop : CORE_FAULT;
}

const struct core_engine unicorn_engine = {
        .create = core_create,
        .destroy = core_destroy,
        .run = core_run,
        .forget = core_forget,
};
