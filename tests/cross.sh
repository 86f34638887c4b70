#!/bin/sh
# SPDX-License-Identifier: MIT
# cross.sh [TARGET...] - builds for other architectures and another C library, and tests there
#
#   i386                            all tests; this machine's kernel runs them
#   musl                            all tests, with the C library musl
#   arm64, armhf, riscv64, s390x    the tests that need no system of their own and the inputs of
#                                   tests/fuzz, under qemu-user; s390x is big-endian
#
# Without targets: all of them. Not part of make check, because it takes minutes. Runs on Debian 12 or
# later for amd64. As root the script prints and installs missing packages; for any other user it prints
# the command. The script builds libcap and check for each target from Debian's source packages, because
# Debian has no binary packages of them for some targets.
#
# Environment: CROSS_DIR, the build directory (default: ./cross; libraries that are already built there
# are used again); CROSS_SOURCE, an unpacked tarball (default: made with make dist); CROSS_TESTS, the
# tests to run (default: all that a target can run); JOBS (default: twice the number of CPUs).
set -u
top=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
work=${CROSS_DIR:-$PWD/cross}
jobs=${JOBS:-$((2 * $(getconf _NPROCESSORS_ONLN)))}
failed=
sums=

fail()
{
	echo "cross.sh: $*" >&2
	exit 1
}

# --- the targets --------------------------------------------------------------------------------

# Sets the target's host (configure's name of it), compiler, emulator (empty: the kernel runs the
# programs), flags, and the packages that contain the tools.
describe()
{
	emulator=
	cpp_flags=
	ld_flags=
	case $1 in
	i386)
		host=i686-linux-gnu
		packages="gcc-i686-linux-gnu libc6-dev-i386-cross"
		# The loader is not installed in its usual place, so programs have to find it where its
		# package puts it.
		ld_flags="-Wl,--dynamic-linker=/usr/$host/lib/ld-linux.so.2 -Wl,-rpath,/usr/$host/lib"
		;;
	arm64)
		host=aarch64-linux-gnu
		packages="gcc-$host libc6-dev-arm64-cross qemu-user"
		emulator="qemu-aarch64 -L /usr/$host"
		;;
	armhf)
		host=arm-linux-gnueabihf
		packages="gcc-$host libc6-dev-armhf-cross qemu-user"
		emulator="qemu-arm -L /usr/$host"
		;;
	riscv64)
		host=riscv64-linux-gnu
		packages="gcc-$host libc6-dev-riscv64-cross qemu-user"
		emulator="qemu-riscv64 -L /usr/$host"
		;;
	s390x)
		host=s390x-linux-gnu
		packages="gcc-$host libc6-dev-s390x-cross qemu-user"
		emulator="qemu-s390x -L /usr/$host"
		;;
	musl)
		host=x86_64-linux-musl
		packages="musl-tools"
		# musl does not include the kernel's headers.
		cpp_flags="-isystem $work/musl/kernel"
		;;
	*) fail "no such target: $1" ;;
	esac
	compiler=$host-gcc
	[ "$1" != musl ] || compiler=musl-gcc
	directory=$work/$1
	prefix=$directory/prefix
	ld_flags="$ld_flags -Wl,-rpath,$prefix/lib"
}

install_packages()
{
	missing=
	for target in "$@"; do
		describe "$target"
		for package in $packages dpkg-dev xz-utils autoconf automake libtool make gcc; do
			dpkg-query -W -f '${Status}' "$package" 2>/dev/null |
				grep -q '^install ok installed$' || missing="$missing$package
"
		done
	done
	missing=$(printf '%s' "$missing" | sort -u | tr '\n' ' ')
	[ -n "$missing" ] || return 0
	if [ "$(id -u)" -ne 0 ]; then
		echo "cross.sh: packages are missing; run this as root, then try again:" >&2
		echo "apt-get update && apt-get install -y --no-install-recommends $missing" >&2
		exit 1
	fi
	echo "cross.sh: installing $missing"
	# shellcheck disable=SC2086
	if ! { apt-get -q update && DEBIAN_FRONTEND=noninteractive \
		apt-get -q install -y --no-install-recommends $missing; }; then
		fail "the packages could not be installed"
	fi
}

# --- the libraries ------------------------------------------------------------------------------

# Uses source lists of this script's own, so that the machine's lists stay unchanged.
fetch_sources()
{
	[ ! -e "$work/sources/done" ] || return 0
	echo "cross.sh: fetching the source packages libcap2 and check into $work/sources"
	rm -rf "$work/sources"
	mkdir -p "$work/sources/parts" "$work/sources/lists/partial" "$work/sources/cache" || return 1
	for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[ ! -e "$list" ] || sed -n 's/^deb /deb-src /p' "$list"
	done >"$work/sources/parts/all.list"
	for list in /etc/apt/sources.list.d/*.sources; do
		[ ! -e "$list" ] || sed 's/^Types:.*/Types: deb-src/' "$list" \
			>"$work/sources/parts/${list##*/}"
	done
	cat >"$work/sources/apt.conf" <<-END
		Dir::Etc::SourceList "/dev/null";
		Dir::Etc::SourceParts "$work/sources/parts";
		Dir::State::Lists "$work/sources/lists";
		Dir::Cache "$work/sources/cache";
		APT::Sandbox::User "root";
	END
	(
		cd "$work/sources" && APT_CONFIG=$work/sources/apt.conf && export APT_CONFIG &&
			apt-get -q update && apt-get -q source libcap2 check && touch "$work/sources/done"
	)
}

# Links the kernel's headers, without the other headers, beside those of musl.
link_kernel_headers()
{
	mkdir -p "$1" && for name in linux asm-generic mtd; do
		ln -sfn "/usr/include/$name" "$1/$name" || return 1
	done && ln -sfn "/usr/include/$(gcc -print-multiarch)/asm" "$1/asm"
}

# shellcheck disable=SC2086
build_libcap()
{
	rm -rf "$directory/libcap" && cp -r "$work"/sources/libcap2-* "$directory/libcap" &&
		make -s -C "$directory/libcap/libcap" install CC="$compiler $cpp_flags" \
			BUILD_CC=gcc AR=ar RANLIB=ranlib OBJCOPY="$objcopy" prefix="$prefix" lib=lib \
			PTHREADS=no GOLANG=no USE_GPERF=no RAISE_SETFCAP=no
}

build_check()
{
	configure=$(echo "$work"/sources/check-*/configure)
	rm -rf "$directory/check" && mkdir "$directory/check" && (
		cd "$directory/check" &&
			"$configure" -q --build="$(gcc -dumpmachine)" --host="$host" \
				CC="$compiler" LDFLAGS="$ld_flags" --prefix="$prefix" --disable-subunit \
				--disable-timeout-tests --disable-build-docs --disable-static &&
			make -s -j"$jobs" install SUBDIRS='lib src .' &&
			# Changes the library to the name of Debian's static library, and avoids
			# warnings about its macros.
			sed -i "s|-lcheck_pic|-lcheck|; s|-I.{includedir}|-isystem $prefix/include|" \
				"$prefix/lib/pkgconfig/check.pc"
	)
}

build_libraries()
{
	[ ! -e "$prefix/done" ] || return 0
	echo "cross.sh: building libcap and check for $1"
	rm -rf "$directory" && mkdir -p "$prefix" || return 1
	[ "$1" != musl ] || link_kernel_headers "$directory/kernel" || return 1
	objcopy=$host-objcopy
	[ "$1" != musl ] || objcopy=objcopy
	(build_libcap && build_check) >"$directory/libraries.log" 2>&1 || {
		tail -n 30 "$directory/libraries.log"
		return 1
	}
	touch "$prefix/done"
}

# --- this project -------------------------------------------------------------------------------

# Makes a tarball and builds it outside of the checkout, because the checkout may be configured for this
# machine.
prepare_source()
{
	if [ -n "${CROSS_SOURCE-}" ]; then
		source=$(cd "$CROSS_SOURCE" && pwd)
		return
	fi
	source=$work/source
	rm -rf "$work/checkout" "$source" && mkdir -p "$work/checkout/m4" "$source" &&
		(cd "$top" && git ls-files -z | xargs -0 cp --parents -t "$work/checkout") &&
		(cd "$work/checkout" && autoreconf -fi >/dev/null 2>&1 && ./configure -q >/dev/null &&
			make -s dist >/dev/null) &&
		tar -C "$source" --strip-components=1 -xzf "$work"/checkout/libportwatch-*.tar.gz
}

configure_project()
{
	rm -rf "$directory/build"
	mkdir "$directory/build" && cd "$directory/build" || return 1
	PKG_CONFIG_LIBDIR=$prefix/lib/pkgconfig "$source/configure" --quiet --enable-werror \
		--build="$(gcc -dumpmachine)" --host="$host" CC="$compiler" \
		CPPFLAGS="$cpp_flags" LDFLAGS="$ld_flags" >configure.log 2>&1 || {
		tail -n 30 configure.log
		return 1
	}
}

# shellcheck disable=SC2086
run_tests()
{
	cd "$directory/build" && make -s -j"$jobs" || return 1
	if [ -n "${CROSS_TESTS-}" ]; then
		make -s -j"$jobs" check TESTS="$CROSS_TESTS" LOG_COMPILER="$emulator"
	elif [ -n "$emulator" ]; then
		make -s -j"$jobs" check-pure EMULATOR="$emulator"
	else
		make -s -j"$jobs" check
	fi
}

test_target()
{
	begin=$(date +%s)
	printf '\n--- %s\n' "$1"
	describe "$1"
	if build_libraries "$1" && (configure_project) && run_tests_logged; then
		printf -- '--- %s: done in %d s\n' "$1" $(($(date +%s) - begin))
	else
		printf -- '--- %s: FAILED after %d s\n' "$1" $(($(date +%s) - begin))
		failed="$failed $1"
	fi
	[ ! -e "$directory/build/tests.log" ] ||
		sums="$sums$(grep -E '^[0-9]+ passed, ' "$directory/build/tests.log" | tail -n 1) ($1)
"
}

run_tests_logged()
{
	{
		(run_tests) 2>&1
		echo $? >"$directory/build/status"
	} | tee "$directory/build/tests.log" | grep -v '^  [A-Z]* *[^ ]*$'
	[ "$(cat "$directory/build/status")" -eq 0 ]
}

[ $# -gt 0 ] || set -- i386 musl arm64 armhf riscv64 s390x
for target in "$@"; do
	describe "$target"
done
[ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ] || fail "needs Debian for amd64"
mkdir -p "$work" || exit 1
work=$(cd "$work" && pwd)
install_packages "$@"
fetch_sources || fail "the source packages could not be fetched"
prepare_source || fail "the tarball could not be made"
for target in "$@"; do
	test_target "$target"
done
printf '\n%s' "$sums"
[ -z "$failed" ] || fail "failed:$failed"
