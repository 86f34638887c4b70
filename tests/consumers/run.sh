#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh DESTDIR PKGCONFIGDIR HOST_OS - builds the consumers against the installed library, which they
# find through pkg-config alone, and runs them
#
# Environment: CC, CFLAGS, LDFLAGS, PKG_CONFIG.
set -eu
destdir=$1
PKG_CONFIG_PATH=$destdir$2${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
export PKG_CONFIG_PATH
if [ -n "$destdir" ]; then
	PKG_CONFIG_SYSROOT_DIR=$destdir
	export PKG_CONFIG_SYSROOT_DIR
fi
case $3 in
linux*) ;;
*)
	echo "SKIP: the consumers need Linux"
	exit 0
	;;
esac

here=$(dirname "$0")
work=$(mktemp -d "${TMPDIR:-.}/consumers.XXXXXX")
trap 'rm -rf "$work"' EXIT
libdir=$destdir$("$PKG_CONFIG" --variable=libdir libportwatch)
LD_LIBRARY_PATH=$libdir
export LD_LIBRARY_PATH

# consume HOW FLAG...: builds them with these flags, which are for the linker too.
consume()
{
	how=$1
	shift
	for consumer in thread loop; do
		# The flags are words.
		# shellcheck disable=SC2086
		$CC -D_GNU_SOURCE ${CFLAGS-} -I"$here/../support" "$here/$consumer.c" \
			-o "$work/$consumer" ${LDFLAGS-} "$@"
		"$work/$consumer"
		echo "PASS: consumer $consumer, $how"
	done
}

if [ -e "$libdir/libportwatch.so" ]; then
	# shellcheck disable=SC2046
	consume shared $("$PKG_CONFIG" --cflags --libs libportwatch)
fi
if [ ! -e "$libdir/libportwatch.a" ]; then
	exit 0
fi
flags=$("$PKG_CONFIG" --static --cflags --libs libportwatch)
echo 'int main(void) { return 0; }' >"$work/trial.c"
# shellcheck disable=SC2086
if $CC -static ${CFLAGS-} "$work/trial.c" -o "$work/trial" ${LDFLAGS-} \
	${flags##*-lportwatch} 2>"$work/log"; then
	# shellcheck disable=SC2086
	consume static -static $flags
else
	echo "SKIP: consumers, static: $(tail -n 1 "$work/log")"
fi
