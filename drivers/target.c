/*
 * target.c - reach one STM32, say which one it is, see where it runs, reset it, come back to it.
 *
 * Everything here leaves the core alone: no halt, no reset at connect (HOTPLUG, AN5054 3.3.2). What
 * the core does is seen from outside, through the sampling register of its trace unit.
 *
 * A target that resets takes the debug port with it in mid-transaction (targets.md 1.2), and the
 * RSS keeps it closed for a long while (stlink.md 18 point 8). So coming back is a loop: enter,
 * open the port, read one word, and again every 50 ms until the deadline.
 */
#include "drivers/target.h"

#include "drivers/family_fields.h"
#include "scheduler/fiber.h"
#include "scheduler/loop.h"

#include <stdio.h>

/* Armv7-M Architecture Reference Manual: B3.2.2 (CPUID), B3.2.6 (AIRCR), C1.6.5 (DEMCR), C1.8
 * (DWT_PCSR). */
#define CPUID       0xE000ED00u
#define AIRCR       0xE000ED0Cu
#define DEMCR       0xE000EDFCu
#define DWT_PCSR    0xE000101Cu
#define AIRCR_RESET 0x05FA0004u /* VECTKEY, SYSRESETREQ */
#define AP_IDR      0xFCu       /* ADIv5.2 C2.6.8 */
#define TRCENA      (1u << 24)

#define REATTACH_MS    50u
#define BOOT_SAMPLES   8u
#define BOOT_SAMPLE_MS 2u
#define UID_WORDS      3u

int target_read_word(struct target *target, uint32_t address, uint32_t *ret_value)
{
        return stlink_read_word(target->probe, target->family->access_port, address, ret_value);
}

int target_write_word(struct target *target, uint32_t address, uint32_t value)
{
        return stlink_write_word(target->probe, target->family->access_port, address, value);
}

int target_read(struct target *target, uint32_t address, void *data, size_t length)
{
        return stlink_read_memory(target->probe, target->family->access_port, target->family->csw,
                                  address, data, length);
}

int target_write(struct target *target, uint32_t address, const void *data, size_t length,
                 uint32_t *progress)
{
        return stlink_write_memory(target->probe, target->family->access_port, target->family->csw,
                                   address, data, length, progress);
}

static int enter(struct target *target)
{
        uint32_t dpidr;
        int r = stlink_enter(target->probe, &dpidr);

        if (r < 0)
                return r;
        if (dpidr != target->family->dpidr)
                return fault(FAULT_WRONG_PART, "the debug port is 0x%08X, a %s has 0x%08X", dpidr,
                             target->family->name, target->family->dpidr);
        return stlink_open_ap(target->probe, target->family->access_port);
}

int target_check_shut(struct target *target, bool *ret_is_shut)
{
        uint32_t dpidr, id = 0;
        int r = stlink_enter(target->probe, &dpidr);

        *ret_is_shut = false;
        if (!r && dpidr == target->family->dpidr) {
                r = stlink_read_dap(target->probe, target->family->access_port, AP_IDR, &id);
                *ret_is_shut = !r && id == 0; /* no such port: ADIv5.2 C1.1.1 */
        }
        return r < 0 && !target_may_come_back(r) ? r : 0;
}

/* The first contact with a part that was closed before names that, not the probe's refusal. */
static int enter_or_tell(struct target *target)
{
        int r = enter(target), shut;
        char sentence[200];
        bool is_shut;

        if (r != -FAULT_PROBE || !family_field(target->family, ROLE_STATE))
                return r;
        snprintf(sentence, sizeof(sentence), "%s", fault_sentence(r));
        shut = target_check_shut(target, &is_shut);
        if (shut < 0)
                return shut;
        if (!is_shut)
                return fault(FAULT_PROBE, "%s", sentence);
        return fault(FAULT_LOCKED,
                     "the debug port answers (0x%08X) and access port %u does not: the product "
                     "state is closed, wanted open; only a regression by debug authentication "
                     "leads back",
                     target->family->dpidr, target->family->access_port);
}

int target_attach(struct target *target, unsigned clock_khz)
{
        int r = 0;

        if (target->probe->is_debugging) /* the clock is set before ENTER (stlink.md 5.3) */
                r = stlink_exit(target->probe);
        if (r < 0)
                return r;
        r = stlink_set_clock(target->probe, clock_khz);
        return r < 0 ? r : enter_or_tell(target);
}

static int read_unique_id(struct target *target, struct target_identity *identity)
{
        uint32_t *id = identity->unique_id;

        for (unsigned i = 0; i < UID_WORDS; i++) {
                int r = target_read_word(target, target->family->uid_address + 4 * i, &id[i]);

                if (r < 0)
                        return r;
        }
        snprintf(identity->unique_id_text, sizeof(identity->unique_id_text), "%08X%08X%08X", id[2],
                 id[1], id[0]);
        return 0;
}

int target_identify(struct target *target, struct target_identity *ret_identity)
{
        const struct family *family = target->family;
        struct target_identity identity = { .dpidr = family->dpidr };
        uint32_t word;
        int r = target_read_word(target, family->idcode_address, &word);

        if (r < 0)
                return r;
        identity.device_id = word & 0xFFF; /* DBGMCU_IDCODE (targets.md 1.1) */
        identity.revision = (uint16_t)(word >> 16);
        if (identity.device_id != family->device_id)
                return fault(FAULT_WRONG_PART,
                             "the device id is 0x%03X (IDCODE 0x%08X), a %s has "
                             "0x%03X",
                             identity.device_id, word, family->name, family->device_id);
        r = read_unique_id(target, &identity);
        if (r < 0)
                return r;
        /* A 16-bit register, in either half of its word. */
        r = target_read_word(target, family->flash_size_address & ~3u, &word);
        if (r < 0)
                return r;
        identity.flash_kib = word >> 8 * (family->flash_size_address & 2u) & 0xFFFF;
        *ret_identity = identity;
        return 0;
}

static bool in_system_memory(const struct family *family, uint32_t address)
{
        return address - family->system_memory < family->system_memory_length;
}

/* PCSR shows an address of an instruction executed lately; all ones when the core is halted or may
 * not be watched (Armv7-M C1.8.4). */
static int sample_core(struct target *target)
{
        for (unsigned i = 0; i < BOOT_SAMPLES; i++) {
                uint32_t pc;
                int r = target_read_word(target, DWT_PCSR, &pc);

                if (r < 0)
                        return r;
                if (pc == UINT32_MAX || !pc)
                        return fault(FAULT_BOOT_PIN,
                                     "DWT_PCSR reads 0x%08X: the core is halted, asleep or secure, "
                                     "so nothing shows that it runs from system memory; check "
                                     "BOOT0 and power-cycle the board",
                                     pc);
                if (!in_system_memory(target->family, pc))
                        return fault(FAULT_BOOT_PIN,
                                     "the core runs at 0x%08X, not in system memory at 0x%08X; "
                                     "BOOT0 must be high",
                                     pc, target->family->system_memory);
                r = fiber_sleep_ns(BOOT_SAMPLE_MS * NS_PER_MS);
                if (r < 0)
                        return r;
        }
        return 0;
}

int target_check_boot(struct target *target)
{
        uint32_t demcr;
        int r = target_read_word(target, DEMCR, &demcr);

        if (r < 0)
                return r;
        r = target_write_word(target, DEMCR, demcr | TRCENA);
        return r < 0 ? r : sample_core(target);
}

/* Faults that are normal while a target is on its way through a reset: nothing answers, it answers
 * and is lost, an access fails, the AP is not open (which is a fault of the probe's own). */
bool target_may_come_back(int result)
{
        return result == -FAULT_NO_TARGET || result == -FAULT_TARGET_LOST ||
               result == -FAULT_TARGET_ACCESS || result == -FAULT_PROBE;
}

static int attach_once(struct target *target)
{
        uint32_t cpuid;
        int r = enter(target);

        return r < 0 ? r : target_read_word(target, CPUID, &cpuid);
}

int target_reattach(struct target *target, unsigned deadline_ms)
{
        uint64_t deadline_ns = clock_now_ns() + deadline_ms * NS_PER_MS;
        char last[300];

        for (;;) {
                int r = attach_once(target);

                if (!r || !target_may_come_back(r))
                        return r;
                snprintf(last, sizeof(last), "%s", fault_sentence(r));
                if (clock_now_ns() + REATTACH_MS * NS_PER_MS > deadline_ns)
                        break;
                r = fiber_sleep_ns(REATTACH_MS * NS_PER_MS);
                if (r < 0)
                        return r;
        }
        return fault(FAULT_TARGET_LOST, "the target did not come back within %u ms: %s",
                     deadline_ms, last);
}

int target_reset(struct target *target, unsigned deadline_ms)
{
        int r = target_write_word(target, AIRCR, AIRCR_RESET);

        if (r < 0 && !target_may_come_back(r))
                return r;
        r = fiber_sleep_ns(target->family->reset_ms * NS_PER_MS);
        return r < 0 ? r : target_reattach(target, deadline_ms);
}
