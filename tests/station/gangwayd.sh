#!/bin/bash
# The real daemon and the real command together: start, order, page, SIGTERM, and what it says to a bad
# station file. Prints TAP.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=$GANGWAY_BUILD
configs=$PWD/configs
line=$(mktemp -d /tmp/gangway-daemon.XXXXXX)
daemon=
trap '[ -z "$daemon" ] || kill -9 $daemon 2>/dev/null; rm -rf "$line"' EXIT
n=0 bad=0
say() { # code name
        n=$((n + 1))
        if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; fi
}

(umask 077; head -c 16 /dev/urandom >"$line/key.bin"; head -c 12 /dev/urandom >"$line/nonce.bin")
export GANGWAY_LEDGER=$line/nonces.db
"$build/gangway" sfi create -fir configs/examples/blinky.hex -k "$line/key.bin" -n "$line/nonce.bin" \
        -v 1 -ob configs/examples/h75x-option-bytes.csv -o "$line/image.sfi" >/dev/null
say $? "an image is sealed from the firmware the tree ships"

station_file() { # name, extra lines
        cat >"$line/$1" <<CONF
station = "test";
hardware = "simulated";
family_file = "$configs/targets/stm32h75x.conf";
rss_profile_file = "$configs/rss/reference-h7.conf";
card_profile_file = "$configs/cards/reference.conf";
orders_directory = "orders";
data_directory = "data";
web_address = "127.0.0.1:0";
clock_khz = 24000;
simulated = { sites = 4; cards = 2; key_file = "key.bin"; nonce_file = "nonce.bin";
        firmware_id = "TEST"; handling_ms = 1000; speed = 0.05; };
$2
CONF
}

station_file good.conf ""
out=$("$build/gangwayd" --config "$line/good.conf" --check)
say $? "a good station file passes --check"
station_file bad.conf "colour = 1;"
out=$("$build/gangwayd" --config "$line/bad.conf" 2>&1)
[ $? = 2 ] && grep -q 'bad.conf:12' <<<"$out"
say $? "an unknown setting is refused with file and line, exit code 2"
out=$("$build/gangwayd" --config "$line/none.conf" 2>&1)
[ $? = 2 ] && grep -q 'none.conf' <<<"$out"
say $? "a missing station file is named, exit code 2"
out=$("$build/gangwayd" --conifg x 2>&1)
[ $? = 2 ]
say $? "a misspelled option is usage, exit code 2"

mkdir -p "$line/orders/in"
ulimit -c unlimited 2>/dev/null
"$build/gangwayd" --config "$line/good.conf" --seed 3 >"$line/log" 2>&1 &
daemon=$!
for _ in $(seq 100); do grep -q ' station: test' "$line/log" && break; sleep 0.1; done
url=$(sed -n 's/.* page: //p' "$line/log" | head -1)
[ -n "$url" ]
say $? "the daemon names its page"
[ "$(curl -s "${url}health")" = ok ]
say $? "the page is there"
[ "$(ulimit -c)" = 0 ] || grep -Eq 'core file size +0 +0' "/proc/$daemon/limits"
say $? "a crash leaves no core dump"
cat >"$line/orders/in/.o.tmp" <<ORDER
order: T-1
part: STM32H753XI
family: STM32H75x
quantity: 12
image:
  file: $line/image.sfi
  sha256: $(sha256sum "$line/image.sfi" | cut -d' ' -f1)
firmware_id: TEST
ORDER
"$build/gangway" order check "$line/orders/in/.o.tmp" --station "$line/good.conf" >/dev/null
say $? "gangway order check accepts the order first"
mv "$line/orders/in/.o.tmp" "$line/orders/in/t-1.yaml"
timeout 60 "$build/gangway" watch --until-done --url "$url" >"$line/watch" 2>&1
say $? "gangway watch sees the lot through"
grep -q 'the license balance adds up' "$line/watch" && ! grep -q $'\033' "$line/watch"
say $? "it ends with a balance that adds up, and no escape sequence in a file"
"$build/gangway" status --json --url "$url" | python3 -c '
import json, sys
s = json.load(sys.stdin)
l = s["lot"]
assert l["good"] == 12 and l["licenses_issued"] == l["licenses_installed"] + l["licenses_in_hand"] + l["licenses_lost"]
assert s["is_simulated"] is True and len(s["sites"]) == 4'
say $? "gangway status --json says twelve good"
timeout 10 "$build/gangway" watch --json --until-done --order T-1 --url "$url" | python3 -c '
import json, sys
looks = [json.loads(line) for line in sys.stdin]
assert looks and looks[-1]["lot"]["state"] == "done"'
say $? "gangway watch --json prints a snapshot a line"
ls "$line"/orders/done/*/t-1.yaml.result.json >/dev/null 2>&1
say $? "the result file lies beside the archived order"

cp "$line"/orders/done/*/t-1.yaml "$line/again.yaml"
sed -i 's/T-1/T-2/; s/quantity: 12/quantity: 1000/' "$line/again.yaml"
cp "$line/again.yaml" "$line/orders/in/.x.tmp" && mv "$line/orders/in/.x.tmp" "$line/orders/in/t-2.yaml"
sleep 1.5
start=$(date +%s)
kill -TERM $daemon
wait $daemon
code=$?
[ $code = 0 ] && [ $(($(date +%s) - start)) -lt 20 ]
say $? "SIGTERM ends it cleanly in the middle of a lot, exit code 0"
daemon=
sqlite3 "$line/data/station.db" "SELECT count(*) FROM attempts WHERE result = ''" | grep -qx 0
say $? "no attempt is left open"
[ "$(stat -c %a "$line/data/station.db")" = 600 ] && [ "$(stat -c %a "$line/data/station.key")" = 600 ]
say $? "database and station key are 0600"
sed 's/T-1/T-3/; s/^part:.*/part: ""/' "$line/again.yaml" >"$line/orders/in/t-3.yaml"
rm -f "$line"/orders/in/t-2.yaml "$line"/orders/work/t-2.yaml
timeout 20 "$build/gangwayd" --config "$line/good.conf" --exit-when-done >"$line/log3" 2>&1 &&
        grep -q 't-3.yaml rejected' "$line/log3"
say $? "--exit-when-done ends too when the only order was rejected"
"$build/gangway" status --url "$url" >/dev/null 2>&1
[ $? = 3 ]
say $? "gangway status says that no station answers, exit code 3"
[ $bad = 0 ] || sed 's/^/# /' "$line/log" | tail -30
exit $bad
