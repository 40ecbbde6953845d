"""What a value in the configuration may be: each rule says so in words, and takes a value or refuses it."""

from __future__ import annotations

import math
import os
import re
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://")
_SERVERS = ("http://", "https://", "tcp://")
_PASSWORD = re.compile(r"://[^/]*:[^/]*@|://[^/@:\[]*:(?!\d*(/|$)).*@", re.DOTALL)
"""Behind a user's name, up to the last @ of the authority, or of all where a slash in it made that end early."""

_TOKEN = re.compile(r"(?i)https?://[^/]*@")
"""What signs in to a web server is often in the place of the user."""


class Unfit(Exception):  # noqa: N818 - it never leaves the reader
    """A value that a rule refuses; the text, if any, says more than the rule's words."""


@dataclass(frozen=True, slots=True)
class Rule:
    """
    What one key may hold.

    Attributes:
        allowed: that in words, to go behind "allowed: ".
        take: returns the value as the program wants it, given the folder that relative paths start from; raises Unfit.

    """

    allowed: str
    take: Callable[[Any, Path], Any]


def whole(low: int, high: int | None = None) -> Rule:
    """Return the rule of a whole number from *low* to *high*, both allowed."""
    to = "" if high is None else f" and at most {high}"

    def take(value: object, base: Path) -> int:  # noqa: ARG001 - the rules' signature, as below
        if not isinstance(value, int) or isinstance(value, bool) or value < low or (high is not None and value > high):
            raise Unfit
        return value

    return Rule(f"a whole number of at least {low}{to}", take)


def number(low: float, high: float = math.inf, *, open_low: bool = False) -> Rule:
    """Return the rule of a number from *low* (itself refused with *open_low*) to *high*."""
    from_ = f"above {low:g}" if open_low else f"of at least {low:g}"
    to = "" if high == math.inf else f" and at most {high:.10g}"

    def take(value: object, base: Path) -> float:  # noqa: ARG001
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= sys.float_info.max:
            raise Unfit
        if value < low or value > high or (open_low and value == low):
            raise Unfit
        return float(value)

    return Rule(f"a number {from_}{to}", take)


def _yes_no(value: object, base: Path) -> bool:  # noqa: ARG001
    if not isinstance(value, bool):
        raise Unfit
    return value


def _text(value: object, base: Path) -> str:  # noqa: ARG001
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise Unfit
    return value


def _texts(value: object, base: Path) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise Unfit
    return tuple(_text(each, base) for each in value)


def _command(value: object, base: Path) -> str:
    text = _text(value, base)
    try:
        shlex.split(text)
    except ValueError as error:
        raise Unfit(f"it cannot be split into words ({error}); close its quotes") from error
    return text


def _path(value: object, base: Path) -> Path:
    return _local(_text(value, base), base)


def _local(text: str, base: Path) -> Path:
    """Return the path *text*, which starts from *base*, or with `~` from a home folder."""
    expanded = os.path.expanduser(text)  # noqa: PTH111 - Path drops the ./ of a name that begins with ~
    if expanded.startswith("~"):
        raise Unfit(f"there is no home folder for {text[:60]!r}; write the whole path, or ./~ for a name")
    return base / expanded


def _source(value: object, base: Path) -> str:
    text = _text(value, base)
    if text == "-":
        raise Unfit("a scheduled run has no standard input; name a file, folder, archive or URL")
    if _PASSWORD.search(text) or _TOKEN.match(text):
        raise Unfit(
            "a password stays out of the file: fsspec takes it from the environment, such as FSSPEC_FTP_PASSWORD"
        )
    return text if _SCHEME.match(text) else str(_local(text, base))


def _place(value: object, base: Path) -> str:
    text = _text(value, base)
    scheme = _SCHEME.match(text)
    if "@" in text and (scheme or not text.endswith(".db")):
        raise Unfit("a password stays out of the file: set TWINLENS_TOKEN to user:password in the environment")
    if not (scheme.group() in _SERVERS if scheme else text.endswith(".db")):
        raise Unfit
    return text if scheme else str(_local(text, base))


def one_of(*words: str) -> Rule:
    """Return the rule of a text that is one of *words*."""

    def take(value: object, base: Path) -> str:  # noqa: ARG001
        if value not in words:
            raise Unfit
        return str(value)

    return Rule(" or ".join(f'"{word}"' for word in words), take)


YES_NO = Rule("true or false", _yes_no)
TEXT = Rule('a text that is not empty, in quotes, such as "images"', _text)
COMMAND = Rule('a command with its arguments in quotes, such as "mail -s Twinlens me"', _command)
PATTERNS = Rule('a list of patterns as in .gitignore, such as ["thumbs/", "*.tmp"]', _texts)
PATH = Rule('a path in quotes, such as "reports"', _path)
SOURCE = Rule('a file, folder, archive or URL in quotes, such as "/srv/photos"', _source)
PLACE = Rule('a Milvus Lite path that ends in .db, or a server, such as "http://host:19530"', _place)
SECONDS = number(0, 31 * 86_400, open_low=True)
"""A limit of time: a timer that waits for centuries overflows, so that 31 days are the longest."""
