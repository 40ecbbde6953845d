"""
The lease of the one writer of a collection on a server, where no file lock keeps two apart.

It lies in Milvus itself, since the other writer may be on another host: a second, empty collection `<name>_lease`.

- **Taking** it is making that collection, with the holder in its description. Milvus makes a name once: of several
  who try at a time, one succeeds (the same again, after a lost reply, succeeds too). Who holds it is then read.
- **Holding** it is changing its property `beat` every few seconds, from a thread, and reading whose it still is.
  Writes are allowed for a while after the last beat that was confirmed; later, the writer itself confirms first.
  So a writer that was suspended learns that it lost the lease before it writes.
- **Breaking** it takes a holder that is gone from this host, or whose beat did not change for longer than writes
  are allowed, as the newcomer itself watched: clocks are never compared, and an outage of the server ages nobody.
  The lease is renamed to a name that nobody else uses, its grave: no beat reaches it there. What lies there is read,
  and dropped if neither holder nor beat has changed. Otherwise the holder woke just before, or a third one was
  quicker: it gets its name back.
- **A grave that is met** by who has just made the lease may be that of a holder who lives: the name was free for a
  moment. Its last beat came before that, so it is watched for as long as a silent holder is, then dropped. Whoever
  renamed it may read it meanwhile: no grave's name is used twice, so it finds what it renamed or nothing, and then
  does nothing. So what a newcomer that was killed amid breaking left is cleared away, too.

What is left: a process that is suspended between its last check and the write that follows sends that write after
it wakes. Milvus has no token that would refuse it.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from indexer.errors import ConfigError, LockHeld, StoreError
from indexer.store.door import Caller, is_absence, library
from indexer.store.holder import Holder

ENDING = "_lease"
_BEAT = "beat"
_TRIES = 5
_GIVE_UP_S = 5.0
_NAME_MAX = 222
"""Milvus allows 255; the name of a grave ends in 33 more."""

_GRAVE = re.compile("(.*)_[0-9a-f]{32}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Pace:
    """
    How often a lease is confirmed, and when it is stale; seconds.

    Attributes:
        beat_s: between two beats; a newcomer knows after about as long that the lease is held.
        valid_s: so long after a confirmed beat, writes need no other.
        stale_s: so long must a newcomer see no beat; more than *valid_s* by what a write may be on its way.
    """

    beat_s: float = 5.0
    valid_s: float = 20.0
    stale_s: float = 60.0


PACE = Pace()


def _now() -> float:
    """Return seconds that also pass while the machine sleeps, where the system tells them."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def name_of(collection: str) -> str:
    """Return the name of the lease of *collection*."""
    if len(collection) + len(ENDING) <= _NAME_MAX:
        return collection + ENDING
    return f"{collection[:180]}_{hashlib.sha256(collection.encode()).hexdigest()[:32]}{ENDING}"


def without_leases(names: Sequence[str]) -> list[str]:
    """Return *names* of collections without those that are the leases of others, or the graves of such."""
    leases = {name_of(name) for name in names}
    return [name for name in names if name not in leases and _buried(name) not in leases]


def _new_grave(lease: str) -> str:
    return f"{lease}_{secrets.token_hex(16)}"


def _buried(name: str) -> str:
    """Return the name of the lease whose grave *name* would be; empty for other names."""
    found = _GRAVE.fullmatch(name)
    return found[1] if found else ""


class _Record:
    """The collection that is a lease, held or not; its calls pass the exceptions of pymilvus."""

    def __init__(self, client: Any, collection: str) -> None:  # noqa: ANN401 - pymilvus has no types
        self.client = client
        self.name = name_of(collection)

    def make(self, holder: Holder, *, timeout: float) -> None:
        kinds = library().DataType
        schema = library().MilvusClient.create_schema(description=json.dumps({"twinlens lease": asdict(holder)}))
        schema.add_field("id", kinds.INT64, is_primary=True)
        schema.add_field("none", kinds.FLOAT_VECTOR, dim=2)  # a collection must have one
        self.client.create_collection(self.name, schema=schema, num_shards=1, timeout=timeout)

    def holder(self, name: str = "", *, timeout: float) -> Holder | None:
        """Return who is named in the lease, or in its grave *name*; None when there is none."""
        try:
            told = self.client.describe_collection(name or self.name, timeout=timeout)
        except Exception as error:
            if is_absence(error):
                return None
            raise
        try:
            holder = Holder(**json.loads(told["description"])["twinlens lease"])
        except (ValueError, TypeError, KeyError) as error:
            raise ConfigError(
                f"the collection {name or self.name} is not the lease that Twinlens keeps under this name;"
                " rename it, or ingest into another --collection"
            ) from error
        return replace(holder, beat=(told.get("properties") or {}).get(_BEAT, ""))

    def graves(self, *, timeout: float) -> list[str]:
        return [name for name in self.client.list_collections(timeout=timeout) if _buried(name) == self.name]

    def drop(self, name: str = "", *, timeout: float) -> None:
        """Drop the lease, or its grave *name*; nothing when there is none."""
        try:
            self.client.drop_collection(name or self.name, timeout=timeout)
        except Exception as error:
            if not is_absence(error):
                raise

    def beat(self, text: str, *, timeout: float) -> None:
        """Change the lease's beat; nothing when there is none."""
        try:
            self.client.alter_collection_properties(self.name, {_BEAT: text}, timeout=timeout)
        except Exception as error:
            if not is_absence(error):
                raise


class Lease:
    """A lease that this process took; `take` makes it, `give_up` ends it."""

    def __init__(self, record: _Record, holder: Holder, call: Caller, pace: Pace) -> None:
        self.holder = holder
        self._record = record
        self._call = call
        self._pace = pace
        self._valid_until = 0.0
        self._lost = ""
        self._beats = 0
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="twinlens-lease", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> bool:
        """Whether another is known to have taken it."""
        return bool(self._lost)

    def check(self, *, timeout: float) -> None:
        """
        Return if this process may write now; where that is uncertain, ask the server, for *timeout* seconds.

        Exceptions of pymilvus pass: a Caller makes this call.

        Raises:
            StoreError: another has broken the lease.
        """
        if not self._lost and _now() > self._valid_until:
            self._confirm(timeout)
        if self._lost:
            raise StoreError(self._lost)

    def give_up(self) -> None:
        """Let others write at once; where the server cannot be reached, the lease goes stale by itself."""
        self._ending.set()
        self._thread.join()
        with suppress(StoreError):
            Caller(self._call.where, _GIVE_UP_S)(self._drop_own)

    def _drop_own(self, *, timeout: float) -> None:
        holder = self._record.holder(timeout=timeout)
        if holder is not None and holder.owner == self.holder.owner:
            self._record.drop(timeout=timeout)

    def _keep(self) -> None:
        while not self._lost and not self._ending.wait(self._pace.beat_s):
            with suppress(Exception):  # an outage, say; whoever writes next asks again, and is told
                self._confirm(min(self._pace.valid_s, _GIVE_UP_S))

    def _confirm(self, timeout_s: float) -> None:
        """Beat, then read whose lease that was; in this order, since a name may have changed hands between them."""
        with self._lock:
            asked, self._beats = _now(), self._beats + 1
            self._record.beat(f"{self.holder.owner} {self._beats}", timeout=timeout_s)
            holder = self._record.holder(timeout=timeout_s)
            if holder is not None and holder.owner == self.holder.owner:
                self._valid_until = asked + self._pace.valid_s
                return
            self._lost = (
                f"{self._call.where}: this run may not write any more: it did not answer for so long that another"
                f" took its place ({holder or 'which has ended, too'}); what was written is right, run again to go on"
            )


def take(client: Any, collection: str, call: Caller, pace: Pace = PACE) -> Lease:  # noqa: ANN401 - pymilvus has no types
    """
    Take the lease of *collection* for this process, break it where its holder is gone, and keep it.

    That takes as long as to see that the holder lives: up to about *pace.beat_s*; or that it does not:
    *pace.stale_s*, on the host where it ended no time at all.

    Raises:
        LockHeld: another process writes to the collection.
        ConfigError: a collection that is no lease of ours has its name.
        StoreError: the server cannot be reached, or refuses.
    """
    record, me = _Record(client, collection), Holder.new()
    refusal = None
    for _ in range(_TRIES):
        try:
            call(record.make, me)
        except StoreError as error:
            refusal = error  # it is there already, or something is wrong: what is there tells
        holder = call(record.holder)
        if holder is not None and holder.owner == me.owner:
            return _settled(Lease(record, me, call, pace), record, call, pace)
        if holder is not None:
            _wait_until_stale(record, holder, call, pace, collection)
            _bury(record, holder, call)
    raise refusal or StoreError(f"{call.where}: others take the lease of {collection} all the time; try again later")


def _settled(lease: Lease, record: _Record, call: Caller, pace: Pace) -> Lease:
    """Return *lease*, which was just taken, when its holder may write."""
    try:
        _clear(record, call, pace)
        call(lease.check)
    except BaseException:
        lease.give_up()
        raise
    return lease


def _wait_until_stale(record: _Record, holder: Holder, call: Caller, pace: Pace, collection: str) -> None:
    """Return when *holder* is gone, or has not beaten for long enough; raise LockHeld as soon as it does."""
    end = _now() + pace.stale_s
    while not holder.is_gone() and _now() < end:
        time.sleep(pace.beat_s / 4)
        found = call(record.holder)
        if found is None or found.owner != holder.owner:
            return
        if found.beat != holder.beat:
            raise LockHeld(
                f"another run writes to the collection {collection} at {call.where} ({holder});"
                " nothing was touched; wait for it to end, or stop it"
            )


def _bury(record: _Record, dead: Holder, call: Caller) -> None:
    """Take the lease away from *dead*, unless it has a new holder or a new beat."""
    if call(record.holder) != dead:
        return
    grave = _new_grave(record.name)
    with suppress(StoreError):  # somebody else was first, or only the reply was lost: what lies there tells
        call(record.client.rename_collection, record.name, grave)
    buried = call(record.holder, grave)
    if buried == dead:
        call(record.drop, grave)
    elif buried is not None:
        with suppress(StoreError):  # the name was taken meanwhile: who took it meets the grave
            call(record.client.rename_collection, grave, record.name)


def _clear(record: _Record, call: Caller, pace: Pace) -> None:
    """Return when nobody whose lease lies in a grave can write any more, and drop the graves."""
    end = _now() + pace.stale_s
    for grave in call(record.graves):
        while (holder := call(record.holder, grave)) is not None and not holder.is_gone() and _now() < end:
            time.sleep(pace.beat_s / 4)
        call(record.drop, grave)
