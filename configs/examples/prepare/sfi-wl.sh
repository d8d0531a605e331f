#!/bin/bash
# AN5054 section 5: SFI for STM32WL5x. RAM for an image is 20 KiB at most (section 2.5.1), so it is cut into parts.
. "$(dirname "$0")/common.sh"
firmware application.bin 70000

"$gangway" ob create -devid 0x497 RDP=0xBB -o "$dir/ob.csv" >/dev/null
"$gangway" sfi create -devid 0x497 -fir "$dir/application.bin" 0x08000000 "${secrets[@]}" -ob "$dir/ob.csv" -v 1 \
        -rs 0x5000 -ct 0x0803F800 -o "$dir/image.sfi"

expect F 0x08000000 application.bin
