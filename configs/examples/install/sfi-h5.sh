#!/bin/bash
# AN5054 section 9: SFI for STM32H5 with a global license. The part closes itself in the end: the verdict is the status the RSSe
# showed before, and a debug port that answers while its access port is gone.
. "$(dirname "$0")/common.sh"
prepare sfi-h5
global_license
install stm32h56x reference-h5 STM32H56x STM32H573II OEM_FIRMWARE
