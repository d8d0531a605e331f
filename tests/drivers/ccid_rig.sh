#!/bin/bash
# Rig F: pcscd, libccid and libusb for real, on CCID readers of the emulated usbfs with reference cards in them; our
# reader and desk in front. In mount and net namespaces of its own; needs root and /dev/fuse.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${GANGWAY_BUILD:-$PWD/build}
. tests/rigs/tap.sh

station() { claims "$build/tests/rigs/pcsc_station" "$1"; }
pcscd_log() { [ $code = 0 ] || tail -5 "$RIG/pcscd.log" | sed 's/^/# /'; }

if [ -z "${RIG:-}" ]; then
        for program in pcscd pcsc_scan opensc-tool; do command -v $program >/dev/null || skip "$program is not installed"; done
        [ -d /usr/lib/pcsc/drivers/ifd-ccid.bundle ] || skip "libccid is not installed"
        [ -x "$build/tests/rigs/pcsc_station" ] || skip "the rig is not built for $build"
        [ "$(id -u)" = 0 ] || skip "needs root for namespaces and FUSE"
        [ -c /dev/fuse ] || skip "needs /dev/fuse"
        unshare -m -n true 2>/dev/null || skip "namespaces are not allowed here"
        export RIG=/run/rig # on a file system of the namespace
        for part in eight claims sixteen; do
                unshare -m -n -p -f --kill-child --mount-proc "$0" $part || code=1
        done
        exit $code
fi

# inside the namespaces: the bus, and on it this script again
case $1 in
eight | claims | sixteen)
        mount -t tmpfs rig /run
        mkdir -p /run/pcscd "$RIG/conf"
        export RIG_CONTROL=$RIG/control RIG_SPEED=0.1
        # one more than pcscd can serve
        if [ "$1" = sixteen ]; then readers=17; else readers=8; fi
        exec "$build/tests/rigs/usbfs" ccid=$readers -- "$0" "on-$1"
        ;;
on-eight)
        tests/rigs/start_pcscd.sh start || exit 1
        export RIG_RESTART="tests/rigs/start_pcscd.sh restart" READERS=8
        for _ in $(seq 100); do
                timeout 5 pcsc_scan -r >"$RIG/out" 2>&1
                [ "$(grep -c 'ACS ACR39U ICC Reader 0[0-7] 00' "$RIG/out")" = 8 ] && break
                sleep 0.05
        done
        [ "$(grep -c 'ACS ACR39U ICC Reader 0[0-7] 00' "$RIG/out")" = 8 ]
        say $? "pcsc_scan sees eight readers"
        timeout 10 pcsc_scan -c >"$RIG/out" 2>&1
        [ "$(grep -c 'ATR: 3B 8B 80 01 47 41 4E 47 57 41 59 52 45 46 31 2A' "$RIG/out")" = 8 ]
        say $? "and in each a card with the reference card's ATR"
        timeout 10 opensc-tool -l >"$RIG/out" 2>&1
        [ "$(grep -c ' Yes .*ACS ACR39U' "$RIG/out")" = 8 ]
        say $? "opensc-tool lists them"
        timeout 10 opensc-tool --reader 3 --atr >"$RIG/out" 2>&1
        grep -qi '^3b:8b:80:01:47:41:4e:47:57:41:59:52:45:46:31:2a' "$RIG/out"
        say $? "and reads the ATR"
        timeout 10 opensc-tool --reader 3 -s '00 A4 04 00 09 F0 47 41 4E 47 57 41 59 01' -s '80 10 00 00 00' >"$RIG/out" 2>&1
        [ "$(grep -c 'SW1=0x90, SW2=0x00' "$RIG/out")" = 2 ]
        say $? "it selects the application and asks who the card is"
        station first
        station late
        "$build/gangway" hsm info --slot 2 >"$RIG/out" 2>&1 && grep -q SIMULATED "$RIG/out" && grep -q TEST_1 "$RIG/out"
        say $? "gangway hsm reads the card in slot 2"
        ;;
on-claims)
        tests/rigs/start_pcscd.sh start || exit 1
        export RIG_RESTART="tests/rigs/start_pcscd.sh restart" READERS=8
        station ccid
        ;;
on-sixteen)
        tests/rigs/start_pcscd.sh start || exit 1
        export READERS=16
        for _ in $(seq 200); do
                timeout 5 pcsc_scan -r >"$RIG/out" 2>&1
                [ "$(grep -c 'ACS ACR39U ICC Reader' "$RIG/out")" -ge 16 ] && break
                sleep 0.05
        done
        [ "$(grep -c 'ACS ACR39U ICC Reader' "$RIG/out")" = 16 ]
        say $? "pcscd serves sixteen of seventeen readers"
        station many
        ;;
esac
pcscd_log
exit $code
