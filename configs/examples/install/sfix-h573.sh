#!/bin/bash
# AN5054 section 13: SFIx for STM32H573 over SWD; the key is in the last 16 bytes of the flash. Of the preparation
# prepare/sfix-h5.sh all but the module and ST's image. The unit ends closed: its external data goes in before the option bytes.
. "$(dirname "$0")/external.sh"
prepare sfix-h5
secrets=(-k "$dir/oem.key.bin" -n "$dir/install.nonce.bin")
(umask 077 && head -c 12 /dev/urandom >"$dir/install.nonce.bin")
"$gangway" sfi create -devid 0x484 \
        -fir "$dir/nonsecure.bin" 0x08100000 \
        -fir "$dir/otfdec-key.bin" 0x081FFFF0 \
        -firx "$dir/external.bin" 0x90000000 0 0x2 0x081FFFF0 \
        --ob-keys "$dir/da.obk" \
        "${secrets[@]}" -v 0 -ob "$dir/ob.csv" -rs 0x20800 -ct 0x081FC000 -hash 1 -o "$dir/install.sfix"
mv "$dir/install.sfix" "$dir/image.sfix"
mv "$dir/install.nonce.bin" "$dir/oem.nonce.bin"
loader 0x20000000 0x90000000
install STM32H573IIK3Q STM32H56x stm32h56x reference-h5
