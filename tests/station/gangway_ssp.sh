#!/bin/bash
# gangway ssp, cert, smi, license global, secrets and backup, as a script calls them. What ssp sealed
# is opened by a GCM of this script's own: blocks by the openssl command, GHASH by Python's integers.
set -u
cd "$(dirname "$0")/../.." || exit 1
gangway=$GANGWAY_BUILD/gangway
n=0 bad=0
say() { # result name
        n=$((n + 1))
        if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; fi
}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
umask 077
cd "$work" || exit 1
export GANGWAY_LEDGER=$work/ledger
head -c 16 /dev/urandom >key.bin
head -c 12 /dev/urandom >nonce.bin
{ cat nonce.bin; head -c 4 /dev/zero; } >nonce16.bin
head -c 148 /dev/urandom >secrets.bin
openssl ecparam -name prime256v1 -genkey -noout -out oem.pem 2>/dev/null
openssl pkey -in oem.pem -pubout -out oem_pub.pem
sed 's/$/\r/' oem_pub.pem >oem_crlf.pem

"$gangway" ssp create -ru 0x312 -rr 0xECA -b secrets.bin -pk oem_pub.pem -k key.bin -n nonce.bin -o a.ssp >out &&
        grep -q 'SSP generation SUCCESS' out && [ "$(stat -c %s a.ssp)" = 244 ]
say $? "AN5054's example command makes 244 bytes"
"$gangway" ssp create --rma_unlock 786 --rma_relock 0b111011001010 --blob secrets.bin --pubk oem_crlf.pem \
        --key key.bin --nonce nonce16.bin -out b.ssp >out 2>&1 && cmp a.ssp b.ssp
say $? "long names, other bases, CRLF and a nonce of 16 bytes give the same bytes"
cat >open.py <<'END'
import subprocess, sys
data, key, nonce = (open(name, "rb").read() for name in ("a.ssp", "key.bin", "nonce.bin"))
def blocks(data):
    return subprocess.run(["openssl", "enc", "-aes-128-ecb", "-nopad", "-K", key.hex()], input=data, capture_output=True, check=True).stdout
def times(x, y):
    z = 0
    for bit in range(127, -1, -1):
        if y >> bit & 1:
            z ^= x
        x = x >> 1 ^ (0xE1 << 120 if x & 1 else 0)
    return z
pad = lambda b: b + bytes(-len(b) % 16)
aad, tag, sealed = data[:76], data[76:92], data[92:]
h = int.from_bytes(blocks(bytes(16)), "big")
y = 0
text = pad(aad) + pad(sealed) + (8 * len(aad)).to_bytes(8, "big") + (8 * len(sealed)).to_bytes(8, "big")
for i in range(0, len(text), 16):
    y = times(y ^ int.from_bytes(text[i:i + 16], "big"), h)
counters = b"".join(nonce + i.to_bytes(4, "big") for i in range(1, 12))
stream = blocks(counters)
assert bytes(a ^ b for a, b in zip(y.to_bytes(16, "big"), stream)) == tag, "tag"
plain = bytes(a ^ b for a, b in zip(sealed, stream[16:]))
assert plain[:4] == (0xECA << 15 | 0x312).to_bytes(4, "little"), "RMA word"
assert plain[4:] == open("secrets.bin", "rb").read(), "secrets"
public = subprocess.run(["openssl", "pkey", "-in", "oem.pem", "-pubout", "-outform", "DER"], capture_output=True, check=True).stdout
assert data[:8] == b"SSPP\1\0\0\0" and data[8:72] == public[-64:] and data[72:76] == b"\x98\0\0\0", "head"
END
python3 open.py
say $? "a GCM of the script's own opens it: RMA word, secrets, public key, tag"
"$gangway" ssp verify a.ssp -k key.bin -n nonce16.bin -b secrets.bin -pk oem.pem >out && grep -q verified out
say $? "ssp verify proves it"
head -c 148 /dev/zero >zeros.bin
"$gangway" ssp verify a.ssp -k key.bin -n nonce.bin -b zeros.bin >out
[ $? = 1 ] && grep -q 'NOT those of' out
say $? "other secrets are answered with exit code 1"
"$gangway" ssp verify a.ssp -k <(cat key.bin) -n nonce.bin >out 2>&1
[ $? = 2 ] && grep -q 'not a regular file' out
say $? "a key from a pipe is refused"
head -c 16 /dev/zero >other.bin
"$gangway" ssp verify a.ssp -k other.bin -n nonce.bin >out
[ $? = 1 ] && grep -q 'NOT verified' out
say $? "another key is answered with exit code 1"
"$gangway" ssp show --json a.ssp | python3 -c 'import json, sys, hashlib; o = json.load(sys.stdin); sys.exit(hashlib.sha256(bytes.fromhex(o["public_key"])).hexdigest() != o["public_key_sha256"])'
say $? "ssp show --json gives key and hash"

refused() { # name, what is said, options
        local name=$1 said=$2
        shift 2
        "$gangway" ssp create -o c.ssp "$@" >out 2>&1
        [ $? = 2 ] && grep -q -e "$said" out && [ ! -e c.ssp ]
        say $? "$name"
}
all=(-k key.bin -pk oem_pub.pem)
refused "an RMA password of 16 bits is refused" '--rma_unlock is 0x8000, wanted a number from 0 to 32767' \
        -ru 0x8000 -rr 0 -b secrets.bin -n nonce.bin "${all[@]}"
refused "one RMA password alone is refused" 'no RMA relock password: give -rr' -ru 1 -b secrets.bin -n nonce.bin "${all[@]}"
head -c 147 secrets.bin >short.bin
refused "147 bytes of secrets are refused" 'has 147 bytes, wanted exactly 148' \
        -ru 1 -rr 1 -b short.bin -n nonce.bin "${all[@]}"
head -c 16 /dev/zero | tr '\0' 1 >nonce_bad.bin
refused "a nonce of 16 bytes without zeros is refused" 'are not zero' \
        -ru 1 -rr 1 -b secrets.bin -n nonce_bad.bin "${all[@]}"
openssl ecparam -name secp384r1 -genkey -noout 2>/dev/null | openssl pkey -pubout -out p384.pem
refused "a key on another curve is refused" 'on another curve' \
        -ru 1 -rr 1 -b secrets.bin -n nonce.bin -k key.bin -pk p384.pem
chmod 644 secrets.bin
head -c 12 /dev/urandom >nonce2.bin
"$gangway" ssp create -ru 1 -rr 1 -b secrets.bin -n nonce2.bin "${all[@]}" -o d.ssp 2>err >out && grep -q 'can be read by others' err
say $? "secrets that others can read bring a warning"
chmod 600 secrets.bin

# --- the nonce ledger: a.ssp has taken nonce.bin --------------------------------------------------
refused "other secrets under the same key and nonce are refused" 'a.ssp' \
        -ru 0x312 -rr 0xECA -b zeros.bin -n nonce.bin "${all[@]}"
refused "another RMA password under the same key and nonce is refused" 'a.ssp' \
        -ru 1 -rr 0xECA -b secrets.bin -n nonce.bin "${all[@]}"
printf ':020000040800F2\n:10000000000102030405060708090A0B0C0D0E0F78\n:00000001FF\n' >fw.hex
"$gangway" sfi create -fir fw.hex -k key.bin -n nonce.bin -v 1 -o fw.sfi >out 2>&1
[ $? = 2 ] && grep -q 'a.ssp' out && [ ! -e fw.sfi ]
say $? "an image under the key and nonce of an .ssp is refused"

# --- certificate: the point of a key as the chip's, r and s small ------------------------------
{
        printf 45002001
        openssl pkey -in oem.pem -pubout -outform DER | tail -c 64
        head -c 31 /dev/zero; printf '\1'; head -c 31 /dev/zero; printf '\2'
} >cert.bin
"$gangway" cert check cert.bin --product-id 45002001 >out && grep -q 'STM32H75x' out
say $? "cert check accepts a well-formed certificate of the product"
"$gangway" cert check cert.bin --product-id 47201003 >out 2>&1
[ $? = 1 ] && grep -q 'the chip is product 45002001, wanted 47201003' out
say $? "another product is answered with exit code 1"
"$gangway" cert show --json cert.bin | python3 -c 'import json, sys; sys.exit(json.load(sys.stdin)["device_id"] != 0x450)'
say $? "cert show --json gives the device id"
printf 'X' | dd of=cert.bin bs=1 seek=20 conv=notrunc 2>/dev/null
"$gangway" cert check cert.bin >out 2>&1
[ $? = 1 ] && grep -q 'not a point of P-256' out
say $? "a changed public key is answered with exit code 1"

# --- module -----------------------------------------------------------------------------------
{ printf 'SMIMAGIC\0\0\10\10\4\0\0\0'; head -c 16 /dev/zero; printf '\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0abcd'; } >m.smi
"$gangway" smi show m.smi >out && grep -q 'destination  *0x08080000' out && grep -q 'security version  1 2 3 4' out
say $? "smi show prints destination and security version"

# --- global license ---------------------------------------------------------------------------
"$gangway" license global -k key.bin -n nonce.bin -o g.bin >out && grep -q 'REFERENCE layout' out &&
        [ "$(stat -c '%s %a' g.bin)" = "136 600" ] && [ "$(dd if=g.bin bs=1 skip=16 count=8 2>/dev/null)" = GWREFGLB ]
say $? "license global writes 136 bytes, marked as reference, for their owner only"

# --- STM32MP2 inputs --------------------------------------------------------------------------
head -c 32 /dev/urandom >pkh.bin
printf '# words\n300, 1, 2\n2, 0x5\n' >otp.csv
"$gangway" secrets create -c otp.csv -w 144 pkh.bin -o s.bin >out && "$gangway" secrets show s.bin >out &&
        grep -q REFERENCE out && grep -q '11 OTP words' out && grep -q '144 to 151  public key hash' out && [ "$(stat -c %a s.bin)" = 600 ]
say $? "secrets create gathers OTP words; show marks the container as reference"
"$gangway" secrets create -w 145 pkh.bin -o s2.bin >out 2>&1
[ $? = 2 ] && grep -q 'OTP word 144 is missing' out && [ ! -e s2.bin ]
say $? "a PKH in the wrong place is refused"
printf '5, 1\n' >otp.csv
"$gangway" secrets create -c otp.csv -o s2.bin >out 2>&1
[ $? = 2 ] && grep -q 'otp.csv line 1: OTP word 5 is the unique id' out
say $? "a word of the chip is refused by name"
"$gangway" backup create -r 0 pkh.bin -s 0x100 key.bin -s 0x110 nonce.bin -o b.bin >out && "$gangway" backup show b.bin >out &&
        grep -q REFERENCE out && grep -q 'backup registers  8 of 128' out && grep -q '28 of 8192' out
say $? "backup create gathers registers and SRAM; show marks the container as reference"
"$gangway" backup create -s 0x100 key.bin -s 0x108 nonce.bin -o b2.bin >out 2>&1
[ $? = 2 ] && grep -q 'is given twice' out && [ ! -e b2.bin ]
say $? "SRAM given twice is refused"

# --- helps ------------------------------------------------------------------------------------
failed=0
for command in "obk create" "obk show" "ssp create" "ssp show" "ssp verify" "smi show" "cert show" "cert check" \
        "license global" "secrets create" "secrets show" "backup create" "backup show"; do
        # shellcheck disable=SC2086
        "$gangway" $command --help >out && [ "$(wc -l <out)" -le 24 ] && [ "$(wc -L <out)" -le 90 ] && grep -q '^example: gangway' out ||
                { echo "# $command"; failed=1; }
done
say $failed "each help fits a screen and shows an example"
exit $bad
