"""Start a program that outlives the shell which started it: `python -m appliance.host.detach`.

    detach PIDFILE LOGFILE PROGRAM ARG…

Writes the pid, sends output to the log file, closes standard input, and becomes the program.
Only for hosts without an init system; a systemd unit is better.
"""

import os
import sys
from pathlib import Path


def main(argv: list[str]) -> None:
    """Become the program."""
    pid_file, log_file, *program = argv
    Path(pid_file).write_text(f"{os.getpid()}\n")
    log = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.execv(program[0], program)  # noqa: S606 - replaces this process, no shell


if __name__ == "__main__":
    main(sys.argv[1:])
