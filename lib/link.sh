#!/bin/sh
# SPDX-License-Identifier: MIT
# link.sh COMMAND... - links libportwatch.la, and hides the internal names of the static library
#
# A version script affects the shared library only. The internal names of an archive could collide with
# names of the host program. So this script links the objects into one object, and makes its hidden names
# local.
#
# Environment: CC (with the flags that select the machine), AR, RANLIB, OBJCOPY, ARCHIVE.
set -eu
"$@"
[ -e "$ARCHIVE" ] || exit 0
object=${ARCHIVE%.a}.one.o
# Objects of -flto become machine code, because objcopy requires machine code.
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
