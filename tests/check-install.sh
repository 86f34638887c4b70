#!/bin/sh
# SPDX-License-Identifier: MIT
# check-install.sh - make install and make uninstall: the installed files, the dynamic linker, a manual
# page for each function, and the capabilities that configure has chosen for pwatch, or the command that
# grants them
#
# Environment: MAKE, builddir, srcdir, PWATCH.
set -u
PATH=$PATH:/usr/sbin:/sbin
unset MAKEFLAGS MFLAGS MAKELEVEL DESTDIR
srcdir=${srcdir:-.}
# Without pwatch (not on Linux) there is nothing to install.
if [ ! -x "$PWATCH" ]; then
	echo "SKIP: pwatch is not built on this system"
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

# install_with MODE [VARIABLE=VALUE...]: runs make install. Its output goes to $work/log.
install_with()
{
	mode=$1
	shift
	"${MAKE:-make}" -s -C "$builddir" install-exec prefix="$work/root" exec_prefix="$work/root" \
		bindir="$work/root/bin" libdir="$work/root/lib" privileges="$mode" "$@" \
		>"$work/log" 2>&1 || fail "$mode: make install: $(cat "$work/log")"
}

# expect_command COMMAND: make install has printed the command that grants the capabilities.
expect_command()
{
	grep -qxF "  $1" "$work/log" || fail "make install has not printed: $1; but: $(cat "$work/log")"
}

# expect_caps CAPABILITIES: compares the capabilities, in either format of getcap(8).
expect_caps()
{
	found=$(getcap "$installed" | sed 's/^[^ ]* //; s/^= //; s/[+]p/=p/; s/ \[rootid=.*//')
	[ "$found" = "$1" ] || fail "capabilities are '$found', not '$1'"
}

# expect_mode MODE: compares the mode, in octal with all bits.
expect_mode()
{
	found=$(stat -c %a "$installed")
	[ "$found" = "$1" ] || fail "the mode is $found, not $1"
}

# Uses a shell, because setpriv can still read every file when it executes a program.
run_with_group()
{
	# shellcheck disable=SC2016
	setpriv --reuid 54321 --regid 54321 --groups "$1" sh -c '"$0" --version' "$installed" \
		>"$work/log" 2>&1
}

# Tests only if another user can reach the directory.
expect_members_only()
{
	chmod 755 "$work"
	setpriv --reuid 54321 --regid 54321 --clear-groups test -x "$work/root/bin" 2>/dev/null || return 0
	run_with_group "$group" || fail "a member of the group cannot run pwatch: $(cat "$work/log")"
	! run_with_group 54321 || fail "a user outside of the group can run pwatch"
}

# --- the files -----------------------------------------------------------------------------------

# in_make VARIABLE: prints the expanded value of the variable of the Makefile.
in_make()
{
	# shellcheck disable=SC2016
	printf 'include %s/Makefile\nprint-%s:\n\t@echo "$(%s)"\n' "$builddir" "$1" "$1" >"$work/print.mk"
	"${MAKE:-make}" -s -C "$builddir" -f "$work/print.mk" "print-$1"
}

# make_staged TARGET: runs make with the staging directory $work/all.
make_staged()
{
	"${MAKE:-make}" -s -C "$builddir" "$1" DESTDIR="$work/all" >"$work/log" 2>&1 ||
		fail "make $1: $(tail -n 5 "$work/log")"
}

# expect_file DIRECTORY NAME: the file is installed and not empty. Adds it to $work/expected.
expect_file()
{
	[ -s "$work/all$1/$2" ] || fail "not installed: $1/$2"
	echo "$1/$2" >>"$work/expected"
}

# expect_optional VARIABLE NAME: expects the file unless the directory is "no".
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

# Removes files of libtool and directories whose list of files is not tested.
others()
{
	grep -v -e "^$(in_make libdir)/libportwatch\." -e "^$docdir/docs/examples/" \
		-e "^$(in_make mandir)/man3/"
}

# The links of README.md lead to installed files.
expect_links()
{
	sed -n 's/.*](\([^):#]*\)[)#].*/\1/p' "$work/all$docdir/README.md" | sort -u |
		while read -r link; do
			[ -e "$work/all$docdir/$link" ] || echo "$link"
		done >"$work/dead"
	[ ! -s "$work/dead" ] || fail "README.md links to files that are not installed: $(cat "$work/dead")"
}

# The unit equals the unit in docs/deployment.md, with the path of this pwatch.
expect_unit()
{
	unit=$(in_make systemdunitdir)/pwatch.service
	[ "$unit" != no/pwatch.service ] || return 0
	awk '/^```ini$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$srcdir/docs/deployment.md" |
		sed "s,/usr/local/bin/pwatch,$bindir/pwatch," >"$work/unit"
	[ -s "$work/unit" ] || fail "docs/deployment.md has no unit"
	diff -u "$work/unit" "$work/all$unit" || fail "the unit differs from the unit in docs/deployment.md"
}

# Each function has a manual page, or a link to one.
expect_pages()
{
	sed -n 's/^[[:space:]]*\(portwatch_[a-z0-9_]*\);$/\1/p' "$srcdir/lib/api/libportwatch.sym" >"$work/functions"
	[ -s "$work/functions" ] || fail "no function found"
	while read -r name; do
		page=$(find "$work/all" -name "$name.3")
		[ -s "$page" ] || fail "no manual page $name(3)"
		# The target of a link exists and names the function.
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

# run_ldconfig_script UID DIRECTORY: runs lib/ldconfig.sh as if by this user, on a machine whose linker
# searches the directory. Messages go to $work/log, calls of ldconfig to $work/called.
run_ldconfig_script()
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
run_ldconfig_script 0 "$work/link"
[ -s "$work/called" ] || fail "root: the script does not run ldconfig: $(cat "$work/log")"
run_ldconfig_script 1000 "$work/lib"
grep -q 'run as root: ldconfig$' "$work/log" ||
	fail "an ordinary user: the script does not mention ldconfig: $(cat "$work/log")"
[ ! -s "$work/called" ] || fail "an ordinary user: the script runs ldconfig"
run_ldconfig_script 0 /nonexistent
for command in "echo $work/lib >/etc/ld.so.conf.d/libportwatch.conf && ldconfig" "LD_LIBRARY_PATH=$work/lib"; do
	grep -qF "$command" "$work/log" || fail "a directory that is not searched: the script does not print: $command"
done
[ ! -s "$work/called" ] || fail "a directory that is not searched: the script runs ldconfig"
# make install runs the script, except for a package or for another machine.
install_with none
[ "$(in_make cross_compiling)" = yes ] || grep -q 'ld\.so\.conf\.d/libportwatch' "$work/log" || ! ldconfig -N -X -v 2>/dev/null | grep -q . ||
	fail "make install does not mention ldconfig: $(cat "$work/log")"
install_with none DESTDIR="$work/staged"
! grep -q 'ld\.so\.conf\.d' "$work/log" || fail "a staged make install runs the script"
rm -rf "$work/fake" "$work/staged" "$work/root"

# --- capabilities --------------------------------------------------------------------------------

installed=$work/root/bin/pwatch
group=$(id -g)
own=cap_sys_admin=p
any=cap_sys_admin,cap_sys_ptrace,cap_dac_read_search=p
# The order of getcap.
any_listed=cap_dac_read_search,cap_sys_ptrace,cap_sys_admin=p
set_own="setcap $own $installed"
set_any="chgrp $group $installed && chmod 0750 $installed && setcap $any $installed"
umask 022

install_with none
expect_mode 755
! grep -q setcap "$work/log" || fail "none: make install mentions setcap"

# A staged installation sets no capabilities, even as root. The printed command has the final path.
install_with setcap DESTDIR="$work/staged"
expect_command "$set_own"
for installed in "$work/staged$installed" "$installed"; do
	expect_mode 755
	! command -v getcap >/dev/null || expect_caps ""
done

# setcap fails.
mkdir "$work/fake"
printf '#!/bin/sh\nexit 1\n' >"$work/fake/setcap"
chmod +x "$work/fake/setcap"
install_with setcap PATH="$work/fake:$PATH"
expect_command "$set_own"

: >"$work/probe"
if [ "$(id -u)" -eq 0 ] && setcap "$own" "$work/probe" 2>/dev/null; then
	install_with setcap
	expect_caps "$own"
	expect_mode 755
	install_with setcap-any-uid privileges_group="$group"
	expect_caps "$any_listed"
	expect_mode 750
	expect_members_only
	# A new installation removes old capabilities.
	install_with none
	expect_caps ""
else
	install_with setcap
	expect_command "$set_own"
	expect_mode 755
	install_with setcap-any-uid privileges_group="$group"
	expect_command "$set_any"
fi
[ "$failures" -eq 0 ]
