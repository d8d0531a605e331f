# Sourced by the installs beside it. usage of each: NAME.sh BUILD DIRECTORY
#
# Prepares an image with the script of the same chapter in ../prepare, starts a station of one simulated board of that
# family, drops an order for one unit and waits until it is made. Virtual time: it takes no longer than it must. All files
# stay in DIRECTORY: gangway.conf is a station file to start from, orders/ and data/ what the station left.
set -eu
if [ $# -lt 2 ]; then
        echo "usage: $0 BUILD DIRECTORY" >&2
        exit 2
fi
build=$(realpath "$1")
umask 077
mkdir -p "$2"
dir=$(realpath "$2")
here=$(realpath "$(dirname "$0")")
configs=$(realpath "$here/../..")
gangway=$build/gangway
license="" modules=""

# prepare NAME : configs/examples/prepare/NAME.sh into DIRECTORY
prepare() { "$here/../prepare/$1.sh" "$gangway" "$dir"; }

# without_mass_erase ID : the order takes an SFIA license, from a card of that type (AN5054 section 8)
without_mass_erase() {
        modules="module_cards = ( { firmware_id = \"$1\"; type = \"SFIA\"; } );"
        license="license:
  source: card
  type: SFIA"
}

# global_license : the order takes one license for every part (AN5054 sections 9.3.3 and 10.3.3); no card is asked
global_license() {
        "$gangway" license global -k "$dir/oem.key.bin" -n "$dir/oem.nonce.bin" -o "$dir/global-license.bin" >/dev/null
        license="license:
  source: global
  file: $dir/global-license.bin"
}

# install FAMILY-FILE RSS-PROFILE FAMILY PART FIRMWARE-ID
install() {
        local image
        image=$(echo "$dir"/image.sfi)
        cat >"$dir/gangway.conf" <<CONF
station = "example";
hardware = "simulated";
family_file = "$configs/targets/$1.conf";
rss_profile_file = "$configs/rss/$2.conf";
card_profile_file = "$configs/cards/reference.conf";
orders_directory = "orders";
data_directory = "data";
clock_khz = 24000;
virtual_time = true;
seed = 1;
simulated = {
        sites = 1;
        boards = 1;
        key_file = "oem.key.bin";
        nonce_file = "oem.nonce.bin";
        firmware_id = "OEM_FIRMWARE";
        $modules
        directory = "bench";
};
CONF
        mkdir -p "$dir/orders/in" "$dir/bench"
        cat >"$dir/example.yaml" <<ORDER
order: EXAMPLE-1
part: $4
family: $3
quantity: 1
image:
  file: $image
  sha256: $(sha256sum "$image" | cut -d' ' -f1)
firmware_id: $5
retries: 0
$license
ORDER
        "$gangway" order check "$dir/example.yaml" --station "$dir/gangway.conf"
        mv "$dir/example.yaml" "$dir/orders/in/example.yaml"
        "$build/gangwayd" --config "$dir/gangway.conf" --exit-when-done >"$dir/log" 2>&1 || { cat "$dir/log"; exit 1; }
        grep -q ': pass$' "$dir/log" || { cat "$dir/log"; exit 1; }
        grep -E ' (RSSe said|site 1: unit|lot EXAMPLE-1: done)' "$dir/log" || true
}
