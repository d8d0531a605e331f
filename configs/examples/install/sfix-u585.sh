#!/bin/bash
# AN5054 section 12: SFIx for STM32U585 over SWD; memory behind OCTOSPI2 at 0x70000000, second OTFDEC, key from a file.
. "$(dirname "$0")/external.sh"
prepare sfix-u585-key-file
loader 0x20000000 0x70000000
install STM32U585AII6Q STM32U575 stm32u575 reference-u5
