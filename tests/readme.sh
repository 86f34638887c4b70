#!/bin/sh
# SPDX-License-Identifier: MIT
# readme.sh - runs the recipes of README.md unchanged and checks their results
#
# The script runs in a network namespace of its own, in which the ports of the recipes are free, and in a
# directory of its own. Scripts replace the programs that the recipes only use as examples (npm, postgres,
# docker, ...). engines.sh tests the recipes with systemd and with Docker itself. The script leaves out a
# recipe whose tool is not installed, and prints a line.
#
# Environment: PWATCH, CC, CPPFLAGS, AM_CFLAGS, CFLAGS, LDFLAGS, builddir, srcdir.
set -u
builddir=$(cd "${builddir:-.}" && pwd)
srcdir=$(cd "${srcdir:-.}" && pwd)
. "$srcdir/tests/support/blocks.sh"
. "$srcdir/tests/support/patience.sh"
PATH=$PATH:/usr/sbin:/sbin
if ! [ -x "${PWATCH-}" ]; then
	echo "SKIP: pwatch is not built on this system"
	exit 77
fi
for tool in python3 unshare ip; do
	command -v $tool >/dev/null || { echo "SKIP: $tool is not installed"; exit 77; }
done
if [ -z "${README_INSIDE-}" ]; then
	export README_INSIDE=1
	! unshare --net true 2>/dev/null || exec unshare --net sh "$0"
	! unshare --user --map-root-user --net true 2>/dev/null ||
		exec unshare --user --map-root-user --net sh "$0"
	echo "SKIP: no network namespace can be created"
	exit 77
fi
ip link set lo up || exit 99

work=$(mktemp -d "${TMPDIR:-$builddir}/readme.XXXXXX") || exit 99
work=$(cd "$work" && pwd)
runner=
container=
cleanup()
{
	[ -z "$runner" ] || stop
	[ -z "$container" ] || kill "$container" 2>/dev/null
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM
failures=0
recipes=0

fail()
{
	echo "FAIL: $*"
	failures=$((failures + 1))
	tail -n 20 "$work/out" "$work/err" 2>/dev/null | sed 's/^/    /'
}

# --- the replacements ----------------------------------------------------------------------------

mkdir "$work/bin" "$work/docs"
# A copy, because a recipe sets capabilities.
cp "$PWATCH" "$work/bin/pwatch"
ln -s "$srcdir/docs/examples" "$work/docs/examples"
PATH=$work/bin:$PATH
LD_LIBRARY_PATH=$builddir/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
# The leak checker may not trace a process with capabilities.
ASAN_OPTIONS=detect_leaks=0
export ASAN_OPTIONS

# replace NAME SCRIPT
replace()
{
	printf '#!/bin/sh\n%s\n' "$2" >"$work/bin/$1"
	chmod +x "$work/bin/$1"
}

replace npm 'exec python3 -m http.server --bind 127.0.0.1 3000'
replace postgres 'exec python3 -m http.server --bind 127.0.0.1 5432'
replace psql 'echo "psql $*"'
# shellcheck disable=SC2016
replace curl 'exec python3 -c "import sys, urllib.request
print(urllib.request.urlopen(sys.argv[1]).read().decode())" "$1"'
replace pkg-config "echo -I$srcdir/lib/api -L$builddir/.libs -lportwatch"
# The PATH of this replacement omits its own directory, because it would run itself.
replace cc "PATH='${PATH#*:}' exec ${CC:-cc} ${CPPFLAGS-} ${AM_CFLAGS-} ${CFLAGS-} \"\$@\" ${LDFLAGS-} -lpthread"
# The container is a process in a network namespace of its own.
replace docker "cat $work/container"

start_container()
{
	unshare --net sh -c 'ip link set lo up; exec python3 -m http.server 6000' >"$work/container.log" 2>&1 &
	container=$!
	echo $container >"$work/container"
	# The recipe must find the namespace.
	"$PWATCH" --quiet --wait=6000 --timeout="$(patience 60)" $container
}

# --- running -------------------------------------------------------------------------------------

# recipe NUMBER: runs the block whose first line begins with the number, in the background.
recipe()
{
	number=$1
	block "$srcdir/README.md" sh "# $number. " >"$work/recipe.sh"
	[ -s "$work/recipe.sh" ] || { fail "README.md has no recipe $number"; return 1; }
	name=$(sed -n '1s/^# //p' "$work/recipe.sh")
	rm -f "$work/out" "$work/err"
	cd "$work" || exit 99
	timeout "$(patience 120)" sh -e "$work/recipe.sh" >"$work/out" 2>"$work/err" </dev/null &
	runner=$!
	cd "$builddir" || exit 99
}

# stop: ends the recipe. timeout(1) has created a process group, which also contains the background
# processes of the recipe.
stop()
{
	kill -TERM "$runner" 2>/dev/null
	wait "$runner" 2>/dev/null
	kill -s TERM -- "-$runner" 2>/dev/null
	runner=
}

passed()
{
	recipes=$((recipes + 1))
	echo "passed: $name"
}

# prints FILE PATTERN: waits until the recipe has printed a line with the pattern, and ends the recipe.
prints()
{
	tries=$(patience 6000)
	until grep -qE -- "$2" "$work/$1" 2>/dev/null; do
		tries=$((tries - 1))
		if [ $tries -le 0 ] || ! kill -0 "$runner" 2>/dev/null; then
			# The recipe can have printed the line right before its end.
			! grep -qE -- "$2" "$work/$1" 2>/dev/null || break
			fail "$name: has not printed: $2"
			stop
			return 1
		fi
		sleep 0.01
	done
	stop
	passed
}

# ends: expects that the recipe ends with status 0.
ends()
{
	wait "$runner"
	ended=$?
	stop
	[ $ended -eq 0 ] || { fail "$name: ends with status $ended"; return 1; }
}

can_compile()
{
	compiler=${CC:-cc}
	[ -e "$builddir/.libs/libportwatch.so" ] && command -v "${compiler%% *}" >/dev/null
}

left_out()
{
	echo "left out: recipe $1: $2"
}

# --- the recipes ---------------------------------------------------------------------------------

recipe 1 && prints err 'open +127\.0\.0\.1:3000 +.*\[[0-9]+\]$'
recipe 2 && prints out '^psql --list$'
recipe 3 && prints out 'Directory listing'
recipe 4 && prints ports.log '^open 3000$'
if command -v jq >/dev/null; then
	recipe 5 && prints out '^\["open","127\.0\.0\.1",3000\]$'
else
	left_out 5 "jq is not installed"
fi

start_container || fail "no replacement for a container"
recipe 6 && prints out "open +0\\.0\\.0\\.0:6000 .*\\[$container\\].* netns"
python3 -m http.server --bind 127.0.0.2 7000 >"$work/server.log" 2>&1 &
server=$!
"$PWATCH" --quiet --addresses=all --wait=7000 --timeout="$(patience 60)" $server
recipe 7 && prints out "^127\\.0\\.0\\.2:7000 +$server +python3"
kill $server
if unshare --user --map-root-user --net true 2>/dev/null; then
	recipe 8 && prints out '^8080 is open in there$'
else
	left_out 8 "no user namespace can be created"
fi
: >"$work/probe"
if setcap cap_sys_admin=p "$work/probe" 2>/dev/null; then
	if recipe 9 && ends; then
		if getcap "$work/bin/pwatch" | grep -q 'cap_sys_admin[=+]p'; then
			passed
		else
			fail "$name: no capability"
		fi
	fi
else
	left_out 9 "file capabilities cannot be set"
fi

left_out 10 "engines.sh runs it"
if can_compile; then
	# The recipe makes the port of the container reachable from here.
	recipe 11 && until "$work/bin/curl" http://127.0.0.1:6000/ >"$work/page" 2>&1; do
		kill -0 $runner 2>/dev/null || break
		sleep 0.01
	done
	if grep -q 'Directory listing' "$work/page"; then
		passed
	else
		fail "$name: the port of the container is not reachable"
	fi
	[ -z "$runner" ] || stop
else
	left_out 11 "the compiler or the shared library is missing"
fi

# --- the program ---------------------------------------------------------------------------------

name="the program in README.md"
block "$srcdir/README.md" c "" >"$work/example.c"
if ! can_compile; then
	left_out "of the program" "the compiler or the shared library is missing"
elif ! "$work/bin/cc" "$work/example.c" -o "$work/example" -I"$srcdir/lib/api" -L"$builddir/.libs" -lportwatch \
	>"$work/out" 2>"$work/err"; then
	fail "$name does not compile"
else
	python3 -m http.server --bind 127.0.0.1 9000 >"$work/server.log" 2>&1 &
	server=$!
	timeout "$(patience 120)" "$work/example" $server >"$work/out" 2>"$work/err" &
	runner=$!
	prints out '^127\.0\.0\.1:9000$'
	kill $server
fi

echo "$recipes passed"
[ "$failures" -eq 0 ] && [ "$recipes" -gt 5 ]
