# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# patience.sh - how long a test waits before it fails; scripts source this file

# patience SECONDS: prints the seconds multiplied by PORTWATCH_TEST_SLOWNESS, an integer: the factor by
# which this machine is slower than a usual machine. Every deadline of a script uses this function.
patience()
{
	echo $(($1 * ${PORTWATCH_TEST_SLOWNESS:-1}))
}
