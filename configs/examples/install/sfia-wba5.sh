#!/bin/bash
# AN5054 section 8: SFIA for STM32WBA5x: nothing is erased, the license is of a card personalized for SFIA.
. "$(dirname "$0")/common.sh"
prepare sfia-wba5
without_mass_erase OEM_ADDITION
install stm32wba5x reference-wba5 STM32WBA5x STM32WBA55CG OEM_ADDITION
