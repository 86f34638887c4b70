#!/bin/sh
# SPDX-License-Identifier: MIT
# one.sh SECONDS COMMAND... TEST - runs one test in a guest of kernels.sh, with a time limit
#
# Sends the output of a failed test to the port of the reports at once, because the guest may not reach
# its end.
seconds=$1
shift
output=$(mktemp)
timeout -k 10 "$seconds" "$@" >"$output" 2>&1
status=$?
cat "$output"
for test in "$@"; do
	continue
done
if [ $status -eq 77 ] || [ $status -eq 0 ]; then
	sed -n "s,^SKIP: ,| SKIP: ,p" "$output"
else
	echo "| --- $(id -u): $test, status $status"
	tail -n 200 "$output" | sed 's/^/| /'
fi >/dev/ttyS1
rm -f "$output"
exit $status
