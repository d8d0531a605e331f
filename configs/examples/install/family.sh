#!/bin/bash
# One unit of any family that installs over SWD, with chip licenses from a card: family.sh BUILD DIRECTORY FAMILY, where FAMILY is
# a file of configs/targets without .conf. The image is 20000 random bytes; option bytes stay those of the factory, on the H7
# lines with SECURITY on (AN5054 section 4.3.2).
. "$(dirname "$0")/common.sh"

options=() more=()
case ${3:-} in
stm32h75x) rss=reference-h7 family=STM32H75x device=0x450 options=(SECURITY=1) ;;
stm32h7a3) rss=reference-h7 family=STM32H7A3 device=0x480 options=(SECURITY=1) ;;
stm32h73x) rss=reference-h7 family=STM32H73x device=0x483 options=(SECURITY=1) more=(-hash 1 -ct 0x080FF000) ;;
stm32l5) rss=reference-l5 family=STM32L5 device=0x472 ;;
stm32u535) rss=reference-u535 family=STM32U535 device=0x455 ;;
stm32u575) rss=reference-u5 family=STM32U575 device=0x482 ;;
stm32u59x) rss=reference-u5 family=STM32U59x device=0x481 ;;
stm32u5fx) rss=reference-u5 family=STM32U5Fx device=0x476 ;;
stm32wl5x) rss=reference-wl5 family=STM32WL5x device=0x497 ;;
stm32wba5x) rss=reference-wba5 family=STM32WBA5x device=0x492 ;;
stm32wba6x) rss=reference-wba6 family=STM32WBA6x device=0x4B0 ;;
stm32h503) rss=reference-h503 family=STM32H503 device=0x474 ;;
stm32h52x) rss=reference-h5 family=STM32H52x device=0x478 more=(--allow) ;; # it stays open
stm32h56x) rss=reference-h5 family=STM32H56x device=0x484 more=(--allow) ;; # it stays open
stm32h7rs) rss=reference-h7rs family=STM32H7RS device=0x485 more=(--allow) ;; # it stays open
*)
        echo "usage: $0 BUILD DIRECTORY FAMILY; \"${3:-}\" is no family that installs over SWD" >&2
        exit 2
        ;;
esac

export GANGWAY_LEDGER=${GANGWAY_LEDGER:-$dir/nonces.db}
"$gangway" key new -o "$dir/oem" >/dev/null
head -c 20000 /dev/urandom >"$dir/application.bin"
"$gangway" ob create -devid "$device" "${options[@]}" -o "$dir/ob.csv" >/dev/null
"$gangway" sfi create -devid "$device" -fir "$dir/application.bin" 0x08000000 -k "$dir/oem.key.bin" -n "$dir/oem.nonce.bin" \
        -ob "$dir/ob.csv" -v 1 "${more[@]}" -o "$dir/image.sfi" >"$dir/sealed.txt" 2>&1 || { cat "$dir/sealed.txt"; exit 1; }
echo "F 0x08000000 application.bin" >"$dir/expected.txt"
install "$3" "$rss" "$family" "$family" OEM_FIRMWARE
