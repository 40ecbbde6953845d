"""Where tests keep collections: in memory, in a Milvus Lite file, on a real Milvus server."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from indexer.records import Settings
from indexer.store.base import Store
from indexer.store.memory import MemoryStore
from indexer.store.milvus import open_store

_SERVER = Path(__file__).with_name("milvus_server.py")
_COUNTER = itertools.count()


@contextmanager
def _running_server(folder: Path, *settings: str) -> Iterator[str]:
    """Run a Milvus server, and yield its address; it ends with the block, or with this process."""
    command = [sys.executable, str(_SERVER), str(folder), *settings]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address.startswith("http://"), f"the Milvus server did not start; see {folder}/logs"
        yield address
        process.stdin.close()


@pytest.fixture(scope="session")
def run_server(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., object]:
    """Return what runs a server of one's own: `with run_server("auth=on") as uri`."""
    return lambda *settings: _running_server(tmp_path_factory.mktemp("milvus"), *settings)


@pytest.fixture(scope="session")
def server_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a real Milvus server that this session started, without token."""
    with _running_server(tmp_path_factory.mktemp("milvus")) as uri:
        yield uri


@pytest.fixture
def lite_uri(tmp_path: Path) -> str:
    """Return the path of a Milvus Lite file that does not exist yet."""
    return str(tmp_path / "archive.db")


@dataclass(frozen=True)
class Place:
    """
    Somewhere to keep collections.

    Attributes:
        kind: memory, lite or server.
        uri: of the back end; empty for memory.
    """

    kind: str
    uri: str
    _kept: dict[Settings, Store] = field(default_factory=dict)

    def fresh(self, settings: Settings) -> Store:
        """Return an empty store; on a server it is the one that was returned before, emptied, since it is dear."""
        if self.kind == "server" and settings in self._kept:
            return _emptied(self._kept[settings])
        self._kept[settings] = self.open(f"fresh_{next(_COUNTER)}", settings)
        return self._kept[settings]

    def open(self, collection: str, settings: Settings) -> Store:
        """Return the store of that name, made when absent; in memory always a new one."""
        return open_store(self.uri, collection, settings) if self.uri else MemoryStore(settings)

    def close(self) -> None:
        """Close what `fresh` opened."""
        for store in self._kept.values():
            store.close()


def _emptied(store: Store) -> Store:
    entries = list(store.entries())
    for originals in (True, False):
        uris = [entry.uri for entry in entries if entry.is_original is originals]
        if uris:
            store.remove(uris, originals=originals)
    return store


@pytest.fixture(scope="session", params=["memory", "lite", pytest.param("server", marks=pytest.mark.server)])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Each kind of back end in turn."""
    uri = {
        "memory": lambda: "",
        "lite": lambda: str(tmp_path_factory.mktemp("lite") / "archive.db"),
        "server": lambda: request.getfixturevalue("server_uri"),
    }[request.param]()
    made = Place(request.param, uri)
    yield made
    made.close()


@pytest.fixture
def in_threads() -> Callable[..., list[object]]:
    """Return what applies a function to items, each in a thread of its own, and returns the results."""

    def apply(function: Callable[[object], object], items: Iterable[object]) -> list[object]:
        with ThreadPoolExecutor(16) as threads:
            return list(threads.map(function, items))

    return apply
