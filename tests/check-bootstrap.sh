#!/bin/sh
# SPDX-License-Identifier: MIT
# check-bootstrap.sh - bootstrap requires what its mode needs, and nothing else
#
# The test runs a copy of bootstrap, with replacements for all programs.
set -u
work=$(mktemp -d "${TMPDIR:-.}/bootstrap.XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT
work=$(cd "$work" && pwd)
failures=0

fail()
{
	echo "FAIL: $*"
	failures=$((failures + 1))
}

# replace NAME SCRIPT: creates a program that only runs the script.
replace()
{
	printf '#!/bin/sh\n%s\n' "$2" >"$work/bin/$1"
	chmod +x "$work/bin/$1"
}

mkdir "$work/bin" "$work/tree"
cp "${srcdir:-.}/bootstrap" "$work/tree"
for program in sh dirname getconf id tr rm cat mkdir; do
	ln -s "$(command -v "$program")" "$work/bin/$program"
done
for program in cc make autoconf automake autoreconf libtoolize; do
	replace "$program" 'exit 0'
done
replace apt-get "echo \"\$*\" >>$work/installed"
# The library check is missing, as are ip, nsenter and python3.
# shellcheck disable=SC2016
replace pkg-config '[ "$2" = libcap ]'
printf '#!/bin/sh\necho "ran $*"\n' >"$work/tree/pwatch"
chmod +x "$work/tree/pwatch"
: >"$work/tree/Makefile.in"
: >"$work/tree/Makefile"

# bootstrap ARGUMENT...: runs bootstrap and sets $status. Messages and installed packages go to $work/log.
bootstrap()
{
	rm -f "$work/installed"
	env -i PATH="$work/bin" sh "$work/tree/bootstrap" "$@" >"$work/output" 2>"$work/log"
	status=$?
	[ ! -e "$work/installed" ] || cat "$work/installed" >>"$work/log"
}

bootstrap pwatch -- npm start
[ "$status" -eq 0 ] || fail "bootstrap pwatch ends with $status: $(cat "$work/log")"
[ "$(cat "$work/output")" = "ran -- npm start" ] || fail "pwatch was not run: $(cat "$work/output")"
! grep -q install "$work/log" || fail "bootstrap pwatch installs packages: $(cat "$work/log")"

# As root, bootstrap installs optional packages before it configures. It continues if this fails.
for result in 0 1; do
	replace apt-get "echo \"\$*\" >>$work/installed; exit $result"
	printf '#!/bin/sh\n: >%s\n' "$work/tree/Makefile" >"$work/tree/configure"
	chmod +x "$work/tree/configure"
	rm "$work/tree/Makefile"
	bootstrap
	[ "$status" -eq 0 ] || fail "bootstrap without ncurses ends with $status: $(cat "$work/log")"
	[ "$(id -u)" -ne 0 ] || grep -q "install -y.* libncurses-dev" "$work/log" ||
		fail "bootstrap does not install ncurses: $(cat "$work/log")"
	bootstrap
	! grep -q libncurses-dev "$work/log" || fail "bootstrap installs ncurses again"
done
replace apt-get "echo \"\$*\" >>$work/installed"

bootstrap
[ "$status" -eq 0 ] || fail "bootstrap ends with $status: $(cat "$work/log")"

# Only the tests need the compiler and the libraries of the examples, and the programs of the recipes.
rm "$work/tree/Makefile"
# shellcheck disable=SC2016
replace pkg-config 'case $2 in libcap | check) exit 0 ;; esac; exit 1'
for program in ip nsenter python3; do replace "$program" 'exit 0'; done
bootstrap check
[ "$status" -eq 0 ] || fail "bootstrap check without the libraries of the examples ends with $status: $(cat "$work/log")"
[ "$(id -u)" -ne 0 ] || grep -q "install -y.* g++ jq libncurses-dev libuv1-dev libglib2.0-dev" "$work/log" ||
	fail "bootstrap check does not install the libraries of the examples: $(cat "$work/log")"
rm "$work/bin/ip" "$work/bin/nsenter" "$work/bin/python3"
# shellcheck disable=SC2016
replace pkg-config '[ "$2" = libcap ]'

# As root, bootstrap installs, and notices that the packages are still missing. Otherwise it prints the
# command.
bootstrap check
[ "$status" -ne 0 ] || fail "bootstrap check continues without the packages that the tests need"
for package in check iproute2 util-linux python3; do
	grep -q "install -y.* $package" "$work/log" || fail "bootstrap check does not install $package"
done

replace pkg-config 'exit 1'
bootstrap pwatch
[ "$status" -ne 0 ] || fail "bootstrap pwatch continues without libcap"
grep -q "install -y.* libcap-dev" "$work/log" || fail "bootstrap pwatch does not install libcap-dev"
! grep -q "install -y.* check" "$work/log" || fail "bootstrap pwatch installs check"
[ "$failures" -eq 0 ]
