"""What no back end may be handed: Milvus Lite takes NaN and over-long text silently (both were measured)."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from indexer.errors import StoreError
from indexer.records import THUMBNAIL_MAX_BYTES, URI_MAX_BYTES, Entry, Look, Lookalike, Matrix, Settings

FORMAT_MAX_BYTES = 64
"""The longest name of a format that a collection can hold."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_INT64_END = 2**63


def is_digest(text: str) -> bool:
    """Return whether *text* is a sha256 as we store it, and so safe in a filter."""
    return _DIGEST.fullmatch(text) is not None


def check_entries(entries: Sequence[Entry], settings: Settings) -> None:
    """
    Raise StoreError, naming the entry, unless all *entries* can be stored as they are.

    Raises:
        StoreError: a descriptor is not float32 (dim,) or not finite, a text or thumbnail is too long, a
            thumbnail is missing where a second look needs it, a digest is not one.
    """
    for entry in entries:
        complaint = (
            _about_vector(entry, settings.dim)
            or _about_text(entry)
            or _about_numbers(entry)
            or _about_look(entry, settings)
        )
        if complaint:
            raise StoreError(f"{entry.uri[:200]}: {complaint}")


def _about_vector(entry: Entry, dim: int) -> str | None:
    vector = entry.descriptor
    if vector.dtype != np.float32 or vector.shape != (dim,):
        return (
            f"the descriptor is {vector.dtype} {vector.shape}, the collection holds float32 ({dim},);"
            " ingest with the encoder that the collection was made with"
        )
    if not np.isfinite(vector).all():
        return "the descriptor holds NaN or infinity; check the encoder's file"
    return None


def _about_text(entry: Entry) -> str | None:
    uris = (entry.uri, entry.original or "", entry.lookalike.uri if entry.lookalike else "")
    if max(len(uri.encode()) for uri in uris) > URI_MAX_BYTES:
        return f"the URI is longer than {URI_MAX_BYTES} bytes; shorten the path"
    if entry.original == "":
        return "the URI of its original is empty"
    if not is_digest(entry.sha256):
        return f"{entry.sha256!r} is not a sha256 in 64 lower-case hexadecimal digits"
    if len(entry.format.encode()) > FORMAT_MAX_BYTES:
        return f"the format's name is longer than {FORMAT_MAX_BYTES} bytes"
    return None


def _about_numbers(entry: Entry) -> str | None:
    numbers = (entry.size, entry.mtime_ns, entry.width, entry.height)
    if not all(_is_whole(number) for number in numbers):
        return f"size, time, width or height is no whole number of 64 bits: {numbers}"
    if entry.missing_since is not None and not (_is_whole(entry.missing_since) and entry.missing_since > 0):
        return f"{entry.missing_since} is not a time since which it is missing"
    if entry.distance is not None and not 0 <= entry.distance < np.inf:
        return f"{entry.distance} is not a distance"
    if not isinstance(entry.exact, bool):
        return f"it is {entry.exact} whether the bytes are the same, neither true nor false"
    return None


def _is_whole(number: object) -> bool:
    return isinstance(number, int) and -_INT64_END <= number < _INT64_END


def _about_look(entry: Entry, settings: Settings) -> str | None:
    if len(entry.thumbnail) > THUMBNAIL_MAX_BYTES:
        return f"its thumbnail has {len(entry.thumbnail)} bytes, a collection holds {THUMBNAIL_MAX_BYTES}"
    if settings.second_look and not entry.thumbnail:
        return "it has no thumbnail, and copies are confirmed by them in this collection; ingest it again"
    told = (*_numbers_of(entry.look), *_numbers_of(entry.lookalike))
    if not np.isfinite(told).all():
        return f"its second look tells {told}, not numbers"
    return None


def _numbers_of(told: Look | Lookalike | None) -> tuple[float, ...]:
    if isinstance(told, Look):
        return (told.score, told.scale, *told.shift, told.changed)
    return (told.distance, told.score, told.changed) if told else ()


def check_queries(queries: Matrix, dim: int) -> None:
    """
    Raise StoreError unless *queries* is float32 (N, dim) and finite.

    Raises:
        StoreError: as said.
    """
    if queries.dtype != np.float32 or queries.ndim != 2 or queries.shape[1] != dim:
        raise StoreError(f"queries are {queries.dtype} {queries.shape}, the collection holds float32 (N, {dim})")
    if not np.isfinite(queries).all():
        raise StoreError("a query descriptor holds NaN or infinity; check the encoder's file")
