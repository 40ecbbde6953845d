"""Collections as Parquet files: export writes one, import brings one back, or judges descriptors made elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from indexer.errors import ConfigError
from indexer.exchange import described
from indexer.exchange.collection import check_entries_in, entries_in, is_collection, settings_in, write_collection
from indexer.exchange.parquet import ParquetFile
from indexer.jobs.copying import copy_whole
from indexer.jobs.index import Index, Tuning, Where
from indexer.jobs.run import Run
from indexer.records import Entry, Settings, Verdict
from indexer.sources import SourceStats
from indexer.stages import Stopwatch
from indexer.store.base import Store
from indexer.store.door import shown
from indexer.store.milvus import open_store
from indexer.summary import Tally
from indexer.verdict import verdict_on

Watch = Callable[[Iterator[Entry]], Iterator[Entry]]
"""Shows how far a job is, while the entries pass."""


def export(store: Store, path: Path, watch: Watch, *, thumbnails: bool = True) -> int:
    """
    Write all entries of *store* to the Parquet file *path*, and return how many they are.

    The file gets its name when it is whole; one that is there is replaced then. A page of entries is in memory.

    Raises:
        ConfigError: the file cannot be made.
        SourceError: it cannot be written to its end.
        StoreError: the vector database failed.
    """
    return write_collection(path, store.settings, watch(store.entries()), thumbnails=thumbnails)


def are_collections(files: Sequence[ParquetFile]) -> bool:
    """
    Return whether *files* hold whole collections, rather than descriptors to be judged.

    Raises:
        ConfigError: some do and some do not.
    """
    kinds = {is_collection(file): file.path for file in files}
    if len(kinds) > 1:
        raise ConfigError(
            f"{kinds[True]} holds a collection with its verdicts, {kinds[False]} only descriptors;"
            " import them one after another, or judge all with --judge"
        )
    return True in kinds


def open_for(files: Sequence[ParquetFile], where: Where) -> Store:
    """
    Open the collection that *files*, exported ones, go back into, and make it when it is absent.

    Raises:
        ConfigError: the files are of several collections, or are no whole one, or it has other settings than they.
        SourceError: a file is damaged.
        LockHeld: another process uses the Milvus Lite file.
        StoreError: the server cannot be reached, or refuses.
    """
    wanted = settings_in(files[0])
    for file in files[1:]:
        _refuse_other(settings_in(file), wanted, str(file.path), str(files[0].path))
    check_entries_in(files, wanted)
    own = ("radius", "second_look", "max_changed")  # what a collection that is there has of these is told below
    store = open_store(where.uri, where.collection, wanted, access=where.access, own=own)
    try:
        _refuse_other(store.settings, wanted, f"the collection {where.collection}", str(files[0].path))
    except ConfigError:
        store.close()
        raise
    return store


def _refuse_other(found: Settings, wanted: Settings, here: str, there: str) -> None:
    if found.strict != wanted.strict:
        is_, is_there = ("is", "is not") if found.strict else ("is not", "is")
        raise ConfigError(
            f"{here} {is_} strict, {there} {is_there}; name another --collection, or judge the images anew with --judge"
        )
    theirs = asdict(wanted)
    for name, value in asdict(found).items():
        if value != theirs[name]:
            raise ConfigError(
                f"{here} has the {name} {value}, {there} has {theirs[name]}; name another --collection, or judge the"
                " images anew with --judge"
            )


def restore(files: Sequence[ParquetFile], store: Store, where: Where) -> Run:
    """
    Bring exported entries back as they are; iterate over the result to do the work. What is there is `unchanged`.

    Raises:
        ConfigError: the collection holds something else; nothing was written. Import with --judge.
        StoreError: the vector database failed, or an entry cannot be stored; import again to go on.
    """
    tally = Tally()

    def verdicts() -> Iterator[Verdict]:
        copied = copy_whole(lambda: entries_in(files), store, where.collection, lambda: tally.stopped)
        yield from (verdict_on(entry, unchanged=not written) for entry, written in copied)

    place = {"uri": shown(where.uri), "collection": where.collection}
    return Run(verdicts(), Stopwatch(), SourceStats(), place | asdict(store.settings), tally)


def judge(files: Sequence[ParquetFile], index: Index, tuning: Tuning) -> Run:
    """
    Judge the rows of *files* in their order, as ingest judges images; iterate over the result to do the work.

    Raises:
        ConfigError: their descriptors or thumbnails were not made as the collection's (law 7), or columns are missing.
    """
    for file in files:
        described.check_file(file, index.store.settings)
    return index.judge(described.records(files, index.store.settings), tuning)
