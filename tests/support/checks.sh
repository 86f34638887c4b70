# SPDX-License-Identifier: MIT
# checks.sh - for scripts that compare things. A script sources this file and gets $work, a directory
# that is removed when the script ends, and $status, which is 1 after a failure. The script has to exit
# with $status.
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

# compare WHAT EXPECTED ACTUAL: prints the differences between two lists
compare()
{
	if ! [ -s "$2" ]; then
		fail "$1: nothing found to compare"
	elif ! diff -u "$2" "$3"; then
		fail "$1"
	fi
}
