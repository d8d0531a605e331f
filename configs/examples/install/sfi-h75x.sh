#!/bin/bash
# AN5054 section 4: SFI for STM32H75x over SWD, with chip licenses from a card.
. "$(dirname "$0")/common.sh"
prepare sfi-h75x
install stm32h75x reference-h7 STM32H75x STM32H753XI OEM_FIRMWARE
