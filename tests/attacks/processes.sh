#!/bin/sh
# SPDX-License-Identifier: MIT
# processes.sh - attacks: inspection of pwatch and its helper, and signals to the helper
# shellcheck source=tests/attacks/support.sh
. "${srcdir:?}/tests/attacks/support.sh"

inspection_of_processes()
{
	start_watching "$here/own" "$own"
	find_helper
	! as_mallory "$here/rogue" spy "$own" || fail "the attack does not work where the kernel allows it"
	for pid in "$watcher" "$helper"; do
		as_mallory "$here/rogue" spy "$pid" ||
			fail "$(cat "/proc/$pid/comm") can be inspected: $(xargs <"$work/log")"
	done
	for word in CapInh CapPrm CapEff CapAmb; do
		grep -q "^$word:.0*$" "/proc/$helper/status" || fail "the helper has $word"
	done
	# cap_sys_admin (bit 21) alone is permitted, and not in effect.
	grep -q '^CapPrm:.0000000000200000$' "/proc/$watcher/status" ||
		fail "pwatch has $(grep CapPrm "/proc/$watcher/status")"
	grep -q '^CapEff:.0*$' "/proc/$watcher/status" || fail "pwatch has capabilities in effect"
	stop_watching
}

# signal_helper SIGNAL: sends the signal to the helper. A port that opens afterwards is reported, and no
# port is reported as closed.
signal_helper()
{
	start_watching "$here/own" --interval=0.1 "$own"
	find_helper
	as_mallory kill "-$1" "$helper"
	kill -USR1 "$own"
	read -r more <&4
	until [ -z "$line" ] || echo "$line" | grep -q ":$more "; do
		next_line
		! echo "$line" | grep -q " close " || fail "a port is reported as closed: $line"
	done
	[ -n "$line" ] || fail "after SIG$1 to the helper no port is reported: $(cat "$work/errors")"
	stop_watching
}

signals_to_the_helper()
{
	signal_helper STOP
	signal_helper KILL
}

# run_held_command PROGRAM: the privileged PROGRAM runs a command of the attacker, who holds the process
# right before the exec (a lease on the file). $work/log lists what the attacker can take from the
# process.
run_held_command()
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

# The process that becomes COMMAND belongs to the attacker. Its descriptors, capabilities and addresses
# must be of no use to the attacker.
process_before_exec()
{
	for program in plain own any; do
		run_held_command "$here/$program"
		if grep -q "lease:" "$work/log"; then
			skip "the file system has no leases: $(cat "$work/log")"
			return
		fi
		grep -q "^held " "$work/log" || fail "$program: the process was not held: $(cat "$work/log")"
		grep -qx "status 1" "$work/log" || fail "$program: the attack ends pwatch: $(cat "$work/log")"
		! grep -q "^poisoned\|^cannot write\|^no pidfd" "$work/log" || fail "$program: $(cat "$work/log")"
		! grep "^descriptor" "$work/log" | grep -qv " pipe:" ||
			fail "$program: shares $(grep "^descriptor" "$work/log" | xargs)"
		[ "$(grep -c "^descriptor" "$work/log")" -le 2 ] ||
			fail "$program: shares $(grep "^descriptor" "$work/log" | xargs)"
		grep -q "^CapPrm:.0*$" "$work/child" || fail "$program: $(cat "$work/child")"
		grep -qx "Name:.$program" "$work/name" || fail "$program: the name of pwatch is $(cat "$work/name")"
		[ "$program" != plain ] || continue
		if [ ! -s "$work/parent.map" ] || [ ! -s "$work/child.map" ]; then
			fail "$program: no maps"
		fi
		if [ "$(cat /proc/sys/kernel/randomize_va_space)" -ne 0 ]; then
			! cmp -s "$work/parent.map" "$work/child.map" ||
				fail "$program: the process has the addresses of pwatch"
		fi
	done
}

run_cases inspection_of_processes signals_to_the_helper process_before_exec
