#!/bin/sh
# SPDX-License-Identifier: MIT
# Replaces a test program that configure omitted.
echo "SKIP: $0: needs Linux, the library check and, with -flto, a compiler that takes -ffat-lto-objects"
exit 77
