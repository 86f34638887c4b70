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
LD_LIBRARY_PATH=$destdir$("$PKG_CONFIG" --variable=libdir libportwatch)
export LD_LIBRARY_PATH
flags=$("$PKG_CONFIG" --cflags --libs libportwatch)
for consumer in thread loop; do
	# The flags are words.
	# shellcheck disable=SC2086
	$CC -D_GNU_SOURCE ${CFLAGS-} -I"$here/../support" "$here/$consumer.c" -o "$work/$consumer" ${LDFLAGS-} $flags
	"$work/$consumer"
	echo "PASS: consumer $consumer"
done
