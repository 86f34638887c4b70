#!/bin/sh
# SPDX-License-Identifier: MIT
# ways.sh - runs the suites of behaviours once for each notifier mechanism (support/notified.h)
#
# A case is skipped if its mechanism does not work on this machine.
tests=${builddir:-.}/tests
if ! [ -x "$tests/test_watch" ] || ! [ -x "$tests/test_members" ]; then
	echo "SKIP: the suites are not built here"
	exit 77
fi
directory=$(mktemp -d) || exit 1
trap 'rm -rf "$directory"' EXIT

# run WAY: runs both suites with this mechanism alone. Prints failures, but not skips.
run()
{
	PORTWATCH_TEST_NOTIFIED=$1
	CK_RUN_CASE='each way of reading and delivering'
	export PORTWATCH_TEST_NOTIFIED CK_RUN_CASE
	unset PORTWATCH_TEST_NO_SKIP
	for suite in test_watch test_members; do
		"$tests/$suite"
		status=$?
		[ $status -eq 0 ] || [ $status -eq 77 ] || return 1
	done
}

ways='bpf tracepoint connector perf destroy polling'
pids=
for way in $ways; do
	run "$way" >"$directory/$way" 2>&1 &
	pids="$pids $way:$!"
done
result=0
for each in $pids; do
	way=${each%:*}
	if wait "${each#*:}"; then
		echo "$way: passed, but for $(grep -c '^SKIP' "$directory/$way") cases that cannot run here"
	else
		result=1
		echo "$way: FAILED"
		cat "$directory/$way"
	fi
done
exit $result
