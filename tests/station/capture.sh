#!/bin/bash
# Captures of a simulated station, read by Wireshark's tools beside our own. TAP.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=$GANGWAY_BUILD gangway=$GANGWAY_BUILD/gangway configs=$PWD/configs number=0 bad=0
line=$(mktemp -d "${TMPDIR:-/tmp}/gangway-capture-XXXXXX")
trap 'rm -rf "$line"' EXIT
export GANGWAY_LEDGER=$line/nonces.db HOME=$line XDG_CONFIG_HOME=$line

say() { # code name
        number=$((number + 1))
        if [ "$1" = 0 ]; then echo "ok $number - $2"; else echo "not ok $number - $2"; bad=1; sed 's/^/# /' "$line/out" | tail -20; fi
}
skip() { number=$((number + 1)); echo "ok $number - $1 # SKIP $2"; }

(umask 077; head -c 16 /dev/urandom >"$line/key.bin"; head -c 12 /dev/urandom >"$line/nonce.bin")
"$gangway" sfi create -fir configs/examples/blinky.hex -k "$line/key.bin" -n "$line/nonce.bin" \
        -v 1 -ob configs/examples/h75x-option-bytes.csv -o "$line/image.sfi" >"$line/out" 2>&1 || exit 1

# lot RULE ORDER SEED : a lot where much goes wrong, captures by RULE
lot() {
        mkdir -p "$line/orders/in"
        cat >"$line/$1.conf" <<CONF
station = "test";
hardware = "simulated";
family_file = "$configs/targets/stm32h75x.conf";
rss_profile_file = "$configs/rss/reference-h7.conf";
card_profile_file = "$configs/cards/reference.conf";
orders_directory = "orders";
data_directory = "data";
web_address = "";
clock_khz = 24000;
capture = "$1";
virtual_time = true;
seed = $3;
simulated = { sites = 4; cards = 2; key_file = "key.bin"; nonce_file = "nonce.bin"; firmware_id = "TEST";
        handling_ms = 1000; misfortune = { unplug = 6; weak_word = 6; used_part = 6; late_answer = 900;
        short_answer = 900; }; };
CONF
        cat >"$line/orders/in/$2.yaml" <<ORDER
order: $2
part: STM32H753XI
family: STM32H75x
quantity: 10
image:
  file: $line/image.sfi
  sha256: $(sha256sum "$line/image.sfi" | cut -d' ' -f1)
firmware_id: TEST
retries: 1
ORDER
        "$build/gangwayd" --config "$line/$1.conf" --exit-when-done >"$line/log" 2>&1
}

lot failures T-1 5
cp "$line/log" "$line/out"
failed=$(grep -E 'attempt [0-9]+: ' "$line/log" | grep -vc ': pass$')
files=$(find "$line/data/captures/T-1" -name '*.pcapng' | wc -l)
[ "$failed" -gt 2 ] && [ "$files" = "$failed" ]
say $? "each of the $failed failed attempts left a capture"
grep -oE 'capture T-1/.*' "$line/log" | cut -d' ' -f2 | while read -r name; do
        [ -s "$line/data/captures/$name" ] || echo "$name"
done >"$line/out"
[ ! -s "$line/out" ]
say $? "the log names each"
lot all T-2 6
cp "$line/log" "$line/out"
find "$line/data/captures/T-2" -name '*.pcapng' -size +100k | grep -q .
say $? "capture = \"all\" keeps whole units"
[ -z "$(find "$line/data/captures" -type f ! -perm 0600)" ]
say $? "captures are 0600"

# --- our own reader -------------------------------------------------------------------------------------------------------

cat >"$line/check.py" <<'PY'
"""Shows every capture by our own command, twice; prints what is wrong, writes packet counts and late answers."""
import json, pathlib, re, subprocess, sys
gangway, line = sys.argv[1], pathlib.Path(sys.argv[2])
counts, late = "", 0
for file in sorted(line.glob("data/captures/*/*.pcapng")):
    text = subprocess.run([gangway, "capture", "show", file], capture_output=True, text=True)
    if text.returncode or re.search(r" \? |no end|about something else", text.stdout):
        print(file.name, "not all of it in words", text.stderr)
    capture = json.loads(subprocess.run([gangway, "capture", "show", "--json", file], capture_output=True).stdout)
    exchanges = capture["exchanges"]
    if sum(4 if e["direction"] != "none" else 2 for e in exchanges) != capture["packets"]:
        print(file.name, "packets do not add up")
    if text.stdout.count("ENOENT") != sum(e["urb_status"] == -2 for e in exchanges):
        print(file.name, "text and JSON differ")
    late += text.stdout.count("ENOENT")
    counts += f"{file}\t{capture['packets']}\n"
(line / "counts").write_text(counts)
(line / "late").write_text(f"{late}\n")
PY
python3 "$line/check.py" "$gangway" "$line" >"$line/out" 2>&1
[ $? = 0 ] && [ ! -s "$line/out" ] && [ -s "$line/counts" ]
say $? "capture show has a word for every exchange, and --json adds up"
"$gangway" capture show "$(find "$line/data/captures/T-2" -name '*.pcapng' -size +100k | head -1)" >"$line/out" 2>&1
[ "$(grep -cE '^-- step: (connect|check the part|read the certificate|install)$' "$line/out")" -ge 4 ] &&
        grep -q 'WRITEMEM_32BIT 0x24030800, 136 bytes' "$line/out"
say $? "it tells the steps and the write of the license"
"$gangway" capture show configs/gangway.conf >"$line/out" 2>&1
[ $? = 2 ] && grep -q 'not a pcapng file' "$line/out"
say $? "any other file is refused, exit code 2"

# --- Wireshark's --------------------------------------------------------------------------------------------------------

if command -v tshark >/dev/null && command -v mergecap >/dev/null; then
        mergecap -a -w "$line/merged" "$line"/data/captures/*/*.pcapng 2>"$line/errors" # tshark is slow to start
        tshark -r "$line/merged" -Y '_ws.malformed || _ws.expert.severity >= "Warning"' >"$line/out" 2>>"$line/errors"
        [ $? = 0 ] && [ ! -s "$line/out" ]
        say $? "tshark decodes every capture without a malformed packet or a warning"
        tshark -r "$line/merged" -T fields -e usb.urb_status -e frame.comment >"$line/fields" 2>/dev/null
        awk '{ n += $2 } END { print n }' "$line/counts" >"$line/out"
        wc -l <"$line/fields" >>"$line/out"
        [ "$(uniq "$line/out" | wc -l)" = 1 ]
        say $? "and counts the packets we count"
        cut -f2 "$line/fields" | sort | uniq -c | sort -rn >"$line/out"
        grep -q 'step: connect' "$line/out" && grep -q 'fail NOT_BLANK: the flash at' "$line/out"
        say $? "tshark shows steps and faults as comments"
        grep -c '^-2\b' "$line/fields" >"$line/out"
        [ "$(cat "$line/late")" -gt 0 ] && diff "$line/late" - <"$line/out" >/dev/null
        say $? "an answer that came too late is ENOENT in both, $(cat "$line/late") times"
        file=$(grep -oE 'capture T-2/.*' "$line/log" | cut -d' ' -f2 | head -1)
        # one submission and one completion a URB
        tshark -r "$line/data/captures/$file" -T fields -e usb.urb_id -e usb.urb_type -Y 'usb.transfer_type == 3' 2>/dev/null |
                sort | uniq -c | awk '$1 != 1 { print } END { if (NR < 100 || NR % 2) print NR " events" }' >"$line/out"
        [ ! -s "$line/out" ]
        say $? "each URB is submitted once and completed once"
else
        skip "tshark decodes every capture" "no tshark"
fi
if command -v capinfos >/dev/null; then
        capinfos -T -m -r -c "$line"/data/captures/*/*.pcapng 2>/dev/null | tr ',' '\t' | diff - "$line/counts" >"$line/out"
        say $? "capinfos counts the same in every file"
        capinfos "$line/merged" >"$line/out" 2>&1 && grep -q 'usb-linux-mmap' "$line/out" &&
                capinfos -o "$line"/data/captures/*/*.pcapng >"$line/out" 2>&1 && grep -q 'order: *True' "$line/out" &&
                ! grep -q 'order: *False' "$line/out"
        say $? "and finds the link type of usbmon, in order of time"
else
        skip "capinfos" "no capinfos"
fi
echo "1..$number"
exit $bad
