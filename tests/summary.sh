#!/bin/sh
# SPDX-License-Identifier: MIT
# summary.sh RESULT.trs... - sums up the results that Automake's test driver recorded for each test
# program
#
# With PORTWATCH_TEST_NO_SKIP set, a skipped test is a failure of the whole run.
cases=$(for result in "$@"; do
	! grep -q '^:global-test-result: PASS' "$result" 2>/dev/null ||
		grep '^SKIP: ' "${result%.trs}.log"
done | wc -l)
[ "$cases" -eq 0 ] ||
	echo "$cases cases of the tests that passed could not be run: grep SKIP in their .log files"
cat "$@" 2>/dev/null | awk -v no_skip="$PORTWATCH_TEST_NO_SKIP" '
	$1 == ":global-test-result:" { count[$2]++ }
	END {
		passed = count["PASS"] + count["XFAIL"]
		failed = count["FAIL"] + count["XPASS"] + count["ERROR"]
		skipped = count["SKIP"] + 0
		printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
		exit failed > 0 || (no_skip != "" && skipped > 0)
	}'
