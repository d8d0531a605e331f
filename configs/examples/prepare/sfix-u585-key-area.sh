#!/bin/bash
# AN5054 section 12.3.2, use case 4: SFIx for STM32U585, the OTFDEC key is random, asked for with a key area at 0x0800A000.
. "$(dirname "$0")/common.sh"
firmware nonsecure.bin 40000
firmware secure.bin 30000
firmware external.bin 360000
echo "0x00000010, 0x0800A000" >"$dir/keys.kcsv"

"$gangway" ob create -devid 0x482 RDP=0xAA TZEN=1 -o "$dir/ob.csv" >/dev/null
"$gangway" sfi create -devid 0x482 \
        -fir "$dir/nonsecure.bin" 0x08100000 \
        -fir "$dir/secure.bin" 0x0C000000 \
        --kcsv "$dir/keys.kcsv" \
        -firx "$dir/external.bin" 0x70000000 4 1 0x0800A000 \
        "${secrets[@]}" -v 1 -ob "$dir/ob.csv" -rs 0x55500 -ct 0x081FE000 -o "$dir/image.sfix"

expect F 0x08100000 nonsecure.bin
expect F 0x0C000000 secure.bin
expect K 0x0800A000 keys.kcsv
expect E 0x70000000 external.bin 4 1 0x0800A000
