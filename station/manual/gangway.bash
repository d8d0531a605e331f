# Completion of gangway(1) for bash. What there is to complete is asked from the program itself
# (`gangway help all`, `gangway COMMAND --help`), so it cannot grow old.

# "sfi create", one a line.
_gangway_commands() {
        "$1" help all 2>/dev/null | sed -n 's/^  \([a-z][a-z-]*\( [a-z][a-z-]*\)\{0,2\}\)  .*/\1/p'
}

# The options in the help of a command, one a line: those of its usage and list, not of the prose,
# which begins at the left edge, and not of the example at the end.
_gangway_options() {
        "$@" --help 2>/dev/null | sed '/^example:/,$d' | grep -E '^(usage:| )' |
                grep -oE '(^|[[:space:]([|,;])-{1,2}[a-zA-Z][a-zA-Z0-9_-]*' | grep -oE -- '-.*' | sort -u
}

# How many of the words before the cursor are the command: 3, 2, 1, or 0.
_gangway_command_words() {
        local commands=$1
        shift
        if [ $# -ge 3 ] && grep -qxF -- "$1 $2 $3" <<<"$commands"; then
                echo 3
        elif [ $# -ge 2 ] && grep -qxF -- "$1 $2" <<<"$commands"; then
                echo 2
        elif [ $# -ge 1 ] && grep -qxF -- "$1" <<<"$commands"; then
                echo 1
        else
                echo 0
        fi
}

_gangway() {
        local program=${COMP_WORDS[0]} current=${COMP_WORDS[COMP_CWORD]} commands words before
        COMPREPLY=()
        commands=$(_gangway_commands "$program")
        before=("${COMP_WORDS[@]:1:COMP_CWORD-1}")
        [ "${before[0]:-}" = help ] && before=("${before[@]:1}")
        words=$(_gangway_command_words "$commands" "${before[@]}")
        if [ "$words" -eq 0 ]; then
                case ${#before[@]} in
                0) mapfile -t COMPREPLY < <(compgen -W "$(cut -d' ' -f1 <<<"$commands" | sort -u) help --help --version" -- "$current") ;;
                1) mapfile -t COMPREPLY < <(compgen -W "$(sed -n "s/^${before[0]//[^a-z-]/} //p" <<<"$commands" | cut -d' ' -f1 | sort -u)" -- "$current") ;;
                2) mapfile -t COMPREPLY < <(compgen -W "$(sed -n "s/^${before[0]//[^a-z-]/} ${before[1]//[^a-z-]/} //p" <<<"$commands")" -- "$current") ;;
                esac
        elif [[ $current == -* ]]; then
                mapfile -t COMPREPLY < <(compgen -W "$(_gangway_options "$program" "${before[@]:0:words}") --help" -- "$current")
        else
                compopt -o filenames 2>/dev/null
                mapfile -t COMPREPLY < <(compgen -f -- "$current")
        fi
}
complete -F _gangway gangway
