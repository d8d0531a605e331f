#!/usr/bin/env python3
"""Run a command on a terminal of its own and copy what it shows: on_terminal.py COLUMNS ROWS COMMAND..."""
import fcntl
import os
import pty
import struct
import sys
import termios

columns, rows = int(sys.argv[1]), int(sys.argv[2])
errors = os.dup(2)  # what is said on stderr is not on the screen
child, terminal = pty.fork()
if child == 0:
    os.dup2(errors, 2)
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    os.environ["TERM"] = "xterm"
    os.execvp(sys.argv[3], sys.argv[3:])
while True:
    try:
        data = os.read(terminal, 65536)
    except OSError:  # the child closed its side
        break
    if not data:
        break
    sys.stdout.buffer.write(data)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
