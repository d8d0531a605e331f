#!/bin/bash
# gangway licenses, against a real daemon on a simulated line: the balance while it runs, receipts and their key, imports
# into a running station, licenses ahead of a stopped one. TAP.
set -u
cd "$(dirname "$0")/../.." || exit 1
top=$PWD build=$GANGWAY_BUILD gangway=$GANGWAY_BUILD/gangway number=0 bad=0 daemon=
dir=$(mktemp -d "${TMPDIR:-/tmp}/gangway-licenses-XXXXXX")
trap '[ -z "$daemon" ] || kill -9 $daemon 2>/dev/null; rm -rf "$dir"' EXIT
export GANGWAY_LEDGER=$dir/nonces.db LSAN_OPTIONS=exitcode=99 ASAN_OPTIONS=exitcode=99

ok() { number=$((number + 1)); echo "ok $number - $1"; }
not_ok() { number=$((number + 1)); bad=1; echo "not ok $number - $1"; sed 's/^/# /' "$dir/out" "$dir/err" | cat -v; }
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
says() { if grep -qF -- "$3" "$dir/$2"; then ok "$1"; else echo "# wanted in $2: $3"; not_ok "$1"; fi; }
holds() { # NAME PYTHON : an expression over d, the JSON on stdout
        if python3 -c "import json; d = json.load(open('$dir/out')); assert $2, d" 2>"$dir/why"; then ok "$1"; else tail -1 "$dir/why" | cut -c1-600 | sed 's/^/# /'; not_ok "$1"; fi
}

# --- a station ----------------------------------------------------------------------------------------------------------
(umask 077; head -c 16 /dev/urandom >"$dir/key.bin"; head -c 12 /dev/urandom >"$dir/nonce.bin")
"$gangway" sfi create -fir configs/examples/blinky.hex -k "$dir/key.bin" -n "$dir/nonce.bin" -v 1 \
        -ob configs/examples/h75x-option-bytes.csv -o "$dir/image.sfi" >/dev/null || exit 1
mkdir "$dir/bench"
cat >"$dir/station.conf" <<CONF
station = "line-3";
hardware = "simulated";
family_file = "$top/configs/targets/stm32h75x.conf";
rss_profile_file = "$top/configs/rss/reference-h7.conf";
card_profile_file = "$top/configs/cards/reference.conf";
orders_directory = "orders";
data_directory = "data";
web_address = "127.0.0.1:0";
clock_khz = 24000;
simulated = { sites = 4; cards = 2; card_counter = 500; key_file = "key.bin"; nonce_file = "nonce.bin";
        firmware_id = "TEST"; handling_ms = 1000; speed = 0.05; directory = "bench"; };
CONF
station=$dir/station.conf
mkdir -p "$dir/orders/in"
start() {
        "$build/gangwayd" --config "$station" --seed 3 >"$dir/log" 2>&1 &
        daemon=$!
        for _ in $(seq 100); do grep -q ' station: line-3' "$dir/log" && break; sleep 0.1; done
        url=$(sed -n 's/.* page: //p' "$dir/log" | head -1)
}
stop() { kill -TERM $daemon; wait $daemon; daemon=; }
order() { # NAME QUANTITY
        cat >"$dir/orders/in/.o.tmp" <<ORDER
order: $1
part: STM32H753XI
family: STM32H75x
quantity: $2
image:
  file: $dir/image.sfi
  sha256: $(sha256sum "$dir/image.sfi" | cut -d' ' -f1)
firmware_id: TEST
ORDER
        mv "$dir/orders/in/.o.tmp" "$dir/orders/in/$1.yaml"
}
made() { timeout 120 "$gangway" watch --until-done --order "$1" --url "$url" >"$dir/watch" 2>&1; }

run 2 "without books there is nothing to list" "$gangway" licenses --station "$station"
says "and that is said" err "has no books yet"
if [ ! -e "$dir/data" ]; then ok "and none are made"; else not_ok "and none are made"; fi
run 0 "the key is there before the first lot" "$gangway" licenses key --station "$station"
cp "$dir/out" "$dir/line3.pub"
says "its digits are what openssl says" out "$(openssl pkey -pubin -in "$dir/line3.pub" -outform DER | openssl dgst -sha256 -r | cut -d' ' -f1)"
[ "$(stat -c %a "$dir/data/receipt.key")" = 600 ] && ok "the private half is 0600" || not_ok "the private half is 0600"
run 0 "and it stays the same" "$gangway" licenses key --station "$station"
cmp -s "$dir/out" "$dir/line3.pub" && ok "to the byte" || not_ok "to the byte"

# --- beside a running daemon ----------------------------------------------------------------------------------------------
start
order L-1 12
made L-1
run 0 "a lot was made" grep -q 'the license balance adds up' "$dir/watch"
before=$(sha256sum "$dir/data/station.db")
run 0 "licenses, while the daemon runs" "$gangway" licenses --station "$station"
says "the balance" out "12 issued = 12 installed + 0 in hand + 0 lost"
says "per good unit" out "1.000"
if [ "$(sha256sum "$dir/data/station.db")" = "$before" ]; then ok "and no byte of the database has changed"; else not_ok "and no byte of the database has changed"; fi
run 0 "licenses list --json" "$gangway" licenses list --json --station "$station"
holds "adds up by card" "d['adds_up'] and len(d['cards']) == 2 and sum(c['licenses']['issued'] for c in d['cards']) == 12"
holds "what is left on the cards too" "sum(c['maximum'] - c['left'] for c in d['cards']) == 12"
holds "a card that worked has a pace and runs dry" "any(c['per_hour'] > 0 and c['dry'] > '2026' for c in d['cards'])"
holds "by lot" "d['lots'][0]['lot'] == 'L-1' and d['lots'][0]['good_units'] == 12 and d['lots'][0]['licenses_per_good_unit'] == '1.000'"
holds "by source" "d['sources'] == {'card': 12, 'server': 0, 'file': 0, 'global': 0}"
card=$(python3 -c "import json; print(json.load(open('$dir/out'))['cards'][0]['serial'])")
run 0 "one card alone" "$gangway" licenses --card "$card" --json --station "$station"
holds "is one card" "len(d['cards']) == 1 and d['cards'][0]['serial'] == '$card'"
run 2 "a lot that was never made" "$gangway" licenses --lot L-9 --station "$station"
says "is named" err "no lot L-9"
run 2 "a card that was never seen" "$gangway" licenses --card 00 --station "$station"
run 2 "a word that is no command" "$gangway" licenses lisst
says "is told the nearest" err "did you mean 'gangway licenses list'?"

# --- receipts -------------------------------------------------------------------------------------------------------------
left=$(ls "$dir"/orders/done/*/L-1.yaml.receipt 2>/dev/null)
[ -n "$left" ] && [ -r "$left.sig" ] && ok "the lot left its receipt beside its results" || not_ok "the lot left its receipt beside its results"
run 0 "which is proven" "$gangway" licenses verify "$left" --key "$dir/line3.pub"
says "with its balance" out "12 issued = 12 installed + 0 in hand + 0 lost"
grep -q "$(sha256sum "$dir/image.sfi" | cut -d' ' -f1)" "$left" && ok "it names the image" || not_ok "it names the image"
run 0 "and proven by openssl alone" sh configs/examples/verify-receipt.sh "$left" "$dir/line3.pub"
cd "$dir" || exit 1
run 0 "a report while the daemon runs" "$gangway" licenses report --lot L-1 --station "$station"
cd "$top" || exit 1
says "says what it holds" out "12 good, 1.000 licenses per good unit"
run 0 "it is proven too" "$gangway" licenses verify "$dir/L-1.receipt" --key "$dir/line3.pub" --json
holds "for programs" "d['verified'] and d['records'] >= 15 and d['issued'] == 12"
# the same but for the time and what only the daemon knows
strip() { sed 's/^[0-9a-f]* //; s/"written":"[^"]*"//; s/"last_seen":"[^"]*"//' "$1"; }
diff <(strip "$left") <(strip "$dir/L-1.receipt") >"$dir/out" && ok "it says what the daemon's says" || not_ok "it says what the daemon's says"
sed '5s/installed/lost/' "$dir/L-1.receipt" >"$dir/changed" && cp "$dir/L-1.receipt.sig" "$dir/changed.sig"
run 1 "a changed record" "$gangway" licenses verify "$dir/changed" --key "$dir/line3.pub"
says "is named" err "record 5:"
run 1 "for programs" "$gangway" licenses verify "$dir/changed" --key "$dir/line3.pub" --json
holds "by its number" "not d['verified'] and d['record'] == 5"
run 1 "by the script" sh configs/examples/verify-receipt.sh "$dir/changed" "$dir/line3.pub"
says "too" err "record 5:"
openssl genpkey -algorithm ed25519 2>/dev/null | openssl pkey -pubout >"$dir/other.pub"
run 1 "another station's key" "$gangway" licenses verify "$dir/L-1.receipt" --key "$dir/other.pub"
says "is told apart" err "the signature is not of this key"
run 2 "a receipt without a key" "$gangway" licenses verify "$dir/L-1.receipt"
run 2 "a receipt without its signature" "$gangway" licenses verify configs/gangway.conf --key "$dir/line3.pub"
run 2 "a report of no lot" "$gangway" licenses report --lot L-9 --station "$station" -o "$dir/none"
[ ! -e "$dir/none" ] && ok "writes nothing" || not_ok "writes nothing"

# --- imports --------------------------------------------------------------------------------------------------------------
python3 tests/station/chips.py "$dir/chips" 3 || exit 1
for chip in 1 2 3; do python3 tests/station/chips.py --license "$dir/chips/chip-$chip.license.bin"; done
run 0 "three are imported while the daemon runs" "$gangway" licenses import --station "$station" --firmware-id TEST --directory "$dir/chips"
says "and counted" out "3 imported for TEST, 0 in hand already, 0 refused"
run 0 "once more" "$gangway" licenses import --station "$station" --firmware-id TEST --directory "$dir/chips" --json
holds "changes nothing" "d['imported'] == 0 and d['in_hand_already'] == 3"
python3 tests/station/chips.py --license "$dir/another.bin"
run 1 "another license for such a chip" "$gangway" licenses import --station "$station" --firmware-id TEST \
        "$dir/chips/chip-1.certificate.bin" "$dir/another.bin"
says "is refused" err "it is not this one"
head -c 135 "$dir/another.bin" >"$dir/short.bin"
python3 tests/station/chips.py "$dir/more" 3
run 1 "a short one does not hold up its neighbour" "$gangway" licenses import --station "$station" --firmware-id TEST --lot L-2 \
        "$dir/more/chip-1.certificate.bin" "$dir/short.bin" "$dir/more/chip-2.certificate.bin" "$dir/another.bin"
says "it is named" err "short.bin has 135 bytes"
says "the other is in" out "1 imported for TEST, 0 in hand already, 1 refused"
run 1 "one of another type" "$gangway" licenses import --station "$station" --firmware-id TEST --type SMU \
        "$dir/more/chip-3.certificate.bin" "$dir/another.bin"
says "is told apart" err 'wanted "SMU."'
run 2 "half a pair" "$gangway" licenses import --station "$station" --firmware-id TEST "$dir/more/chip-1.certificate.bin"
run 2 "no firmware id" "$gangway" licenses import --station "$station" "$dir/more/chip-1.certificate.bin" "$dir/another.bin"
run 2 "an unknown type" "$gangway" licenses import --station "$station" --firmware-id TEST --type SFY "$dir/more/chip-1.certificate.bin" "$dir/another.bin"
run 0 "they are in hand" "$gangway" licenses --station "$station" --json
holds "by source" "d['sources']['file'] == 4 and d['licenses']['in_hand'] == 4 and d['adds_up']"
holds "and by lot" "[l for l in d['lots'] if l['lot'] == 'L-2'][0]['licenses']['in_hand'] == 1"
order L-3 2
made L-3
run 0 "the daemon goes on" grep -q 'the license balance adds up' "$dir/watch"

# --- ahead ----------------------------------------------------------------------------------------------------------------
python3 tests/station/chips.py "$dir/ahead" 8
run 1 "licenses ahead while the daemon runs" "$gangway" licenses ahead --station "$station" --firmware-id TEST --directory "$dir/ahead"
says "are refused with the remedy" err "stop it"
stop
run 0 "once it is stopped they are made" "$gangway" licenses ahead --station "$station" --firmware-id TEST --directory "$dir/ahead"
says "all eight" out "8 licenses made for TEST, 0 in hand already, 0 failed, 0 not asked for"
run 0 "a second time costs none" "$gangway" licenses ahead --station "$station" --firmware-id TEST --directory "$dir/ahead" --json
holds "all in hand" "d['made'] == 0 and d['in_hand_already'] == 8"
run 0 "the books of a stopped station" "$gangway" licenses --station "$station" --json
holds "add up" "d['adds_up'] and d['licenses']['in_hand'] == 12 and sum(c['licenses']['issued'] for c in d['cards']) == 22"
if [ ! -e "$dir/data/station.db-wal" ] && [ ! -e "$dir/data/station.db-shm" ]; then ok "and looking left no file"; else not_ok "and looking left no file"; fi
run 1 "a firmware no card holds" "$gangway" licenses ahead --station "$station" --firmware-id OTHER "$dir/ahead/chip-1.certificate.bin"
says "is said" err "no card holds OTHER"
head -c 136 /dev/urandom >"$dir/noise.bin"
run 2 "a file that is no certificate" "$gangway" licenses ahead --station "$station" --firmware-id TEST "$dir/noise.bin"
says "is named before any card is asked" err "noise.bin"

# Ctrl-C in the middle: what a card gave is in the ledger, and counters and ledger agree
python3 tests/station/chips.py "$dir/long" 400
sed -i 's/speed = 0.05/speed = 0.2/' "$station"
python3 tests/station/on_terminal.py 80 24 bash -c 'exec "$@" 2>&1' _ \
        "$gangway" licenses ahead --station "$station" --firmware-id TEST --directory "$dir/long" >"$dir/shown" 2>&1 &
shown=$!
for _ in $(seq 100); do
        [ "$("$gangway" licenses --station "$station" --json 2>/dev/null | python3 -c 'import json,sys; print(json.load(sys.stdin)["licenses"]["issued"])' 2>/dev/null || echo 0)" -ge 36 ] && break
        sleep 0.2
done
# found by its words
holder=$(python3 -c "
import os, sys
for p in filter(str.isdigit, os.listdir('/proc')):
    try:
        c = open(f'/proc/{p}/cmdline').read().split('\0')
    except OSError:
        continue
    if c[0] == '$gangway' and '$dir/long' in c:
        print(p)")
[ -n "$holder" ] && kill -INT "$holder"
wait $shown
grep -q 'interrupted' "$dir/shown" && ok "Ctrl-C ends it with a summary" || { cp "$dir/shown" "$dir/out"; not_ok "Ctrl-C ends it with a summary"; }
grep -q 'licenses ahead: [0-9]* of 400 made' "$dir/shown" && ok "it had shown how far it was" || { cp "$dir/shown" "$dir/out"; not_ok "it had shown how far it was"; }
run 0 "the ledger is true afterwards" "$gangway" licenses --station "$station" --json
holds "counters and licenses agree" "d['adds_up'] and d['licenses']['pending'] == 0 and d['licenses']['lost'] == 0"
told=$(grep -oE '[0-9]+ licenses made for' "$dir/shown" | cut -d' ' -f1)
holds "and the summary told as many as there are" "d['licenses']['in_hand'] == 12 + int('${told:-0}') and int('${told:-0}') < 400"
echo "1..$number"
exit $bad
