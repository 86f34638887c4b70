#!/bin/sh
# SPDX-License-Identifier: MIT
# sweep.sh - runs the whole sweep of tests/test_fault_sweep.c in several processes, and prints the sum
# at the end
#
# SWEEP_JOBS: the number of processes (default: three times the number of CPUs, because most of the time
# is spent waiting).
set -u
jobs=${SWEEP_JOBS:-$((3 * $(getconf _NPROCESSORS_ONLN)))}
work=$(mktemp -d "${TMPDIR:-.}/sweep.XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT

part=1
while [ "$part" -le "$jobs" ]; do
	PORTWATCH_SWEEP=all PORTWATCH_SWEEP_PART=$part/$jobs tests/test_fault_sweep >"$work/$part" 2>&1 &
	part=$((part + 1))
done
wait

grep -h -e '^failed: ' -e ':[FE]:' "$work"/* | sort
awk '
	$1 == "sweep:" {
		parts++; runs += $2; struck += $4; refused += $8
	}
	/^failed: / { failed++ }
	END {
		printf "sweep: %d runs, %d with a failure, %d refused to start; %d failed\n",
			runs, struck, refused, failed
		exit failed > 0 || parts != jobs
	}' jobs="$jobs" "$work"/*
