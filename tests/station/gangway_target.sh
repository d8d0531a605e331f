#!/bin/bash
# gangway target, first on parts made of memory in this process, every family; then on rig A: the shipped program, real
# libusb, simulated probes on an emulated usbfs (needs root and /dev/fuse, and says so where they are missing). TAP.
set -u
cd "$(dirname "$0")/../.." || exit 1
top=$PWD gangway=$GANGWAY_BUILD/gangway rig=$GANGWAY_BUILD/tests/rigs/usbfs
n=0 bad=0
work=$(mktemp -d "${TMPDIR:-/tmp}/gangway-target-XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
export GANGWAY_LEDGER=$work/nonces.db
out=$work/out
say() { # result name
        n=$((n + 1))
        if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; sed 's/^/#   /' "$out"; fi
}
skip() { n=$((n + 1)); echo "ok $n - $1 # SKIP $2"; }
run() { # expected-code command...
        local want=$1 code
        shift
        timeout 60 "$gangway" target "$@" >"$out" 2>&1 </dev/null
        code=$?
        [ $code = "$want" ] || { echo "exit code $code, wanted $want: target $*" >>"$out"; return 1; }
}
says() { grep -qF -- "$1" "$out" || { echo "nothing says: $1" >>"$out"; return 1; }; }

# --- every family, in a folder of its own --------------------------------------------------------------------------------
head -c 3001 /dev/urandom >"$work/app.bin"
families=0
for file in configs/targets/*.conf; do
        name=$(basename "$file" .conf) part=$work/$name
        families=$((families + 1))
        run 0 info --simulated "$part/" --family "$name" --json &&
                python3 - "$out" "$file" <<'PY' >>"$out" 2>&1
import json, re, sys
facts, conf = json.load(open(sys.argv[1])), open(sys.argv[2]).read()
assert facts["device_id"] == int(re.search(r"^device_id *= *(\w+)", conf, re.M)[1], 0)
assert facts["open"] and not facts["security"] and len(facts["unique_id"]) == 24 and facts["probe"]["simulated"]
lines = {line["name"]: line for line in facts["install_conditions"]}
opens = "read-out protection" if "read-out protection" in lines else "product state"
assert lines["flash memory"]["answer"] == "ok" and lines[opens]["answer"] == "ok"
assert facts["can_install"] == all(line["answer"] != "no" for line in lines.values())
assert facts["can_install"] == ("l462" not in sys.argv[2]) == ("interface" not in lines)
assert ("RSSe" in lines) == ("needs_rsse" in conf)
PY
        say $? "$name: info finds the family by its device id and measures the conditions"
        if [ "$name" = stm32l462 ]; then
                run 1 certificate -o "$work/$name.bin" --simulated "$part" && says "is not public" && says "STM32_Programmer_CLI" &&
                        [ ! -e "$work/$name.bin" ]
                say $? "$name: no certificate over SWD, and what gives it meanwhile"
        else
                run 0 -c port=SWD mode=HOTPLUG -gc "$work/$name.bin" --simulated "$part" &&
                        timeout 60 "$gangway" cert check "$work/$name.bin" >"$out" 2>&1 &&
                        says "product $(sed -n 's/^device_id *= *0x0*\(...\).*/\1/p' "$file")"
                say $? "$name: -gc reads a certificate that cert check takes"
        fi
        if grep -q '^needs_rsse' "$file"; then
                foreign=configs/rss/reference-rsse-482.bin
                [ "$name" = stm32u575 ] && foreign=configs/rss/reference-rsse-472.bin
                run 2 certificate -o "$work/none.bin" -rsse "$work/none" --simulated "$part" && says "RSSe of device 0x" &&
                        run 2 certificate -o "$work/none.bin" -rsse $foreign --simulated "$part" && says "is the RSSe of device 0x4" &&
                        [ ! -e "$work/none.bin" ]
                say $? "$name: no certificate without the RSSe of its die"
        fi
        run 0 write 0x08000000 "$work/app.bin" --simulated "$part" &&
                run 0 read 0x08000000 3001 -o "$work/read.bin" --simulated "$part" && cmp "$work/app.bin" "$work/read.bin"
        say $? "$name: flash takes a file and gives it back"
        run 1 write 0x08000000 "$work/app.bin" --simulated "$part" && says "nothing was written; give --erase"
        say $? "$name: flash that holds something is not written over"
        if grep -q 'name = "RDP"' "$file"; then
                grep -q 'name = "TZEN"' "$file" && ! run 0 ob write TZEN=on --yes --simulated "$part" && bad=1
                run 0 ob write RDP=0xBB --yes --simulated "$part" && run 1 read 0x08000000 16 --simulated "$part"
                say $? "$name: at level 1 the flash is shut"
                words="Regression from level 1 to 0"
        else
                words="No regression needed"
        fi
        run 0 regress --yes --simulated "$part" && says "$words" && says "The part is virgin." &&
                run 0 info --json --simulated "$part" && grep -q '"measured": "erased"' "$out" &&
                run 0 read 0x08000000 16 --simulated "$part" && grep -q '0x08000000 :\( FF\)\{16\}' "$out"
        say $? "$name: regress brings it back to virgin, and another process sees it"
done
[ $families = 16 ]
say $? "all sixteen families were there"

# --- what holds fast, what cannot be undone ------------------------------------------------------------------------------
part=$work/fast
run 0 ob write PROT_AREA_A_START=0 PROT_AREA_A_END=1 --yes --simulated "$part/" && says "goes only with a regression" &&
        run 1 default-ob --yes --simulated "$part" && says OPTCHANGEERR &&
        run 0 regress --yes --simulated "$part" && says "because PCROP bank 1 is on" && says "ok  open, no protected area"
say $? "a PCROP area stays until a regression takes it"
run 0 ob write WRPS_A=0xF0 SECURITY=on --simulated "$part" && run 0 info --simulated "$part" &&
        says "measured: sectors of bank 1 (FWPSN_PRG_A 0x000000F0" && says "wanted: none (AN5054" && run 0 default-ob --yes --simulated "$part" &&
        run 0 info --simulated "$part" && says "It can take an install from here."
say $? "write protection and SECURITY go by default-ob"
run 1 ob write RDP=0xCC --yes --simulated "$part" && says "CANNOT BE UNDONE" && says "nothing was written. Give --allow" &&
        run 0 ob read --json --simulated "$part" && grep -q '"meaning": "level 0: anyone' "$out"
say $? "level 2 wants --allow, and nothing was written without"
run 2 ob write RDP=0xBB --simulated "$part" && says "give --yes in a script" && run 2 erase all --simulated "$part" &&
        run 2 regress --simulated "$part" && says "to bring it back to virgin wants a confirmation"
say $? "without a terminal what is grave wants --yes"
run 0 ob write RDP=0xCC --yes --allow --simulated "$part"
run 3 info --simulated "$part" || run 1 info --simulated "$part"
say $? "a part at level 2 answers nobody any more"
part=$work/state
run 0 ob write PRODUCT_STATE=0x17 --allow --yes --simulated "$part/" --family stm32h56x &&
        run 1 regress --yes --simulated "$part" && says "no debug authentication is provisioned (integrity 0xF5F5F5F5)" &&
        says "nobody can open this part again" && run 0 discover --simulated "$part" && says "Nobody can open this part again"
say $? "a part that left the open state without a credential stays there, and that is said"
run 2 info --simulated "$part" --family stm32h75x && says "take another folder"
say $? "the folder of one family is not opened as another's"
mkdir "$work/by-hand" && echo stm32u575 >"$work/by-hand/family" && run 0 info --simulated "$work/by-hand" && says STM32U575
say $? "the family of a folder may be written by hand, with its newline"

# --- closed parts: debug authentication ----------------------------------------------------------------------------------
obk() { # destination credential-element permission -> da.obk, password.bin
        cat >"$work/da.xml" <<XML
<?xml version="1.0" encoding="UTF-8"?>
<Root><Obdata><Info><Title>DA</Title><ObDestAddress>$1</ObDestAddress><DoEncryption>1</DoEncryption><GlobalAlign>16</GlobalAlign></Info>
<Hash></Hash><DA></DA>$2<Permission><Name>P</Name><Value>$3</Value><Width>4</Width></Permission>
<Output><Name>O</Name><Value>da.obk</Value></Output></Obdata></Root>
XML
        "$gangway" obk create "$work/da.xml" >"$out" 2>&1
}
by_key="<File><Name>K</Name><Value>root.pem</Value><Align>4</Align><KeyType>ecdsa-p256</KeyType><Type>Public</Type></File>"
by_word="<Text><Name>W</Name><Value>correct-horse</Value><MinWidth>4</MinWidth><Width>16</Width></Text>"
for name in root middle leaf other; do
        (umask 077; openssl ecparam -name prime256v1 -genkey -noout -out "$work/$name.pem" 2>/dev/null)
done
chain() { timeout 60 "$gangway" obk chain "$@" >"$out" 2>&1; }
chain create --key "$work/root.pem" --key "$work/middle.pem" --key "$work/leaf.pem" -o "$work/chain.b64" &&
        says "3 certificates, permission 0x5077, read back and proven" && chain show "$work/chain.b64" &&
        says "bit 14                  full regression" && chain show "$work/chain.b64" --json && grep -q '"full_regression": true' "$out"
say $? "a certificate chain is made, proven and shown"
openssl pkey -in "$work/leaf.pem" -pubout -out "$work/leaf-public.pem" 2>/dev/null
chain create --key "$work/root.pem" --key "$work/leaf-public.pem" --permission 0x1077 --soc-class 0x484 -o "$work/narrow.b64" &&
        chain show "$work/narrow.b64" && says "permission 0x1077, SoC class 0x484" &&
        ! chain create --key "$work/leaf-public.pem" --key "$work/root.pem" -o "$work/none.b64" && says "wanted the private one" &&
        ! chain create -o "$work/none.b64" && says "no key: give --key FILE, the root's first" && ! chain create --key "$work/root.pem" &&
        ! chain show "$work/root.pem" && says "wanted base64" && [ ! -e "$work/none.b64" ]
say $? "the last key may be public, the others must sign; what is no chain is refused"
close() { # part: TrustZone on, provisioned, closed
        mkdir "$1" && cp "$work/da.obk" "$1/provisioned.obk" &&
                run 0 ob write "TZEN=$2" --yes --simulated "$1" --family stm32h56x &&
                run 0 write 0x08000000 "$work/app.bin" --simulated "$1" || return 1
        run 3 ob write PRODUCT_STATE=closed --allow --yes --simulated "$1" && [ -e "$1/provisioned.obk.taken" ]
}
part=$work/closed
obk 0x0ffd0100 "$by_key" 0x00005077 && close "$part" off && run 1 info --simulated "$part" && says "gangway target discover asks it" &&
        run 0 discover --simulated "$part" && says "life cycle          : secured (0x3072)" && says "takes               : password"
say $? "a closed part is found by its debug unit and says what it takes"
run 2 regress --yes --simulated "$part" && says "give --password" &&
        run 2 regress --yes --key "$work/leaf.pem" --certificate "$work/chain.b64" --simulated "$part" && says "give --password"
say $? "a root key without TrustZone leads nowhere: the part wants a password nobody has"
part=$work/word
obk 0x0ffd0100 "$by_word" 0x00005077 && close "$part" off &&
        run 2 regress --simulated "$part" --password "$work/password.bin" && says "give --yes in a script" &&
        run 0 regress --yes --simulated "$part" --password "$work/password.bin" && says "with the password" && says "The part is virgin." &&
        run 0 discover --json --simulated "$part" && grep -q '"open": true' "$out" &&
        ! grep -q "correct-horse" "$out"
say $? "the password brings it back"
part=$work/word-wrong
obk 0x0ffd0100 "$by_word" 0x00005077 && close "$part" off && (umask 077; sed 's/horse/hoarse/; s/\x0d/\x0e/' "$work/password.bin" >"$work/wrong.bin") &&
        run 1 regress --yes --simulated "$part" --password "$work/wrong.bin" && says "it is not the one that was provisioned" &&
        ! grep -q "correct-h" "$out" && run 0 regress --yes --simulated "$part" --password "$work/password.bin"
say $? "a wrong password is refused and never shown; the right one still works"
part=$work/key
obk 0x0ffd0100 "$by_key" 0x00005077 && close "$part" on && run 2 regress --yes --simulated "$part" && says "give --certificate and --key" &&
        run 2 regress --yes --simulated "$part" --password "$work/password.bin" && says "erases ALL of its flash, RAM and OB-keys" &&
        run 2 regress --yes --simulated "$part" --key "$work/leaf.pem" && says "belong together" &&
        run 2 regress --yes --simulated "$part" --key "$work/middle.pem" --certificate "$work/chain.b64" &&
        says "is not the key of the last of 3 certificates" &&
        run 2 regress --yes --simulated "$part" --key "$work/leaf-public.pem" --certificate "$work/chain.b64" && says "holds a public key" &&
        run 1 regress --yes --simulated "$part" --key "$work/leaf.pem" --certificate "$work/narrow.b64" && says "not through"
say $? "without the credential it wants, nothing is done and what is missing is named"
chain create --key "$work/other.pem" --key "$work/leaf.pem" -o "$work/other.b64" &&
        run 1 regress --yes --simulated "$part" --key "$work/leaf.pem" --certificate "$work/other.b64" &&
        says "certificate 1 of 2: the part refuses (status 4, unauthorized); its root key is not the one"
say $? "a chain of another root is refused by the part"
run 2 -c port=SWD debugauth=3 --simulated "$part" && says "wanted debugauth=1" &&
        run 2 -c port=SWD per=b key="$work/leaf.pem" cert="$work/chain.b64" debugauth=1 --simulated "$part" && says "only a (14)" &&
        run 0 -c port=SWD debugauth=2 --simulated "$part" && says "certificate chain and key" &&
        run 0 -c port=SWD per=a key="$work/leaf.pem" cert="$work/chain.b64" pwd="$work/password.bin" debugauth=1 --yes --json \
                --simulated "$part" && grep -q '"by": "certificate"' "$out"
say $? "ST's lines, debugauth=2 and 1, work as they stand"
part=$work/locked
obk 0x0ffd0100 "$by_key" 0x00005077 && mkdir "$part" && cp "$work/da.obk" "$part/provisioned.obk" &&
        run 3 ob write PRODUCT_STATE=0x5C --allow --yes --simulated "$part" --family stm32h56x
run 1 discover --simulated "$part" && says "or locked (then nothing leads back)"
say $? "a locked part answers nobody, and the sentence says what that can mean"
sed 's/GANGWAY REF/ANOTHER REF/' configs/debug-authentication/reference.conf >"$work/profile.conf"
part=$work/marker
obk 0x0ffd0100 "$by_key" 0x00005077 && close "$part" on && run 1 discover --profile "$work/profile.conf" --simulated "$part" &&
        says "is a reference for the simulator" && says "ST's SDM library" && run 2 discover --profile "$work/none.conf" --simulated "$part" &&
        run 1 discover --simulated stm32h75x && says "has no debug authentication"
say $? "the reference profile is refused on parts without its marker"
printf 'not an obk' >"$work/marker/provisioned.obk"
run 2 discover --simulated "$work/marker" && says "provisioned.obk"
say $? "an .obk beside a simulated part that is none is named"

part=$work/wl
run 0 ob write ESE=on FSD=on --simulated "$part/" --family stm32wl5x && run 0 info --simulated "$part" &&
        says "measured: ESE 0x1 (OPTR 0x" && says "wanted: off (AN5054 section 5.3.3); gangway target disable-security" && run 0 disable-security --simulated "$part" &&
        says "switch the board's power off and on" && says "not public" && run 0 default-ob --simulated "$part" &&
        run 0 info --simulated "$part" --json && python3 -c "
import json, sys
lines = {l['name']: l['answer'] for l in json.load(open('$out'))['install_conditions']}
sys.exit(lines['security'] != 'ok' or lines['option bytes'] != 'ok')"
say $? "STM32WL: disable-security and default-ob make it ready"
run 2 disable-security --simulated stm32h75x && says "is for STM32WL"
say $? "disable-security is for STM32WL only"

run 2 certificate -o "$work/none.bin" --rss reference-l5 --simulated stm32u575 && says "names no RSSe for device 0x482" && [ ! -e "$work/none.bin" ] &&
        run 2 info --rss reference-l6 --simulated stm32u575 && says "rss/reference-l6.conf" &&
        run 2 certificate -o "$work/none.bin" -rsse "$work/app.bin" --simulated stm32h75x && says "takes no RSSe" &&
        run 0 certificate -o "$work/own.bin" --rss configs/rss/reference-u5.conf -rsse configs/rss/reference-rsse-482.bin --simulated stm32u575
say $? "--rss and -rsse name others, and what does not fit is told"
run 0 info --external --simulated stm32l5 && says "unknown  OTFDEC" && says "only of STM32L562" && says "ok       SFIx option bytes" &&
        run 0 ob write DBANK=off --simulated "$work/l5/" --family stm32l5 --yes && run 0 info --external --simulated "$work/l5" &&
        says "measured: DBANK 0, nSWBOOT0 1, nBOOT0 1; wanted: 1 each (AN5054 section 12.3.5)"
say $? "an SFIx install has conditions of its own"

# --- memory --------------------------------------------------------------------------------------------------------------
run 0 write "$work/app.bin" 0x24000003 --simulated stm32h75x && says "read back"
say $? "RAM takes any address, and ST's order of words"
run 2 write 0x52002004 "$work/app.bin" --simulated stm32h75x && says "neither in the flash nor in a RAM"
say $? "a register is not written by a slip"
run 2 write 0x081FFF00 "$work/app.bin" --simulated stm32h75x && run 2 read 0xFFFFFFFF 2 --simulated stm32h75x &&
        says "end above 4 GiB" && run 2 read 0x08000000 0 --simulated stm32h75x
say $? "what ends outside is refused"
run 1 write 0x08000004 "$work/app.bin" --simulated stm32h75x || run 2 write 0x08000004 "$work/app.bin" --simulated stm32h75x
say $? "flash begins at whole words"
run 2 erase 16 --yes --simulated stm32h75x && says "the part has 0 to 15 of 128 KiB" && run 2 erase --simulated stm32h75x &&
        run 2 erase all 3 --yes --simulated stm32h75x
say $? "sectors that are not there are refused before any goes"
part=$work/sectors
run 0 write 0x08020000 "$work/app.bin" --simulated "$part/" && run 0 write 0x08100000 "$work/app.bin" --simulated "$part" &&
        run 0 erase 1 8 --yes --simulated "$part" && says "sector 8 at 0x08100000: erased" &&
        run 0 erase all --yes --simulated "$part" && says "2048 KiB read 0xFF; 0 sectors were not erased before"
say $? "sectors count over both banks"

# --- typed at a terminal -------------------------------------------------------------------------------------------------
part=$work/typed
run 0 write 0x08000000 "$work/app.bin" --simulated "$part/" && run 0 info --json --simulated "$part"
tail=$(python3 -c "import json; print(json.load(open('$out'))['unique_id'][-8:])")
type_at=$top/tests/station/type_at_terminal.py
timeout 60 python3 "$type_at" 'Type its last 8 digits' 'yes' "$gangway" target regress --simulated "$part" >"$out" 2>&1
[ $? = 1 ] && says "not confirmed, nothing was changed" && run 0 read 0x08000000 3001 -o "$work/read.bin" --simulated "$part" &&
        cmp -s "$work/app.bin" "$work/read.bin"
say $? "another word than the end of the unique id changes nothing"
timeout 60 python3 "$type_at" 'Type its last 8 digits' "${tail,,}" "$gangway" target regress --simulated "$part" >"$out" 2>&1
[ $? = 0 ] && says "every sector that is not blank is erased" && says "The part is virgin"
say $? "the end of the unique id, in any case of letters, goes on"

# --- words of ST's scripts -----------------------------------------------------------------------------------------------
run 2 -c port=JTAG -gc "$work/c.bin" && says "SWD only" && run 2 -c port=SWD mode=UR -rst && says "AN5054 section 3.3.2" &&
        run 2 -c prot=SWD -l && says "did you mean port=?" && run 2 -c port=SWD -e all -rst && says "one verb at a time"
say $? "what is not done is refused with its reason"
run 2 ob write RPD=0xAA --simulated stm32h75x && says "did you mean RDP" && run 2 info --simulated stm32h74 && says "did you mean"
say $? "a misspelled field or family is told the nearest"
run 2 read && says "address and length are needed: give ADDRESS LENGTH, as 0x08000000 256" && run 2 certificate && says "no file: give -o FILE" &&
        run 2 read 0 4 "$work/a" -o "$work/b" && says "one file at a time" && [ ! -e "$work/a" ] && run 2 write 0x08000000 a b && says "ADDRESS and FILE" &&
        run 2 default-ob RDP=0xAA && says "RDP=0xAA is not expected here" && run 2 ob read display && says "display is not expected here" &&
        run 2 regress --key a --key b && says "--key is given twice" && run 2 erase $(seq 65) && says "64 sectors at a time, not 65 too"
say $? "what is missing, too much or given twice is named before any part is looked for"

# --- rig A: real libusb --------------------------------------------------------------------------------------------------
reason=
[ "$(id -u)" = 0 ] || reason="needs root for namespaces and FUSE"
[ -c /dev/fuse ] || reason="needs /dev/fuse"
[ -x "$rig" ] || reason="the rig is not built (sanitizers leave it out)"
if [ -z "$reason" ] && ! why=$(timeout 20 "$rig" 1 -- true 2>&1) && [ -z "${CI:-}" ]; then reason=$why; fi
if [ -n "$reason" ]; then
        skip "the verbs on real libusb" "$reason"
        exit $bad
fi
cat >"$work/on_rig.sh" <<'RIG'
# Inside the rig; every line a claim: ok or not.
rig_tell() { # words: to the device whose number comes first
        python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect(sys.argv[1]); s.send(sys.argv[2].encode()); print(s.recv(16).decode())' "$RIG_CONTROL" "$1"
}
claim() { if [ "$1" = 0 ]; then echo "CLAIM ok $2"; else echo "CLAIM bad $2"; sed 's/^/#   /' out; fi; }
t() { # expected-code arguments
        local want=$1 code; shift
        timeout 60 "$GANGWAY" target "$@" >out 2>&1 </dev/null; code=$?
        [ $code = "$want" ] || { echo "exit code $code, wanted $want: $*" >>out; return 1; }
}
c="-c port=SWD mode=HOTPLUG freq=24000"
t 0 -l && [ "$(grep -c 'STM32H75x (0x450)' out)" = 3 ] && grep -q '^ *0  003000000000000000ABC000  V3J15M7B5S1  1-1 ' out
claim $? "-l lists three probes in the order of their ports, serial, firmware, supply and part"
t 0 list --json && python3 -c 'import json
probes = json.load(open("out"))["probes"]
assert [p["port_path"] for p in probes] == ["1-1", "1-2", "1-3"] and not probes[0]["simulated"]
assert all(p["family"] == "STM32H75x" and 3000 < p["supply_mv"] < 3600 for p in probes)'
claim $? "list --json says the same"
t 2 $c -rst && grep -q '3 probes fit; choose by' out && grep -q 'sn=003000000000000000ABC002 at 1-3' out
claim $? "of several probes one must be named, and they are"
t 0 $c sn=003000000000000000abc001 -rst && t 0 $c index=2 reset=HWrst -rst && t 0 reset --port-path 1-2
claim $? "sn=, index= and --port-path choose one; both resets come back"
t 3 $c sn=0030 -rst && grep -q 'sn=0030 is not connected; there are' out && t 3 $c index=3 -rst
claim $? "a probe that is not there is unreachable"
t 0 info $c index=0 && grep -q '24000 kHz SWD, HOTPLUG, AP 0' out && grep -q 'can take an install from here' out
claim $? "freq= is the clock, and a virgin part can take an install"
t 1 info $c index=0 ap=2 && grep -q 'behind ap=2' out
claim $? "ap= that leads to no known part is told"
t 0 $c index=0 -gc cert.bin && grep -q 'Get Certificate done successfully' out && [ "$(stat -c %s cert.bin)" = 136 ] &&
        "$GANGWAY" cert show cert.bin >out 2>&1 && grep -q 45002001 out
claim $? "-gc reads a certificate of 136 bytes that cert show reads"
rig_tell "0 boot 0" >/dev/null
t 0 info $c index=0 && grep -q 'no .*boot .*not in system memory' out && t 1 $c index=0 -gc cert2.bin && [ ! -e cert2.bin ]
claim $? "BOOT0 low: the condition says no, and there is no certificate"
rig_tell "0 boot 1" >/dev/null
head -c 20000 /dev/urandom >app.bin
t 0 $c index=1 -w app.bin 0x08000000 && t 0 $c index=1 -u 0x08000000 20000 back.bin && cmp app.bin back.bin &&
        [ "$(rig_tell "1 flash 0x08000000")" = "$(od -An -tu1 -N1 app.bin | tr -d ' ')" ]
claim $? "-w programs 20000 bytes of flash, -u reads them back, and the part holds them"
t 0 $c index=1 -ob RDP=0xBB -y && rig_tell "1 off" >/dev/null && rig_tell "1 on" >/dev/null && sleep 0.3 && t 1 $c index=1 -r32 0x08000000 16 &&
        t 0 $c index=1 -ob displ && grep -q 'level 1: not readable' out
claim $? "RDP level 1 shuts the flash after a power cycle"
t 0 $c index=1 -rdu -y && grep -q 'The part is virgin' out && [ "$(rig_tell "1 flash 0x08000000")" = 255 ]
claim $? "-rdu opens it, the flash is empty"
t 0 $c index=1 -w app.bin 0x08000000 && t 0 $c index=1 -ob RDP=0xBB -y || claim 1 "the part for the next claim is made"
for after in 0.05 0.1 0.2 0.4; do # unplugged and without power on the way: whatever is left, the next run ends it
        (sleep $after; rig_tell "1 unplug"; rig_tell "1 off"; rig_tell "1 on"; rig_tell "1 plug") >/dev/null &
        "$GANGWAY" target $c index=1 -rdu -y >out 2>&1 </dev/null
        case $? in 0 | 3) ;; *) claim 1 "an interrupted -rdu: unreachable or done" ;; esac
        wait
done
sleep 0.5
t 0 $c --port-path 1-2 -rdu -y && grep -q 'The part is virgin' out && [ "$(rig_tell "1 flash 0x08000000")" = 255 ]
claim $? "-rdu interrupted four times by cable and power, the next one ends it"
rig_tell "2 remove" >/dev/null
t 3 info $c index=2 && grep -q 'wanted 1.50 V or more' out && t 0 -l && grep -q '1-3 .*none' out
claim $? "a probe without a board: no supply, measured and wanted"
rig_tell "2 unplug" >/dev/null
t 3 info --port-path 1-3 && t 0 list --json && [ "$(grep -c port_path out)" = 2 ]
claim $? "an unplugged probe is gone from the list"
rig_tell "0 remove" >/dev/null
(sleep 0.1; rig_tell "1 unplug") >/dev/null & t 3 -c port=SWD mode=HOTPLUG index=1 freq=100 -u 0x08000000 2097152 never.bin && [ ! -e never.bin ] && wait &&
        t 3 $c --port-path 1-2 -r32 0x08000000 16
claim $? "pulled in mid-read: unreachable, no file, and then it is not there"
RIG
expected=$(grep -c '^claim ' "$work/on_rig.sh") seen=0
cd "$work" || exit 1
ln -s "$top/configs" configs
while read -r line; do
        case $line in
        "CLAIM ok "*) seen=$((seen + 1)); say 0 "libusb: ${line#CLAIM ok }" ;;
        "CLAIM bad "*) seen=$((seen + 1)); : >"$out"; say 1 "libusb: ${line#CLAIM bad }" ;;
        *) echo "# $line" ;;
        esac
done < <(GANGWAY=$gangway RIG_CONTROL=$work/control RIG_SPEED=0.02 timeout 300 "$rig" 3 -- bash on_rig.sh 2>&1)
[ "$seen" = "$expected" ]
say $? "libusb: all $expected claims were made"
for name in stm32l462 stm32u575 stm32wl5x stm32h56x; do
        RIG_FAMILY=$name RIG_SPEED=0.02 timeout 100 "$rig" 1 -- "$gangway" target list --json >"$out" 2>&1 &&
                grep -qi "\"family\": \"$name\"" "$out" &&
                RIG_FAMILY=$name RIG_SPEED=0.02 timeout 100 "$rig" 1 -- bash -c "
                        '$gangway' target -c port=SWD -w app.bin 0x08000000 && '$gangway' target -c port=SWD -rdu -y &&
                        { [ $name = stm32l462 ] || '$gangway' target -c port=SWD mode=HOTPLUG -gc $name.bin; }" >"$out" 2>&1 &&
                grep -q 'The part is virgin' "$out"
        say $? "libusb: $name is found, programmed, brought back, and but for the L462 gives its certificate"
done
RIG_SILICON=1 RIG_SPEED=0.02 timeout 60 "$rig" 1 -- "$gangway" target -c port=SWD mode=HOTPLUG -gc silicon.bin >"$out" 2>&1
[ $? = 1 ] && [ ! -e silicon.bin ] && grep -qi 'not public\|document' "$out"
say $? "libusb: a part without the reference's marker keeps its certificate, and the gap is named"
RIG_SILICON=1 RIG_SPEED=0.02 timeout 60 "$rig" 1 -- "$gangway" target info >"$out" 2>&1 && grep -q '^  no .*RSS profile' "$out" &&
        says "It cannot take an install as it is."
say $? "libusb: and info says that it cannot take an install"
exit $bad
