#!/bin/sh
# SPDX-License-Identifier: MIT
# check-docs.sh - the manual pages agree with the code: every option of pwatch --help with its argument, every
# function of portwatch.h with its prototype, every constant
set -u
srcdir=${srcdir:-.}
pwatch=${PWATCH:-./pwatch}
header=$srcdir/lib/api/portwatch.h
page1=$srcdir/docs/pwatch.1
page3=$srcdir/docs/libportwatch.3
# The pages of the functions are the arguments.
set -- "$srcdir"/docs/portwatch_*.3
. "$srcdir/tests/support/checks.sh"

# --- pwatch.1: lines such as "-e, --events=LIST", in the order of --help -----------------------

if [ -x "$pwatch" ]; then
	"$pwatch" --help | sed -n 's/^ \{2,6\}\(-[-a-zA-Z0-9,]*\( --[-a-z]*\)\{0,1\}\(\[\{0,1\}=[^ ]*\)\{0,1\}\).*/\1/p' \
		>"$work/help"
	sed -n 's/^\.It \(Fl .*\)/\1/p' "$page1" |
		sed -e 's/ Ns Op = Ns Ar \(.*\)$/[=\1]/' -e 's/Ns = Ns Ar /=/' -e 's/Fl -/--/g' -e 's/Fl \([^ ]\)/-\1/g' -e 's/ ,/,/' \
			-e 's/ =/=/' >"$work/page1"
	compare "pwatch --help and $page1 differ" "$work/help" "$work/page1"
else
	echo "pwatch was not built: its help is not compared"
fi

# --- section 3 -------------------------------------------------------------------------------

# Removes comments, and puts each declaration on one line: "int portwatch_stop(struct ...)".
sed -e 's,/\*[^*]*\*/,,' -e '/\/\*/,/\*\//d' -e '/^#/d' "$header" |
	tr '\n\t' '  ' | tr -s ' ' | tr ';' '\n' | grep -v '^ *typedef ' |
	sed -n 's/^ *\([^{}]*portwatch_[a-z0-9_]*([^()]*)\)$/\1/p' | sort >"$work/prototypes"
# .Ft TYPE, then .Fn NAME "ARGUMENT" "ARGUMENT"
awk '/^\.Ft / { type = substr($0, 5); sub(/\*$/, "*", type); next }
	/^\.Fn / && type != "" {
		line = substr($0, 5)
		name = line; sub(/ .*/, "", name)
		sub(/^[^ ]* "/, "", line); sub(/"$/, "", line)
		gsub(/" "/, ", ", line)
		print type (type ~ /\*$/ ? "" : " ") name "(" line ")"
		type = ""
	}' "$@" | sort >"$work/synopsis"
compare "portwatch.h and the synopses of the manual pages differ" "$work/prototypes" "$work/synopsis"

sed -n 's/.*\(portwatch_[a-z0-9_]*\)(.*/\1/p' "$work/prototypes" | sort >"$work/functions"
sed -n 's/^\.It Fn \(portwatch_[a-z0-9_]*\).*/\1/p' "$@" | sort >"$work/described"
compare "portwatch.h and the descriptions in the manual pages differ" "$work/functions" "$work/described"
# A page has the name of its first function, and names the others, whose pages are links to it.
sed -n 's/^\.Nm \(portwatch_[a-z0-9_]*\).*/\1/p' "$@" | sort >"$work/named"
compare "portwatch.h and the names of the manual pages differ" "$work/functions" "$work/named"
for page in "$@"; do
	name=$(basename "$page" .3)
	[ "$(sed -n 's/^\.Nm \([a-z0-9_]*\).*/\1/p' "$page" | head -n 1)" = "$name" ] ||
		fail "$page does not begin with $name"
	grep -qx "\.It Xr $name 3" "$page3" || fail "$page3 does not refer to $name(3)"
done

# Lines such as "portwatch_new 0.1": the first version of each function, in the header and under HISTORY.
awk '/^\/\*\*$/ { getline; name = $2; sub(/:$/, "", name) }
	/^ \* Since: / && name ~ /^portwatch_[a-z0-9_]+$/ { print name, $3; name = "" }' "$header" |
	grep -Fwf "$work/functions" | sort >"$work/since"
awk '/^\.Sh / { inside = /HISTORY/ } inside && /^\.It Since / { version = $3 }
	inside && /^\.Fn / { print $2, version }' "$@" | sort >"$work/history"
compare "portwatch.h and HISTORY in the manual pages differ" "$work/since" "$work/history"

# In the header, only enumerators have a value.
sed -n 's/^[[:space:]]*\(PORTWATCH_[A-Z0-9_]*\) = .*/\1/p' "$header" | sort >"$work/constants"
sed -n '/^\.Sh CONSTANTS/,/^\.Sh EN/s/^\.\(It \)\{0,1\}Dv \(PORTWATCH_[A-Z0-9_]*\).*/\2/p' "$page3" |
	sort -u >"$work/explained"
comm -23 "$work/constants" "$work/explained" >"$work/missing"
[ -s "$work/constants" ] || fail "no constant found in $header"
while read -r name; do
	fail "$page3 does not explain $name"
done <"$work/missing"

# --- portwatch.h: the first version of every declaration -----------------------------------------

awk '/^\/\*\*/ { comment = 1; since = 0; name = $0 }
	comment && /^ \* (struct|enum|portwatch[_.]|PORTWATCH_)/ && name == "/**" { name = $0 }
	comment && /Since: [0-9]+\.[0-9]+$/ { since = 1 }
	comment && /\*\// {
		comment = 0
		if (!since && name !~ /portwatch\.h/)
			print name
		documented++
	}
	END { if (documented < 60) print "only", documented, "comments found" }' "$header" >"$work/since"
while read -r name; do
	fail "no Since in $header: $name"
done <"$work/since"
# Every declaration follows such a comment.
awk '/^ \*\/$/ { last = NR }
	/^(struct|enum) [a-z_]+( \{|;)/ || /^typedef / || /^#define PORTWATCH_[A-Z_]+ \(/ ||
	/^[a-z].*portwatch_[a-z0-9_]+\(/ { if (last != NR - 1) print }' "$header" >"$work/bare"
while read -r line; do
	fail "no comment in $header before: $line"
done <"$work/bare"

# --- deployment.md -------------------------------------------------------------------------------

# The unit allows every system call that the library names. The calls in this list are in groups that the unit
# allows, or only exist for systems without a newer call (fork).
in_groups=" arch_prctl close close_range dup3 execve exit_group fork geteuid getpid gettid lseek munmap
 pread64 prlimit64 read rt_sigaction rt_sigprocmask writev "
allowed="$in_groups $(sed -n 's/^SystemCallFilter=//p' "$srcdir/docs/deployment.md") "
allowed=" $(echo "$allowed" | tr '\n' ' ') "
grep -rhoE '\<SYS_[a-z0-9_]+' "$srcdir/lib" | sort -u | sed 's/^SYS_//' >"$work/calls"
[ -s "$work/calls" ] || fail "no system call found in lib"
while read -r name; do
	case $allowed in
		*" $name "*) ;;
		*) fail "SystemCallFilter= in docs/deployment.md does not allow $name" ;;
	esac
done <"$work/calls"

# --- both --------------------------------------------------------------------------------------

if command -v mandoc >/dev/null 2>&1; then
	mandoc -T lint -W warning "$page1" "$page3" "$@" || fail "mandoc reports an error"
fi
exit $status
