# SPDX-License-Identifier: MIT
# checks.sh - for scripts that compare things, which source it: a directory $work that goes with the
# script, and $status, 1 after a failure, with which the script is to exit
# shellcheck shell=sh
work=$(mktemp -d "${TMPDIR:-.}/$(basename "$0" .sh).XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT
# shellcheck disable=SC2034
status=0

fail()
{
	echo "FAIL: $*"
	# shellcheck disable=SC2034
	status=1
}

# compare WHAT EXPECTED ACTUAL: says where two lists differ
compare()
{
	if ! [ -s "$2" ]; then
		fail "$1: nothing found to compare"
	elif ! diff -u "$2" "$3"; then
		fail "$1"
	fi
}
