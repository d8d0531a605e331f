#!/bin/bash
# Every install of AN5054 under configs/examples/install, run as it stands: preparation, order, one simulated board. Then the
# board's own file is looked into: the firmware must be in its flash, byte by byte. And one unit of every family. TAP.
set -u
cd "$(dirname "$0")/../.." || exit 1
number=0 bad=0
dir=$(mktemp -d /tmp/gangway-install-XXXXXX)
trap 'rm -rf "$dir"' EXIT
export LSAN_OPTIONS=exitcode=99 ASAN_OPTIONS=exitcode=99
export GANGWAY_LEDGER=$dir/nonces.db

ok() { number=$((number + 1)); echo "ok $number - $1"; }
not_ok() { number=$((number + 1)); bad=1; echo "not ok $number - $1"; sed 's/^/# /' "$dir/out" | tail -30; }
check() {
        local name=$1
        shift
        if "$@" >"$dir/out" 2>&1 </dev/null; then ok "$name"; else not_ok "$name"; fi
}

# installed DIRECTORY : each F line of expected.txt lies in the board's flash; nothing of it where it is not wanted
installed() {
        python3 - "$1" <<'PYTHON'
import sys
directory = sys.argv[1]
board = open(directory + "/bench/site-0.board", "rb").read()
files = [line.split()[2] for line in open(directory + "/expected.txt") if line.startswith("F ")]
assert files
for name in files:
    data = open(directory + "/" + name, "rb").read()
    assert board.count(data) == 1, "%s is %d times in the flash" % (name, board.count(data))
PYTHON
}
counts() { grep -q "lot EXAMPLE-1: done: 1 good, 0 bad" "$1/log"; }

# install NAME ARGUMENT...
install() {
        local script=$1 made=$dir/$1${2:+-$2}
        shift
        check "$script $*" timeout 60 "configs/examples/install/$script.sh" "$GANGWAY_BUILD" "$made" "$@"
        check "$script $*: one good unit" counts "$made"
        check "$script $*: the firmware is in the flash" installed "$made"
}

for script in configs/examples/install/sfi-*.sh configs/examples/install/sfia-*.sh; do
        install "$(basename "$script" .sh)"
done
for name in sfi-h5 sfi-h7rs; do
        check "$name closed its part, and that is the evidence" grep -q 'access port 1 is gone$' "$dir/$name/log"
done
# The way back of what an install has closed, with what its .obk was made of (prepare/common.sh, prepare/sfi-h7rs.sh).
back() { # NAME FAMILY CREDENTIAL...
        local bench=$dir/back-$1 family=$2
        mkdir "$bench" && cp "$dir/$1/bench/site-0.board" "$bench" || return 1
        # a person takes the board from the good ones and puts it in again: state 2, no verdict (bench_private.h)
        python3 -c "
import struct
with open('$bench/site-0.board', 'r+b') as board:
    board.seek(4); board.write(struct.pack('<I', 2)); board.seek(16); board.write(bytes(4))" || return 1
        shift 2
        "$GANGWAY_BUILD/gangway" target discover --simulated "$bench" --family "$family" | grep -q "provisioning        : good" &&
                ! "$GANGWAY_BUILD/gangway" target regress --yes --simulated "$bench" &&
                "$GANGWAY_BUILD/gangway" target regress --yes "$@" --simulated "$bench" | grep -q "The part is virgin" &&
                "$GANGWAY_BUILD/gangway" target info --simulated "$bench" --json | grep -q '"open": true'
}
check "sfi-h5: the closed part goes back to virgin by its certificate" back sfi-h5 stm32h56x \
        --certificate "$dir/sfi-h5/da-chain.b64" --key "$dir/sfi-h5/da-leaf.pem"
check "sfi-h7rs: the closed part goes back to virgin by its password" back sfi-h7rs stm32h7rs \
        --password "$dir/sfi-h7rs/password.bin"
check "and is found virgin, with nothing left to authenticate to" \
        bash -c "'$GANGWAY_BUILD/gangway' target discover --simulated '$dir/back-sfi-h7rs' | grep -q 'is open'"
for family in h75x h7a3 h73x l5 u535 u575 u59x u5fx wl5x wba5x wba6x h503 h52x h56x h7rs; do
        install family stm32$family
done
check "a family that installs by its boot loader only is refused" \
        bash -c "configs/examples/install/family.sh '$GANGWAY_BUILD' '$dir/l462' stm32l462; [ \$? = 2 ]"
echo "1..$number"
exit $bad
