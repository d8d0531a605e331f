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
