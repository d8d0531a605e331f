#!/bin/bash
# Rig E: pcscd and libpcsclite for real, the simulator's cards behind vsmartcard's vpcd driver, our
# reader and desk in front. In mount and net namespaces of its own; needs root.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${GANGWAY_BUILD:-$PWD/build}
driver=/usr/lib/pcsc/drivers/serial/libifdvpcd.so
drivers=4 # of two slots each
. tests/rigs/tap.sh

if [ -z "${RIG:-}" ]; then
        command -v pcscd >/dev/null || skip "pcscd is not installed"
        [ -e $driver ] || skip "vsmartcard-vpcd is not installed"
        [ -x "$build/tests/rigs/pcsc_station" ] || skip "the rig is not built for $build"
        [ "$(id -u)" = 0 ] || skip "needs root for namespaces"
        unshare -m -n true 2>/dev/null || skip "namespaces are not allowed here"
        export RIG=/run/rig # on a file system of the namespace
        unshare -m -n -p -f --kill-child --mount-proc "$0"
        exit $?
fi

# inside the namespaces
mount -t tmpfs rig /run
mkdir -p /run/pcscd "$RIG/conf" "$RIG/lib"
ip link set lo up 2>/dev/null || python3 - <<'PY'
import fcntl, socket, struct
s = socket.socket()
fcntl.ioctl(s, 0x8914, struct.pack("16sh14s", b"lo", 0x49, b""))
PY
# A card dials until pcscd listens. From the range of ports that ends of connections are given, it would now and then be
# given the very port it dials, and be connected with itself while pcscd cannot listen there.
echo 40000 60999 >/proc/sys/net/ipv4/ip_local_port_range || skip "the namespace's ports cannot be set"
ports=
for i in $(seq 0 $((drivers - 1))); do
        port=$((35963 + 2 * i)) ports="$ports $port $((port + 1))"
        # the driver keeps its slots in static variables: each reader needs a copy of its own
        cp -L $driver "$RIG/lib/vpcd$i.so"
        printf 'FRIENDLYNAME "HSM %02d"\nDEVICENAME /dev/null:0x%X\nLIBPATH %s/lib/vpcd%d.so\nCHANNELID 0x%X\n\n' \
                "$i" $port "$RIG" "$i" $port
done >"$RIG/conf/vpcd"

station() { claims "$build/tests/rigs/pcsc_station" "$1"; }
cards() { # how many licenses each: other cards in the slots
        [ -z "${cards:-}" ] || { kill "$cards"; wait "$cards" 2>/dev/null; }
        rm -f "$RIG_CONTROL"
        # shellcheck disable=SC2086
        "$build/tests/rigs/vpcd_card" 0.1 "$1" $ports &
        cards=$!
        for _ in $(seq 500); do [ -S "$RIG_CONTROL" ] && break; sleep 0.02; done
}
export RIG_CONTROL=$RIG/control RIG_RESTART="tests/rigs/start_pcscd.sh restart" READERS=$((2 * drivers))
station alone # before pcscd runs
tests/rigs/start_pcscd.sh start || exit 1
cards 100
station first
cards 100
station vpcd
cards 100
station many

# gangway hsm on the same readers: blank cards, one of them programmed through pcscd
cards 0
hsm() { "$build/gangway" hsm "$@" >"$RIG/out" 2>&1; }
umask 077
head -c 16 /dev/urandom >"$RIG/key.bin"
head -c 12 /dev/urandom >"$RIG/nonce.bin"
head -c 99 /dev/urandom >"$RIG/STM32H7_45002001_SFI_01000000_00000000.enc.bin"
openssl ecparam -name prime256v1 -genkey -noout -out "$RIG/chip.pem" 2>/dev/null
{
        printf 45002001
        openssl pkey -in "$RIG/chip.pem" -pubout -outform DER | tail -c 64
        head -c 31 /dev/zero; printf '\1'; head -c 31 /dev/zero; printf '\2'
} >"$RIG/chip.bin"
for _ in $(seq 100); do hsm state -i 2 && break; sleep 0.1; done
grep -q 'OEM_STATE' "$RIG/out" && grep -q SIMULATED "$RIG/out"
say $? "gangway hsm meets a blank card in slot 2"
program=(program -i 2 -k "$RIG/key.bin" -n "$RIG/nonce.bin" -id RIG_1 -mc 2 -y
        -pd "$RIG/STM32H7_45002001_SFI_01000000_00000000.enc.bin")
hsm "${program[@]}" && grep -q 'HSM successfully programmed' "$RIG/out"
say $? "and programs it with ST's spellings"
hsm "${program[@]}"
[ $? = 1 ] && grep -q 'is locked' "$RIG/out"
say $? "once"
hsm license-from-cert "$RIG/chip.bin" "$RIG/license.bin" slot=2 &&
        python3 tests/station/open_license.py "$RIG/license.bin" "$RIG/chip.pem" "$RIG/key.bin" "$RIG/nonce.bin" 2>>"$RIG/out" &&
        hsm counter --slot 2 && grep -q 'COUNTER       : 1$' "$RIG/out"
say $? "its license opens by an independent ECIES, its counter goes down"
hsm info --reader 'HSM 00 00 00' && grep -q 'OEM_STATE' "$RIG/out"
say $? "the card in the first reader, by name, is still blank"
hsm info --slot 9
[ $? = 2 ] && grep -q 'HSM 00 00 00' "$RIG/out"
say $? "a slot that is not there: the readers are named"
kill "$cards"
[ "$code" = 0 ] || tail -5 "$RIG/pcscd.log" | sed 's/^/# /'
exit "$code"
