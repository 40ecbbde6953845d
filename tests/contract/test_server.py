"""A real Milvus server: its limits, its token, and when it is not there."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from pathlib import Path

import numpy as np
import pytest

from indexer.errors import ConfigError, StoreError
from indexer.records import Counts, Entry, Settings
from indexer.store.milvus import open_existing, open_store

SETTINGS = Settings("network@1", dim=2, radius=0.01)


def entry(uri: str, original: str | None = None) -> Entry:
    """Return an entry at the origin."""
    vector = np.zeros(2, dtype=np.float32)
    return Entry(uri, "a" * 64, 1, 1, 1, 1, "JPEG", original, original and 0.0, exact=False, descriptor=vector)


@pytest.mark.server
@pytest.mark.slow
def test_more_rows_than_one_reply_holds(server_uri: str) -> None:
    """Of 16,400 originals at one point and as many copies, all are listed, and a full search says so."""
    with closing(open_store(server_uri, "many", SETTINGS)) as store:
        store.put([entry(f"{n}") for n in range(16_400)])
        store.put([entry(f"c{n}", "0") for n in range(16_400)])
        assert store.count() == Counts(16_400, 16_400)
        assert len({e.uri for e in store.entries()}) == 32_800
        assert len(store.copies_of(["0"])["0"]) == 16_400
        assert store.with_bytes(["a" * 64, "b" * 64]).keys() == {"a" * 64}
        (hits,) = store.near(np.zeros((1, 2), dtype=np.float32))
        assert (len(hits.matches), hits.truncated) == (16_384, True)


@pytest.mark.server
@pytest.mark.slow
def test_a_server_with_tokens(run_server: Callable[..., AbstractContextManager[str]]) -> None:
    """The right token opens; a wrong one or none is a configuration error that names the variable."""
    with run_server("auth=on") as uri:
        open_store(uri, "images", SETTINGS, token="root:Milvus").close()
        for token in ("root:wrong", None):
            with pytest.raises(ConfigError, match="refuses the token; set TWINLENS_TOKEN to user:password") as caught:
                open_existing(uri, "images", token=token)
            assert "wrong" not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1:1", "no-such-host.invalid:19530"])
def test_a_server_that_is_not_there(host: str) -> None:
    """An address where nothing listens is an error within the time limit, without the password in it."""
    start = time.monotonic()
    with pytest.raises(StoreError, match=f"http://{host} does not answer; is Milvus running there") as caught:
        open_existing(f"http://user:secret@{host}", "images", timeout_s=2)
    assert time.monotonic() - start < 5
    assert "secret" not in str(caught.value)


@pytest.fixture
def silent_uri() -> Iterator[str]:
    """Return an address that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_server_that_does_not_speak(silent_uri: str) -> None:
    """A server that accepts and is silent is an error within the time limit."""
    start = time.monotonic()
    with pytest.raises(StoreError, match=r"does not answer|did not answer"):
        open_existing(silent_uri, "images", timeout_s=2)
    assert time.monotonic() - start < 6


@pytest.mark.server
@pytest.mark.slow
def test_a_restart_is_sat_out(tmp_path: Path, run_server: Callable[..., AbstractContextManager[str]]) -> None:
    """A store that was open before the server went away and came back reads and writes on."""
    with run_server("ttl=5", folder=tmp_path) as uri:
        store = open_store(uri, "images", SETTINGS)
        store.put([entry("a")])
    port = uri.rsplit(":", 1)[1]
    with ThreadPoolExecutor() as threads:
        reading = threads.submit(store.get, ["a"])
        with run_server("ttl=5", f"port={port}", folder=tmp_path):
            assert reading.result() == {"a": entry("a")}
            store.put([entry("b", "a")])
            assert len(store.near(np.zeros((1, 2), dtype=np.float32))[0].matches) == 1
            assert store.count() == Counts(1, 1)
            store.close()
