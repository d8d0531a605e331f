#!/bin/bash
# AN5054 section 4.3.8: SFI for STM32H73x, an image in parts with a digest of its firmware.
. "$(dirname "$0")/common.sh"
prepare sfi-h73x-hash
install stm32h73x reference-h7 STM32H73x STM32H733ZG OEM_FIRMWARE
