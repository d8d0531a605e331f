#!/bin/bash
# AN5054 section 7: SFI for STM32WBA5x. The RAM size for images is not public; the firmware is small enough for one part.
. "$(dirname "$0")/common.sh"
firmware application.bin 50000

"$gangway" ob create -devid 0x492 RDP=0xBB -o "$dir/ob.csv" >/dev/null
"$gangway" sfi create -devid 0x492 -fir "$dir/application.bin" 0x08000000 "${secrets[@]}" -ob "$dir/ob.csv" -v 1 \
        -o "$dir/image.sfi"

expect F 0x08000000 application.bin
