#!/bin/sh
# SPDX-License-Identifier: MIT
# ldconfig.sh LIBDIR - updates the cache of the dynamic linker after make install and make uninstall, or
# prints the necessary command
#
# The dynamic linker of glibc searches a cache that only ldconfig(8) writes. Other C libraries (musl) have no
# cache.
PATH=$PATH:/usr/sbin:/sbin
libdir=$1

# Compares the real paths, because /lib can be a link to /usr/lib.
is_libdir()
{
	[ "$(CDPATH='' cd -- "$1" 2>/dev/null && pwd -P)" = "$real" ]
}

# With -N and -X, ldconfig changes nothing and prints the directories that it would search, in lines such as
# "DIRECTORY: (from ...)".
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
	The dynamic linker does not search $libdir by default. Either run as root:
	  echo $libdir >/etc/ld.so.conf.d/libportwatch.conf && ldconfig
	or set the environment variable LD_LIBRARY_PATH=$libdir
	MESSAGE
elif [ "$(id -u)" -eq 0 ]; then
	ldconfig || echo "ldconfig has failed: run ldconfig by hand"
else
	echo "To let programs find libportwatch, run as root: ldconfig"
fi
exit 0
