#!/bin/sh
# SPDX-License-Identifier: MIT
# short.sh - a short form of each attack of `make attack`: no port of the other tree may be missed
attack=${builddir:-.}/tests/attack/attack
if ! [ -x "$attack" ]; then
	echo "SKIP: $attack is not built here"
	exit 77
fi
exec "$attack" --short
