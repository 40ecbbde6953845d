"""
Shards: files of descriptors in the order of the sources, which `twinlens encode` writes and `twinlens import` judges.

An image that was rejected has a row too, with its reason, so that it is named again where the others are judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from indexer.errors import ConfigError
from indexer.exchange.columns import FACTS, REJECTION, THUMBNAIL, to_metadata, told_settings
from indexer.exchange.parquet import ParquetFile, Row, Shape, open_file, write
from indexer.records import UNKNOWN, Failure, ImageRecord, Settings, Vector

_NAME = re.compile(r"part-(\d{6})\.parquet")
_OF_CONTENT = frozenset({"empty", "not-an-image", "truncated", "corrupt"})
"""Rejections that the same bytes meet again; after others, such as for a limit, a file is tried again."""

_COLUMNS = (*FACTS, *REJECTION)
_NAMES = [column.name for column in _COLUMNS]


@dataclass(frozen=True, slots=True)
class Encoded:
    """
    One row of a shard: what is known of an image before it is judged, or why nothing is.

    The fields are Entry's; *kind* and *reason* are a Failure's. Either those are None, or the others but URI, size and
    time.
    """

    uri: str
    size: int
    mtime_ns: int
    sha256: str | None = None
    width: int | None = None
    height: int | None = None
    format: str | None = None
    descriptor: Vector | None = field(default=None, repr=False, compare=False)
    thumbnail: bytes = field(default=b"", repr=False, compare=False)
    kind: str | None = None
    reason: str | None = None


def path_of(folder: Path, number: int) -> Path:
    """Return the path of a shard."""
    return folder / f"part-{number:06}.parquet"


def open_shard(path: Path, settings: Settings) -> ParquetFile | None:
    """
    Return the finished shard at *path*; None when there is none.

    Raises:
        ConfigError: it was made with other settings.
        SourceError: it is damaged.
    """
    if not path.exists():
        return None
    file = open_file(path)
    told = told_settings(str(path), file.metadata)
    wanted = {name: getattr(settings, name) for name in ("fingerprint", "dim", "method")}
    if {name: told.get(name) for name in wanted} != wanted or (THUMBNAIL in file.columns) is not settings.second_look:
        raise ConfigError(f"{path} was made by another encoder, or with other thumbnails; name another --out")
    return file


def write_shard(path: Path, settings: Settings, images: Iterable[Encoded]) -> int:
    """Write a shard, and return how many rows it has; raises as `parquet.write` does."""
    return write(path, Shape(_COLUMNS, settings.dim, settings.second_look, to_metadata(settings)), images)


def rows_of(file: ParquetFile, *, pictures: bool = True) -> Iterator[Encoded]:
    """Yield the rows of a shard, with descriptors and thumbnails if asked."""
    return map(_encoded, file.read(_NAMES, pictures=pictures))


def _encoded(row: Row) -> Encoded:
    kind, reason = row.cells["rejected"], row.cells["reason"]
    facts = {column.name: row.cells[column.name] for column in FACTS}
    return Encoded(**facts, descriptor=row.descriptor, thumbnail=row.thumbnail, kind=kind, reason=reason)


def is_same(image: Encoded, offer: ImageRecord | Failure) -> bool:
    """Return whether *image* is what became of *offer*: by its name, size and time, or rejected for the same."""
    if image.uri != offer.uri:
        return False
    if isinstance(offer, Failure):
        return image.kind == offer.kind
    if image.kind is not None and image.kind not in _OF_CONTENT:
        return False
    return UNKNOWN != offer.mtime_ns == image.mtime_ns and offer.size in (UNKNOWN, image.size)


def left_over(folder: Path, count: int) -> list[str]:
    """Return the names of shards in *folder* beyond the first *count*."""
    found = ((_NAME.fullmatch(path.name), path.name) for path in folder.iterdir())
    return sorted(name for match, name in found if match and int(match[1]) >= count)


def held_by(folder: Path) -> tuple[int, int]:
    """Return how many shards *folder* holds, and how many images they have; raises SourceError for a damaged one."""
    rows = [open_file(folder / name).rows for name in left_over(folder, 0)]
    return len(rows), sum(rows)
