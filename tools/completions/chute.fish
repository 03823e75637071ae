# fish completion for chute(1): verbs, options, names of queues.
#
# What there is, the program says itself: `chute --verbs`, `chute --options VERB`.

function __chute_verb
    set -l words (commandline -opc)
    set -q words[2]; and echo $words[2]
end

function __chute_verb_is
    contains -- (__chute_verb) $argv
end

# One line for each option of the verb: --name, and its letter, with the help.
function __chute_options
    set -l verb (__chute_verb)
    for line in (chute --options $verb 2>/dev/null)
        set -l column (string split \t -- $line)
        printf '%s\t%s\n' $column[1] $column[4]
        string match -qr '^-.$' -- $column[2]
        and printf '%s\t%s\n' $column[2] $column[4]
    end
end

function __chute_sorts
    string match -qr '^(-s|--sort)$' -- (commandline -opc)[-1]
end

complete -c chute -f
complete -c chute -n 'not __chute_verb >/dev/null' -a '(chute --verbs 2>/dev/null; echo help)'
complete -c chute -n 'not __chute_verb >/dev/null' -l help -d 'show help'
complete -c chute -n 'not __chute_verb >/dev/null' -l version -d 'show the version'
complete -c chute -n '__chute_verb_is help' -a '(chute --verbs 2>/dev/null)'
complete -c chute -n '__chute_verb >/dev/null; and string match -q -- "-*" (commandline -ct)' -a '(__chute_options)'
complete -c chute -n '__chute_verb_is put get peek drain stat close rm ls' -a '(chute ls 2>/dev/null)' -d queue
complete -c chute -n '__chute_verb_is pickle; and not set -q (commandline -opc)[3]' -a 'dumps loads'
complete -c chute -n '__chute_verb_is pickle; and __fish_seen_subcommand_from dumps loads' -F
complete -c chute -n '__chute_verb_is top; and __chute_sorts' -a 'name fill depth put got bytes oldest blocked state'
