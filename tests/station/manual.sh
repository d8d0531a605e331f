#!/bin/bash
# The manual against the program: every page renders without a warning; every command, option, key and field stands in it;
# its examples run; completion and `make install` work. TAP.
set -u
cd "$(dirname "$0")/../.." || exit 1
top=$PWD gangway=$GANGWAY_BUILD/gangway gangwayd=$GANGWAY_BUILD/gangwayd number=0 bad=0
dir=$(mktemp -d "${TMPDIR:-/tmp}/gangway-manual-XXXXXX")
trap 'rm -rf "$dir"' EXIT
export GANGWAY_LEDGER=$dir/nonces.db LSAN_OPTIONS=exitcode=99 ASAN_OPTIONS=exitcode=99
: >"$dir/out"

ok() { number=$((number + 1)); echo "ok $number - $1"; }
not_ok() { number=$((number + 1)); bad=1; echo "not ok $number - $1"; sed 's/^/# /' "$dir/out"; }
skip() { number=$((number + 1)); echo "ok $number - $1 # SKIP $2"; }
# silent NAME : $dir/out says nothing
silent() { if [ -s "$dir/out" ]; then not_ok "$1"; else ok "$1"; fi; }
have() { command -v "$1" >/dev/null; }

# --- rendering ------------------------------------------------------------------------------------------------------------

for page in gangway.1 gangwayd.8 gangway.conf.5 gangway-order.5; do
        if have mandoc; then
                # the pages name each other before they are installed
                mandoc -Tlint "station/manual/$page" 2>&1 | grep -v 'referenced manual not found' >"$dir/out"
                silent "$page: mandoc has nothing to say"
        elif have groff; then
                groff -mandoc -Tutf8 -ww -z "station/manual/$page" >"$dir/out" 2>&1
                silent "$page: groff has nothing to say"
        else
                skip "$page renders without a warning" "neither mandoc nor groff"
        fi
done

# What the source says, without a formatter: macros' names away, flags with their dash, escapes undone.
cat >"$dir/plain.py" <<'PY'
"""Prints the sections of a page, one a line: NAME, tab, its words. Enough mdoc for our own four pages."""
import re, sys

def words(line):
    if not line.startswith("."):
        return line
    out, flag = [], False
    for word in line[1:].split()[1 if line[1:3] not in ("Fl",) else 0:]:
        if word == "Fl":
            flag = True
        elif flag and word not in ("Ar", ",", ";", "|"):
            out.append("-" + word)
            flag = word == "Ns"
        elif word in (",", ";") :
            out.append(word)
        else:
            flag = flag and word in ("Ar",)
            out.append(word)
    return " ".join(out)

name, text = "", []
for line in open(sys.argv[1]):
    line = line.rstrip("\n")
    if line.startswith(('.\\"', ".Bl", ".Bd")):
        continue
    if line.startswith((".Ss ", ".Sh ")):
        print(name + "\t" + " ".join(text))
        name, text = line[4:], []
    else:
        text.append(words(line).replace("\\-", "-").replace("\\e", "\\").replace("\\&", ""))
print(name + "\t" + " ".join(text))
PY
python3 "$dir/plain.py" station/manual/gangway.1 >"$dir/gangway.1"
section() { awk -F'\t' -v name="$1" '$1 == name { print $2 }' "$dir/gangway.1"; }

# --- commands and options -------------------------------------------------------------------------------------------------

"$gangway" help all | sed -n 's/^  \([a-z][a-z-]*\( [a-z][a-z-]*\)\{0,2\}\)  .*/\1/p' >"$dir/commands"
if [ "$(wc -l <"$dir/commands")" -ge 20 ] && grep -qx 'sfi create' "$dir/commands"; then
        ok "the program lists its commands"
else
        not_ok "the program lists its commands"
fi
grep '^\.Ss ' station/manual/gangway.1 | cut -c5- | sort >"$dir/documented"
sort "$dir/commands" | diff - "$dir/documented" >"$dir/out"
silent "gangway.1 has a section for every command, and for no other"

# own_options COMMAND : what its help lists; prose that speaks of other commands begins at the left edge
own_options() {
        # shellcheck disable=SC2086
        "$gangway" $1 --help | sed '/^example:/,$d' | grep -E '^(usage:| )' |
                grep -oE '(^|[[:space:]([|,;])-{1,2}[a-zA-Z][a-zA-Z0-9_-]*' | grep -oE -- '-.*' | sort -u
}

: >"$dir/out"
while read -r command; do
        own_options "$command" |
                while read -r option; do
                        section "$command" | grep -qE -- "(^|[[:space:]])-?${option}([[:space:]]|$)" ||
                                echo "$command: $option is not in its section"
                done
done <"$dir/commands" >"$dir/out"
silent "every option in a command's help stands in its section"

# Help texts leave out what is short of a line; the program itself is asked. An option that takes a value swallows the next
# word, any other is followed by one that is refused: neither says that the option itself is unknown.
mkdir "$dir/scratch"
while IFS=$'\t' read -r command text; do
        grep -qxF -- "$command" "$dir/commands" || continue
        grep -oE '(^| )--?[a-zA-Z][a-zA-Z0-9_-]*' <<<"$text" | tr -d ' ' | sort -u | while read -r option; do
                # shellcheck disable=SC2086
                (cd "$dir/scratch" && timeout 0.5 "$gangway" $command "$option" --no-such-option </dev/null 2>&1) |
                        grep -qE "unknown option $option( |;|$)" && echo "$command: there is no $option"
        done
done <"$dir/gangway.1" >"$dir/out"
silent "no section names an option its command does not have"

: >"$dir/out"
page=$(python3 "$dir/plain.py" station/manual/gangwayd.8)
"$gangwayd" --help | grep -oE '(^|[[:space:],])-{1,2}[a-z][a-z-]*' | tr -d ' ,' | sort -u | while read -r option; do
        grep -qE -- "(^|[[:space:]])$option([[:space:]]|$)" <<<"$page" || echo "$option"
done >"$dir/out"
silent "every option of gangwayd stands in gangwayd.8"

# --- keys and fields ------------------------------------------------------------------------------------------------------

# names in the first column of the tables of source files
names_in() { grep -hoE '^ +\{ "[a-z0-9_]+", ?(KIND_|\.)' "$@" | grep -oE '[a-z0-9_]{2,}"' | tr -d '"' | sort -u; }
documented_in() { sed -n 's/^\.It Ic //p' "$1" | tr -d ',' | tr ' ' '\n' | sed '/^$/d' | sort -u; }

names_in station/settings.c station/settings_simulated.c station/settings_server.c station/settings_vendor.c >"$dir/keys"
documented_in station/manual/gangway.conf.5 | diff "$dir/keys" - >"$dir/out"
if [ "$(wc -l <"$dir/keys")" -lt 40 ]; then echo "only $(wc -l <"$dir/keys") keys found in settings.c" >>"$dir/out"; fi
silent "gangway.conf.5 has every key of the station file, and no other"
names_in station/order.c >"$dir/keys"
documented_in station/manual/gangway-order.5 | diff "$dir/keys" - >"$dir/out"
if [ "$(wc -l <"$dir/keys")" -lt 12 ]; then echo "only $(wc -l <"$dir/keys") fields found in order.c" >>"$dir/out"; fi
silent "gangway-order.5 has every field of an order, and no other"
: >"$dir/out"
for variable in $(grep -rhoE 'getenv\("[A-Z_]+"\)' station | grep -oE '[A-Z_]{3,}' | sort -u); do
        grep -q "^\.It Ev $variable" station/manual/gangway.1 station/manual/gangwayd.8 || echo "$variable"
done >"$dir/out"
silent "every variable the programs read stands in gangway.1 or gangwayd.8"

# --- examples -------------------------------------------------------------------------------------------------------------

# block PAGE MARK : the literal blocks after that comment, escapes undone
block() {
        awk -v mark="$2" 'index($0, ".\\\" " mark) == 1 { on = 1; next } /^\.Bd/ { next } /^\.Ed/ { on = 0 } on' \
                "station/manual/$1" | sed 's/\\e$/\\/; s/\\e/\\/g'
}
mkdir "$dir/bin" "$dir/work"
ln -s "$gangway" "$dir/bin/gangway"
cp configs/examples/blinky.hex "$dir/work/"
block gangway.1 "runs in the test" | sed 's/^\$ //' >"$dir/examples"
lines=$(grep -c '^gangway ' "$dir/examples")
(cd "$dir/work" && umask 077 && PATH=$dir/bin:$PATH bash -e "$dir/examples") >"$dir/out" 2>&1
code=$?
if [ $code -eq 0 ] && [ "$lines" -ge 10 ] && [ -s "$dir/work/opened.hex" ]; then
        ok "the $lines commands of gangway.1's examples work"
else
        echo "exit $code, $lines commands" >>"$dir/out"
        not_ok "the commands of gangway.1's examples work"
fi

mkdir "$dir/station"
block gangway.conf.5 "checked in the test" >"$dir/station/gangway.conf"
ln -s "$top/configs/targets" "$top/configs/rss" "$top/configs/cards" "$dir/station/"
cp "$dir/work/blinky.key.bin" "$dir/station/key.bin"
cp "$dir/work/blinky.nonce.bin" "$dir/station/nonce.bin"
if "$gangwayd" --config "$dir/station/gangway.conf" --check >"$dir/out" 2>&1 && grep -q '8 sites' "$dir/out"; then
        ok "gangway.conf.5's example is good"
else
        not_ok "gangway.conf.5's example is good"
fi
digest=$(sha256sum "$dir/work/blinky.sfi" 2>/dev/null | cut -d' ' -f1)
block gangway-order.5 "checked in the test" | sed "s/[0-9a-f]\{64\}/$digest/" >"$dir/work/DEMO-0001.yaml"
if "$gangway" order check "$dir/work/DEMO-0001.yaml" --station "$dir/station/gangway.conf" >"$dir/out" 2>&1; then
        ok "gangway-order.5's example is accepted"
else
        not_ok "gangway-order.5's example is accepted"
fi

# --- completion -----------------------------------------------------------------------------------------------------------

# completes WORD... : what the last word can become, one a line
cat >"$dir/complete.bash" <<'SH'
. "$1"; shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_gangway 2>&1
printf '%s\n' "${COMPREPLY[@]}"
SH
completes() { bash "$dir/complete.bash" "$top/station/manual/gangway.bash" "$@" >"$dir/out" 2>&1; }
offers() { local name=$1; shift; for word; do grep -qxF -- "$word" "$dir/out" || { not_ok "$name: $word"; return; }; done; ok "$name"; }

completes "$gangway" ""
offers "completion begins with the first words" sfi key nonces order watch status help
[ "$(grep -cx sfi "$dir/out")" -eq 1 ] && ok "each of them once" || not_ok "each of them once"
completes "$gangway" sfi ""
offers "then the second ones" create show verify open diff lint
: >"$dir/missing"
while read -r command; do
        # shellcheck disable=SC2086
        completes "$gangway" $command -
        own_options "$command" | grep -- '^--' |
                while read -r option; do
                        grep -qxF -- "$option" "$dir/out" || echo "$command $option"
                done
done <"$dir/commands" >"$dir/missing"
cp "$dir/missing" "$dir/out"
silent "then every long option of every command"
completes "$gangway" sfi create -fir
offers "ST's spellings too" -fir -firx
completes "$gangway" sfi verify "$dir/work/bl"
offers "and files" "$dir/work/blinky.hex" "$dir/work/blinky.sfi"
completes "$gangway" help ob ""
offers "and behind help" create show

# --- installing -----------------------------------------------------------------------------------------------------------

root=$dir/root
if [ -n "${GANGWAY_SANITIZE:-}" ]; then
        skip "make install" "this is not the build that is installed"
elif make --no-print-directory BUILD="$GANGWAY_BUILD" PREFIX=/usr DESTDIR="$root" install >"$dir/out" 2>&1; then
        ok "make install DESTDIR=... succeeds"
        : >"$dir/out"
        for file in bin/gangway sbin/gangwayd share/man/man1/gangway.1 share/man/man5/gangway.conf.5 \
                share/man/man5/gangway-order.5 share/man/man8/gangwayd.8 share/gangway/targets/stm32h75x.conf \
                share/gangway/gangway.conf share/bash-completion/completions/gangway; do
                [ -r "$root/usr/$file" ] || echo "$file is missing"
        done >"$dir/out"
        silent "programs, pages, completion and configs are there"
        unit=$root/usr/lib/systemd/system/gangwayd.service
        if grep -qx 'ExecStart=/usr/sbin/gangwayd --config /etc/gangway/gangway.conf' "$unit"; then
                ok "and a unit that starts this gangwayd"
        else
                not_ok "and a unit that starts this gangwayd"
        fi
        if have systemd-analyze; then
                sed -i "s|=/usr/sbin/gangwayd|=$root/usr/sbin/gangwayd|" "$unit"
                systemd-analyze verify --man=no "$unit" >"$dir/out" 2>&1
                silent "systemd finds nothing wrong with it"
                mkdir "$unit.d"
                cp "$root/usr/share/gangway/gangwayd-vendor.conf" "$unit.d/vendor.conf"
                systemd-analyze verify --man=no "$unit" >"$dir/out" 2>&1
                silent "nor with the drop-in for the vendor's tool"
                # that it was read is seen by what it says of a drop-in that is wrong
                sed 's/^#* *ProtectHome=.*/ProtectHome=perhaps/' "$unit.d/vendor.conf" >"$unit.d/wrong.conf"
                if systemd-analyze verify --man=no "$unit" 2>&1 | grep -q perhaps; then
                        ok "which it has read"
                else
                        not_ok "which it has read"
                fi
                rm -r "$unit.d"
        else
                skip "systemd finds nothing wrong with it" "no systemd-analyze"
                skip "nor with the drop-in for the vendor's tool" "no systemd-analyze"
                skip "which it has read" "no systemd-analyze"
        fi
        mkdir "$dir/elsewhere"
        if (cd "$dir/elsewhere" && "$root/usr/bin/gangway" ob create --family stm32u575 -o ob.csv) >"$dir/out" 2>&1 &&
                [ -s "$dir/elsewhere/ob.csv" ]; then
                ok "the installed gangway finds its families from another directory"
        else
                not_ok "the installed gangway finds its families from another directory"
        fi
        if (cd "$dir/elsewhere" && "$root/usr/bin/gangway" hsm blank c.bin --card-version 1 &&
                "$root/usr/bin/gangway" hsm state --card c.bin) >"$dir/out" 2>&1; then
                ok "and its card profile"
        else
                not_ok "and its card profile"
        fi
        if have man; then reader=man; elif have mman; then reader=mman; else reader=; fi
        if [ -z "$reader" ]; then
                skip "man finds the installed pages" "no man"
        elif MANPATH=$root/usr/share/man "$reader" -w gangway-order >"$dir/out" 2>&1; then
                ok "man finds the installed pages"
        else
                not_ok "man finds the installed pages"
        fi
else
        not_ok "make install DESTDIR=... succeeds"
fi
echo "1..$number"
exit $bad
