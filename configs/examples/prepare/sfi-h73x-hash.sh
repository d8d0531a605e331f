#!/bin/bash
# AN5054 section 4.3.8: SFI for STM32H73x, which checks a digest of its firmware: RAM size, token and -hash as there.
. "$(dirname "$0")/common.sh"
firmware OEM_Dev.bin 300000

"$gangway" ob create -devid 0x483 RDP=0xAA SECURITY=1 -o "$dir/ob.csv" >/dev/null
"$gangway" sfi create -devid 0x483 -fir "$dir/OEM_Dev.bin" 0x08000000 "${secrets[@]}" -ob "$dir/ob.csv" -v 0 \
        --ramsize 0x1E000 --token 0x080FF000 -hash 1 -o "$dir/image.sfi"

expect F 0x08000000 OEM_Dev.bin
