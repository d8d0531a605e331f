#!/usr/bin/env python3
"""Run a command on a terminal of its own and type one line at its prompt: type_at_terminal.py PROMPT LINE COMMAND..."""
import os
import pty
import sys

prompt, line = sys.argv[1].encode(), sys.argv[2].encode()
child, terminal = pty.fork()
if child == 0:
    os.environ["TERM"] = "xterm"
    os.execvp(sys.argv[3], sys.argv[3:])
shown, is_typed = b"", False
while True:
    try:
        data = os.read(terminal, 65536)
    except OSError:  # the child closed its side
        break
    if not data:
        break
    shown += data
    if prompt in shown and not is_typed:
        is_typed = True
        os.write(terminal, line + b"\n")
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) if is_typed else 99)
