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

import logging
import math
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from indexer.errors import LockHeld, StoreError
from indexer.store.door import Caller
from indexer.store.holder import Holder
from indexer.store.lease_record import Record

_TRIES = 5
_GIVE_UP_S = 5.0
_AWAY_S = 0.1
"""Longer than a newcomer usually has a lease renamed to look at it."""

_LOOKS = 4
"""How often a newcomer looks between two beats."""

_LOG = logging.getLogger(__name__)


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


class Lease:
    """A lease that this process took; `take` makes it, `give_up` ends it."""

    def __init__(self, record: Record, holder: Holder, call: Caller, pace: Pace) -> None:
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
        """
        Beat, then read whose lease that was; in this order, since a name may have changed hands between them.

        Nothing is confirmed by a beat that is not there: it may have come while a newcomer looked at the renamed lease.
        """
        with self._lock:
            for _ in range(_TRIES):
                asked, self._beats = _now(), self._beats + 1
                mine = replace(self.holder, beat=f"{self.holder.owner} {self._beats}")
                self._record.beat(mine.beat, timeout=timeout_s)
                holder = self._record.holder(timeout=timeout_s)
                if holder == mine:
                    self._valid_until = asked + self._pace.valid_s
                    return
                if holder is not None and holder.owner != mine.owner:
                    break
                time.sleep(_AWAY_S)
            self._lost = (
                f"{self._call.where}: this run may not write any more: it did not answer for so long that another"
                f" took its place ({holder or 'which has ended, too'}); what was written is right, run again to go on"
            )


def take(client: Any, collection: str, call: Caller, pace: Pace = PACE) -> Lease:  # noqa: ANN401 - pymilvus has no types
    """
    Take the lease of *collection* for this process, break it where its holder is gone, and keep it.

    That takes as long as to see that the holder lives: up to about *pace.beat_s*; or that it does not:
    *pace.stale_s*, on the host where it ended no time at all. A wait of more than two beats is logged, as a warning.

    Raises:
        LockHeld: another process writes to the collection.
        ConfigError: a collection that is no lease of ours has its name.
        StoreError: the server cannot be reached, or refuses.
    """
    record, me = Record(client, collection), Holder.new()
    place = f"the collection {collection} at {call.where}"
    refusal = None
    for _ in range(_TRIES):
        try:
            call(record.make, me)
        except StoreError as error:
            refusal = error  # it is there already, or something is wrong: what is there tells
        holder = call(record.holder)
        if holder is not None and holder.owner == me.owner:
            return _settled(Lease(record, me, call, pace), record, call, pace, place)
        if holder is not None:
            _wait_until_stale(record, holder, call, pace, place)
            _bury(record, holder, call)
    raise refusal or StoreError(f"{call.where}: others take the lease of {collection} all the time; try again later")


def _settled(lease: Lease, record: Record, call: Caller, pace: Pace, place: str) -> Lease:
    """Return *lease*, which was just taken, when its holder may write."""
    try:
        _clear(record, call, pace, place)
        call(lease.check)
    except BaseException:
        lease.give_up()
        raise
    return lease


def _watch(pace: Pace, reason: str) -> Iterator[None]:
    """
    Yield for each look at one who loses the lease by silence; tell the user once, by *reason*, what takes so long.

    Looks are counted rather than seconds: those that a look waits for an absent server make nobody older.
    """
    pause_s = pace.beat_s / _LOOKS
    looks = math.ceil(pace.stale_s / pause_s)
    for look in range(looks):
        if look == 2 * _LOOKS:
            _LOG.warning("%s, this run goes on in %.0f s", reason, (looks - look) * pause_s)
        yield
        time.sleep(pause_s)


def _wait_until_stale(record: Record, holder: Holder, call: Caller, pace: Pace, place: str) -> None:
    """Return when *holder* is gone, or has not beaten for long enough; raise LockHeld as soon as it does."""
    for _ in _watch(pace, f"nothing is heard of the run that writes to {place} ({holder}); if that stays so"):
        found = call(record.holder)
        if found is None or found.owner != holder.owner or holder.is_gone():
            return
        if found.beat != holder.beat:
            raise LockHeld(
                f"another run writes to {place} ({holder}); nothing was touched; wait for it to end, or stop it"
            )


def _bury(record: Record, dead: Holder, call: Caller) -> None:
    """Take the lease away from *dead*, unless it has a new holder or a new beat."""
    if call(record.holder) != dead:
        return
    grave = record.new_grave()
    with suppress(StoreError):  # somebody else was first, or only the reply was lost: what lies there tells
        call(record.client.rename_collection, record.name, grave)
    buried = call(record.holder, grave)
    if buried == dead:
        call(record.drop, grave)
    elif buried is not None:
        with suppress(StoreError):  # the name was taken meanwhile: who took it meets the grave
            call(record.client.rename_collection, grave, record.name)


def _clear(record: Record, call: Caller, pace: Pace, place: str) -> None:
    """Return when nobody whose lease lies in a grave can write any more, and drop the graves."""
    graves = call(record.graves)
    for _ in _watch(pace, f"a run that wrote to {place} may not have noticed that it was replaced; when it must have"):
        buried = [call(record.holder, grave) for grave in graves]
        if all(holder is None or holder.is_gone() for holder in buried):
            break
    for grave in graves:
        call(record.drop, grave)
