#!/bin/bash
# gangway key, nonce, nonces, and sfi create through the nonce ledger, as built. Each part of the middle tries one way to
# use an IV twice for different content. TAP.
set -u
cd "$(dirname "$0")/../.." || exit 1
gangway=$GANGWAY_BUILD/gangway number=0 bad=0
dir=$(mktemp -d /tmp/gangway-nonces-XXXXXX)
trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
export LSAN_OPTIONS=exitcode=99 ASAN_OPTIONS=exitcode=99
export GANGWAY_LEDGER=$dir/nonces.db
unset XDG_STATE_HOME

ok() { number=$((number + 1)); echo "ok $number - $1"; }
not_ok() { number=$((number + 1)); bad=1; echo "not ok $number - $1"; sed 's/^/# /' "$dir/out" "$dir/err"; }
skip() { number=$((number + 1)); echo "ok $number - $1 # SKIP $2"; }

# run CODE NAME COMMAND... : the exit code must be CODE; stdout and stderr stay in $dir
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
# says NAME FILE TEXT : the last run wrote TEXT
says() { if grep -qF -- "$3" "$dir/$2"; then ok "$1"; else echo "# wanted in $2: $3"; not_ok "$1"; fi; }
silent_about() { if grep -qF -- "$3" "$dir/$2"; then not_ok "$1"; else ok "$1"; fi; }
mode_is() { if [ "$(stat -c %a "$2")" = "$3" ]; then ok "$1"; else echo "# $(stat -c %a "$2")"; not_ok "$1"; fi; }

# nonce FILE HEX : a nonce file; near FILE POLICY INDEX : an IV near that of base.nonce, as a nonce
nonce() { python3 -c 'import sys; open(sys.argv[1], "wb").write(bytes.fromhex(sys.argv[2]))' "$1" "$2"; chmod 600 "$1"; }
near() {
        python3 - "$dir/base.nonce" "$@" <<'PY'
import sys
base, out, policy, index = open(sys.argv[1], "rb").read(), sys.argv[2], sys.argv[3], int(sys.argv[4])
def word(at, order):
    n = (int.from_bytes(base[at:at + 4], order) + index) & 0xFFFFFFFF
    return base[:at] + n.to_bytes(4, order) + base[at + 4:]
iv = {"big-endian": lambda: ((int.from_bytes(base, "big") + index) % (1 << 96)).to_bytes(12, "big"),
      "last-word-le": lambda: word(8, "little"), "first-word-le": lambda: word(0, "little"),
      "last-word-be": lambda: word(8, "big")}[policy]()
open(out, "wb").write(iv)
PY
        chmod 600 "$1"
}

# One area, or three in a row with gaps: an image with areas 1 to 3.
head -c 64 /dev/urandom >"$dir/one.bin"
key=$dir/k.key.bin
# seal NONCE OUT VERSION [OPTION...] : one image of three areas under $key; another version is other content
seal() {
        local n=$1 out=$2 version=$3
        shift 3
        "$gangway" sfi create -fir "$dir/one.bin" 0x08000000 -fir "$dir/one.bin" 0x08010000 -fir "$dir/one.bin" 0x08020000 \
                -k "$key" -n "$n" -v "$version" -o "$out" "$@"
}
# refused NAME WHY NONCE [OPTION...] : other content is not sealed, nothing is written, the ledger does not grow
refused() {
        local name=$1 why=$2 n=$3 before
        shift 3
        before=$("$gangway" nonces list --json 2>/dev/null | grep -c '"image"')
        rm -f "$dir/x.sfi"
        run 2 "REUSE: $name is refused" seal "$n" "$dir/x.sfi" 99 "$@" || return
        says "and says why" err "$why"
        [ ! -e "$dir/x.sfi" ] || { echo "# a file was written"; not_ok "$name"; }
        [ "$before" = "$("$gangway" nonces list --json 2>/dev/null | grep -c '"image"')" ] || not_ok "$name: the ledger grew"
}
used="was used under this key for other content, $dir/first.sfi, sealed 20"

# --- keys and nonces ------------------------------------------------------------------------------
run 0 "key new makes two files" "$gangway" key new -o "$dir/k"
says "and prints a fingerprint" out "fingerprint  "
[ "$(stat -c %s "$key")" = 16 ] && [ "$(stat -c %s "$dir/k.nonce.bin")" = 12 ] && ok "of exactly 16 and 12 bytes" || not_ok "of exactly 16 and 12 bytes"
mode_is "the key is 0600" "$key" 600
mode_is "the nonce is 0600" "$dir/k.nonce.bin" 600
mode_is "the memory is 0600" "$key.ledger" 600
mode_is "the ledger is 0600" "$GANGWAY_LEDGER" 600
hex() { od -An -tx1 "$1" | tr -d ' \n'; }
grep -qi "$(hex "$key")" "$dir/out" "$dir/err" "$key.ledger" && not_ok "the key is shown nowhere" || ok "the key is shown nowhere"
fingerprint=$(sed -n 's/fingerprint  //p' "$dir/out")
wanted=$(python3 -c 'import hashlib,sys; print(hashlib.sha256(b"gangway key fingerprint 1\0"+open(sys.argv[1],"rb").read()).hexdigest()[:16])' "$key")
[ "${fingerprint//-/}" = "$wanted" ] && ok "the fingerprint is SHA-256 over a label and the key" || not_ok "the fingerprint is SHA-256 over a label and the key"
sum=$(sha256sum "$key")
run 2 "key new never overwrites" "$gangway" key new -o "$dir/k"
says "and says so" err "exists already and is not overwritten"
[ "$sum" = "$(sha256sum "$key")" ] && ok "the key is as it was" || not_ok "the key is as it was"
mkdir "$dir/keys"
touch "$dir/keys/b.nonce.bin"
run 2 "nor a nonce that is there" "$gangway" key new -o "$dir/keys" --name b
[ -e "$dir/keys/b.key.bin" ] && not_ok "and leaves no key behind" || ok "and leaves no key behind"
run 0 "in a directory, with a name" "$gangway" key new -o "$dir/keys" --name a --json
if [ -s "$dir/keys/a.key.bin" ] && ! cmp -s "$dir/keys/a.key.bin" "$key"; then ok "another key"; else not_ok "another key"; fi
run 2 "a directory that is not there" "$gangway" key new -o "$dir/none/"
run 0 "key show" "$gangway" key show "$key"
says "no image yet" out "images       0"
run 0 "an image by the new pair" seal "$dir/k.nonce.bin" "$dir/zero.sfi" 1
silent_about "without a word about other machines" err "note: the first use"
run 0 "key show" "$gangway" key show "$key"
says "now one image" out "images       1, by 1 nonce"
says "by its name" out "zero.sfi"
grep -qi "$(hex "$dir/k.nonce.bin")" "$dir/out" && not_ok "not by its nonce" || ok "not by its nonce"
run 0 "nonce new" "$gangway" nonce new -k "$key" -o "$dir/n2.bin"
mode_is "is 0600" "$dir/n2.bin" 600
run 2 "and never overwrites" "$gangway" nonce new -k "$key" -o "$dir/n2.bin"
run 0 "a second image by the fresh nonce" seal "$dir/n2.bin" "$dir/second.sfi" 2

# --- fourteen ways and more to use an IV twice ----------------------------------------------------
# areas 1 to 3 of this nonce cross a carry of the last word, by whatever policy
nonce "$dir/base.nonce" "feffffff11223344fffffffe"
run 0 "the first image" seal "$dir/base.nonce" "$dir/first.sfi" 1

refused "the same nonce" "this nonce $used" "$dir/base.nonce"
cp "$dir/base.nonce" "$dir/copy.nonce"
refused "a copy of the nonce file" "this nonce $used" "$dir/copy.nonce"
near "$dir/n.nonce" big-endian 1
refused "nonce + 1, whose header has the IV of area 1" "The IV of the header would be that of area 1 there" "$dir/n.nonce"
near "$dir/n.nonce" big-endian 3
refused "nonce + 3, beyond the carry" "The IV of the header would be that of area 3 there" "$dir/n.nonce"
near "$dir/n.nonce" big-endian -3
refused "nonce - 3, whose last area has the IV of the header" "The IV of area 3 would be that of the header there" "$dir/n.nonce"
near "$dir/n.nonce" big-endian -1
refused "nonce - 1, whose areas overlap" "an IV of this nonce's range $used" "$dir/n.nonce"
for policy in last-word-le first-word-le last-word-be; do
        refused "the same nonce by IV policy $policy" "this nonce $used" "$dir/base.nonce" --iv-policy $policy
done
near "$dir/n.nonce" last-word-be -1
refused "another policy that meets on the way" "The IV of area 1 would be that of the header there" "$dir/n.nonce" --iv-policy last-word-be
near "$dir/n.nonce" first-word-le -2
refused "the first word counted up to it" "The IV of area 2 would be that of the header there" "$dir/n.nonce" --iv-policy first-word-le

nonce "$dir/wrap.nonce" "00000000aabbccddffffffff"
run 0 "an image whose word wraps" seal "$dir/wrap.nonce" "$dir/first.sfi" 3 --iv-policy last-word-be
nonce "$dir/n.nonce" "00000000aabbccdd00000001"
refused "a nonce beyond the wrap of the word" "that of area 2 there" "$dir/n.nonce"
nonce "$dir/wrap.nonce" "fffffffffffffffffffffffe"
run 0 "an image whose 96 bits wrap" seal "$dir/wrap.nonce" "$dir/first.sfi" 4
nonce "$dir/n.nonce" "000000000000000000000001"
refused "a nonce beyond the wrap of all bits" "that of area 3 there" "$dir/n.nonce"
near "$dir/n.nonce" big-endian 4
run 0 "the first nonce after the range is free" seal "$dir/n.nonce" "$dir/after.sfi" 5

# the same content is no reuse
run 0 "the same content again" seal "$dir/base.nonce" "$dir/again.sfi" 1
sha256sum <"$dir/again.sfi" >"$dir/sum1"
run 0 "and once more" seal "$dir/base.nonce" "$dir/again.sfi" 1
sha256sum <"$dir/again.sfi" >"$dir/sum2"
cmp -s "$dir/sum1" "$dir/sum2" && ok "gives the same bytes" || not_ok "gives the same bytes"
run 0 "and is one use in the list" sh -c "'$gangway' nonces list --json | grep -c \"\$(cut -c1-64 '$dir/sum1')\" | grep -qx 1"

# two processes at once, each with content of its own
"$gangway" nonce new -k "$key" -o "$dir/race.nonce" >/dev/null
for i in 1 2 3 4 5 6; do
        (seal "$dir/race.nonce" "$dir/race$i.sfi" $((10 + i)) >/dev/null 2>"$dir/race$i.err"; echo $? >"$dir/race$i.code") &
done
wait
if [ "$(cat "$dir"/race?.code | sort | tr '\n' ' ')" = "0 2 2 2 2 2 " ] && [ "$(ls "$dir"/race?.sfi | wc -l)" = 1 ] &&
        [ "$(cat "$dir"/race?.err | grep -c "was used under this key for other content")" = 5 ]; then
        ok "REUSE: of six processes at once exactly one seals"
else
        cat "$dir"/race?.err >"$dir/err"
        not_ok "REUSE: of six processes at once exactly one seals"
fi

# sealed and recorded, and then the file could not be written: the nonce is taken
"$gangway" nonce new -k "$key" -o "$dir/lost.nonce" >/dev/null
run 2 "an image that cannot be written" seal "$dir/lost.nonce" "$dir/none/first.sfi" 20
used="was used under this key for other content, $dir/none/first.sfi"
refused "the nonce of an image that was lost" "this nonce $used" "$dir/lost.nonce"
run 0 "it is listed as reserved" sh -c "'$gangway' nonces list --json | grep -q '\"state\": \"reserved\"'"
run 0 "the lost content itself may be written" seal "$dir/lost.nonce" "$dir/found.sfi" 20
run 1 "and is not reserved any more" sh -c "'$gangway' nonces list --json | grep -q '\"state\": \"reserved\"'"
used="was used under this key for other content, $dir/first.sfi, sealed 20"

# a key copied without what it remembers
cp "$key" "$dir/bare.bin"
key=$dir/bare.bin refused "a copy of the key without its .ledger file" "this nonce $used" "$dir/base.nonce"

# --- between machines -----------------------------------------------------------------------------
run 0 "export" "$gangway" nonces export -o "$dir/a.txt"
mode_is "is 0600" "$dir/a.txt" 600
run 0 "verify proves it" "$gangway" nonces verify "$dir/a.txt"
says "no IV twice" out "no IV was used twice"
run 0 "export --json" "$gangway" nonces export --json -o "$dir/a.json"
run 0 "verify proves that too" "$gangway" nonces verify "$dir/a.json"
grep -qi "$(hex "$key")" "$dir/a.txt" "$dir/a.json" && not_ok "no key is in an export" || ok "no key is in an export"
export GANGWAY_LEDGER=$dir/b.db
refused "the key on a machine with another ledger" "is another" "$dir/base.nonce"
cp "$key" "$dir/onb.bin"
refused "by a nonce that only an unmerged ledger knows" "Bring it back, or merge an export" "$dir/base.nonce"
run 0 "merge" "$gangway" nonces merge "$dir/a.txt"
refused "the same nonce after a merge" "this nonce $used" "$dir/base.nonce"
near "$dir/n.nonce" big-endian 2
refused "an overlap after a merge" "an IV of this nonce's range $used" "$dir/n.nonce"
"$gangway" nonce new -k "$key" -o "$dir/m.nonce" >/dev/null
run 0 "a fresh nonce on the other machine" seal "$dir/m.nonce" "$dir/onb.sfi" 30
export GANGWAY_LEDGER=$dir/nonces.db
refused "back on the first machine without a merge" "does not know of it" "$dir/m.nonce"

# both machines use one nonce: a bare copy of the key on each (nothing can know), and the merge tells
key=$dir/bare.bin
rm -f "$dir/bare.bin.ledger" "$dir/onb.bin.ledger"
"$gangway" nonce new -k "$key" -o "$dir/both.nonce" >/dev/null
run 0 "one machine" seal "$dir/both.nonce" "$dir/here.sfi" 40
export GANGWAY_LEDGER=$dir/c.db
key=$dir/onb.bin run 0 "the other machine, which knows nothing" seal "$dir/both.nonce" "$dir/there.sfi" 41
says "is told to merge" err "note: the first use of this key"
run 0 "it exports" "$gangway" nonces export -o "$dir/c.txt"
export GANGWAY_LEDGER=$dir/nonces.db
run 1 "REUSE: two ledgers that both used it are merged with exit 1" "$gangway" nonces merge "$dir/c.txt"
says "and both images are named" err "here.sfi"
says "the second too" err "there.sfi"
run 1 "verify finds it for good" "$gangway" nonces verify
says "by name" out "IV USED TWICE under key"
key=$dir/k.key.bin
refused "back on the first machine, by a key that was used elsewhere" "does not know of it" "$dir/m.nonce"
GANGWAY_LEDGER=$dir/b.db "$gangway" nonces export -o "$dir/b.txt" >/dev/null
"$gangway" nonces merge "$dir/b.txt" >/dev/null 2>&1
used="was used under this key for other content, $dir/onb.sfi, sealed 20"
refused "merged back, the nonce of the other machine" "this nonce $used" "$dir/m.nonce"
used="was used under this key for other content, $dir/first.sfi, sealed 20"

# changed exports
sed 's/first.sfi/fjrst.sfi/' "$dir/a.txt" >"$dir/x.txt"
run 1 "an export with a changed name does not verify" "$gangway" nonces verify "$dir/x.txt"
says "by its link" err "does not follow from the one before"
sed '4d' "$dir/a.txt" >"$dir/x.txt"
run 1 "nor with a line taken out" "$gangway" nonces verify "$dir/x.txt"
run 2 "and is not merged" "$gangway" nonces merge "$dir/x.txt"
run 2 "a ledger is not an export" "$gangway" nonces verify "$dir/b.db"
says "and is told how" err "gangway nonces export"
run 0 "a later export goes on from an earlier" sh -c "'$gangway' nonces export -o '$dir/d.txt' && '$gangway' nonces verify '$dir/d.txt' --after '$dir/a.txt'; test \$? -eq 1"
says "and says so" out "it goes on from the earlier one"
run 1 "an earlier one does not go on from a later" "$gangway" nonces verify "$dir/a.txt" --after "$dir/d.txt"
says "and says so" err "uses were taken away or changed since"

# --- a ledger that is gone, or not what it was ----------------------------------------------------
cp "$GANGWAY_LEDGER" "$dir/old.db"
"$gangway" nonce new -k "$key" -o "$dir/z.nonce" >/dev/null
run 0 "one more image" seal "$dir/z.nonce" "$dir/z.sfi" 50
"$gangway" nonces export -o "$dir/full.txt" >/dev/null
cp "$GANGWAY_LEDGER" "$dir/new.db"
cp "$dir/old.db" "$GANGWAY_LEDGER"
refused "a ledger put back to yesterday's copy" "was put back to an older state" "$dir/z.nonce"
run 1 "key show says so" "$gangway" key show "$key"
run 2 "and nonce new makes none" "$gangway" nonce new -k "$key" -o "$dir/never.nonce"
cp "$key" "$dir/bare2.bin"
"$gangway" nonce new -k "$dir/bare2.bin" -o "$dir/fork.nonce" >/dev/null
key=$dir/bare2.bin run 0 "yesterday's copy goes on with a bare key" seal "$dir/fork.nonce" "$dir/fork.sfi" 51
refused "a ledger of as many images, but not the same" "the ledger has others" "$dir/z.nonce"
run 1 "merging an export of the lost one (which has the clash of before)" "$gangway" nonces merge "$dir/full.txt"
refused "and with it the nonce is known" "was used under this key for other content, $dir/z.sfi" "$dir/z.nonce"
rm "$GANGWAY_LEDGER"
refused "a deleted ledger" "was the ledger deleted or moved?" "$dir/z.nonce"
refused "the empty one that was made meanwhile" "was the ledger deleted or moved?" "$dir/z.nonce"
cp "$dir/new.db" "$GANGWAY_LEDGER"
run 0 "with the ledger back it goes on" sh -c "'$gangway' nonce new -k '$key' -o '$dir/y.nonce'"
run 0 "and seals" seal "$dir/y.nonce" "$dir/y.sfi" 52
printf 'gangway-key-memory 1\n' >"$key.ledger"
refused "a damaged memory of the key" "is damaged" "$dir/z.nonce"
cp "$dir/keys/a.key.bin.ledger" "$key.ledger"
refused "the memory of another key" "one of the two was replaced" "$dir/z.nonce"
rm "$key.ledger"

# --- no place for a ledger ------------------------------------------------------------------------
# a home that may not be written: as root, somebody else's eyes are needed
home=("HOME=$dir/home")
mkdir "$dir/home"
chmod 500 "$dir/home"
as=()
if [ "$(id -u)" = 0 ]; then as=(setpriv --reuid=65534 --regid=65534 --clear-groups); fi
seal_at_home() { "${as[@]}" env -u GANGWAY_LEDGER "${home[@]}" "$gangway" sfi create -fir "$dir/one.bin" 0x08000000 \
        -k "$dir/r/k" -n "$dir/r/n" -v 1 -o "${out:-$dir/r/x.sfi}"; }
mkdir "$dir/r"
cp "$dir/bare2.bin" "$dir/r/k"
cp "$dir/base.nonce" "$dir/r/n"
chmod 711 "$dir"
chmod 644 "$dir/one.bin"
if [ ${#as[@]} -gt 0 ]; then chown -R 65534 "$dir/r" "$dir/home"; fi
if [ ${#as[@]} -eq 0 ] || "${as[@]}" test -x "$gangway"; then
        run 2 "REUSE: with a read-only home nothing is sealed" seal_at_home
        says "and says why" err "cannot be written (Permission denied), and without it nothing is sealed"
        [ -e "$dir/r/x.sfi" ] && not_ok "no file" || ok "no file"
        chmod 700 "$dir/home"
        run 0 "with a home that can be written it is" seal_at_home
        mode_is "the ledger's directory is private" "$dir/home/.local/state/gangway" 700
        rm "$dir/r/x.sfi"
        rm -f "$dir/r/k.ledger"
        chmod 500 "$dir/r"
        out=$dir/home/x.sfi run 0 "with a key on a read-only medium too" seal_at_home
        says "with a warning" err "without it a deleted nonce ledger would not be noticed"
        chmod 700 "$dir/r"
        chmod 400 "$dir/home/.local/state/gangway/nonces.db"
        run 2 "with a ledger that cannot be written it is not" seal_at_home
        [ -e "$dir/r/x.sfi" ] && not_ok "no file again" || ok "no file again"
        home=(-u HOME)
        run 2 "nor without any home" seal_at_home
        says "and says what to set" err "none of GANGWAY_LEDGER, XDG_STATE_HOME and HOME"
else
        skip "with a read-only home nothing is sealed" "the build cannot be run by another user"
fi
GANGWAY_LEDGER=$dir/missing/nonces.db refused "a home that is not there" "cannot be written (No such file or directory)" "$dir/z.nonce"
GANGWAY_LEDGER=/dev/null refused "a ledger that is no file" "it is not a regular file" "$dir/z.nonce"
head -c 8192 /dev/urandom >"$dir/junk.db"
chmod 640 "$dir/junk.db"
sum=$(sha256sum "$dir/junk.db")
GANGWAY_LEDGER=$dir/junk.db refused "a ledger that is no database" "file is not a database" "$dir/z.nonce"
[ "$sum" = "$(sha256sum "$dir/junk.db")" ] && ok "a stranger's file keeps its bytes" || not_ok "a stranger's file keeps its bytes"
mode_is "and its mode" "$dir/junk.db" 640

# --- the way around -------------------------------------------------------------------------------
refused "--no-ledger with another word" "it is taken only as --no-ledger i-know-nonces-must-never-repeat" "$dir/z.nonce" --no-ledger yes
run 0 "--no-ledger word for word" seal "$dir/z.nonce" "$dir/x.sfi" 99 --no-ledger i-know-nonces-must-never-repeat
says "is loud" err "WARNING: $dir/x.sfi is sealed WITHOUT the nonce ledger"
for command in "key new" "key show" "nonce new" "nonces list" "nonces merge" "nonces export" "nonces verify"; do
        run 0 "$command --help" "$gangway" $command --help
        if [ "$(wc -l <"$dir/out")" -le 24 ] && grep -q '^example: gangway' "$dir/out"; then
                ok "fits a screen and shows an example"
        else
                not_ok "fits a screen and shows an example"
        fi
done
echo "1..$number"
exit $bad
