# SPDX-License-Identifier: MIT
# fish completion for pwatch(1)

# The words of COMMAND, one a line: from the first one that is neither an option, nor its value, nor
# a number. Fails where there are none yet.
function __pwatch_command
    set -l words (commandline -opc)
    set -l skip no
    for i in (seq 2 (count $words))
        set -l word $words[$i]
        if test $skip = yes
            set skip no
        else if test "$word" = --
            test $i -lt (count $words); or return 1
            string join -- \n $words[(math $i + 1)..-1]
            return 0
        else if string match -qr '^(-[1jqvhV]*[pteAsoi]|--(pid|timeout|events|ports|settle|addresses|scope|format|color|output|fd|exec|interval|reader|table))$' -- $word
            set skip yes
        else if not string match -qr '^(-.*|[0-9]+)$' -- $word
            string join -- \n $words[$i..-1]
            return 0
        end
    end
    return 1
end

function __pwatch_no_command
    not __pwatch_command >/dev/null
end

function __pwatch_complete_command
    complete -C (string join -- ' ' (string escape -- (__pwatch_command))' '(commandline -ct))
end

complete -c pwatch -f
complete -c pwatch -n 'not __pwatch_no_command' -a '(__pwatch_complete_command)'
complete -c pwatch -n __pwatch_no_command -a '(__fish_complete_pids)'
complete -c pwatch -n __pwatch_no_command -a '(__fish_complete_command)'
complete -c pwatch -n __pwatch_no_command -s p -l pid -x -a '(__fish_complete_pids)' -d 'watch this process'
complete -c pwatch -n __pwatch_no_command -s 1 -l once -d 'list open ports, and exit'
complete -c pwatch -n __pwatch_no_command -l live -d 'show a table of open ports and update it'
complete -c pwatch -n __pwatch_no_command -l wait -d 'exit when a port is open'
complete -c pwatch -n __pwatch_no_command -s t -l timeout -x -d 'exit after so many seconds'
complete -c pwatch -n __pwatch_no_command -s e -l events -x -a '(__fish_complete_list , "string split \" \" \"open close end owner\"")' -d 'events to print'
complete -c pwatch -n __pwatch_no_command -l ports -x -d 'only these ports'
complete -c pwatch -n __pwatch_no_command -l settle -x -d 'print a port only after it has been open for so many seconds'
complete -c pwatch -n __pwatch_no_command -s A -l addresses -x -a 'default loopback all' -d 'ports on these addresses'
complete -c pwatch -n __pwatch_no_command -s s -l scope -x -a 'tree netns' -d 'whose ports'
complete -c pwatch -n __pwatch_no_command -l processes -d 'print command lines instead of process names'
complete -c pwatch -n __pwatch_no_command -s j -l json -d 'print one JSON object per line'
complete -c pwatch -n __pwatch_no_command -l format -x -d 'print this text for each event'
complete -c pwatch -n __pwatch_no_command -l color -x -a 'auto always never' -d 'when to use colours'
complete -c pwatch -n __pwatch_no_command -s o -l output -r -F -d 'write events to this file'
complete -c pwatch -n __pwatch_no_command -l fd -x -d 'write events to this descriptor'
complete -c pwatch -n __pwatch_no_command -l exec -x -a '(__fish_complete_command)' -d 'run this shell command for each event'
complete -c pwatch -n __pwatch_no_command -s i -l interval -x -d 'time between two polls'
complete -c pwatch -n __pwatch_no_command -l reader -x -a 'auto local setns nsenter procfs' -d 'force one way of reading'
complete -c pwatch -n __pwatch_no_command -l table -x -a 'auto diag procfs' -d 'force one form of the table'
complete -c pwatch -n __pwatch_no_command -l no-notify -d 'only poll'
complete -c pwatch -n __pwatch_no_command -l check -d 'print what pwatch can see here, how, and what is missing'
complete -c pwatch -n __pwatch_no_command -l stats -d 'on exit, print what watching cost'
complete -c pwatch -n __pwatch_no_command -s q -l quiet -d 'print errors only, no warnings'
complete -c pwatch -n __pwatch_no_command -s v -l verbose -d 'log what is found and how'
complete -c pwatch -n __pwatch_no_command -s h -l help -d 'show the help, and exit'
complete -c pwatch -n __pwatch_no_command -s V -l version -d 'show the version, and exit'
