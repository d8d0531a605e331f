#!/bin/busybox sh
# In the tree of the host: the programs of rig A, on a real kernel's usbfs.
busybox --install -s /tmp
export PATH=/tmp:/bin RIG_CONTROL=/dev/ttyS1 CMOCKA_MESSAGE_OUTPUT=TAP
cd /gangway || echo "guest: no programs"
echo "guest: kernel $(uname -r)"
/bin/systemd-udevd --daemon
for i in $(seq 100); do # the four probes
        [ "$(cat /sys/bus/usb/devices/1-[1-4]/idProduct 2>/dev/null | grep -c 374f)" = 4 ] && break
        sleep 0.1
done
/bin/udevadm settle --timeout=20
echo "guest: begin edge"
./edge
echo "guest: end edge $?"
echo "guest: begin driver"
./usb_driver 2>&1
echo "guest: end driver $?"
echo "guest: begin gang"
./usb_gang 4 2>&1
echo "guest: end gang $?"
echo "guest: over"
poweroff -f
