#!/bin/sh
# SPDX-License-Identifier: MIT
# check-dist.sh - make dist produces the same bytes for every user at any time
#
# Environment: MAKE, builddir.
set -u
unset MAKEFLAGS MFLAGS MAKELEVEL TAR_OPTIONS SOURCE_DATE_EPOCH
if ! tar --version 2>/dev/null | grep -q 'GNU tar'; then
	echo "SKIP: tar is not GNU tar"
	exit 77
fi
# The name differs from that of the real tarball, which another process may be making.
name=check-dist-$$
archive=${builddir:?}/$name.tar.gz
work=$(mktemp -d "${TMPDIR:-$builddir}/dist.XXXXXX") || exit 99
trap 'rm -rf "$work" "$builddir/$name" "$archive"' EXIT
failures=0

fail()
{
	echo "FAIL: $*"
	failures=$((failures + 1))
}

# make_dist VARIABLE=VALUE...: runs make dist with these variables in the environment.
make_dist()
{
	(cd "$builddir" && exec env "$@" "${MAKE:-make}" -s dist distdir="$name") >"$work/log" 2>&1 && return
	fail "make dist: $(tail -n 5 "$work/log")"
	exit 1
}

umask 022
make_dist TZ=UTC
mv "$archive" "$work/first.tar.gz"
umask 077
make_dist TZ=Asia/Tokyo GZIP=-1 POSIXLY_CORRECT=1
cmp "$work/first.tar.gz" "$archive" || fail "the tarball depends on the umask, the time zone or the options of gzip"
tar -tzf "$archive" >"$work/names"
# tar(1) sorts each directory, so "a/b" precedes "a.c".
tr / '\001' <"$work/names" | LC_ALL=C sort -c || fail "the files are not sorted"

make_dist SOURCE_DATE_EPOCH=1000000000
TZ=UTC tar --full-time -tvzf "$archive" >"$work/list"
others=$(grep -vc '^[-d]r[w-][x-]r-[x-]r-[x-] 0/0 .* 2001-09-09 01:46:40 ' "$work/list")
[ "$others" -eq 0 ] || fail "$others files have another owner, mode or time"
[ "$failures" -eq 0 ]
