"""Whole collections: a store's entries go into a file, and a file's rows come back as the entries that they were."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path

from indexer.errors import ConfigError, SourceError
from indexer.exchange.columns import COLUMNS, DESCRIPTOR, LATER, THUMBNAIL, to_entry, to_metadata, told_settings
from indexer.exchange.parquet import ParquetFile, Shape, open_file, write
from indexer.records import Entry, Settings
from indexer.sources.naming import printable

_NAMES = [column.name for column in COLUMNS]
_ENDING = ".parquet"


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


def entries_in(files: Sequence[ParquetFile]) -> Iterator[Entry]:
    """
    Yield the entries of *files*, in their order.

    Raises:
        ConfigError: a row is not as twinlens export writes it.
        SourceError: a file is damaged.
    """
    for file in files:
        for row in file.read(_NAMES):
            missing = [name for name in ("uri", "sha256", "outcome", "exact", "size") if row.cells[name] is None]
            if missing or row.descriptor is None:
                what = ", ".join(missing or [DESCRIPTOR])
                raise ConfigError(f"{file.path}: row {row.number} has no {what}; export the collection again")
            yield to_entry(row.cells, row.descriptor, row.thumbnail)


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
        raise SourceError(f"{printable(str(place))} holds no file that ends in {_ENDING}; name another folder")
    return sorted(found, key=lambda path: path.name.encode(errors="surrogateescape"))
