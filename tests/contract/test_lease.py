"""The lease that keeps two writers of a collection on a server apart."""

from __future__ import annotations

import dataclasses
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Timer

import numpy as np
import pytest
from pymilvus import MilvusClient

from indexer.errors import ConfigError, LockHeld, StoreError
from indexer.records import Entry, Settings
from indexer.store.collection import SESSION, STRONG
from indexer.store.holder import Holder
from indexer.store.lease import Pace
from indexer.store.lease_record import Record, name_of, without_leases
from indexer.store.milvus import MilvusStore, open_existing, open_store

pytestmark = pytest.mark.server

SETTINGS = Settings("network@1", dim=2, radius=0.01)
QUICK = Pace(beat_s=0.2, valid_s=0.6, stale_s=1.5)

WRITER = """
import sys
from indexer.store.holder import Holder
from indexer.store.lease import Pace
from indexer.store.milvus import open_existing
from test_lease import QUICK, entry
store = open_existing(*sys.argv[1:])
store.table.pace = QUICK
store.claim()
print("held", flush=True)
for name in sys.stdin:
    try:
        store.put([entry(name.strip())])
        print("written", flush=True)
    except Exception as error:
        print(type(error).__name__, error, flush=True)
"""
"""A process that claims a collection, then writes an entry for each line that it is sent."""


ASLEEP = Pace(beat_s=60, valid_s=0, stale_s=60)
"""The pace of a holder that beats only when it writes."""


class Slow:
    """A client that lets something happen before it renames, and after; once each, in this order."""

    def __init__(self, client: MilvusClient, *meanwhile: Callable[[], object]) -> None:
        self._client = client
        self._meanwhile = list(meanwhile)

    def __getattr__(self, name: str) -> object:
        return getattr(self._client, name)

    def rename_collection(self, *args: str, **options: float) -> None:
        """Rename, amid what else happens."""
        self._happen()
        self._client.rename_collection(*args, **options)
        self._happen()

    def _happen(self) -> None:
        if self._meanwhile:
            self._meanwhile.pop(0)()


def graves(store: MilvusStore) -> list[str]:
    """Return the names of the graves of leases."""
    return [name for name in store.table.client.list_collections() if "_lease_" in name]


def entry(uri: str) -> Entry:
    """Return an original at the origin."""
    vector = np.zeros(2, dtype=np.float32)
    return Entry(uri, "a" * 64, 1, 1, 1, 1, "JPEG", None, None, exact=False, descriptor=vector)


@pytest.fixture(scope="module")
def name(server_uri: str) -> str:
    """Return the name of a collection that nobody has a lease of; making one takes seconds."""
    open_store(server_uri, "leased", SETTINGS).close()
    return "leased"


def opened(uri: str, name: str) -> MilvusStore:
    """Return an open store whose lease keeps a quick pace."""
    store = open_existing(uri, name)
    store.table.pace = QUICK
    return store


@contextmanager
def writer(uri: str, name: str) -> Iterator[Callable[[str], str]]:
    """Run WRITER until it holds the lease; yield what sends it a line and returns its answer; `pid` is an attribute."""
    here = os.pathsep.join([str(Path.cwd()), str(Path(__file__).parent)])
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, uri, name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": here},
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def send(line: str = "") -> str:
        if line:
            print(line, file=process.stdin, flush=True)
        return process.stdout.readline().strip()

    try:
        assert send() == "held"
        send.process = process  # type: ignore[attr-defined]
        yield send
    finally:
        process.kill()
        process.communicate()


def test_of_many_who_claim_at_once_one_gets_it(
    server_uri: str, name: str, in_threads: Callable[..., list[object]]
) -> None:
    """One of eight has the lease; the others name it, its host and its process, and touch nothing."""
    stores = [opened(server_uri, name) for _ in range(8)]

    def claim(store: object) -> str:
        try:
            store.claim()  # type: ignore[attr-defined]
        except LockHeld as error:
            return str(error)
        return ""

    told = [str(each) for each in in_threads(claim, stores)]
    assert told.count("") == 1
    holder = f"another run writes to the collection {name} .*process {os.getpid()} on {socket.gethostname()}, since 20"
    assert all(re.search(holder, each) for each in told if each)
    for store in stores:
        store.close()


def test_closing_gives_it_up(server_uri: str, name: str) -> None:
    """The next writer need not wait, and the last one leaves nothing behind."""
    for _ in range(3):
        with closing(open_existing(server_uri, name)) as store:
            start = time.monotonic()
            store.claim()
            assert time.monotonic() - start < 1
    with closing(open_existing(server_uri, name)) as store:
        assert not store.table.client.has_collection(name_of(name))


def test_readers_need_none(server_uri: str, name: str) -> None:
    """While one writes, others open the collection and read what it wrote, and no lease is listed beside it."""
    with closing(opened(server_uri, name)) as store, closing(opened(server_uri, name)) as reader:
        store.put([entry("a")])
        assert reader.get(["a"]) == {"a": entry("a")}
        with pytest.raises(ConfigError, match="no collection absent") as caught:
            open_existing(server_uri, "absent")
        assert name in str(caught.value)
        assert name_of(name) not in str(caught.value)


def test_a_write_needs_the_lease(server_uri: str, name: str) -> None:
    """A store that never claimed writes nothing while another one holds the lease."""
    with closing(opened(server_uri, name)) as store, closing(opened(server_uri, name)) as other:
        store.put([entry("a")])
        with pytest.raises(LockHeld):
            other.put([entry("b")])
        with pytest.raises(LockHeld):
            other.remove(["a"], originals=True)
        assert set(store.get(["a", "b"])) == {"a"}


def test_a_killed_holder_of_this_host_blocks_nobody(server_uri: str, name: str) -> None:
    """A process that was killed is followed at once, whatever the pace."""
    with writer(server_uri, name) as send:
        send.process.kill()  # type: ignore[attr-defined]
        send.process.wait()  # type: ignore[attr-defined]
        with closing(open_existing(server_uri, name)) as store:
            start = time.monotonic()
            store.put([entry("a")])
            assert time.monotonic() - start < 2


@pytest.mark.parametrize("turn", range(3))
def test_a_writer_reads_what_was_written_before(server_uri: str, name: str, turn: int) -> None:
    """What another process wrote last is seen at once; so is that beside one's own, by reads that wait for no tick."""
    theirs, ours = f"theirs {turn}", f"ours {turn}"
    with writer(server_uri, name) as send, closing(open_existing(server_uri, name)) as store:
        assert send(theirs) == "written"
        send.process.kill()  # type: ignore[attr-defined]
        send.process.wait()  # type: ignore[attr-defined]
        store.claim()
        assert (store.table.newest, set(store.get([theirs]))) == (STRONG, {theirs})
        store.put([entry(ours)])
        assert (store.table.newest, set(store.get([theirs, ours]))) == (SESSION, {theirs, ours})
        assert {theirs, ours} <= {match.uri for match in store.near(np.zeros((1, 2), np.float32))[0].matches}
        store.put([dataclasses.replace(entry(theirs), size=2)])
        assert store.get([theirs])[theirs].size == 2


@pytest.mark.parametrize("turn", range(3))
def test_a_writer_reads_what_it_has_deleted(server_uri: str, name: str, turn: int) -> None:
    """A deletion is seen by the next read, also between writes; the server tells its time of writes only."""
    kept, gone = f"kept {turn}", f"gone {turn}"
    with closing(open_existing(server_uri, name)) as store:
        store.put([entry(kept), entry(gone)])
        store.remove([gone], originals=True)
        assert set(store.get([kept, gone])) == {kept}
        store.put([dataclasses.replace(entry(kept), size=2)])
        assert set(store.get([kept, gone])) == {kept}


def test_who_lost_the_lease_reads_what_others_wrote(server_uri: str, name: str) -> None:
    """A writer that slept until another took its place reads consistently with all again."""
    with closing(open_existing(server_uri, name)) as sleeper, closing(open_existing(server_uri, name)) as other:
        sleeper.table.pace = ASLEEP
        sleeper.put([entry("first")])
        other.table.pace = QUICK
        other.put([entry("second")])
        with pytest.raises(StoreError):
            sleeper.put([entry("late")])
        assert sleeper.table.newest == STRONG


def test_a_suspended_writer_is_replaced_and_told(server_uri: str, name: str, caplog: pytest.LogCaptureFixture) -> None:
    """Who sleeps for too long loses the lease after a while, of which the successor's user is told, and not before."""
    with writer(server_uri, name) as send, closing(opened(server_uri, name)) as store:
        assert send("before") == "written"
        send.process.send_signal(signal.SIGSTOP)  # type: ignore[attr-defined]
        start = time.monotonic()
        store.claim()
        assert QUICK.stale_s <= time.monotonic() - start < QUICK.stale_s + 2
        (waited,) = caplog.messages
        assert re.match(rf"nothing is heard of the run that writes to .* {name} .*; if .* goes on in 1 s", waited)
        store.put([entry("after")])
        send.process.send_signal(signal.SIGCONT)  # type: ignore[attr-defined]
        told = send("late")
        assert re.search(rf"^StoreError .* may not write any more.*process {os.getpid()} on .*run again", told)
        assert set(store.get(["before", "after", "late"])) == {"before", "after"}
        store.put([entry("later")])


def test_a_holder_that_wakes_just_before_it_is_renamed_keeps_the_lease(server_uri: str, name: str) -> None:
    """It writes before the newcomer's renaming, while it is renamed, and when it is back; the newcomer gets nothing."""
    with closing(opened(server_uri, name)) as old, closing(opened(server_uri, name)) as newcomer:
        old.table.pace = ASLEEP
        old.claim()
        amid, again = (Timer(wait_s, old.put, [[entry(when)]]) for wait_s, when in ((0, "amid"), (0.5, "again")))
        events = (
            lambda: old.put([entry("before")]),
            lambda: (amid.start(), time.sleep(0.2)),
            lambda: None,
            again.start,
        )
        newcomer.table.client = Slow(newcomer.table.client, *events)
        with pytest.raises(LockHeld):
            newcomer.claim()
        again.join()
        assert old.get(["before", "amid", "again"]).keys() == {"before", "amid", "again"}
        assert not graves(old)


def test_who_takes_the_name_of_a_holder_that_woke_waits_for_its_end(server_uri: str, name: str) -> None:
    """While a newcomer looks at what it renamed, a third one gets the name, but not before the holder's time is up."""
    old, newcomer, third = (opened(server_uri, name) for _ in range(3))
    old.table.pace = dataclasses.replace(ASLEEP, valid_s=QUICK.valid_s)
    took: list[float] = []

    def take() -> None:
        old.put([entry("on its last beat")])
        start = time.monotonic()
        third.claim()
        took.append(time.monotonic() - start)

    newcomer.table.client = Slow(newcomer.table.client, lambda: old.put([entry("awake")]), take)
    with closing(old), closing(newcomer), closing(third):
        old.claim()
        with pytest.raises(LockHeld):
            newcomer.claim()
        assert took[0] >= QUICK.stale_s
        with pytest.raises(StoreError, match="may not write any more"):
            old.put([entry("late")])
        third.put([entry("third")])
        assert not graves(third)


@pytest.mark.parametrize("system", ["here", "elsewhere"])
def test_a_grave_that_was_left_is_cleared_away(server_uri: str, name: str, system: str) -> None:
    """What a newcomer that was killed left is hidden from users; the next lease ends it, at once if it may."""
    with closing(opened(server_uri, name)) as store:
        record = Record(store.table.client, name)
        with subprocess.Popen(["true"]) as ended:
            pass
        left = dataclasses.replace(Holder.new(), pid=ended.pid)
        record.make(left if system == "here" else dataclasses.replace(left, system=system), timeout=10)
        store.table.client.rename_collection(record.name, f"{record.name}_{'0a' * 16}")
        assert (len(graves(store)), [each for each in store.table.others() if "lease_" in each]) == (1, [])
        start = time.monotonic()
        store.claim()
        assert (time.monotonic() - start < QUICK.stale_s) is (system == "here")
        assert not graves(store)


def test_a_lease_that_was_lost_can_be_taken_again(server_uri: str, name: str) -> None:
    """After the lease went away a write fails, and the next claim starts anew."""
    with closing(opened(server_uri, name)) as store:
        store.claim()
        store.table.client.drop_collection(name_of(name))
        time.sleep(QUICK.valid_s + QUICK.beat_s)
        with pytest.raises(StoreError, match=r"may not write any more.*which has ended, too"):
            store.put([entry("a")])
        store.claim()
        store.put([entry("a")])


def test_many_successors_of_one_dead_holder(
    server_uri: str, name: str, in_threads: Callable[..., list[object]]
) -> None:
    """Of eight who find the lease of a killed process, one gets it; no grave is left."""
    with writer(server_uri, name) as send:
        send.process.kill()  # type: ignore[attr-defined]
        send.process.wait()  # type: ignore[attr-defined]
    stores = [opened(server_uri, name) for _ in range(8)]

    def write(store: object) -> bool:
        try:
            store.put([entry("a")])  # type: ignore[attr-defined]
        except LockHeld:
            return False
        return True

    assert in_threads(write, stores).count(True) == 1
    names = stores[0].table.client.list_collections()
    assert [each for each in names if each.startswith(name)] in ([name, f"{name}_lease"], [f"{name}_lease", name])
    for store in stores:
        store.close()


def test_an_alias_has_the_lease_of_its_collection(server_uri: str, name: str) -> None:
    """Two writers by two names of one collection are kept apart."""
    with closing(opened(server_uri, name)) as store:
        store.table.client.create_alias(name, f"alias_{name}")
        store.claim()
        with closing(opened(server_uri, f"alias_{name}")) as other, pytest.raises(LockHeld):
            other.claim()


def test_a_collection_of_this_name_that_is_no_lease_is_left_alone(server_uri: str, name: str) -> None:
    """It is named, and stays."""
    with closing(opened(server_uri, name)) as store:
        store.table.client.create_collection(name_of(name), dimension=4)
        with pytest.raises(ConfigError, match=f"{name}_lease is not the lease .* rename it"):
            store.claim()
        assert store.table.client.has_collection(name_of(name))
        store.table.client.drop_collection(name_of(name))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, newcomers only watch")
def test_who_is_gone() -> None:
    """A holder is gone when its process ended, or its number is another's now; not when it is of another system."""
    me = Holder.new()
    with subprocess.Popen(["true"]) as ended:
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        zombie = dataclasses.replace(me, pid=ended.pid)
        assert zombie.is_gone()
    others = [zombie, dataclasses.replace(me, started="1"), dataclasses.replace(zombie, system="another")]
    assert [holder.is_gone() for holder in [me, *others]] == [False, True, True, False]


FULL = """
import resource
from indexer.store import holder
me, system = holder.Holder.new(), holder._system()
holder._system = lambda: system
resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
print(me.is_gone(), holder.Holder.new().system == system)
"""
"""A process whose table of files is full from the moment on when it has looked which system this is."""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, newcomers only watch")
def test_who_cannot_look_tells_nobody_gone() -> None:
    """That a newcomer may open no more files breaks no lease, and a holder that could not look is only watched."""
    told = subprocess.run([sys.executable, "-c", FULL], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["False", "False"]


def test_names_of_leases_fit_and_differ() -> None:
    """A name of any length has a lease whose grave is a name that Milvus takes, too."""
    names = ["a", "a" * 255, "a" * 254 + "b"]
    assert len({name_of(each) for each in names}) == len(names)
    assert max(len(name_of(each)) for each in names) + 33 <= 255
    assert without_leases(["a", "a_lease", "b_lease", f"a_lease_{'0f' * 16}", "a_lease_0f"]) == [
        "a",
        "b_lease",
        "a_lease_0f",
    ]
