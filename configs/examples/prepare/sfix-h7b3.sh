#!/bin/bash
# AN5054 section 11: SFIx for STM32H7B3; internal firmware at 0x08000000, external at 0x90000000, three parts as in its log.
# Section 11 gives neither region nor key address: region 0, data and instructions, and a key in the last sector but one.
. "$(dirname "$0")/common.sh"
firmware internal.bin 90000
firmware otfdec-key.bin 16
firmware external.bin 150000

"$gangway" ob create -devid 0x480 RDP=0xAA SECURITY=1 -o "$dir/ob.csv" >/dev/null
"$gangway" sfi create -devid 0x480 \
        -fir "$dir/internal.bin" 0x08000000 \
        -fir "$dir/otfdec-key.bin" 0x081FC000 \
        -firx "$dir/external.bin" 0x90000000 0 2 0x081FC000 \
        "${secrets[@]}" -v 1 -ob "$dir/ob.csv" -rs 0x20000 -ct 0x081FF000 -o "$dir/image.sfix"

expect F 0x08000000 internal.bin
expect F 0x081FC000 otfdec-key.bin
expect E 0x90000000 external.bin 0 2 0x081FC000
