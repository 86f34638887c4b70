#!/bin/sh
# SPDX-License-Identifier: MIT
# environment.sh - attacks: the environment and PATH of a pwatch with file capabilities
# shellcheck source=tests/attacks/support.sh
. "${srcdir:?}/tests/attacks/support.sh"

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
	expect_text "a pwatch with file capabilities never runs nsenter"
	as_mallory env PATH="$here/lies:$bins" "$here/plain" --once --reader=nsenter "$own"
	expect_status 1 $?
	expect_text "permission denied to enter its network namespace"
	expect_text cap_sys_admin
	PATH=$here/lies:$PATH "$here/plain" --once --reader=nsenter "$own" >"$work/log" 2>&1
	expect_port "$own_port"
	[ ! -e "$here/lies/ran" ] || fail "a program of PATH was run: $(cat "$here/lies/ran")"
	rm -f "$here/lies/ran"
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

# So does the command of --exec; it ends the server.
what_a_hook_gets()
{
	show="\"$here/rogue\" show"
	(become $mallory sh -c "$show; true") 2>&1 | grep -v ^_= >"$work/direct"
	for program in plain own any; do
		# shellcheck disable=SC2016
		as_mallory "$here/$program" -e open --output=/dev/null \
			--exec="$show"' >&2; kill "$PWATCH_PID"' -- "$here/rogue" serve
		expect_status 143 $?
		grep -v '^PWATCH_\|^_=\|^[0-9]*$' "$work/log" | diff "$work/direct" - ||
			fail "$program: the command of --exec gets something else"
	done
}

# By this variable a privileged pwatch hands COMMAND's process over to itself.
lies_about_the_command()
{
	for lie in "" x 1:2:3:x 1:2:3:4:5:x 99999999999:4:5:-1:-1: "$own:0:1:-1:-1:x" "-1:-1:-1:-1:-1:x" \
		1:999999:999998:-1:-1:; do
		for program in own any; do
			as_mallory env PWATCH_COMMAND="$lie" "$here/$program" --output=/dev/null -- \
				"$here/rogue" show
			expect_status 125 $?
			expect_text "cannot start: Invalid argument"
		done
		as_mallory env PWATCH_COMMAND="$lie" "$here/plain" --output=/dev/null -- \
			"$here/rogue" show
		expect_status 0 $?
		expect_text "PWATCH_COMMAND=$lie"
	done
}

run_cases lies_of_the_loader lies_about_debugging nsenter_is_not_run what_a_command_gets \
	what_a_hook_gets lies_about_the_command
