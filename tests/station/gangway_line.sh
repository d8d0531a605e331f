#!/bin/bash
# gangway status, watch, order check and the main, as built. The station is played by fake_station.py. TAP.
set -u
cd "$(dirname "$0")/../.." || exit 1
gangway=$GANGWAY_BUILD/gangway number=0 bad=0 server=
dir=$(mktemp -d /tmp/gangway-line-XXXXXX)
export GANGWAY_LEDGER=$dir/nonces.db
stop() { [ -n "$server" ] && kill "$server" 2>/dev/null && wait "$server" 2>/dev/null; server=; }
trap 'stop; rm -rf "$dir"' EXIT
export LSAN_OPTIONS=exitcode=99 ASAN_OPTIONS=exitcode=99

ok() { number=$((number + 1)); echo "ok $number - $1"; }
skip() { number=$((number + 1)); echo "ok $number - $1 # SKIP $2"; }
not_ok() { number=$((number + 1)); bad=1; echo "not ok $number - $1"; sed 's/^/# /' "$dir/out" "$dir/err" | cat -v; }
run() {
        local wanted=$1 name=$2 code
        shift 2
        "$@" >"$dir/out" 2>"$dir/err" </dev/null
        code=$?
        [ $code -eq "$wanted" ] && { ok "$name"; return 0; }
        echo "# exit $code, wanted $wanted: $*"
        not_ok "$name"
        return 1
}
says() { if grep -qF -- "$3" "$dir/$2"; then ok "$1"; else echo "# wanted in $2: $3"; not_ok "$1"; fi; }
# without NAME PATTERN : no line of stdout matches the Perl pattern
without() { if LC_ALL=C grep -qP -- "$2" "$dir/out"; then not_ok "$1"; else ok "$1"; fi; }
# play STORY : start the station; $url is its page
play() {
        stop
        rm -f "$dir/port"
        python3 tests/station/fake_station.py "$dir/port" "$1" &
        server=$!
        for _ in $(seq 100); do [ -s "$dir/port" ] && break; sleep 0.05; done
        url=http://127.0.0.1:$(cat "$dir/port")
}
CONTROL='[\x00-\x09\x0b-\x1f\x7f]'

# --- the main -------------------------------------------------------------------------------------
run 2 "without words it shows its usage and exits 2" "$gangway"
says "on stderr" err "usage: gangway COMMAND"
run 0 "--help exits 0" "$gangway" --help
says "and documents the exit codes" out "3 no station answers"
run 0 "--version" "$gangway" --version
ulimit -c unlimited 2>/dev/null
"$gangway" watch --interval 1000 --url http://127.0.0.1:9 >"$dir/out" 2>"$dir/err" &
for _ in $(seq 100); do grep -Eq 'core file size +0 +0' "/proc/$!/limits" && break; sleep 0.02; done
if [ "$(ulimit -c)" = 0 ]; then
        skip "a crash leaves no core dump" "none may be made here at all"
elif grep -Eq 'core file size +0 +0' "/proc/$!/limits"; then
        ok "a crash leaves no core dump"
else
        not_ok "a crash leaves no core dump"
fi
kill $!
run 2 "a misspelled command" "$gangway" sfi creat
says "is told the nearest" err "did you mean 'gangway sfi create'?"
run 2 "half a command" "$gangway" sfi
says "lists its family" err "sfi verify"
for command in "sfi create" "sfi show" "sfi verify" "order check" status watch; do
        # shellcheck disable=SC2086
        run 0 "$command --help" "$gangway" $command --help
        if [ "$(wc -l <"$dir/out")" -le 24 ] && grep -q '^example: gangway' "$dir/out"; then
                ok "fits a screen, with an example"
        else
                not_ok "fits a screen, with an example"
        fi
done

# --- status ---------------------------------------------------------------------------------------
run 3 "status without a station exits 3" "$gangway" status --url http://127.0.0.1:9
says "and says what to look at" err "is gangwayd running"
run 2 "status of a file is refused" "$gangway" status --url file:///etc/passwd
play other
run 2 "status of another page exits 2" "$gangway" status --url "$url"
says "and says so" err "is not a station's page"
play broken
run 2 "status of another version exits 2" "$gangway" status --url "$url"
play stopped
"$gangway" status --url "$url" >/dev/null && "$gangway" status --url "$url" >/dev/null && "$gangway" status --url "$url/" >/dev/null
run 0 "status shows the line" "$gangway" status --url "$url"
says "counts" out "1 good, 1 bad, 0 errors, 0 in work, 1 to go"
says "yields" out "first pass yield 66.7 %"
says "the license balance" out "licenses: 2 issued = 1 installed + 0 in hand + 1 lost"
says "PASS as a word" out "PASS"
says "FAIL with its fault" out "FAIL TARGET_LOST"
says "cards" out "00000000CAFE0001"
says "alarms" out "alarm: site 2 waits for a person"
says "licenses per good unit with the target" out "2.000 licenses per good unit (target 1.000), SFI from card, 1 asked for"
without "no control characters" "$CONTROL"
run 0 "status --json" "$gangway" status --json --url "$url"
cp "$dir/out" "$dir/json"
run 0 "is the station's answer" python3 -c 'import json,sys; assert json.load(open(sys.argv[1]))["lot"]["state"] == "stopped"' "$dir/json"

play cards
run 0 "status shows each card" "$gangway" status --url "$url"
says "with pace and when it runs dry" out ", 1 min"
says "in days when that is far" out "in 4 days"
says "its balance" out "82 = 82 + 0 + 0"
says "and why one does not serve" out "card 00000000CAFE0003 is slow: the last licenses took 9.2 s each"
says "what the cards are short of" out "SFI BLINKY_1: 64 to go, 40 left: SHORT BY 24"
without "and nothing where they are not" 'STACK_1.*SHORT'
run 0 "watch says it in its counts" "$gangway" watch --until-done --interval 50 --url "$url"
says "by kind and number" out "; SFI BLINKY_1 short by 24"

# --- watch, not on a terminal ---------------------------------------------------------------------
play done
run 0 "watch --until-done exits 0 when the lot is done" "$gangway" watch --until-done --interval 50 --url "$url"
says "a line for each step" out "site 1: send the areas"
says "a line for a pass" out "site 1: PASS unit 00112233445566778899AABB"
says "a line for a fail with its reason" out "site 2: FAIL TARGET_LOST: the target stopped answering"
if [ "$(grep -c 'site 1: PASS' "$dir/out")" -eq 2 ]; then ok "the second pass of a site is a line too"; else not_ok "the second pass of a site is a line too"; fi
if [ "$(grep -c 'units/h; licenses' "$dir/out")" -le 2 ]; then ok "counts at most every two seconds"; else not_ok "counts at most every two seconds"; fi
says "the yield table" out "first pass yield             66.7 %"
says "the license balance" out "the license balance adds up"
without "no control characters" "$CONTROL"
play stopped
run 1 "watch exits 1 when the lot was stopped" "$gangway" watch --until-done --interval 50 --url "$url"
play unbalanced
run 1 "watch exits 1 when the licenses do not add up" "$gangway" watch --until-done --interval 50 --url "$url"
says "and says so" out "THE LICENSE BALANCE DOES NOT ADD UP"
play waiting
run 0 "a lot that is done is not the end while an order waits" "$gangway" watch --until-done --interval 50 --url "$url"
says "the next lot is" out "order NEW-1: done"
play waiting
run 0 "nor when another order is waited for" "$gangway" watch --until-done --order NEW-1 --interval 50 --url "$url"
says "by its name" out "order NEW-1: done"
stop
run 3 "watch without a station exits 3 in the end" "$gangway" watch --interval 1000 --url http://127.0.0.1:9
play hostile
run 0 "what a hostile station sends" "$gangway" watch --until-done --interval 50 --url "$url"
without "never steers the terminal" "$CONTROL"

# --- watch, on a terminal -------------------------------------------------------------------------
play done
run 0 "watch on a terminal" python3 tests/station/on_terminal.py 60 30 "$gangway" watch --until-done --interval 50 --url "$url"
if grep -qP '\x1b\[\d+A\r' "$dir/out"; then ok "is drawn in its place"; else not_ok "is drawn in its place"; fi
if grep -qP '\x1b\[32m' "$dir/out"; then ok "in colour"; else not_ok "in colour"; fi
says "with the words beside it" out "PASS"
# checked by playing the terminal: nothing may wrap, the last picture must be whole
cp "$dir/out" "$dir/shown"
run 0 "no line is wider than the terminal" python3 -c '
import re, sys
text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", open(sys.argv[1], newline="").read())
assert max(len(line) for line in text.replace("\r", "\n").split("\n")) <= 60' "$dir/shown"
play done
NO_COLOR=1 run 0 "with NO_COLOR" python3 tests/station/on_terminal.py 60 30 "$gangway" watch --until-done --interval 50 --url "$url"
without "there is no colour" '\x1b\[[0-9;]*m'
play many
run 0 "64 sites on 24 rows" python3 tests/station/on_terminal.py 80 24 "$gangway" watch --until-done --interval 50 --url "$url"
says "the rest are counted" out "more sites"
play crowd
run 0 "64 sites and 16 cards on 24 rows" python3 tests/station/on_terminal.py 80 24 "$gangway" watch --until-done --interval 50 --url "$url"
says "what has no place is counted" out "more cards"
says "alarms stay" out "alarm: site 9 waits for a person"
without "no picture is taller than the screen" '\x1b\[(2[4-9]|[3-9]\d)A'
play hostile
run 0 "a hostile station on a terminal" env NO_COLOR=1 python3 tests/station/on_terminal.py 80 24 "$gangway" watch --until-done --interval 50 --url "$url"
without "cannot set its title" '\x1b\]|\x07'
stop

# --- order check ----------------------------------------------------------------------------------
station=
for file in configs/simulated.conf configs/gangway.conf; do [ -r $file ] && station=$file && break; done
head -c 16 /dev/urandom >"$dir/key.bin"
head -c 12 /dev/urandom >"$dir/nonce.bin"
chmod 600 "$dir"/*.bin
head -c 4096 /dev/urandom >"$dir/app.bin"
cat >"$dir/ob.csv" <<CSV
FOPTSR_PRG,0x1026AAD0
FPRAR_PRG_A,0x81000200
FPRAR_PRG_B,0x81000200
FSCAR_PRG_A,0x81000200
FSCAR_PRG_B,0x81000200
FWPSN_PRG_A,0xFFFFFFFF
FWPSN_PRG_B,0xFFFFFFFF
FBOOT7_PRG,0x24000800
RESERVED,0x10000810
CSV
# order NAME SHA256 [LINE...] : write an order for app.sfi
order() {
        printf '%s\n' "order: $1" "part: STM32H753XI" "family: STM32H75x" "quantity: 4" "image:" "  file: app.sfi" \
                "  sha256: $2" "firmware_id: APP_1" "retries: 1" "erase: interrupted" "${@:3}" >"$dir/$1.yaml"
}
if [ -n "$station" ]; then
        run 0 "an image for the order" "$gangway" sfi create -fir "$dir/app.bin" 0x08000000 -k "$dir/key.bin" -n "$dir/nonce.bin" \
                -v 1 -ob "$dir/ob.csv" -o "$dir/app.sfi"
        digest=$(sha256sum <"$dir/app.sfi" | cut -d' ' -f1)
        order GOOD-1 "$digest"
        run 0 "a good order is accepted" "$gangway" order check "$dir/GOOD-1.yaml" --station $station
        says "in words" out "order accepted: GOOD-1"
        order BAD-1 "${digest%????}0000"
        run 1 "an order with another digest is rejected" "$gangway" order check "$dir/BAD-1.yaml" --station $station
        says "with its code" out "BAD_TAG"
        says "and a remedy" out "remedy: "
        order BAD-2 "$digest" "quantitty: 5"
        run 1 "an order with an unknown field is rejected" "$gangway" order check "$dir/BAD-2.yaml" --station $station
        says "by its line" out "BAD-2.yaml line 11"
        run 1 "and as JSON" "$gangway" order check --json "$dir/BAD-2.yaml" --station $station
        cp "$dir/out" "$dir/json"
        run 0 "with line and reason" python3 -c '
import json, sys
d = json.load(open(sys.argv[1]))
assert d["accepted"] is False and d["line"] == 11 and d["reason"] and d["remedy"]' "$dir/json"
        mv "$dir/app.sfi" "$dir/gone.sfi"
        run 1 "an order whose image is missing is rejected" "$gangway" order check "$dir/GOOD-1.yaml" --station $station
        head -c 1048576 /dev/urandom >"$dir/random.yaml"
        run 1 "a mebibyte of random bytes is rejected" "$gangway" order check "$dir/random.yaml" --station $station
        run 2 "an order that is not there exits 2" "$gangway" order check "$dir/none.yaml" --station $station
        echo 'nonsense = ' >"$dir/bad.conf"
        run 2 "a bad station file exits 2" "$gangway" order check "$dir/GOOD-1.yaml" --station "$dir/bad.conf"
        says "and is named" err "bad.conf"
else
        number=$((number + 1))
        echo "ok $number - order check # SKIP no station file in configs/"
fi
echo "1..$number"
exit $bad
