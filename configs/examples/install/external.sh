# Sourced by the installs beside it. usage of each: NAME.sh BUILD DIRECTORY
#
# Prepares the image as configs/examples/prepare does, makes the reference external loader, starts a station of one simulated
# site and installs one unit. It ends with 0 when the unit passed. Everything stays in DIRECTORY: image, order, log, records.
set -eu
if [ $# -ne 2 ]; then
        echo "usage: $0 BUILD DIRECTORY" >&2
        exit 2
fi
build=$(cd "$1" && pwd)
mkdir -p "$2"
dir=$(cd "$2" && pwd)
gangway=$build/gangway
cd "$(dirname "$0")/../../.."
configs=$PWD/configs
export GANGWAY_LEDGER=${GANGWAY_LEDGER:-$dir/nonces.db}

# prepare NAME : the preparation of that name, in DIRECTORY
prepare() { "$configs/examples/prepare/$1.sh" "$gangway" "$dir"; }

# loader RAM ADDRESS : the reference loader for the memory at ADDRESS
loader() { python3 "$configs/examples/install/reference_loader.py" "$dir/reference.stldr" "$1" "$2"; }

# install PART FAMILY FAMILY_FILE RSS_PROFILE : one unit of DIRECTORY/image.sfix
install() {
        mkdir -p "$dir/orders/in"
        cat >"$dir/station.conf" <<CONF
station = "example";
hardware = "simulated";
family_file = "$configs/targets/$3.conf";
rss_profile_file = "$configs/rss/$4.conf";
card_profile_file = "$configs/cards/reference.conf";
orders_directory = "orders";
data_directory = "data";
web_address = "127.0.0.1:0";
clock_khz = 24000;
simulated = {
        sites = 1;
        cards = 1;
        card_counter = 10;
        key_file = "oem.key.bin";
        nonce_file = "oem.nonce.bin";
        firmware_id = "EXAMPLE";
        handling_ms = 100;
        speed = 0.05;
};
CONF
        cat >"$dir/orders/in/.x.tmp" <<ORDER
order: EXAMPLE-1
part: $1
family: $2
quantity: 1
image:
  file: $dir/image.sfix
  sha256: $(sha256sum "$dir/image.sfix" | cut -d' ' -f1)
firmware_id: EXAMPLE
external_loader: $dir/reference.stldr
retries: 0
ORDER
        mv "$dir/orders/in/.x.tmp" "$dir/orders/in/x.yaml"
        "$build/gangwayd" --config "$dir/station.conf" --seed 7 >"$dir/log" 2>&1 &
        local daemon=$! code=1
        for _ in $(seq 600); do
                grep -qE ' attempt [0-9]+: | rejected: ' "$dir/log" && break
                kill -0 $daemon 2>/dev/null || break
                sleep 0.1
        done
        grep -q ' attempt 1: pass' "$dir/log" && code=0
        kill $daemon 2>/dev/null || true
        wait $daemon 2>/dev/null || true
        grep -E 'downloading area|attempt 1|rejected' "$dir/log" | sed 's/^[^ ]* //'
        return $code
}
