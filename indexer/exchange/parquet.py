"""
The door to pyarrow: Parquet files are written row group by row group, aside until they are whole, and read in pages.

What is held in memory is one row group while writing, and one page while reading, however large the file is.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import pyarrow as pa  # noqa: TID251 - its door
import pyarrow.parquet as pq  # noqa: TID251 - its door

from indexer.errors import ConfigError, SourceError
from indexer.exchange.columns import DESCRIPTOR, THUMBNAIL, Column
from indexer.records import Vector
from indexer.targets import check_replaceable

ROW_GROUP = 4096
"""Rows of a row group: with thumbnails some 12 MB."""

PAGE = 1024
"""Rows that are read at a time."""

T = TypeVar("T")

_MAGIC = b"PAR1"
"""What every Parquet file begins with."""

_READING = {"buffer_size": 2**20, "page_checksum_verification": True}
_WRITING = {"compression": "zstd", "write_page_checksum": True}
_REPEATING = ["format", "outcome"]

Cells = dict[str, Any]


class Written(Protocol):
    """What becomes a row: it has what the columns take, and these two."""

    @property
    def descriptor(self) -> Vector | None:
        """As float32 (D,); None for an image that was rejected."""
        ...

    @property
    def thumbnail(self) -> bytes:
        """Empty where there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Shape:
    """
    What a file that is to be written looks like.

    Attributes:
        columns: those of simple values.
        dim: D, the length of a descriptor.
        thumbnails: whether there is a column for them.
        metadata: key-value metadata.

    """

    columns: Sequence[Column]
    dim: int
    thumbnails: bool
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """
    One row that was read.

    Attributes:
        number: its place in the file, from 0.
        cells: the simple values, by column.
        descriptor: float32 (D,), values beyond float32 infinite, null ones NaN; None where it is null.
        thumbnail: empty where there is none.

    """

    number: int
    cells: Cells
    descriptor: Vector | None
    thumbnail: bytes


@dataclass(frozen=True, slots=True)
class ParquetFile:
    """
    A Parquet file that can be read.

    Attributes:
        path: where it is.
        columns: the names of its columns.
        rows: how many it has.
        metadata: its key-value metadata, as text.

    """

    path: Path
    columns: frozenset[str]
    rows: int
    metadata: Mapping[str, str]

    def read(self, names: Sequence[str], *, pictures: bool = True) -> Iterator[Row]:
        """
        Yield the rows in their order: of the columns *names*, those that there are; descriptor and thumbnail if asked.

        Raises:
            SourceError: the file is damaged.
        """
        wanted = [name for name in (*names, *([DESCRIPTOR, THUMBNAIL] if pictures else [])) if name in self.columns]
        number = 0
        with _translated(self.path), self.path.open("rb") as source, pq.ParquetFile(source, **_READING) as file:
            for page in file.iter_batches(PAGE, columns=wanted):
                yield from _rows(page, number, names)
                number += page.num_rows


def open_file(path: Path) -> ParquetFile:
    """
    Read what the file at *path* is.

    Raises:
        SourceError: it cannot be read, or is no Parquet file.
    """
    with _translated(path), path.open("rb") as source, pq.ParquetFile(source) as file:  # pyarrow takes UTF-8 paths only
        told = file.schema_arrow.metadata or {}
        metadata = {key.decode(errors="replace"): value.decode(errors="replace") for key, value in told.items()}
        twice = [name for name, count in Counter(file.schema_arrow.names).items() if count > 1]
        if twice:
            raise SourceError(f"{path} has several columns {', '.join(twice)}; make it again with one of each name")
        return ParquetFile(path, frozenset(file.schema_arrow.names), file.metadata.num_rows, metadata)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise SourceError(f"there is no file {path}; check its name") from error
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise SourceError(f"{path} cannot be read ({error.strerror}); check its name and permissions") from error
        raise SourceError(f"{path} is no Parquet file, or is damaged ({_told(error)}); make it again") from error


def _told(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _rows(page: Any, first: int, names: Sequence[str]) -> Iterator[Row]:  # noqa: ANN401 - pyarrow has no types
    there = [name for name in names if name in page.schema.names]
    cells = page.select(there).to_pylist()
    thumbnails = _column(page, THUMBNAIL)
    for number, (values, vector, small) in enumerate(zip(cells, _vectors(page), thumbnails, strict=True)):
        data = small.encode() if isinstance(small, str) else small or b""
        yield Row(first + number, values, vector, data)


def _column(page: Any, name: str) -> list[Any]:  # noqa: ANN401 - as above
    return page.column(name).to_pylist() if name in page.schema.names else [None] * page.num_rows


def _vectors(page: Any) -> Iterator[Vector | None]:  # noqa: ANN401 - as above
    """Yield the descriptors; lists of fixed size or not, of any kind of number."""
    if DESCRIPTOR not in page.schema.names:
        yield from [None] * page.num_rows
        return
    column = page.column(DESCRIPTOR)
    if not pa.types.is_fixed_size_list(column.type) and not pa.types.is_list(column.type):
        yield from (_as_vector(value) for value in column.to_pylist())
        return
    for value in column:
        yield _as_vector(value.values.to_numpy(zero_copy_only=False)) if value.is_valid else None


def _as_vector(values: Any) -> Vector | None:  # noqa: ANN401 - as above
    """Return *values* as float32 (D,), or None where they are no list of numbers."""
    try:
        with np.errstate(over="ignore"):
            vector = np.array(values, dtype=np.float32)
    except (TypeError, ValueError):
        return None
    return vector if vector.ndim == 1 else None


def write(path: Path, shape: Shape, images: Iterable[Written]) -> int:
    """
    Write *images* to *path*, which gets its name when the file is whole; return how many they are.

    Raises:
        ConfigError: the file cannot be made there, or another one is there that is no Parquet file.
        SourceError: it cannot be written to its end.
    """
    with _written(path, shape) as add:
        return sum(add(group) for group in _in_groups(images, ROW_GROUP))


def _in_groups(images: Iterable[T], size: int) -> Iterator[list[T]]:
    source = iter(images)
    while group := list(islice(source, size)):
        yield group


@contextmanager
def _written(path: Path, shape: Shape) -> Iterator[Callable[[Sequence[Written]], int]]:
    """Yield what adds a row group to the file and returns its length; an unfinished file is deleted."""
    if not path.name:
        raise ConfigError(f"cannot write {path}: it is a folder; name a file")
    partial = path.with_name(path.name + ".partial")
    for target in (path, partial):
        check_replaceable(target, begins=_MAGIC, kind="Parquet file")
    schema = _schema(shape)
    repeating = [name for name in _REPEATING if name in schema.names]
    try:
        file = partial.open("wb")
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}; name another file") from error
    try:
        with file, pq.ParquetWriter(file, schema, use_dictionary=repeating, **_WRITING) as writer:

            def add(images: Sequence[Written]) -> int:
                writer.write_table(_table(images, shape, schema))
                return len(images)

            yield add
        _sync(partial)
        partial.replace(path)
    except OSError as error:
        raise SourceError(f"cannot write {path}: {error.strerror or error}; nothing of it was kept") from error
    finally:
        partial.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _schema(shape: Shape) -> Any:  # noqa: ANN401 - pyarrow has no types
    fields = [pa.field(column.name, pa.type_for_alias(column.kind)) for column in shape.columns]
    fields.append(pa.field(DESCRIPTOR, pa.list_(pa.float32(), shape.dim)))
    if shape.thumbnails:
        fields.append(pa.field(THUMBNAIL, pa.binary()))
    return pa.schema(fields, metadata=dict(shape.metadata))


def _table(images: Sequence[Written], shape: Shape, schema: Any) -> Any:  # noqa: ANN401 - pyarrow has no types
    arrays = [
        pa.array([column.get(image) for image in images], schema.field(column.name).type) for column in shape.columns
    ]
    arrays.append(_vector_array(images, shape.dim))
    if shape.thumbnails:
        arrays.append(pa.array([image.thumbnail for image in images], pa.binary()))
    return pa.Table.from_arrays(arrays, schema=schema)


def _vector_array(images: Sequence[Written], dim: int) -> Any:  # noqa: ANN401 - pyarrow has no types
    rows = np.zeros((len(images), dim), np.float32)
    for row, image in zip(rows, images, strict=True):
        if image.descriptor is not None:
            row[:] = image.descriptor
    absent = pa.array([image.descriptor is None for image in images], pa.bool_())
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), dim, mask=absent)
