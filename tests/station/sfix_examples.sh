#!/bin/bash
# The SFIx installs of AN5054 chapters 11 to 13 under configs/examples/install, from preparation to a programmed simulated
# part; and the same without the loader's memory in the order. TAP.
set -u
cd "$(dirname "$0")/../.." || exit 1
number=0 bad=0
dir=$(mktemp -d /tmp/gangway-sfix-XXXXXX)
trap 'rm -rf "$dir"' EXIT
export GANGWAY_LEDGER=$dir/nonces.db LSAN_OPTIONS=exitcode=99 ASAN_OPTIONS=exitcode=99

ok() { number=$((number + 1)); echo "ok $number - $1"; }
not_ok() { number=$((number + 1)); bad=1; echo "not ok $number - $1"; tail -20 "$dir/out" | sed 's/^/# /'; }

for script in configs/examples/install/sfix-*.sh; do
        name=$(basename "$script" .sh)
        if "$script" "$GANGWAY_BUILD" "$dir/$name" >"$dir/out" 2>&1; then ok "$name installs"; else not_ok "$name installs"; fi
        parts=$(grep -c 'downloading area \[[0-9]*\] data for external flash' "$dir/out")
        if [ "$parts" -ge 1 ]; then ok "$name: external data went out $parts times"; else not_ok "$name: external data"; fi
done

# an image with external firmware and no loader: refused by the check of the order, by name
made=$dir/sfix-h7b3
grep -v external_loader "$made"/orders/done/*/x.yaml >"$made/no-loader.yaml" 2>/dev/null ||
        grep -rhv external_loader "$made/orders" --include=x.yaml >"$made/no-loader.yaml"
"$GANGWAY_BUILD/gangway" order check "$made/no-loader.yaml" --station "$made/station.conf" >"$dir/out" 2>&1
if [ $? -ne 0 ] && grep -q 'no external loader is named' "$dir/out"; then
        ok "without its loader the order is refused"
else
        not_ok "without its loader the order is refused"
fi
echo "1..$number"
exit $bad
