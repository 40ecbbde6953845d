"""
The wish to end a run early.

It loads nothing else, so that a signal is heard from the first moment on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class Stop:
    """
    A wish that the run ends early, from a signal's handler or another thread.

    Attributes:
        reason: `signal`, `max_seconds`, `max_images` or `report`; None while nobody wants it.

    """

    reason: str | None = None
    _act: Callable[[], None] | None = None

    def __call__(self, reason: str) -> None:
        """Ask for it; the first reason counts."""
        self.reason = self.reason or reason
        if self._act:
            self._act()

    @property
    def heard(self) -> bool:
        """Whether there is a run that it ends; before, all is start-up."""
        return self._act is not None

    def then(self, act: Callable[[], None]) -> None:
        """Call *act* when it is asked for, at once if it was."""
        self._act = act
        if self.reason:
            act()
