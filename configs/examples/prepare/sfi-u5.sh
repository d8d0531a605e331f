#!/bin/bash
# AN5054 section 6: SFI for STM32U59x/5Ax, RAM size as in section 2.5.1. The option bytes switch TrustZone on: the firmware has a
# secure and a non-secure side.
. "$(dirname "$0")/common.sh"
firmware secure.bin 60000
firmware nonsecure.bin 90000

"$gangway" ob create -devid 0x481 TZEN=on RDP=0xBB -o "$dir/ob.csv" >/dev/null
"$gangway" sfi create -devid 0x481 -fir "$dir/secure.bin" 0x0C000000 -fir "$dir/nonsecure.bin" 0x08200000 \
        "${secrets[@]}" -ob "$dir/ob.csv" -v 1 -rs 0x55500 -ct 0x083FE000 -o "$dir/image.sfi"

expect F 0x08200000 nonsecure.bin
expect F 0x0C000000 secure.bin
