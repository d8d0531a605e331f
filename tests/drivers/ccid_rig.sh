#!/bin/bash
# Rig F: pcscd, libccid and libusb for real, on CCID readers of the emulated usbfs with reference cards in them; our
# reader and desk in front. In mount and net namespaces of its own; needs root and /dev/fuse.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${GANGWAY_BUILD:-$PWD/build}
. tests/rigs/tap.sh

station() { claims "$build/tests/rigs/pcsc_station" "$1"; }
pcscd_log() { [ "$code" = 0 ] || tail -5 "$RIG/pcscd.log" | sed 's/^/# /'; }

if [ -z "${RIG:-}" ]; then
        for program in pcscd pcsc_scan opensc-tool; do command -v $program >/dev/null || skip "$program is not installed"; done
        [ -d /usr/lib/pcsc/drivers/ifd-ccid.bundle ] || skip "libccid is not installed"
        [ -x "$build/tests/rigs/pcsc_station" ] || skip "the rig is not built for $build"
        [ "$(id -u)" = 0 ] || skip "needs root for namespaces and FUSE"
        [ -c /dev/fuse ] || skip "needs /dev/fuse"
        # where the rig cannot be had it says why; CI must not lose it unnoticed
        if ! why=$(timeout 20 unshare -m -n sh -c "mount -t tmpfs rig /run && exec '$build/tests/rigs/usbfs' ccid=1 -- true" 2>&1) &&
                [ -z "${CI:-}" ]; then skip "$why"; fi
        export RIG=/run/rig # on a file system of the namespace
        for part in eight claims station sixteen; do
                unshare -m -n -p -f --kill-child --mount-proc "$0" $part || code=1
        done
        exit "$code"
fi

# inside the namespaces: the bus, and on it this script again
case $1 in
eight | claims | station | sixteen)
        mount -t tmpfs rig /run
        mkdir -p /run/pcscd "$RIG/conf"
        export RIG_CONTROL=$RIG/control RIG_SPEED=0.1
        case $1 in
        station) set -- "$1" ccid=2 stlink=1 ;;
        sixteen) set -- "$1" ccid=17 ;; # one more than pcscd can serve
        *) set -- "$1" ccid=8 ;;
        esac
        exec "$build/tests/rigs/usbfs" "${@:2}" -- "$0" "on-$1"
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
on-station)
        # gangwayd before pcscd: its readers are absent then, and found later
        mkdir "$RIG/orders"
        cat >"$RIG/gangway.conf" <<END
station = "rig"; hardware = "usb";
family_file = "$PWD/configs/targets/stm32h75x.conf"; rss_profile_file = "$PWD/configs/rss/reference-h7.conf";
card_profile_file = "$PWD/configs/cards/reference.conf";
sites = ( { name = "1"; path = "1-3"; } );
readers = ( "ACS ACR39U ICC Reader 00 00", "ACS ACR39U ICC Reader 01 00" );
orders_directory = "$RIG/orders"; data_directory = "$RIG/data"; web_address = "127.0.0.1:8470";
END
        "$build/gangwayd" --config "$RIG/gangway.conf" >"$RIG/gangwayd.log" 2>&1 &
        daemon=$!
        cards() { # states words: both cards in one of them, with the words in their sentence, before long
                for _ in $(seq 200); do
                        "$build/gangway" status --json >"$RIG/out" 2>&1 && python3 - "$RIG/out" "$@" <<'END' && return 0
import json, sys
cards = json.load(open(sys.argv[1]))["cards"]
sys.exit(not (len(cards) == 2 and all(c["state"] in sys.argv[2] and sys.argv[3] in c["sentence"] for c in cards)))
END
                        kill -0 $daemon || break
                        sleep 0.05
                done
                cat "$RIG/gangwayd.log" >>"$RIG/out"
                return 1
        }
        cards 'absent dead' 'pcscd does not run'
        say $? "a station starts before pcscd and says what its cards lack"
        tests/rigs/start_pcscd.sh start || exit 1
        cards ready ''
        say $? "and finds its readers when pcscd runs"
        tests/rigs/start_pcscd.sh stop
        kill $daemon
        wait $daemon
        say $? "and it ends well when pcscd has gone"
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
exit "$code"
