"""
The collection's shape: its schema, its stamp, and how an Entry becomes a row and back.

Each role has its own partition and its own primary keys (a letter before the entry's id), so that the two
rows which a crash may leave of one URI are two rows on every back end.  With one key for both, Milvus Lite
would delete both when asked to delete one, and an upsert into one partition would hide the other's row or
not, depending on what was flushed (measured on 3.2.2; a 2.3.5 server keeps them apart).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from indexer.records import URI_MAX_BYTES, Entry, Settings, entry_id
from indexer.store.check import FORMAT_MAX_BYTES
from indexer.store.door import library

ORIGINALS = "originals"
COPIES = "copies"

SCHEMA_VERSION = 1
STAMP = "twinlens"
"""The collection's property that holds the settings."""

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
    "descriptor",
]
"""What an Entry is read from."""

_NO_DISTANCE = -1.0


def partition_of(*, original: bool) -> str:
    """Return the partition of a role."""
    return ORIGINALS if original else COPIES


def row_id(uri: str, *, original: bool) -> str:
    """Return the primary key of *uri* in a role: `o` or `c`, then the entry's id; safe in a filter."""
    return ("o" if original else "c") + entry_id(uri)


def schema(dim: int, stamp: str) -> Any:  # noqa: ANN401 - pymilvus has no types
    """Return pymilvus's schema of a collection of descriptors of length *dim*."""
    types = library().DataType
    made = library().MilvusClient.create_schema(auto_id=False, enable_dynamic_field=True, description=stamp)
    made.add_field("id", types.VARCHAR, is_primary=True, max_length=33)
    for name in ("uri", "original"):
        made.add_field(name, types.VARCHAR, max_length=URI_MAX_BYTES)
    made.add_field("sha256", types.VARCHAR, max_length=64)
    made.add_field("format", types.VARCHAR, max_length=FORMAT_MAX_BYTES)
    made.add_field("original_id", types.VARCHAR, max_length=32)
    for name in ("size", "mtime_ns", "width", "height"):
        made.add_field(name, types.INT64)
    made.add_field("distance", types.DOUBLE)
    made.add_field("exact", types.BOOL)
    made.add_field("descriptor", types.FLOAT_VECTOR, dim=dim)
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
        "descriptor": entry.descriptor,
    }


def to_entry(row: Mapping[str, Any]) -> Entry:
    """Return the entry that *row*, read with FIELDS, stands for."""
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
    )


def to_stamp(settings: Settings) -> str:
    """Return the text that is stamped on a collection."""
    fields = {"fingerprint": settings.fingerprint, "dim": settings.dim, "radius": settings.radius}
    return json.dumps({"twinlens": SCHEMA_VERSION} | fields)


def from_stamp(description: Mapping[str, Any]) -> Settings | None:
    """
    Return the settings in what Milvus tells of a collection; None when it is not one of ours.

    They are a property and the description, since Lite keeps only the first, and other tools show the second.
    """
    text = (description.get("properties") or {}).get(STAMP) or description.get("description") or ""
    try:
        stamp = json.loads(text)
        if stamp["twinlens"] != SCHEMA_VERSION:
            return None
        return Settings(str(stamp["fingerprint"]), int(stamp["dim"]), float(stamp["radius"]))
    except (ValueError, TypeError, KeyError):
        return None
