#!/bin/bash
# AN5054 section 8: SFIA for STM32WBA5x, an install without a mass erase: what lies outside the image stays. The image is an
# ordinary one; the license is another (a card personalized with an SFIA package). No option bytes: it is no first install.
. "$(dirname "$0")/common.sh"
firmware addition.bin 20000

"$gangway" sfi create -devid 0x492 -fir "$dir/addition.bin" 0x08080000 "${secrets[@]}" -v 2 -o "$dir/image.sfi"

expect F 0x08080000 addition.bin
