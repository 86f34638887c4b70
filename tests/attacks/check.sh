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
	finding privilege permitted "none that pwatch uses"
	finding missing cap_sys_admin "to enter other network namespaces"
	finding missing cap_sys_admin "to receive a report when"
	finding missing cap_sys_ptrace "to see the ports of other users' processes"
	# What is for containers and services is said there.
	! grep '"topic":"grant"' "$work/log" | grep -v '"name":"\(permanently\|once, as root\)"' ||
		fail "granted what there is none of"
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
	finding privilege "gained by exec" no
	finding grant permanently "setcap cap_sys_admin,cap_sys_ptrace,cap_dac_read_search=p $here/plain"
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
	permanently=$(granted permanently)
	sh -c "$once --once" >"$work/log" 2>&1
	expect_status 0 $?
	expect_port "$other_port"
	sh -c "$permanently" || fail "can't be run: $permanently"
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
	finding privilege "gained by exec" yes "nsenter is not used"
	finding privilege permitted cap_sys_admin
	finding privilege "in effect" "none that pwatch uses"
	notifier_is bpf
	finding missing cap_sys_ptrace "to see the ports of other users' processes"
	asked=$other
	user_checks "$here/own"
	hidden $? "permission denied"
	user_checks "$here/any"
	visible $?
	read_by setns diag
	notifier_is bpf
	no_finding missing
}

# The command that it says to give as root, given by one who isn't limited.
by_a_root_of_another_session()
{
	finding grant "once, as root" setpriv "from another session"
	once=$(granted "once, as root")
	sh -c "$once --once" >"$work/log" 2>&1
	expect_status 0 $?
	expect_port "$own_port"
}

no_new_privs()
{
	asked=$own
	user_checks setpriv --no-new-privs "$here/any"
	visible $?
	lacks_all
	finding privilege no_new_privs yes "file capabilities are ignored"
	finding grant permanently setcap "no effect here: no_new_privs is set"
	by_a_root_of_another_session
}

bounding_set()
{
	asked=$own
	checks setpriv --bounding-set -sys_admin,-bpf,-perfmon,-sys_ptrace,-dac_read_search \
		--reuid $mallory --regid $mallory --clear-groups "$here/any"
	visible $?
	lacks_all
	finding privilege "bounding set" "none that pwatch uses"
	finding grant permanently setcap "no effect here: the bounding set lacks some of them"
	by_a_root_of_another_session
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
	finding grant permanently setcap "no effect on this file: its file system is mounted nosuid"
}

# refuses CALLS: exactly these are named.
refuses()
{
	finding missing "system calls" "$1"
	grep -qF "\"name\":\"system calls\",\"value\":\"$1\"," "$work/log" || fail "not only $1"
}

# As Docker's default profile refuses them without CAP_SYS_ADMIN; here with it. With CAP_PERFMON
# alone it refuses bpf(2) and not perf_event_open(2). Each is named, and nothing else.
# Where it isn't mounted, pwatch mounts one that nobody sees.
tracefs_is_reachable()
{
	[ -e /sys/kernel/tracing/events ] ||
		unshare --mount mount -t tracefs none /sys/kernel/tracing 2>/dev/null
}

seccomp_filter()
{
	asked=$own
	checks "$here/rogue" with refused:perf_event_open=1 refused:bpf=1 -- "$here/plain"
	visible $?
	read_by setns diag
	notifier_is polling "cannot make a map of perf events (bpf): Operation not permitted"
	finding privilege seccomp filter
	refuses "bpf, perf_event_open"
	no_finding grant
	if tracefs_is_reachable; then
		checks "$here/rogue" with refused:bpf=1 -- "$here/plain"
		visible $?
		notifier_is tracepoint \
			"bpf: cannot make a map of perf events (bpf): Operation not permitted"
		finding notifier processes perf
		refuses "bpf"
	fi
	checks "$here/rogue" with refused:setns=1 refused:perf_event_open=1 refused:bpf=1 -- \
		"$(command -v setpriv)" --reuid $mallory --regid $mallory --clear-groups "$here/any"
	visible $?
	read_by procfs procfs "cannot enter the network namespace (setns): Operation not permitted"
	refuses "setns, bpf, perf_event_open"
	checks "$here/rogue" with refused:socket=1 -- "$here/plain"
	visible $?
	! grep -q '"name":"system calls"' "$work/log" || fail "$(cat "$work/log")"
}

# with_files COMMAND...: as root, with what the shell commands in $files have changed below /proc and
# /sys.
with_files()
{
	# shellcheck disable=SC2016
	unshare --mount sh -c 'eval "$0" && exec "$@"' "$files" "$@"
}

# Whether this kernel itself asks for CAP_SYS_ADMIN.
is_paranoid()
{
	[ "$(cat /proc/sys/kernel/perf_event_paranoid)" -gt 2 ]
}

# What kernels of Debian and Ubuntu say to whoever has CAP_PERFMON alone.
paranoid_kernel()
{
	asked=$own
	perfmon=+bpf,+perfmon
	files="echo 3 >'$work/three' && mount --bind '$work/three' /proc/sys/kernel/perf_event_paranoid"
	with_files true || { skip "no bind mount in /proc/sys"; return; }
	set -- "$(command -v setpriv)" --reuid $mallory --regid $mallory --clear-groups --inh-caps=$perfmon \
		--ambient-caps=$perfmon "$here/plain"
	checks with_files "$here/rogue" with refused:perf=13 -- "$@"
	visible $?
	notifier_is polling "(perf_event_open): Permission denied"
	finding missing kernel.perf_event_paranoid "2 or less" "require cap_sys_admin"
	finding grant sysctl "sysctl kernel.perf_event_paranoid=2"
	# As it is here, where the rule is not in force: mainline kernels have none, so that neither
	# is said.
	if ! is_paranoid; then
		checks with_files "$@"
		notifier_is bpf
		! grep -q paranoid "$work/log" || fail "$(cat "$work/log")"
	fi
	# CAP_SYS_ADMIN is enough, so that something else must be wrong.
	checks with_files "$here/rogue" with refused:perf=13 -- "$here/plain"
	! grep -q paranoid "$work/log" || fail "$(cat "$work/log")"
}

locked_down_kernel()
{
	asked=$own
	files="mount -t tmpfs none /sys/kernel/security &&
		echo 'none integrity [confidentiality]' >/sys/kernel/security/lockdown"
	with_files true || { skip "nothing can be mounted at /sys/kernel/security"; return; }
	checks with_files "$here/rogue" with refused:perf=1 -- "$here/plain"
	visible $?
	finding missing lockdown "none, or integrity" "reports no sockets"
	files="mount -t tmpfs none /sys/kernel/security &&
		echo 'none [integrity] confidentiality' >/sys/kernel/security/lockdown"
	checks with_files "$here/rogue" with refused:perf=1 -- "$here/plain"
	! grep -q lockdown "$work/log" || fail "$(cat "$work/log")"
}

# A dump for which the kernel has no module, and can't get one.
no_module()
{
	asked=$own
	checks "$here/rogue" with refused:sendto=2 -- "$here/plain"
	visible $?
	read_by setns procfs "table diag"
	finding missing tcp_diag "the kernel module" "pwatch reads the text of all sockets"
	finding grant module "modprobe tcp_diag"
	[ -e /proc/sys/kernel/modules_disabled ] || return
	files="echo 1 >'$work/one' && mount --bind '$work/one' /proc/sys/kernel/modules_disabled"
	with_files true || { skip "no bind mount in /proc/sys"; return; }
	checks with_files "$here/rogue" with refused:sendto=2 -- "$here/plain"
	finding missing tcp_diag "the kernel module" "until the system restarts"
	no_finding grant
}

# Where tracefs isn't mounted, whoever has CAP_PERFMON alone can't mount it; what is said to grant is.
tracefs_that_is_not_mounted()
{
	asked=$own
	! is_paranoid || { skip "kernel.perf_event_paranoid is 3 or more"; return; }
	perfmon=+perfmon,+dac_read_search
	set -- "$(command -v setpriv)" --reuid $mallory --regid $mallory --clear-groups --inh-caps=$perfmon \
		--ambient-caps=$perfmon "$here/plain"
	# shellcheck disable=SC2016
	files='for place in /sys/kernel/debug/tracing /sys/kernel/debug /sys/kernel/tracing; do
		while umount -l $place 2>/dev/null; do :; done; done'
	with_files true || { skip "no mounts of our own"; return; }
	with_files sh -c '! [ -e /sys/kernel/tracing/events ] && ! [ -e /sys/kernel/debug/tracing/events ]' ||
		{ skip "tracefs can't be unmounted"; return; }
	checks with_files "$@"
	visible $?
	notifier_is polling
	finding missing tracefs "at /sys/kernel/tracing"
	files="$files; $(granted mount)"
	with_files true || { skip "tracefs can't be mounted"; return; }
	checks with_files "$@"
	visible $?
	notifier_is tracepoint
	! grep -q '"name":"tracefs"' "$work/log" || fail "$(cat "$work/log")"
}

# A process whose user is one of those that its starter was given for rootless containers.
rootless_container()
{
	as_mallory unshare --user true || { skip "no user namespaces"; return; }
	first=300000
	files="echo $mallory:$first:65536 >'$work/subuid' && touch /etc/subuid &&
		mount --bind '$work/subuid' /etc/subuid"
	with_files true || { skip "no bind mount at /etc/subuid"; return; }
	# Root in the container is the caller; whoever else is in there is one of the others.
	setpriv --reuid $mallory --regid $mallory --clear-groups unshare --user --net \
		"$here/rogue" serve >"$work/ports" &
	entrance=$!
	servers="$servers $entrance"
	exec 4<"$work/ports"
	read -r port <&4
	printf '0 %s 1\n1 %s 65535\n' $mallory $first >"$work/map"
	for map in uid_map gid_map; do
		# In one piece, as the kernel wants it.
		cat "$work/map" >"/proc/$entrance/$map" || { fail "no map of IDs"; return; }
	done
	nsenter --user --net --target "$entrance" "$(command -v setpriv)" --reuid 5 --regid 5 \
		--clear-groups "$here/rogue" serve >"$work/ports" &
	asked=$!
	servers="$servers $asked"
	exec 4<"$work/ports"
	read -r port <&4
	set -- with_files "$(command -v setpriv)" --reuid $mallory --regid $mallory --clear-groups
	checks "$@" "$here/plain"
	hidden $? "podman unshare"
	finding grant "rootless podman" "podman unshare $here/plain $asked"
	# What podman does, and others can't.
	"$@" nsenter --user --preserve-credentials --target "$entrance" "$here/plain" --once "$asked" \
		>"$work/log" 2>&1
	expect_status 0 $?
	expect_port "$port"
	# One of its descendants, so that there is a way in by its ancestor.
	asked=$entrance
	checks "$@" "$here/plain"
	visible $?
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
	finding privilege "user namespace" another "capabilities are valid only inside it"
	finding missing "user namespace" "the initial one"
	no_finding grant
	# Root is not told to become root.
	asked=$other
	user_checks unshare --user --map-root-user "$here/plain"
	hidden $? "run pwatch outside of this one"
}

run_cases root ordinary_user what_it_says_to_grant_is_enough file_capabilities no_new_privs \
	bounding_set file_system_without_privileges seccomp_filter paranoid_kernel locked_down_kernel \
	no_module tracefs_that_is_not_mounted rootless_container hidden_processes in_a_user_namespace
