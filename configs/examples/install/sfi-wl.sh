#!/bin/bash
# AN5054 section 5: SFI for STM32WL5x. On silicon: target disable-security, a power cycle, default-ob, a power cycle first.
. "$(dirname "$0")/common.sh"
prepare sfi-wl
install stm32wl5x reference-wl5 STM32WL5x STM32WL55JC OEM_FIRMWARE
