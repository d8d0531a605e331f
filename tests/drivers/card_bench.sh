#!/bin/bash
# The claims of rigs E and F about cards and licenses, on the cards of the bench: no root, no pcscd.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${GANGWAY_BUILD:-$PWD/build}
. tests/rigs/tap.sh
[ -x "$build/tests/rigs/card_bench" ] || skip "the rig is not built for $build"
claims "$build/tests/rigs/card_bench"
exit "$code"
