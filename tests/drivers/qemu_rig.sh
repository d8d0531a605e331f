#!/bin/bash
# Rig C: a guest of QEMU with Debian's own kernel, four simulated probes plugged into its xHCI by usb-redir. Our driver
# installs a unit on each, one is pulled out meanwhile; the edges of usbfs are the same there as on rig A. The kernel is
# the package that linux-image-amd64 depends on, downloaded, never installed. Without it CI fails; elsewhere it is said.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${GANGWAY_BUILD:-$PWD/build}
. tests/rigs/tap.sh
RIG=$(mktemp -d)
trap 'rm -rf "$RIG"' EXIT

# Where a need cannot be met CI must not lose the rig unnoticed.
need() { # reason
        [ -n "${CI:-}" ] || skip "$1"
        echo "$1" >"$RIG/out"
        say 1 "rig C has what it needs"
        exit 1
}
[ -x "$build/tests/rigs/usbredir" ] || skip "the rig is not built for $build"
for program in qemu-system-x86_64 busybox cpio modprobe depmod udevadm dpkg-deb apt-get; do
        PATH=$PATH:/usr/sbin:/sbin command -v $program >/dev/null || need "$program is not installed"
done
PATH=$PATH:/usr/sbin:/sbin
[ "$(uname -m)" = x86_64 ] || need "this rig is for amd64, the machine is $(uname -m)"

# --- the kernel: out of its package, kept in the build directory ---
name() { apt-cache depends linux-image-amd64 2>/dev/null | awk '$1 == "Depends:" && /linux-image/ { print $2; exit }'; }
package=$(name)
[ -n "$package" ] || { apt-get -qq update >/dev/null 2>&1; package=$(name); }
[ -n "$package" ] || package=$(basename "$(ls -d "$build"/rig-kernel/*/ 2>/dev/null)") # of an earlier run
[ -n "$package" ] || need "apt knows no linux-image-amd64 (offline?)"
kernel=$build/rig-kernel/$package
fetch() {
        rm -rf "$kernel" && mkdir -p "$kernel" && cd "$kernel" || return
        apt-get download "$package" || { apt-get update && apt-get download "$package"; } || return
        dpkg-deb --fsys-tarfile ./*.deb | tar -x --wildcards './boot/vmlinuz*' './lib/modules/*/modules.*' \
                './lib/modules/*/kernel/'{net/9p,fs/9p,fs/netfs,fs/fscache,drivers/virtio,drivers/usb}'/*' &&
                rm ./*.deb && touch whole
}
[ -e "$kernel/whole" ] || (fetch) >"$RIG/out" 2>&1 || need "$package cannot be downloaded: $(tail -1 "$RIG/out")"
release=${package#linux-image-}

# --- the first file system: busybox and the modules between the kernel and its USB and 9p ---
initramfs() {
        local root=$RIG/root module
        mkdir -p "$root/bin" "$root/modules"
        cp "$(command -v busybox)" "$root/bin/busybox" && cp tests/rigs/guest.sh "$root/init" || return
        [ -e "$kernel/lib/modules/$release/modules.dep" ] || depmod -b "$kernel" "$release" || return
        for module in virtio_pci 9pnet_virtio 9p xhci_pci; do
                modprobe -d "$kernel" -S "$release" --show-depends "$module" || return
        done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' >"$RIG/modules"
        [ -s "$RIG/modules" ] || return
        while read -r module; do
                cp "$module" "$root/modules/" && basename "$module" >>"$root/modules/order" || return
        done <"$RIG/modules"
        chmod 755 "$root/init"
        (cd "$root" && find . | cpio --quiet -o -H newc) >"$RIG/initramfs"
}

# --- the tree the guest sees, read-only: our programs, udev, and the libraries of both ---
tree() {
        local program
        mkdir -p "$RIG/tree"/{bin,gangway,proc,sys,dev,run,tmp,etc,lib/udev/rules.d}
        cp "$(command -v busybox)" "$RIG/tree/bin/busybox" && cp "$(command -v udevadm)" "$RIG/tree/bin/udevadm" &&
                ln -s udevadm "$RIG/tree/bin/systemd-udevd" || return
        cp tests/rigs/guest_tests.sh "$RIG/tree/guest-tests.sh" && cp -r configs "$RIG/tree/gangway/" || return
        for program in edge usb_driver usb_gang; do
                cp "$build/tests/rigs/$program" "$RIG/tree/gangway/" || return
        done
        ldd "$RIG/tree/bin/udevadm" "$RIG/tree/gangway/"{edge,usb_driver,usb_gang} |
                awk '$2 == "=>" { print $3 } $1 ~ /^\// && /ld-linux/ { print $1 }' | sort -u >"$RIG/libraries"
        while read -r program; do
                install -D "$(readlink -f "$program")" "$RIG/tree$program" || return
        done <"$RIG/libraries"
}
initramfs >"$RIG/out" 2>&1 && tree >"$RIG/out" 2>&1
say $? "the guest's files are gathered"
[ "$code" = 0 ] || exit 1

# --- the run ---
probes=()
for i in 0 1 2 3; do
        probes+=(-chardev "socket,id=probe$i,path=$RIG/device$i"
                -device "usb-redir,bus=xhci.0,port=$((i + 1)),chardev=probe$i,debug=1")
done
start=$(date +%s%N)
RIG_SOCKETS=$RIG timeout 110 "$build/tests/rigs/usbredir" 4 -- qemu-system-x86_64 -accel tcg -cpu max -m 512 \
        -nodefaults -no-user-config -display none -no-reboot \
        -kernel "$kernel/boot/vmlinuz-$release" -initrd "$RIG/initramfs" \
        -append "console=ttyS0 quiet loglevel=2 panic=-1 mitigations=off" \
        -chardev "file,id=console,path=$RIG/console" -serial chardev:console \
        -chardev "socket,id=control,path=$RIG/control" -serial chardev:control \
        -fsdev "local,id=tree,path=$RIG/tree,security_model=none,readonly=on" \
        -device virtio-9p-pci,fsdev=tree,mount_tag=tree \
        -device qemu-xhci,id=xhci,p2=8,p3=1 "${probes[@]}" </dev/null >"$RIG/qemu" 2>&1
result=$?
seconds=$((($(date +%s%N) - start) / 1000000))
tr -d '\r' <"$RIG/console" >"$RIG/said" 2>/dev/null
part() { sed -n "/^guest: begin $1\$/,/^guest: end $1 /p" "$RIG/said" | grep -v '^guest: '; }

{ cat "$RIG/qemu"; tail -40 "$RIG/said"; } >"$RIG/out"
[ "$result" = 0 ] && grep -q '^guest: over$' "$RIG/said"
say $? "$(sed -n 's/^guest: kernel /Linux /p' "$RIG/said") boots, finds the probes and powers off"
echo "# from power-on to power-off: $((seconds / 1000)).$((seconds % 1000 / 100)) s"

[ "$code" = 0 ] || exit 1

part driver >"$RIG/driver"
claims cat "$RIG/driver"
[ "$(grep -c '^ok ' "$RIG/driver")" = 4 ]
say $? "the driver's tests have all run on a real kernel"
part gang >"$RIG/gang"
claims cat "$RIG/gang"
[ "$(grep -c '^ok ' "$RIG/gang")" = 4 ]
say $? "and so have those with four installs at once"

# --- the edges: rig A says the same ---
part edge >"$RIG/kernel"
[ "$(wc -l <"$RIG/kernel")" -ge 90 ] && grep -q '^guest: end edge 0$' "$RIG/said"
say $? "the kernel answers the whole list of edges"
# what a kernel has and FUSE cannot: memory of its own mapped into the client (our driver does not ask for it)
known='^memory of the kernel'
RIG_CONTROL=$RIG/rig-a timeout 60 "$build/tests/rigs/usbfs" 1 -- "$build/tests/rigs/edge" >"$RIG/rig" 2>"$RIG/out"
if [ -s "$RIG/out" ] && [ ! -s "$RIG/rig" ] && [ -z "${CI:-}" ]; then
        n=$((n + 1))
        echo "ok $n - rig A's usbfs answers every edge as the kernel does # SKIP $(head -1 "$RIG/out")"
        exit "$code"
fi
diff <(grep -v "$known" "$RIG/kernel") <(grep -v "$known" "$RIG/rig") >"$RIG/out"
say $? "rig A's usbfs answers $(grep -v "$known" "$RIG/kernel" | grep -c :) edges as the kernel does"
exit "$code"
