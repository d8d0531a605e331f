#!/bin/bash
# AN5054 section 6: SFI for STM32U5. The part comes with TZEN 0; the station switches TrustZone on and loads the RSSe.
. "$(dirname "$0")/common.sh"
prepare sfi-u5
install stm32u59x reference-u5 STM32U59x STM32U599NJ OEM_FIRMWARE
