#!/bin/bash
# AN5054 section 9: SFI for STM32H573 with OB-keys; product state closed. Without the debug-authentication .obk the part could
# never be opened again.
. "$(dirname "$0")/common.sh"
firmware secure.bin 50000
firmware nonsecure.bin 150000
certificate_obk

"$gangway" ob create -devid 0x484 TZEN=on PRODUCT_STATE=closed -o "$dir/ob.csv" >/dev/null
"$gangway" sfi create -devid 0x484 -fir "$dir/secure.bin" 0x0C000000 -fir "$dir/nonsecure.bin" 0x08100000 \
        --ob-keys "$dir/da.obk" "${secrets[@]}" -ob "$dir/ob.csv" -v 1 -rs 0x20800 -ct 0x081FC000 -o "$dir/image.sfi"

expect F 0x08100000 nonsecure.bin
expect F 0x0C000000 secure.bin
expect O 0x0FFD0100 da.obk
