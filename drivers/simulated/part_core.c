/*
 * A part's core at work: when the engine behind core.h executes, for how long, and what stops it.
 *
 * Time moves a part only when somebody tells it the time (part.c). A core that runs then catches up:
 * it executes as many cycles as its clock has made since, each of its accesses to the bus at the moment
 * it happens, so that a flash word it starts is due when its duration has passed on the core's own
 * clock. A slice has an upper limit; what a slow engine cannot do in it is dropped, the core was slower then.
 *
 * A core stands still while the part is reset, boots, runs its ROM or its RSS, while it is halted or locked
 * up. Exceptions are not modelled: a fault locks the core up, or halts it where DEMCR.VC_HARDERR asks
 * for that.
 */
#include "drivers/simulated/part_private.h"

#include "scheduler/bytes.h"

#define CYCLE_NS       16u /* the H7 leaves reset at 64 MHz (OpenOCD target/stm32h7x.cfg); for all */
#define SLICE_CYCLES   1000000u /* at most, a call: 16 ms, for st-flash looks every 10 ms */
#define SLICE_LEAST    500u     /* less is left for the next call */
#define THUMB          0x01000000u
#define LOCKUP_ADDRESS 0xFFFFFFFEu /* Armv7-M B1.5.15 */

static bool is_system_memory(const struct simulated_part *part, uint32_t address)
{
        return address - part->family->system_memory < part->family->system_memory_length;
}

bool core_executes(const struct simulated_part *part)
{
        return part->engine && !is_system_memory(part, part->core[CORE_PC]);
}

static bool may_run(const struct simulated_part *part)
{
        return core_executes(part) && part->is_powered && !part->is_reset_held &&
               part->boot_ns == NEVER && part->run.step == RSS_IDLE && !part->is_halted &&
               !part->runner.is_locked_up;
}

/* Armv7-M B1.5.5: the first two words of the vector table. Where no program is, that ends in lockup. */
void core_load_vectors(struct simulated_part *part)
{
        uint32_t table = part->family->bank_address[0], entry;

        part->runner.is_locked_up = false;
        part->runner.is_reset = true;
        if (!part->engine || part_boots_system(part))
                return;
        part->core[CORE_SP] = load_le32(flash_at(part, table)) & ~3u;
        entry = load_le32(flash_at(part, table + 4));
        part->core[CORE_PC] = entry & ~1u;
        part->core[CORE_XPSR] = entry & 1u ? THUMB : 0;
}

void core_drop(struct simulated_part *part)
{
        if (part->engine)
                part->runner.core = part->engine->destroy(part->runner.core);
        part->runner = (struct core_runner){ 0 };
}

/* One range is enough: what lies between and did not change is only translated again. */
void core_memory_changed(struct simulated_part *part, uint32_t address, uint32_t length)
{
        struct core_runner *runner = &part->runner;

        if (address < runner->changed_first)
                runner->changed_first = address;
        if (address + length - 1 > runner->changed_last)
                runner->changed_last = address + length - 1;
}

/* --- the bus, as the core sees it ---------------------------------------------------------- */

/* Peripherals and the core's own registers, as Armv7-M B3.1 divides the address space; and the place of
 * unique id and flash size, which is not always in system memory but in the same 64 KiB; the memories
 * outside, of which a program can be read but not run. */
static unsigned list_windows(const struct simulated_part *part, struct core_memory *ret_memories)
{
        uint32_t system = part->family->system_memory & ~0xFFFFu;
        uint32_t length = (part->family->system_memory_length + 0xFFFFu) & ~0xFFFFu;

        ret_memories[0] = (struct core_memory){ CORE_WINDOW, 0x40000000, 0x20000000, NULL };
        ret_memories[1] = (struct core_memory){ CORE_WINDOW, 0xE0000000, 0x00100000, NULL };
        ret_memories[2] = (struct core_memory){ CORE_WINDOW, system, length, NULL };
        for (size_t i = 0; i < part->family->external_count; i++)
                ret_memories[3 + i] =
                        (struct core_memory){ CORE_WINDOW, part->family->externals[i].address,
                                              part->family->externals[i].length, NULL };
        return 3 + (unsigned)part->family->external_count;
}

unsigned part_core_memories(struct simulated_part *part,
                            struct core_memory ret_memories[CORE_MEMORIES_MAX])
{
        const struct family *family = part->family;
        unsigned count = list_windows(part, ret_memories);

        count += part_ram_memories(part, ret_memories + count);
        for (unsigned i = 0; i < family->banks && part->protection < LEVEL_1; i++)
                ret_memories[count++] = (struct core_memory){
                        .kind = CORE_FLASH,
                        .address = family->bank_address[i],
                        .length = family->bank_length,
                        .bytes = flash_at(part, family->bank_address[i]),
                };
        INSIST(count <= CORE_MEMORIES_MAX);
        return count;
}

enum family_core part_core_model(const struct simulated_part *part)
{
        return part->family->core;
}

/* The part as it is at this moment of the core's. */
static void move_to(struct simulated_part *part, unsigned cycles)
{
        uint64_t now_ns = part->runner.time_ns + (uint64_t)cycles * CYCLE_NS;

        part_advance(part, now_ns > part->now_ns ? now_ns : part->now_ns);
}

/* What works in the controller holds the bus, and the core's time passes meanwhile. */
static void wait_for_flash(struct simulated_part *part)
{
        uint64_t due_ns = flash_due(part);

        if (part->option_due_ns < due_ns)
                due_ns = part->option_due_ns;
        INSIST(due_ns != NEVER);
        if (due_ns > part->now_ns)
                part->runner.time_ns += due_ns - part->now_ns;
        part_advance(part, due_ns);
}

bool part_core_load(struct simulated_part *part, unsigned cycles, uint32_t address, void *data,
                    unsigned width)
{
        unsigned ap = part->family->access_port;
        enum part_answer answer;

        move_to(part, cycles);
        while ((answer = part_bus_read(part, ap, address, data, width)) == PART_WAIT)
                wait_for_flash(part);
        return answer == PART_OK;
}

bool part_core_store(struct simulated_part *part, unsigned cycles, uint32_t address,
                     const void *data, unsigned width)
{
        unsigned ap = part->family->access_port;
        enum part_answer answer;

        move_to(part, cycles);
        while ((answer = part_bus_write(part, ap, address, data, width)) == PART_WAIT)
                wait_for_flash(part);
        return answer == PART_OK;
}

bool part_core_may_load(struct simulated_part *part, unsigned cycles, uint32_t address,
                        unsigned width)
{
        uint8_t bytes[16];

        INSIST(width <= sizeof(bytes));
        return part_core_load(part, cycles, address, bytes, width);
}

bool part_core_is_stopped(const struct simulated_part *part)
{
        return part->runner.is_reset || part->is_halted;
}

/* --- running ------------------------------------------------------------------------------- */

static void halt_on(struct simulated_part *part, uint32_t reason)
{
        part->is_halted = true;
        part->dhcsr |= C_HALT; /* a debug event sets it: Armv7-M C1.6.2 */
        part->dfsr |= reason;
}

static void lock_up(struct simulated_part *part)
{
        part->runner.is_locked_up = true;
        part->core[CORE_PC] = LOCKUP_ADDRESS;
}

/* Without debug a BKPT is a fault like others (Armv7-M C1.6.1). */
static void stop(struct simulated_part *part, enum core_stop reason)
{
        bool is_debugged = part->dhcsr & C_DEBUGEN;

        switch (reason) {
        case CORE_ON:
                break;
        case CORE_BREAKPOINT:
                if (is_debugged)
                        halt_on(part, DFSR_BKPT);
                else
                        lock_up(part);
                break;
        case CORE_FAULT:
                if (is_debugged && part->demcr & VC_HARDERR)
                        halt_on(part, DFSR_VCATCH);
                else
                        lock_up(part);
                break;
        }
}

static unsigned execute(struct simulated_part *part, unsigned cycles)
{
        struct core_runner *runner = &part->runner;
        uint32_t registers[CORE_EXCHANGED];
        enum core_stop reason;
        unsigned used = 0;

        if (!runner->core)
                runner->core = part->engine->create(part);
        if (runner->changed_first <= runner->changed_last)
                part->engine->forget(runner->core, runner->changed_first, runner->changed_last);
        runner->changed_first = UINT32_MAX;
        runner->changed_last = 0;
        runner->is_reset = false;
        memcpy(registers, part->core, sizeof(registers));
        runner->is_executing = true;
        reason = part->engine->run(runner->core, registers, cycles, &used);
        runner->is_executing = false;
        if (runner->is_reset) /* its registers stand */
                return used;
        memcpy(part->core, registers, sizeof(registers));
        stop(part, reason);
        return used;
}

void core_advance(struct simulated_part *part, uint64_t now_ns)
{
        struct core_runner *runner = &part->runner;
        uint64_t cycles;
        unsigned used;

        if (runner->is_executing)
                return;
        if (!may_run(part)) {
                runner->time_ns = now_ns;
                core_memory_changed(part, 0, UINT32_MAX); /* by whatever ran instead */
                return;
        }
        if (now_ns < runner->time_ns + SLICE_LEAST * CYCLE_NS)
                return;
        cycles = (now_ns - runner->time_ns) / CYCLE_NS;
        used = execute(part, cycles < SLICE_CYCLES ? (unsigned)cycles : SLICE_CYCLES);
        runner->time_ns += (uint64_t)used * CYCLE_NS;
        if (runner->time_ns < now_ns && cycles > SLICE_CYCLES)
                runner->time_ns = now_ns;
}

/* Armv7-M C1.4.3: one instruction, then halted again. */
void core_step(struct simulated_part *part)
{
        part->runner.time_ns = part->now_ns;
        (void)execute(part, 1);
        part->is_halted = true;
        part->dfsr |= DFSR_HALTED;
}
