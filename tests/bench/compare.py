#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""compare.py PWATCH - the CPU time of other commands that list or test ports, compared with ss

Not part of make check. Requires root, and leaves out the tools that are not installed. The script runs in
a PID namespace of its own with PROCESSES processes. One of them listens in the network namespace of the
script, another one in a namespace of its own. The commands run in rotation, RUNS times each; the smallest
CPU time counts. A command that waits for a port gets a closed port, so that it tries only once.
"""
import os
import resource
import shutil
import socket
import subprocess
import sys

RUNS = 50
PROCESSES = 150
LISTEN = 'tracepoint:sock:inet_sock_set_state /args->newstate == 10/ { printf("%d %s %d\\n", pid, comm, args->sport); }'
SERVER = 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(); print(s.getsockname()[1], flush=True); input()'


def start(*prefix):
    server = subprocess.Popen([*prefix, sys.executable, '-c', SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    return server, int(server.stdout.readline())


def cost(command):
    """The CPU time of one run and its children, in milliseconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def main():
    if os.getpid() != 1:
        os.execvp('unshare', ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc', sys.executable, *sys.argv])
    pwatch = os.path.abspath(sys.argv[1])
    idle = [subprocess.Popen(['sleep', '1000000']) for _ in range(PROCESSES - 2)]
    here, _ = start()
    there, _ = start('unshare', '--net')
    with socket.socket() as closed:
        closed.bind(('127.0.0.1', 0))
        port = str(closed.getsockname()[1])
    commands = {
        'ss -Htlnp': ['ss', '-Htlnp'],
        'netstat -tlnp': ['netstat', '-tlnp'],
        'lsof -nP -iTCP -sTCP:LISTEN': ['lsof', '-nP', '-iTCP', '-sTCP:LISTEN'],
        'nsenter -t PID -n ss -Htlnp': ['nsenter', '-t', str(there.pid), '-n', 'ss', '-Htlnp'],
        "bash -c '</dev/tcp/127.0.0.1/PORT'": ['bash', '-c', f'</dev/tcp/127.0.0.1/{port}'],
        'nc -z 127.0.0.1 PORT': ['nc', '-z', '127.0.0.1', port],
        'pwatch --once PID': [pwatch, '--once', str(here.pid)],
        'pwatch --once PID, another namespace': [pwatch, '--once', str(there.pid)],
        "bpftrace -e '...' -c true": ['bpftrace', '-e', LISTEN, '-c', '/bin/true'],
    }
    least = {}
    for number in range(RUNS):
        for name, command in commands.items():
            if shutil.which(command[0]) and (number < 5 or command[0] != 'bpftrace'):
                least[name] = min(least.get(name, 1e9), cost(command))
    print('| command | CPU time of a call | of `ss -Htlnp` |\n|---|---:|---:|')
    for name, milliseconds in least.items():
        print(f'| `{name}` | {milliseconds:.1f} ms | {milliseconds / least["ss -Htlnp"]:.2f}x |')
    for process in [here, there, *idle]:
        process.kill()


main()
