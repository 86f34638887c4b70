#!/bin/sh
# SPDX-License-Identifier: MIT
# replay-corpus.sh - every input that was ever worth keeping goes through its fuzz target again
#
# EMULATOR: what runs programs of another architecture.
set -u
status=0
for target in $FUZZ_TARGETS; do
	name=${target##*/fuzz_}
	echo "$target:"
	# Files, not their directory: libFuzzer would begin to fuzz.
	# shellcheck disable=SC2086
	${EMULATOR-} "./$target" "${srcdir:-.}/tests/fuzz/corpus/$name/"* || status=1
done
exit $status
