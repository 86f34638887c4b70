#!/bin/sh
# SPDX-License-Identifier: MIT
# check-install.sh - make install gives pwatch the capabilities that configure was told, or says how
#
# Environment: MAKE, builddir, PWATCH.
set -u
PATH=$PATH:/usr/sbin:/sbin
unset MAKEFLAGS MFLAGS MAKELEVEL DESTDIR
# Where nothing was built (not on Linux) there is nothing to install.
if [ ! -x "$PWATCH" ]; then
	echo "SKIP: pwatch isn't built on this system"
	exit 77
fi
work=$(mktemp -d "${TMPDIR:-$builddir}/install.XXXXXX")
trap 'rm -rf "$work"' EXIT
failures=0

fail()
{
	echo "FAIL: $*"
	failures=$((failures + 1))
}

# install_with MODE [VARIABLE=VALUE...]: what make says goes to $work/log.
install_with()
{
	mode=$1
	shift
	"${MAKE:-make}" -s -C "$builddir" install-exec prefix="$work/root" exec_prefix="$work/root" \
		bindir="$work/root/bin" libdir="$work/root/lib" privileges="$mode" "$@" \
		>"$work/log" 2>&1 || fail "$mode: make install: $(cat "$work/log")"
}

# expect_said LINE: that what remains to be done was said.
expect_said()
{
	grep -qxF "  $1" "$work/log" || fail "not said: $1; but: $(cat "$work/log")"
}

# expect_caps CAPABILITIES: in the form of getcap(8), of both formats that it had over time.
expect_caps()
{
	found=$(getcap "$installed" | sed 's/^[^ ]* //; s/^= //; s/[+]p/=p/; s/ \[rootid=.*//')
	[ "$found" = "$1" ] || fail "capabilities are '$found', not '$1'"
}

# expect_mode MODE: in octal, set-user-ID and all.
expect_mode()
{
	found=$(stat -c %a "$installed")
	[ "$found" = "$1" ] || fail "the mode is $found, not $1"
}

# By way of a shell: setpriv still has the right to read any file when it executes another.
run_with_group()
{
	# shellcheck disable=SC2016
	setpriv --reuid 54321 --regid 54321 --groups "$1" sh -c '"$0" --version' "$installed" \
		>"$work/log" 2>&1
}

# Where others can reach it at all, and $group isn't one that all have.
expect_members_only()
{
	chmod 755 "$work"
	setpriv --reuid 54321 --regid 54321 --clear-groups test -x "$work/root/bin" 2>/dev/null || return 0
	run_with_group "$group" || fail "a member may not run it: $(cat "$work/log")"
	! run_with_group 54321 || fail "others than members may run it"
}

installed=$work/root/bin/pwatch
group=$(id -g)
own=cap_sys_admin=p
any=cap_sys_admin,cap_sys_ptrace,cap_dac_read_search=p
# As getcap lists them.
any_listed=cap_dac_read_search,cap_sys_ptrace,cap_sys_admin=p
set_own="setcap $own $installed"
set_any="chgrp $group $installed && chmod 0750 $installed && setcap $any $installed"
umask 022

install_with none
expect_mode 755
! grep -q setcap "$work/log" || fail "none: setcap is mentioned"

# Staged: nothing is done, whoever we are, here or there; the path is the one in the end.
install_with setcap DESTDIR="$work/staged"
expect_said "$set_own"
for installed in "$work/staged$installed" "$installed"; do
	expect_mode 755
	! command -v getcap >/dev/null || expect_caps ""
done

# Where setcap fails.
mkdir "$work/fake"
printf '#!/bin/sh\nexit 1\n' >"$work/fake/setcap"
chmod +x "$work/fake/setcap"
install_with setcap PATH="$work/fake:$PATH"
expect_said "$set_own"

: >"$work/probe"
if [ "$(id -u)" -eq 0 ] && setcap "$own" "$work/probe" 2>/dev/null; then
	install_with setcap
	expect_caps "$own"
	expect_mode 755
	install_with setcap-any-uid privileges_group="$group"
	expect_caps "$any_listed"
	expect_mode 750
	expect_members_only
	# The old ones don't stay.
	install_with none
	expect_caps ""
else
	install_with setcap
	expect_said "$set_own"
	expect_mode 755
	install_with setcap-any-uid privileges_group="$group"
	expect_said "$set_any"
fi
[ "$failures" -eq 0 ]
