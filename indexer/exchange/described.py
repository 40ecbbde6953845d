"""Descriptors that were made elsewhere: each row of a file becomes a record that needs no reading, or is rejected."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from indexer.confirm import is_thumbnail
from indexer.errors import ConfigError, ImageError
from indexer.exchange.columns import DESCRIPTOR, FACTS, REJECTION, THUMBNAIL, told_settings, whole_again
from indexer.exchange.parquet import ParquetFile, Row
from indexer.records import THUMBNAIL_MAX_BYTES, UNKNOWN, Described, Failure, ImageRecord, Picture, Settings
from indexer.sources.naming import as_utf8, offered
from indexer.store.check import FORMAT_MAX_BYTES, is_digest

_NAMES = [column.name for column in FACTS]
_INT64_MAX = 2**63 - 1


def check_file(file: ParquetFile, settings: Settings) -> None:
    """
    Let pass only descriptors that belong into a collection of these *settings* (law 7).

    Raises:
        ConfigError: they are another encoder's, or the file lacks something.
    """
    needed = [*_NAMES, DESCRIPTOR, *([THUMBNAIL] if settings.second_look else [])]
    lacking = [name for name in needed if name not in file.columns]
    if lacking:
        raise ConfigError(f"{file.path} lacks the columns {', '.join(lacking)}; docs/exchange.md lists those it needs")
    told = told_settings(str(file.path), file.metadata)
    wanted = ["fingerprint", "dim", *(["method"] if settings.second_look else [])]
    for name in wanted:
        if name not in told:
            raise ConfigError(f"{file.path} has no metadata twinlens.{name}; docs/exchange.md tells how to write it")
        if told[name] != getattr(settings, name):
            raise ConfigError(
                f"{file.path} holds what was made with the {name} {told[name]}, the collection with"
                f" {getattr(settings, name)}; make the file anew, or import it into another --collection"
            )


def records(files: Sequence[ParquetFile], settings: Settings) -> Iterator[ImageRecord | Failure]:
    """
    Yield the rows of *files*, in their order, as what a source offers.

    Raises:
        SourceError: a file is damaged.
    """
    for file in files:
        for row in file.read([*_NAMES, *(column.name for column in REJECTION)]):
            yield _offered(row, f"{file.path}#{row.number}", settings)


def _offered(row: Row, place: str, settings: Settings) -> ImageRecord | Failure:
    uri = row.cells["uri"]
    if not isinstance(uri, str) or not uri:
        return Failure(as_utf8(place), "bad-name", "The row names no image; give it a uri.")
    if row.cells.get("rejected"):
        return Failure(as_utf8(uri), str(row.cells["rejected"]), str(row.cells.get("reason") or ""))
    try:
        described = Described(_digest(row.cells), _picture(row, settings))
        size = _whole(row.cells, "size", 0)
        time = row.cells["mtime_ns"]
        mtime_ns = UNKNOWN if time is None else _whole(row.cells, "mtime_ns", -_INT64_MAX)
    except ImageError as error:
        return Failure(as_utf8(uri), error.kind, f"{error} It is the row {place}.")
    held = described.picture.descriptor.nbytes + len(described.picture.thumbnail)
    record = offered(uri, size, mtime_ns, _never_read, held)
    return record if isinstance(record, Failure) else replace(record, described=described)


def _never_read() -> bytes:
    raise AssertionError("an image that was described elsewhere is not read")


def _digest(cells: dict[str, Any]) -> str:
    digest = cells["sha256"]
    if not isinstance(digest, str) or not is_digest(digest):
        raise ImageError("no-digest", "Its sha256 is not 64 lower-case hexadecimal digits; compute it from the file.")
    return digest


def _picture(row: Row, settings: Settings) -> Picture:
    vector, name = row.descriptor, row.cells["format"]
    if vector is None or vector.shape != (settings.dim,):
        length = "none" if vector is None else f"of length {len(vector)}"
        raise ImageError("wrong-dimension", f"Its descriptor is {length}, not of {settings.dim}; encode it again.")
    if not np.isfinite(vector).all():
        raise ImageError("not-finite", "Its descriptor holds NaN or infinity; encode it again.")
    if not isinstance(name, str) or not 0 < len(name.encode(errors="replace")) <= FORMAT_MAX_BYTES:
        raise ImageError("bad-value", f"Its format is not a name of at most {FORMAT_MAX_BYTES} bytes; mend the row.")
    width, height = _whole(row.cells, "width", 1), _whole(row.cells, "height", 1)
    return Picture(width, height, name, vector, _thumbnail(row.thumbnail) if settings.second_look else b"")


def _thumbnail(data: bytes) -> bytes:
    if not data or len(data) > THUMBNAIL_MAX_BYTES or not is_thumbnail(data):
        raise ImageError("bad-thumbnail", "Its thumbnail is none that copies are confirmed by; make it again.")
    return data


def _whole(cells: dict[str, Any], name: str, least: int) -> int:
    number = whole_again(cells[name])
    if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= _INT64_MAX:
        raise ImageError(
            "bad-value", f"Its {name} is {number!r:.40}, not a whole number from {least} on; mend the row."
        )
    return number
