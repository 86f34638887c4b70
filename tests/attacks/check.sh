#!/bin/sh
# SPDX-License-Identifier: MIT
# check.sh - the report of pwatch --check is true for each user and each restriction
# shellcheck source=tests/attacks/support.sh
. "${srcdir:?}/tests/attacks/support.sh"

# run_check COMMAND...: runs COMMAND, which ends with a pwatch, with --check for the process $asked, as
# text and as JSON. Returns the status.
run_check()
{
	"$@" --check "$asked" >"$work/words" 2>&1
	in_words=$?
	"$@" --check --json "$asked" >"$work/log" 2>&1
	status=$?
	[ $status -eq $in_words ] || fail "status $status, but $in_words as text"
	return $status
}

user_checks()
{
	run_check setpriv --reuid $mallory --regid $mallory --clear-groups "$@"
}

# expect_entry TOPIC NAME VALUE [NOTE]: expects an entry. VALUE is the beginning of the value, NOTE a part
# of the note.
expect_entry()
{
	grep -F "{\"topic\":\"$1\",\"name\":\"$2\",\"value\":\"$3" "$work/log" |
		grep -qF -- "${4-}" || fail "the JSON has no entry $*: $(cat "$work/log")"
	grep -F "  $2 " "$work/words" | grep -F -- " $3" | grep -qF -- "${4-}" ||
		fail "the text has no entry $*: $(cat "$work/words")"
}

expect_no_entry()
{
	! grep -q "^{\"topic\":\"$1\"" "$work/log" || fail "$1: $(cat "$work/log")"
}

# Whether the notifier works for the user that runs the tests.
has_notifier()
{
	"$here/plain" --check --json "$own" | grep -q '"name":"listen","value":"bpf"'
}

# expect_notifier MECHANISM [NOTE]: expects the mechanism that reports listen(2).
expect_notifier()
{
	if [ "$1" = polling ] || has_notifier; then
		expect_entry notifier listen "$1" "${2-}"
	fi
}

expect_visible()
{
	expect_status 0 "$1"
	expect_entry result "process $asked" yes "open now: 1"
}

expect_hidden()
{
	expect_status 1 "$1"
	expect_entry result "process $asked" no "$2"
}

expect_reader()
{
	expect_entry namespace "netns $(stat -Lc %i "/proc/$asked/ns/net")" "$1 reader, $2 table" "${3-}"
}

# Expects the report of a user without any privilege.
expect_no_privilege()
{
	expect_reader procfs procfs "cannot enter the network namespace (setns): Operation not permitted"
	expect_notifier polling
	expect_entry privilege permitted "none that pwatch uses"
	expect_entry missing cap_sys_admin "to enter other network namespaces"
	expect_entry missing cap_sys_admin "to receive a report when"
	expect_entry missing cap_sys_ptrace "to see the ports of other users' processes"
	# Other grants are for containers and services.
	! grep '"topic":"grant"' "$work/log" | grep -v '"name":"\(permanently\|once, as root\)"' ||
		fail "the report has a grant for a container or a service"
}

as_root()
{
	for asked in "$own" "$other"; do
		run_check "$here/plain"
		expect_visible $?
		expect_reader setns diag
		expect_notifier bpf
		expect_no_entry missing
		expect_no_entry grant
	done
}

as_ordinary_user()
{
	asked=$own
	user_checks "$here/plain"
	expect_visible $?
	expect_no_privilege
	expect_entry privilege user $mallory
	expect_entry privilege "gained by exec" no
	expect_entry grant permanently "setcap cap_sys_admin,cap_sys_ptrace,cap_dac_read_search=p $here/plain"
	asked=$other
	user_checks "$here/plain"
	expect_hidden $? "permission denied"
}

# printed_grant NAME: prints the command that --check has printed as the grant NAME.
printed_grant()
{
	sed -n "s/^{\"topic\":\"grant\",\"name\":\"$1\",\"value\":\"\([^\"]*\)\".*/\1/p" "$work/log"
}

printed_grants_are_enough()
{
	asked=$other
	cp "$here/plain" "$here/granted"
	user_checks "$here/granted"
	once=$(printed_grant "once, as root")
	permanently=$(printed_grant permanently)
	sh -c "$once --once" >"$work/log" 2>&1
	expect_status 0 $?
	expect_port "$other_port"
	sh -c "$permanently" || fail "the command fails: $permanently"
	user_checks "$here/granted"
	expect_visible $?
	expect_reader setns diag
	expect_notifier bpf
	expect_no_entry missing
	rm -f "$here/granted"
}

file_capabilities()
{
	asked=$own
	user_checks "$here/own"
	expect_visible $?
	expect_reader setns diag
	expect_entry privilege "gained by exec" yes "nsenter is not used"
	expect_entry privilege permitted cap_sys_admin
	expect_entry privilege "in effect" "none that pwatch uses"
	expect_notifier bpf
	expect_entry missing cap_sys_ptrace "to see the ports of other users' processes"
	asked=$other
	user_checks "$here/own"
	expect_hidden $? "permission denied"
	user_checks "$here/any"
	expect_visible $?
	expect_reader setns diag
	expect_notifier bpf
	expect_no_entry missing
}

# Runs the command that --check prints for root, outside of the restriction.
run_grant_in_another_session()
{
	expect_entry grant "once, as root" setpriv "from another session"
	once=$(printed_grant "once, as root")
	sh -c "$once --once" >"$work/log" 2>&1
	expect_status 0 $?
	expect_port "$own_port"
}

no_new_privs()
{
	asked=$own
	user_checks setpriv --no-new-privs "$here/any"
	expect_visible $?
	expect_no_privilege
	expect_entry privilege no_new_privs yes "file capabilities are ignored"
	expect_entry grant permanently setcap "no effect here: no_new_privs is set"
	run_grant_in_another_session
}

bounding_set()
{
	asked=$own
	run_check setpriv --bounding-set -sys_admin,-bpf,-perfmon,-sys_ptrace,-dac_read_search \
		--reuid $mallory --regid $mallory --clear-groups "$here/any"
	expect_visible $?
	expect_no_privilege
	expect_entry privilege "bounding set" "none that pwatch uses"
	expect_entry grant permanently setcap "no effect here: the bounding set lacks some of them"
	run_grant_in_another_session
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
	run_check "$@" "$here/any"
	expect_visible $?
	expect_no_privilege
	expect_entry grant permanently setcap "no effect on this file: its file system is mounted nosuid"
}

# expect_refused_calls CALLS: expects that the report names exactly these system calls.
expect_refused_calls()
{
	expect_entry missing "system calls" "$1"
	grep -qF "\"name\":\"system calls\",\"value\":\"$1\"," "$work/log" || fail "not only $1"
}

# If tracefs is not mounted, pwatch mounts it in a mount namespace of its own.
tracefs_is_reachable()
{
	[ -e /sys/kernel/tracing/events ] ||
		unshare --mount mount -t tracefs none /sys/kernel/tracing 2>/dev/null
}

# Docker's default profile refuses these calls without CAP_SYS_ADMIN; here they are refused in spite of
# it. With CAP_PERFMON alone the profile refuses bpf(2) and not perf_event_open(2). The report names each
# refused call, and no other.
seccomp_filter()
{
	asked=$own
	run_check "$here/rogue" with refused:perf_event_open=1 refused:bpf=1 -- "$here/plain"
	expect_visible $?
	expect_reader setns diag
	expect_notifier polling "cannot make a map of perf events (bpf): Operation not permitted"
	expect_entry privilege seccomp filter
	expect_refused_calls "bpf, perf_event_open"
	expect_no_entry grant
	if tracefs_is_reachable; then
		run_check "$here/rogue" with refused:bpf=1 -- "$here/plain"
		expect_visible $?
		expect_notifier tracepoint \
			"bpf: cannot make a map of perf events (bpf): Operation not permitted"
		expect_entry notifier processes perf
		expect_refused_calls "bpf"
	fi
	run_check "$here/rogue" with refused:setns=1 refused:perf_event_open=1 refused:bpf=1 -- \
		"$(command -v setpriv)" --reuid $mallory --regid $mallory --clear-groups "$here/any"
	expect_visible $?
	expect_reader procfs procfs "cannot enter the network namespace (setns): Operation not permitted"
	expect_refused_calls "setns, bpf, perf_event_open"
	run_check "$here/rogue" with refused:socket=1 -- "$here/plain"
	expect_visible $?
	! grep -q '"name":"system calls"' "$work/log" || fail "$(cat "$work/log")"
}

# with_files COMMAND...: runs COMMAND as root in a mount namespace, after the shell commands in $files have
# changed files below /proc and /sys.
with_files()
{
	# shellcheck disable=SC2016
	unshare --mount sh -c 'eval "$0" && exec "$@"' "$files" "$@"
}

# Whether this kernel itself requires CAP_SYS_ADMIN for perf events.
is_paranoid()
{
	[ "$(cat /proc/sys/kernel/perf_event_paranoid)" -gt 2 ]
}

# Kernels of Debian and Ubuntu refuse perf events to a user with CAP_PERFMON alone.
paranoid_kernel()
{
	asked=$own
	perfmon=+bpf,+perfmon
	files="echo 3 >'$work/three' && mount --bind '$work/three' /proc/sys/kernel/perf_event_paranoid"
	with_files true || { skip "no bind mount in /proc/sys"; return; }
	set -- "$(command -v setpriv)" --reuid $mallory --regid $mallory --clear-groups --inh-caps=$perfmon \
		--ambient-caps=$perfmon "$here/plain"
	run_check with_files "$here/rogue" with refused:perf=13 -- "$@"
	expect_visible $?
	if grep -q RLIMIT_MEMLOCK "$work/log"; then
		skip "other programs of the user use RLIMIT_MEMLOCK up, which BPF takes before Linux 5.11"
		return
	fi
	expect_notifier polling "(perf_event_open): Permission denied"
	expect_entry missing kernel.perf_event_paranoid "2 or less" "require cap_sys_admin"
	expect_entry grant sysctl "sysctl kernel.perf_event_paranoid=2"
	# A mainline kernel ignores the value, so the report does not mention it.
	if ! is_paranoid; then
		run_check with_files "$@"
		expect_notifier bpf
		! grep -q paranoid "$work/log" || fail "$(cat "$work/log")"
	fi
	# With CAP_SYS_ADMIN the reason must be another one.
	run_check with_files "$here/rogue" with refused:perf=13 -- "$here/plain"
	! grep -q paranoid "$work/log" || fail "$(cat "$work/log")"
}

locked_down_kernel()
{
	asked=$own
	files="mount -t tmpfs none /sys/kernel/security &&
		echo 'none integrity [confidentiality]' >/sys/kernel/security/lockdown"
	with_files true || { skip "no mount is possible at /sys/kernel/security"; return; }
	run_check with_files "$here/rogue" with refused:perf=1 -- "$here/plain"
	expect_visible $?
	expect_entry missing lockdown "none, or integrity" "reports no sockets"
	files="mount -t tmpfs none /sys/kernel/security &&
		echo 'none [integrity] confidentiality' >/sys/kernel/security/lockdown"
	run_check with_files "$here/rogue" with refused:perf=1 -- "$here/plain"
	! grep -q lockdown "$work/log" || fail "$(cat "$work/log")"
}

# The kernel has no module for the dump and cannot load one.
no_module()
{
	asked=$own
	run_check "$here/rogue" with refused:sendto=2 -- "$here/plain"
	expect_visible $?
	expect_reader setns procfs "table diag"
	expect_entry missing tcp_diag "the kernel module" "pwatch reads the text of all sockets"
	expect_entry grant module "modprobe tcp_diag"
	[ -e /proc/sys/kernel/modules_disabled ] || return
	files="echo 1 >'$work/one' && mount --bind '$work/one' /proc/sys/kernel/modules_disabled"
	with_files true || { skip "no bind mount in /proc/sys"; return; }
	run_check with_files "$here/rogue" with refused:sendto=2 -- "$here/plain"
	expect_entry missing tcp_diag "the kernel module" "until the system restarts"
	expect_no_entry grant
}

# A user with CAP_PERFMON alone cannot mount tracefs. The printed command is enough.
tracefs_not_mounted()
{
	asked=$own
	! is_paranoid || { skip "kernel.perf_event_paranoid is 3 or more"; return; }
	perfmon=+perfmon,+dac_read_search
	set -- "$(command -v setpriv)" --reuid $mallory --regid $mallory --clear-groups --inh-caps=$perfmon \
		--ambient-caps=$perfmon "$here/plain"
	# shellcheck disable=SC2016
	files='for place in /sys/kernel/debug/tracing /sys/kernel/debug /sys/kernel/tracing; do
		while umount -l $place 2>/dev/null; do :; done; done'
	with_files true || { skip "no mount namespace"; return; }
	with_files sh -c '! [ -e /sys/kernel/tracing/events ] && ! [ -e /sys/kernel/debug/tracing/events ]' ||
		{ skip "tracefs cannot be unmounted"; return; }
	run_check with_files "$@"
	expect_visible $?
	expect_notifier polling
	expect_entry missing tracefs "at /sys/kernel/tracing"
	files="$files; $(printed_grant mount)"
	with_files true || { skip "tracefs cannot be mounted"; return; }
	run_check with_files "$@"
	expect_visible $?
	expect_notifier tracepoint
	! grep -q '"name":"tracefs"' "$work/log" || fail "$(cat "$work/log")"
}

# The process runs as one of the subordinate users of its starter (subuid), as in a rootless container.
rootless_container()
{
	as_mallory unshare --user true || { skip "no user namespaces"; return; }
	first=300000
	files="echo $mallory:$first:65536 >'$work/subuid' && touch /etc/subuid &&
		mount --bind '$work/subuid' /etc/subuid"
	with_files true || { skip "no bind mount at /etc/subuid"; return; }
	# Root in the container is the caller. Other users in the container are subordinate users.
	setpriv --reuid $mallory --regid $mallory --clear-groups unshare --user --net \
		"$here/rogue" serve >"$work/ports" &
	entrance=$!
	servers="$servers $entrance"
	exec 4<"$work/ports"
	read -r port <&4
	printf '0 %s 1\n1 %s 65535\n' $mallory $first >"$work/map"
	for map in uid_map gid_map; do
		# The kernel accepts the map in a single write(2) only.
		cat "$work/map" >"/proc/$entrance/$map" || { fail "no map of IDs"; return; }
	done
	nsenter --user --net --target "$entrance" "$(command -v setpriv)" --reuid 5 --regid 5 \
		--clear-groups "$here/rogue" serve >"$work/ports" &
	asked=$!
	servers="$servers $asked"
	exec 4<"$work/ports"
	read -r port <&4
	set -- with_files "$(command -v setpriv)" --reuid $mallory --regid $mallory --clear-groups
	run_check "$@" "$here/plain"
	expect_hidden $? "podman unshare"
	expect_entry grant "rootless podman" "podman unshare $here/plain $asked"
	# This is the effect of podman unshare.
	"$@" nsenter --user --preserve-credentials --target "$entrance" "$here/plain" --once "$asked" \
		>"$work/log" 2>&1
	expect_status 0 $?
	expect_port "$port"
	# The ancestor is readable, so its descendant is reported too.
	asked=$entrance
	run_check "$@" "$here/plain"
	expect_visible $?
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
			run_check "$@" "$here/$program"
			expect_visible $?
			asked=$other
			run_check "$@" "$here/$program"
			expect_hidden $? "/proc hides it (hidepid); run pwatch as its user or as root"
		done
		grep -qF '"name":"hidepid","value":"off"' "$work/log" && fail "hidepid is not detected"
	done
}

in_a_user_namespace()
{
	as_mallory unshare --user true || { skip "no user namespaces"; return; }
	asked=$own
	user_checks unshare --user --map-root-user "$here/plain"
	expect_hidden $? "permission denied"
	expect_entry privilege permitted cap_sys_admin
	expect_entry privilege "user namespace" another "capabilities are valid only inside it"
	expect_entry missing "user namespace" "the initial one"
	expect_no_entry grant
	# Root of the user namespace is not advised to run pwatch as root.
	asked=$other
	user_checks unshare --user --map-root-user "$here/plain"
	expect_hidden $? "run pwatch outside of this one"
}

run_cases as_root as_ordinary_user printed_grants_are_enough file_capabilities no_new_privs \
	bounding_set file_system_without_privileges seccomp_filter paranoid_kernel locked_down_kernel \
	no_module tracefs_not_mounted rootless_container hidden_processes in_a_user_namespace
