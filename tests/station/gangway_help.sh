#!/bin/bash
# The help of every command: it fits 80 columns and 24 lines and shows an example; a typo is answered with
# the nearest command. Prints TAP.
set -u
cd "$(dirname "$0")/../.." || exit 1
gangway=$GANGWAY_BUILD/gangway
n=0 bad=0
say() { # code name
        n=$((n + 1))
        if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; fi
}
usage=$("$gangway" --help)
[ "$(wc -l <<<"$usage")" -le 24 ] && [ "$(wc -L <<<"$usage")" -le 80 ] && grep -q '^example' <<<"$usage"
say $? "gangway --help fits a screen and shows an example"
commands=$("$gangway" help all | sed -n 's/^  \([a-z][a-z-]*\( [a-z][a-z-]*\)\{0,2\}\)  .*/\1/p')
[ "$(wc -l <<<"$commands")" -ge 6 ]
say $? "gangway help all lists the commands"
joined=$(sed -e ':again' -e '$!N; s/\n \{10,\}/ /; t again' -e 'P; D' <<<"$usage") # a family may take two lines
while read -r first second; do
        grep -Eq "^  $first .*[: ]$second( |$)" <<<"$joined" || { [ -z "$second" ] && grep -q "^  $first " <<<"$usage"; }
        say $? "gangway --help names $first $second"
done <<<"$commands"
"$gangway" sfi --help | grep -q '^  sfi diff '
say $? "gangway sfi --help lists its commands"
while read -r command; do
        # shellcheck disable=SC2086
        help=$("$gangway" $command --help)
        code=$?
        long=$(awk 'length($0) > 80' <<<"$help")
        [ $code = 0 ] && [ -z "$long" ] && [ "$(wc -l <<<"$help")" -le 24 ] && grep -q '^example' <<<"$help"
        say $? "gangway $command --help fits a screen and shows an example"
        [ -z "$long" ] || sed 's/^/# /' <<<"$long"
done <<<"$commands"
"$gangway" sfi craete 2>&1 | grep -q "did you mean 'gangway sfi create'"
say $? "a typo is told the nearest command"
"$gangway" sfi create --fimrware x 2>&1 | grep -q firmware
say $? "a misspelled option is told the nearest option"
exit $bad
