#!/bin/bash
# AN5054 section 10: SFI for STM32H7Rx/7Sx with a global license, random keys and OB-keys; it ends closed.
. "$(dirname "$0")/common.sh"
prepare sfi-h7rs
global_license
install stm32h7rs reference-h7rs STM32H7RS STM32H7S3L8 OEM_FIRMWARE
