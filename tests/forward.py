#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""forward.py FORWARDER SERVER - tests docs/examples/forward.c: it makes ports of another network namespace
reachable on 127.0.0.1, in both address families, transfers more data than all buffers hold, and stops
when the port closes"""
import os
import select
import socket
import subprocess
import sys
import threading
import time

FACTOR = int(os.environ.get("PORTWATCH_TEST_SLOWNESS", "1"))
DEADLINE = 60 * FACTOR
# The buffers between the ends hold about 30 MiB.
SIZE = 64 << 20


def check(condition, what):
    if not condition:
        print("FAIL: forward.c:", what)
        sys.exit(1)


def read_line(process, what):
    ready, _, _ = select.select([process.stdout], [], [], DEADLINE)
    line = process.stdout.readline().strip() if ready else ""
    check(line, "no answer to: " + what)
    return line


def command(server, line):
    server.stdin.write(line + "\n")
    server.stdin.flush()
    return read_line(server, line)


def connect(port):
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 18)
    client.settimeout(DEADLINE)
    client.connect(("127.0.0.1", port))
    return client


def is_refused(port):
    try:
        connect(port).close()
    except ConnectionRefusedError:
        return True
    return False


def wait_until_refused(port):
    deadline = time.monotonic() + DEADLINE
    while not is_refused(port):
        check(time.monotonic() < deadline, "a closed port is still reachable")
        time.sleep(0.01)


def exchange(port, size):
    """Sends all data before it reads. If the data exceeds all buffers, the sender must block."""
    client = connect(port)
    sent = os.urandom(1 << 18) * (size >> 18)
    blocked = threading.Event()

    def send():
        at = 0
        client.setblocking(True)
        while at < size:
            _, writable, _ = select.select([], [client], [], 0.2)
            if not writable:
                blocked.set()
            else:
                at += client.send(sent[at : at + 65536])
        client.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    if size == SIZE:
        check(blocked.wait(DEADLINE), "a sender does not block although no one reads its data")
    received = bytearray()
    while True:
        ready, _, _ = select.select([client], [], [], DEADLINE)
        part = client.recv(1 << 20) if ready else None
        check(part is not None, "the data does not come back")
        if not part:
            break
        received += part
    sender.join(DEADLINE)
    check(received == sent, "other data comes back")
    client.close()


def main():
    pipe = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    enter = ["unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$0"', sys.argv[2]]
    server = subprocess.Popen(enter, **pipe)
    # The server answers after it has entered its namespace.
    command(server, "127.0.0.1")
    forwarder = subprocess.Popen([sys.argv[1], str(server.pid)], stdout=subprocess.PIPE, text=True)
    try:
        for address in ("127.0.0.1", "0.0.0.0", "::1", "::"):
            port = int(command(server, address))
            line = ""
            while f"127.0.0.1:{port} " not in line:
                line = read_line(forwarder, "port of " + address)
            exchange(port, SIZE if address in ("127.0.0.1", "::") else 1 << 20)
            idle = connect(port)
            # A reset of one connection must not affect the others.
            idle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            idle.close()
            exchange(port, 1 << 18)
            command(server, "close")
            wait_until_refused(port)
        server.stdin.close()
        check(forwarder.wait(DEADLINE) == 0, "the forwarder does not end with the tree")
    finally:
        forwarder.kill()
        server.kill()


main()
