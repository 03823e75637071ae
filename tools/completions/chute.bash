# bash completion for chute(1): verbs, options, names of queues.
#
# What there is, the program says itself: `chute --verbs`, `chute --options VERB`.

_chute()
{
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    local verb=${COMP_WORDS[1]} words

    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        words="$(chute --verbs 2>/dev/null | cut -f1) help --help --version"
    elif [[ $cur == -* ]]; then
        words=$(chute --options "$verb" 2>/dev/null | cut -f1)
    elif _chute_takes_argument "$verb" "$prev"; then
        case $prev in
        --sort | -s) words="name fill depth put got bytes oldest blocked state" ;;
        --root) mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
        esac
    else
        case $verb in
        help) words=$(chute --verbs 2>/dev/null | cut -f1) ;;
        stat | close | rm | ls) words=$(chute ls 2>/dev/null) ;;
        put | get | peek | drain) ((COMP_CWORD == 2)) || _chute_has_no_name &&
            words=$(chute ls 2>/dev/null) ;;
        pickle)
            if ((COMP_CWORD == 2)); then
                words="dumps loads"
            else
                mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            fi
            ;;
        esac
    fi
    [[ -z $words ]] || mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

# Whether that option waits for its argument.
_chute_takes_argument()
{
    [[ $2 == -?* ]] && chute --options "$1" 2>/dev/null |
        awk -F '\t' -v word="$2" '($1 == word || $2 == word) && $3 { found = 1 }
                                  END { exit !found }'
}

# Whether all words between the verb and the cursor are options; those with an
# argument behind a blank are rare in front of the name, and count as words.
_chute_has_no_name()
{
    local word

    for word in "${COMP_WORDS[@]:2:COMP_CWORD-2}"; do
        [[ $word == -* ]] || return 1
    done
}

complete -F _chute chute
