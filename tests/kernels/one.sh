#!/bin/sh
# SPDX-License-Identifier: MIT
# one.sh SECONDS COMMAND... TEST - in a guest of kernels.sh: runs one test, with a time limit
#
# What a test that fails has printed goes to the port of the reports at once: the guest may not come to
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
