#!/bin/bash
# AN5054 section 11: SFIx for STM32H7B3 over SWD; memory behind OCTOSPI1 at 0x90000000, image in parts.
. "$(dirname "$0")/external.sh"
prepare sfix-h7b3
loader 0x24000000 0x90000000
install STM32H7B3LIH6Q STM32H7A3 stm32h7a3 reference-h7
