#!/bin/bash
# AN5054 section 12.3.2, use case 3 for STM32U59x/5Ax/5Fx/5Gx: as for STM32U585, with external flash at 0x90000000, region 3.
. "$(dirname "$0")/common.sh"
firmware nonsecure.bin 40000
firmware secure.bin 30000
firmware otfdec-key.bin 16
firmware external.bin 360000

"$gangway" ob create -devid 0x481 RDP=0xAA TZEN=1 -o "$dir/ob.csv" >/dev/null
"$gangway" sfi create -devid 0x481 \
        -fir "$dir/nonsecure.bin" 0x08100000 \
        -fir "$dir/secure.bin" 0x0C000000 \
        -fir "$dir/otfdec-key.bin" 0x0800A000 \
        -firx "$dir/external.bin" 0x90000000 3 1 0x0800A000 \
        "${secrets[@]}" -v 1 -ob "$dir/ob.csv" -rs 0x55500 -ct 0x083FE000 -o "$dir/image.sfix"

expect F 0x08100000 nonsecure.bin
expect F 0x0C000000 secure.bin
expect F 0x0800A000 otfdec-key.bin
expect E 0x90000000 external.bin 3 1 0x0800A000
