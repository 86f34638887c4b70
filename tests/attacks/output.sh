#!/bin/sh
# SPDX-License-Identifier: MIT
# output.sh - attacks: files that the caller must not write
# shellcheck source=tests/attacks/support.sh
. "${srcdir:?}/tests/attacks/support.sh"

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

run_cases output_through_a_symbolic_link output_to_a_fifo_without_a_reader
