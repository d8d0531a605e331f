#!/bin/bash
# AN5054 section 4: SFI for STM32H75x. The option bytes keep SECURITY on; the firmware has two segments.
. "$(dirname "$0")/common.sh"
firmware application.bin 200000
firmware tables.bin 4096

"$gangway" ob create -devid 0x450 RDP=0xAA SECURITY=1 -o "$dir/ob.csv" >/dev/null
"$gangway" sfi create -devid 0x450 -fir "$dir/application.bin" 0x08000000 -fir "$dir/tables.bin" 0x08100000 \
        "${secrets[@]}" -ob "$dir/ob.csv" -v 1 -o "$dir/image.sfi"

expect F 0x08000000 application.bin
expect F 0x08100000 tables.bin
