"""Runs a command on a terminal and prints what its screen shows in the end.

    terminal.py COLUMNS COMMAND...

A control sequence (one that sets a colour, say) is shown as "ESC"."""

import fcntl
import os
import pty
import struct
import sys
import termios

columns = int(sys.argv[1])
process, terminal = pty.fork()
if process == 0:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 25, columns, 0, 0))
    os.execvp(sys.argv[2], sys.argv[2:])
output = b""
while True:
    try:
        part = os.read(terminal, 4096)
    except OSError:  # the other end is closed
        break
    if not part:
        break
    output += part
code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])

rows, column = [[]], 0
for character in output.decode().replace("\x1b", "ESC"):
    if character == "\r":
        column = 0
    elif character == "\n":
        rows.append([])
    else:
        if column == columns:
            rows.append([])
            column = 0
        rows[-1] += " " * (column + 1 - len(rows[-1]))
        rows[-1][column] = character
        column += 1
print("\n".join("".join(row).rstrip() for row in rows))
sys.exit(code)
