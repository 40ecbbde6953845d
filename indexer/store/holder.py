"""Who holds a lease, and whether that process is gone, as far as its own host can tell."""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Holder:
    """
    Who holds a lease.

    Attributes:
        owner: 32 random hexadecimal digits.
        host: its name.
        system: what numbers its processes, a boot of a kernel and a namespace; empty where that or *started* is not
            known.
        pid: of the process.
        started: when it was, as the kernel tells it: a number is given to another process one day.
        since: when the lease was taken, UTC, for people.
        beat: changes while the holder lives.
    """

    owner: str
    host: str
    system: str
    pid: int
    started: str
    since: str
    beat: str = ""

    @classmethod
    def new(cls) -> Holder:
        """Return this process as a holder."""
        now = datetime.now(timezone.utc).isoformat(" ", "seconds")
        pid = os.getpid()
        started = _start_of(pid)
        system = _system() if started else ""
        return cls(secrets.token_hex(16), socket.gethostname(), system, pid, started or "", now)

    def is_gone(self) -> bool:
        """Return whether it ran on this system and has ended; False where that cannot be told."""
        if not self.system or self.system != _system():
            return False
        try:
            os.kill(self.pid, 0)  # only asks; /proc may hide the processes of other users
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        started = _start_of(self.pid)
        return started is not None and started != self.started

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since}"


def _system() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _start_of(pid: int) -> str | None:
    """
    Return when a process of this system started, in its kernel's ticks; empty when there is none, or a zombie.

    None where that cannot be told, as when this process may open no more files: that says nothing of the other.
    """
    try:
        told = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
    except OSError:
        return None
    state, *numbers = told.rpartition(")")[2].split()
    return "" if state in "ZX" else numbers[18]
