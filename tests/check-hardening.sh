#!/bin/sh
# SPDX-License-Identifier: MIT
# check-hardening.sh - pwatch has the protections that this compiler supports, and configure does not
# change the user's flags
#
# A small trial program shows which protections the compiler supports with the user's flags. Environment:
# PWATCH, CC, CPPFLAGS, CFLAGS, LDFLAGS, AM_CFLAGS, HARDENING (no: --disable-hardening), builddir.
set -u
if [ ! -x "$PWATCH" ]; then
	echo "SKIP: pwatch is not built on this system"
	exit 77
fi
if [ "$HARDENING" = no ]; then
	echo "SKIP: configured with --disable-hardening"
	exit 77
fi
if ! command -v readelf >/dev/null; then
	echo "SKIP: readelf is not installed"
	exit 77
fi
work=$(mktemp -d "${TMPDIR:-$builddir}/hardening.XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT
failures=0

fail()
{
	echo "FAIL: $*"
	failures=$((failures + 1))
}

cat >"$work/trial.c" <<'END'
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv)
{
	char copy[64];
	memcpy(copy, argv[0], (size_t)argc + strlen(argv[0]));
	return puts(copy) < 0;
}
END

# shows OPTION PATTERN FLAG...: whether readelf finds the pattern in the trial program, built with the flags.
shows()
{
	option=$1 pattern=$2
	shift 2
	# shellcheck disable=SC2086
	$CC "$@" $CPPFLAGS $CFLAGS $LDFLAGS "$work/trial.c" -o "$work/trial" 2>/dev/null &&
		readelf -W "$option" "$work/trial" | grep -q -e "$pattern"
}

# expect WHAT OPTION PATTERN FLAG...: if the trial program has the protection, pwatch has it too.
expect()
{
	what=$1
	shift
	if ! shows "$@"; then
		echo "$what: not with this compiler and these flags"
	elif readelf -W "$1" "$PWATCH" | grep -q -e "$2"; then
		echo "$what: yes"
	else
		fail "$what: the compiler supports it, but pwatch lacks it"
	fi
}

# With musl, only the type shows that a static program is position-independent.
expect "position-independent" -h 'Type: *DYN' -fPIE -pie
expect "bound at the start" -d 'BIND_NOW\|NOW' -Wl,-z,now
expect "read-only after relocation" -l GNU_RELRO -Wl,-z,relro
expect "stack protector" -s '__stack_chk_\(fail\|guard\)' -fstack-protector-strong
case $AM_CFLAGS in
*-fsanitize*) echo "checked calls: not with sanitizers" ;;
*)
	case " $CC $CPPFLAGS $CFLAGS" in
	*_FORTIFY_SOURCE*) expect "checked calls" -s '__[a-z]*_chk\>' ;;
	*) expect "checked calls" -s '__\(mem\|str\|v\?s\)[a-z]*_chk\>' -D_FORTIFY_SOURCE=2 ;;
	esac
	;;
esac

# Objects of other projects can disable this protection for the whole program, so the test examines one
# object.
# shellcheck disable=SC2086
if $CC -fcf-protection $CPPFLAGS $CFLAGS -c "$work/trial.c" -o "$work/trial.o" 2>/dev/null &&
	readelf -n "$work/trial.o" | grep -q IBT; then
	echo "control-flow protection: yes"
	readelf -n "$builddir/cmd/pwatch-main.o" | grep -q IBT ||
		fail "control-flow protection: the compiler supports it, but pwatch lacks it"
fi

# fortify FLAG...: prints the value of _FORTIFY_SOURCE in a file that is compiled with the flags.
fortify()
{
	# shellcheck disable=SC2086
	$CC "$@" -I"$builddir" -include config.h -dM -E -x c /dev/null |
		sed -n 's/^#define _FORTIFY_SOURCE //p'
}

# Tests flags that the user passes to make. Compilers that define _FORTIFY_SOURCE themselves are exempt.
if ! $CC -O2 -dM -E -x c /dev/null | grep -q _FORTIFY_SOURCE; then
	[ -z "$(fortify -O0)" ] || fail "_FORTIFY_SOURCE is defined without optimization"
	[ "$(fortify -O2 -D_FORTIFY_SOURCE=1)" = 1 ] || fail "the user cannot choose the value of _FORTIFY_SOURCE"
	[ "$(fortify -O2 -D_FORTIFY_SOURCE=0)" = 0 ] || fail "the user cannot disable _FORTIFY_SOURCE"
fi
case $("$builddir/config.status" --config) in
*CFLAGS*) ;;
*) [ "$CFLAGS" = "-g -O2" ] || fail "CFLAGS are '$CFLAGS', although the user has not set them" ;;
esac
[ "$failures" -eq 0 ]
