"""
A collection is encoded anew: each entry's file is read again, judged into a new collection, and the name switched.

The order is that of the entries' keys, originals first, files before members of archives: it does not depend on when
a run was killed, and who led a group leads it again, unless the new encoder finds it to be another's copy.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from tempfile import TemporaryFile
from typing import IO

from indexer.encode import Encoder
from indexer.errors import ConfigError
from indexer.jobs.index import Index, Tuning, Where, open_entries, open_with, settings_for
from indexer.jobs.run import Run
from indexer.records import Failure, ImageRecord, Settings
from indexer.sources import SourceOptions, member_of, open_items
from indexer.store.base import Store
from indexer.store.door import shown
from indexer.store.milvus import stands_for, switch

_LOOK_UP = 1000
"""Entries that are looked up at a time when the two collections are compared."""


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What is to become of a collection.

    Attributes:
        place: where it is; after the switch, the new one's name is this.
        old: the collection that the name stands for; empty when a switch was cut short after it was renamed.
        keep_as: what the old one is called after the switch.
        new: the new one.
        settings: the new one's.
        switches: whether the name is switched; not when the new collection is at another place.
        done: whether there is nothing to do, since the name stands for a collection of this encoder.

    """

    place: Where
    old: str
    keep_as: str
    new: Where
    settings: Settings
    switches: bool
    done: bool = False


def plan(place: Where, encoder: Encoder, radius: float | None = None, to: Where | None = None) -> Plan:
    """
    Decide on names, and look whether they are free.

    Raises:
        ConfigError: there is no such collection, or a name is taken; a collection of this very encoder is to go to
            another place.
        LockHeld: another process uses the Milvus Lite file.
        StoreError: the server cannot be reached, or refuses.
    """
    old = stands_for(place.uri, place.collection, access=place.access)
    if old is None:
        return _rest_of_switch(place, encoder, radius)
    with closing(open_entries(place)) as store:
        had = store.settings
    settings = settings_for(encoder.spec, radius, had.second_look, had.strict)
    new = to or replace(place, collection=f"{place.collection}_{short(settings)}")
    keep_as = old if old != place.collection else f"{place.collection}_{short(had)}"
    done = short(had) == short(settings)
    if done and to:
        raise ConfigError(f"the collection {place.collection} is one of this encoder; migrate it without --re-encode")
    if done and radius not in (None, had.radius):
        raise ConfigError(
            f"the collection {place.collection} is one of this encoder, with the radius {had.radius}; for another one,"
            " export it, and import it under another name with --judge and --radius"
        )
    if not done and not to and keep_as != old and stands_for(place.uri, keep_as, access=place.access):
        raise ConfigError(f"there is a collection {keep_as}, as the old one is to be called; drop or rename it")
    return Plan(place, old, keep_as, new, settings, switches=to is None, done=done)


def _rest_of_switch(place: Where, encoder: Encoder, radius: float | None) -> Plan:
    """Return what is left to do where the old collection is renamed, and the new one has not got the name."""
    for second_look in (True, False):
        settings = settings_for(encoder.spec, radius, second_look)
        new = replace(place, collection=f"{place.collection}_{short(settings)}")
        if stands_for(place.uri, new.collection, access=place.access):
            return Plan(place, "", "", new, settings, switches=True)
    raise ConfigError(f"there is no collection {place.collection} at {shown(place.uri)}; make it with twinlens ingest")


def short(settings: Settings) -> str:
    """Return 8 hexadecimal digits that name an encoder and a method of thumbnails."""
    return hashlib.sha256(f"{settings.fingerprint} {settings.method}".encode()).hexdigest()[:8]


def open_new(made: Plan, encoder: Encoder) -> Index:
    """Open the new collection, made when it is absent; raises as open_index does."""
    settings = made.settings
    strict = settings.strict or None  # what is left to do of a switch does not tell
    return open_with(encoder, made.new, radius=settings.radius, second_look=settings.second_look, strict=strict)


def encode_anew(old: Store, index: Index, tuning: Tuning) -> Run:
    """Judge the files of *old* into *index*, the new collection; iterate over the result to do the work."""
    return index.judge(reopened(old, tuning.sources), tuning)


def reopened(store: Store, options: SourceOptions) -> Iterator[ImageRecord | Failure]:
    """
    Yield the file of each entry of *store*, opened again at its URI, originals first; one that is gone is a Failure.

    The names are kept in a file meanwhile, those of archives' members in memory: an archive is read once for each role.
    """
    with TemporaryFile("w+", encoding="utf-8") as names:
        names.writelines(json.dumps([head.original is None, head.uri]) + "\n" for head in store.heads())
        for originals in (True, False):
            yield from _of_role(names, options, originals=originals)


def _of_role(names: IO[str], options: SourceOptions, *, originals: bool) -> Iterator[ImageRecord | Failure]:
    archives: dict[str, set[str]] = {}
    names.seek(0)
    for line in names:
        is_original, uri = json.loads(line)
        if is_original is not originals:
            continue
        archive = member_of(uri)
        if archive is None:
            yield _one(uri, options)
        else:
            archives.setdefault(archive, set()).add(uri)
    for archive, wanted in sorted(archives.items()):
        yield from _members(archive, wanted, options)


def _one(uri: str, options: SourceOptions) -> ImageRecord | Failure:
    found = next(iter(open_items([uri], options)), None)
    return found if found is not None and found.uri == uri else _gone(uri)


def _members(archive: str, wanted: set[str], options: SourceOptions) -> Iterator[ImageRecord | Failure]:
    trouble: Failure | None = None
    for offer in open_items([archive], options):
        if offer.uri in wanted:
            wanted.remove(offer.uri)
            yield offer
        elif isinstance(offer, Failure) and offer.uri == archive:
            trouble = offer
    for uri in sorted(wanted):
        yield replace(trouble, uri=uri) if trouble else _gone(uri)


def _gone(uri: str) -> Failure:
    return Failure(uri, "missing", "It is not there any more; bring it back, or go on with --without-missing.")


def absent(old: Store, index: Index) -> int:
    """
    Return how many entries of *old* the new collection lacks; from here on, nobody else may write to *old*.

    Raises:
        LockHeld: another process does; run again when it has ended.
        StoreError: the vector database failed.
    """
    old.claim()
    heads = old.heads()
    lacking = 0
    while uris := [head.uri for head in islice(heads, _LOOK_UP)]:
        lacking += len(set(uris)) - len(index.store.get(uris))
    return lacking


def give_name(made: Plan) -> None:
    """Let the collection's name stand for the new one, and keep the old one under another; raises as open_index."""
    switch(made.place.uri, made.place.collection, made.new.collection, made.keep_as, access=made.place.access)
