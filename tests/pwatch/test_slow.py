#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_slow.py - programs that start slowly, as all programs do on a slow machine"""
import json
import os
import shutil
import sys

from support import Case, DEADLINE, main, PWATCH, read_line, SERVER_COMMAND, unshare

# Uses a little CPU time for some seconds, and then executes the program.
BUSY = '''#!{python} -S
import os, sys, time
end = time.monotonic() + {seconds}
while time.monotonic() < end:
    time.sleep(0.02)
os.execv({program!r}, [{program!r}, *sys.argv[1:]])
'''
IDLE = '#!/bin/sh\nexec sleep 3600\n'
# FILE PLACE... -- COMMAND...: mounts each FILE over its PLACE, and then runs COMMAND. Requires a mount
# namespace.
REPLACE = 'while [ "$1" != -- ]; do mount --bind "$1" "$2" && shift 2 || exit 99; done; shift; exec "$@"'


class Slow(Case):
    def watch_with(self, programs):
        """Starts pwatch in a mount namespace in which other texts replace some programs. {program!r} in a text
        stands for the original."""
        prefix = unshare('--mount', '--net')
        if not prefix:
            self.skipTest('no mount and network namespaces')
        directory = self.directory()
        replaced = []
        for name, text in programs.items():
            place = os.path.realpath(shutil.which(name, path='/usr/bin:/bin'))
            original = os.path.join(directory, name)
            shutil.copy(place, original)
            file = os.path.join(directory, name + '.other')
            with open(file, 'w') as other:
                other.write(text.replace('{program!r}', repr(original)))
            os.chmod(file, 0o755)
            replaced += [file, place]
        return self.start([*prefix, 'sh', '-c', REPLACE, 'sh', *replaced, '--', PWATCH, '--json',
                           '--reader=nsenter', '--', *SERVER_COMMAND])

    @staticmethod
    def busy(seconds):
        return BUSY.replace('{python}', sys.executable).replace('{seconds}', str(seconds))

    def test_pwatch_waits_for_a_slow_nsenter(self):
        # Each program takes more than two seconds, and the first read more than ten.
        pwatch = self.watch_with({'nsenter': self.busy(5), 'sed': self.busy(3)})
        port = int(self.command(pwatch, 'open 0.0.0.0'))
        event = json.loads(read_line(pwatch.stderr))
        self.assertEqual((event['event'], event['port']), ('open', port))
        pwatch.stdin.close()
        self.assertEqual(pwatch.wait(DEADLINE), 0)

    def test_an_idle_nsenter_is_killed(self):
        pwatch = self.watch_with({'nsenter': IDLE})
        self.assertIn('no complete read in time', read_line(pwatch.stderr))
        self.assertEqual(pwatch.wait(DEADLINE), 125)


if __name__ == '__main__':
    main()
