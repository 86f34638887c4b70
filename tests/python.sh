#!/bin/sh
# SPDX-License-Identifier: MIT
# python.sh TEST.py - runs a test that is written in Python, if Python is installed
if ! command -v python3 >/dev/null 2>&1; then
	echo "SKIP: $1: there is no python3" >&2
	exit 77
fi
exec python3 -B "$@"
