#!/bin/sh
# SPDX-License-Identifier: MIT
# fuzz.sh - runs each target of FUZZ_TARGETS for FUZZ_SECONDS, one after the other
#
# Each run starts with the corpus. The fuzzer stores inputs that reach new code below fuzz-found/, and an
# input that fails as fuzz-failed-TARGET-KIND-HASH.
set -u
status=0
for target in $FUZZ_TARGETS; do
	name=${target##*/fuzz_}
	mkdir -p "fuzz-found/$name" || exit 1
	"./$target" -help=1 2>&1 | grep -q max_total_time || {
		echo "$target is built without a fuzzer: configure --enable-fuzzing CC=clang" >&2
		exit 1
	}
	echo "$target:"
	"./$target" -max_total_time="$FUZZ_SECONDS" -timeout=20 -print_final_stats=1 \
		-artifact_prefix="fuzz-failed-$name-" "fuzz-found/$name" \
		"${srcdir:-.}/tests/fuzz/corpus/$name" || status=1
done
exit $status
