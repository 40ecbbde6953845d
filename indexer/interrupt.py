"""
What Ctrl-C does before and while a command works; it loads next to nothing, so that it holds from the first moment.

Start-up imports large libraries, some in a second thread. A KeyboardInterrupt that is raised within an import can leave
its lock taken, so that the other thread, and whoever waits for it, waits for ever; or an extension turns it into an
error of its own, with a traceback. So at first the process ends at once: a start-up writes nothing that a later one
would miss, and the next run on this host takes over at once what was locked, as after any other death.
"""

from __future__ import annotations

import os
import signal
import sys

MESSAGE = "twinlens: interrupted; run the same command again to go on"
_CODE = 130


def ends_at_once() -> None:
    """Let Ctrl-C end the process from now on; where it is ignored or heard by somebody else, it stays so."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, leave)


def is_raised() -> None:
    """Let Ctrl-C raise KeyboardInterrupt from now on, since what was begun is to be ended in good order."""
    if signal.getsignal(signal.SIGINT) is leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def leave(number: int, frame: object) -> None:  # noqa: ARG001 - signal's signature
    """End the process without unwinding it, as a signal's handler."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
        if sys.stderr is not None:
            sys.stderr.write(MESSAGE + "\n")
            sys.stderr.flush()
    except (OSError, RuntimeError, ValueError):  # nobody listens, it was being written to, or it is closed
        pass
    finally:
        os._exit(_CODE)
