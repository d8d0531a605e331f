#!/bin/bash
# Rig E: pcscd and libpcsclite for real, the simulator's cards behind vsmartcard's vpcd driver, our
# reader and desk in front. In mount and net namespaces of its own; needs root.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${GANGWAY_BUILD:-$PWD/build}
driver=/usr/lib/pcsc/drivers/serial/libifdvpcd.so
drivers=4 # of two slots each
skip() { echo "1..0 # SKIP $1"; echo "ok 1 # SKIP $1"; exit 0; }

if [ "${1:-}" = restart ]; then
        kill "$(cat "$RIG/pcscd.pid")" 2>/dev/null
        while kill -0 "$(cat "$RIG/pcscd.pid")" 2>/dev/null; do sleep 0.05; done
        rm -f /run/pcscd/*
fi
if [ "${1:-}" = restart ] || [ "${1:-}" = start ]; then
        pcscd -f -c "$RIG/conf" >>"$RIG/pcscd.log" 2>&1 </dev/null &
        echo $! >"$RIG/pcscd.pid"
        for _ in $(seq 200); do [ -S /run/pcscd/pcscd.comm ] && exit 0; sleep 0.05; done
        echo "# pcscd does not start"; exit 1
fi

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
ports=
for i in $(seq 0 $((drivers - 1))); do
        port=$((35963 + 2 * i)) ports="$ports $port $((port + 1))"
        # the driver keeps its slots in static variables: each reader needs a copy of its own
        cp -L $driver "$RIG/lib/vpcd$i.so"
        printf 'FRIENDLYNAME "HSM %02d"\nDEVICENAME /dev/null:0x%X\nLIBPATH %s/lib/vpcd%d.so\nCHANNELID 0x%X\n\n' \
                "$i" $port "$RIG" "$i" $port
done >"$RIG/conf/vpcd"

code=0
"$build/tests/rigs/pcsc_station" || code=1 # before pcscd runs
"$0" start || exit 1
set -m # the cards are a process group of their own, to be pulled and put in together
# shellcheck disable=SC2086
"$build/tests/rigs/vpcd_card" 0.1 100 $ports &
cards=$!
RIG_PULL="kill -USR1 -$cards" RIG_INSERT="kill -USR2 -$cards" RIG_RESTART="$0 restart" \
        READERS=$((2 * drivers)) "$build/tests/rigs/pcsc_station" || code=1
[ $code = 0 ] || tail -5 "$RIG/pcscd.log" | sed 's/^/# /'
exit $code
