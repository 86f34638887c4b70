#!/bin/sh
# SPDX-License-Identifier: MIT
# targets.sh - attacks: the users whose ports a pwatch with file capabilities reports
# shellcheck source=tests/attacks/support.sh
. "${srcdir:?}/tests/attacks/support.sh"

# Without this the following attacks would prove nothing.
capability_works()
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
			expect_text "$other: permission denied"
			expect_text cap_sys_ptrace
		done
	done
}

# The administrator has granted access to all processes, and the kernel allows it.
any_user_with_more_capabilities()
{
	as_mallory "$here/any" --once --reader=setns "$other"
	expect_status 0 $?
	expect_port "$other_port"
}

# Every user may read the table of a namespace, /proc/PID/net/tcp, but no owners.
owners_are_hidden()
{
	as_mallory "$here/own" --once --scope=netns --json "$other"
	grep -q "\"port\":$other_port,.*\"pid\":null," "$work/log" ||
		fail "not exactly the port without an owner: $(cat "$work/log")"
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

# run_swap PROGRAM [granted]: the process with the given PID exits, and a process of another user gets the
# PID, at every possible moment. swap.c explains what PROGRAM may report.
run_swap()
{
	"${ROGUE%/*}/swap" "$here/$1" $mallory $victim ${2+"$2"} >"$work/log" 2>&1
}

pid_reuse()
{
	run_swap any
	status=$?
	[ $status -ne 77 ] || { skip "$(cat "$work/log")"; return; }
	[ $status -eq 1 ] || fail "the attack does not work where the kernel allows it: $(cat "$work/log")"
	run_swap own
	expect_status 0 $?
	run_swap any granted
	expect_status 0 $?
}

run_cases capability_works another_users_process any_user_with_more_capabilities \
	owners_are_hidden rootless_containers pid_reuse
