#!/bin/sh
# SPDX-License-Identifier: MIT
# check-version.sh - every file that contains the version has the version of configure.ac
#
# Environment: PWATCH, builddir, srcdir.
set -u
srcdir=${srcdir:-.}
pwatch=${PWATCH:-./pwatch}
packaging=$srcdir/docs/packaging
status=0

fail()
{
	echo "FAIL: $*"
	status=1
}

version=$(sed -n 's/^AC_INIT(\[[^]]*], \[\([^]]*\)].*/\1/p' "$srcdir/configure.ac")
[ -n "$version" ] || { fail "no version in configure.ac"; exit 1; }

# expect FILE SED: the output of sed for the file is the version.
expect()
{
	found=$(sed -n "$2" "$1" | sort -u)
	[ "$found" = "$version" ] || fail "$1 has the version '$found', configure.ac has $version"
}

expect "${builddir:-.}/lib/api/libportwatch.pc" 's/^Version: //p'
if [ -x "$pwatch" ]; then
	[ "$("$pwatch" --version | sed -n '1s/^pwatch //p')" = "$version" ] ||
		fail "pwatch --version prints $("$pwatch" --version)"
fi
expect "$srcdir/NEWS" '1p'
expect "$srcdir/docs/deployment.md" 's,^ *image: registry\.example/pwatch:,,p'
expect "$packaging/debian/changelog" '1s/^libportwatch (\([^-)]*\)-[^)]*) .*/\1/p'
expect "$packaging/libportwatch.spec" 's/^Version: //p'
expect "$packaging/APKBUILD" 's/^pkgver=//p'

# The new symbols of a version have a node of their own, which the package lists too.
# shellcheck disable=SC2013
for node in $(sed -n 's/^\(LIBPORTWATCH_[0-9.]*\) {$/\1/p' "$srcdir/lib/api/libportwatch.sym"); do
	grep -q "^ (symver)$node " "$packaging/debian/libportwatch0.symbols" ||
		fail "libportwatch0.symbols does not have $node"
done

# No other file may contain the version, except as an example ("such as"). Thus a release changes no other
# file.
pattern="(^|[^0-9.])$(echo "$version" | sed 's/\./\\./g')([^0-9.]|\$)"
for place in README.md bootstrap cmd docs lib tests; do
	(cd "$srcdir" && grep -rHIE --include='*.[ch]' --include='*.in' --include='*.md' --include='*.[0-9]' \
		--include='*.sh' --include='*.py' --include=bootstrap --include=Dockerfile "$pattern" "$place")
done | grep -v 'such as' | cut -d : -f 1 | sort -u | grep -vx docs/deployment.md | {
	while read -r file; do
		echo "FAIL: $file contains the version $version, and this test does not compare it"
		others=1
	done
	[ -z "${others-}" ]
} || status=1
exit $status
