#!/bin/sh
# SPDX-License-Identifier: MIT
# fuzz.sh - runs each target of FUZZ_TARGETS for FUZZ_SECONDS, one after the other
#
# Begins with the corpus. What reaches new code is added below fuzz-found/, an input that fails is
# left as fuzz-failed-TARGET-KIND-HASH.
set -u
status=0
for target in $FUZZ_TARGETS; do
	name=${target##*/fuzz_}
	mkdir -p "fuzz-found/$name" || exit 1
	"./$target" -help=1 2>&1 | grep -q max_total_time || {
		echo "$target has no fuzzer in it: configure --enable-fuzzing CC=clang" >&2
		exit 1
	}
	echo "$target:"
	"./$target" -max_total_time="$FUZZ_SECONDS" -timeout=20 -print_final_stats=1 \
		-artifact_prefix="fuzz-failed-$name-" "fuzz-found/$name" \
		"${srcdir:-.}/tests/fuzz/corpus/$name" || status=1
done
exit $status
