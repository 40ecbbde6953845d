"""The door to pymilvus: what it keeps out, and how calls are repeated and errors translated."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from indexer.errors import ConfigError, StoreError
from indexer.store.door import Caller, EngineError, library

QUIET = """
import os, sys
before = dict(os.environ)
import indexer.store.milvus
assert "pymilvus" not in sys.modules, "imported before it is needed"
from indexer.errors import StoreError
try:
    access = indexer.store.access.Access(timeout_s=0.5)
    indexer.store.milvus.open_existing("http://127.0.0.1:1", "images", access=access)
except StoreError:
    pass
assert dict(os.environ) == before, "the environment changed"
"""


def test_importing_is_late_and_quiet(tmp_path: Path) -> None:
    """The library is imported when first used, reads no `.env`, keeps the environment and logs nothing."""
    (tmp_path / ".env").write_text("MILVUS_URI=http://elsewhere\nPLANTED=1\n", encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-W", "error", "-c", QUIET]
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


class Failing:
    """An operation that fails in one way a number of times, then returns the time limit that it was given."""

    def __init__(self, error: Exception, times: int) -> None:
        self.error = error
        self.times = times

    def __call__(self, *, timeout: float) -> float:
        """Fail or return."""
        self.times -= 1
        if self.times >= 0:
            raise self.error
        return timeout


def refusal(code: int, message: str) -> Exception:
    """Return the error that pymilvus raises for a reply with *code*."""
    error: Exception = library().MilvusException(code=code, message=message)
    return error


@pytest.mark.parametrize(
    "code_and_text",
    [(2, "Fail connecting to server"), (503, "node offline"), (1, "channel not available: leader is gone")],
)
def test_an_outage_is_sat_out(code_and_text: tuple[int, str]) -> None:
    """A call is repeated until the back end is there again, in what is left of its time."""
    limit_s = Caller("there", timeout_s=5)(Failing(refusal(*code_and_text), times=3))
    assert 0 < limit_s < 5


def test_an_outage_that_lasts_ends_with_the_limit() -> None:
    """A call is given up when its time is over."""
    start = time.monotonic()
    with pytest.raises(StoreError, match="there does not answer; is Milvus running"):
        Caller("there", timeout_s=0.5)(Failing(refusal(2, "Fail connecting"), times=1000))
    assert time.monotonic() - start < 1


@pytest.mark.parametrize(
    ("code", "text", "kind", "told"),
    [
        (100, "collection not found", StoreError, "not have the collection any more"),
        (1100, "invalid parameter", StoreError, "refuses"),
        (65535, "auth check failure, please check api key is correct", ConfigError, "TWINLENS_TOKEN"),
    ],
)
def test_a_refusal_is_told_at_once(code: int, text: str, kind: type[Exception], told: str) -> None:
    """What will not pass with time is not repeated, and says what to do."""
    operation = Failing(refusal(code, text), times=2)
    with pytest.raises(kind, match=told):
        Caller("there", timeout_s=5)(operation)
    assert operation.times == 1


def test_a_bug_of_ours_is_not_disguised() -> None:
    """An exception that is not of pymilvus or gRPC passes as it is."""
    with pytest.raises(KeyError):
        Caller("there", timeout_s=5)(Failing(KeyError("mine"), times=1))


def test_our_limit_reaches_the_call() -> None:
    """Each call carries the time that is left, so that none can hang."""
    waits: Callable[..., float] = Failing(KeyError(), times=0)
    assert 6 < Caller("there", timeout_s=7)(waits) <= 7


def test_the_library_does_not_check_texts_again() -> None:
    """A text is checked once, by us: pymilvus would look at each of its characters."""
    library()
    helper = importlib.import_module("pymilvus.client.entity_helper")
    assert helper.CHECK_STR_ARRAY is False


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("[Errno 28] No space left on device: 'certificates.db/x'", "has no room left"),
        ("[Errno 11] Resource temporarily unavailable: 'a.db/x'", "refuses; where files in it are damaged"),
    ],
)
def test_what_milvus_lite_says_is_not_read_as_a_connections_trouble(message: str, told: str) -> None:
    """Its texts name files, of certificates perhaps, and nothing that it says is an outage to wait for."""
    failing = Failing(EngineError(message, 1), times=1)
    with pytest.raises(StoreError, match=f"a.db {told}"):
        Caller("a.db", 5.0)(failing)
    assert failing.times == 0
