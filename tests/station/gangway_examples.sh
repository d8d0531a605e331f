#!/bin/bash
# Every preparation of AN5054 under configs/examples/prepare, run as it stands, then looked at from outside: sfi open and a
# Python opener of its own (check_prepared.py) must agree area by area; lint, diff and export too. TAP.
set -u
cd "$(dirname "$0")/../.." || exit 1
gangway=$GANGWAY_BUILD/gangway number=0 bad=0
dir=$(mktemp -d /tmp/gangway-examples-XXXXXX)
trap 'rm -rf "$dir"' EXIT
export LSAN_OPTIONS=exitcode=99 ASAN_OPTIONS=exitcode=99
export GANGWAY_LEDGER=$dir/nonces.db

ok() { number=$((number + 1)); echo "ok $number - $1"; }
not_ok() { number=$((number + 1)); bad=1; echo "not ok $number - $1"; sed 's/^/# /' "$dir/out" "$dir/err" | head -40; }
run() {
        local wanted=$1 name=$2 code
        shift 2
        "$@" >"$dir/out" 2>"$dir/err" </dev/null
        code=$?
        [ $code -eq "$wanted" ] && { ok "$name"; return 0; }
        echo "# exit $code, wanted $wanted: $*"
        not_ok "$name"
        return 1
}
says() { if grep -qE -- "$3" "$dir/$2"; then ok "$1"; else echo "# wanted in $2: $3"; not_ok "$1"; fi; }

# prepare NAME FAMILY AREAS [CHECK...] : the letters of the areas, parts of one kind of area repeated are +
prepare() {
        local name=$1 family=$2 areas=$3 image made=$dir/$1
        shift 3
        run 0 "$name is prepared" "configs/examples/prepare/$name.sh" "$gangway" "$made" || return
        image=$(echo "$made"/image.sfi*)
        secrets=(-k "$made/oem.key.bin" -n "$made/oem.nonce.bin")
        run 0 "$name opens" "$gangway" sfi open "$image" "${secrets[@]}" --json && cp "$dir/out" "$made/open.json"
        run 0 "$name: the other implementation agrees, area by area" tests/station/check_prepared.py "$made" "$made/open.json" "$@"
        says "$name: areas as expected" out "^$areas in [0-9]+ parts$"
        run 0 "$name: nothing in it cannot be undone" "$gangway" sfi lint "$image" "${secrets[@]}" --family "$family"
        run 0 "$name: no difference with itself" "$gangway" sfi diff "$image" "$image" "${secrets[@]}"
}

prepare sfi-h75x stm32h75x 'FFC'
prepare sfi-h73x-hash stm32h73x 'F(PRF)+C' --ram 0x1E000 --token 0x080FF000 --hash
prepare sfi-wl stm32wl5x 'F(PRF)+C' --ram 0x5000 --token 0x0803F800
prepare sfi-wba5 stm32wba5x 'FC'
prepare sfia-wba5 stm32wba5x 'F'
prepare sfi-h7rs stm32h7rs 'FKOC'
prepare sfi-u5 stm32u59x 'FFC'
prepare sfi-h5 stm32h56x 'F(PRF)+FOC' --ram 0x20800 --token 0x081FC000
prepare sfix-h7b3 stm32h7a3 'FFPRE(PRE)+PRC' --ram 0x20000 --token 0x081FF000
prepare sfix-h5 stm32h56x 'FFMOSPREPRC' --ram 0x20800 --token 0x081FC000 --hash
prepare sfix-l5-key-file stm32l5 'FFFPRE(PRE)+PRC' --ram 0x19000 --token 0x0807F000
prepare sfix-l5-key-area stm32l5 'FFKPRE(PRE)+PRC' --ram 0x19000 --token 0x0807F000
prepare sfix-u585-key-file stm32u575 'FFFPRE(PRE)+PRC' --ram 0x55500 --token 0x081FE000
prepare sfix-u585-key-area stm32u575 'FFKPRE(PRE)+PRC' --ram 0x55500 --token 0x081FE000
prepare sfix-u59x-key-file stm32u59x 'FFFPRE(PRE)+PRC' --ram 0x55500 --token 0x083FE000
prepare sfix-u5fx-key-area stm32u5fx 'FFKPRE(PRE)+PRC' --ram 0x55500 --token 0x083FE000

# every preparation there is was run here
for script in configs/examples/prepare/s*.sh; do
        name=$(basename "$script" .sh)
        if [ -d "$dir/$name" ]; then ok "$name was tested"; else not_ok "$name was tested"; fi
done
echo "1..$number"
exit $bad
