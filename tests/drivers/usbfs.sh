#!/bin/bash
# Independent witnesses on the usbfs rig: st-info and OpenOCD see our simulated probes, our driver
# installs through real libusb. Needs root and /dev/fuse; says so where they are missing.
set -u
cd "$(dirname "$0")/../.." || exit 1
rig=$GANGWAY_BUILD/tests/rigs/usbfs
n=0 bad=0
say() { # result name
        n=$((n + 1))
        if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; fi
}
skip() { n=$((n + 1)); echo "ok $n - $1 # SKIP $2"; }

reason=
[ "$(id -u)" = 0 ] || reason="needs root for namespaces and FUSE"
[ -c /dev/fuse ] || reason="needs /dev/fuse"
[ -x "$rig" ] || reason="the rig is not built (sanitizers leave it out)"
# Where namespaces cannot be had (a bare chroot, say) the rig says why; CI must not lose it unnoticed.
if [ -z "$reason" ] && ! why=$(timeout 20 "$rig" 1 -- true 2>&1) && [ -z "${CI:-}" ]; then reason=$why; fi
if [ -n "$reason" ]; then
        for name in "st-info lists the probes" "OpenOCD examines the target" "OpenOCD reads and writes RAM" \
                "our driver on libusb" "sixteen probes at once"; do skip "$name" "$reason"; done
        exit 0
fi

out=$(timeout 60 "$rig" 4 -- st-info --probe 2>&1)
[ "$(grep -c 'Found 4 stlink programmers' <<<"$out")" = 1 ] && grep -q 'chipid: *0x0450' <<<"$out"
say $? "st-info lists four probes and sees device id 0x450" || true
[ $bad = 0 ] || echo "$out" | sed 's/^/# /'

out=$(timeout 60 "$rig" 1 -- openocd -c 'adapter driver hla; hla_layout stlink; hla_device_desc ST-LINK; hla_vid_pid 0x0483 0x374f; transport select hla_swd' \
        -c 'set WORKAREASIZE 0' -f target/stm32h7x.cfg -c 'init; targets; echo "idcode [format 0x%08x [lindex [read_memory 0x5C001000 32 1] 0]]"; mww 0x24000000 0x12345678; mww 0x24000004 0xCAFEF00D; echo "ram [read_memory 0x24000000 32 2]"; echo [capture {mdw 0x24000000 2}]; shutdown' 2>&1)
grep -qi 'idcode 0x[0-9a-f]*450$' <<<"$out"
say $? "OpenOCD examines the target and reads its device id"
grep -qi 'ram 0x12345678 0xcafef00d' <<<"$out" && grep -qi '0x24000000: 12345678 cafef00d' <<<"$out"
say $? "OpenOCD writes RAM with mww and reads it back with mdw"
[ $bad = 0 ] || echo "$out" | sed 's/^/# /'

RIG_CONTROL=$(mktemp -u) # where our programs ask for plugging
export RIG_CONTROL CMOCKA_MESSAGE_OUTPUT=TAP
trap 'rm -f "$RIG_CONTROL"' EXIT
libusb() { # probes program arguments: its lines as ours
        while read -r line; do
                case $line in
                "ok "*) say 0 "libusb: ${line#*- }" ;;
                "not ok "*) say 1 "libusb: ${line#*- }" ;;
                *) echo "# $line" ;;
                esac
        done < <(timeout 120 "$rig" "$1" -- "$GANGWAY_BUILD/tests/rigs/$2" "${@:3}" 2>&1)
}
libusb 4 usb_driver
[ $n -ge 7 ] || say 1 "our driver ran all its tests"
libusb 16 usb_gang 16
[ $n -ge 11 ] || say 1 "sixteen probes were all asked"
exit $bad
