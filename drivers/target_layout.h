/*
 * target_layout.h - where the flash controller of a family has its registers, and which bits.
 *
 * For target_flash.c and target_option_steps.c. All families erase in the same order of steps; what
 * differs is in this struct.
 */
#pragma once

#include "drivers/family.h"

#define FLASH_KEY_1   0x45670123u /* targets.md 6.1, all families */
#define FLASH_KEY_2   0xCDEF89ABu
#define FLASH_OPTKEY1 0x08192A3Bu
#define FLASH_OPTKEY2 0x4C5D6E7Fu

struct flash_layout {
        /* addresses; `flags` is where errors show, often the same as `status` */
        uint32_t key, control, status, flags, clear;
        uint32_t option_key, option_control;

        /* bits of control */
        uint32_t lock, erase, program, start;
        uint32_t bank_bit;    /* set for sectors of bank 2; 0: banks have registers of their own */
        unsigned number_low;  /* lowest bit of the sector number */
        uint32_t option_lock; /* bit of option_control */

        uint32_t busy;            /* bits of status */
        uint32_t errors, protect; /* bits of flags; `protect` is the one for protection */
        uint32_t clearing;        /* what is written to `clear` */
};

/* The registers that serve bank `bank`, seen from the secure side if `is_secure` (families with
 * TrustZone only). */
void flash_layout(const struct family *family, unsigned bank, bool is_secure,
                  struct flash_layout *ret_layout);
