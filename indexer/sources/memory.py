"""Images that a Python program hands over as bytes."""

from __future__ import annotations

import hashlib
from functools import partial

from indexer.records import UNKNOWN, Failure, ImageRecord
from indexer.sources.naming import offered


def from_bytes(data: bytes) -> ImageRecord | Failure:
    """Return the record of an image without a name: its content names it, `sha256:<64 hexadecimal digits>`."""
    return named(f"sha256:{hashlib.sha256(data).hexdigest()}", data)


def named(uri: str, data: bytes) -> ImageRecord | Failure:
    """Return the record of an image that the caller names; the record keeps its bytes."""
    return offered(uri, len(data), UNKNOWN, partial(bytes, data), held=len(data))
