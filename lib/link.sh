#!/bin/sh
# SPDX-License-Identifier: MIT
# link.sh COMMAND... - links libportwatch.la, and hides the inner names of its static library
#
# A version script is for the shared library alone: of an archive every name of every object would
# be in the host program's way. So its objects are made one, in which names that are hidden outside
# the library are local.
#
# Environment: CC (with the flags that say for what machine), AR, RANLIB, OBJCOPY, ARCHIVE.
set -eu
"$@"
[ -e "$ARCHIVE" ] || exit 0
object=${ARCHIVE%.a}.one.o
# What was compiled with -flto becomes machine code here: objcopy knows nothing else.
for lto in -flinker-output=nolto-rel ''; do
	# The flags are words.
	# shellcheck disable=SC2086
	! $CC -r -nostdlib $lto -Wl,--whole-archive "$ARCHIVE" -Wl,--no-whole-archive -o "$object" \
		2>"$object.log" || break
	[ -n "$lto" ] || {
		cat "$object.log" >&2
		exit 1
	}
done
$OBJCOPY --localize-hidden "$object"
rm -f "$ARCHIVE"
$AR cr "$ARCHIVE" "$object"
$RANLIB "$ARCHIVE"
rm -f "$object" "$object.log"
