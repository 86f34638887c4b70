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

# lets_run PROGRAM: it runs a program of ours, whose process is held right before it becomes it. What
# could be taken from there is in $work/log.
lets_run()
{
	cp "$here/rogue" "$here/mine/command" && chown $mallory "$here/mine/command"
	setpriv --reuid $mallory --regid $mallory --clear-groups env -i PATH="$bins" \
		PORTWATCH_TEST_SLOWNESS="${PORTWATCH_TEST_SLOWNESS:-1}" \
		timeout -k "$(patience 60)" "$(patience 120)" "$here/rogue" steal "$here/mine/command" "$1" >"$work/lines" 2>&1 &
	watcher=$!
	exec 5<"$work/lines"
	: >"$work/log"
	while read -r line <&5; do
		echo "$line" >>"$work/log"
		case $line in
		held*)
			# shellcheck disable=SC2086
			set -- $line
			grep "^Cap\|^Name" "/proc/$3/status" >"$work/child"
			sed -n "s,^\([^-]*\)-.* \($here.*\),\1 \2,p" "/proc/$2/maps" | head -n 1 >"$work/parent.map"
			sed -n "s,^\([^-]*\)-.* \($here.*\),\1 \2,p" "/proc/$3/maps" | head -n 1 >"$work/child.map"
			grep "^Name" "/proc/$2/status" >"$work/name"
			# Words on one line.
			# shellcheck disable=SC2013
			for signaled in $(cat "/proc/$watcher/task/$watcher/children"); do
				kill -USR1 "$signaled"
			done
			;;
		esac
	done
	wait "$watcher"
	exec 5<&-
}

# The process that is to become COMMAND is its owner's: what it has must be of no use to him.
what_becomes_a_command()
{
	for program in plain own any; do
		lets_run "$here/$program"
		if grep -q "lease:" "$work/log"; then
			skip "no leases here: $(cat "$work/log")"
			return
		fi
		grep -q "^held " "$work/log" || fail "$program: not held: $(cat "$work/log")"
		grep -qx "status 1" "$work/log" || fail "$program: ends by it: $(cat "$work/log")"
		! grep -q "^poisoned\|^cannot write\|^no pidfd" "$work/log" || fail "$program: $(cat "$work/log")"
		! grep "^descriptor" "$work/log" | grep -qv " pipe:" ||
			fail "$program: shares $(grep "^descriptor" "$work/log" | xargs)"
		[ "$(grep -c "^descriptor" "$work/log")" -le 2 ] ||
			fail "$program: shares $(grep "^descriptor" "$work/log" | xargs)"
		grep -q "^CapPrm:.0*$" "$work/child" || fail "$program: $(cat "$work/child")"
		grep -qx "Name:.$program" "$work/name" || fail "$program: its name is $(cat "$work/name")"
		[ "$program" != plain ] || continue
		if [ ! -s "$work/parent.map" ] || [ ! -s "$work/child.map" ]; then
			fail "$program: no maps"
		fi
		if [ "$(cat /proc/sys/kernel/randomize_va_space)" -ne 0 ]; then
			! cmp -s "$work/parent.map" "$work/child.map" ||
				fail "$program: it knows the addresses of pwatch"
		fi
	done
}

run_cases looking_into_processes signals_to_the_helper what_becomes_a_command
