#!/bin/bash
# gangway hsm, as a person and a script call it, on cards made of memory. Licenses are opened by a
# program of the tests' own (open_license.py) with the private key the certificate was made from.
set -u
cd "$(dirname "$0")/../.." || exit 1
gangway=$GANGWAY_BUILD/gangway
here=$PWD/tests/station
n=0 bad=0
say() { # result name
        n=$((n + 1))
        if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; sed 's/^/#   /' out; fi
}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
umask 077
ln -s "$PWD/configs" "$work/configs"
cd "$work" || exit 1
head -c 16 /dev/urandom >key.bin
head -c 12 /dev/urandom >nonce.bin
secrets=(-k key.bin -n nonce.bin)

make_chip() { # name product-id: NAME.pem, NAME.bin
        openssl ecparam -name prime256v1 -genkey -noout -out "$1.pem" 2>/dev/null
        {
                printf '%s' "$2"
                openssl pkey -in "$1.pem" -pubout -outform DER | tail -c 64
                head -c 31 /dev/zero; printf '\1'; head -c 31 /dev/zero; printf '\2'
        } >"$1.bin"
}
make_chip h75 45002001
make_chip wba 49202013
make_chip wl 49701005
mkdir -p PersoPackages/SFIA
for name in STM32H7_45002001_SFI_01000000_00000000 STM32WBA5_49202013_SFI_01000000_01000000 \
        47201003_SFI._01000000_00000000 49701005_SFI_01000000_00000000 \
        STM32WL_49701005_SFI_01000000_01000000 SFIA/STM32WBA5_49202013_SFIA_01000000_00000000; do
        head -c 300 /dev/urandom >PersoPackages/$name.enc.bin
done
echo notes >PersoPackages/readme.txt
h75=PersoPackages/STM32H7_45002001_SFI_01000000_00000000.enc.bin
wba=PersoPackages/STM32WBA5_49202013_SFI_01000000_01000000.enc.bin

field() { # card label: what stands behind the colon
        "$gangway" hsm info --card "$1" | sed -n "s/^$2 *: //p"
}
blank() { # card version
        rm -f "$1"
        "$gangway" hsm blank "$1" --card-version "$2" >out 2>&1
}
refused() { # name code words command...: refused so, and card.bin is byte for byte what it was
        local name=$1 code=$2 words=$3
        shift 3
        cp card.bin before.bin
        "$gangway" hsm "$@" >out 2>&1
        [ $? = "$code" ] && grep -q -e "$words" out && cmp -s card.bin before.bin
        say $? "$name"
}

# --- blank cards --------------------------------------------------------------------------------
blank card.bin 2 && grep -q SIMULATED out && [ "$(stat -c '%s %a' card.bin)" = "128 600" ]
say $? "a blank card is made, for its owner only"
"$gangway" hsm blank card.bin >out 2>&1
[ $? = 2 ] && grep -q 'never overwritten' out
say $? "a card is not overwritten"
"$gangway" hsm info --card card.bin >out && grep -q '^SIMULATED card' out && grep -q '^HSM STATE         : OEM_STATE$' out &&
        grep -q '^HSM VERSION       : 2$' out && grep -q '^HSM COUNTER       : 0$' out
say $? "hsm info of a blank card: OEM_STATE, marked SIMULATED"
"$gangway" hsm info --json --card card.bin | tee out | python3 -c '
import json, sys; o = json.load(sys.stdin)
sys.exit(not (o["state"] == "OEM_STATE" and o["version"] == 2 and o["counter"] == 0 and o["simulated"] is True and len(o["serial"]) == 16))'
say $? "hsm info --json"

# --- version 2: what is refused before anything is burned ---------------------------------------
all=(program --card card.bin "${secrets[@]}" -id BLINKY_1 -mc 3)
refused "without a terminal and without --yes nothing happens" 2 'give --yes' "${all[@]}" -pd $h75
refused "a version-2 card wants a package" 2 'needs a personalization package' "${all[@]}" --yes
refused "the package of another product than the certificate's" 2 'is for product 49202013, the chip of h75.bin is product 45002001' \
        "${all[@]}" --yes -pd $wba --cert h75.bin
refused "a name that says nothing, as AN5054's enc_ST_Perso_L5.bin" 2 'does not end in .enc.bin' \
        "${all[@]}" --yes -pd enc_ST_Perso_L5.bin
refused "a package that is not there" 2 'the personalization package: .*No such file\|the personalization package: .*not exist' \
        "${all[@]}" --yes -pd STM32H7_45002001_SFI_01000000_01000000.enc.bin
refused "two packages for one product: the person chooses" 2 'name one with -pd' \
        "${all[@]}" --yes --cert wl.bin --packages PersoPackages
make_chip mp1 5000200A
refused "no package for a product" 2 'no package for product 5000200A and flow SFI' \
        "${all[@]}" --yes --cert mp1.bin --packages PersoPackages
refused "a folder without a certificate" 2 'give --cert FILE' "${all[@]}" --yes --packages PersoPackages
head -c 300 /dev/urandom >STM32H7_45002001_SFI_02000000_00000000.enc.bin
refused "an unknown license version" 2 'license version 2' "${all[@]}" --yes -pd STM32H7_45002001_SFI_02000000_00000000.enc.bin
: >STM32H7_45002001_SFI_01000000_00000000.enc.bin
refused "an empty package" 2 'is empty' "${all[@]}" --yes -pd STM32H7_45002001_SFI_01000000_00000000.enc.bin
refused "more licenses than the ceiling" 2 '10001 licenses: a card of type SFI takes 1 to 10000' \
        program --card card.bin "${secrets[@]}" -id BLINKY_1 -mc 10001 -pd $h75 --yes
refused "no licenses" 2 'max-counter is 0, wanted a number from 1' program --card card.bin "${secrets[@]}" -id BLINKY_1 -mc 0 -pd $h75 --yes
refused "an identifier of 33 characters" 2 '1 to 32 printable' \
        program --card card.bin "${secrets[@]}" -id 123456789012345678901234567890123 -mc 3 -pd $h75 --yes
refused "a nonce file of 16 bytes" 2 'has 16 bytes, wanted exactly 12' \
        program --card card.bin -k key.bin -n key.bin -id BLINKY_1 -mc 3 -pd $h75 --yes
"$gangway" hsm program --card nowhere.bin "${secrets[@]}" -id X -mc 3 --yes -pd $wba --cert h75.bin >out 2>&1
[ $? = 2 ] && grep -q 'is for product 49202013' out
say $? "the package is held against the certificate before a card is looked for"
refused "a blank card issues no license" 1 'not operational' license-from-cert h75.bin -o l.bin --card card.bin
[ ! -e l.bin ]
say $? "and leaves no file"

# --- version 2: burned --------------------------------------------------------------------------
cp card.bin before.bin
python3 "$here/type_at_terminal.py" 'Type the firmware identifier' 'yes' "$gangway" hsm "${all[@]}" -pd $h75 >out
[ $? = 1 ] && grep -q 'not confirmed, nothing was burned' out && cmp -s card.bin before.bin
say $? "another word at the terminal burns nothing"
python3 "$here/type_at_terminal.py" 'Type the firmware identifier' 'BLINKY_1' "$gangway" hsm "${all[@]}" --cert h75.bin --packages PersoPackages >out
[ $? = 0 ] && grep -q 'HSM successfully programmed' out && grep -q 'SIMULATED' out && grep -q "45002001_SFI_01000000" out
say $? "the identifier, typed, burns it with the package of the certificate's product"
grep -q "$(sha256sum <$h75 | cut -d' ' -f1)" out && grep -q 'key fingerprint      [0-9a-f-]\{19\}' out &&
        ! grep -qi "$(od -An -tx1 -v key.bin | tr -d ' \n' | head -c 8)" out
say $? "what was burned is shown by fingerprints, the key is not"
"$gangway" hsm state --card card.bin >out && grep -q '^HSM STATE         : OPERATIONAL_STATE$' out
say $? "hsm state: OPERATIONAL_STATE"
"$gangway" hsm fwid --card card.bin >out && [ "$(sed -n 's/^HSM FW IDENTIFIER[^:]*: *//p' out)" = BLINKY_1 ]
say $? "hsm fwid in the form scripts parse"
"$gangway" hsm counter --json --card card.bin >out && python3 -c 'import json; o = json.load(open("out")); assert o["counter"] == 3'
say $? "hsm counter --json"
refused "a second programming is refused: locked" 1 "is locked: it was programmed for 'BLINKY_1'" "${all[@]}" --yes -pd $h75

# --- licenses -----------------------------------------------------------------------------------
"$gangway" hsm license-from-cert h75.bin -o l1.bin --card card.bin >out && [ "$(stat -c '%s %a' l1.bin)" = "136 600" ] &&
        grep -q 'licenses left        2' out && [ "$(field card.bin 'HSM COUNTER')" = 2 ]
say $? "a license of 136 bytes, 0600, and the counter down by one"
python3 "$here/open_license.py" l1.bin h75.pem key.bin nonce.bin 2>>out
say $? "an independent ECIES opens it: exactly key and nonce"
! python3 "$here/open_license.py" l1.bin wba.pem key.bin nonce.bin 2>/dev/null
say $? "another chip cannot open it"
refused "a license is never overwritten, and none is spent for it" 2 'never overwritten' license-from-cert h75.bin -o l1.bin --card card.bin
refused "a chip of another product gets none, and none is spent" 1 'certificate refused' license-from-cert wba.bin -o l2.bin --card card.bin
cp h75.bin broken.bin && printf 'X' | dd of=broken.bin bs=1 seek=20 conv=notrunc 2>/dev/null
refused "a broken certificate is not shown to the card" 2 'not a point of P-256' license-from-cert broken.bin -o l2.bin --card card.bin
refused "an output folder that is not there costs nothing" 2 'the output nowhere/l.bin' license-from-cert h75.bin -o nowhere/l.bin --card card.bin
[ ! -e l2.bin ]
say $? "refusals leave no file"
"$gangway" hsm license-from-cert h75.bin l2.bin slot=1 protocol=static >out 2>&1
[ $? != 0 ] && ! grep -q 'not expected' out && [ ! -e l2.bin ]
say $? "the programmer's words CERT OUT slot=1 protocol=static are understood"
"$gangway" hsm license-from-cert h75.bin l2.bin --card card.bin >out && "$gangway" hsm license-from-cert h75.bin l3.bin --card card.bin >out &&
        ! cmp -s l2.bin l3.bin && python3 "$here/open_license.py" l3.bin h75.pem key.bin nonce.bin
say $? "the last license is as good, and no two are alike"
refused "at zero there is none" 1 'counter at zero' license-from-cert h75.bin -o l4.bin --card card.bin
[ "$(field card.bin 'HSM COUNTER')/$(field card.bin 'HSM MAXIMUM')" = 0/3 ] && [ ! -e l4.bin ]
say $? "the counter stays at zero of three"

# --- another flow, old names --------------------------------------------------------------------
blank sfia.bin 2 && "$gangway" hsm program --card sfia.bin "${secrets[@]}" -id A -mc 1 --yes --cert wba.bin --packages PersoPackages --flow SFIA >out &&
        [ "$(field sfia.bin 'HSM TYPE')" = SFIA ] && "$gangway" hsm license-from-cert wba.bin sfia.lic --card sfia.bin >out &&
        python3 "$here/open_license.py" sfia.lic wba.pem key.bin nonce.bin SFIA &&
        ! python3 "$here/open_license.py" sfia.lic wba.pem key.bin nonce.bin 2>/dev/null
say $? "SFIA: the package from the subfolder, card and license are of that type, the license opens"
blank l5.bin 2 && "$gangway" hsm program --card l5.bin "${secrets[@]}" -id L5 -mc 2000 -pd PersoPackages/47201003_SFI._01000000_00000000.enc.bin -y >out &&
        grep -q 'product id, flow     47201003, SFI' out
say $? "the old name with a padded flow, AN5054's own example"
blank old.bin 2 && "$gangway" hsm program --card old.bin "${secrets[@]}" -id WL -mc 5 -y --cert wl.bin \
        -pd PersoPackages/49701005_SFI_01000000_00000000.enc.bin >out 2>&1 && grep -q 'product id, flow     49701005, SFI' out
say $? "the old name of AN5054's general form, held against the certificate"
refused "a file that is no certificate" 2 'it has 128 bytes, wanted 136' \
        program --card card.bin "${secrets[@]}" -id WL -mc 5 -y --cert old.bin -pd $h75

# --- version 1 ----------------------------------------------------------------------------------
blank card.bin 1
refused "version 1 does not know the chip's product" 1 'version-1 card issues no licenses for product 49202013' \
        program --card card.bin "${secrets[@]}" -id V1 -mc 2 --yes --cert wba.bin
"$gangway" hsm program --card card.bin -k key.bin -n nonce.bin -id HSMv1_SLOT_1 -mc 2 -pd $wba --yes >out 2>&1 &&
        grep -q 'it is ignored' out && ! grep -q 'product id' out && [ "$(field card.bin 'HSM VERSION')" = 1 ]
say $? "version 1 ignores the package (AN5054 section 4.3.4) and says so"
"$gangway" hsm license-from-cert wl.bin v1.lic --card card.bin >out && python3 "$here/open_license.py" v1.lic wl.pem key.bin nonce.bin
say $? "its licenses are for the whole list: STM32WL"
refused "and for nothing else; the card is not asked" 1 'only for 46201002 45002001 47201003 49701005' \
        license-from-cert wba.bin -o v1b.lic --card card.bin

# --- cards that are none ------------------------------------------------------------------------
chmod 640 card.bin
refused "a card file others can read is refused" 2 'chmod 600' info --card card.bin
chmod 600 card.bin
head -c 127 card.bin >card127.bin
"$gangway" hsm info --card card127.bin >out 2>&1
[ $? = 2 ] && grep -q 'has 127 bytes, a simulated card has 128' out
say $? "a file that is no card is refused"
( exec 9<>card.bin; flock 9; "$gangway" hsm state --card card.bin >out 2>&1; [ $? = 3 ] && grep -q 'another program uses the card' out )
say $? "a session is exclusive"
blank two.bin 2 && "$gangway" hsm program --card two.bin "${secrets[@]}" -id T -mc 9 -pd $h75 -y >out
for i in 1 2 3 4 5 6; do "$gangway" hsm license-from-cert h75.bin two$i.lic --card two.bin >/dev/null 2>>out & done
wait
[ "$(field two.bin 'HSM COUNTER')" = 3 ] && [ "$(cat two?.lic | wc -c)" = $((6 * 136)) ]
say $? "six programs at once: six licenses, six counted"
"$gangway" hsm info --card card.bin --slot 1 >out 2>&1
[ $? = 2 ] && grep -q 'one card at a time' out
say $? "two cards in one command are refused"
"$gangway" hsm info --slot 0 >out 2>&1
[ $? = 2 ] && grep -q 'the first reader is 1' out
say $? "slots count from 1"
"$gangway" hsm info --reader 'No such reader' >out 2>&1
[ $? != 0 ] && [ -s out ]
say $? "a reader that is not there is named"
"$gangway" hsm license -o chip.lic --card card.bin --path 9-9 >out 2>&1
[ $? != 0 ] && [ ! -e chip.lic ]
say $? "hsm license without a probe spends nothing"
sed '/^personalize = {/,/^};/d' configs/cards/reference.conf >reader.conf
blank card.bin 2
refused "a profile that cannot program says so" 1 'can be read, not programmed' "${all[@]}" -y -pd $h75 --profile reader.conf
grep -v '"SFI"' configs/cards/reference.conf >ceiling.conf
refused "a type without a ceiling is refused" 2 'no ceiling for cards of type SFI' "${all[@]}" -y -pd $h75 --profile ceiling.conf

# --- a card that fails at its work: its file cannot be written --------------------------------
limited() { ( trap '' XFSZ; ulimit -f 0; "$gangway" hsm "$@" 2>&1; echo "code $?" ) | cat >out; }
cp two.bin card.bin
cp card.bin before.bin
limited license-from-cert h75.bin -o dead.lic --card card.bin
grep -q 'no license was spent' out && grep -q '^code 3$' out && [ ! -e dead.lic ] && cmp -s card.bin before.bin
say $? "a silence in a license: the counter is asked and tells that none was spent"
blank card.bin 2
cp card.bin before.bin
limited "${all[@]}" -y -pd $h75
grep -q 'blank as before or programmed whole' out && grep -q '^code 3$' out && ! grep -q 'successfully' out && cmp -s card.bin before.bin
say $? "a silence in programming: the person is told how to find out, the card is blank"

# --- helps --------------------------------------------------------------------------------------
failed=0
for command in info counter state fwid program license license-from-cert blank; do
        "$gangway" hsm $command --help >out && [ "$(wc -l <out)" -le 24 ] && [ "$(wc -L <out)" -le 90 ] && grep -q '^example: gangway' out ||
                { echo "# $command"; failed=1; }
done
say $failed "each help fits a screen and shows an example"
exit $bad
