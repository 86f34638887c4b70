#!/bin/sh
# SPDX-License-Identifier: MIT
# check-attacks.sh - an unprivileged user attacks a pwatch that has file capabilities
#
# Takes root, to become that user and to set the capabilities. Environment: PWATCH, ROGUE, builddir.
set -u
: "${builddir:?}"
PATH=$PATH:/usr/sbin:/sbin
# Who attacks, and whom else there is.
mallory=54321
victim=54322
bins=/usr/bin:/bin:/usr/sbin:/sbin
failures=0
passed=0

# --- what the cases are made of ------------------------------------------------------------------

fail()
{
	echo "FAIL: $case_name: $*"
	failed=yes
}

# skip REASON: of one case.
skip()
{
	echo "SKIP: $case_name: $*" >&2
	[ -z "${PORTWATCH_TEST_NO_SKIP-}" ] || fail "may not be skipped: $*"
}

skip_all()
{
	echo "SKIP: $*"
	[ -z "${PORTWATCH_TEST_NO_SKIP-}" ] || exit 1
	exit 77
}

# become USER COMMAND...: with nothing of the environment. Replaces the shell, so in a subshell.
become()
{
	user=$1
	shift
	exec setpriv --reuid "$user" --regid "$user" --clear-groups \
		env -i PATH="$bins" timeout -k 60 60 "$@"
}

# as_mallory COMMAND...: standard output and error go to $work/log; returns the status.
as_mallory()
{
	(become $mallory "$@") >"$work/log" 2>&1
}

# serve USER: starts a server in a network namespace of its own; sets $pid and $port. What it says
# from then on is lost, but may be said.
serve()
{
	unshare --net setpriv --reuid "$1" --regid "$1" --clear-groups "$here/rogue" serve \
		>"$work/ports" &
	pid=$!
	servers="$servers $pid"
	exec 4<"$work/ports"
	read -r port <&4
}

# Whether the last command reported this port, or any.
reported()
{
	grep -q "open  *[0-9.:]*:$1 " "$work/log"
}

expect_port()
{
	reported "$1" || fail "port $1 isn't reported: $(cat "$work/log")"
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
	grep -qF -- "$1" "$work/log" || fail "'$1' isn't said: $(cat "$work/log")"
}

# start_watching PROGRAM [ARGUMENT...]: in the background, as $watcher; lines come on descriptor 5.
# Returns when the first has come, which is in $line.
start_watching()
{
	setpriv --reuid $mallory --regid $mallory --clear-groups env -i PATH="$bins" \
		"$@" >"$work/lines" 2>"$work/errors" &
	watcher=$!
	exec 5<"$work/lines"
	# For a line that never comes: the pipe ends with the watcher.
	(timeout 120 tail -f /dev/null --pid="$watcher" || kill "$watcher") >/dev/null 2>&1 &
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

# The child of $watcher that reads another network namespace.
find_helper()
{
	helper=
	# shellcheck disable=SC2013
	for child in $(cat "/proc/$watcher/task/"*/children); do
		[ "$(cat "/proc/$child/comm")" != portwatch-ns ] || helper=$child
	done
	[ -n "$helper" ] || fail "there is no helper"
}

# --- the cases -----------------------------------------------------------------------------------

# That what follows has something to steal.
the_capability_is_of_use()
{
	as_mallory "$here/plain" --once --reader=setns "$own"
	expect_status 1 $?
	expect_nothing
	as_mallory "$here/own" --once --reader=setns "$own"
	expect_status 0 $?
	expect_port "$own_port"
}

another_users_process()
{
	for reader in auto setns nsenter procfs; do
		for program in own plain; do
			as_mallory "$here/$program" --once --reader=$reader "$other"
			expect_status 1 $?
			expect_nothing
			expect_text "$other"
			expect_text "permission denied"
			expect_text cap_sys_ptrace
		done
	done
}

# The administrator's choice; it is the kernel that lets it through.
any_user_where_that_was_granted()
{
	as_mallory "$here/any" --once --reader=setns "$other"
	expect_status 0 $?
	expect_port "$other_port"
}

# The whole table of a namespace is everybody's to read, in /proc/PID/net/tcp. Not more.
the_table_has_no_owners()
{
	as_mallory "$here/own" --once --scope=netns --json "$other"
	grep -q "\"port\":$other_port,.*\"pid\":null," "$work/log" ||
		fail "not the port alone: $(cat "$work/log")"
}

# mapped_with_lies PROGRAM: with an environment that brings foreign code into a program that isn't
# privileged; whether it is there.
mapped_with_lies()
{
	start_watching LD_PRELOAD="$here/lies/preload.so" LD_LIBRARY_PATH="$here/lies" \
		LD_AUDIT="$here/lies/preload.so" GCONV_PATH="$here/lies" LOCPATH="$here/lies" \
		PATH="$here/lies:$bins" PORTWATCH_DEBUG=1 "$1" "$own"
	grep -q "$here/lies" "/proc/$watcher/maps"
	mapped=$?
	stop_watching
	return $mapped
}

lies_of_the_loader()
{
	mapped_with_lies "$here/plain" || fail "the attack doesn't even work without privilege"
	! mapped_with_lies "$here/own" || fail "foreign code is in the privileged pwatch"
}

lies_about_debugging()
{
	mapped_with_lies "$here/plain"
	[ -s "$work/errors" ] || fail "PORTWATCH_DEBUG says nothing even without privilege"
	mapped_with_lies "$here/own"
	[ ! -s "$work/errors" ] || fail "PORTWATCH_DEBUG is obeyed: $(cat "$work/errors")"
}

# Not even by its true path, and never by PATH.
nsenter_is_not_run()
{
	as_mallory env PATH="$here/lies:$bins" "$here/own" -v --once --reader=nsenter "$own"
	expect_status 1 $?
	expect_nothing
	as_mallory env PATH="$here/lies:$bins" "$here/plain" --once --reader=nsenter "$own"
	PATH=$here/lies:$PATH "$here/plain" --once --reader=nsenter "$own" >"$work/log" 2>&1
	expect_port "$own_port"
	[ ! -e "$here/lies/ran" ] || fail "a program of PATH was run: $(cat "$here/lies/ran")"
	rm -f "$here/lies/ran"
}

looking_into_processes()
{
	start_watching "$here/own" "$own"
	find_helper
	! as_mallory "$here/rogue" spy "$own" || fail "the spy doesn't see what it may see"
	for spied in "$watcher" "$helper"; do
		as_mallory "$here/rogue" spy "$spied" ||
			fail "$(cat "/proc/$spied/comm"): open to: $(xargs <"$work/log")"
	done
	for word in CapInh CapPrm CapEff CapAmb; do
		grep -q "^$word:.0*$" "/proc/$helper/status" || fail "the helper has $word"
	done
	# Nothing but cap_sys_admin, 21, and that not in effect.
	grep -q '^CapPrm:.0000000000200000$' "/proc/$watcher/status" ||
		fail "pwatch has $(grep CapPrm "/proc/$watcher/status")"
	grep -q '^CapEff:.0*$' "/proc/$watcher/status" || fail "pwatch has capabilities in effect"
	stop_watching
}

# attacked_by SIGNAL: the helper gets it; a port that opens afterwards is still told, and no port is
# told to be closed.
attacked_by()
{
	start_watching "$here/own" --interval=0.1 "$own"
	find_helper
	as_mallory kill "-$1" "$helper"
	kill -USR1 "$own"
	read -r more <&4
	until [ -z "$line" ] || echo "$line" | grep -q ":$more "; do
		next_line
		! echo "$line" | grep -q " close " || fail "a port is told to be closed: $line"
	done
	[ -n "$line" ] || fail "after SIG$1 to the helper no port is told: $(cat "$work/errors")"
	stop_watching
}

signals_to_the_helper()
{
	attacked_by STOP
	attacked_by KILL
}

# The file is opened with the caller's rights alone.
output_through_a_symbolic_link()
{
	for program in own any; do
		ln -sf "$work/treasure" "$here/mine/link"
		as_mallory "$here/$program" --once --output="$here/mine/link" "$own"
		expect_status 1 $?
		expect_text "$here/mine/link"
		[ "$(cat "$work/treasure")" = gold ] || fail "the file behind the link was written"
	done
}

# open(2) waits for a reader, as with the shell's redirection; a signal ends that.
output_to_a_fifo_without_a_reader()
{
	start=$(mktemp "$work/XXXXXX")
	mkfifo -m 666 "$here/mine/fifo"
	setpriv --reuid $mallory --regid $mallory --clear-groups \
		"$here/own" --once --output="$here/mine/fifo" "$own" 2>"$start" &
	fifo_pid=$!
	# Until it waits: then wchan or syscall tells; the state does anywhere.
	until grep -q '^State:.S' "/proc/$fifo_pid/status" && [ "$(cat "/proc/$fifo_pid/comm")" = own ]; do
		kill -0 $fifo_pid 2>/dev/null || break
	done
	kill -TERM $fifo_pid
	wait $fifo_pid
	[ $? -eq 143 ] || fail "not ended by SIGTERM: $(cat "$start")"
	rm -f "$here/mine/fifo"
}

# hostile THING...: status 0 with the port, or status 1 with a message.
hostile()
{
	for program in own any; do
		rm -f "$here/mine/out"
		as_mallory "$here/rogue" with "$@" -- "$here/$program" --once \
			--output="$here/mine/out" "$own"
		status=$?
		case $status in
		0) cat "$here/mine/out" >>"$work/log" && expect_port "$own_port" ;;
		1) [ -s "$work/log" ] || [ "$1" = closed ] || fail "$*: not a word" ;;
		*) fail "$*: status $status: $(cat "$work/log")" ;;
		esac
	done
}

hostile_surroundings()
{
	hostile closed
	hostile files
	hostile processes
	hostile blocked
	expect_status 0 "$status"
	hostile ignored
	expect_status 0 "$status"
	hostile closed files processes blocked
}

# COMMAND runs as if pwatch were not there.
what_a_command_gets()
{
	(become $mallory "$here/rogue" show) >"$work/direct" 2>&1
	for program in plain own any; do
		as_mallory "$here/$program" --output=/dev/null -- "$here/rogue" show
		expect_status 0 $?
		diff "$work/direct" "$work/log" || fail "$program: COMMAND gets something else"
	done
	(become $mallory "$here/rogue" with blocked ignored -- "$here/rogue" show) \
		>"$work/direct" 2>&1
	as_mallory "$here/rogue" with blocked ignored -- \
		"$here/own" --output=/dev/null -- "$here/rogue" show
	diff "$work/direct" "$work/log" || fail "COMMAND gets other signals"
}

# degraded: $work/log is of `own -v --once` on our own process, which has not the way of setns.
degraded()
{
	expect_status 0 "$1"
	expect_port "$own_port"
	expect_text "procfs reader"
	[ "$(grep -c 'because setns' "$work/log")" -eq 1 ] ||
		fail "the reason isn't told once: $(cat "$work/log")"
}

limited_from_outside()
{
	setpriv --bounding-set -sys_admin --reuid $mallory --regid $mallory --clear-groups \
		"$here/own" -v --once "$own" >"$work/log" 2>&1
	degraded $?
	as_mallory setpriv --no-new-privs "$here/own" -v --once "$own"
	degraded $?
	# shellcheck disable=SC2016
	unshare --mount sh -c '
		mount --bind "$1" "$1" && mount -o remount,bind,nosuid "$1" || exit 77
		exec setpriv --reuid "$2" --regid "$2" --clear-groups "$1/own" -v --once "$3"
	' sh "$here" $mallory "$own" >"$work/log" 2>&1
	status=$?
	if [ $status -eq 77 ]; then skip "no bind mount"; else degraded $status; fi
}

# refused CALL...: under a filter that lets them fail, put in place by root: file capabilities work.
refused()
{
	rules=
	for call in "$@"; do rules="$rules refused:$call=1"; done
	# shellcheck disable=SC2086
	"$here/rogue" with $rules -- "$(command -v setpriv)" --reuid $mallory --regid $mallory \
		--clear-groups "$here/$program" -v $how "$own" >"$work/log" 2>&1
}

# What a container's default profile refuses, and more.
refused_by_a_filter()
{
	program=own how=--once
	refused setns perf_event_open bpf
	degraded $?
	expect_text "cannot run nsenter while privileged by exec (AT_SECURE)"
	program=any
	refused perf_event_open bpf
	expect_status 0 $?
	expect_port "$own_port"
	how=--check
	refused perf_event_open bpf
	expect_text "cannot open the tracepoint (perf_event_open): Operation not permitted"
	how=--once
	for call in pidfd_open socket fsopen; do
		refused $call
		expect_status 0 $?
		expect_port "$own_port"
	done
}

in_a_user_namespace()
{
	as_mallory unshare --user --map-root-user true || { skip "no user namespaces"; return; }
	# shellcheck disable=SC2016
	# shellcheck disable=SC2016
	as_mallory unshare --user --map-root-user --net sh -c '
		"$1/rogue" serve >"$1/mine/port" &
		until [ -s "$1/mine/port" ]; do kill -0 $! || exit 1; done
		"$1/own" --once $!
		status=$?
		kill $!
		exit $status
	' sh "$here"
	expect_status 0 $?
	expect_port "$(cat "$here/mine/port")"
}

hidden_processes()
{
	for hidepid in 1 2; do
		# The leak sanitizer, if built in, doesn't see itself there.
		# shellcheck disable=SC2016
		ASAN_OPTIONS=detect_leaks=0 unshare --mount sh -c '
			mount -t proc -o "hidepid=$1" proc /proc || exit 77
			become="setpriv --reuid $2 --regid $2 --clear-groups"
			$become "$3/own" --once "$4" || exit 3
			! $become "$3/own" --once "$5"
		' sh $hidepid $mallory "$here" "$own" "$other" >"$work/log" 2>&1
		status=$?
		if [ $status -eq 77 ]; then
			skip "no /proc with hidepid"
			return
		fi
		expect_status 0 $status
		expect_port "$own_port"
		! reported "$other_port" || fail "a hidden process is reported"
		expect_text "watch process $other: "
	done
}

# The network namespace of a rootless container belongs to its user's own user namespace.
rootless_containers()
{
	as_mallory unshare --user --net true || { skip "no user namespaces"; return; }
	setpriv --reuid $mallory --regid $mallory --clear-groups \
		unshare --user --map-root-user --net "$here/rogue" serve >"$work/container" &
	servers="$servers $!"
	exec 6<"$work/container"
	read -r container_port <&6
	for program in plain own any; do
		as_mallory "$here/$program" --once --reader=setns $!
		expect_status 0 $?
		expect_port "$container_port"
	done
	exec 6<&-
}

# --- the run -------------------------------------------------------------------------------------

# A directory that the attacker can reach, on a file system where file capabilities work.
find_place()
{
	for parent in ${TMPDIR:+"$TMPDIR"} "$builddir" /var/tmp /tmp; do
		here=$(mktemp -d "$parent/attacks.XXXXXX" 2>/dev/null) || continue
		chmod 755 "$here"
		cp "$ROGUE" "$here/rogue" && cp "$here/rogue" "$here/probe" && chmod 755 "$here"/* &&
			setcap cap_sys_admin=p "$here/probe" 2>/dev/null &&
			(become $mallory "$here/probe" secure) 2>/dev/null && return 0
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
	skip_all "pwatch isn't built on this system"
fi
[ "$(id -u)" -eq 0 ] || skip_all "takes root, to become somebody else"
for program in setpriv setcap unshare timeout; do
	command -v $program >/dev/null || skip_all "takes $program"
done
case_name=start
servers=
find_place || skip_all "no place that others can reach and where file capabilities work"
work=$(mktemp -d "${TMPDIR:-$builddir}/attacks.XXXXXX")
trap clean_up EXIT
mkfifo "$work/ports" "$work/lines" "$work/container"
echo gold >"$work/treasure"
mkdir "$here/lies" "$here/mine"
chown $mallory "$here/mine" "$here/lies"
for program in plain own any; do
	install -m 755 "$PWATCH" "$here/$program"
done
setcap cap_sys_admin=p "$here/own"
setcap cap_sys_admin,cap_sys_ptrace,cap_dac_read_search=p "$here/any"
cp "$(ldd "$PWATCH" | sed -n 's/.*libcap[^ ]* => \([^ ]*\) .*/\1/p')" "$here/lies/preload.so"
for program in nsenter sh sed cat; do
	printf '#!/bin/sh\necho %s >>%s/lies/ran\n' "$program" "$here" >"$here/lies/$program"
	chmod 755 "$here/lies/$program"
done
serve $victim
other=$pid other_port=$port
serve $mallory
own=$pid own_port=$port
[ -n "$own_port" ] || skip_all "no network namespaces"

for case_name in \
	the_capability_is_of_use \
	another_users_process \
	any_user_where_that_was_granted \
	the_table_has_no_owners \
	lies_of_the_loader \
	lies_about_debugging \
	nsenter_is_not_run \
	looking_into_processes \
	output_through_a_symbolic_link \
	output_to_a_fifo_without_a_reader \
	hostile_surroundings \
	what_a_command_gets \
	limited_from_outside \
	refused_by_a_filter \
	in_a_user_namespace \
	hidden_processes \
	rootless_containers \
	signals_to_the_helper; do
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
