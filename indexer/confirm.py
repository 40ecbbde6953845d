"""The door to the second look: the only importer of `model.second_look`."""

from __future__ import annotations

from collections.abc import Callable

from indexer.errors import EncoderError
from indexer.records import Look
from model.second_look import METHOD, MIN_SCORE, STRICT, PagesError, as_jpeg, is_thumbnail, second_look, thumbnail

__all__ = ["METHOD", "MIN_SCORE", "STRICT", "Confirm", "as_jpeg", "is_thumbnail", "look_again", "thumbnail"]

Confirm = Callable[[bytes, bytes], Look]
"""
Takes a second look at two thumbnails, the new image's and an original's, and tells how well they agree.

Law 2 rests on it: the same two thumbnails give the same Look, bit by bit, in any thread.
"""


def look_again(new: bytes, original: bytes) -> Look:
    """Align the thumbnail *new* with *original* and compare them; raises EncoderError where a part of it is missing."""
    try:
        found = second_look(new, original)
    except PagesError as error:
        raise EncoderError(str(error)) from error
    across, down = found.shift
    shift = float(across), float(down)
    return Look(float(found.score), float(found.scale), shift, bool(found.mirrored), float(found.changed))
