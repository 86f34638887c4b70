#!/bin/sh
# SPDX-License-Identifier: MIT
# Stands for a test program that configure left out.
echo "SKIP: $0: needs Linux and the library check"
exit 77
