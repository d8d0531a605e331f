#!/bin/bash
# AN5054 section 12.3.2, use case 1: SFIx for STM32L5, the OTFDEC key is a file in internal flash.
. "$(dirname "$0")/common.sh"
firmware nonsecure.bin 30000
firmware secure.bin 20000
firmware otfdec-key.bin 16
firmware external.bin 120000

"$gangway" ob create -devid 0x472 RDP=0xAA TZEN=1 DBANK=1 -o "$dir/ob.csv" >/dev/null
"$gangway" sfi create -devid 0x472 \
        -fir "$dir/nonsecure.bin" 0x08040000 \
        -fir "$dir/secure.bin" 0x0C000000 \
        -fir "$dir/otfdec-key.bin" 0x0C020000 \
        -firx "$dir/external.bin" 0x90000000 0 0x2 0x0C020000 \
        "${secrets[@]}" -v 1 -ob "$dir/ob.csv" -rs 0x19000 -ct 0x0807F000 -o "$dir/image.sfix"

expect F 0x08040000 nonsecure.bin
expect F 0x0C000000 secure.bin
expect F 0x0C020000 otfdec-key.bin
expect E 0x90000000 external.bin 0 2 0x0C020000
