"""
The door to pymilvus: imported here, late and quietly; its errors become ours here; calls are repeated here.

Only `indexer.store` may use this module.
"""

from __future__ import annotations

import functools
import importlib
import logging
import os
import random
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

from indexer.errors import ConfigError, StoreError, TwinlensError

T = TypeVar("T")

CONNECT_S = 10.0
"""The most seconds that reaching a server for the first time may take."""

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 3.0
NOT_LOADED = 101
"""Of an error: the collection is not loaded."""

ABSENT = 100
"""Of an error: there is no such collection."""

_OVERLOADED = frozenset({8, 9})
_OUTAGE_CODES = frozenset({2, NOT_LOADED, 503}) | _OVERLOADED
"""No connection; not loaded, as for a while after a restart; no node for it; rate limited, or denied for a while."""

_TOLD: dict[object, str] = {
    8: "limits the rate of calls, and did for too long; try again later, or raise the limit there",
    9: "denies writing; free memory or disk space there",
    ABSENT: "does not have the collection any more; ingest again",
}
_DAMAGED = "refuses; where files in it are damaged, restore it from a backup or ingest into another"
"""Of Milvus Lite, which has no log."""

_WRONG: dict[str, str] = {
    "database not found|database:\\S* not found": (
        "has no database of this name; correct the path of the URI, or make it there first"
    ),
    "wrong_version_number": "speaks no TLS; write http:// where that is as it should be",
    "hostname verification": "has a certificate for another name; correct the address, or set TWINLENS_TLS_NAME",
    "certificate|tsi_data_corrupted": (
        "and this side do not trust each other's TLS certificates; set TWINLENS_TLS_CA, and where the server asks for"
        " the client's, TWINLENS_TLS_CERT and TWINLENS_TLS_KEY"
    ),
    "failed parsing http/2": "is no Milvus, it does not speak gRPC; Milvus's port is 19530",
    "unauthenticated|auth check|permission_?denied|permission deny|authentication": (
        "refuses the token; set TWINLENS_TOKEN to user:password"
    ),
}
"""What time will not mend, by patterns in errors and in their causes: pymilvus calls it all `Fail connecting`."""

_OUTAGE_TEXT = re.compile(r"(?i)unavailable|fail connecting|not available|node offline|channel not|closed channel")
_FULL_TEXT = re.compile(r"(?i)no space left|disk quota exceeded")


class EngineError(Exception):
    """Milvus Lite's engine failed; *code* is what a server would have told."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


@functools.cache
def library() -> Any:  # noqa: ANN401 - pymilvus has no types
    """
    Return pymilvus.

    Importing it would load a `.env` file that is none of our business, and it logs every failure at length.
    """
    with _environment_kept():
        os.environ["PYTHON_DOTENV_DISABLED"] = "1"
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # it tells of each failed handshake, and so do we
        module = importlib.import_module("pymilvus")
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL + 1)
    _trust_texts()
    return module


def _trust_texts() -> None:
    """
    Keep pymilvus from checking the texts of a row, character by character; ours are checked, see `check`.

    It has no public setting for that. Where the private one is absent, writing a row takes 0.15 ms longer.
    """
    helper = vars(importlib.import_module("pymilvus.client.entity_helper"))
    if "CHECK_STR_ARRAY" in helper:
        helper["CHECK_STR_ARRAY"] = False


@contextmanager
def _environment_kept() -> Iterator[None]:
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


def shown(uri: str) -> str:
    """Return the address *uri* of a server or a file without who signs in there: no `@` stands behind that."""
    return re.sub(r"(?<=://).*@", "", uri, flags=re.DOTALL)


def is_server(uri: str) -> bool:
    """Return whether *uri* names a server rather than a Milvus Lite path."""
    return urlsplit(uri).scheme in {"http", "https", "tcp"}


@dataclass(frozen=True, slots=True)
class Caller:
    """
    Makes calls to one back end: a time limit on each, repeated through an outage, its errors translated.

    Attributes:
        where: the URI as it may be shown.
        timeout_s: the most seconds that one call may take, its repetitions included.
        lock: held during each call; Milvus Lite needs one, since its writers and flushes race.
    """

    where: str
    timeout_s: float
    lock: AbstractContextManager[object] = field(default_factory=nullcontext)

    def __call__(self, operation: Callable[..., T], *args: object, **options: object) -> T:
        """
        Return `operation(*args, timeout=…, **options)`.

        Writes may be repeated too, since all of ours are upserts or deletions by key.

        Raises:
            StoreError: the back end cannot be reached in time, or refuses.
            ConfigError: it refuses the token or this side's TLS, has no such database, or is no Milvus.
        """
        end = time.monotonic() + self.timeout_s
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                with self.lock:
                    return operation(*args, timeout=max(0.1, end - time.monotonic()), **options)
            except Exception as error:
                if not _is_foreign(error):
                    raise
                if not _is_outage(error) or time.monotonic() + pause_s > end:
                    raise self._translated(error) from error
            time.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    def _translated(self, error: Exception) -> TwinlensError:
        text = _text(error)
        wrong = _what_is_wrong(error)
        if wrong:
            return ConfigError(f"{self.where} {wrong} ({text})")
        if _code(error) == NOT_LOADED:
            told = "has not loaded the collection, and did not when asked to; see its log and its memory"
        elif _is_outage(error) and _code(error) not in _OVERLOADED:
            plainly = ", without TLS?" if self.where.startswith("http:") else "?"
            told = f"does not answer; is Milvus running there, and reachable from here{plainly}"
        elif "DEADLINE_EXCEEDED" in text:
            told = f"did not answer within {self.timeout_s:g} s; try again later"
        elif _FULL_TEXT.search(text):
            told = "has no room left; free disk space there, and run again to go on"
        elif "UNIMPLEMENTED" in text:
            told = "is no Milvus server of version 2.3 or later"
        else:
            told = _TOLD.get(_code(error), _DAMAGED if isinstance(error, EngineError) else "refuses; see its log")
        return StoreError(f"{self.where} {told} ({text})")


def is_unloaded(error: Exception) -> bool:
    """Return whether pymilvus says by *error* that the collection is not loaded."""
    return _is_foreign(error) and _code(error) == NOT_LOADED


def is_absence(error: Exception) -> bool:
    """Return whether pymilvus says by *error* that there is no such collection."""
    return _is_foreign(error) and _code(error) == ABSENT


def _is_foreign(error: Exception) -> bool:
    """Return whether *error* comes from behind the door; what was not imported has raised nothing."""
    return isinstance(error, (EngineError, *_librarys_kinds()))


def _librarys_kinds() -> tuple[type[Exception], ...]:
    if "pymilvus" not in sys.modules:
        return ()
    grpc = importlib.import_module("grpc")
    return library().exceptions.MilvusException, grpc.RpcError, grpc.FutureTimeoutError


def _what_is_wrong(error: Exception) -> str:
    """Return what no repetition will mend; on connecting, pymilvus tells it only in the error's cause."""
    if isinstance(error, EngineError):  # it has no connection, and its texts name files
        return ""
    texts = [_text(each) for each in (error, error.__cause__) if each is not None]
    told = (told for pattern, told in _WRONG.items() if any(re.search(pattern, text, re.IGNORECASE) for text in texts))
    return next(told, "")


def _is_outage(error: Exception) -> bool:
    told = not isinstance(error, EngineError) and _OUTAGE_TEXT.search(_text(error))
    outage = _code(error) in _OUTAGE_CODES or bool(told)
    return outage and not _what_is_wrong(error)


def _code(error: BaseException) -> object:
    code = getattr(error, "code", None)
    return code() if callable(code) else code


def _text(error: BaseException) -> str:
    details = getattr(error, "details", None)
    text = f"{_code(error)}: {details()}" if callable(details) else str(getattr(error, "message", "") or error)
    return " ".join(text.split())[:300]
