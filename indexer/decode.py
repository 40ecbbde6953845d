"""Bytes to pixels for the indexer: the model's own decoder, with errors that reject one image and no more."""

from __future__ import annotations

from collections.abc import Callable

from indexer.errors import ImageError
from model.decode import MAX_PIXELS, Decoded, DecodeError, decode_image

__all__ = ["MAX_PIXELS", "Decoded", "decode"]


def decode(
    data: bytes, *, max_pixels: int = MAX_PIXELS, least_px: int | None = None, admit: Callable[[int], object] = int
) -> Decoded:
    """
    Decode a file's bytes; see `model.decode.decode_image` for the arguments.

    Raises:
        ImageError: the image cannot be used; *kind* says why in one word.

    """
    try:
        return decode_image(data, max_pixels=max_pixels, least_px=least_px, admit=admit)
    except DecodeError as error:
        raise ImageError(error.kind, error.reason) from error
