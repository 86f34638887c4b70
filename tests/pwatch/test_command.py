#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_command.py - the COMMAND that pwatch runs"""
import json
import os
import pty
import resource
import shutil
import signal
import subprocess
import sys
import termios

from support import (AWAIT_SIGNALS, BEFORE_SIGNALS, Case, DEADLINE, main, PWATCH, read_line,
                     SERVER, SERVER_COMMAND, without_internal_signals, works)


class Command(Case):
    def test_its_status_is_pwatchs(self):
        self.assertEqual(self.run_pwatch('--', 'true').returncode, 0)
        self.assertEqual(self.run_pwatch('--', 'sh', '-c', 'exit 42').returncode, 42)
        self.assertEqual(self.run_pwatch('--', 'sh', '-c', 'kill -9 $$').returncode, 128 + 9)

    def test_one_that_cannot_be_run(self):
        self.assert_refused(self.run_pwatch('-e', 'open,close,end', '--', '/nonexistent'), 127,
                            b'/nonexistent')
        self.assert_refused(self.run_pwatch('-e', 'open,close,end', '--', '/'), 126)

    def test_events_go_to_standard_error(self):
        pwatch = self.watch('-j', '--', *SERVER_COMMAND)
        port = int(self.tell(pwatch, 'open 127.0.0.1'))
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

    def test_signals_end_it_where_there_is_no_command(self):
        server, _ = self.serve('127.0.0.1')
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            pwatch = self.watch(server.pid)
            read_line(pwatch.stdout)
            pwatch.send_signal(number)
            self.assertEqual((pwatch.wait(DEADLINE), pwatch.stderr.read()), (0, b''))

    def test_a_terminals_signal_comes_once(self):
        # The second signal comes by way of pwatch, after whatever came of the first. A handler may
        # come in the middle of print(), so it writes by itself.
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
            # Or else the terminal may throw away what is written right after the signal.
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
        port = int(self.tell(pwatch, 'open 127.0.0.1'))
        event = json.loads(read_line(pwatch.stderr))
        self.assertEqual((event['event'], event['port']), ('open', port))
        pwatch.stdin.close()
        events = [json.loads(read_line(pwatch.stderr))['event'] for _ in range(2)]
        self.assertEqual(events, ['close', 'end'])
        self.assertEqual(pwatch.wait(DEADLINE), 4)

    def test_it_does_not_suffer_from_the_output(self):
        pwatch = self.watch('--', *SERVER_COMMAND)
        pwatch.stderr.close()
        self.tell(pwatch, 'open 127.0.0.1')
        pwatch.stdin.write(b'exit 9\n')
        self.assertEqual(pwatch.wait(DEADLINE), 9)
        pwatch = self.watch('-o', '/dev/full', '--', *SERVER_COMMAND)
        self.tell(pwatch, 'open 127.0.0.1')
        self.assertIn('/dev/full', read_line(pwatch.stderr))
        pwatch.stdin.write(b'exit 9\n')
        self.assertEqual((pwatch.wait(DEADLINE), pwatch.stderr.read()), (9, b''))

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

    def test_it_gets_no_file_capabilities(self):
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


if __name__ == '__main__':
    main()
