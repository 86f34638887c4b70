#!/bin/sh
# SPDX-License-Identifier: MIT
# environment.sh - attacks: the environment and PATH of a pwatch with file capabilities
# shellcheck source=tests/attacks/support.sh
. "${srcdir:?}/tests/attacks/support.sh"

# loads_library PROGRAM: runs PROGRAM with variables that load a library into unprivileged programs. Returns
# whether PROGRAM has mapped the library.
loads_library()
{
	start_watching LD_PRELOAD="$here/hostile/preload.so" LD_LIBRARY_PATH="$here/hostile" \
		LD_AUDIT="$here/hostile/preload.so" GCONV_PATH="$here/hostile" LOCPATH="$here/hostile" \
		PATH="$here/hostile:$bins" PORTWATCH_DEBUG=1 "$1" "$own"
	grep -q "$here/hostile" "/proc/$watcher/maps"
	mapped=$?
	stop_watching
	return $mapped
}

loader_variables()
{
	loads_library "$here/plain" || fail "the attack does not work without privilege either"
	! loads_library "$here/own" || fail "the privileged pwatch has loaded the library"
}

debug_variable()
{
	loads_library "$here/plain"
	[ -s "$work/errors" ] || fail "PORTWATCH_DEBUG has no effect without privilege either"
	loads_library "$here/own"
	[ ! -s "$work/errors" ] || fail "the privileged pwatch obeys PORTWATCH_DEBUG: $(cat "$work/errors")"
}

# A privileged pwatch does not run nsenter by its absolute path either. No pwatch uses PATH.
no_nsenter()
{
	as_mallory env PATH="$here/hostile:$bins" "$here/own" -v --once --reader=nsenter "$own"
	expect_status 1 $?
	expect_nothing
	expect_text "a pwatch with file capabilities never runs nsenter"
	as_mallory env PATH="$here/hostile:$bins" "$here/plain" --once --reader=nsenter "$own"
	expect_status 1 $?
	expect_text "permission denied to enter its network namespace"
	expect_text cap_sys_admin
	PATH=$here/hostile:$PATH "$here/plain" --once --reader=nsenter "$own" >"$work/log" 2>&1
	expect_port "$own_port"
	[ ! -e "$here/hostile/ran" ] || fail "a program of PATH was run: $(cat "$here/hostile/ran")"
	rm -f "$here/hostile/ran"
}

# COMMAND gets the same environment, descriptors and signals as without pwatch.
inherited_by_command()
{
	(run_as $mallory "$here/rogue" show) >"$work/direct" 2>&1
	for program in plain own any; do
		as_mallory "$here/$program" --output=/dev/null -- "$here/rogue" show
		expect_status 0 $?
		diff "$work/direct" "$work/log" || fail "$program: the environment of COMMAND differs"
	done
	(run_as $mallory "$here/rogue" with blocked ignored -- "$here/rogue" show) \
		>"$work/direct" 2>&1
	as_mallory "$here/rogue" with blocked ignored -- \
		"$here/own" --output=/dev/null -- "$here/rogue" show
	diff "$work/direct" "$work/log" || fail "the signals of COMMAND differ"
}

# So does the command of --exec, which ends the server.
inherited_by_hook()
{
	show="\"$here/rogue\" show"
	(run_as $mallory sh -c "$show; true") 2>&1 | grep -v ^_= >"$work/direct"
	for program in plain own any; do
		# shellcheck disable=SC2016
		as_mallory "$here/$program" -e open --output=/dev/null \
			--exec="$show"' >&2; kill "$PWATCH_PID"' -- "$here/rogue" serve
		expect_status 143 $?
		grep -v '^PWATCH_\|^_=\|^[0-9]*$' "$work/log" | diff "$work/direct" - ||
			fail "$program: the environment of the --exec command differs"
	done
}

# A privileged pwatch passes the process of COMMAND to itself in this variable.
forged_command_variable()
{
	for value in "" x 1:2:3:x 1:2:3:4:5:x 99999999999:4:5:-1:-1: "$own:0:1:-1:-1:x" "-1:-1:-1:-1:-1:x" \
		1:999999:999998:-1:-1:; do
		for program in own any; do
			as_mallory env PWATCH_COMMAND="$value" "$here/$program" --output=/dev/null -- \
				"$here/rogue" show
			expect_status 125 $?
			expect_text "cannot start: Invalid argument"
		done
		as_mallory env PWATCH_COMMAND="$value" "$here/plain" --output=/dev/null -- \
			"$here/rogue" show
		expect_status 0 $?
		expect_text "PWATCH_COMMAND=$value"
	done
}

run_cases loader_variables debug_variable no_nsenter inherited_by_command \
	inherited_by_hook forged_command_variable
