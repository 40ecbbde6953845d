"""
The product as a library: an index is an encoder and a collection, and does what the command line does.

    >>> with open_index("archive.db") as index:
    ...     copies = [v for v in index.ingest(["photos/", "scans.tar"]) if v.outcome is Outcome.COPY]
    ...     answer = list(index.query(["upload.jpg"]))
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from itertools import takewhile
from time import time_ns
from types import TracebackType
from typing import Any

from indexer import confirm, encode, pipeline
from indexer.decode import MAX_PIXELS
from indexer.errors import ConfigError
from indexer.jobs.groups import groups, in_order, originals_with_copies
from indexer.jobs.run import Run
from indexer.jobs.sweep import Sweep, SweepPolicy, SweepSummary
from indexer.records import Counts, Entry, Failure, Group, ImageRecord, Settings, Verdict
from indexer.sources import Item, SourceOptions, SourceStats, open_items
from indexer.stages import Stages, Stopwatch
from indexer.store.access import NO_TLS, TIMEOUT_S, Access, Tls
from indexer.store.base import Store
from indexer.store.door import shown
from indexer.store.milvus import open_existing, open_store, prepare_library
from indexer.stream import Limits
from indexer.summary import Tally
from indexer.verdict import RADIUS_ALONE, Rule

Flow = Callable[[Iterable[ImageRecord | Failure], Stages, Limits], Iterator[Verdict]]

DEFAULT_URI = "twinlens.db"
DEFAULT_COLLECTION = "images"


@dataclass(frozen=True, slots=True)
class Where:
    """
    Names a collection.

    Attributes:
        uri: a Milvus Lite path ending in `.db`, or the address of a Milvus server.
        collection: its name there.
        token: `user:password` or an API key, for a server that asks for it; never shown.
        timeout_s: the most seconds that one call may take, its repetitions through an outage included.
        tls: certificates, for an https:// address.

    """

    uri: str = DEFAULT_URI
    collection: str = DEFAULT_COLLECTION
    token: str | None = field(default=None, repr=False)
    timeout_s: float = TIMEOUT_S
    tls: Tls = NO_TLS

    @property
    def access(self) -> Access:
        """How the place is reached beyond its address."""
        return Access(self.token, self.timeout_s, self.tls)


@dataclass(frozen=True, slots=True)
class Tuning:
    """How a run works; of these only *max_pixels* and *sources* can change an outcome."""

    limits: Limits = field(default_factory=Limits)
    max_pixels: int = MAX_PIXELS
    sources: SourceOptions = field(default_factory=SourceOptions)


class Index:
    """An open collection with its encoder; close it, or use it as a context manager."""

    def __init__(
        self, store: Store, encoder: encode.Encoder, where: Where, look: confirm.Confirm = confirm.look_again
    ) -> None:
        self._store: Store | None = store
        self.encoder = encoder
        self._where = where
        self._rule = Rule.of(store.settings, look)

    @property
    def store(self) -> Store:
        """Where the entries are; raises RuntimeError once the index is closed."""
        if self._store is None:
            raise RuntimeError(f"the index of {shown(self._where.uri)} is closed; open it again with open_index")
        return self._store

    def ingest(self, items: Iterable[Item], tuning: Tuning | None = None) -> Run:
        """
        Judge *items* one after another and store what they become; iterate over the result to do the work.

        The index is the collection's one writer from here on until it is closed.

        Raises:
            ConfigError: *items* is a single path or bytes.
            LockHeld: another run writes to the collection; nothing was touched.
            StoreError: the vector database failed; run again to go on.

        """
        self.store.claim()
        return self._run(pipeline.ingest, items, tuning or Tuning(), self._rule)

    def judge(self, offers: Iterable[ImageRecord | Failure], tuning: Tuning | None = None) -> Run:
        """Judge what a source of another kind *offers*, as ingest does; no sweep can follow it."""
        self.store.claim()
        tuning = tuning or Tuning()
        stages = Stages(self.store, self.encoder, Stopwatch(), tuning.max_pixels, self._rule, on_disk=False)
        return replace(self._over(pipeline.ingest, offers, tuning, stages, SourceStats()), sighted=None)

    def query(self, items: Iterable[Item], tuning: Tuning | None = None, *, second_look: bool = True) -> Run:
        """
        Judge each of *items* on its own against the collection; nothing is written.

        Without *second_look*, or in a collection without, the radius alone decides. Raises as ingest does.
        """
        return self._run(pipeline.query, items, tuning or Tuning(), self._rule if second_look else RADIUS_ALONE)

    def sweep(self, run: Run, policy: SweepPolicy, *, now_ns: int | None = None) -> SweepSummary:
        """
        Mark entries whose files are gone as missing, and remove those that have been for long.

        *run* is an ingest of this index that was iterated over to its end; after one that was cut short, nothing is
        marked or removed. *now_ns* is the time in nanoseconds since the epoch, by default the clock's.

        Raises:
            ConfigError: *run* is a query.
            StoreError: the vector database failed; ingest and sweep again to go on.

        """
        if run.sighted is None:
            raise ConfigError("a query tells nothing of files that are gone; sweep after an ingest")
        now_ns = time_ns() if now_ns is None else now_ns
        sweep = Sweep(self.store, self._rule, run.sighted, policy, now_ns=now_ns, complete=run.tally.complete)
        return sweep()

    def show(self, uri: str) -> tuple[Entry, list[Entry]] | None:
        """Return the entry at *uri* with its whole group, the original first; None when there is none."""
        entry = self.store.get([uri]).get(uri)
        if entry is None:
            return None
        return entry, group_of(self.store, entry)

    def groups(self) -> Iterator[Group]:
        """Yield each original that has copies, with these, by the order of the originals' URIs."""
        return groups(self.store, originals_with_copies(self.store))

    def count(self) -> Counts:
        """Return how many entries the collection holds."""
        return self.store.count()

    def close(self) -> None:
        """Release the collection; a second time, nothing."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def __enter__(self) -> Index:  # noqa: PYI034 - Self is Python 3.11's
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(
        self,
        flow: Flow,
        items: Iterable[Item],
        tuning: Tuning,
        rule: Rule,
    ) -> Run:
        if isinstance(items, str | bytes | os.PathLike):
            raise ConfigError(f"ingest and query take a list of items, not one: pass [{items!r:.80}]")
        stats = SourceStats()
        stages = Stages(self.store, self.encoder, Stopwatch(), tuning.max_pixels, rule)
        return self._over(flow, open_items(items, tuning.sources, stats), tuning, stages, stats)

    def _over(
        self, flow: Flow, offers: Iterable[ImageRecord | Failure], tuning: Tuning, stages: Stages, stats: SourceStats
    ) -> Run:
        tally = Tally()
        records = takewhile(lambda _: not tally.stopped, offers)
        verdicts = flow(records, stages, tuning.limits)
        sighted = stats.sighted if flow is pipeline.ingest else None
        return Run(verdicts, stages.clock, stats, self._config(tuning, stages.rule), tally, sighted)

    def _config(self, tuning: Tuning, rule: Rule) -> dict[str, Any]:
        place = {"uri": shown(self._where.uri), "collection": self._where.collection}
        settings = asdict(self.store.settings) | {"second_look": rule.confirm is not None}
        return place | settings | asdict(tuning.limits) | {"max_pixels": tuning.max_pixels}


def open_index(  # noqa: PLR0913 - options by name
    where: Where | str | os.PathLike[str] = DEFAULT_URI,
    *,
    radius: float | None = None,
    second_look: bool | None = None,
    strict: bool | None = None,
    create: bool = True,
    weights: str | os.PathLike[str] | None = None,
    device: encode.Device = "auto",
) -> Index:
    """
    Open a collection with the encoder that it was made with, and make it when it is absent and *create* is set.

    Args:
        where: the place; a text or a path is a URI, with the default collection.
        radius: Euclidean; only for a collection that is made now. By default the encoder's, 0.01.
        second_look: whether a look at the pictures must confirm what lies within the radius; as said, only for a
            collection that is made now. By default it must.
        strict: whether pictures are no copies where a spot of the part that both show is in one only: a logo, a thing
            that moved; as said, only for a collection that is made now. By default that is seen through.
        create: whether to make the collection.
        weights: another encoder's file.
        device: `auto`, `cpu` or `cuda`.

    Raises:
        ConfigError: something named here does not fit, such as a collection of another encoder.
        EncoderError: the encoder cannot be loaded.
        LockHeld: another process uses the Milvus Lite file.
        StoreError: the server cannot be reached, or refuses.

    """
    where = where if isinstance(where, Where) else Where(os.fspath(where))
    with ThreadPoolExecutor(1) as beside:
        loading = beside.submit(encode.load, weights, device)
        prepare_library(where.uri)
        encoder = loading.result()
    return open_with(encoder, where, radius=radius, second_look=second_look, strict=strict, create=create)


def open_with(  # noqa: PLR0913 - options by name
    encoder: encode.Encoder,
    where: Where,
    *,
    radius: float | None = None,
    second_look: bool | None = None,
    strict: bool | None = None,
    create: bool = True,
) -> Index:
    """Open a collection with an *encoder* that is loaded; else as open_index."""
    wanted = settings_for(encoder.spec, radius, second_look, strict)
    given = {"radius": radius, "second_look": second_look, "max_changed": strict}
    own = [name for name, value in given.items() if value is None]
    store = open_store(where.uri, where.collection, wanted, create=create, own=own, access=where.access)
    return Index(store, encoder, where)


def settings_for(
    spec: encode.EncoderSpec, radius: float | None, second_look: bool | None, strict: bool | None = None
) -> Settings:
    """
    Return what is stamped on a collection that is made now.

    Raises:
        ConfigError: the *radius* is none, or what is to be *strict* is not to take a second look.
    """
    if strict and second_look is False:
        raise ConfigError("it is the second look that can be strict, and there is to be none; leave out one of the two")
    if radius is not None and not 0 < radius < float("inf"):
        raise ConfigError(f"the radius is a Euclidean distance above 0, not {radius:g}; the default is {spec.radius:g}")
    return Settings(
        fingerprint=spec.fingerprint,
        dim=spec.dim,
        radius=spec.radius if radius is None else radius,
        second_look=second_look is not False,
        inner_radius=0.0 if strict else spec.inner_radius,
        min_score=confirm.MIN_SCORE,
        max_changed=confirm.STRICT if strict else 1.0,
        method="" if second_look is False else confirm.METHOD,
    )


def open_entries(where: Where) -> Store:
    """Open an existing collection without an encoder, to look at what it holds. Raises as open_index does."""
    return open_existing(where.uri, where.collection, access=where.access)


def group_of(store: Store, entry: Entry) -> list[Entry]:
    """Return the group of *entry*: the original, then its copies, nearest first."""
    leader = entry.original or entry.uri
    original = [entry] if entry.is_original else list(store.get([leader]).values())
    copies = store.copies_of([leader]).get(leader, [])
    return original + in_order(copies)
