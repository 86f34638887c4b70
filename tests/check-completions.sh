#!/bin/sh
# SPDX-License-Identifier: MIT
# check-completions.sh - bash, zsh and fish complete the options of pwatch --help, and their choices
#
# The test compares lines of the form "LETTER NAME VALUE", one for each option. If zsh or fish is not
# installed, the test still compares its file.
#
# Environment: PWATCH, srcdir.
set -u
completions=${srcdir:-.}/docs/completions
if [ ! -x "$PWATCH" ]; then
	echo "SKIP: pwatch is not built on this system"
	exit 77
fi
. "${srcdir:-.}/tests/support/checks.sh"

# The lines are such as "A addresses default|loopback|all", "- fd value", "- wait optional", "1 once -".
"$PWATCH" --help | sed -n \
	-e 's/^  -\(.\), --\([a-z-]*\)\([^ ]*\).*/\1 \2 \3/p' \
	-e 's/^      --\([a-z-]*\)\([^ ]*\).*/- \1 \2/p' |
	sed -e 's/ $/ -/' -e 's/\[=.*/optional/' -e '/|/s/=//' -e 's/=.*/value/' >"$work/help"
[ "$(wc -l <"$work/help")" -gt 20 ] || fail "--help lists $(wc -l <"$work/help") options"

# --- zsh ---------------------------------------------------------------------------------------

sed -n "/^_arguments/,\$s/^	\('.*--.*\)/\1/p" "$completions/zsh/_pwatch" | sed -n \
	-e "s/^[^{]*{-\(.\)+\{0,1\},--\([a-z-]*\)\(=\{0,1\}-\{0,1\}\)}\(.*\)/\1 \2 \3 \4/p" \
	-e "s/^'--\([a-z-]*\)\(=\{0,1\}-\{0,1\}\)\[\(.*\)/- \1 \2 '[\3/p" |
	sed -e "s/  '\[.*/ -/" -e 's/ =- .*/ optional/' -e "s/ = .*:(\(.*\))'.*/ =\1/" -e 's/ = .*/ value/' \
		>"$work/zsh"
awk '{ choices = ""; if (sub(/^=/, "", $3)) { for (i = 3; i <= NF; i++) choices = choices (i > 3 ? "|" : "") $i;
	print $1, $2, choices } else print }' "$work/zsh" >"$work/zsh.lines"
compare "pwatch --help and the completion of zsh differ" "$work/help" "$work/zsh.lines"
if command -v zsh >/dev/null; then
	zsh -fn "$completions/zsh/_pwatch" || fail "zsh reports an error"
fi

# --- fish --------------------------------------------------------------------------------------

# An optional value requires an equals sign, which fish does not complete.
sed 's/ optional$/ -/' "$work/help" >"$work/help.fish"
sed -n 's/^complete .* -n __pwatch_no_command \(.*-l .*\) -d .*/\1/p' "$completions/fish/pwatch.fish" |
	awk '{
		letter = "-"; kind = "-"; choices = ""
		for (i = 1; i <= NF; i++) {
			if ($i == "-s") letter = $(i + 1)
			if ($i == "-l") name = $(i + 1)
			if ($i == "-x" || $i == "-r") kind = "value"
		}
		if (match($0, /-a .[a-z ]+.$/)) {
			kind = substr($0, RSTART + 4, RLENGTH - 5)
			gsub(/ /, "|", kind)
		}
		print letter, name, kind
	}' >"$work/fish"
compare "pwatch --help and the completion of fish differ" "$work/help.fish" "$work/fish"
if command -v fish >/dev/null; then
	fish --no-execute "$completions/fish/pwatch.fish" || fail "fish reports an error"
fi

# --- bash --------------------------------------------------------------------------------------

if ! command -v bash >/dev/null; then
	echo "bash is not installed: its completion is not run"
	exit $status
fi
# complete_by_bash WORD...: prints the completions of the last word, one a line.
cat >"$work/complete" <<'END'
compopt() { :; }
. "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_pwatch
printf '%s\n' "${COMPREPLY[@]}"
END
complete_by_bash()
{
	bash --norc "$work/complete" "$completions/bash/pwatch" "$@"
}

# Letters and names, in the order of the help.
awk '{ if ($1 != "-") print "-" $1; print "--" $2 ($3 == "-" || $3 == "optional" ? "" : "=") }' \
	"$work/help" >"$work/words"
complete_by_bash pwatch 12 - >"$work/bash"
compare "pwatch --help and the completion of bash differ" "$work/words" "$work/bash"
# The choices, with each form of the option.
while read -r letter name kind; do
	case $kind in
		*'|'*) echo "$kind" | tr '|' '\n' >"$work/choices" ;;
		value) printf '\n' >"$work/choices" ;;
		*) continue ;;
	esac
	[ "$name" != events ] || printf '%s\n' open close end owner >"$work/choices"
	case $name in pid | output | exec) continue ;; esac
	complete_by_bash pwatch "--$name" '' >"$work/bash"
	compare "bash completes --$name" "$work/choices" "$work/bash"
	complete_by_bash pwatch "--$name" = >"$work/bash"
	compare "bash completes --$name = in two words" "$work/choices" "$work/bash"
	[ "$letter" = - ] || complete_by_bash pwatch "-j$letter" '' >"$work/bash"
	compare "bash completes -$letter" "$work/choices" "$work/bash"
	[ "$kind" = value ] || complete_by_bash pwatch "--$name=" | sed 's/^--[a-z]*=//' >"$work/bash"
	compare "bash completes --$name=" "$work/choices" "$work/bash"
done <"$work/help"

# completes EXPECTED WORD...: expects one completion of the last word.
completes()
{
	echo "$1" >"$work/expected"
	shift
	complete_by_bash "$@" >"$work/bash"
	compare "bash completes $*" "$work/expected" "$work/bash"
}
completes open,close pwatch -e open,cl
completes $$ pwatch $$
completes $$ pwatch -t 3 --wait = 80 $$
completes --color= pwatch -j --co
completes "" pwatch true --co
completes "" pwatch -- --co
mkdir "$work/directory"
completes "$work/directory" pwatch --fd 3 ls "$work/dire"
completes "$work/directory" pwatch -o "$work/dire"
exit $status
