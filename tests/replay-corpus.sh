#!/bin/sh
# SPDX-License-Identifier: MIT
# replay-corpus.sh - runs every recorded input through its fuzz target
#
# EMULATOR: the command that runs programs of another architecture.
set -u
status=0
for target in $FUZZ_TARGETS; do
	name=${target##*/fuzz_}
	echo "$target:"
	# The arguments are files, because libFuzzer would start to fuzz with a directory.
	# shellcheck disable=SC2086
	${EMULATOR-} "./$target" "${srcdir:-.}/tests/fuzz/corpus/$name/"* || status=1
done
exit $status
