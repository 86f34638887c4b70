#!/bin/sh
# SPDX-License-Identifier: MIT
# processes.sh - attacks: looking into pwatch and its helper, and signals to it
# shellcheck source=tests/attacks/support.sh
. "${srcdir:?}/tests/attacks/support.sh"

looking_into_processes()
{
	start_watching "$here/own" "$own"
	find_helper
	! as_mallory "$here/rogue" spy "$own" || fail "the spy doesn't see what it may see"
	for spied in "$watcher" "$helper"; do
		as_mallory "$here/rogue" spy "$spied" ||
			fail "$(cat "/proc/$spied/comm"): open to: $(xargs <"$work/log")"
	done
	for word in CapInh CapPrm CapEff CapAmb; do
		grep -q "^$word:.0*$" "/proc/$helper/status" || fail "the helper has $word"
	done
	# Nothing but cap_sys_admin, 21, and that not in effect.
	grep -q '^CapPrm:.0000000000200000$' "/proc/$watcher/status" ||
		fail "pwatch has $(grep CapPrm "/proc/$watcher/status")"
	grep -q '^CapEff:.0*$' "/proc/$watcher/status" || fail "pwatch has capabilities in effect"
	stop_watching
}

# attacked_by SIGNAL: the helper gets it; a port that opens afterwards is still told, and no port is
# told to be closed.
attacked_by()
{
	start_watching "$here/own" --interval=0.1 "$own"
	find_helper
	as_mallory kill "-$1" "$helper"
	kill -USR1 "$own"
	read -r more <&4
	until [ -z "$line" ] || echo "$line" | grep -q ":$more "; do
		next_line
		! echo "$line" | grep -q " close " || fail "a port is told to be closed: $line"
	done
	[ -n "$line" ] || fail "after SIG$1 to the helper no port is told: $(cat "$work/errors")"
	stop_watching
}

signals_to_the_helper()
{
	attacked_by STOP
	attacked_by KILL
}

run_cases looking_into_processes signals_to_the_helper
