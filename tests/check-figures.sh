#!/bin/sh
# SPDX-License-Identifier: MIT
# check-figures.sh - the table "What it costs" of README.md has the figures of docs/benchmarks.md
#
# usage: tests/check-figures.sh [--write]: --write rewrites the table from docs/benchmarks.md, after a new
# run of the benchmark.
set -u
srcdir=${srcdir:-$(dirname "$0")/..}
readme=$srcdir/README.md
benchmarks=$srcdir/docs/benchmarks.md
. "$srcdir/tests/support/checks.sh"

# Each line is a row of the table: its title; "@" and the row of the benchmark that has the median; "@" and
# the text of the last column. In the text, {ROW} stands for the median of a row of the benchmark, and
# {ROW|times} for its baseline divided by its median.
cat >"$work/rows" <<'END'
from listen(2) to the event, container or other namespace, notifier@1. listen(2) to callback: foreign namespace, notifier@`nsenter … cat /proc/net/tcp` each second: {1. listen(2) to callback: baseline: nsenter, cat and a walk over /proc/*/fd each second, foreign namespace}
the same with CAP_SYS_ADMIN alone@1. listen(2) to callback: foreign namespace, notifier, CAP_SYS_ADMIN alone@
the same without privilege, a server that listens 20 ms after its start@8. listen(2) to callback of a server that was just started: no privilege, 20 ms after its exec@
the same without privilege, a server that listens 2 s after its start@8. listen(2) to callback of a server that was just started: no privilege, 2000 ms after its exec@
the same without privilege, at any time later@1. listen(2) to callback: foreign namespace, polling without privilege (own user namespace)@
the same without privilege, read through /proc/PID/net@1. listen(2) to callback: foreign namespace, polling by the reader procfs@
CPU with one namespace in which nothing happens, notifier@4. many namespaces: 1 namespace: CPU at rest, notifier@`nsenter … cat` each second: {4. many namespaces: 1 namespace: CPU at rest, notifier|times} times as much
CPU with 100 such namespaces@4. many namespaces: 100 namespaces: CPU at rest, notifier@`nsenter … cat` each second: {4. many namespaces: 100 namespaces: CPU at rest, notifier|times} times as much
private memory for each namespace@4. many namespaces: 100 namespaces: private memory of a helper@
10,000 listens and closes: ports of more than 100 ms that were reported once, of 200@6. storm of 10,000 listens and closes: notifier: ports of more than 100 ms reported once@`nsenter … cat` each second: {6. storm of 10,000 listens and closes: baseline (nsenter, cat and a walk each second): ports of more than 100 ms reported once}
`pwatch --once PID`@7. `pwatch --once`: `pwatch --once PID`@`ss -Htlnp`: {7. `pwatch --once`: `ss -Htlnp`}; `lsof -nP -iTCP -sTCP:LISTEN`: {7. `pwatch --once`: `lsof -nP -iTCP -sTCP:LISTEN`}
END

awk -F' *[|] *' '
	# The format of times in README.md: two digits, and ms instead of us.
	function figure(value,   parts, number, unit) {
		if (split(value, parts, " ") != 2 || parts[2] !~ /^(us|ms|s)$/)
			return value
		number = parts[1]
		unit = parts[2]
		if (unit == "us") { number /= 1000; unit = "ms" }
		else if (unit == "s" && number < 10) { number *= 1000; unit = "ms" }
		return sprintf(number < 1 ? "%.2f %s" : number < 10 ? "%.1f %s" : "%.0f %s", number, unit)
	}
	function look_up(row) {
		if (row in medians)
			return medians[row]
		print "no row in docs/benchmarks.md: " row >"/dev/stderr"
		failed = 1
	}
	function times(row,   ratio) {
		look_up(row)
		ratio = baselines[row]
		if (ratio ~ /^1\//) { sub(/^1\//, "", ratio); sub(/ .*/, "", ratio); return ratio }
		sub(/x .*/, "", ratio)
		return ratio > 0 ? sprintf("%.1f", 1 / ratio) : "?"
	}
	function fill(text,   row) {
		while (match(text, /\{[^}]*\}/)) {
			row = substr(text, RSTART + 1, RLENGTH - 2)
			text = substr(text, 1, RSTART - 1) (row ~ /\|times$/ ? times(substr(row, 1, length(row) - 6)) \
				: figure(look_up(row))) substr(text, RSTART + RLENGTH)
		}
		return text
	}
	FNR == NR { if (/^\| [0-9]+\. /) { medians[$2] = $3; baselines[$2] = $5 } next }
	FNR == 1 { print "| | median | for comparison |"; print "|---|---:|---|" }
	{
		split($0, columns, "@")
		text = fill(columns[3])
		print "| " columns[1] " | " figure(look_up(columns[2])) " | " (text == "" ? "" : text " ") "|"
	}
	END { exit failed }
' "$benchmarks" FS='\n' "$work/rows" >"$work/made" || { echo "FAIL: docs/benchmarks.md lacks rows"; exit 1; }

# The table follows the heading of the chapter.
awk '/^## What it costs$/ { inside = 1 } inside && /^\|/ { print; found = 1; next } inside && found { exit }' \
	"$readme" >"$work/there"
if [ "${1-}" = --write ]; then
	awk -v made="$work/made" '
		/^## What it costs$/ { inside = 1 }
		inside && /^\|/ { if (!found) while ((getline line <made) > 0) print line; found = 1; next }
		inside && found { inside = 0 }
		{ print }' "$readme" >"$work/readme" && cat "$work/readme" >"$readme"
else
	compare "the figures of README.md and docs/benchmarks.md differ; tests/check-figures.sh --write updates README.md" \
		"$work/made" "$work/there"
fi
exit "$status"
