#!/bin/sh
# SPDX-License-Identifier: MIT
# check-bootstrap.sh - bootstrap asks for what its mode needs, and for nothing else
#
# In a copy of its own, where all programs are stand-ins.
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

# stand_in NAME SCRIPT: a program that does no more than the script.
stand_in()
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
	stand_in "$program" 'exit 0'
done
stand_in apt-get "echo \"\$*\" >>$work/installed"
# The library check is missing, as are ip, nsenter and python3.
# shellcheck disable=SC2016
stand_in pkg-config '[ "$2" = libcap ]'
printf '#!/bin/sh\necho "ran $*"\n' >"$work/tree/pwatch"
chmod +x "$work/tree/pwatch"
: >"$work/tree/Makefile.in"
: >"$work/tree/Makefile"

# bootstrap ARGUMENT...: sets status; what it would install and says goes to $work/log.
bootstrap()
{
	rm -f "$work/installed"
	env -i PATH="$work/bin" sh "$work/tree/bootstrap" "$@" >"$work/output" 2>"$work/log"
	status=$?
	[ ! -e "$work/installed" ] || cat "$work/installed" >>"$work/log"
}

bootstrap pwatch -- npm start
[ "$status" -eq 0 ] || fail "bootstrap pwatch ends with $status: $(cat "$work/log")"
[ "$(cat "$work/output")" = "ran -- npm start" ] || fail "pwatch wasn't run: $(cat "$work/output")"
! grep -q install "$work/log" || fail "bootstrap pwatch wants $(cat "$work/log")"

# What it can do without is installed as root, before anything is configured; else it goes on.
for result in 0 1; do
	stand_in apt-get "echo \"\$*\" >>$work/installed; exit $result"
	printf '#!/bin/sh\n: >%s\n' "$work/tree/Makefile" >"$work/tree/configure"
	chmod +x "$work/tree/configure"
	rm "$work/tree/Makefile"
	bootstrap
	[ "$status" -eq 0 ] || fail "bootstrap without ncurses ends with $status: $(cat "$work/log")"
	[ "$(id -u)" -ne 0 ] || grep -q "install -y.* libncurses-dev" "$work/log" ||
		fail "bootstrap doesn't want ncurses: $(cat "$work/log")"
	bootstrap
	! grep -q libncurses-dev "$work/log" || fail "bootstrap wants ncurses again"
done
stand_in apt-get "echo \"\$*\" >>$work/installed"

bootstrap
[ "$status" -eq 0 ] || fail "bootstrap ends with $status: $(cat "$work/log")"

# The compiler and the libraries of examples, and what recipes use, are for the tests.
rm "$work/tree/Makefile"
# shellcheck disable=SC2016
stand_in pkg-config 'case $2 in libcap | check) exit 0 ;; esac; exit 1'
for program in ip nsenter python3; do stand_in "$program" 'exit 0'; done
bootstrap check
[ "$status" -eq 0 ] || fail "bootstrap check without what examples need ends with $status: $(cat "$work/log")"
[ "$(id -u)" -ne 0 ] || grep -q "install -y.* g++ jq libncurses-dev libuv1-dev libglib2.0-dev" "$work/log" ||
	fail "bootstrap check doesn't want what examples need: $(cat "$work/log")"
rm "$work/bin/ip" "$work/bin/nsenter" "$work/bin/python3"
# shellcheck disable=SC2016
stand_in pkg-config '[ "$2" = libcap ]'

# As root it installs, and finds that nothing came; else it prints the command.
bootstrap check
[ "$status" -ne 0 ] || fail "bootstrap check goes on without what the tests need"
for package in check iproute2 util-linux python3; do
	grep -q "install -y.* $package" "$work/log" || fail "bootstrap check doesn't want $package"
done

stand_in pkg-config 'exit 1'
bootstrap pwatch
[ "$status" -ne 0 ] || fail "bootstrap pwatch goes on without libcap"
grep -q "install -y.* libcap-dev" "$work/log" || fail "bootstrap pwatch doesn't want libcap-dev"
! grep -q "install -y.* check" "$work/log" || fail "bootstrap pwatch wants check"
[ "$failures" -eq 0 ]
