#!/bin/bash
# The same 128 KiB to the part's RAM, many times over, on the usbfs rig: what it costs the host's processor by our
# driver, by OpenOCD and by st-flash, one after the other in one run. "gross" is each client's whole life; "net" is less
# the same client that only connects (st-flash, which must be started for every 128 KiB: less as many starts). What is in
# RAM afterwards is read back and compared; the rig's own time is in nobody's figure.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${GANGWAY_BUILD:-$PWD/build}
address=0x20000000 # DTCM: the RAM that st-flash knows of this part
rounds=${ROUNDS:-32}

if [ "${1:-}" != inside ]; then
        echo "== wire.sh (real time, through libusb on the usbfs rig)"
        [ "$(id -u)" = 0 ] && [ -c /dev/fuse ] || { echo "skipped: needs root and /dev/fuse"; exit 0; }
        for program in openocd st-flash "$build/tests/rigs/usbfs" "$build/tests/rigs/ram_file"; do
                command -v "$program" >/dev/null || { echo "skipped: $program is missing"; exit 0; }
        done
        directory=$(mktemp -d)
        trap 'rm -rf "$directory"' EXIT
        timeout 300 "$build/tests/rigs/usbfs" 1 -- "$0" inside "$directory"
        exit
fi
cd "$2" || exit 1
here=$OLDPWD

ours() { (cd "$here" && "$build/tests/rigs/ram_file" write "$OLDPWD/data" $address "$1"); }
openocd_load() {
        openocd -c 'adapter driver hla; hla_layout stlink; hla_device_desc ST-LINK; hla_vid_pid 0x0483 0x374f; transport select hla_swd' \
                -c 'set WORKAREASIZE 0; gdb_port disabled; tcl_port disabled; telnet_port disabled' -f target/stm32h7x.cfg \
                -c "adapter speed 24000; init; for {set i 0} {\$i < $1} {incr i} {load_image data $address bin}; shutdown"
}
st_flash() { # rounds; 0: as many starts, a word each
        local file=data i
        [ "$1" -gt 0 ] || file=word
        for ((i = 0; i < rounds; i++)); do st-flash --freq=24000k write $file $address || return; done
}

# CPU milliseconds (user and system, children too) and milliseconds by the clock; the words it said are in "out".
measure() {
        local TIMEFORMAT='%U %S %R' times
        times=$({ time "$@" >out 2>&1; } 2>&1) || { echo "$1: FAILED" >&2; tail -3 out >&2; exit 1; }
        awk '{ print ($1 + $2) * 1000, $3 * 1000 }' <<<"$times"
}
say() { # name client
        local idle busy kib=$((128 * rounds))
        head -c 131072 /dev/urandom >data
        head -c 4 data >word
        idle=$(measure "$2" 0) && busy=$(measure "$2" "$rounds") || exit 1
        cp out "said-$2"
        (cd "$here" && "$build/tests/rigs/ram_file" verify "$OLDPWD/data" $address) || { echo "$1: RAM is WRONG"; exit 1; }
        echo "$idle $busy" >"figure-$2"
        awk -v name="$1" -v mib="$((kib / 1024))" '{
                printf "%-9s %d MiB to RAM: CPU %6.2f ms a MiB gross, %6.2f net; %5.2f MB/s by the clock, connecting left out\n",
                        name, mib, $3 / mib, ($3 - $1) / mib, mib * 1.048576 / (($4 - $2) / 1000) }' "figure-$2"
}
say gangway ours
say OpenOCD openocd_load
say st-flash st_flash
awk '{ net[FILENAME] = $3 - $1; gross[FILENAME] = $3 }
        END { for (i = 2; i < ARGC; i++)
                printf "gangway to %s: %.2f of its CPU time gross, %.2f net\n", substr(ARGV[i], 8), gross[ARGV[1]] / gross[ARGV[i]], net[ARGV[1]] / net[ARGV[i]] }' \
        figure-ours figure-openocd_load figure-st_flash
