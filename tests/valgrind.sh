#!/bin/sh
# SPDX-License-Identifier: MIT
# valgrind.sh PROGRAM [ARGUMENT...] - runs a test program under valgrind. An invalid access, lost memory
# or an open descriptor is a failure.
#
# All cases run in one process (CK_FORK=no), so that valgrind sees what each case leaves behind.
log=$1.valgrind
CK_FORK=no valgrind --quiet --error-exitcode=99 --leak-check=full --show-leak-kinds=all \
	--errors-for-leak-kinds=definite,indirect,possible --track-fds=yes \
	--child-silent-after-fork=yes --log-file="$log" "$@"
status=$?
cat "$log" >&2
# The second line of an entry shows whether our process opened the descriptor.
if [ $status -eq 0 ] && awk '
	left && !/<inherited from parent>/ { found = 1 }
	{ left = / Open / }
	END { exit !(found || left) }' "$log"; then
	echo "FAIL: descriptors are left open"
	status=1
fi
rm -f "$log"
exit $status
