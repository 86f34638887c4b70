#!/bin/sh
# SPDX-License-Identifier: MIT
# output.sh - attacks: --output writes no file that the caller may not write
# shellcheck source=tests/attacks/support.sh
. "${srcdir:?}/tests/attacks/support.sh"

# pwatch opens the file with the rights of the caller.
output_through_a_symbolic_link()
{
	for program in own any; do
		ln -sf "$work/protected" "$here/mine/link"
		as_mallory "$here/$program" --once --output="$here/mine/link" "$own"
		expect_status 1 $?
		expect_text "$here/mine/link"
		[ "$(cat "$work/protected")" = original ] || fail "the target of the link was written"
	done
}

# open(2) waits for a reader, as in a redirection of the shell. A signal ends the wait.
output_to_a_fifo_without_a_reader()
{
	start=$(mktemp "$work/XXXXXX")
	mkfifo -m 666 "$here/mine/fifo"
	setpriv --reuid $mallory --regid $mallory --clear-groups \
		"$here/own" --once --output="$here/mine/fifo" "$own" 2>"$start" &
	fifo_pid=$!
	# Waits until the process sleeps. wchan and syscall are more precise, but not readable everywhere.
	until grep -q '^State:.S' "/proc/$fifo_pid/status" && [ "$(cat "/proc/$fifo_pid/comm")" = own ]; do
		kill -0 $fifo_pid 2>/dev/null || break
	done
	kill -TERM $fifo_pid
	wait $fifo_pid
	[ $? -eq 143 ] || fail "SIGTERM has not ended pwatch: $(cat "$start")"
	rm -f "$here/mine/fifo"
}

run_cases output_through_a_symbolic_link output_to_a_fifo_without_a_reader
