#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_command.py - a COMMAND that pwatch runs"""
import errno
import fcntl
import json
import os
import pty
import resource
import shutil
import signal
import subprocess
import sys
import termios

from support import (AWAIT_SIGNALS, BEFORE_SIGNALS, Case, DEADLINE, F_SETPIPE_SZ, main, PWATCH,
                     read_line, ROGUE, SERVER, SERVER_COMMAND, unshare, wait_until,
                     without_internal_signals, works)


class Command(Case):
    def test_the_status_of_command(self):
        self.assertEqual(self.run_pwatch('--', 'true').returncode, 0)
        self.assertEqual(self.run_pwatch('--', 'sh', '-c', 'exit 42').returncode, 42)
        self.assertEqual(self.run_pwatch('--', 'sh', '-c', 'kill -9 $$').returncode, 128 + 9)

    def test_a_command_that_cannot_run(self):
        self.assert_refused(self.run_pwatch('-e', 'open,close,end', '--', '/nonexistent'), 127,
                            b'/nonexistent')
        self.assert_refused(self.run_pwatch('-e', 'open,close,end', '--', '/'), 126)

    def test_events_go_to_standard_error(self):
        pwatch = self.watch('-j', '--', *SERVER_COMMAND)
        port = int(self.command(pwatch, 'open 127.0.0.1'))
        self.assertEqual(json.loads(read_line(pwatch.stderr))['port'], port)
        pwatch.stdin.write(b'exit 3\n')
        self.assertEqual((pwatch.wait(DEADLINE), pwatch.stdout.read()), (3, b''))

    def test_signals_are_passed_on(self):
        script = BEFORE_SIGNALS + \
                 'for number in map(int, sys.argv[1:]):\n' \
                 '    signal.signal(number, lambda number, frame: sys.exit(number))\n' \
                 'os.write(1, b"up\\n")\n' + AWAIT_SIGNALS
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT,
                       signal.SIGUSR1, signal.SIGUSR2):
            pwatch = self.watch('--', sys.executable, '-c', script, int(number))
            read_line(pwatch.stdout)
            pwatch.send_signal(number)
            self.assertEqual(pwatch.wait(DEADLINE), number)

    def test_signals_end_pwatch_without_command(self):
        server, _ = self.serve('127.0.0.1')
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            pwatch = self.watch(server.pid)
            read_line(pwatch.stdout)
            pwatch.send_signal(number)
            # SIGINT gives the status of a shell after Ctrl-C. The other signals are a normal end.
            status = 128 + number if number == signal.SIGINT else 0
            self.assertEqual((pwatch.wait(DEADLINE), pwatch.stderr.read()), (status, b''))

    def test_a_signal_of_the_terminal_arrives_once(self):
        # pwatch passes on the second signal, after all copies of the first one. The handler can interrupt
        # print(), so it calls os.write().
        script = BEFORE_SIGNALS + \
                 'count = 0\n' \
                 'def interrupt(number, frame):\n' \
                 '    global count\n' \
                 '    count += 1\n' \
                 '    os.write(1, b"interrupted\\n")\n' \
                 'signal.signal(signal.SIGINT, interrupt)\n' \
                 'signal.signal(signal.SIGUSR1, lambda number, frame: sys.exit(count))\n' \
                 'os.write(1, b"up\\n")\n' + AWAIT_SIGNALS
        pid, terminal = pty.fork()
        if pid == 0:
            # Without NOFLSH the terminal can discard output right after the signal.
            attributes = termios.tcgetattr(0)
            attributes[3] |= termios.NOFLSH
            termios.tcsetattr(0, termios.TCSANOW, attributes)
            os.execv(PWATCH, [PWATCH, '--', sys.executable, '-c', script])
        with open(terminal, 'r+b', buffering=0) as stream:
            while 'up' not in read_line(stream):
                pass
            stream.write(b'\x03')
            while 'interrupted' not in read_line(stream):
                pass
            os.kill(pid, signal.SIGUSR1)
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 1)

    def test_inherited_environment_is_the_callers(self):
        def prepare():
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM})
            resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200))
        command = ['sh', '-c', 'grep -E "Sig(Blk|Ign|Cgt)|Cap|NoNew" /proc/self/status; ulimit -Sn;'
                   ' ulimit -Hn; ls -l /proc/self/fd | wc -l; exit 5']
        options = {'preexec_fn': prepare, 'capture_output': True, 'restore_signals': False,
                   'stdin': subprocess.DEVNULL, 'timeout': DEADLINE}
        plain = subprocess.run(command, **options)
        watched = subprocess.run([PWATCH, '--', *command], **options)
        self.assertEqual((without_internal_signals(watched.stdout), watched.returncode),
                         (without_internal_signals(plain.stdout), 5))

    def test_a_daemon_is_followed(self):
        script = 'import os, sys\n' \
                 'if os.fork(): os._exit(4)\n' \
                 'os.setsid()\n' \
                 'if os.fork(): os._exit(0)\n' + SERVER
        pwatch = self.watch('-j', '-e', 'open,close,end', '--', sys.executable, '-c', script)
        port = int(self.command(pwatch, 'open 127.0.0.1'))
        event = json.loads(read_line(pwatch.stderr))
        self.assertEqual((event['event'], event['port']), ('open', port))
        pwatch.stdin.close()
        events = [json.loads(read_line(pwatch.stderr))['event'] for _ in range(2)]
        self.assertEqual(events, ['close', 'end'])
        self.assertEqual(pwatch.wait(DEADLINE), 4)

    def test_a_failing_output_does_not_affect_command(self):
        pwatch = self.watch('--', *SERVER_COMMAND)
        pwatch.stderr.close()
        self.command(pwatch, 'open 127.0.0.1')
        pwatch.stdin.write(b'exit 9\n')
        self.assertEqual(pwatch.wait(DEADLINE), 9)
        pwatch = self.watch('-o', '/dev/full', '--', *SERVER_COMMAND)
        self.command(pwatch, 'open 127.0.0.1')
        self.assertIn('/dev/full', read_line(pwatch.stderr))
        pwatch.stdin.write(b'exit 9\n')
        self.assertEqual((pwatch.wait(DEADLINE), pwatch.stderr.read()), (9, b''))

    def test_without_adoption_of_orphans(self):
        """A sandbox can refuse PR_SET_CHILD_SUBREAPER."""
        refused = [ROGUE, 'with', f'refused:subreaper={errno.EINVAL}', '--', PWATCH, '-j']
        pwatch = self.start([*refused, '--', *SERVER_COMMAND])
        self.assertRegex(read_line(pwatch.stderr),
                         '^pwatch: warning: cannot adopt orphaned processes .*: Invalid argument; ')
        port = int(self.command(pwatch, 'open 127.0.0.1'))
        self.assertEqual(json.loads(read_line(pwatch.stderr))['port'], port)
        pwatch.stdin.write(b'exit 9\n')
        self.assertEqual(json.loads(read_line(pwatch.stderr))['event'], 'close')
        self.assertEqual((pwatch.wait(DEADLINE), pwatch.stderr.read()), (9, b''))
        pwatch = self.start([*refused, '-q', '--', *SERVER_COMMAND])
        pwatch.stdin.write(b'exit 8\n')
        self.assertEqual((pwatch.wait(DEADLINE), pwatch.stderr.read()), (8, b''))

    def test_sigterm_ends_pwatch_despite_descendants(self):
        """Descendants of COMMAND live on after SIGTERM, and pwatch does not wait for them."""
        script = 'import os, signal, sys\n' \
                 'if os.fork(): signal.pause()\n' \
                 'signal.signal(signal.SIGTERM, signal.SIG_IGN)\n' + SERVER
        pwatch = self.watch('-j', '--', sys.executable, '-c', script)
        self.command(pwatch, 'open 127.0.0.1')
        self.assertEqual(json.loads(read_line(pwatch.stderr))['event'], 'open')
        pwatch.terminate()
        self.assertEqual(pwatch.wait(DEADLINE), 128 + signal.SIGTERM)
        self.command(pwatch, 'open 127.0.0.1')

    def test_stats_after_the_end_of_the_tree(self):
        check = self.run_pwatch('--check', '--json').stdout
        if not any(b'"name":"listen","value":"%s"' % way in check for way in (b'bpf', b'tracepoint')):
            self.skipTest('the kernel does not report listen(2) here')
        # The library closes the notifier at the end of the tree. pwatch reads the figures later, because lines
        # are pending.
        ends = os.pipe()
        fcntl.fcntl(ends[1], F_SETPIPE_SZ, 4096)
        pwatch = self.watch('-jv', '--stats', f'-o/proc/self/fd/{ends[1]}', '--', *SERVER_COMMAND,
                            pass_fds=(ends[1],))
        os.close(ends[1])
        self.addCleanup(os.close, ends[0])
        for _ in range(40):
            self.command(pwatch, 'open 127.0.0.1')
            # Without this wait, a port could close before the library has read the table.
            while 'port open' not in read_line(pwatch.stderr):
                pass
        pwatch.stdin.write(b'exit 0\n')

        def has_notifier():
            directory = f'/proc/{pwatch.pid}/fd'
            try:
                links = [os.readlink(f'{directory}/{fd}') for fd in os.listdir(directory)]
                return any('perf_event' in link or 'bpf' in link for link in links)
            except FileNotFoundError:
                return True
        wait_until(lambda: not has_notifier())
        with open(os.dup(ends[0]), 'rb') as lines:
            self.assertEqual(len(lines.readlines()), 80)
        self.assertEqual(pwatch.wait(DEADLINE), 0)
        stats = pwatch.stderr.read()
        self.assertRegex(stats, b'(?m)^notifier records +[1-9]')
        self.assertRegex(stats, b'(?m)^listen reported by +(bpf|tracepoint)$')

    def test_few_descriptors(self):
        for count in (*range(4, 18), 64):
            def limit(count=count):
                resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))
            for arguments in (['-q', '--no-notify'], ['-q']):
                with self.subTest(count=count, arguments=arguments):
                    result = self.run_pwatch(*arguments, '--', 'true', preexec_fn=limit)
                    if result.returncode != 0:
                        self.assertLess(count, 64)
                        self.assert_refused(result, 125)

    def test_command_gets_no_file_capabilities(self):
        copy = os.path.join(self.directory(), 'copy')
        shutil.copy(PWATCH, copy)
        os.chmod(copy, 0o755)
        options = self.as_nobody(copy)
        if os.statvfs(copy).f_flag & os.ST_NOSUID:
            self.skipTest('the file system is mounted nosuid')
        capabilities = 'cap_sys_admin,cap_sys_ptrace,cap_dac_read_search'
        if not works('setcap', f'{capabilities}=p', copy):
            self.skipTest('no file capabilities can be set')
        result = self.run_pwatch('--check', '--json', **options)
        found = {line['name']: line['value'] for line in map(json.loads, result.stdout.splitlines())}
        self.assertEqual(set(found['permitted'].split()), set(capabilities.split(',')))
        result = self.run_pwatch('-q', '--', 'grep', '-E', 'Cap(Prm|Eff|Amb|Inh)',
                                 '/proc/self/status', **options)
        self.assertEqual([line.split()[1] for line in result.stdout.splitlines()],
                         [b'0' * 16] * 4, result)
        os.chmod(copy, 0o4755)
        self.assert_refused(self.run_pwatch('--version', **options), 1, b'setuid')


class Init(Case):
    """pwatch as the init process of a PID namespace, as in a container."""

    def setUp(self):
        self.prefix = unshare('--pid', '--fork', '--kill-child', '--mount-proc')
        if not self.prefix:
            self.skipTest('no PID namespace can be created')

    def start_init(self, *command):
        outer = self.start([*self.prefix, *command])
        wait_until(lambda: self.helpers(outer))
        return outer, self.helpers(outer)[0]

    def leave(self, *lines):
        """Returns a COMMAND that forks a process, which prints "up", and then runs the given lines."""
        rest = 'def end(number, frame):\n' \
               '    os.write(1, b"end\\n")\n' \
               '    os._exit(0)\n' \
               'signal.signal(signal.SIGTERM, end)\n' \
               'if len(sys.argv) > 1: signal.signal(signal.SIGTERM, signal.SIG_IGN)\n' \
               'os.write(1, b"up\\n")\n' + AWAIT_SIGNALS
        script = BEFORE_SIGNALS + 'if os.fork():\n' + ''.join(f'    {line}\n' for line in lines)
        return [PWATCH, '-q', '--', sys.executable, '-c', script + rest]

    def test_orphans_get_the_signal(self):
        outer, init = self.start_init(*self.leave('os._exit(4)'))
        self.assertEqual(read_line(outer.stdout), 'up\n')
        # pwatch has reaped COMMAND, the second process of its PID namespace.
        wait_until(lambda: [self.inner_pid(child) > 2 for child in self.children(init)] == [True])
        os.kill(init, signal.SIGTERM)
        self.assertEqual((read_line(outer.stdout), outer.wait(DEADLINE)), ('end\n', 4))

    def test_descendants_get_the_signal(self):
        outer, init = self.start_init(*self.leave('signal.pause()'))
        self.assertEqual(read_line(outer.stdout), 'up\n')
        os.kill(init, signal.SIGTERM)
        self.assertEqual((read_line(outer.stdout), outer.wait(DEADLINE)),
                         ('end\n', 128 + signal.SIGTERM))

    def test_descendants_that_ignore_the_signal_are_killed(self):
        outer, init = self.start_init(*self.leave('signal.pause()'), 'ignore')
        self.assertEqual(read_line(outer.stdout), 'up\n')
        os.kill(init, signal.SIGTERM)
        self.assertEqual((outer.wait(DEADLINE), outer.stdout.read(), outer.stderr.read()),
                         (128 + signal.SIGTERM, b'', b''))

    @staticmethod
    def children(pid):
        with open(f'/proc/{pid}/task/{pid}/children') as children:
            return children.read().split()

    @staticmethod
    def inner_pid(pid):
        """Returns the PID in the innermost PID namespace, or 0 if the process has exited."""
        try:
            with open(f'/proc/{pid}/status') as status:
                return next(int(line.split()[-1]) for line in status if line.startswith('NSpid:'))
        except (FileNotFoundError, ProcessLookupError):
            return 0

    def test_orphans_are_reaped(self):
        """Also without a COMMAND."""
        leave = 'import os\n' \
                'ends = os.pipe()\n' \
                'if os.fork() == 0:\n' \
                '    if os.fork() == 0:\n' \
                '        os.close(ends[1])\n' \
                '        os.read(ends[0], 1)\n' \
                '    os._exit(0)\n' \
                'os.wait()\n' \
                'os.write(1, b"left\\n")\n' \
                'os.read(0, 1)\n' \
                'os.close(ends[1])\n' \
                'os.read(0, 1)\n'
        outer, init = self.start_init('sh', '-c', 'exec 3<&0; "$@" <&3 & exec "$0" -jq $!', PWATCH,
                                      sys.executable, '-c', leave)
        self.assertEqual(read_line(outer.stdout), 'left\n')
        wait_until(lambda: len(self.children(init)) == 2)
        outer.stdin.write(b'.')
        wait_until(lambda: len(self.children(init)) == 1)
        outer.stdin.write(b'.')
        self.assertEqual((outer.wait(DEADLINE), outer.stderr.read()), (0, b''))


if __name__ == '__main__':
    main()
