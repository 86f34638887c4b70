#!/bin/sh
# SPDX-License-Identifier: MIT
# check-dist.sh - make dist makes the same bytes, whoever makes it and when
#
# Environment: MAKE, builddir.
set -u
unset MAKEFLAGS MFLAGS MAKELEVEL TAR_OPTIONS SOURCE_DATE_EPOCH
if ! tar --version 2>/dev/null | grep -q 'GNU tar'; then
	echo "SKIP: this tar isn't GNU tar"
	exit 77
fi
# Not the tarball's own name: somebody else may be making it.
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

# make_dist VARIABLE=VALUE...: in an environment with these.
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
cmp "$work/first.tar.gz" "$archive" || fail "made with another umask, time zone and gzip, it is another"
tar -tzf "$archive" >"$work/names"
# In the order of their directories: "a/b" comes before "a.c".
# Directory by directory, as tar(1) sorts them.
tr / '\001' <"$work/names" | LC_ALL=C sort -c || fail "files are in no order"

make_dist SOURCE_DATE_EPOCH=1000000000
TZ=UTC tar --full-time -tvzf "$archive" >"$work/list"
others=$(grep -vc '^[-d]r[w-][x-]r-[x-]r-[x-] 0/0 .* 2001-09-09 01:46:40 ' "$work/list")
[ "$others" -eq 0 ] || fail "$others files have an owner, a mode or a time of their own"
[ "$failures" -eq 0 ]
