"""Hands a run's summary to a command of the user's; whatever that does, the run is over and stays as it is."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any


def notify(command: str, row: dict[str, Any], timeout_s: float, folder: Path | None = None) -> str | None:
    """
    Run *command* with *row* as JSON on its standard input, and return what went wrong, None for nothing.

    It starts in *folder*, and so do relative paths in it. There is no shell between; what it prints goes to standard
    error; after *timeout_s* it is killed, with all that it started. Of its words only the first is told, since others
    may be secrets.
    """
    words = shlex.split(command)
    try:
        process = subprocess.Popen(  # noqa: S603 - running the user's command is the point
            words,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=2,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )
    except OSError as error:
        return f"cannot start {words[0]!r}: {error.strerror}"
    try:
        process.communicate(json.dumps(row) + "\n", timeout=timeout_s)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return f"{words[0]!r} took longer than {timeout_s:g} s and was killed"
    return f"{words[0]!r} exited with {process.returncode}" if process.returncode else None
