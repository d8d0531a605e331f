#!/bin/bash
# gangway sfi create at size: 60 MiB of external firmware, all forms, within bounds of memory. TAP.
#
# BIN is sealed where it was read: input + 16 MiB. Text is read into another place: input + output + 16 MiB.
# Input: the bytes of all files named; output: the bytes of the image. Counted is the maximum resident set of the process
# (getrusage, ru_maxrss) less that of `gangway --version`, which is the program and its libraries.
set -u
cd "$(dirname "$0")/../.." || exit 1
gangway=$GANGWAY_BUILD/gangway number=0 bad=0
dir=$(mktemp -d "${TMPDIR:-/tmp}/gangway-size-XXXXXX")
trap 'rm -rf "$dir"' EXIT
export GANGWAY_LEDGER=$dir/nonces.db LSAN_OPTIONS=exitcode=99 ASAN_OPTIONS=exitcode=99

ok() { number=$((number + 1)); echo "ok $number - $1"; }
not_ok() { number=$((number + 1)); bad=1; echo "not ok $number - $1"; sed 's/^/# /' "$dir/out" "$dir/err" | tail -20; }
skip() { number=$((number + 1)); echo "ok $number - $1 # SKIP $2"; }

cat >"$dir/measure.py" <<'PY'
"""Run a command; print its maximum resident set in KiB to the file named first."""
import os, sys
child = os.fork()
if child == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
_, status, usage = os.wait4(child, 0)
open(sys.argv[1], "w").write(str(usage.ru_maxrss))
sys.exit(os.waitstatus_to_exitcode(status))
PY
measure() { python3 "$dir/measure.py" "$dir/peak" "$@" >"$dir/out" 2>"$dir/err" </dev/null; }

measure "$gangway" --version && base=$(cat "$dir/peak") || { not_ok "the program's base is measured"; echo "1..$number"; exit 1; }
head -c 16 /dev/urandom >"$dir/key.bin"
head -c 4096 /dev/urandom >"$dir/internal.bin"
head -c $((60 << 20)) /dev/urandom >"$dir/whole.bin"

# seals once|twice NAME FILE... -- ARGUMENTS : the image comes out, its tags hold, and memory stays below what its FILEs
# allow, which are held once, or beside the image
images=0
seals() {
        local held=$1 name=$2 input output peak bound files=("$dir/internal.bin")
        shift 2
        while [ "$1" != -- ]; do files+=("$1"); shift; done
        shift
        images=$((images + 1))
        head -c 12 /dev/urandom >"$dir/nonce.bin"
        if ! measure "$gangway" sfi create -devid 0x480 -fir "$dir/internal.bin" 0x08000000 "$@" -k "$dir/key.bin" \
                -n "$dir/nonce.bin" -v 1 -ct 0x081FF000 -o "$dir/$images.sfix"; then
                not_ok "$name: it is sealed"
                return
        fi
        peak=$(($(cat "$dir/peak") - base))
        input=$(stat -L -c %s "${files[@]}" | awk '{ s += $1 } END { print s }')
        output=$(stat -c %s "$dir/$images.sfix")
        case $held in
        once) bound=$((input / 1024 + 16384)) ;;
        twice) bound=$(((input + output) / 1024 + 16384)) ;;
        esac
        if "$gangway" sfi verify "$dir/$images.sfix" -k "$dir/key.bin" -n "$dir/nonce.bin" >"$dir/out" 2>"$dir/err"; then
                ok "$name: it is sealed and every tag holds"
        else
                not_ok "$name: it is sealed and every tag holds"
        fi
        if [ -n "${GANGWAY_SANITIZE:-}" ]; then
                skip "$name: memory" "a sanitizer's own memory is counted too"
        elif [ "$peak" -le "$bound" ]; then
                ok "$name: $peak KiB (and the program's $base) of $bound allowed"
        else
                echo "# input $input, output $output bytes"
                not_ok "$name: $peak KiB (and the program's $base) of $bound allowed"
        fi
}

seals once "60 MiB BIN, one area" "$dir/whole.bin" -- -firx "$dir/whole.bin" 0x90000000 0 2 0x081FC000
seals once "60 MiB BIN in parts of 128 KiB" "$dir/whole.bin" -- -firx "$dir/whole.bin" 0x90000000 0 2 0x081FC000 -rs 0x20000

if "$gangway" sfi open "$dir/2.sfix" -k "$dir/key.bin" -n "$dir/nonce.bin" -o "$dir/opened" >"$dir/out" 2>"$dir/err" &&
        cmp "$dir/whole.bin" "$(find "$dir/opened" -size +1M)" >"$dir/out" 2>&1; then
        ok "opened again, the parts are the file"
else
        not_ok "opened again, the parts are the file"
fi
rm -rf "$dir/opened" "$dir"/*.sfix

# an odd length each, so that every segment is padded
for i in 1 2 3; do head -c 20000001 "$dir/whole.bin" >"$dir/third$i.bin"; done
seals once "three BIN of 19 MiB, padded" "$dir"/third[123].bin -- -firx "$dir/third1.bin" 0x90000000 0 2 0x081FC000 \
        -firx "$dir/third2.bin" 0x92000001 1 2 0x081FC000 -firx "$dir/third3.bin" 0x94000001 2 2 0x081FC000 -rs 0x20000
rm -f "$dir"/*.sfix "$dir"/third*

if command -v objcopy >/dev/null; then
        head -c $((20 << 20)) "$dir/whole.bin" >"$dir/part.bin"
        objcopy -I binary -O ihex --change-addresses 0x90000000 "$dir/part.bin" "$dir/part.hex"
        objcopy -I binary -O srec --change-addresses 0x90000000 "$dir/part.bin" "$dir/part.s37"
        seals twice "20 MiB in HEX" "$dir/part.hex" -- -firx "$dir/part.hex" 0 2 0x081FC000 -rs 0x20000
        seals twice "20 MiB in S-record" "$dir/part.s37" -- -firx "$dir/part.s37" 0 2 0x081FC000 -rs 0x20000
else
        skip "20 MiB in HEX and S-record" "no objcopy"
fi

# --- the line of progress: only on a terminal, only after half a second ---------------------------------------------------
# A disk that takes its time is made by stopping the process while it runs.
cat >"$dir/slow.py" <<'PY'
"""on a terminal: stop the command shortly after its start for a second, let it go on, print what stderr got."""
import os, pty, signal, sys, time
child, terminal = pty.fork()
if child == 0:
    os.environ["TERM"] = "xterm"
    os.execvp(sys.argv[2], sys.argv[2:])
time.sleep(0.03)
if sys.argv[1] == "slow":
    os.kill(child, signal.SIGSTOP)
    time.sleep(1)
    os.kill(child, signal.SIGCONT)
while True:
    try:
        data = os.read(terminal, 65536)
    except OSError:
        break
    if not data:
        break
    sys.stdout.buffer.write(data)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
PY
watched() { # MODE FILE
        head -c 12 /dev/urandom >"$dir/nonce.bin"
        python3 "$dir/slow.py" "$1" "$gangway" sfi create -devid 0x480 -fir "$dir/internal.bin" 0x08000000 -firx "$2" \
                0x90000000 0 2 0x081FC000 -k "$dir/key.bin" -n "$dir/nonce.bin" -v 1 -ct 0x081FF000 -o "$dir/w.sfix" \
                >"$dir/out" 2>"$dir/err"
}
if watched slow "$dir/whole.bin" && grep -qE 'reading the firmware|sealing|writing, [0-9.]+ MiB \.\.\. [0-9]+ s' "$dir/out"; then
        ok "work that takes a second shows a line on a terminal"
else
        not_ok "work that takes a second shows a line on a terminal"
fi
start=$(date +%s%N)
watched quick "$dir/internal.bin"
code=$? ms=$((($(date +%s%N) - start) / 1000000))
if [ $code -eq 0 ] && [ $ms -ge 500 ]; then
        skip "short work shows none" "it took $ms ms here"
elif [ $code -eq 0 ] && ! grep -q ' s.\[K' "$dir/out"; then
        ok "short work shows none"
else
        not_ok "short work shows none"
fi
echo "1..$number"
exit $bad
