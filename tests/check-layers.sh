#!/bin/sh
# SPDX-License-Identifier: MIT
# check-layers.sh - the folders of lib/ depend on each other in one direction, and so do the files in
# a folder; a header declares what the file of its name defines
#
# The test compares the includes, and then the symbols that the objects use (nm).
status=0
srcdir=${srcdir:-.}
builddir=${builddir:-.}

# layers_below LAYER: prints the other layers that the layer may use.
layers_below()
{
	case $1 in
	util) ;;
	proc) echo util ;;
	table | notify) echo util proc ;;
	watch) echo util proc table notify ;;
	api) echo util proc table notify watch ;;
	esac
}

# may_use FROM TO
may_use()
{
	[ "$1" = "$2" ] && return 0
	for below in $(layers_below "$1"); do
		[ "$below" = "$2" ] && return 0
	done
	return 1
}

fail()
{
	echo "FAIL: $*"
	status=1
}

work=$(mktemp -d "${TMPDIR:-.}/check-layers.XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT

# Every file may include portwatch.h, which itself includes no header of the library.
count=0
for file in "$srcdir"/lib/*/*.[ch]; do
	layer=$(basename "$(dirname "$file")")
	grep -o '^#include "[^"]*"' "$file" | sed 's/.*"\(.*\)"/\1/' >"$work/includes"
	while read -r header; do
		case $header in
		portwatch.h | config.h) ;;
		*/*)
			count=$((count + 1))
			may_use "$layer" "${header%%/*}" || fail "$file includes $header"
			;;
		*) fail "$file includes $header without its folder" ;;
		esac
	done <"$work/includes"
done
if grep -q '^#include "' "$srcdir/lib/api/portwatch.h"; then
	fail "portwatch.h includes a header of the library"
fi
# Only util/fd.c opens and closes descriptors, because it registers them.
bare=$(grep -nE '(^|[^_a-z>.])(close|pipe2?|dup[23]?)\(' "$srcdir"/lib/*/*.c |
	grep -vE '/util/fd\.c:|:[0-9]+:[[:space:]]*(/\*|\*) ')
[ -z "$bare" ] || fail "not through util/fd.h: $bare"

# struct monitor is private.
knows=$(grep -lE 'struct monitor\b' "$srcdir"/lib/*/*.[ch] | grep -v '/watch/monitor\.c$')
[ -z "$knows" ] || fail "struct monitor is private to watch/monitor.c: $knows"

# Each module has a test of the same name that tests the module alone.
modules=0
for file in "$srcdir"/lib/*/*.c; do
	module=$(echo "$file" | sed 's,.*/lib/\(.*\)\.c$,\1,')
	modules=$((modules + 1))
	[ -e "$srcdir/tests/test_${module#*/}.c" ] || fail "$module has no test of its name"
done

# The objects, if they are in the build directory.
for object in "$builddir"/lib/*/.libs/*.o "$builddir"/lib/*/*.o; do
	[ -e "$object" ] || continue
	name=$(echo "$object" | sed 's,/\.libs/,/,; s,.*/lib/\([a-z]*/[^/]*\)\.o$,\1,; s,/lib[a-z]*_la-,/,')
	[ -e "$srcdir/lib/$name.c" ] || continue # an object of an older revision
	${NM:-nm} -g "$object" 2>/dev/null | awk -v name="$name" -v defined="$work/defined" -v used="$work/used" '
		NF == 3 && $2 ~ /[TDBRVWC]/ { print $3, name >>defined }
		$(NF - 1) == "U" { print $NF, name >>used }'
done
symbols=0
if [ -s "$work/defined" ]; then
	sort -u "$work/defined" >"$work/a"
	sort -u "$work/used" >"$work/b"
	join "$work/b" "$work/a" | awk '$2 != $3 { print $2, $3, $1 }' | sort -u >"$work/edges"
	symbols=$(wc -l <"$work/edges")
	while read -r from to symbol; do
		may_use "${from%%/*}" "${to%%/*}" || fail "$from uses $symbol of $to"
	done <"$work/edges"
	# Only the header of a file declares the symbols of the file. portwatch.h declares the public functions.
	while read -r symbol name; do
		# The compiler adds the functions with dots, on i386.
		case $symbol in portwatch_* | *.*) continue ;; esac
		headers=$(grep -lE "^[a-z].*\b$symbol(\(|\[\]|;)" "$srcdir"/lib/*/*.h)
		[ "$headers" = "$srcdir/lib/$name.h" ] ||
			fail "$name defines $symbol, declared by ${headers:-no header}"
	done <"$work/a"
	# The files of a folder form no cycle.
	for layer in util proc table notify watch api; do
		awk -v layer="$layer/" 'index($1, layer) == 1 && index($2, layer) == 1 { print $1, $2 }' \
			"$work/edges" >"$work/within"
		tsort "$work/within" >/dev/null 2>"$work/cycles" ||
			fail "a cycle of files in $layer/: $(tr '\n' ' ' <"$work/cycles")"
	done
fi
echo "$count includes, $symbols uses of symbols and the tests of $modules modules compared"
exit $status
