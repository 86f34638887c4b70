# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# patience.sh - how long a test waits before it takes something for lost; for scripts to read

# patience SECONDS: prints them as many times as PORTWATCH_TEST_SLOWNESS says, a whole number, for a
# machine that is so much slower than usual ones. Every deadline of a script goes through here.
patience()
{
	echo $(($1 * ${PORTWATCH_TEST_SLOWNESS:-1}))
}
