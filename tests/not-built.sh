#!/bin/sh
# SPDX-License-Identifier: MIT
# Stands for a test program that configure left out.
echo "SKIP: $0: needs Linux, the library check and, with -flto, a compiler that takes -ffat-lto-objects"
exit 77
