"""
What a file is, told from its bytes alone: its name is never asked, and nothing is decoded.

`decode` uses it to choose the decoder and to say what is wrong with a file; hostile bytes raise nothing here.
"""

from __future__ import annotations

import struct

_MAGIC: tuple[tuple[str, bytes], ...] = (
    ("JPEG", b"\xff\xd8\xff"),
    ("PNG", b"\x89PNG\r\n\x1a\n"),
    ("GIF", b"GIF87a"),
    ("GIF", b"GIF89a"),
    ("TIFF", b"II*\0"),
    ("TIFF", b"MM\0*"),
    ("TIFF", b"II+\0"),
    ("TIFF", b"MM\0+"),
    ("JXL", b"\xff\x0a"),
    ("JXL", b"\0\0\0\x0cJXL \r\n\x87\n"),
)

_BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)
"""Sizes in bytes that the second header of a BMP can have; "BM" alone starts many a text."""

_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
_AVIF_BRANDS = {b"avif", b"avis"}

_FOREIGN: tuple[tuple[str, tuple[bytes, ...]], ...] = (
    ("a PDF document", (b"%PDF",)),
    ("a PostScript document", (b"%!PS", b"\xc5\xd0\xd3\xc6")),
    ("a Photoshop document", (b"8BPS",)),
    ("a JPEG 2000 image", (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")),
    ("a JPEG XR image", (b"II\xbc",)),
    ("an icon", (b"\0\0\1\0",)),
    ("an OpenEXR image", (b"v/1\x01",)),
    ("a Radiance image", (b"#?RADIANCE", b"#?RGBE")),
    ("a Netpbm image", tuple(b"P%d%c" % (n, end) for n in range(1, 8) for end in b"\n\r\t ")),
    ("a DirectDraw surface", (b"DDS ",)),
    ("a QOI image", (b"qoif",)),
    ("a GIMP document", (b"gimp xcf",)),
    ("a camera's raw file", (b"FUJIFILMCCD-RAW", b"IIRO", b"IIU\0", b"\0MRM")),
)

_ARCHIVES = (b"PK\3\4", b"\x1f\x8b", b"\xfd7zXZ", b"BZh", b"\x28\xb5\x2f\xfd", b"Rar!", b"7z\xbc\xaf")

_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_ORIENTATION = 0x0112
_EXIF_INTEGERS = {1: "B", 3: "H", 4: "I"}


def format_of(data: bytes) -> str | None:
    """Return the format of *data*, as Pillow names it, if it is one that is decoded; or None."""
    for name, magic in _MAGIC:
        if data.startswith(magic):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[:2] == b"BM" and int.from_bytes(data[14:18], "little") in _BMP_HEADERS:
        return "BMP"
    brands = _brands(data)
    if brands & _AVIF_BRANDS:
        return "AVIF"
    return "HEIF" if brands & _HEIF_BRANDS else None


def size_of(name: str, data: bytes) -> tuple[int, int]:
    """
    Return width and height in pixels as the header of a WEBP or JXL claims them; (0, 0) where it does not tell.

    These decoders claim their memory when they open a file, so that asking them would be too late.
    """
    if name == "JXL":
        return _jxl_size(_jxl_stream(data)[2:14])
    kind, head = (data[12:16], data[16:30]) if name == "WEBP" else (b"", b"")
    if len(head) < 14:
        return 0, 0
    if kind == b"VP8X":
        return int.from_bytes(head[8:11], "little") + 1, int.from_bytes(head[11:14], "little") + 1
    if kind == b"VP8L" and head[4] == 0x2F:
        bits = int.from_bytes(head[5:9], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and head[7:10] == b"\x9d\x01\x2a":
        return int.from_bytes(head[10:12], "little") & 0x3FFF, int.from_bytes(head[12:14], "little") & 0x3FFF
    return 0, 0


def foreign_of(data: bytes) -> str | None:
    """Say in words which picture format that is not decoded *data* is in, or None."""
    for words, magics in _FOREIGN:
        if data.startswith(magics):
            return words
    if b"<svg" in data[:1024]:
        return "an SVG drawing"
    return "a video, or a photo in a video's container" if data[4:8] == b"ftyp" else None


def other_of(data: bytes) -> str:
    """Say what *data*, which is no picture, is instead, and what to do."""
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "It is a web page, not an image: the download failed; fetch it again."
    if data.startswith(_ARCHIVES):
        return "It is a packed archive, not an image; name it .zip or .tar.gz, as it is, to have it read."
    if not data.strip(b"\0"):
        return "It holds nothing but zero bytes, as after a crash or on a bad disk; restore it from a backup."
    if _is_text(data[:1024]):
        return "It is text, not an image; take it out, or replace it with the image that it stands for."
    return "It is in no image format that is known here; look at it, and replace it or take it out."


def seems_cut(name: str, data: bytes) -> bool:
    """Tell whether *data* in format *name*, which could not be decoded, ends before it should."""
    if name == "JPEG":
        return b"\xff\xd9" not in data
    if name == "PNG":
        return b"IEND" not in data
    if name == "GIF":
        return not data.rstrip(b"\0").endswith(b";")
    if name == "WEBP":
        return int.from_bytes(data[4:8], "little") + 8 > len(data)
    if name == "BMP":
        return int.from_bytes(data[2:6], "little") > len(data)
    return _boxes_end(data) > len(data) if name in ("AVIF", "HEIF") else False


def orientation_of(exif: bytes) -> int:
    """Return the EXIF orientation, 1 to 8, that raw *exif* bytes ask for; 1 when they are damaged."""
    body = exif.removeprefix(b"Exif\0\0")
    order = _ORDERS.get(body[:4])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(order + "I", body, 4)
        (count,) = struct.unpack_from(order + "H", body, start)
        return next(filter(None, (_entry(body, order, start + 2 + 12 * n) for n in range(count))), 1)
    except struct.error:
        return 1


def _jxl_stream(data: bytes) -> bytes:
    """Return the start of the codestream of a JPEG XL, which may lie in a box."""
    at = 12 if data.startswith(b"\0\0") else len(data)
    while at + 20 <= len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        start = at + (16 if size == 1 else 8)
        if kind in (b"jxlc", b"jxlp"):
            return data[start + 4 * (kind == b"jxlp") :][:32]
        if size < 8:
            break
        at += size
    return data[:32]


def _jxl_size(head: bytes) -> tuple[int, int]:
    """Return width and height from the SizeHeader (ISO 18181-1) that *head* starts with; bits from the lowest on."""
    bits, at = int.from_bytes(head, "little"), 0

    def take(count: int) -> int:
        nonlocal at
        at += count
        return bits >> (at - count) & (1 << count) - 1

    small = take(1)

    def side() -> int:
        return 8 * (take(5) + 1) if small else take((9, 13, 18, 30)[take(2)]) + 1

    height = side()
    ratio = take(3)
    above, below = ((0, 1), (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))[ratio]
    return (height * above // below if ratio else side()), height


def _entry(body: bytes, order: str, at: int) -> int | None:
    """Return the orientation if the EXIF entry at offset *at* tells a valid one."""
    tag, kind = struct.unpack_from(order + "HH", body, at)
    if tag != _ORIENTATION or kind not in _EXIF_INTEGERS:
        return None
    (value,) = struct.unpack_from(order + _EXIF_INTEGERS[kind], body, at + 8)
    return value if 1 <= value <= 8 else None


def _brands(data: bytes) -> set[bytes]:
    """Return the brands that an ISO media file claims, its major one among them."""
    if data[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(data[:4], "big"), 256, len(data))
    return {data[8:12]} | {data[at : at + 4] for at in range(16, end - 3, 4)}


def _boxes_end(data: bytes) -> int:
    """Return the offset, in bytes, at which the top-level boxes of an ISO media file say that they end."""
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        if size < 8:
            return at
        at += size
    return at


def _is_text(head: bytes) -> bool:
    """Tell whether the first bytes are text: UTF-16 with its mark, or UTF-8 without control characters."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:
            return False
        text = head[: error.start].decode()
    return all(c.isprintable() or c in "\t\r\n\f\ufeff" for c in text)
