#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_wait.py - --wait and --timeout"""
import json
import signal
import subprocess

from support import Case, DEADLINE, main, read_line, SERVER_COMMAND

TIMED_OUT = 124


class Wait(Case):
    def test_an_open_port(self):
        server, ports = self.serve('127.0.0.1', '127.0.0.1')
        for arguments in (['--wait'], [f'--wait={ports[1]}'], ['--wait', f'--ports={ports[0]}']):
            result = self.run_pwatch(*arguments, server.pid)
            self.assertEqual((result.returncode, result.stdout, result.stderr), (0, b'', b''))

    def test_a_port_that_opens(self):
        server, ports = self.serve('127.0.0.1')
        pwatch = self.watch('--wait', f'--ports=1-{ports[0] - 1},{ports[0] + 1}-65535',
                            '--format={port} {pid}', server.pid)
        port = int(self.command(server, 'open 127.0.0.1'))
        self.assertEqual(read_line(pwatch.stdout), f'{port} {server.pid}\n')
        self.assertEqual((pwatch.wait(DEADLINE), pwatch.stdout.read(), pwatch.stderr.read()),
                         (0, b'', b''))

    def test_several_processes(self):
        servers = [self.serve()[0] for _ in range(2)]
        pwatch = self.watch('--wait', '-j', *(server.pid for server in servers))
        servers[0].stdin.close()
        servers[0].wait(DEADLINE)
        port = int(self.command(servers[1], 'open 127.0.0.1'))
        self.assertEqual(json.loads(read_line(pwatch.stdout))['port'], port)
        self.assertEqual(pwatch.wait(DEADLINE), 0)

    def test_the_process_ends_first(self):
        server, ports = self.serve('127.0.0.1')
        pwatch = self.watch('-v', f'--wait={ports[0] % 65535 + 1}', server.pid)
        while 'read by' not in read_line(pwatch.stderr):
            pass
        self.command(server, f'close {ports[0]}')
        server.stdin.close()
        result = self.result(pwatch)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b'all watched processes have ended: port', result.stderr.splitlines()[-1])

    def test_timeout(self):
        server, ports = self.serve('127.0.0.1')
        result = self.run_pwatch(f'--wait={ports[0] % 65535 + 1}', '-t', '0.05', server.pid)
        self.assert_refused(result, TIMED_OUT, b'timed out: port')
        result = self.run_pwatch('-t', '0.05', '--format={port}', server.pid)
        self.assertEqual((result.returncode, result.stdout, result.stderr),
                         (TIMED_OUT, b'%d\n' % ports[0], b''))

    def test_a_signal_is_a_failure(self):
        server, _ = self.serve()
        for number in signal.SIGTERM, signal.SIGINT:
            pwatch = self.watch('--wait', '-v', server.pid)
            read_line(pwatch.stderr)
            pwatch.send_signal(number)
            self.assertEqual(pwatch.wait(DEADLINE), 128 + number)

    def test_command_continues(self):
        pwatch = self.watch('--wait', '-j', '--', *SERVER_COMMAND)
        port = int(self.command(pwatch, 'open 127.0.0.1'))
        event = json.loads(read_line(pwatch.stderr))
        self.assertEqual((event['port'], pwatch.wait(DEADLINE)), (port, 0))
        self.assertNotEqual(int(self.command(pwatch, 'open 127.0.0.1')), port)
        # COMMAND goes on until its input ends.
        pwatch.stdin.close()
        self.assertEqual(pwatch.stdout.read(), b'')

    def test_a_command_that_does_not_listen(self):
        self.assert_refused(self.run_pwatch('--wait', '--', 'true'), 1, b'no port is open')
        self.assert_refused(self.run_pwatch('--wait', '--', '/nonexistent'), 127)
        for arguments in ['--wait'], []:
            pwatch = self.watch(*arguments, '-t', '0.1', '--', 'sleep', str(10 * DEADLINE))
            self.assertEqual(pwatch.wait(DEADLINE), TIMED_OUT)
            # pwatch has ended COMMAND, so the pipe has no writer.
            self.assertEqual(pwatch.stdout.read(), b'')

    @staticmethod
    def result(process):
        status = process.wait(DEADLINE)
        return subprocess.CompletedProcess(process.args, status, process.stdout.read(),
                                           process.stderr.read())


if __name__ == '__main__':
    main()
