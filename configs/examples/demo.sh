#!/bin/bash
# The main job, end to end, on a bench made of memory: seal a firmware, start a station of sixteen sites
# and two cards, drop an order, watch it being made. `make demo` runs it.
#
#   configs/examples/demo.sh BUILD [DATA]
#
# DATA/tests.hex (ST's example) is sealed where it is at hand, configs/examples/blinky.hex otherwise.
# KEEP=1 keeps the station and its page after the lot. UNITS, SITES, CARDS, PORT and SPEED (0.1: ten
# times faster than silicon) change the line.
set -eu
cd "$(dirname "$0")/../.."
build=$1 data=${2:-}
units=${UNITS:-64} sites=${SITES:-16} cards=${CARDS:-2} port=${PORT:-8470} speed=${SPEED:-1.0}
configs=$PWD/configs

firmware=configs/examples/blinky.hex
[ -r "$data/tests.hex" ] && firmware=$data/tests.hex

line=$(mktemp -d "${TMPDIR:-/tmp}/gangway-demo.XXXXXX")
daemon=
finish() {
        [ -z "$daemon" ] || { kill "$daemon" 2>/dev/null && wait "$daemon" 2>/dev/null; } || true
        rm -rf "$line"
}
trap finish EXIT
trap 'exit 130' INT TERM

# Key and nonce never leave the secure room in real life: only the sealed image and the cards do.
(umask 077; head -c 16 /dev/urandom >"$line/key.bin"; head -c 12 /dev/urandom >"$line/nonce.bin")
export GANGWAY_LEDGER=$line/nonces.db # the key is thrown away with it
echo "sealing $firmware"
"$build/gangway" sfi create -fir "$firmware" -k "$line/key.bin" -n "$line/nonce.bin" -v 1 \
        -ob configs/examples/h75x-option-bytes.csv -o "$line/firmware.sfi"

cat >"$line/gangway.conf" <<CONF
station = "demo";
hardware = "simulated";
family_file = "$configs/targets/stm32h75x.conf";
rss_profile_file = "$configs/rss/reference-h7.conf";
card_profile_file = "$configs/cards/reference.conf";
orders_directory = "orders";
data_directory = "data";
web_address = "127.0.0.1:$port";
clock_khz = 24000;
simulated = {
        sites = $sites;
        cards = $cards;
        card_counter = 5000;
        key_file = "key.bin";
        nonce_file = "nonce.bin";
        firmware_id = "DEMO_FIRMWARE";
        handling_ms = 2000;
        speed = $speed;
        misfortune = { weak_word = 60; used_part = 60; };
};
CONF

mkdir -p "$line/orders/in"
"$build/gangwayd" --config "$line/gangway.conf" --seed "${SEED:-7}" >"$line/log" 2>&1 &
daemon=$!
for _ in $(seq 100); do
        grep -q ' station: demo' "$line/log" && break
        kill -0 "$daemon" 2>/dev/null || { cat "$line/log"; exit 1; }
        sleep 0.1
done
url=$(sed -n 's/.* page: //p' "$line/log" | head -1)
echo "the page: $url"

cat >"$line/orders/in/.order.tmp" <<ORDER
order: DEMO-0001
part: STM32H753XI
family: STM32H75x
quantity: $units
image:
  file: $line/firmware.sfi
  sha256: $(sha256sum "$line/firmware.sfi" | cut -d' ' -f1)
firmware_id: DEMO_FIRMWARE
retries: 1
ORDER
mv "$line/orders/in/.order.tmp" "$line/orders/in/demo-0001.yaml"
echo "order DEMO-0001 dropped: $units units on $sites sites, $cards cards"

code=0
"$build/gangway" watch --until-done --url "$url" || code=$?
if [ "${KEEP:-}" = 1 ]; then
        echo "the page stays at $url (Ctrl-C ends it); the line's files are in $line"
        wait "$daemon" || true
fi
exit $code
