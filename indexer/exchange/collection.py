"""Whole collections: a store's entries go into a file, and a file's rows come back as the entries that they were."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.confirm import is_thumbnail
from indexer.errors import ConfigError, SourceError, StoreError
from indexer.exchange.columns import (
    COLUMNS,
    DESCRIPTOR,
    FACTS,
    LATER,
    THUMBNAIL,
    cell,
    to_entry,
    to_metadata,
    told_settings,
)
from indexer.exchange.parquet import ParquetFile, Shape, open_file, write
from indexer.records import Entry, Outcome, Settings
from indexer.sources.naming import as_utf8, number_of
from indexer.store.check import check_entries

_NAMES = [column.name for column in COLUMNS]
_ENDING = ".parquet"
_OUTCOMES = (Outcome.UNIQUE.value, Outcome.COPY.value)
_NEEDED = (*(column.name for column in FACTS), "outcome", "exact")
_OF_COPIES = ("original", "distance")
_LOOK = ("score", "scale", "shift_x", "shift_y", "mirrored")
_LOOKALIKE = ("lookalike", "lookalike_distance", "lookalike_score")


def write_collection(path: Path, settings: Settings, entries: Iterator[Entry], *, thumbnails: bool) -> int:
    """Write *entries* to the file *path*, and return how many; raises as `parquet.write` does."""
    return write(path, Shape(COLUMNS, settings.dim, thumbnails, to_metadata(settings)), entries)


def is_collection(file: ParquetFile) -> bool:
    """Return whether *file* holds verdicts, so that it can go back as it is."""
    return "outcome" in file.columns


def settings_in(file: ParquetFile) -> Settings:
    """
    Return the settings of the collection that *file* was.

    Raises:
        ConfigError: it lacks some, or columns.
    """
    told = told_settings(str(file.path), file.metadata)
    needed = {field.name for field in fields(Settings)} - LATER
    lacking = [f"twinlens.{name}" for name in sorted(needed - told.keys())]
    lacking += [name for name in (*_NAMES, DESCRIPTOR) if name not in file.columns | LATER]
    if lacking:
        raise ConfigError(f"{file.path} lacks {', '.join(lacking)}, which twinlens export writes; export it again")
    settings = Settings(**told)
    if settings.second_look and THUMBNAIL not in file.columns:
        raise ConfigError(
            f"{file.path} was exported without thumbnails, and its collection confirms copies by them;"
            " export it again without --no-thumbnails"
        )
    return settings


def check_entries_in(files: Sequence[ParquetFile], settings: Settings) -> None:
    """
    Let pass only *files* that together are a whole collection of these *settings*, which may be written as it is.

    Raises:
        ConfigError: a row cannot be an entry of it, comes twice, or names an original that no file holds.
        SourceError: a file is damaged.
    """
    rows, originals, named = array("Q"), array("Q"), array("Q")
    for place, entry in _read(files):
        complaint = "its thumbnail is none" if entry.thumbnail and not is_thumbnail(entry.thumbnail) else None
        try:
            check_entries([entry], settings)
        except StoreError as error:
            complaint = str(error)
        if complaint:
            raise _amiss(place, complaint)
        rows.append(_row_number(entry))
        (originals if entry.is_original else named).append(number_of(entry.original or entry.uri))
    _refuse_repeated(files, np.asarray(rows))
    _refuse_orphans(files, np.setdiff1d(np.asarray(named), np.asarray(originals)))


def _row_number(entry: Entry) -> int:
    """Return what stands for a row: its URI in its role, since a crash may leave one of each, until the next ingest."""
    return number_of(f"{'original' if entry.is_original else 'copy'} {entry.uri}")


def _refuse_repeated(files: Sequence[ParquetFile], rows: npt.NDArray[np.uint64]) -> None:
    numbers, counts = np.unique(rows, return_counts=True)
    repeated = set(numbers[counts > 1].tolist())
    for place, entry in _read(files) if repeated else ():
        if _row_number(entry) in repeated:
            raise ConfigError(
                f"{place} holds {entry.uri[:200]}, which comes once more; import one export at a time,"
                " or judge the images of all with --judge"
            )


def _refuse_orphans(files: Sequence[ParquetFile], lacking: npt.NDArray[np.uint64]) -> None:
    absent = set(lacking.tolist())
    for place, entry in _read(files) if absent else ():
        if entry.original and number_of(entry.original) in absent:
            raise ConfigError(
                f"{place} is a copy of {entry.original[:200]}, which is no original there; import all files of the"
                " export, or judge the images with --judge"
            )


def entries_in(files: Sequence[ParquetFile]) -> Iterator[Entry]:
    """
    Yield the entries of *files*, in their order.

    Raises:
        ConfigError: a row is not as twinlens export writes it.
        SourceError: a file is damaged.
    """
    return (entry for _, entry in _read(files))


def _read(files: Sequence[ParquetFile]) -> Iterator[tuple[str, Entry]]:
    """Yield each row's place, for messages, and the entry that it is."""
    for file in files:
        for row in file.read(_NAMES):
            place = f"{file.path}: row {row.number}"
            try:
                cells = {column.name: cell(column, row.cells.get(column.name)) for column in COLUMNS}
            except ValueError as error:
                raise _amiss(place, f"it has {error}") from error
            complaint = _about(cells) or ("it has no descriptor" if row.descriptor is None else None)
            if complaint or row.descriptor is None:
                raise _amiss(place, complaint or "")
            yield place, to_entry(cells, row.descriptor, row.thumbnail)


def _amiss(place: str, complaint: str) -> ConfigError:
    return ConfigError(f"{place} is not as twinlens export writes it: {complaint}; export the collection again")


def _about(cells: Mapping[str, Any]) -> str | None:
    """Return what is amiss with the simple values of a row."""
    needed = [*_NEEDED, *(_OF_COPIES if cells["outcome"] == Outcome.COPY.value else ())]
    needed += [name for told in (_LOOK, _LOOKALIKE) for name in told if cells[told[0]] is not None]
    lacking = [name for name in needed if cells[name] in (None, "")]
    if lacking:
        return f"it has no {', '.join(lacking)}"
    if cells["outcome"] not in _OUTCOMES:
        return f"its outcome is {cells['outcome']!r:.80}"
    if cells["outcome"] == Outcome.UNIQUE.value and cells["original"] is not None:
        return "it is unique, and has an original"
    if cells["original"] == cells["uri"]:
        return "it is its own original"
    return None


def files_of(places: Sequence[Path]) -> list[ParquetFile]:
    """
    Return the Parquet files at *places*, of a folder those directly in it, by the order of their names' bytes.

    Raises:
        SourceError: one cannot be read, or there is none in a folder.
    """
    return [open_file(path) for place in places for path in _paths(place)]


def _paths(place: Path) -> list[Path]:
    if not place.is_dir():
        return [place]
    found = [path for path in place.iterdir() if path.suffix == _ENDING and path.name[0] not in "._"]
    if not found:
        raise SourceError(f"{as_utf8(str(place))} holds no file that ends in {_ENDING}; name another folder")
    return sorted(found, key=lambda path: path.name.encode(errors="surrogateescape"))
