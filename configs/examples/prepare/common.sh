# Sourced by the preparations beside it. usage of each: NAME.sh GANGWAY DIRECTORY
#
# Makes a key, a nonce and firmware of random bytes in DIRECTORY; a real preparation has them already. The image and its
# inputs stay there: image.sfi or image.sfix, *.bin, ob.csv, keys.kcsv. What the test checks stands in expected.txt:
# a line for each run of bytes, "type address file", for external firmware also region, mode and key address.
set -eu
if [ $# -ne 2 ]; then
        echo "usage: $0 GANGWAY DIRECTORY" >&2
        exit 2
fi
gangway=$1 dir=$2
umask 077
mkdir -p "$dir"
export GANGWAY_LEDGER=${GANGWAY_LEDGER:-$dir/nonces.db}
"$gangway" key new -o "$dir/oem" >/dev/null
secrets=(-k "$dir/oem.key.bin" -n "$dir/oem.nonce.bin")
: >"$dir/expected.txt"

# firmware NAME BYTES : a file of random bytes
firmware() { head -c "$2" /dev/urandom >"$dir/$1"; }
# expect TYPE ADDRESS FILE [REGION MODE KEYADDRESS] : what must come out of the image again
expect() { echo "$*" >>"$dir/expected.txt"; }
# certificate_obk : da.obk for an H5 with TrustZone on, and beside it what opens the part again: da-chain.b64 and da-leaf.pem.
# With TrustZone only a certificate does; a password there would shut the part for good (AN6008 section 2.1).
certificate_obk() {
        for name in root leaf; do
                openssl ecparam -name prime256v1 -genkey -noout -out "$dir/da-$name.pem" 2>/dev/null
        done
        "$gangway" obk chain create --key "$dir/da-root.pem" --key "$dir/da-leaf.pem" -o "$dir/da-chain.b64" >/dev/null
        cat >"$dir/da.xml" <<XML
<?xml version="1.0" encoding="UTF-8"?>
<Root>
<Obdata>
  <Info><Title>DA</Title><ObDestAddress>0x0FFD0100</ObDestAddress><DoEncryption>1</DoEncryption>
    <GlobalAlign>16</GlobalAlign></Info>
  <Hash></Hash>
  <DA></DA>
  <File><Name>Root key</Name><Value>da-root.pem</Value><Align>4</Align><KeyType>ecdsa-p256</KeyType><Type>Public</Type></File>
  <Permission><Name>Permission</Name><Value>0x00005077</Value><Width>4</Width></Permission>
  <Output><Name>Output File</Name><Value>da.obk</Value></Output>
</Obdata>
</Root>
XML
        "$gangway" obk create "$dir/da.xml" >/dev/null
}
