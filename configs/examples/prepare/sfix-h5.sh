#!/bin/bash
# AN5054 section 13: SFIx for STM32H573 with a module list, OB-keys and ST's image. The files of the last three are ST's in a
# real preparation; here they are made up, but for the debug-authentication .obk, which is right in form. How they travel in the
# image is not public: Gangway puts them into reference areas (gangway sfi show says which).
. "$(dirname "$0")/common.sh"
firmware nonsecure.bin 60000
firmware external.bin 120000
firmware otfdec-key.bin 16
firmware module.bin 5000
firmware license-v0.bin 136
firmware secure-manager.ssfi 20000
echo "./module.bin, ./license-v0.bin, 0x8172000" >"$dir/modules.mcsv"
certificate_obk

"$gangway" ob create -devid 0x484 TZEN=on PRODUCT_STATE=closed -o "$dir/ob.csv" >/dev/null
"$gangway" sfi create -devid 0x484 \
        -fir "$dir/nonsecure.bin" 0x08100000 \
        -fir "$dir/otfdec-key.bin" 0x081FFFF0 \
        -firx "$dir/external.bin" 0x90000000 0 0x2 0x081FFFF0 \
        -mcsv "$dir/modules.mcsv" --ob-keys "$dir/da.obk" -ssfi "$dir/secure-manager.ssfi" \
        "${secrets[@]}" -v 0 -ob "$dir/ob.csv" -rs 0x20800 -ct 0x081FC000 -hash 1 -o "$dir/image.sfix"

expect F 0x08100000 nonsecure.bin
expect F 0x081FFFF0 otfdec-key.bin
expect M 0x08172000 module.bin
expect O 0x0FFD0100 da.obk
expect S 0x00000000 secure-manager.ssfi
expect E 0x90000000 external.bin 0 2 0x081FFFF0
