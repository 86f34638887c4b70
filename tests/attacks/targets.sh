#!/bin/sh
# SPDX-License-Identifier: MIT
# targets.sh - attacks: whose ports a pwatch with file capabilities tells
# shellcheck source=tests/attacks/support.sh
. "${srcdir:?}/tests/attacks/support.sh"

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
			expect_text "$other: permission denied"
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

# swapped PROGRAM [granted]: the process that was named dies at some moment, and another user's gets
# its PID; at every moment that there is. What it may tell of that: see swap.c.
swapped()
{
	"${ROGUE%/*}/swap" "$here/$1" $mallory $victim ${2+"$2"} >"$work/log" 2>&1
}

a_pid_that_changes_hands()
{
	swapped any
	status=$?
	[ $status -ne 77 ] || { skip "$(cat "$work/log")"; return; }
	[ $status -eq 1 ] || fail "the attack doesn't even work where it may: $(cat "$work/log")"
	swapped own
	expect_status 0 $?
	swapped any granted
	expect_status 0 $?
}

run_cases the_capability_is_of_use another_users_process any_user_where_that_was_granted \
	the_table_has_no_owners rootless_containers a_pid_that_changes_hands
