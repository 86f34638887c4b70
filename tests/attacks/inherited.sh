#!/bin/sh
# SPDX-License-Identifier: MIT
# inherited.sh - attacks: limits that the caller, or the parent of the caller, has set
# shellcheck source=tests/attacks/support.sh
. "${srcdir:?}/tests/attacks/support.sh"

# run_limited LIMIT...: runs pwatch under the limits. Expects status 0 with the port, or status 1 with a
# message.
run_limited()
{
	for program in own any; do
		rm -f "$here/mine/out"
		as_mallory "$here/rogue" with "$@" -- "$here/$program" --once \
			--output="$here/mine/out" "$own"
		status=$?
		case $status in
		0) cat "$here/mine/out" >>"$work/log" && expect_port "$own_port" ;;
		1) [ -s "$work/log" ] || [ "$1" = closed ] || fail "$*: no message" ;;
		*) fail "$*: status $status: $(cat "$work/log")" ;;
		esac
	done
}

limited_by_the_caller()
{
	run_limited closed
	run_limited files
	expect_text "too many open files; raise the limit (ulimit -n)"
	run_limited processes
	expect_text "no thread or process can be made; raise the limit (ulimit -u)"
	# The leak sanitizer, if built in, cannot fork.
	as_mallory env ASAN_OPTIONS=detect_leaks=0 "$here/rogue" with processes -- \
		"$here/plain" -- true
	expect_status 125 $?
	expect_text "no thread or process can be made; raise the limit (ulimit -u)"
	as_mallory "$here/rogue" with files -- "$here/own" --check "$own"
	expect_status 1 $?
	expect_text "too many open files; raise the limit (ulimit -n)"
	run_limited blocked
	expect_status 0 "$status"
	run_limited ignored
	expect_status 0 "$status"
	run_limited closed files processes blocked
}

# expect_fallback STATUS: expects that `own -v --once`, whose output is in $work/log, had to fall back
# from setns.
expect_fallback()
{
	expect_status 0 "$1"
	expect_port "$own_port"
	expect_text "procfs reader"
	expect_once "because setns"
}

# Skips the case if the kernel refuses a mount namespace, as in a chroot whose root is not a mount point.
require_mounts()
{
	unshare --mount true 2>/dev/null || {
		skip "no mount namespace (in a chroot?)"
		return 1
	}
}

limited_by_the_parent()
{
	setpriv --bounding-set -sys_admin --reuid $mallory --regid $mallory --clear-groups \
		"$here/own" -v --once "$own" >"$work/log" 2>&1
	expect_fallback $?
	as_mallory setpriv --no-new-privs "$here/own" -v --once "$own"
	expect_fallback $?
	require_mounts || return 0
	# shellcheck disable=SC2016
	unshare --mount sh -c '
		mount --bind "$1" "$1" && mount -o remount,bind,nosuid "$1" || exit 77
		exec setpriv --reuid "$2" --regid "$2" --clear-groups "$1/own" -v --once "$3"
	' sh "$here" $mallory "$own" >"$work/log" 2>&1
	status=$?
	if [ $status -eq 77 ]; then skip "no bind mount"; else expect_fallback $status; fi
}

# run_refused CALL...: runs pwatch under a filter that makes the calls fail with $error. Root installs the
# filter, so that file capabilities work.
run_refused()
{
	rules=
	for call in "$@"; do rules="$rules refused:$call=$error"; done
	# shellcheck disable=SC2086
	"$here/rogue" with $rules -- "$(command -v setpriv)" --reuid $mallory --regid $mallory \
		--clear-groups "$here/$program" -v $how "$own" >"$work/log" 2>&1
}

# The calls that the default profile of containers refuses, and others.
seccomp_filter()
{
	program=own how=--once error=1
	run_refused setns perf_event_open bpf
	expect_fallback $?
	expect_text "cannot run nsenter while privileged by exec (AT_SECURE)"
	program=any
	run_refused perf_event_open bpf
	expect_status 0 $?
	expect_port "$own_port"
	how=--check
	run_refused perf_event_open bpf
	expect_text "cannot make a map of perf events (bpf): Operation not permitted"
	how=--once
	# EPERM, EACCES and ENOSYS.
	for error in 1 13 38; do
		for call in pidfd_open socket fsopen perf_event_open; do
			run_refused $call
			expect_status 0 $?
			expect_port "$own_port"
			[ "$call" != socket ] || expect_once "because table diag: cannot open"
		done
	done
}

# Runs as root, because the filter must not disable file capabilities.
capset_refused()
{
	"$here/rogue" with refused:capset=1 -- "$here/plain" --once "$own" >"$work/log" 2>&1
	expect_status 1 $?
	expect_nothing
	expect_text "cannot start: Operation not permitted"
	"$here/rogue" with refused:capset=1 -- "$here/plain" --check "$own" >"$work/log" 2>&1
	expect_status 1 $?
	expect_text "cannot check: Operation not permitted"
}

in_a_user_namespace()
{
	as_mallory unshare --user --map-root-user true || { skip "no user namespaces"; return; }
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
	require_mounts || return 0
	for hidepid in 1 2; do
		# The leak sanitizer, if built in, does not find itself in this /proc.
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
		expect_text "watch process $other: /proc hides it (hidepid); run pwatch as its user"
	done
}

run_cases limited_by_the_caller limited_by_the_parent seccomp_filter \
	capset_refused in_a_user_namespace hidden_processes
