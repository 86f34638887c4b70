#!/bin/sh
# SPDX-License-Identifier: MIT
# check.sh - what pwatch --check says, by who asks and what limits them: that it is the truth
# shellcheck source=tests/attacks/support.sh
. "${srcdir:?}/tests/attacks/support.sh"

# checks COMMAND...: COMMAND ends in the name of a pwatch and is asked about the process $asked, in
# JSON and in words. Returns the status.
checks()
{
	"$@" --check "$asked" >"$work/words" 2>&1
	in_words=$?
	"$@" --check --json "$asked" >"$work/log" 2>&1
	status=$?
	[ $status -eq $in_words ] || fail "status $status, but in words $in_words"
	return $status
}

user_checks()
{
	checks setpriv --reuid $mallory --regid $mallory --clear-groups "$@"
}

# finding TOPIC NAME VALUE [NOTE]: the beginning of the value, a part of the note.
finding()
{
	grep -F "{\"topic\":\"$1\",\"name\":\"$2\",\"value\":\"$3" "$work/log" |
		grep -qF -- "${4-}" || fail "not found: $*: in $(cat "$work/log")"
	grep -F "  $2 " "$work/words" | grep -F -- " $3" | grep -qF -- "${4-}" ||
		fail "not in words: $*: in $(cat "$work/words")"
}

no_finding()
{
	! grep -q "^{\"topic\":\"$1\"" "$work/log" || fail "$1: $(cat "$work/log")"
}

# Whether this kernel and whoever runs the tests have a notifier at all.
has_notifier()
{
	"$here/plain" --check --json "$own" | grep -q '"name":"listen","value":"bpf"'
}

# notifier_is MECHANISM [NOTE]: that of listen(2).
notifier_is()
{
	if [ "$1" = polling ] || has_notifier; then
		finding notifier listen "$1" "${2-}"
	fi
}

visible()
{
	expect_status 0 "$1"
	finding result "process $asked" yes "open now: 1"
}

hidden()
{
	expect_status 1 "$1"
	finding result "process $asked" no "$2"
}

read_by()
{
	finding namespace "netns $(stat -Lc %i "/proc/$asked/ns/net")" "$1 reader, $2 table" "${3-}"
}

# All that the ordinary user has not.
lacks_all()
{
	read_by procfs procfs "cannot enter the network namespace (setns): Operation not permitted"
	notifier_is polling
	finding privilege permitted "none that is of use"
	finding missing cap_sys_admin "to enter other network namespaces"
	finding missing cap_sys_admin "to be told by the kernel"
	finding missing cap_sys_ptrace "to see what processes of other users hold"
	finding grant "docker, podman" "--pid=host --cap-add=SYS_ADMIN"
	finding grant systemd "AmbientCapabilities=CAP_SYS_ADMIN"
}

root()
{
	for asked in "$own" "$other"; do
		checks "$here/plain"
		visible $?
		read_by setns diag
		notifier_is bpf
		no_finding missing
		no_finding grant
	done
}

ordinary_user()
{
	asked=$own
	user_checks "$here/plain"
	visible $?
	lacks_all
	finding privilege user $mallory
	finding privilege "more by exec" no
	finding grant lastingly "setcap cap_sys_admin,cap_sys_ptrace,cap_dac_read_search=p $here/plain"
	asked=$other
	user_checks "$here/plain"
	hidden $? "permission denied"
}

# granted NAME: the command that --check says.
granted()
{
	sed -n "s/^{\"topic\":\"grant\",\"name\":\"$1\",\"value\":\"\([^\"]*\)\".*/\1/p" "$work/log"
}

what_it_says_to_grant_is_enough()
{
	asked=$other
	cp "$here/plain" "$here/granted"
	user_checks "$here/granted"
	once=$(granted "once, as root")
	lastingly=$(granted lastingly)
	sh -c "$once --once" >"$work/log" 2>&1
	expect_status 0 $?
	expect_port "$other_port"
	sh -c "$lastingly" || fail "can't be run: $lastingly"
	user_checks "$here/granted"
	visible $?
	read_by setns diag
	notifier_is bpf
	no_finding missing
	rm -f "$here/granted"
}

file_capabilities()
{
	asked=$own
	user_checks "$here/own"
	visible $?
	read_by setns diag
	finding privilege "more by exec" yes "no nsenter is run"
	finding privilege permitted cap_sys_admin
	finding privilege "in effect" "none that is of use"
	notifier_is bpf
	finding missing cap_sys_ptrace "to see what processes of other users hold"
	asked=$other
	user_checks "$here/own"
	hidden $? "permission denied"
	user_checks "$here/any"
	visible $?
	read_by setns diag
	notifier_is bpf
	no_finding missing
}

no_new_privs()
{
	asked=$own
	user_checks setpriv --no-new-privs "$here/any"
	visible $?
	lacks_all
	finding privilege no_new_privs yes "file capabilities are ignored"
	finding grant lastingly setcap "no use here: no_new_privs is set"
}

bounding_set()
{
	asked=$own
	checks setpriv --bounding-set -sys_admin,-bpf,-perfmon,-sys_ptrace,-dac_read_search \
		--reuid $mallory --regid $mallory --clear-groups "$here/any"
	visible $?
	lacks_all
	finding privilege "bounding set" "none that is of use"
	finding grant lastingly setcap "no use here: the bounding set lacks some"
}

file_system_without_privileges()
{
	asked=$own
	# shellcheck disable=SC2016
	set -- unshare --mount sh -c '
		mount --bind "$0" "$0" && mount -o remount,bind,nosuid "$0" || exit 77
		id=$1
		shift
		exec setpriv --reuid "$id" --regid "$id" --clear-groups "$@"
	' "$here" $mallory
	"$@" true || { skip "no bind mount"; return; }
	checks "$@" "$here/any"
	visible $?
	lacks_all
	finding grant lastingly setcap "no use there: the file system is mounted nosuid"
}

# As Docker's default profile refuses them without CAP_SYS_ADMIN; here with it. With CAP_PERFMON
# alone it refuses bpf(2) and not perf_event_open(2).
seccomp_filter()
{
	asked=$own
	checks "$here/rogue" with refused:perf_event_open=1 refused:bpf=1 -- "$here/plain"
	visible $?
	read_by setns diag
	notifier_is polling "cannot make a map of perf events (bpf): Operation not permitted"
	finding privilege seccomp filter
	finding missing "system calls" "setns"
	finding grant "docker, podman" "--security-opt=seccomp=unconfined"
	checks "$here/rogue" with refused:bpf=1 -- "$here/plain"
	visible $?
	notifier_is tracepoint "bpf: cannot make a map of perf events (bpf): Operation not permitted"
	finding notifier processes perf
	checks "$here/rogue" with refused:setns=1 refused:perf_event_open=1 refused:bpf=1 -- \
		"$(command -v setpriv)" --reuid $mallory --regid $mallory --clear-groups "$here/any"
	visible $?
	read_by procfs procfs "cannot enter the network namespace (setns): Operation not permitted"
	finding missing "system calls" "setns"
	finding grant "docker, podman" "--security-opt=seccomp=unconfined"
}

hidden_processes()
{
	# shellcheck disable=SC2016
	hidden='mount -t proc -o "hidepid=$0" proc /proc || exit 77
		id=$1
		shift
		exec setpriv --reuid "$id" --regid "$id" --clear-groups "$@"'
	for hidepid in 1 2; do
		set -- env ASAN_OPTIONS=detect_leaks=0 unshare --mount sh -c "$hidden" $hidepid $mallory
		"$@" true || { skip "no /proc with hidepid"; return; }
		for program in plain own any; do
			asked=$own
			checks "$@" "$here/$program"
			visible $?
			asked=$other
			checks "$@" "$here/$program"
			hidden $? "/proc hides it (hidepid); run pwatch as its user or as root"
		done
		grep -qF '"name":"hidepid","value":"off"' "$work/log" && fail "hidepid isn't seen"
	done
}

in_a_user_namespace()
{
	as_mallory unshare --user true || { skip "no user namespaces"; return; }
	asked=$own
	user_checks unshare --user --map-root-user "$here/plain"
	hidden $? "permission denied"
	finding privilege permitted cap_sys_admin
	finding privilege "user namespace" another "capabilities count only for what belongs to it"
	finding missing "user namespace" "the initial one"
}

run_cases root ordinary_user what_it_says_to_grant_is_enough file_capabilities no_new_privs \
	bounding_set file_system_without_privileges seccomp_filter hidden_processes \
	in_a_user_namespace
