#!/bin/bash
# Rig H: a core executes behind the simulated probes, so Debian's OpenOCD and st-flash program flash with their own
# RAM loaders. Needs root and /dev/fuse; says so where they are missing.
set -u
cd "$(dirname "$0")/../.." || exit 1
rig=$GANGWAY_BUILD/tests/rigs/usbfs
. tests/rigs/tap.sh
[ "$(id -u)" = 0 ] || skip "needs root for namespaces and FUSE"
[ -c /dev/fuse ] || skip "needs /dev/fuse"
[ -x "$rig" ] || skip "the rig is not built (sanitizers leave it out)"
if ! why=$(timeout 20 "$rig" 1 -- true 2>&1) && [ -z "${CI:-}" ]; then skip "$why"; fi

RIG=$(mktemp -d) # tap.sh shows $RIG/out
trap 'rm -rf "$RIG"' EXIT
tail -c +4097 "$rig" | head -c 200000 >"$RIG/image" # any bytes will do, but not an ELF header: OpenOCD would take it for one
head -c 65536 "$RIG/image" >"$RIG/short"
{ head -c 100000 "$RIG/image"; printf differs; tail -c +100008 "$RIG/image"; } >"$RIG/other"
export RIG_SPEED=0.01 # flash a hundred times as fast

openocd() { # device, configuration, commands: into $RIG/out. "reset halt" sets the slow clock of a part just started.
        local kind=$1 config=$2 words=(-c init -c 'reset halt' -c 'adapter speed 24000')
        shift 2
        for command; do words+=(-c "$command"); done
        timeout 60 "$rig" "$kind=1" -- openocd -c 'adapter driver hla; hla_layout stlink; hla_device_desc ST-LINK' \
                -c 'hla_vid_pid 0x0483 0x374f; transport select hla_swd' -f "target/$config.cfg" \
                "${words[@]}" -c shutdown >"$RIG/out" 2>&1
}
has() { grep -qF -- "$1" "$RIG/out"; }
refused='catch {flash write_image IMAGE 0x08000000}'
refused=${refused/IMAGE/$RIG/image}

program() { # name device configuration: write, verify, read back, and see a difference
        openocd "$2" "$3" "flash write_image erase $RIG/image 0x08000000" "verify_image $RIG/image 0x08000000" \
                "dump_image $RIG/back 0x08000000 200000" "catch {verify_image $RIG/other 0x08000000}"
        has 'wrote 200000 bytes' && ! grep -qiE 'working area|work area|falling back|slow' "$RIG/out"
        say $? "OpenOCD programs 200 kB of the simulated $1 with its loader"
        has 'verified 200000 bytes' && cmp -s "$RIG/image" "$RIG/back"
        say $? "and verifies it with its checksum code, and reads the same back"
        has 'checksum mismatch'
        say $? "and tells an image that differs in seven bytes"
}
program STM32H75x stlink stm32h7x
program STM32L462 stlink-l4 stm32l4x

openocd stlink stm32h7x 'flash protect 0 1 1 on' "$refused" "dump_image $RIG/back 0x08020000 65536"
has 'flash memory write protected' && ! has 'wrote' && [ "$(tr -d '\377' <"$RIG/back" | wc -c)" = 0 ]
say $? "a protected sector of the H75x stays blank, and OpenOCD says why"
openocd stlink-l4 stm32l4x 'flash protect 0 8 15 on' 'stm32l4x option_load 0' 'reset halt' \
        'adapter speed 24000' 'flash probe 0' "$refused" "dump_image $RIG/back 0x08004000 16384"
has 'flash memory write protected' && ! has 'wrote' && [ "$(tr -d '\377' <"$RIG/back" | wc -c)" = 0 ]
say $? "protected pages of the L462 stay blank, and OpenOCD says why"

# Without the keys a store is lost and SR says so: PGSERR, bit 18 of the H7, bit 7 of the L4 (targets.md 6.2).
openocd stlink stm32h7x 'mww 0x08000000 0x12345678' 'mdw 0x08000000' 'mdw 0x52002010'
has '0x08000000: ffffffff' && has '0x52002010: 00040000'
say $? "the locked flash of the H75x refuses a store"
openocd stlink-l4 stm32l4x 'mww 0x08000000 0x12345678' 'mdw 0x08000000' 'mdw 0x40022010'
has '0x08000000: ffffffff' && has '0x40022010: 00000080'
say $? "the locked flash of the L462 refuses a store"

# 3001 adds r0, #1; be00 bkpt #0
openocd stlink stm32h7x 'mww 0x24000000 0x3001be00' 'mww 0x24000004 0xbe003001' 'reg r0 41' 'reg pc 0x24000002' \
        'step' 'reg r0' 'resume' 'wait_halt 1000' 'reg pc' 'reg r0'
[ "$(grep -c 'r0 (/32): 0x0000002a' "$RIG/out")" = 1 ] && has 'r0 (/32): 0x0000002b' && has 'pc (/32): 0x24000006'
say $? "OpenOCD steps, resumes, and halts at a breakpoint instruction"

flash() { # name device file pace
        RIG_SPEED=$4 timeout 60 "$rig" "$2=1" -- sh -c "st-flash --freq=24M write $3 0x08000000 &&
                st-flash --freq=24M read $RIG/back 0x08000000 $(stat -c %s "$3")" 2>&1 |
                tr '\r' '\n' | grep -v 'bytes written$' >"$RIG/out"
        has 'Flash written and verified' && cmp -s "$3" "$RIG/back"
        say $? "st-flash programs and verifies $(($(stat -c %s "$3") / 1000)) kB of the simulated $1"
}
flash STM32H75x stlink "$RIG/short" 1 # 64 bytes at a time: every second word waits in the queue of the controller
flash STM32L462 stlink-l4 "$RIG/image" $RIG_SPEED
has 'Successfully loaded flash loader in sram'
say $? "with its own loader in SRAM on the L462"

timeout 60 "$rig" stlink=2 stlink-l4=2 -- st-info --probe >"$RIG/out" 2>&1
has 'Found 4 stlink programmers' && [ "$(grep -c 'chipid: *0x0450' "$RIG/out")" = 2 ] &&
        [ "$(grep -c 'chipid: *0x0462' "$RIG/out")" = 2 ]
say $? "st-info lists four probes, two with each part"
echo "1..$n"
exit $code
