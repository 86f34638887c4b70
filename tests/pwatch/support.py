#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""support.py - what the tests share that use pwatch from the command line to the exit status"""
import json
import locale
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

# Whoever runs this may ignore some (nohup(1), a shell in the background), and pwatch leaves it at that.
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
    signal.signal(number, signal.SIG_DFL)

PWATCH = os.path.abspath(os.environ.get('PWATCH', './pwatch'))
ROGUE = os.path.abspath(os.environ.get('ROGUE', './tests/fixtures/rogue'))
TREE = os.path.abspath(os.environ.get('TREE', './tests/fixtures/tree'))


def patience(seconds):
    """As many times the time as PORTWATCH_TEST_SLOWNESS says, a whole number, for a machine that is so
    much slower than usual ones. Every deadline of a test in Python goes through here."""
    return seconds * int(os.environ.get('PORTWATCH_TEST_SLOWNESS') or 1)


DEADLINE = patience(120)  # seconds for what takes milliseconds, on a machine that does much else
NO_SUCH_PID = str(2**31 - 1)
NOBODY = 65534
F_SETPIPE_SZ = 1031  # Python has had it since 3.10 only
INITIAL_USER_NAMESPACE = 0xEFFFFFFD
KEYS = ['time', 'event', 'address', 'port', 'family', 'pid', 'process', 'owners', 'netns', 'inode',
        'initial', 'id']
# That nobody else reads: no leak checker can look into a process with file capabilities.
NO_LEAK_CHECK = dict(os.environ, ASAN_OPTIONS='detect_leaks=0')

# Does what it is told on standard input, and ends with it.
SERVER = '''
import ctypes, os, resource, socket, sys
listeners = {}
for line in sys.stdin:
    verb, _, rest = line.strip().partition(" ")
    answer = "done"
    if verb == "open":
        family = socket.AF_INET6 if ":" in rest else socket.AF_INET
        listener = socket.socket(family)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((rest, 0))
        listener.listen()
        answer = listener.getsockname()[1]
        listeners[answer] = listener
    elif verb == "close":
        listeners.pop(int(rest)).close()
    elif verb == "name":
        ctypes.CDLL(None).prctl(15, bytes.fromhex(rest), 0, 0, 0)
    elif verb == "netns":
        answer = os.stat("/proc/self/ns/net").st_ino
    elif verb == "descriptors":
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        for _ in range(int(rest)):
            os.dup(0)
    elif verb == "exit":
        sys.exit(int(rest))
    print(answer, flush=True)
'''
# The beginning and the end of a script that does nothing but handle signals. To signal.pause() one is
# lost that comes right before it: so each also writes a byte.
BEFORE_SIGNALS = 'import os, signal, sys\n' \
                 'ends = os.pipe()\n' \
                 'os.set_blocking(ends[1], False)\n' \
                 'signal.set_wakeup_fd(ends[1])\n'
AWAIT_SIGNALS = 'while True: os.read(ends[0], 1)\n'
SERVER_COMMAND = [sys.executable, '-c', SERVER]


def without_internal_signals(text):
    """Without the two signals that libc keeps to itself, which sanitizers treat as they like."""
    return re.sub(rb'(Sig\w+:\t)([0-9a-f]+)',
                  lambda found: found[1] + b'%x' % (int(found[2], 16) & ~0x180000000), text)


def read_line(stream):
    """The next line of an unbuffered stream, '' at its end; fails when none comes."""
    line = b''
    deadline = time.monotonic() + DEADLINE
    while not line.endswith(b'\n'):
        if not select.select([stream], [], [], max(0, deadline - time.monotonic()))[0]:
            raise AssertionError(f'no complete line within {DEADLINE} s: {line!r}')
        byte = os.read(stream.fileno(), 1)
        if not byte:
            break
        line += byte
    return line.decode()


def read_lines(stream, count):
    """The next so many lines of an unbuffered stream."""
    text = b''
    deadline = time.monotonic() + DEADLINE
    while text.count(b'\n') < count:
        if not select.select([stream], [], [], max(0, deadline - time.monotonic()))[0]:
            raise AssertionError(f'{text.count(10)} lines of {count} within {DEADLINE} s')
        piece = os.read(stream.fileno(), 65536)
        if not piece:
            raise AssertionError(f'the end after {text.count(10)} lines of {count}')
        text += piece
    return text.decode().splitlines()


def wait_until(condition):
    """For what nothing tells of."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f'did not happen within {DEADLINE} s')
        select.select([], [], [], 0.005)


def read_proc(name):
    """The text of a file below /proc; nothing once its process or thread has exited."""
    try:
        with open(f'/proc/{name}') as text:
            return text.read()
    except (FileNotFoundError, ProcessLookupError):
        return ''


def in_initial_user_namespace():
    return os.stat('/proc/self/ns/user').st_ino == INITIAL_USER_NAMESPACE


def works(*command):
    return shutil.which(command[0]) and subprocess.run(command, capture_output=True).returncode == 0


def has_locale(name):
    """Whether programs that are started may have this one."""
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, name)
    except locale.Error:
        return False
    locale.setlocale(locale.LC_CTYPE, before)
    return True


def unshare(*namespaces):
    """A command that runs another one in namespaces of its own, or None."""
    for command in (['unshare'], ['unshare', '--user', '--map-root-user']):
        if works(*command, *namespaces, 'true'):
            return [*command, *namespaces]
    return None


def unshare_net():
    return unshare('--net')


class Case(unittest.TestCase):
    def start(self, command, **options):
        """Starts a process that doesn't outlive the test case."""
        for name in ('stdin', 'stdout', 'stderr'):
            options.setdefault(name, subprocess.PIPE)
        process = subprocess.Popen(command, bufsize=0, **options)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.kill()
            process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()

    @staticmethod
    def kill(pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def watch(self, *arguments, **options):
        return self.start([PWATCH, *map(str, arguments)], **options)

    @staticmethod
    def run_pwatch(*arguments, prefix=(), **options):
        """Runs it to its end, with all that it prints; with a prefix by that command."""
        options = {'stdin': subprocess.DEVNULL, 'capture_output': True, 'timeout': DEADLINE,
                   **options}
        return subprocess.run([*prefix, PWATCH, *map(str, arguments)], **options)

    def serve(self, *addresses, prefix=()):
        server = self.start([*prefix, *SERVER_COMMAND], stderr=None)
        return server, [int(self.tell(server, f'open {address}')) for address in addresses]

    @staticmethod
    def tell(server, words):
        server.stdin.write(words.encode() + b'\n')
        return read_line(server.stdout).strip()

    @staticmethod
    def helpers(pwatch):
        """The PIDs of its children."""
        found = []
        for task in os.listdir(f'/proc/{pwatch.pid}/task'):
            found += map(int, read_proc(f'{pwatch.pid}/task/{task}/children').split())
        return found

    def once(self, *arguments, **options):
        """The objects that --once --json prints."""
        result = self.run_pwatch('--once', '--json', *arguments, **options)
        self.assertEqual((result.returncode, result.stderr), (0 if result.stdout else 1, b''))
        return [json.loads(line) for line in result.stdout.splitlines()]

    def assert_refused(self, result, status, *words):
        """One line says what is wrong, and nothing else is printed."""
        self.assertEqual(result.returncode, status, result)
        self.assertEqual(result.stdout, b'')
        self.assertTrue(result.stderr.startswith(b'pwatch: '), result)
        self.assertEqual(result.stderr.count(b'\n'), 1, result)
        for word in words:
            self.assertIn(word, result.stderr)

    def with_capabilities(self, *names):
        """A command that runs another one as root with these capabilities, and none to be had."""
        command = ['setpriv', ','.join(['--bounding-set=-all', *(f'+{name}' for name in names)]),
                   '--inh-caps=-all']
        if os.geteuid() != 0 or not works(*command, 'true'):
            self.skipTest('takes root and setpriv')
        return command

    def directory(self):
        directory = tempfile.TemporaryDirectory(dir=os.environ.get('TMPDIR', '.'),
                                                prefix='pwatch.')
        self.addCleanup(directory.cleanup)
        return os.path.abspath(directory.name)

    def as_nobody(self, executable):
        """Options that run it as a user who need not be able to reach it."""
        if os.geteuid() != 0 or not in_initial_user_namespace():
            self.skipTest('only root can become another user')
        fd = os.open(executable, os.O_PATH)
        self.addCleanup(os.close, fd)
        return {'executable': f'/proc/self/fd/{fd}', 'pass_fds': (fd,), 'user': NOBODY,
                'group': NOBODY, 'extra_groups': [], 'cwd': '/', 'env': NO_LEAK_CHECK}


def main():
    name = os.path.basename(sys.argv[0])
    no_skip = os.environ.get('PORTWATCH_TEST_NO_SKIP')
    if not os.access(PWATCH, os.X_OK):
        print(f'SKIP: {name}: pwatch was not built', file=sys.stderr)
        sys.exit(1 if no_skip else 77)
    result = unittest.main(exit=False, verbosity=2).result
    for case, why in result.skipped:
        print(f'SKIP: {case.id()}: {why}', file=sys.stderr)
    if not result.wasSuccessful() or (result.skipped and no_skip):
        sys.exit(1)
    sys.exit(77 if len(result.skipped) == result.testsRun else 0)
