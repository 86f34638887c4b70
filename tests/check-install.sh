#!/bin/sh
# SPDX-License-Identifier: MIT
# check-install.sh - what make install installs and make uninstall removes; that programs find the
# library then; that each function has a manual page; that pwatch has the capabilities that configure
# was told, or how to give them is said
#
# Environment: MAKE, builddir, srcdir, PWATCH.
set -u
PATH=$PATH:/usr/sbin:/sbin
unset MAKEFLAGS MFLAGS MAKELEVEL DESTDIR
srcdir=${srcdir:-.}
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

# --- the files -----------------------------------------------------------------------------------

# in_make VARIABLE: its value in the Makefile, with what it refers to.
in_make()
{
	# shellcheck disable=SC2016
	printf 'include %s/Makefile\nprint-%s:\n\t@echo "$(%s)"\n' "$builddir" "$1" "$1" >"$work/print.mk"
	"${MAKE:-make}" -s -C "$builddir" -f "$work/print.mk" "print-$1"
}

# make_staged TARGET: what is staged goes below $work/all.
make_staged()
{
	"${MAKE:-make}" -s -C "$builddir" "$1" DESTDIR="$work/all" >"$work/log" 2>&1 ||
		fail "make $1: $(tail -n 5 "$work/log")"
}

# expect_file DIRECTORY NAME: installed, and not empty. Its name goes into $work/expected.
expect_file()
{
	[ -s "$work/all$1/$2" ] || fail "not installed: $1/$2"
	echo "$1/$2" >>"$work/expected"
}

# expect_optional VARIABLE NAME: unless the directory is "no".
expect_optional()
{
	directory=$(in_make "$1")
	[ "$directory" = no ] || expect_file "$directory" "$2"
}

expect_files()
{
	expect_file "$bindir" pwatch
	expect_file "$(in_make includedir)" portwatch.h
	expect_file "$(in_make pkgconfigdir)" libportwatch.pc
	for page in pwatch.1 libportwatch.3; do
		expect_file "$(in_make mandir)/man${page##*.}" "$page"
	done
	expect_optional bashcompletiondir pwatch
	expect_optional zshcompletiondir _pwatch
	expect_optional fishcompletiondir pwatch.fish
	expect_optional systemdunitdir pwatch.service
	docdir=$(in_make docdir)
	expect_file "$docdir" NEWS
	expect_file "$docdir" README.md
	for page in "$srcdir"/docs/*.md; do
		expect_file "$docdir/docs" "${page##*/}"
	done
	expect_file "$docdir/docs/packaging" README.md
}

# What is in directories where more comes to with time, and what libtool makes.
others()
{
	grep -v -e "^$(in_make libdir)/libportwatch\." -e "^$docdir/docs/examples/" \
		-e "^$(in_make mandir)/man3/"
}

# The links of the README lead to something.
expect_links()
{
	sed -n 's/.*](\([^):#]*\)[)#].*/\1/p' "$work/all$docdir/README.md" | sort -u |
		while read -r link; do
			[ -e "$work/all$docdir/$link" ] || echo "$link"
		done >"$work/dead"
	[ ! -s "$work/dead" ] || fail "README.md links to what isn't installed: $(cat "$work/dead")"
}

# The unit is the one that docs/deployment.md shows, with the path of this pwatch.
expect_unit()
{
	unit=$(in_make systemdunitdir)/pwatch.service
	[ "$unit" != no/pwatch.service ] || return 0
	awk '/^```ini$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$srcdir/docs/deployment.md" |
		sed "s,/usr/local/bin/pwatch,$bindir/pwatch," >"$work/unit"
	[ -s "$work/unit" ] || fail "docs/deployment.md has no unit"
	diff -u "$work/unit" "$work/all$unit" || fail "the unit isn't that of docs/deployment.md"
}

# Each function has a page, of its own or a link.
expect_pages()
{
	sed -n 's/^[[:space:]]*\(portwatch_[a-z0-9_]*\);$/\1/p' "$srcdir/lib/api/libportwatch.sym" >"$work/functions"
	[ -s "$work/functions" ] || fail "no function found"
	while read -r name; do
		page=$(find "$work/all" -name "$name.3")
		[ -s "$page" ] || fail "no manual page $name(3)"
		# A link leads to a page that is there.
		target=$(sed -n 's/^\.so man3\///p' "$page")
		[ -z "$target" ] || grep -q "^\.Nm $name" "${page%/*}/$target" || fail "$name(3) leads nowhere"
	done <"$work/functions"
	if command -v man >/dev/null && man --version >/dev/null 2>&1; then
		MANPATH=$(dirname "$(dirname "$page")") man -P cat portwatch_free >"$work/page" 2>"$work/log" ||
			fail "man portwatch_free: $(cat "$work/log")"
		grep -q 'portwatch_free' "$work/page" || fail "man portwatch_free: $(cat "$work/page")"
	fi
}

bindir=$(in_make bindir)
make_staged install
expect_files
expect_unit
expect_links
expect_pages
(cd "$work/all" && find . ! -type d | sed 's/^\.//') | others | sort >"$work/found"
others <"$work/expected" | sort | diff -u - "$work/found" || fail "other files are installed"
libdir=$(in_make libdir)
[ -e "$work/all$libdir/libportwatch.so.0" ] || fail "no library in $libdir"
make_staged uninstall
left=$(find "$work/all" ! -type d)
[ -z "$left" ] || fail "make uninstall leaves $left"

# --- the dynamic linker --------------------------------------------------------------------------

# ldconfig_of UID DIRECTORY: what lib/ldconfig.sh does as this user, where the linker looks in this
# directory; what it says goes to $work/log, and what it has ldconfig do to $work/called.
ldconfig_of()
{
	cat >"$work/fake/ldconfig" <<-FAKE
		#!/bin/sh
		if [ \$# -gt 0 ]; then
			echo "$2: (from <builtin>:0)"
		else
			echo ldconfig >>"$work/called"
		fi
	FAKE
	printf '#!/bin/sh\necho %s\n' "$1" >"$work/fake/id"
	chmod +x "$work/fake/ldconfig" "$work/fake/id"
	: >"$work/called"
	PATH=$work/fake:$PATH sh "$srcdir/lib/ldconfig.sh" "$work/lib" >"$work/log" 2>&1 ||
		fail "ldconfig.sh: $(cat "$work/log")"
}

mkdir "$work/fake" "$work/lib"
ln -s lib "$work/link"
: >"$work/lib/libportwatch.so"
ldconfig_of 0 "$work/link"
[ -s "$work/called" ] || fail "root: ldconfig isn't run: $(cat "$work/log")"
ldconfig_of 1000 "$work/lib"
grep -q 'run as root: ldconfig$' "$work/log" ||
	fail "an ordinary user doesn't learn of ldconfig: $(cat "$work/log")"
[ ! -s "$work/called" ] || fail "an ordinary user runs ldconfig"
ldconfig_of 0 /nonexistent
for said in "echo $work/lib >/etc/ld.so.conf.d/libportwatch.conf && ldconfig" "LD_LIBRARY_PATH=$work/lib"; do
	grep -qF "$said" "$work/log" || fail "where the linker doesn't look, this isn't said: $said"
done
[ ! -s "$work/called" ] || fail "ldconfig is run, and can't find the library"
# make install runs it, but for a package or another machine it doesn't.
install_with none
[ "$(in_make cross_compiling)" = yes ] || grep -q 'ld\.so\.conf\.d/libportwatch' "$work/log" || ! ldconfig -N -X -v 2>/dev/null | grep -q . ||
	fail "make install says nothing of ldconfig: $(cat "$work/log")"
install_with none DESTDIR="$work/staged"
! grep -q 'ld\.so\.conf\.d' "$work/log" || fail "a staged make install looks for the linker's cache"
rm -rf "$work/fake" "$work/staged" "$work/root"

# --- capabilities --------------------------------------------------------------------------------

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
