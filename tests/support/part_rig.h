/*
 * part_rig.h - a simulated part on the table, time in hand: what its tests share.
 */
#pragma once

#include "tests/support/simulated.h"

#include "drivers/simulated/part.h"

#define MS           NS_PER_MS
#define FLASH        0x08000000u
#define BANK_2       0x08100000u
#define RAM          0x24000000u
#define REG          0x52002000u
#define KEYR         (REG + 0x04)
#define OPTKEYR      (REG + 0x08)
#define CR           (REG + 0x0C)
#define SR           (REG + 0x10)
#define CCR          (REG + 0x14)
#define OPTCR        (REG + 0x18)
#define OPTSR_CUR    (REG + 0x1C)
#define OPTSR_PRG    (REG + 0x20)
#define OPTCCR       (REG + 0x24)
#define PRAR_PRG     (REG + 0x2C)
#define WPSN_PRG     (REG + 0x3C)
#define AIRCR        0xE000ED0Cu
#define DHCSR        0xE000EDF0u
#define DCRSR        0xE000EDF4u
#define DCRDR        0xE000EDF8u
#define DEMCR        0xE000EDFCu
#define PCSR         0xE000101Cu
#define PSIZE_64     0x30u
#define CHANGE_ERROR (1u << 30)
#define DONE         0x454E4F44u
#define RUNNING      0x52554E52u

struct rig {
        struct simulated_part *part;
        uint8_t *store;
        uint64_t now;
};

/* A powered part in debug, for cmocka's setup and teardown. */
void rig_make_part(struct rig *rig);
void rig_enter(struct rig *rig);
void rig_power_up(struct rig *rig);
void rig_power_cycle(struct rig *rig);
void rig_fresh(struct rig *rig); /* another part, never used */
int rig_setup(void **state);
int rig_teardown(void **state);
enum part_answer rig_try_read(struct rig *rig, uint32_t address, uint32_t *ret_value);
enum part_answer rig_try_write(struct rig *rig, uint32_t address, uint32_t value);
uint32_t rd(struct rig *rig, uint32_t address);
void wr(struct rig *rig, uint32_t address, uint32_t value);
void assert_read_faults(struct rig *rig, uint32_t address);
void assert_write_faults(struct rig *rig, uint32_t address, uint32_t value);
bool rig_is_silent(struct rig *rig);
void rig_unlock(struct rig *rig);
void rig_unlock_options(struct rig *rig);
void rig_start_options(struct rig *rig);
void rig_set_option(struct rig *rig, uint32_t address, uint32_t value);
uint32_t rig_optsr(struct rig *rig);
