#!/bin/bash
# gangway sfi create with every option of AN5054 section 2.5.1, sfi open, diff, lint, and ob create, show; as built. TAP.
set -u
cd "$(dirname "$0")/../.." || exit 1
gangway=$GANGWAY_BUILD/gangway number=0 bad=0
dir=$(mktemp -d /tmp/gangway-create-XXXXXX)
trap 'rm -rf "$dir"' EXIT
export LSAN_OPTIONS=exitcode=99 ASAN_OPTIONS=exitcode=99
export GANGWAY_LEDGER=$dir/nonces.db
umask 077

ok() { number=$((number + 1)); echo "ok $number - $1"; }
not_ok() { number=$((number + 1)); bad=1; echo "not ok $number - $1"; sed 's/^/# /' "$dir/out" "$dir/err" | head -30; }
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
same() { if cmp -s "$2" "$3"; then ok "$1"; else not_ok "$1"; fi; }
mode_is() { if [ "$(stat -c %a "$2")" = "$3" ]; then ok "$1"; else not_ok "$1"; fi; }
# refuse NAME SENTENCE ARGUMENT... : exit 2, the sentence on stderr, no file
refuse() {
        local name=$1 sentence=$2
        shift 2
        rm -f "$dir"/x.sfi "$dir"/x.sfix
        run 2 "$name is refused" "$gangway" sfi create "$@"
        says "  and says why" err "$sentence"
        if ls "$dir"/x.sfi "$dir"/x.sfix >/dev/null 2>&1; then not_ok "  and writes nothing"; else ok "  and writes nothing"; fi
}

"$gangway" key new -o "$dir/oem" >/dev/null || exit 1
secret=(-k "$dir/oem.key.bin" -n "$dir/oem.nonce.bin")
# many images are made here, under one key: a fresh nonce for each
fresh() { rm -f "$dir/oem.nonce.bin" && "$gangway" nonce new -k "$dir/oem.key.bin" -o "$dir/oem.nonce.bin" >/dev/null; }
head -c 3000 /dev/urandom >"$dir/a.bin"
head -c 2000 /dev/urandom >"$dir/b.bin"
head -c 9000 /dev/urandom >"$dir/x.bin"
head -c 16 /dev/urandom >"$dir/otf.bin"
printf '0x00000010, 0x0C020000\n0x00000010, 0x08000060\n' >"$dir/k.kcsv"
python3 - "$dir" <<'PY'
import os, struct, sys
d = sys.argv[1]
code = os.urandom(96)
open(d + "/m.smi", "wb").write(b"SMIMAGIC" + struct.pack("<II", 0x08060000, len(code)) + os.urandom(16) +
                               struct.pack("<IIII", 1, 2, 3, 4) + code)
open(d + "/lock.obk", "wb").write(struct.pack("<III", 0x00B40008, 32, 1) + b"STDALOCKMGC".ljust(32, b"\xff"))
PY
os=(-fir "$dir/a.bin" 0x08000100 "${secret[@]}" -v 1)

# --- the family -----------------------------------------------------------------------------------
run 0 "a device id chooses the family" "$gangway" sfi create "${os[@]}" -devid 0x497 -o "$dir/x.sfi"
fresh
run 0 "a name does" "$gangway" sfi create "${os[@]}" --family STM32WL5X -o "$dir/x.sfi"
refuse "a family that is not there" "did you mean stm32wba5x?" "${os[@]}" --family stm32wba5xx -o "$dir/x.sfi"
refuse "a device id nobody has" "there is no family 0x999" "${os[@]}" -devid 0x999 -o "$dir/x.sfi"
refuse "a name and another id" "STM32WL5x has 0x497" "${os[@]}" -devid 0x450 --family stm32wl5x -o "$dir/x.sfi"
refuse "firmware beyond the flash of the family" "area 0x08040000..0x08040BB7 not in flash, wanted 1 bank of 0x40000" \
        -fir "$dir/a.bin" 0x08040000 "${secret[@]}" -v 1 -devid 0x497 -o "$dir/x.sfi"
refuse "more RAM than there is" "STM32WL5x has 0x10000 bytes of RAM" "${os[@]}" -devid 0x497 -rs 0x10001 -o "$dir/x.sfi"

fresh
run 0 "with a token, H7 has pause and resume areas" "$gangway" sfi create "${os[@]}" -devid 0x450 -ct 0x081E0000 -o "$dir/x.sfi"
says "always" out "P pause"
fresh
run 0 "a part with an RSSe" "$gangway" sfi create "${os[@]}" -devid 0x472 -ct 0x0807F000 -o "$dir/x.sfi"
if grep -q "P pause" "$dir/out"; then not_ok "only when needed"; else ok "only when needed"; fi
fresh
run 0 "without a device id" "$gangway" sfi create "${os[@]}" -ct 0x081E0000 -o "$dir/x.sfi"
says "they are made for any" out "P pause"

# --- external firmware ----------------------------------------------------------------------------
l5=(-devid 0x472 -fir "$dir/a.bin" 0x0C000100 "${secret[@]}" -v 1 -ct 0x0807F000)
fresh
run 0 "external firmware, numbers in any base" "$gangway" sfi create "${l5[@]}" -fir "$dir/otf.bin" 201457664 \
        --firmwx "$dir/x.bin" 0x90000000 0b0 02 0x0C020000 -rs 0x1000 -o "$dir/x.sfix"
says "is ST's success" out "SFI generation SUCCESS"
run 0 "opens" "$gangway" sfi open "$dir/x.sfix" "${secret[@]}" -o "$dir/opened"
mode_is "the folder is for its owner" "$dir/opened" 700
mode_is "and so are the files" "$dir/opened/01-F-0x0C000100.bin" 600
head -c 9000 "$dir/opened"/*-E-0x90000000.bin >"$dir/x.again"
same "the external firmware comes back" "$dir/x.bin" "$dir/x.again"
fresh
objcopy=$(command -v objcopy)
if [ -n "$objcopy" ]; then
        "$objcopy" -I binary -O ihex --change-addresses 0x90000000 "$dir/x.bin" "$dir/x.hex"
        "$objcopy" -I binary -O srec --change-addresses 0x90000000 "$dir/x.bin" "$dir/x.srec"
        run 0 "external HEX: region, mode, key address" "$gangway" sfi create "${l5[@]}" -fir "$dir/otf.bin" 0x0C020000 \
                -firx "$dir/x.hex" 0 2 0x0C020000 -o "$dir/x.sfix"
        cp "$dir/oem.nonce.bin" "$dir/n0.bin"
        fresh
        run 0 "external S-record: the address is ignored" "$gangway" sfi create "${l5[@]}" -fir "$dir/otf.bin" 0x0C020000 \
                -firx "$dir/x.srec" 0x1 0 2 0x0C020000 -o "$dir/y.sfix"
        run 0 "is the same firmware" "$gangway" sfi diff "$dir/x.sfix" "$dir/y.sfix" -k "$dir/oem.key.bin" -n "$dir/n0.bin" \
                -n2 "$dir/oem.nonce.bin"
fi
refuse "an SFIx named .sfi" "a name that ends in .sfix" "${l5[@]}" -firx "$dir/x.bin" 0x90000000 0 2 0x0C020000 -o "$dir/x.sfi"
refuse "an SFI named .sfix" "a name that ends in .sfi" "${l5[@]}" -o "$dir/x.sfix"
refuse "external BIN with three numbers" "has 3 numbers after it, wanted address, region" "${l5[@]}" \
        -firx "$dir/x.bin" 0x90000000 0 2 -o "$dir/x.sfix"
refuse "region 8" "the region is 8, wanted 0 to 7" "${l5[@]}" -firx "$dir/x.bin" 0x90000000 8 2 0x0C020000 -o "$dir/x.sfix"
refuse "mode 4" "the region mode is 4" "${l5[@]}" -firx "$dir/x.bin" 0x90000000 0 4 0x0C020000 -o "$dir/x.sfix"
refuse "a region of no OTFDEC" "has regions 0 to 3" "${l5[@]}" -firx "$dir/x.bin" 0x90000000 4 2 0x0C020000 -o "$dir/x.sfix"
refuse "SFIx without a token" "(-ct)" -devid 0x472 -fir "$dir/a.bin" 0x0C000100 "${secret[@]}" -v 1 \
        -firx "$dir/x.bin" 0x90000000 0 2 0x0C020000 -o "$dir/x.sfix"
refuse "SFIx for H75x" "not in external flash of STM32H75x, which has none" "${os[@]}" -ct 0x081E0000 \
        -firx "$dir/x.bin" 0x90000000 0 2 0x08020000 -o "$dir/x.sfix"
refuse "a key address outside" "key address 0x90000000 is not in the internal flash" "${l5[@]}" \
        -firx "$dir/x.bin" 0x90000000 0 2 0x90000000 -o "$dir/x.sfix"
refuse "external files that overlap" "overlap" "${l5[@]}" -firx "$dir/x.bin" 0x90000000 0 2 0x0C020000 \
        -firx "$dir/b.bin" 0x90001000 0 2 0x0C020000 -o "$dir/x.sfix"
says "  naming both files" err "b.bin"
refuse "regions that share a page" "OTFDEC regions 0" "${l5[@]}" -firx "$dir/x.bin" 0x90000000 0 2 0x0C020000 \
        -firx "$dir/b.bin" 0x90002F00 1 2 0x0C020000 -o "$dir/x.sfix"

# --- keys and modules -----------------------------------------------------------------------------
fresh
run 0 "random keys" "$gangway" sfi create -devid 0x472 -fir "$dir/a.bin" 0x0C000100 "${secret[@]}" -v 1 --kcsv "$dir/k.kcsv" -o "$dir/x.sfi"
run 0 "sfi show says what is a reference" "$gangway" sfi show "$dir/x.sfi"
says "of K" out "K: couples of size and address (AN5054 2.3)"
run 0 "sfi open shows the couples" "$gangway" sfi open "$dir/x.sfi" "${secret[@]}"
says "in order" out "16 bytes  0x0C020000"
refuse "a key inside firmware" "k.kcsv line 2 (0x08000060" -devid 0x472 -fir "$dir/a.bin" 0x0C000000 "${secret[@]}" -v 1 \
        --kcsv "$dir/k.kcsv" -o "$dir/x.sfi"
echo nonsense >"$dir/bad.kcsv"
refuse "a bad .kcsv" "bad.kcsv line 1" "${os[@]}" --kcsv "$dir/bad.kcsv" -o "$dir/x.sfi"
fresh
run 0 "an .smi brings its destination" "$gangway" sfi create "${os[@]}" -m "$dir/m.smi" -o "$dir/x.sfi"
run 0 "opens into a folder" "$gangway" sfi open "$dir/x.sfi" "${secret[@]}" -o "$dir/modules"
same "the module comes back verbatim" "$dir/m.smi" "$dir/modules/02-M-0x08060000.bin"
refuse "an .smi for elsewhere" "its own header says 0x08060000" "${os[@]}" -m "$dir/m.smi" 0x08070000 -o "$dir/x.sfi"
refuse "another module without address" "give its address after it" "${os[@]}" -m "$dir/b.bin" -o "$dir/x.sfi"
mkdir "$dir/lists"
printf '# path, license, address\n.\\..\\m.smi, ./license.bin, 0x08060000\n../b.bin, CARD_ID, 0x8070000\n' >"$dir/lists/list.mcsv"
fresh
run 0 "a list of modules, relative to itself" "$gangway" sfi create "${os[@]}" -mcsv "$dir/lists/list.mcsv" -o "$dir/x.sfi"
run 0 "opens" "$gangway" sfi open "$dir/x.sfi" "${secret[@]}" --json
says "with both" out '"address": 134676480'
printf '../none.bin, x, 0x08060000\n' >"$dir/lists/none.mcsv"
refuse "a list with a missing file" "none.mcsv line 1: " "${os[@]}" -mcsv "$dir/lists/none.mcsv" -o "$dir/x.sfi"
refuse "modules that overlap firmware" "overlap between segments" "${os[@]}" -m "$dir/b.bin" 0x08000800 -o "$dir/x.sfi"

# --- digest ---------------------------------------------------------------------------------------
refuse "STM32H73x without a digest" "give -hash 1 (AN5054 section 4.3.8)" "${os[@]}" -devid 0x483 -o "$dir/x.sfi"
refuse "-hash 0 for it" "give -hash 1" "${os[@]}" -devid 0x483 --hash 0 -o "$dir/x.sfi"
refuse "-hash 2" "wanted a number from 0 to 1" "${os[@]}" -hash 2 -o "$dir/x.sfi"
refuse "a digest without a token" "-hash 1 puts the digest into pause and resume areas" "${os[@]}" -devid 0x483 -hash 1 -o "$dir/x.sfi"
refuse "a digest in protocol 1" "no room for a digest" "${os[@]}" -hash 1 --protocol 1 -ct 0x080E0000 -o "$dir/x.sfi"
fresh
run 0 "with both" "$gangway" sfi create "${os[@]}" -devid 0x483 -hash 1 -ct 0x080E0000 -o "$dir/x.sfi"
run 0 "it stands in P and R" "$gangway" sfi open "$dir/x.sfi" "${secret[@]}"
says "and is right" out "SHA-256 of the firmware (reference), right"

# --- what cannot be undone ------------------------------------------------------------------------
run 0 "ob create by field name" "$gangway" ob create --family stm32h75x RDP=0xAA SECURITY=1 -o "$dir/ob.csv"
says "decodes" out "read-out protection: level 0"
head -1 "$dir/ob.csv" >"$dir/out"
says "gives AN5054's first row" out "FOPTSR_PRG,0x1026AAD0"
run 0 "ob show reads it" "$gangway" ob show "$dir/ob.csv" --json
says "with meanings" out '"meaning": "on"'
run 0 "ob create from a file" "$gangway" ob create --family stm32h75x --from "$dir/ob.csv" "RDP=level 2" BOOT_ADD0=0x0810 -o "$dir/final.csv"
run 2 "a field that is not there" "$gangway" ob create --family stm32h75x SECURITYY=1
says "is told the nearest" err "did you mean SECURITY?"
run 2 "a value that does not fit" "$gangway" ob create --family stm32h75x SECURITY=2
run 2 "no value" "$gangway" ob create --family stm32h75x SECURITY
run 2 "no family" "$gangway" ob create RDP=0xAA
run 2 "rows of another family" "$gangway" ob show "$dir/ob.csv" --family stm32l5
says "are counted" err "has 9 rows, STM32L5 has 12"
refuse "a CSV of another family" "has 9 rows, STM32L5 wants 12" -devid 0x472 -fir "$dir/a.bin" 0x08000100 "${secret[@]}" -v 1 \
        -ob "$dir/ob.csv" -o "$dir/x.sfi"
rm -f "$dir/x.sfi"
fresh
run 1 "level 2 is not sealed" "$gangway" sfi create "${os[@]}" -ob "$dir/final.csv" -o "$dir/x.sfi"
says "and says what" err "CANNOT BE UNDONE: level 2"
if [ -e "$dir/x.sfi" ]; then not_ok "nothing is written"; else ok "nothing is written"; fi
run 0 "unless it is allowed" "$gangway" sfi create "${os[@]}" -ob "$dir/final.csv" --allow -o "$dir/x.sfi"
run 1 "lint refuses it too" "$gangway" sfi lint "$dir/x.sfi" "${secret[@]}" --family stm32h75x
says "in words" out "to open it again            not possible"
run 0 "with --allow it does not" "$gangway" sfi lint "$dir/x.sfi" "${secret[@]}" --family stm32h75x --allow
run 1 "lint as JSON" "$gangway" sfi lint "$dir/x.sfi" "${secret[@]}" --json
says "says so" out '"refused": true'
h7rs=(-devid 0x485 -fir "$dir/a.bin" 0x08000100 "${secret[@]}" -v 1)
fresh
run 1 "H7RS without debug authentication is not sealed" "$gangway" sfi create "${h7rs[@]}" -o "$dir/y.sfi"
says "and says what to add" err "add one with --ob-keys"
run 1 "nor with its lock" "$gangway" sfi create "${h7rs[@]}" --ob-keys "$dir/lock.obk" -o "$dir/y.sfi"
says "for that is final" err "nobody will open the part by debug authentication"
refuse "an .obk where none goes" "takes no .obk files" "${os[@]}" --ob-keys "$dir/lock.obk" -o "$dir/x.sfi"
refuse "an .obk of H7RS for H5" "is it of another family?" -devid 0x484 -fir "$dir/a.bin" 0x08000100 "${secret[@]}" -v 1 \
        --ob-keys "$dir/lock.obk" -o "$dir/x.sfi"

# --- open and diff --------------------------------------------------------------------------------
fresh
cp "$dir/oem.nonce.bin" "$dir/n1.bin"
run 0 "one image" "$gangway" sfi create "${os[@]}" -ob "$dir/ob.csv" -o "$dir/one.sfi"
run 0 "to HEX" "$gangway" sfi open "$dir/one.sfi" "${secret[@]}" --family stm32h75x -o "$dir/one.hex"
says "names the rows" out "FOPTSR_PRG  0x1026AAD0"
mode_is "0600" "$dir/one.hex" 600
run 0 "to ELF" "$gangway" sfi open "$dir/one.sfi" "${secret[@]}" -o "$dir/one.elf"
for form in hex elf; do
        fresh
        run 0 "the $form is sealed again" "$gangway" sfi create -fir "$dir/one.$form" "${secret[@]}" -v 1 -ob "$dir/ob.csv" \
                -rs 0x400 -ct 0x081E0000 -o "$dir/two.sfi"
        run 0 "and is the same firmware, though cut otherwise" "$gangway" sfi diff "$dir/one.sfi" "$dir/two.sfi" -k "$dir/oem.key.bin" \
                -n "$dir/n1.bin" -n2 "$dir/oem.nonce.bin"
done
run 1 "as sealed they differ" "$gangway" sfi diff "$dir/one.sfi" "$dir/two.sfi"
says "which is said" out "give -k and -n to compare contents"
printf 'X' | dd of="$dir/a.bin" bs=1 seek=1000 conv=notrunc status=none
sed 's/0x1026AAD0/0x1006AAD0/' "$dir/ob.csv" >"$dir/ob2.csv"
fresh
run 0 "another image" "$gangway" sfi create "${os[@]}" -fir "$dir/b.bin" 0x08020000 -ob "$dir/ob2.csv" -o "$dir/two.sfi"
run 1 "diff with keys" "$gangway" sfi diff "$dir/one.sfi" "$dir/two.sfi" -k "$dir/oem.key.bin" -n "$dir/n1.bin" -n2 "$dir/oem.nonce.bin" --family stm32h75x
says "the changed byte" out "1 differ, the first at 0x080004E8"
says "the added area" out "added    F firmware"
says "the option byte by name" out "FOPTSR_PRG: 0x1026AAD0 -> 0x1006AAD0"
run 1 "a wrong nonce opens nothing" "$gangway" sfi open "$dir/one.sfi" "${secret[@]}" -o "$dir/none"
if [ -e "$dir/none" ]; then not_ok "and writes nothing"; else ok "and writes nothing"; fi
run 2 "open without a key" "$gangway" sfi open "$dir/one.sfi"

# --- ST's example firmware ------------------------------------------------------------------------
for name in FIR_data.hex tests.hex; do
        if [ ! -r "${GANGWAY_DATA:-/none}/$name" ]; then
                number=$((number + 1))
                echo "ok $number - $name through create and open # SKIP no ST files"
                continue
        fi
        fresh
        run 0 "$name is sealed" "$gangway" sfi create -fir "$GANGWAY_DATA/$name" "${secret[@]}" -v 1 -ob "$dir/ob.csv" -o "$dir/st.sfi"
        run 0 "the other implementation finds every byte" tests/station/open_sfi.py "$dir/st.sfi" "$dir/oem.key.bin" \
                "$dir/oem.nonce.bin" --hex "$GANGWAY_DATA/$name" --options "$dir/ob.csv"
        run 0 "opened to HEX" "$gangway" sfi open "$dir/st.sfi" "${secret[@]}" -o "$dir/st.hex"
        cp "$dir/oem.nonce.bin" "$dir/n0.bin"
        fresh
        run 0 "sealed from that" "$gangway" sfi create -fir "$dir/st.hex" "${secret[@]}" -v 1 -ob "$dir/ob.csv" -o "$dir/st2.sfi"
        run 0 "it is the same" "$gangway" sfi diff "$dir/st.sfi" "$dir/st2.sfi" -k "$dir/oem.key.bin" -n "$dir/n0.bin" -n2 "$dir/oem.nonce.bin"
done

for command in "sfi create" "sfi open" "sfi diff" "sfi lint" "ob create" "ob show"; do
        # shellcheck disable=SC2086
        run 0 "$command --help" "$gangway" $command --help
        if [ "$(wc -l <"$dir/out")" -le 24 ] && [ "$(wc -L <"$dir/out")" -le 100 ] && grep -q '^example: gangway' "$dir/out"; then
                ok "fits a screen, with an example"
        else
                not_ok "fits a screen, with an example"
        fi
done
echo "1..$number"
exit $bad
