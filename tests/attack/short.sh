#!/bin/sh
# SPDX-License-Identifier: MIT
# short.sh - a short form of each attack of `make attack`: no port of another tree is missed
exec "${builddir:-.}/tests/attack/attack" --short
