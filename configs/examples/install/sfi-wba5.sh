#!/bin/bash
# AN5054 section 7: SFI for STM32WBA5x.
. "$(dirname "$0")/common.sh"
prepare sfi-wba5
install stm32wba5x reference-wba5 STM32WBA5x STM32WBA55CG OEM_FIRMWARE
