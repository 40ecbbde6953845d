"""Parquet files of descriptors, written with pyarrow alone as somebody else would."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from indexer.records import Entry, Settings

TYPES = {
    "uri": pa.string(),
    "sha256": pa.string(),
    "size": pa.int64(),
    "mtime_ns": pa.int64(),
    "width": pa.int32(),
    "height": pa.int32(),
    "format": pa.string(),
    "descriptor": pa.list_(pa.float32()),
    "thumbnail": pa.binary(),
}


def write(path: Path, rows: Sequence[dict[str, Any]], settings: Settings, **metadata: str) -> Path:
    """Write *rows* with the columns and the metadata that docs/exchange.md asks for; *metadata* overrides those."""
    told = {"fingerprint": settings.fingerprint, "dim": str(settings.dim), "method": settings.method} | metadata
    keys = {f"twinlens.{name}": text for name, text in told.items()}
    pq.write_table(pa.Table.from_pylist(list(rows), pa.schema(TYPES.items(), metadata=keys)), path)
    return path


def row(entry: Entry, **changed: object) -> dict[str, Any]:
    """Return what an encoder elsewhere would have told of the image of *entry*."""
    return {name: getattr(entry, name) for name in TYPES} | {"descriptor": entry.descriptor.tolist()} | changed
