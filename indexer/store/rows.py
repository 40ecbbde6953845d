"""
The collection's shape: its schema, and how an Entry becomes a row and back.

Each role has its own partition and its own primary keys (a letter before the entry's id), so that the two
rows which a crash may leave of one URI are two rows on every back end.  With one key for both, Milvus Lite
would delete both when asked to delete one, and an upsert into one partition would hide the other's row or
not, depending on what was flushed (measured on 3.2.2; a 2.3.5 server keeps them apart).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from indexer.records import THUMBNAIL_MAX_BYTES, URI_MAX_BYTES, Entry, Head, Look, Lookalike, entry_id
from indexer.store.check import FORMAT_MAX_BYTES
from indexer.store.door import library

ORIGINALS = "originals"
COPIES = "copies"

FIELDS = [
    "uri",
    "sha256",
    "size",
    "mtime_ns",
    "width",
    "height",
    "format",
    "original",
    "distance",
    "exact",
    "look",
    "lookalike",
    "missing_since",
    "descriptor",
]
"""What an Entry is read from, but for its thumbnail."""

WHOLE = [*FIELDS, "thumbnail"]
"""What an Entry that may be written again, or looked at, is read from."""

HEAD = ["uri", "sha256", "original", "missing_since"]
"""What a Head is read from."""

NEAR = ["uri", "descriptor", "thumbnail"]
"""What a Match is read from."""

_NO_DISTANCE = -1.0
_PRESENT = 0

MISSING = f"missing_since > {_PRESENT}"
"""Which rows are marked as missing."""

_LOOK_MAX_BYTES = 256
_IN_BASE64 = 4 * -(-THUMBNAIL_MAX_BYTES // 3)


def partition_of(*, original: bool) -> str:
    """Return the partition of a role."""
    return ORIGINALS if original else COPIES


def row_id(uri: str, *, original: bool) -> str:
    """Return the primary key of *uri* in a role: `o` or `c`, then the entry's id; safe in a filter."""
    return ("o" if original else "c") + entry_id(uri)


def columns(dim: int) -> list[dict[str, Any]]:
    """Return the fields of a collection of descriptors of length *dim*: each its name, its type by name, options."""
    texts = {
        **dict.fromkeys(("uri", "original", "lookalike"), URI_MAX_BYTES),
        "sha256": 64,
        "format": FORMAT_MAX_BYTES,
        "original_id": 32,
    }
    return [
        {"name": "id", "dtype": "VARCHAR", "is_primary": True, "max_length": 33},
        *({"name": name, "dtype": "VARCHAR", "max_length": length} for name, length in texts.items()),
        *({"name": name, "dtype": "INT64"} for name in ("size", "mtime_ns", "width", "height", "missing_since")),
        {"name": "look", "dtype": "VARCHAR", "max_length": _LOOK_MAX_BYTES},
        {"name": "thumbnail", "dtype": "VARCHAR", "max_length": _IN_BASE64},
        {"name": "distance", "dtype": "DOUBLE"},
        {"name": "exact", "dtype": "BOOL"},
        {"name": "descriptor", "dtype": "FLOAT_VECTOR", "dim": dim},
    ]


def schema(dim: int, stamp: str) -> Any:  # noqa: ANN401 - pymilvus has no types
    """Return pymilvus's schema of a collection of descriptors of length *dim*."""
    types = library().DataType
    made = library().MilvusClient.create_schema(auto_id=False, enable_dynamic_field=True, description=stamp)
    for column in columns(dim):
        mapped = {"mmap_enabled": True} if column["name"] == "thumbnail" else {}
        options = {key: value for key, value in column.items() if key not in ("name", "dtype")}
        made.add_field(column["name"], types[column["dtype"]], **options, **mapped)
    return made


def to_row(entry: Entry) -> dict[str, Any]:
    """Return *entry* as Milvus takes it."""
    return {
        "id": row_id(entry.uri, original=entry.is_original),
        "uri": entry.uri,
        "sha256": entry.sha256,
        "size": entry.size,
        "mtime_ns": entry.mtime_ns,
        "width": entry.width,
        "height": entry.height,
        "format": entry.format,
        "original": entry.original or "",
        "original_id": "" if entry.original is None else entry_id(entry.original),
        "distance": _NO_DISTANCE if entry.distance is None else entry.distance,
        "exact": entry.exact,
        "look": _told(entry),
        "lookalike": entry.lookalike.uri if entry.lookalike else "",
        "missing_since": entry.missing_since or _PRESENT,
        "descriptor": entry.descriptor,
        "thumbnail": base64.b64encode(entry.thumbnail).decode(),
    }


def _told(entry: Entry) -> str:
    """Return what a second look told: of a copy, what confirmed it; of an original, what refuted its lookalike."""
    told: list[float] = []
    if entry.look:
        told = [entry.look.score, entry.look.scale, *entry.look.shift, entry.look.mirrored, entry.look.changed]
    elif entry.lookalike:
        told = [entry.lookalike.distance, entry.lookalike.score, entry.lookalike.changed]
    return json.dumps(told) if told else ""


def to_entry(row: Mapping[str, Any]) -> Entry:
    """Return the entry that *row*, read with FIELDS or WHOLE, stands for."""
    told = json.loads(row["look"] or "[]")
    return Entry(
        uri=row["uri"],
        sha256=row["sha256"],
        size=int(row["size"]),
        mtime_ns=int(row["mtime_ns"]),
        width=int(row["width"]),
        height=int(row["height"]),
        format=row["format"],
        original=row["original"] or None,
        distance=None if row["distance"] == _NO_DISTANCE else float(row["distance"]),
        exact=bool(row["exact"]),
        descriptor=np.asarray(row["descriptor"], dtype=np.float32),
        thumbnail=thumbnail_of(row),
        look=_look(told) if told and row["original"] else None,
        lookalike=Lookalike(row["lookalike"], *told) if row["lookalike"] else None,
        missing_since=int(row["missing_since"]) or None,
    )


def to_head(row: Mapping[str, Any]) -> Head:
    """Return the head of *row*, read with HEAD."""
    return Head(row["uri"], row["sha256"], row["original"] or None, int(row["missing_since"]) or None)


def _look(told: list[Any]) -> Look:
    """Return the look of the numbers that _told gives; rows of earlier versions lack the last one."""
    score, scale, across, down, *rest = told
    return Look(score, scale, (across, down), *rest)


def thumbnail_of(row: Mapping[str, Any]) -> bytes:
    """Return the thumbnail in *row*; none where it was not read."""
    return base64.b64decode(row.get("thumbnail", ""))
