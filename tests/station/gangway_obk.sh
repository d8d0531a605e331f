#!/bin/bash
# gangway obk on ST's own recipes and files, checked with cmp, openssl and Python beside it.
set -u
cd "$(dirname "$0")/../.." || exit 1
gangway=$GANGWAY_BUILD/gangway
data=${GANGWAY_DATA:-../shared/data}/obk
n=0 bad=0
say() { # result name
        n=$((n + 1))
        if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; fi
}
skip() { n=$((n + 1)); echo "ok $n - $1 # SKIP $2"; }
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
umask 022

# --- recipes of our own -----------------------------------------------------------------------
mkdir -p "$work/Config" "$work/Keys" "$work/Binary"
openssl ecparam -name prime256v1 -genkey -noout -out "$work/Keys/root.pem" 2>/dev/null
openssl ecparam -name prime256v1 -genkey -noout -out "$work/Keys/encryption.pem" 2>/dev/null
openssl pkey -in "$work/Keys/root.pem" -pubout -out "$work/Keys/root_pub.pem"
sed 's/$/\r/' "$work/Keys/root_pub.pem" >"$work/Keys/root_crlf.pem"
recipe() { # name, key, permission
        cat >"$work/Config/$1.xml" <<END
<?xml version="1.0" encoding="UTF-8"?>
<Root><Obdata>
<Info><Title>DA</Title><ObDestAddress>0x0ffd0100</ObDestAddress>
<DoEncryption>1</DoEncryption><GlobalAlign>16</GlobalAlign></Info>
<Hash></Hash><DA></DA>
<File><Name>root</Name><Value>.\\..\\Keys\\$2</Value><Align>4</Align>
<KeyType>ecdsa-p256</KeyType><Type>Public</Type></File>
<Permission><Name>p</Name><Value>$3</Value><Width>4</Width></Permission>
<Output><Name>o</Name><Value>.\\..\\Binary\\$1.obk</Value></Output>
</Obdata></Root>
END
}
recipe private root.pem 0x5077
recipe public root_pub.pem 0x5077
recipe crlf root_crlf.pem 0x5077
recipe other encryption.pem 0x5077
failed=0
for name in private public crlf other; do
        "$gangway" obk create "$work/Config/$name.xml" >"$work/out" 2>&1 || failed=1
done
say $failed "four recipes of H5 are made, output and keys with backslashes"
cmp -s "$work/Binary/private.obk" "$work/Binary/public.obk" && cmp -s "$work/Binary/private.obk" "$work/Binary/crlf.obk"
say $? "a private key, its public one and CRLF line ends give the same file"

# The record, computed without us.
openssl pkey -in "$work/Keys/root.pem" -pubout -outform DER | tail -c 64 >"$work/point"
{
        openssl dgst -sha256 -binary "$work/point"
        printf '\x77\x50'
        head -c 30 /dev/zero
} >"$work/record"
{
        printf '\x00\x01\xfd\x0f\x60\x00\x00\x00\x01\x00\x00\x00'
        openssl dgst -sha256 -binary "$work/record"
        cat "$work/record"
} >"$work/wanted"
cmp "$work/Binary/private.obk" "$work/wanted"
say $? "the file is what openssl and printf make"
[ "$(stat -c %a "$work/Binary/private.obk")" = 600 ]
say $? "the file is for its owner only"

"$gangway" obk show "$work/Binary/private.obk" --key "$work/Keys/root_pub.pem" >"$work/out"
[ $? = 0 ] && grep -q 'is that of' "$work/out" && grep -q 'STM32H5, HDPL 1, offset 0x100' "$work/out" &&
        grep -q 'bits 0 1 2 4 5 6 12 14$' "$work/out"
say $? "obk show names place, permission bits, and knows the root key"
"$gangway" obk show "$work/Binary/other.obk" --key "$work/Keys/root_pub.pem" >"$work/out"
[ $? = 1 ] && grep -q 'is NOT that of' "$work/out"
say $? "another root key is answered with exit code 1"
printf 'X' | dd of="$work/Binary/other.obk" bs=1 seek=50 conv=notrunc 2>/dev/null
"$gangway" obk show "$work/Binary/other.obk" >"$work/out"
[ $? = 1 ] && grep -q 'WRONG  *the first 32 bytes' "$work/out"
say $? "a changed byte is answered with exit code 1"
"$gangway" obk show --json "$work/Binary/private.obk" |
        python3 -c 'import json, sys; o = json.load(sys.stdin); sys.exit(o["permission"] != "0x" + "5077".zfill(32) or o["hash"] != "correct" or o["destination"] != 0x0FFD0100)'
say $? "obk show --json is JSON with permission, hash and destination"

# A whole configuration: private key, list, bool, numbers; then by Python, by the rules of the spec.
cat >"$work/Config/rot.xml" <<'END'
<Root><Obdata>
<Info><ObDestAddress>0x00000108</ObDestAddress><DoEncryption>0</DoEncryption><GlobalAlign>32</GlobalAlign><MCU>STM32H7S78</MCU></Info>
<Hash/>
<List><Name>l</Name><Value>0x2</Value><Width>1</Width><Val>0x01,one</Val><Val>0x02,two</Val></List>
<Bool><Name>b</Name><Value>0x8</Value><Width>4</Width><True>0x0</True><False>0x8</False></Bool>
<Data><Name>d</Name><Value>0x90410000</Value><Width>4</Width></Data>
<Data><Name>r</Name><Value>0</Value><Width>3</Width></Data>
<File><Name>e</Name><Value>../Keys/encryption.pem</Value><Align>4</Align><KeyType>ecdsa-p256</KeyType><Type></Type></File>
<File><Name>a</Name><Value>../Keys/root.pem</Value><Align>4</Align><KeyType>ecdsa-p256</KeyType><Type>Public</Type></File>
<Output><Name>o</Name><Value>../Binary/rot.obk</Value></Output>
</Obdata></Root>
END
"$gangway" obk create "$work/Config/rot.xml" >/dev/null &&
        python3 - "$work" <<'END'
import hashlib, struct, subprocess, sys
keys = sys.argv[1] + "/Keys/"
run = lambda *command: subprocess.run(command, capture_output=True, check=True).stdout
pkcs8 = bytearray(run("openssl", "pkcs8", "-topk8", "-nocrypt", "-in", keys + "encryption.pem", "-outform", "DER"))
for place in (2, 28, 30):  # cut before the 68 bytes of the public key
    pkcs8[place] -= 68
public = run("openssl", "pkey", "-in", keys + "root.pem", "-pubout", "-outform", "DER")
pad = lambda data, to: data + bytes(-len(data) % to)
body = b"\x02" + struct.pack("<II", 8, 0x90410000) + bytes(3) + pad(bytes(pkcs8[:-68]), 4) + pad(public, 4)
body = pad(bytes(32) + body, 32)[32:]
body = hashlib.sha256(body).digest() + body
wanted = struct.pack("<III", 0x108, len(body), 0) + body
sys.exit(open(sys.argv[1] + "/Binary/rot.obk", "rb").read() != wanted)
END
say $? "a configuration with both keys, list, bool and numbers is what Python makes"

# --- refusals ---------------------------------------------------------------------------------
refused() { # what is said, name
        "$gangway" obk create "$work/Config/x.xml" -o "$work/x.obk" >"$work/out" 2>&1
        [ $? = 2 ] && grep -q "$1" "$work/out" && [ ! -e "$work/x.obk" ]
        say $? "$2"
}
sed 's/<Hash>/<Sign>/; s,</Hash>,</Sign>,' "$work/Config/private.xml" >"$work/Config/x.xml"
refused 'line 5: element Sign is not known' "an unknown element is refused by name and line"
sed 's/root.pem/gone.pem/' "$work/Config/private.xml" >"$work/Config/x.xml"
refused "line 6: File 'root': .*gone.pem: " "a missing key is refused with the recipe's line"
sed '1a <!DOCTYPE Root [<!ENTITY x SYSTEM "file:///etc/passwd">]>' "$work/Config/private.xml" >"$work/Config/x.xml"
refused 'DTD' "a document type is refused, nothing is fetched"
openssl ecparam -name secp384r1 -genkey -noout -out "$work/Keys/root.pem" 2>/dev/null
cp "$work/Config/private.xml" "$work/Config/x.xml"
refused 'on another curve' "a key on another curve is refused"
"$gangway" obk create "$work/Config/private.xml" --outfle x >"$work/out" 2>&1
[ $? = 2 ] && grep -q 'did you mean --outfile' "$work/out"
say $? "a typo is told the option meant"

# --- ST's files -------------------------------------------------------------------------------
names=(DA/Binary/DA_Config.obk DA/Binary/DA_ConfigWithPassword.obk OEMiROT/Binary/OEMiROT_Config.obk DA/Binary/password.bin)
shows=(DA/Binary/DA_Config.obk:'certificate$' DA/Binary/DA_ConfigWithPassword.obk:'password$'
        DA/Binary/DA_ConfigLock.obk:'lock magic  *correct' OEMiROT/Binary/OEMiROT_AHK_OPEN.obk:'hash  *absent'
        OEMiROT/Binary/OEMiROT_Config.obk:'hash  *correct$' OEMiROT/Binary/OEMiROT_Data.obk:'in each of 2 records'
        OEMiROT/Binary/OEMiROT_Data_OPEN.obk:'in each of 2 records')
if [ ! -r "$data/DA/Config/DA_Config.xml" ]; then
        for name in "${names[@]}" "${shows[@]}"; do skip "ST's ${name%%:*}" "no $data"; done
        exit $bad
fi
cp -r "$data" "$work/st" && chmod -R u+w "$work/st"
for name in "${names[@]}"; do rm "$work/st/$name"; done
for xml in "$work"/st/*/Config/*.xml; do "$gangway" obk create "$xml" >/dev/null || say 1 "$xml"; done
for name in "${names[@]}"; do
        cmp "$work/st/$name" "$data/$name"
        say $? "$name is ST's, byte for byte"
done
for pair in "${shows[@]}"; do
        "$gangway" obk show "$data/${pair%%:*}" >"$work/out" && grep -q "STM32H7RS" "$work/out" &&
                grep -q "${pair#*:}" "$work/out"
        say $? "obk show decodes and checks ${pair%%:*}"
done
exit $bad
