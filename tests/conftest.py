"""Where tests keep collections: in memory, in a Milvus Lite file, on a real Milvus server."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import hypothesis
import pytest

from indexer.records import Settings
from indexer.store.base import Store
from indexer.store.door import is_server
from indexer.store.memory import MemoryStore
from indexer.store.milvus import open_store

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell lets what it starts in the background ignore Ctrl-C, and so would every command that a test interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


hypothesis.settings.register_profile("ci", derandomize=True)  # a red CI is the change's fault, never the dice's
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")

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
def run_server(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., AbstractContextManager[str]]:
    """Return what runs a server of one's own, with options such as `auth=on`, for a with block."""

    def run(*settings: str, folder: Path | None = None) -> AbstractContextManager[str]:
        return _running_server(folder or tmp_path_factory.mktemp("milvus"), *settings)

    return run


@pytest.fixture(scope="session")
def server_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a real Milvus server that this session started, without token."""
    with _running_server(tmp_path_factory.mktemp("milvus")) as uri:
        yield uri


@pytest.fixture
def lite_uri(tmp_path: Path) -> str:
    """Return the path of a Milvus Lite file that does not exist yet."""
    return str(tmp_path / "archive.db")


class Stores:
    """Makes stores on one back end: at *uri*, or in memory where it is empty."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.kept: dict[Settings, Store] = {}

    def __call__(self, settings: Settings) -> Store:
        """Return an empty store; on a server the one returned before, emptied, since making one is dear."""
        if is_server(self.uri) and settings in self.kept:
            return _emptied(self.kept[settings])
        name = f"fresh_{next(_COUNTER)}"
        self.kept[settings] = open_store(self.uri, name, settings) if self.uri else MemoryStore(settings)
        return self.kept[settings]


def _emptied(store: Store) -> Store:
    entries = list(store.entries())
    for originals in (True, False):
        uris = [entry.uri for entry in entries if entry.is_original is originals]
        if uris:
            store.remove(uris, originals=originals)
    return store


@pytest.fixture(scope="session", params=["memory", "lite", pytest.param("server", marks=pytest.mark.server)])
def make_store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Settings], Store]]:
    """Return, for each back end in turn, what makes an empty store; use one store at a time."""
    uri = ""
    if request.param == "lite":
        uri = str(tmp_path_factory.mktemp("lite") / "archive.db")
    if request.param == "server":
        uri = str(request.getfixturevalue("server_uri"))
    stores = Stores(uri)
    yield stores
    for store in stores.kept.values():
        store.close()


@pytest.fixture
def in_threads() -> Callable[..., list[object]]:
    """Return what applies a function to items, each in a thread of its own, and returns the results."""

    def apply(function: Callable[[object], object], items: Iterable[object]) -> list[object]:
        with ThreadPoolExecutor(16) as threads:
            return list(threads.map(function, items))

    return apply
