"""A glance at a source: how much it offers, and what of that a run could not read; no image is read for it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from indexer.records import Failure, ImageRecord
from indexer.sources.naming import as_utf8
from indexer.sources.opening import Item, open_items


@dataclass(frozen=True, slots=True)
class Glance:
    """
    What was seen.

    Attributes:
        images: how many images there are, by their names.
        complete: whether that is all; else the time was over.
        refused: how many images, folders and archives cannot be read.
        first: the first of these, and why; empty where there is none.

    """

    images: int
    complete: bool
    refused: int = 0
    first: str = ""


def glance(item: Item, seconds: float) -> Glance:
    """Look over *item* for at most so many *seconds*."""
    end, images, refused, first = time.monotonic() + seconds, 0, 0, ""
    for offer in open_items([item]):
        images += isinstance(offer, ImageRecord)
        problem = _problem_of(offer)
        if problem:
            refused, first = refused + 1, first or problem
        if time.monotonic() > end:
            return Glance(images, complete=False, refused=refused, first=first)
    return Glance(images, complete=True, refused=refused, first=first)


def _problem_of(offer: ImageRecord | Failure) -> str | None:
    """Return what of *offer* can be seen to keep it from being read."""
    if isinstance(offer, Failure):
        return f"{offer.uri}: {offer.reason}"
    locked = not os.access(offer.uri, os.R_OK) and Path(offer.uri).is_file()
    return f"{as_utf8(offer.uri)}: permission denied" if locked else None
