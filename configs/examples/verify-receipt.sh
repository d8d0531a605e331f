#!/bin/sh
# Check the license receipt of a Gangway station with nothing but openssl, coreutils and this shell:
#
#       verify-receipt.sh RECEIPT STATION.pub
#
# RECEIPT.sig lies beside RECEIPT. STATION.pub is the station's public key as you were given it when the line
# was set up (gangway licenses key), not one that came with the receipt. Exit 0: every record follows from the
# one before, the station signed them all, and the licenses add up. Exit 1: the last line names the record
# where it goes wrong. `gangway licenses verify` looks at more (chips, cards, their counters).
set -u
export LC_ALL=C
[ $# = 2 ] || { echo "usage: $0 RECEIPT STATION.pub" >&2; exit 2; }
for file in "$1" "$1.sig" "$2"; do
        [ -r "$file" ] || { echo "$file cannot be read" >&2; exit 2; }
done
wrong() {
        echo "$1" >&2
        exit 1
}

# number NAME JSON : the value of a member that is a number
number() {
        rest=${2#*"\"$1\":"}
        rest=${rest%%[,\}]*}
        case $rest in '' | *[!0-9]*) wrong "record $record: there is no number $1 in it" ;; esac
        echo "$rest"
}

# Each line opens with SHA-256 of the digits of the line before, a space, and its own text.
previous=$(printf '%064d' 0)
record=0 installed=0 in_hand=0 lost=0 pending=0 cancelled=0 stock=0 global=0 json=
while IFS= read -r line || { [ -n "$line" ] && wrong "record $((record + 1)): the line does not end: the file was cut"; }; do
        record=$((record + 1))
        digits=${line%% *} json=${line#* }
        found=$(printf '%s %s' "$previous" "$json" | openssl dgst -sha256 -r) || exit 2
        [ "${found%% *}" = "$digits" ] && [ "${#digits}" = 64 ] ||
                wrong "record $record: its digits do not follow from it and the record before: it was changed, or one was taken away or put in"
        previous=$digits
        # a text in JSON has no bare quotation mark, so these are members and nothing else
        case $json in
        '{"record":"license",'*'"state":"installed"'*) installed=$((installed + 1)) ;;
        '{"record":"license",'*'"state":"lost"'*) lost=$((lost + 1)) ;;
        '{"record":"license",'*'"state":"intended"'*) pending=$((pending + 1)) ;;
        '{"record":"license",'*'"state":"cancelled"'*) cancelled=$((cancelled + 1)) ;;
        '{"record":"license",'*) in_hand=$((in_hand + 1)) ;;
        '{"record":"stock",'*) stock=$((stock + 1)) ;;
        '{"record":"global",'*) global=$((global + 1)) ;;
        esac
done <"$1" || exit 1

openssl pkeyutl -verify -pubin -inkey "$2" -rawin -in "$1" -sigfile "$1.sig" >/dev/null 2>&1 ||
        wrong "the $record records follow from each other, but the signature is not of this key, or the file was cut behind record $record"
case $json in
'{"record":"balance",'*) ;;
*) wrong "record $record: the last record is not the balance: the file was cut" ;;
esac
for name in installed in_hand lost pending cancelled stock global; do
        eval "counted=\$$name"
        said=$(number $name "$json") || exit 1
        [ "$said" = "$counted" ] || wrong "record $record: the balance says $name $said, the records add up to $counted"
done
issued=$(number issued "$json") || exit 1
[ "$issued" = $((installed + in_hand + lost)) ] ||
        wrong "record $record: issued is $issued, but installed + in hand + lost are $((installed + in_hand + lost))"
echo "$1: $record records, signed by $2"
echo "$issued issued = $installed installed + $in_hand in hand + $lost lost; good units $(number good_units "$json"); $stock from stock, $global global, $pending open, $cancelled cancelled"
