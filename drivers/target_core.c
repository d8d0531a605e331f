/*
 * target_core.c - call a function on a halted core.
 *
 * Arguments into r0 to r3, the return address a breakpoint, the stack and the program counter set,
 * then run; the core halts by itself at the breakpoint, and r0 is the answer (targets.md 8.4). The
 * mask of interrupts may only change while halted (Armv7-M C1.6.2), hence two writes of DHCSR. Faults
 * are caught at their vector: the loader's code would otherwise run into a handler of whoever owned
 * the core before, and all we would see is a function that never returns.
 */
#include "drivers/target_core.h"

#include "scheduler/fiber.h"
#include "scheduler/loop.h"

/* Armv7-M C1.6: DFSR, DHCSR, DEMCR. The same on Armv8-M. */
#define DFSR          0xE000ED30u
#define DHCSR         0xE000EDF0u
#define DEMCR         0xE000EDFCu
#define DHCSR_HALT    0xA05F0003u /* stlink.md 8 */
#define DHCSR_MASKED  0xA05F000Bu
#define DHCSR_RUN     0xA05F0009u
#define DHCSR_RELEASE 0xA05F0000u
#define S_HALT        0x00020000u
#define S_LOCKUP      0x00080000u
#define VC_FAULTS     0x000007F0u /* hard, interrupt, bus, state, check, coprocessor, memory faults */
#define DFSR_ALL      0x1Fu
#define DFSR_VCATCH   0x08u
#define BKPT          0xBE00BE00u
#define THUMB         0x01000000u
#define HALT_MS       100u
#define POLL_FIRST_NS (200 * NS_PER_US)
#define POLL_LAST_NS  (20 * NS_PER_MS)

enum { R0 = 0, SP = 13, LR = 14, PC = 15, XPSR = 16 };

static int put(struct target *target, unsigned number, uint32_t value)
{
        return stlink_write_register(target->probe, target->family->access_port, number, value);
}

static int get(struct target *target, unsigned number, uint32_t *ret_value)
{
        return stlink_read_register(target->probe, target->family->access_port, number, ret_value);
}

/* Poll until the core is halted; false in `*ret_is_halted` at the deadline. */
static int await_halt(struct target *target, unsigned timeout_ms, bool *ret_is_halted)
{
        uint64_t deadline_ns = clock_now_ns() + timeout_ms * NS_PER_MS;
        uint64_t pause_ns = POLL_FIRST_NS;

        for (;;) {
                uint32_t status;
                int r = target_read_word(target, DHCSR, &status);

                if (r < 0)
                        return r;
                *ret_is_halted = status & S_HALT;
                if (*ret_is_halted || status & S_LOCKUP || clock_now_ns() >= deadline_ns)
                        return 0;
                r = fiber_sleep_ns(pause_ns);
                if (r < 0)
                        return r;
                if (pause_ns < POLL_LAST_NS)
                        pause_ns *= 2;
        }
}

int target_core_halt(struct target *target)
{
        bool is_halted = false;
        uint32_t demcr = 0;
        int r = target_write_word(target, DHCSR, DHCSR_HALT);

        if (!r)
                r = await_halt(target, HALT_MS, &is_halted);
        if (!r && !is_halted)
                return fault(FAULT_LOCKED, "the core does not halt within %u ms", HALT_MS);
        if (!r)
                r = target_read_word(target, DEMCR, &demcr);
        return r < 0 ? r : target_write_word(target, DEMCR, demcr | VC_FAULTS);
}

int target_core_prepare(struct target *target, uint32_t address)
{
        return target_write_word(target, address, BKPT);
}

static int set_up(struct target *target, const struct target_call *call)
{
        int r = 0;

        for (unsigned i = 0; i < LENGTH_OF(call->arguments) && !r; i++)
                r = put(target, R0 + i, call->arguments[i]);
        if (!r)
                r = put(target, SP, call->stack);
        if (!r)
                r = put(target, LR, call->breakpoint | 1);
        if (!r)
                r = put(target, PC, call->function & ~1u);
        if (!r)
                r = put(target, XPSR, THUMB);
        if (!r)
                r = target_write_word(target, DFSR, DFSR_ALL);
        if (!r)
                r = target_write_word(target, DHCSR, DHCSR_MASKED);
        return r;
}

static int judge_stop(struct target *target, const struct target_call *call, uint32_t *ret_result)
{
        uint32_t pc, reason = 0;
        int r = get(target, PC, &pc);

        if (!r && pc == call->breakpoint)
                return get(target, R0, ret_result);
        if (!r)
                r = target_read_word(target, DFSR, &reason);
        if (r < 0)
                return r;
        return fault(FAULT_TARGET_ACCESS,
                     "it stopped at 0x%08X and not at its return to 0x%08X: %s (DFSR 0x%02X)", pc,
                     call->breakpoint,
                     reason & DFSR_VCATCH ? "the core took a fault" : "a breakpoint of its own",
                     reason);
}

static int give_up(struct target *target, const struct target_call *call)
{
        uint32_t pc = 0;
        int r = target_core_halt(target);

        if (!r)
                r = get(target, PC, &pc);
        if (r < 0)
                return r;
        return fault(FAULT_TIMEOUT, "it did not return within %u ms and was at 0x%08X",
                     call->timeout_ms, pc);
}

int target_core_call(struct target *target, const struct target_call *call, uint32_t *ret_result)
{
        bool is_halted = false;
        int r = set_up(target, call);

        INSIST(call->stack % 8 == 0 && call->breakpoint % 4 == 0);
        if (!r)
                r = target_write_word(target, DHCSR, DHCSR_RUN);
        if (!r)
                r = await_halt(target, call->timeout_ms, &is_halted);
        if (r < 0)
                return r;
        return is_halted ? judge_stop(target, call, ret_result) : give_up(target, call);
}

int target_core_release(struct target *target)
{
        return target_write_word(target, DHCSR, DHCSR_RELEASE);
}
