#!/bin/bash
# gangway sfi create, show and verify, as built, against ST's files and an opener of its own (open_sfi.py). TAP.
set -u
cd "$(dirname "$0")/../.." || exit 1
gangway=$GANGWAY_BUILD/gangway data=$GANGWAY_DATA number=0 bad=0
dir=$(mktemp -d /tmp/gangway-sfi-XXXXXX)
trap 'rm -rf "$dir"' EXIT
export LSAN_OPTIONS=exitcode=99 ASAN_OPTIONS=exitcode=99
export GANGWAY_LEDGER=$dir/nonces.db

ok() { number=$((number + 1)); echo "ok $number - $1"; }
not_ok() { number=$((number + 1)); bad=1; echo "not ok $number - $1"; sed 's/^/# /' "$dir/out" "$dir/err"; }
skip() { number=$((number + 1)); echo "ok $number - $1 # SKIP $2"; }
have() { [ -r "$data/$1" ]; }

# A nonce for each image, or the nonce ledger would rightly refuse. First and last word are about to carry when an index
# is added, so that the policies differ; the middle word counts.
images=0
fresh_nonce() {
        images=$((images + 1))
        printf "\\xfe\\xff\\xff\\xff\\x11\\x22\\x33\\x$(printf %02x $images)\\xff\\xff\\xff\\xfe" >"$dir/nonce.bin"
}
# run CODE NAME COMMAND... : the exit code must be CODE; stdout and stderr stay in $dir
run() {
        local wanted=$1 name=$2 code
        shift 2
        [ "${2:-} ${3:-}" = "sfi create" ] && fresh_nonce
        "$@" >"$dir/out" 2>"$dir/err" </dev/null
        code=$?
        [ $code -eq "$wanted" ] && { ok "$name"; return 0; }
        echo "# exit $code, wanted $wanted: $*"
        not_ok "$name"
        return 1
}
# says NAME FILE TEXT : the last run wrote TEXT
says() { if grep -qF -- "$3" "$dir/$2"; then ok "$1"; else echo "# wanted in $2: $3"; not_ok "$1"; fi; }
silent_about() { if grep -qF -- "$3" "$dir/$2"; then not_ok "$1"; else ok "$1"; fi; }

head -c 16 /dev/urandom >"$dir/key.bin"
fresh_nonce
chmod 600 "$dir"/*.bin
cat >"$dir/ob.csv" <<CSV
# AN5054 figure 15
FOPTSR_PRG,0x1026AAD0
FPRAR_PRG_A,0x81000200
FPRAR_PRG_B,0x81000200
FSCAR_PRG_A,0x81000200
FSCAR_PRG_B,0x81000200
FWPSN_PRG_A,0xFFFFFFFF
FWPSN_PRG_B,0xFFFFFFFF
FBOOT7_PRG,0x24000800
RESERVED,0x10000810
CSV
# a small firmware of our own, for what must run without ST's files: two runs of bytes, one unaligned
python3 - "$dir" <<'PY'
import sys
def record(kind, offset, data):
    body = bytes([len(data), offset >> 8, offset & 255, kind]) + data
    return ":" + (body + bytes([-sum(body) & 255])).hex().upper() + "\n"
with open(sys.argv[1] + "/own.hex", "w") as out:
    out.write(record(4, 0, b"\x08\x00"))
    for at in range(0, 0x500, 16):
        out.write(record(0, at, bytes((at * 7 + i * 3) & 255 for i in range(16))))
    out.write(record(4, 0, b"\x08\x02"))
    out.write(record(0, 4, b"unaligned"))
    out.write(record(1, 0, b""))
PY
secret=(-k "$dir/key.bin" -n "$dir/nonce.bin")
opened=(tests/station/open_sfi.py "$dir/o.sfi" "$dir/key.bin" "$dir/nonce.bin")

# --- create, opened by the other implementation ---------------------------------------------------
for policy in big-endian last-word-le first-word-le last-word-be; do
        run 0 "create with IV policy $policy" "$gangway" sfi create -fir "$dir/own.hex" "${secret[@]}" \
                -ob "$dir/ob.csv" -v 0x17 --iv-policy $policy -o "$dir/o.sfi"
        run 0 "the other implementation opens it with $policy" "${opened[@]}" --iv-policy $policy \
                --hex "$dir/own.hex" --options "$dir/ob.csv" --unit 32
        run 0 "verify proves it" "$gangway" sfi verify "$dir/o.sfi" "${secret[@]}" --iv-policy $policy
done
run 1 "another policy does not verify" "$gangway" sfi verify "$dir/o.sfi" "${secret[@]}" --iv-policy first-word-le
says "and names the unit" out "area 1 firmware 0x08000000         TAG DOES NOT MATCH"
run 1 "nor does the other implementation open it" "${opened[@]}" --iv-policy first-word-le

run 0 "create with ST's long spellings" "$gangway" sfi create --firmware "$dir/own.hex" --key "$dir/key.bin" \
        --nonce "$dir/nonce.bin" --ver 23 --obfile "$dir/ob.csv" --outfile "$dir/o.sfi" --deviceid 0x450
says "it says SFI generation SUCCESS" out "SFI generation SUCCESS"
if [ "$(stat -c %a "$dir/o.sfi")" = 644 ]; then ok "the image has mode 0644"; else not_ok "the image has mode 0644"; fi
silent_about "no warning for files of mode 0600" err warning
run 0 "create prints JSON" "$gangway" sfi create -fir "$dir/own.hex" "${secret[@]}" -v 1 --json -o "$dir/o.sfi"
cp "$dir/out" "$dir/json"
run 0 "which parses" python3 -c 'import json,sys; d=json.load(open(sys.argv[1])); assert d["areas_total"]==2 and d["protocol"]==2' "$dir/json"

run 0 "protocol 1 pads to words only" "$gangway" sfi create -fir "$dir/own.hex" "${secret[@]}" -v 1 --protocol 1 \
        --padding 0x00 -o "$dir/o.sfi"
run 0 "and opens with zero padding" "${opened[@]}" --hex "$dir/own.hex" --padding 0 --unit 4

for protocol in 1 2; do
        run 0 "protocol $protocol in parts of 700 bytes" "$gangway" sfi create -fir "$dir/own.hex" "${secret[@]}" -v 1 \
                -ob "$dir/ob.csv" --protocol $protocol -rs 700 -ct 0x081E0000 -o "$dir/o.sfi"
        run 0 "every part fits and nothing is lost" "${opened[@]}" --hex "$dir/own.hex" --options "$dir/ob.csv" \
                --ram 700 --token 0x081E0000 --unit 4
        says "with P and R in pairs" out "FPRFPR"
done
run 0 "show lists the parts" "$gangway" sfi show "$dir/o.sfi"
says "by their areas" out "part 1: areas 1 to 2"

printf 'binary firmware!' >"$dir/b.bin"
run 0 "BIN with an address in another base" "$gangway" sfi create -fir "$dir/b.bin" 0b1000000000000000000000000000 \
        "${secret[@]}" -v 1 -o "$dir/o.sfi"
says "lies there" out "0x08000000"

# --- create refuses -------------------------------------------------------------------------------
rm -f "$dir/x.sfi"
# refuse NAME TEXT OPTION... : exit 2, TEXT on stderr, no file
refuse() {
        local name=$1 text=$2
        shift 2
        run 2 "refuses $name" "$gangway" sfi create "$@" -o "$dir/x.sfi" || return
        says "and says why" err "$text"
        [ ! -e "$dir/x.sfi" ] || { echo "# a file was written"; not_ok "$name"; }
}
own=(-fir "$dir/own.hex" "${secret[@]}" -v 1)
head -c 17 /dev/zero >"$dir/17.bin"
refuse "a key of 17 bytes" "has 17 bytes, wanted exactly 16" -fir "$dir/own.hex" -k "$dir/17.bin" -n "$dir/nonce.bin" -v 1
refuse "a nonce of 16 bytes" "has 16 bytes, wanted exactly 12" -fir "$dir/own.hex" -k "$dir/key.bin" -n "$dir/key.bin" -v 1
refuse "version 256" "--ver is 256" -fir "$dir/own.hex" "${secret[@]}" -v 256
refuse "BIN without an address" "so it is BIN: give its address" -fir "$dir/b.bin" "${secret[@]}" -v 1
refuse "an overlap" "own.hex line 2 (0x08000000..0x080004FF)" "${own[@]}" -fir "$dir/b.bin" 0x080004FF
refuse "RAM as destination" "not in flash" -fir "$dir/b.bin" 0x24000000 "${secret[@]}" -v 1
refuse "another device" "the device id is 0x481, STM32H75x has 0x450" "${own[@]}" -devid 0x481 --family stm32h75x
refuse "parts without a token" "continuation token" "${own[@]}" -rs 700
refuse "a token inside the firmware" "lies in " "${own[@]}" -rs 700 -ct 0x08000100
refuse "a misspelled option" "did you mean --firmware" --frimware "$dir/own.hex"
refuse "protocol 3" "--protocol is 3" "${own[@]}" --protocol 3
refuse "padding 0x55" "wanted 0xFF or 0x00" "${own[@]}" --padding 0x55
sed '/RESERVED/d' "$dir/ob.csv" >"$dir/short.csv"
refuse "option bytes without a row" "RESERVED is missing" "${own[@]}" -ob "$dir/short.csv"
sed 's/FPRAR_PRG_A/FPRAR_PRG_X/' "$dir/ob.csv" >"$dir/name.csv"
refuse "option bytes of another family" "row 2 is FPRAR_PRG_X, wanted FPRAR_PRG_A" "${own[@]}" -ob "$dir/name.csv"
sed 's/81000200/8100020G/' "$dir/ob.csv" >"$dir/value.csv"
refuse "an option byte that is no number" "value.csv line 3" "${own[@]}" -ob "$dir/value.csv"
sed 's/^:10/:11/' "$dir/own.hex" >"$dir/broken.hex"
refuse "a broken HEX file" "broken.hex line 2" -fir "$dir/broken.hex" "${secret[@]}" -v 1
run 2 "refuses an output that is no .sfi" "$gangway" sfi create "${own[@]}" -o "$dir/x.bin"
chmod 644 "$dir/key.bin"
run 0 "a key file others can read is used" "$gangway" sfi create "${own[@]}" -o "$dir/o.sfi"
says "with a warning" err "can be read by others (mode 0644)"
chmod 600 "$dir/key.bin"
key_hex=$(od -An -tx1 "$dir/key.bin" | tr -d ' \n')
grep -qi "$key_hex" "$dir/out" "$dir/err" && not_ok "the key is nowhere in the output" || ok "the key is nowhere in the output"

# --- a changed image ------------------------------------------------------------------------------
cp "$dir/o.sfi" "$dir/c.sfi"
printf '\x00' | dd of="$dir/c.sfi" bs=1 seek=70 conv=notrunc status=none
cmp -s "$dir/o.sfi" "$dir/c.sfi" && printf '\x01' | dd of="$dir/c.sfi" bs=1 seek=70 conv=notrunc status=none
run 1 "one changed byte is found" "$gangway" sfi verify "$dir/c.sfi" "${secret[@]}"
says "in its area" out "area 1 firmware 0x08000000         TAG DOES NOT MATCH"
says "and only there" out "2 of 3 units proven"
head -c 100 "$dir/o.sfi" >"$dir/c.sfi"
run 2 "a cut image is refused" "$gangway" sfi verify "$dir/c.sfi" "${secret[@]}"

# --- ST's own files -------------------------------------------------------------------------------
if have FIR_data.hex && have tests.hex; then
        run 0 "create from ST's two HEX files" "$gangway" sfi create -fir "$data/tests.hex" -fir "$data/FIR_data.hex" \
                "${secret[@]}" -ob "$dir/ob.csv" -v 23 -o "$dir/o.sfi"
        run 0 "the other implementation finds every byte of both" "${opened[@]}" --hex "$data/tests.hex" \
                --hex "$data/FIR_data.hex" --options "$dir/ob.csv" --unit 32
        says "in two F areas and a C area" out "protocol 2: FFC"
        run 0 "FIR_data.hex alone, protocol 1" "$gangway" sfi create -fir "$data/FIR_data.hex" "${secret[@]}" -v 23 \
                --protocol 1 -o "$dir/o.sfi"
        says "is the 116-byte segment at 0x08084000" out "0x74 (116)           0x08084000"
else
        skip "create from ST's HEX files" "FIR_data.hex and tests.hex are not in $data"
fi
if have FIR_data.axf; then
        run 0 "create from ST's ELF file" "$gangway" sfi create -fir "$data/FIR_data.axf" "${secret[@]}" -v 23 -o "$dir/o.sfi"
        says "has its two segments" out "0x2000 (8192)        0x08084000"
else
        skip "create from ST's ELF file" "FIR_data.axf is not in $data"
fi

# Vectors of spec/secure-install.md 3.2
h=27515fc593f41af36d2f66733e8fe4f0
cat >"$dir/masks" <<MASKS
# E_K(J0), header first
89b505a59d71550ab0db3a105bf7a61c
72fcfb23e09d1de3c99d214d11df608b # index 1

  ebfdbbf007bb7c7c908accfa4f791e5f
3D671A8983E1D9C58C01C80A410B4313
MASKS
if have data.sfi; then
        st=$data/data.sfi
        run 0 "show on ST's data.sfi" "$gangway" sfi show "$st"
        says "its length" out "0x2A82 (10882)"
        says "protocol 1" out "protocol version  1"
        says "three areas" out "number of areas   3"
        says "image version 23" out "image version     23"
        says "area 1" out "1  F firmware                23  0x34C (844)          0x08000000      3"
        says "area 2" out "2  F firmware                23  0x269C (9884)        0x08030000      3"
        says "area 3" out "3  C option bytes            23  0x24 (36)            0x00000000      3"
        says "its digest" out "$(sha256sum <"$st" | cut -d' ' -f1)"
        run 0 "show --json" "$gangway" sfi show --json "$st"
        cp "$dir/out" "$dir/json"
        run 0 "with the same figures" python3 -c '
import json, sys
d = json.load(open(sys.argv[1]))
assert [(a["index"], a["type"], a["length"], a["address"], a["version"], a["offset"]) for a in d["areas"]] == [
    (1, "F", 0x34C, 0x08000000, 23, 28), (2, "F", 0x269C, 0x08030000, 23, 902), (3, "C", 0x24, 0, 23, 10816)]
assert d["length"] == 10882 and d["protocol"] == 1 and len(d["parts"]) == 1' "$dir/json"
        run 0 "header and area tags of ST's image are proven without the key" "$gangway" sfi verify "$st" --ghash-key $h \
                --tag-mask "$dir/masks"
        says "all four" out "4 of 4 units proven"
        run 1 "not with another hash key" "$gangway" sfi verify "$st" --ghash-key ${h%0}1 --tag-mask "$dir/masks"
        says "none of them" out "0 of 4 units proven"
        sed 's/^72fc/72fd/' "$dir/masks" >"$dir/wrong"
        run 1 "not with another mask for area 1" "$gangway" sfi verify "$st" --ghash-key $h --tag-mask "$dir/wrong"
        says "area 1 alone fails" out "area 1 firmware 0x08000000         TAG DOES NOT MATCH"
        says "the others hold" out "3 of 4 units proven"
        sed '/3D67/d' "$dir/masks" >"$dir/few"
        run 1 "not with a mask too few" "$gangway" sfi verify "$st" --ghash-key $h --tag-mask "$dir/few"
        says "the last is not called proven" out "not checked: no mask for it"
        for at in 9 12 30 31 41 1000 10881; do # version, header tag, index, size.. of area 1, payloads
                cp "$st" "$dir/c.sfi"
                byte=$(od -An -tu1 -j $at -N 1 "$st")
                printf "\\x$(printf %02x $(((byte + 1) & 255)))" | dd of="$dir/c.sfi" bs=1 seek=$at conv=notrunc status=none
                "$gangway" sfi verify "$dir/c.sfi" --ghash-key $h --tag-mask "$dir/masks" >"$dir/out" 2>"$dir/err"
                code=$?
                if [ $code -eq 1 ] || [ $code -eq 2 ]; then ok "a change of byte $at is noticed"; else not_ok "a change of byte $at is noticed"; fi
        done
        echo zz >>"$dir/masks"
        run 2 "a mask file with a bad line is refused" "$gangway" sfi verify "$st" --ghash-key $h --tag-mask "$dir/masks"
        says "by its line" err "masks line 7: wanted one mask"
else
        skip "show and verify on ST's data.sfi" "data.sfi is not in $data"
fi
echo "1..$number"
exit $bad
