#!/bin/bash
# AN5054 section 12: SFIx for STM32L562 over SWD; the OTFDEC key is random, made by the part itself (use case 2).
. "$(dirname "$0")/external.sh"
prepare sfix-l5-key-area
loader 0x20000000 0x90000000
install STM32L562QEI6Q STM32L5 stm32l5 reference-l5
