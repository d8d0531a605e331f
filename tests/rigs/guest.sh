#!/bin/busybox sh
# The first process of the guest of rig C (tests/drivers/qemu_rig.sh): modules, the tree of the host, udev, then our programs
# on the guest's own USB. What they say goes to the serial console between lines that begin with "guest:".
busybox=/bin/busybox
$busybox mkdir -p /proc /sys /dev /tree
$busybox mount -t proc proc /proc
$busybox mount -t sysfs sys /sys
$busybox mount -t devtmpfs dev /dev
for module in $($busybox cat /modules/order); do
        $busybox insmod "/modules/$module" || echo "guest: cannot load $module"
done
$busybox mount -t 9p -o trans=virtio,version=9p2000.L,cache=loose,msize=262144,ro tree /tree || echo "guest: no tree"
for directory in proc sys dev; do $busybox mount -o move "/$directory" "/tree/$directory"; done
for directory in run tmp; do $busybox mount -t tmpfs "$directory" "/tree/$directory"; done
exec $busybox chroot /tree /bin/busybox sh /guest-tests.sh
