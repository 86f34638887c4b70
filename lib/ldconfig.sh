#!/bin/sh
# SPDX-License-Identifier: MIT
# ldconfig.sh LIBDIR - after make install and make uninstall: programs find the library, or the user
# reads how they do
#
# The dynamic linker of glibc looks into a cache, and ldconfig(8) alone writes the cache. Elsewhere
# (musl) there is none.
PATH=$PATH:/usr/sbin:/sbin
libdir=$1

# Directories have several names where /lib is a link to /usr/lib.
is_libdir()
{
	[ "$(CDPATH='' cd -- "$1" 2>/dev/null && pwd -P)" = "$real" ]
}

# With -N and -X ldconfig changes nothing, and prints where it would look: "DIRECTORY: (from ...)".
searched()
{
	real=$(CDPATH='' cd -- "$libdir" 2>/dev/null && pwd -P) || return 1
	for directory in $(ldconfig -N -X -v 2>/dev/null | sed -n 's,^\(/[^:[:space:]]*\):.*,\1,p'); do
		! is_libdir "$directory" || return 0
	done
	return 1
}

command -v ldconfig >/dev/null || exit 0
[ -n "$(ldconfig -N -X -v 2>/dev/null)" ] || exit 0
if ! searched; then
	[ ! -e "$libdir/libportwatch.so" ] || cat <<-MESSAGE
	Programs don't look for libraries in $libdir by themselves. Either, as root, run:
	  echo $libdir >/etc/ld.so.conf.d/libportwatch.conf && ldconfig
	or set the environment variable LD_LIBRARY_PATH=$libdir
	MESSAGE
elif [ "$(id -u)" -eq 0 ]; then
	ldconfig || echo "ldconfig has failed; run it by hand"
else
	echo "So that programs find libportwatch, run as root: ldconfig"
fi
exit 0
