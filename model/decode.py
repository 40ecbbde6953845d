"""
Bytes to pixels: any image file becomes upright, opaque, 8-bit RGB, or an error that says why not.

Decoding is part of what defines a descriptor, so it lives beside the encoder, and the indexer calls it too.
EXIF orientation is applied (not XMP's); of an animation or of many pages, the first picture counts; colours
become RGB by the rules of `rgb`. A damaged or truncated file is an error, never a half-grey picture.

Pillow's global settings are neither changed nor, as far as it allows, obeyed: files are handed to the decoder
of their format directly, past `Image.open`. Nothing is printed, and any number of threads may call.
"""

from __future__ import annotations

import io
import os
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import BinaryIO

import numpy as np
from PIL import Image  # noqa: TID251 - one of Pillow's doors
from PIL.JpegImagePlugin import JpegImageFile  # noqa: TID251 - as above

from model import sniff
from model.extras import how_to_install
from model.pixels import Pixels
from model.rgb import as_rgb

MAX_PIXELS = 200_000_000
"""Pixels of the largest image that is decoded by default; it takes up to 1.4 GB meanwhile."""

AT_ONCE = 4_000_000
"""Pixels that are converted at once: meanwhile they take up to 20 bytes each."""

_PLUGINS = {
    "AVIF": ("PIL.AvifImagePlugin", "AvifImageFile"),
    "BMP": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "GIF": ("PIL.GifImagePlugin", "GifImageFile"),
    "HEIF": ("pillow_heif", "HeifImageFile"),
    "JPEG": ("model.decode", "_Jpeg"),
    "JXL": ("pillow_jxl.JpegXLImagePlugin", "JXLImageFile"),
    "PNG": ("PIL.PngImagePlugin", "PngImageFile"),
    "TIFF": ("PIL.TiffImagePlugin", "TiffImageFile"),
    "WEBP": ("PIL.WebPImagePlugin", "WebPImageFile"),
}

_REMEDIES = {
    "AVIF": "install Pillow 11.3 or later from a wheel",
    "HEIF": how_to_install("formats"),
    "JXL": how_to_install("formats"),
    "WEBP": "install Pillow from a wheel",
}

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_TILE_WIDTH, _TILE_LENGTH, _DNG_VERSION = 322, 323, 50706
_PIECES = ((273, 279), (324, 325))
"""TIFF tags; the last are offsets and numbers of bytes, of strips and of tiles."""

_UNSUPPORTED = re.compile("unsupported|unknown pixel mode", re.IGNORECASE)

_warnings_lock = threading.Lock()


class DecodeError(Exception):
    """
    The image cannot be used.

    Attributes:
        kind: a stable word: `empty`, `not-an-image`, `unsupported-format`, `truncated`, `corrupt`,
            `too-many-pixels` or `out-of-memory`.
    """

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind

    @property
    def reason(self) -> str:
        """One sentence: what happened, and what to do."""
        return str(self)


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """
    One decoded image.

    Attributes:
        pixels: uint8 RGB (H, W, 3), upright, read-only; smaller than the image where *least_px* allowed it.
        width: pixels of the full image, after EXIF orientation.
        height: likewise.
        format: Pillow's name of the file format, such as `JPEG`.
    """

    pixels: Pixels = field(repr=False)
    width: int
    height: int
    format: str


class _Jpeg(JpegImageFile):
    """A JPEG that does not look for its resolution in EXIF when it is opened, which can be slow and noisy."""

    def _read_dpi_from_exif(self) -> None:
        """Leave the resolution unknown."""


def decode_image(
    source: bytes | str | os.PathLike[str] | BinaryIO,
    *,
    max_pixels: int = MAX_PIXELS,
    least_px: int | None = None,
    admit: Callable[[int], object] = int,
) -> Decoded:
    """
    Decode a file's bytes, a path, or a binary file object (from where it stands).

    Args:
        source: the image.
        max_pixels: images with more are refused, before they are decoded.
        least_px: pixels that suffice (see `EncoderSpec.least_px`). A JPEG whose sides both stay at least as long
            as this is decoded at 1/2, 1/4 or 1/8 of its size, which is faster.
        admit: called with the number of pixels before they are decoded; may wait until there is room for them.

    Raises:
        DecodeError: it is no image, or one that cannot be used.
        OSError: the path or file object cannot be read.
    """
    data = _bytes_of(source)
    name = _identified(data)
    try:
        return _decode(name, data, max_pixels, least_px, admit)
    except (DecodeError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # decoders raise anything on hostile bytes; those in Rust even panic
        raise _translated(name, data, error) from error


def to_rgb(image: Image.Image) -> Pixels:
    """
    Return the pixels of an already open Pillow *image* by the same rules, uint8 RGB (H, W, 3), read-only.

    Raises:
        DecodeError: its file is damaged.
    """
    try:
        image.load()
        return _pixels(image, _orientation(image))
    except Exception as error:
        raise _translated(image.format or "image", b"", error) from error


def _bytes_of(source: bytes | str | os.PathLike[str] | BinaryIO) -> bytes:
    if isinstance(source, bytes):
        return source
    if isinstance(source, (str, os.PathLike)):
        with open(source, "rb") as file:  # noqa: PTH123 - takes what a caller's path may be
            return file.read()
    return source.read()


def _identified(data: bytes) -> str:
    """Return the format that *data* will be decoded as."""
    if not data:
        raise DecodeError("empty", "It has no content (0 bytes); restore it from a backup or fetch it again.")
    name = sniff.format_of(data)
    if name is not None:
        return name
    foreign = sniff.foreign_of(data)
    if foreign is not None:
        raise DecodeError("unsupported-format", f"It is {foreign}, which is not read; convert it to PNG.")
    raise DecodeError("not-an-image", sniff.other_of(data))


def _decode(name: str, data: bytes, max_pixels: int, least_px: int | None, admit: Callable[[int], object]) -> Decoded:
    _check_size(sniff.size_of(name, data), max_pixels)
    noisy = name == "TIFF" or (name == "PNG" and b"acTL" in data)
    with _silence(noisy or name in ("AVIF", "HEIF")):
        image = _open(name, data)
    _check_pixels(image, max_pixels)
    full = image.size
    if name == "JPEG" and least_px:
        image.draft(None, (least_px, least_px))
    drafted = image.size != full
    admit(image.width * image.height)
    with _silence(noisy):
        image.load()
    if not drafted:
        _check_pixels(image, max_pixels)
        full = image.size
    orientation = _orientation(image)
    width, height = full[::-1] if orientation >= 5 else full
    return Decoded(_pixels(image, orientation), width, height, name)


def _open(name: str, data: bytes) -> Image.Image:
    """Return *data* opened by the decoder of format *name*; past Image.open, whose limits are global."""
    module, plugin = _PLUGINS[name]
    try:
        loaded = import_module(module)
    except ImportError as error:
        raise _unsupported(name) from error
    if not getattr(loaded, "SUPPORTED", True):
        raise _unsupported(name)
    image: Image.Image = getattr(loaded, plugin)(io.BytesIO(data), "")
    if name == "TIFF":
        _check_tiff(image, len(data))
    return image


def _check_tiff(image: Image.Image, size: int) -> None:
    """Refuse raw photos, and packed pictures cut short: libtiff would print its complaint on standard error."""
    tags = getattr(image, "tag_v2", {})
    if _DNG_VERSION in tags:
        raise DecodeError("unsupported-format", "It is a camera's raw file, which is not read; develop it to JPEG.")
    packed = any(tile[0] == "libtiff" for tile in getattr(image, "tile", ()))
    for offsets, lengths in _PIECES if packed else ():
        ends = (at + length for at, length in zip(tags.get(offsets, ()), tags.get(lengths, ()), strict=False))
        if max(ends, default=0) > size:
            raise DecodeError("truncated", "This TIFF ends too early; fetch or copy it again.")


def _unsupported(name: str) -> DecodeError:
    return DecodeError(
        "unsupported-format", f"Its format is {name}, whose decoder is not installed; {_REMEDIES.get(name)}."
    )


def _check_pixels(image: Image.Image, max_pixels: int) -> None:
    """Refuse an image, or a tile of it, that is too large; tiles can lie about the picture's size."""
    tags = getattr(image, "tag_v2", {})
    _check_size(image.size, max_pixels)
    _check_size((tags.get(_TILE_WIDTH, 0), tags.get(_TILE_LENGTH, 0)), max_pixels)


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    if size[0] * size[1] > max_pixels:
        raise DecodeError(
            "too-many-pixels",
            f"It has {size[0]} x {size[1]} pixels, more than the limit of {max_pixels:,}; "
            "shrink it, or raise the limit (--max-pixels; max_pixels) if it is to be trusted.",
        )


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8, that is still to be applied; some decoders apply it themselves."""
    exif = image.info.get("exif")
    return sniff.orientation_of(exif) if isinstance(exif, bytes) else 1


def _pixels(image: Image.Image, orientation: int) -> Pixels:
    if orientation <= 1 and image.width * image.height > AT_ONCE and not image.mode.startswith(("I", "F")):
        return _in_bands(image)
    opaque = as_rgb(image)
    return np.asarray(opaque.transpose(_UPRIGHT[orientation]) if orientation > 1 else opaque)


def _in_bands(image: Image.Image) -> Pixels:
    """Return the pixels of a large image, whose colours do not depend on each other; bands take the least memory."""
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    rows = max(1, AT_ONCE // image.width)
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        pixels[top:bottom] = np.asarray(as_rgb(image.crop((0, top, image.width, bottom))))
    pixels.flags.writeable = False
    return pixels


@contextmanager
def _silence(wanted: bool) -> Iterator[None]:
    """
    Keep Pillow's warnings about odd metadata from the caller, where they are to be expected.

    Filters belong to the process, not to the thread: hence not for every image, and one thread at a time.
    """
    if not wanted:
        yield
        return
    with _warnings_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _translated(name: str, data: bytes, error: BaseException) -> DecodeError:
    """Return the error that says what *error*, raised by the decoder of format *name*, means for the user."""
    text = " ".join(str(error).split())
    if isinstance(error, Image.DecompressionBombError):
        return DecodeError("too-many-pixels", f"It is larger than is safe; shrink it ({text}).")
    if isinstance(error, MemoryError):
        return DecodeError("out-of-memory", f"This {name} needs more memory than is free; shrink it.")
    if sniff.seems_cut(name, data) or "truncated" in text or "not large enough" in text:
        return DecodeError("truncated", f"This {name} ends too early; fetch or copy it again.")
    if isinstance(error, NotImplementedError) or _UNSUPPORTED.search(text):
        return DecodeError("unsupported-format", f"This kind of {name} is not read; save it anew ({text}).")
    return DecodeError("corrupt", f"This {name} is damaged; fetch or restore it again ({text}).")
