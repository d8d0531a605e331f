#!/bin/bash
# The station key of a running daemon moves from its file to a systemd credential by the very commands
# of gangwayd(8); the service manager, its directories and the TPM are stood in for. Prints TAP.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=$GANGWAY_BUILD
configs=$PWD/configs
if ! command -v systemd-creds >/dev/null; then
        echo "1..1"
        echo "ok 1 - the station key moves into a credential # SKIP no systemd-creds"
        exit 0
fi
line=$(mktemp -d "${TMPDIR:-/tmp}/gangway-key.XXXXXX")
daemon=
trap '[ -z "$daemon" ] || kill -9 $daemon 2>/dev/null; rm -rf "$line"' EXIT
n=0 bad=0
say() { # code name
        n=$((n + 1))
        if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; fi
}

mkdir -p "$line/orders/in" "$line/safe"
(umask 077; head -c 16 /dev/urandom >"$line/key.bin"; head -c 12 /dev/urandom >"$line/nonce.bin")
cat >"$line/gangway.conf" <<CONF
station = "key"; hardware = "simulated"; web_address = "";
family_file = "$configs/targets/stm32h75x.conf";
rss_profile_file = "$configs/rss/reference-h7.conf";
card_profile_file = "$configs/cards/reference.conf";
orders_directory = "orders"; data_directory = "data";
simulated = { sites = 1; cards = 1; key_file = "key.bin"; nonce_file = "nonce.bin"; firmware_id = "TEST"; };
CONF

# What the service manager does at LoadCredentialEncrypted=: open it for this service, name it.
unset CREDENTIALS_DIRECTORY
run() { # start, and let it come up: 0, or its exit code
        local credentials=$line/run
        rm -rf "$credentials"
        if [ -e "$line/credstore/gangway-station-key" ]; then
                mkdir -m 700 "$credentials"
                systemd-creds decrypt --name=gangway-station-key "$line/credstore/gangway-station-key" \
                        "$credentials/gangway-station-key" 2>/dev/null || return 99
                export CREDENTIALS_DIRECTORY=$credentials
        fi
        "$build/gangwayd" --config "$line/gangway.conf" >"$line/log" 2>&1 &
        daemon=$!
        unset CREDENTIALS_DIRECTORY
        for _ in $(seq 100); do
                grep -q ' station: key' "$line/log" && return 0
                kill -0 $daemon 2>/dev/null || { wait $daemon; return $?; }
                sleep 0.1
        done
        return 98
}
stop() { kill -TERM $daemon; wait $daemon; }

run && [ -s "$line/data/station.key" ] && ! grep -q credential "$line/log" && stop
say $? "at first the key is a file"
cp "$line/data/station.key" "$line/original"

# the manual's block, its places moved below ours, a null key in the place of the TPM's
awk '/^\.\\" runs in the test/ { on = 1; next } /^\.Bd/ { next } /^\.Ed/ { on = 0 } on' station/manual/gangwayd.8 |
        sed -e 's/\\e$/\\/' -e 's/^# //' -e '/^systemctl /d' -e "s|/etc/credstore.encrypted|$line/credstore|" \
                -e "s|/var/lib/gangway|$line|" -e "s|/media/safe|$line/safe|" \
                -e 's/--with-key=tpm2 /--with-key=tpm2-absent /' >"$line/commands"
[ "$(grep -c . "$line/commands")" = 5 ]
say $? "the manual's commands are found"
sed '/^cp /,$d' "$line/commands" >"$line/seal"
sed -n '/^cp /,$p' "$line/commands" >"$line/remove"
bash -e "$line/seal" >"$line/out" 2>&1 && [ -s "$line/credstore/gangway-station-key" ]
say $? "the first of them seal the key"
run && grep -q 'ledger: .*station.key still lies in the data directory' "$line/log" && stop
say $? "the station starts with it, and says that the file is still there"
bash -e "$line/remove" >>"$line/out" 2>&1 && [ ! -e "$line/data/station.key" ] && cmp -s "$line/original" "$line/safe/station.key"
say $? "the others take the file away, and a copy into the safe"
run && ! grep -q 'still lies' "$line/log" && stop && [ ! -e "$line/data/station.key" ]
say $? "the station starts without the file, and makes none"
mv "$line/credstore" "$line/elsewhere"
run; code=$?
[ $code = 2 ] && grep -q 'no credential gangway-station-key' "$line/log" && [ ! -e "$line/data/station.key" ]
say $? "without credential and file it does not start, exit code 2"
install -m 600 "$line/safe/station.key" "$line/data/station.key"
run && stop
say $? "the copy from the safe, put back, is the key again"
daemon=
[ $bad = 0 ] || sed 's/^/# /' "$line/log" "$line/out" | tail -30
echo "1..$n"
exit $bad
