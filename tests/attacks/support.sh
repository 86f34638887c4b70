# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# support.sh - functions for the attacks of an unprivileged user on a pwatch with file capabilities
#
# The attacks source this file. It prepares the attack, or ends with status 77. Root is required to change
# the user and to set the capabilities. Environment: PWATCH, ROGUE, builddir, srcdir.
# Many variables are for the files that source this one.
# shellcheck disable=SC2034
set -u
: "${builddir:?}"
# shellcheck source=tests/support/patience.sh
. "${srcdir:?}/tests/support/patience.sh"
PATH=$PATH:/usr/sbin:/sbin
# The user that attacks, and another user.
mallory=54321
victim=54322
bins=/usr/bin:/bin:/usr/sbin:/sbin
failures=0
passed=0

# --- functions for the cases ---------------------------------------------------------------------

fail()
{
	echo "FAIL: $case_name: $*"
	failed=yes
}

# skip REASON: skips one case.
skip()
{
	echo "SKIP: $case_name: $*" >&2
	[ -z "${PORTWATCH_TEST_NO_SKIP-}" ] || fail "PORTWATCH_TEST_NO_SKIP forbids the skip: $*"
}

skip_all()
{
	echo "SKIP: $*"
	[ -z "${PORTWATCH_TEST_NO_SKIP-}" ] || exit 1
	exit 77
}

# run_as USER COMMAND...: runs COMMAND with an empty environment. Replaces the shell, so the caller needs a
# subshell.
run_as()
{
	user=$1
	shift
	exec setpriv --reuid "$user" --regid "$user" --clear-groups \
		env -i PATH="$bins" timeout -k "$(patience 60)" "$(patience 60)" "$@"
}

# as_mallory COMMAND...: runs COMMAND as the attacker. Standard output and error go to $work/log. Returns the
# status.
as_mallory()
{
	(run_as $mallory "$@") >"$work/log" 2>&1
}

# serve USER: starts a server in a network namespace of its own; sets $pid and $port. Descriptor 4 stays open,
# so that the server can write more ports.
serve()
{
	unshare --net setpriv --reuid "$1" --regid "$1" --clear-groups "$here/rogue" serve \
		>"$work/ports" &
	pid=$!
	servers="$servers $pid"
	exec 4<"$work/ports"
	read -r port <&4
}

# reported PORT: whether the last command has printed the port (a pattern), in a listing or as an event.
reported()
{
	grep -q "^\(.* open  *\)\{0,1\}[0-9][0-9.]*:$1 " "$work/log"
}

expect_port()
{
	reported "$1" || fail "port $1 is not reported: $(cat "$work/log")"
}

expect_nothing()
{
	! reported '[0-9]*' || fail "a port is reported: $(cat "$work/log")"
}

# expect_status WANTED STATUS
expect_status()
{
	[ "$2" -eq "$1" ] || fail "the status is $2, not $1: $(cat "$work/log")"
}

expect_text()
{
	grep -qF -- "$1" "$work/log" || fail "'$1' is not printed: $(cat "$work/log")"
}

expect_once()
{
	[ "$(grep -cF -- "$1" "$work/log")" -eq 1 ] || fail "'$1' is not printed exactly once: $(cat "$work/log")"
}

# start_watching PROGRAM [ARGUMENT...]: starts $watcher in the background, whose lines descriptor 5 receives.
# Returns after the first line, which is in $line.
start_watching()
{
	setpriv --reuid $mallory --regid $mallory --clear-groups env -i PATH="$bins" \
		"$@" >"$work/lines" 2>"$work/errors" &
	watcher=$!
	exec 5<"$work/lines"
	# If a line is missing, the end of the watcher after the deadline ends the wait.
	(timeout "$(patience 120)" tail -f /dev/null --pid="$watcher" || kill "$watcher") >/dev/null 2>&1 &
	next_line
}

next_line()
{
	read -r line <&5 || line=
}

stop_watching()
{
	kill "$watcher" 2>/dev/null
	wait "$watcher" 2>/dev/null
	exec 5<&-
}

# Sets $helper to the child of $watcher that reads another network namespace.
find_helper()
{
	helper=
	# shellcheck disable=SC2013
	for child in $(cat "/proc/$watcher/task/"*/children); do
		[ "$(cat "/proc/$child/comm")" != portwatch-ns ] || helper=$child
	done
	[ -n "$helper" ] || fail "there is no helper"
}

# run_cases CASE...: calls the functions of these names. Its status is the status of the script.
run_cases()
{
	for case_name in "$@"; do
		failed=no
		$case_name
		if [ $failed = no ]; then
			passed=$((passed + 1))
		else
			failures=$((failures + 1))
		fi
	done
	echo "$passed cases passed, $failures failed"
	[ $failures -eq 0 ]
}

# --- preparation ---------------------------------------------------------------------------------

# Creates $here, a directory that the attacker can reach, on a file system where file capabilities work.
make_directory()
{
	for parent in ${TMPDIR:+"$TMPDIR"} "$builddir" /var/tmp /tmp; do
		here=$(mktemp -d "$parent/attacks.XXXXXX" 2>/dev/null) || continue
		chmod 755 "$here"
		cp "$ROGUE" "$here/rogue" && cp "$here/rogue" "$here/probe" && chmod 755 "$here"/* &&
			setcap cap_sys_admin=p "$here/probe" 2>/dev/null &&
			(run_as $mallory "$here/probe" secure) 2>/dev/null && return 0
		rm -rf "$here"
	done
	return 1
}

clean_up()
{
	# shellcheck disable=SC2086
	[ -z "$servers" ] || kill $servers 2>/dev/null
	rm -rf "$here" "$work"
}

if [ ! -x "$PWATCH" ] || [ ! -x "$ROGUE" ]; then
	skip_all "pwatch is not built on this system"
fi
[ "$(id -u)" -eq 0 ] || skip_all "root is required to change the user"
for program in setpriv setcap unshare timeout; do
	command -v $program >/dev/null || skip_all "$program is required"
done
case_name=start
servers=
make_directory || skip_all "no directory that other users can reach and where file capabilities work"
work=$(mktemp -d "${TMPDIR:-$builddir}/attacks.XXXXXX")
trap clean_up EXIT
mkfifo "$work/ports" "$work/lines" "$work/container"
echo original >"$work/protected"
mkdir "$here/hostile" "$here/mine"
chown $mallory "$here/mine" "$here/hostile"
# plain has no capability, own can report the caller's processes in every namespace, any all processes.
for program in plain own any; do
	install -m 755 "$PWATCH" "$here/$program"
done
setcap cap_sys_admin=p "$here/own"
setcap cap_sys_admin,cap_sys_ptrace,cap_dac_read_search=p "$here/any"
for program in nsenter sh sed cat; do
	printf '#!/bin/sh\necho %s >>%s/hostile/ran\n' "$program" "$here" >"$here/hostile/$program"
	chmod 755 "$here/hostile/$program"
done
serve $victim
other=$pid other_port=$port
serve $mallory
own=$pid own_port=$port
[ -n "$own_port" ] || skip_all "no network namespaces"
# A library that the loader of pwatch accepts. ldd(1) would use the default loader.
start_watching "$here/plain" "$own"
cp "$(sed -n 's,.* \(/.*libcap[^ ]*\)$,\1,p' "/proc/$watcher/maps" | head -n 1)" "$here/hostile/preload.so"
stop_watching
