#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""watch.py - prints the ports of a process and its descendants, by ctypes: ./watch.py PID"""
import ctypes
import os
import select
import sys

OPEN, END = 1, 4
DELIVERY_DISPATCH = 1

library = ctypes.CDLL("libportwatch.so.0")
# The callback runs in the thread that dispatches, under the lock of Python.
Callback = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
# Without prototypes, ctypes would pass pointers as int, which is too narrow.
for name, result, *arguments in (
    ("new", ctypes.c_int, ctypes.POINTER(ctypes.c_void_p), ctypes.c_int, Callback, ctypes.c_void_p),
    ("set_delivery", ctypes.c_int, ctypes.c_void_p, ctypes.c_int),
    ("start", ctypes.c_int, ctypes.c_void_p),
    ("get_error", ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t),
    ("get_fd", ctypes.c_int, ctypes.c_void_p),
    ("dispatch", ctypes.c_int, ctypes.c_void_p),
    ("free", None, ctypes.c_void_p),
    ("event_get_kind", ctypes.c_int, ctypes.c_void_p),
    ("event_get_port", ctypes.c_uint16, ctypes.c_void_p),
    ("event_get_address_text", ctypes.c_char_p, ctypes.c_void_p),
):
    function = getattr(library, "portwatch_" + name)
    function.restype, function.argtypes = result, arguments


def check(result):
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return result


def watch(pid, on_open):
    """Calls on_open(address, port) for each port that opens, until the last process has exited."""
    ended = []

    @Callback
    def on_event(_watcher, event, _user_data):
        if library.portwatch_event_get_kind(event) == END:
            ended.append(True)
        else:
            address = library.portwatch_event_get_address_text(event).decode()
            on_open(address, library.portwatch_event_get_port(event))

    watcher = ctypes.c_void_p()
    check(library.portwatch_new(ctypes.byref(watcher), pid, on_event, None))
    try:
        check(library.portwatch_set_delivery(watcher, DELIVERY_DISPATCH))
        check(library.portwatch_start(watcher))
        while not ended:
            select.select([library.portwatch_get_fd(watcher)], [], [])
            library.portwatch_dispatch(watcher)
    finally:
        library.portwatch_free(watcher)


if __name__ == "__main__":
    watch(int(sys.argv[1]), lambda address, port: print(address, "port", port, flush=True))
