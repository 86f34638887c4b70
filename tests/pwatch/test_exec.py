#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_exec.py - the command of --exec"""
import json
import os
import shutil
import subprocess
import sys

from support import (Case, DEADLINE, main, PWATCH, read_line, read_lines, SERVER_COMMAND,
                     wait_until, works)

FIELDS = 'EVENT ADDRESS PORT FAMILY PID PROCESS OWNERS NETNS INODE INITIAL TIME ID'.split()


class Exec(Case):
    def test_the_environment_equals_the_json(self):
        server, ports = self.serve('127.0.0.1')
        show = 'printf "%s\\n" ' + ' '.join(f'"${{PWATCH_{field}-unset}}"' for field in FIELDS)
        pwatch = self.watch('-j', '-e', 'open,close,end', '--exec', show, server.pid)
        event = json.loads(read_line(pwatch.stdout))
        self.assertEqual(event['port'], ports[0])
        # The output of the hook goes to standard error, apart from the events.
        shown = [read_line(pwatch.stderr).rstrip('\n') for _ in FIELDS]
        self.assertEqual(shown, [json.dumps(event[field.lower()]).strip('"') for field in FIELDS])
        server.stdin.close()
        kinds = []
        for _ in range(2):
            kinds.append(read_line(pwatch.stderr).strip())
            shown = [read_line(pwatch.stderr).rstrip('\n') for _ in FIELDS[1:]]
        self.assertEqual(kinds, ['close', 'end'])
        self.assertEqual(shown[:3], ['unset'] * 3)
        self.assertEqual((pwatch.wait(DEADLINE), pwatch.stderr.read()), (0, b''))

    def test_all_hooks_run_in_order(self):
        """The hooks are slower than the events, which are printed without delay."""
        path = os.path.join(self.directory(), 'log')
        lock = os.path.join(self.directory(), 'lock')
        script = f'mkdir {lock} && echo "$PWATCH_EVENT $PWATCH_PORT" >>{path} && rmdir {lock}'
        pwatch = self.watch('-j', '--exec', script, '--', *SERVER_COMMAND)
        for _ in range(30):
            self.command(pwatch, 'open 127.0.0.1')
        lines = read_lines(pwatch.stderr, 30)
        pwatch.stdin.write(b'exit 6\n')
        self.assertEqual(pwatch.wait(DEADLINE), 6)
        lines += pwatch.stderr.read().decode().splitlines()
        # On a slow machine pwatch does not wait for all hooks.
        if 'still runs' in lines[-1]:
            lines.pop()
        events = [json.loads(line) for line in lines]
        self.assertEqual(len(events), 60)

        def log():
            with open(path) as file:
                return file.read().splitlines()
        wait_until(lambda: len(log()) >= 60)
        self.assertEqual(log(), [f'{event["event"]} {event["port"]}' for event in events])

    def test_failures_are_reported(self):
        server, ports = self.serve('127.0.0.1')
        for script, words in (('exit 3', 'has failed with status 3'),
                              ('kill -9 $$', 'was killed by signal 9'),
                              ('/nonexistent 2>&-', 'has failed with status 127')):
            result = self.run_pwatch('-1', '--exec', script, server.pid)
            self.assertEqual((result.returncode, result.stderr.decode()),
                             (0, f'pwatch: the command of --exec for open 127.0.0.1 {ports[0]} {words}\n'))

    def test_a_hook_that_hangs_delays_nothing(self):
        server, ports = self.serve('127.0.0.1')
        path = os.path.join(self.directory(), 'pid')
        pwatch = self.watch('-j', '--exec', f'echo $$ >{path}.new; mv {path}.new {path}; '
                            'exec sleep 1000', server.pid)
        self.assertEqual(json.loads(read_line(pwatch.stdout))['port'], ports[0])
        wait_until(lambda: os.path.exists(path))
        with open(path) as file:
            hook = int(file.read())
        self.addCleanup(self.kill, hook)
        port = int(self.command(server, 'open 127.0.0.1'))
        self.assertEqual(json.loads(read_line(pwatch.stdout))['port'], port)
        pwatch.terminate()
        self.assertEqual(read_line(pwatch.stderr), 'pwatch: the command of --exec still runs\n')
        self.assertEqual(pwatch.wait(DEADLINE), 0)

    def test_children_of_a_hook_are_not_watched(self):
        """A server that the hook starts is not watched, and does not delay the end of pwatch."""
        serve = 'import signal, socket; listener = socket.create_server(("127.0.0.1", 0)); ' \
                'print("up", flush=True); signal.pause()'
        directory = self.directory()
        up = os.path.join(directory, 'up')
        os.mkfifo(up)
        hook = f"test $PWATCH_EVENT != open || {{ {sys.executable} -c '{serve}' >{up} 2>&1 & " \
               f'echo $! >{directory}/pid; }}'
        pwatch = self.watch('-j', '-e', 'open,close,end', '--exec', hook, '--', *SERVER_COMMAND)
        port = int(self.command(pwatch, 'open 127.0.0.1'))
        with open(up) as stream:
            self.assertEqual(stream.readline(), 'up\n')
        with open(f'{directory}/pid') as file:
            self.addCleanup(self.kill, int(file.read()))
        second = int(self.command(pwatch, 'open 127.0.0.1'))
        with open(up) as stream:
            stream.readline()
        with open(f'{directory}/pid') as file:
            self.addCleanup(self.kill, int(file.read()))
        pwatch.stdin.close()
        events = []
        while (line := read_line(pwatch.stderr)).startswith('{'):
            events.append(json.loads(line))
            if events[-1]['event'] == 'end':
                break
        self.assertEqual({event['port'] for event in events}, {port, second, None})
        self.assertEqual(pwatch.wait(DEADLINE), 0)

    def test_the_hook_runs_as_the_caller(self):
        """The hook of a pwatch with file capabilities gets the same environment as without pwatch."""
        copy = os.path.join(self.directory(), 'copy')
        shutil.copy(PWATCH, copy)
        os.chmod(copy, 0o755)
        options = self.as_nobody(copy)
        if os.statvfs(copy).f_flag & os.ST_NOSUID or \
                not works('setcap', 'cap_sys_admin,cap_sys_ptrace,cap_dac_read_search=p', copy):
            self.skipTest('no file capabilities can be set')
        show = 'grep -E "Cap(Prm|Eff|Amb|Inh)|Sig(Blk|Ign)|NoNewPrivs" /proc/self/status; ' \
               'ulimit -n; ls /proc/self/fd | wc -l; readlink /proc/self/fd/0; env | grep -v PWATCH_ | ' \
               'grep -v ^_= | sort'
        executable = options.pop('executable')
        plain = subprocess.run(['sh', '-c', show], capture_output=True, stdin=subprocess.DEVNULL,
                               timeout=DEADLINE, **options)
        server, _ = self.serve('127.0.0.1')
        result = self.run_pwatch('-1', '-o', '/dev/null', '--exec', show, server.pid,
                                 executable=executable, **options)
        self.assertEqual(result.stderr.decode(), plain.stdout.decode())


if __name__ == '__main__':
    main()
