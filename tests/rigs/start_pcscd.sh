#!/bin/bash
# pcscd in the foreground of a rig's namespaces, for the scripts of rigs E and F: start_pcscd.sh start|restart|stop.
# RIG is a directory of the rig, with conf/ for pcscd. Ends when pcscd listens.
set -u
if [ "$1" != start ]; then
        kill "$(cat "$RIG/pcscd.pid")" 2>/dev/null
        while kill -0 "$(cat "$RIG/pcscd.pid")" 2>/dev/null; do sleep 0.02; done
        rm -f /run/pcscd/*
fi
[ "$1" != stop ] || exit 0
pcscd -f -c "$RIG/conf" >>"$RIG/pcscd.log" 2>&1 </dev/null &
echo $! >"$RIG/pcscd.pid"
for _ in $(seq 500); do [ -S /run/pcscd/pcscd.comm ] && exit 0; sleep 0.02; done
echo "# pcscd does not start"
exit 1
