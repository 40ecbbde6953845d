"""What no back end may be handed: Milvus Lite takes NaN and over-long text silently (both were measured)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from indexer.errors import StoreError
from indexer.records import URI_MAX_BYTES, Entry, Matrix


def check_entries(entries: Sequence[Entry], dim: int) -> None:
    """
    Raise StoreError, naming the entry, unless all *entries* can be stored as they are.

    Raises:
        StoreError: a descriptor is not float32 (dim,) or not finite, or a text is too long.
    """
    for entry in entries:
        vector = entry.descriptor
        if vector.dtype != np.float32 or vector.shape != (dim,):
            raise StoreError(
                f"{entry.uri}: the descriptor is {vector.dtype} {vector.shape}, the collection holds float32"
                f" ({dim},); ingest with the encoder that the collection was made with"
            )
        if not np.isfinite(vector).all():
            raise StoreError(f"{entry.uri}: the descriptor holds NaN or infinity; check the encoder's file")
        if len(entry.uri.encode()) > URI_MAX_BYTES or len((entry.original or "").encode()) > URI_MAX_BYTES:
            raise StoreError(
                f"{entry.uri[:80]}…: the URI is longer than {URI_MAX_BYTES} bytes; shorten the path"
            )


def check_queries(queries: Matrix, dim: int) -> None:
    """
    Raise StoreError unless *queries* is float32 (N, dim) and finite.

    Raises:
        StoreError: as said.
    """
    if queries.dtype != np.float32 or queries.ndim != 2 or queries.shape[1] != dim:
        raise StoreError(
            f"queries are {queries.dtype} {queries.shape}, the collection holds float32 (N, {dim})"
        )
    if not np.isfinite(queries).all():
        raise StoreError("a query descriptor holds NaN or infinity; check the encoder's file")
