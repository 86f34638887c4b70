#!/bin/sh
# SPDX-License-Identifier: MIT
# python.sh TEST.py - runs a test that is written in Python, if Python is installed
if ! command -v python3 >/dev/null 2>&1; then
	echo "SKIP: $1: python3 is not installed" >&2
	exit 77
fi
exec python3 -B "$@"
