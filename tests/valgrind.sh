#!/bin/sh
# SPDX-License-Identifier: MIT
# valgrind.sh PROGRAM [ARGUMENT...] - runs a test program under valgrind: an invalid access, lost
# memory or a descriptor left open is a failure
#
# In one process (CK_FORK=no): valgrind is to see what a case leaves behind.
log=$1.valgrind
CK_FORK=no valgrind --quiet --error-exitcode=99 --leak-check=full --show-leak-kinds=all \
	--errors-for-leak-kinds=definite,indirect,possible --track-fds=yes \
	--child-silent-after-fork=yes --log-file="$log" "$@"
status=$?
cat "$log" >&2
# The second line of an entry says whether we opened it ourselves.
if [ $status -eq 0 ] && awk '
	left && !/<inherited from parent>/ { found = 1 }
	{ left = / Open / }
	END { exit !(found || left) }' "$log"; then
	echo "FAIL: descriptors are left open"
	status=1
fi
rm -f "$log"
exit $status
