# shellcheck shell=bash
# What the scripts of the rigs share: numbered TAP lines of their own and of the programs they run. Source it.
code=0 # 1 once a claim was false
n=0
skip() { echo "1..0 # SKIP $1"; echo "ok 1 # SKIP $1"; exit 0; }
say() { # result name; $RIG/out is shown when it is false
        n=$((n + 1))
        if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; code=1; sed 's/^/# /' "$RIG/out"; fi
}
claims() { # program arguments: its claims, counted on
        local line
        while read -r line; do
                case $line in
                "ok "*) n=$((n + 1)); echo "ok $n - ${line#*- }" ;;
                "not ok "*) n=$((n + 1)); code=1; echo "not ok $n - ${line#*- }" ;;
                *) echo "$line" ;;
                esac
        done < <("$@" || echo "not ok - $(basename "$1") ${*:2} ends well")
}
