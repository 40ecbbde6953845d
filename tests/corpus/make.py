"""
A corpus of bad and odd files, each made by a function here, with what decoding it must come to.

The picture in the good ones is a flag: red, green, blue and yellow quarters, 64 x 48 pixels, upright.
"""

from __future__ import annotations

import gzip
import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image

from model.extras import how_to_install

Colour = tuple[int, int, int]
Make = Callable[[], bytes]

RED, GREEN, BLUE, YELLOW = (224, 32, 32), (32, 192, 32), (32, 32, 224), (224, 224, 32)
WHITE, BLACK = (255, 255, 255), (0, 0, 0)
FLAG = (RED, GREEN, BLUE, YELLOW)
GREYS = tuple((value,) * 3 for value in (89, 126, 54, 202))
SIZE = (64, 48)


@dataclass(frozen=True)
class Case:
    """A file and what becomes of it: *kind* and a part of the *reason*, or "ok", the *size* and the *quarters*."""

    name: str
    make: Make
    kind: str = "ok"
    reason: str = ""
    size: tuple[int, int] = SIZE
    quarters: tuple[Colour, ...] = FLAG


CASES: list[Case] = []


def ok(name: str, quarters: tuple[Colour, ...] = FLAG, size: tuple[int, int] = SIZE) -> Callable[[Make], Make]:
    """Note that the file called *name* decodes."""

    def note(make: Make) -> Make:
        CASES.append(Case(name, make, size=size, quarters=quarters))
        return make

    return note


def bad(name: str, kind: str, reason: str) -> Callable[[Make], Make]:
    """Note that the file called *name* is rejected."""

    def note(make: Make) -> Make:
        CASES.append(Case(name, make, kind, reason))
        return make

    return note


def flag(mode: str = "RGB") -> Image.Image:
    """Return the picture."""
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:24, :32], pixels[:24, 32:], pixels[24:, :32], pixels[24:, 32:] = FLAG
    return Image.fromarray(pixels).convert(mode)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:  # noqa: ANN401 - Pillow's
    """Return *image* as a file of that *kind*; lossy ones as good as can be."""
    options = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}.get(kind, {}) | options
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def noise(kind: str, **options: Any) -> bytes:  # noqa: ANN401 - as above
    """Return a picture of noise, which fills a file, so that cutting it cuts pixels."""
    return saved(Image.fromarray(np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)), kind, **options)


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    width: int, height: int, depth: int, colour: int, rows: bytes, *, interlaced: bool = False, more: bytes = b""
) -> bytes:
    """Return a PNG with these header fields; *rows* are its lines, each after its filter's number."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    body = chunk(b"IHDR", header) + more + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def rows(values: np.ndarray[Any, Any]) -> bytes:
    """Return the lines of an image array of shape (H, W) or (H, W, C), each after a filter byte of 0."""
    return b"".join(b"\0" + line.tobytes() for line in values)


def exif(orientation: int) -> bytes:
    """Return EXIF that asks for *orientation* and nothing else."""
    return b"Exif\0\0MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0) + b"\0\0\0\0"


TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How a picture lies in a file whose EXIF orientation puts it upright again."""


def lying(orientation: int) -> Image.Image:
    """Return the flag as a camera stores it that is held in *orientation*."""
    return flag().transpose(TURNS[orientation]) if orientation > 1 else flag()


def tiff(tags: list[tuple[int, int, int, int]], body: bytes = b"") -> bytes:
    """Return a little-endian TIFF with *tags* (tag, type, count, value), after which *body* follows."""
    entries = b"".join(struct.pack("<HHII", *tag) for tag in sorted(tags))
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + b"\0\0\0\0" + body


# Odd, but good ------------------------------------------------------------------------------------------------------


@ok("plain.jpg")
def plain_jpeg() -> bytes:
    """Make an ordinary JPEG."""
    return saved(flag(), "JPEG")


@ok("grey.jpg", GREYS)
def grey_jpeg() -> bytes:
    """Make a JPEG of one channel."""
    return saved(flag("L"), "JPEG")


@ok("progressive.jpg")
def progressive_jpeg() -> bytes:
    """Make a progressive JPEG."""
    return saved(flag(), "JPEG", progressive=True)


@ok("cmyk.jpg")
def cmyk_jpeg() -> bytes:
    """Make a JPEG for print, with Adobe's inversion."""
    return saved(flag("CMYK"), "JPEG")


@ok("ycck.jpg")
def ycck_jpeg() -> bytes:
    """Make a JPEG for print whose inks are stored as luminance and chrominance."""
    complement = 255 - np.asarray(flag())
    ycc = np.asarray(Image.fromarray(complement).convert("YCbCr"))
    inks = [Image.fromarray(plane) for plane in (*(255 - ycc).transpose(2, 0, 1), np.zeros_like(ycc[:, :, 0]))]
    data = bytearray(saved(Image.merge("CMYK", inks), "JPEG"))
    data[data.index(b"Adobe") + 11] = 2
    return bytes(data)


for _orientation in range(1, 9):

    @ok(f"orientation-{_orientation}.jpg")
    def oriented_jpeg(orientation: int = _orientation) -> bytes:
        """Make a JPEG that EXIF puts upright."""
        return saved(lying(orientation), "JPEG", exif=exif(orientation))


@ok("orientation-6.png")
def oriented_png() -> bytes:
    """Make a PNG that EXIF puts upright."""
    return saved(lying(6), "PNG", exif=exif(6))


@ok("orientation-5.webp")
def oriented_webp() -> bytes:
    """Make a WebP that EXIF puts upright."""
    return saved(lying(5), "WEBP", exif=exif(5))


@ok("orientation-8.tif")
def oriented_tiff() -> bytes:
    """Make a TIFF whose tag puts it upright."""
    return saved(lying(8), "TIFF", tiffinfo={274: 8})


@ok("orientation-6-lzw.tif")
def oriented_lzw_tiff() -> bytes:
    """Make a compressed TIFF whose tag puts it upright."""
    return saved(lying(6), "TIFF", tiffinfo={274: 6}, compression="tiff_lzw")


@ok("orientation-6.avif")
def oriented_avif() -> bytes:
    """Make an AVIF that turns its picture."""
    return saved(lying(6), "AVIF", exif=exif(6), quality=100)


@ok("orientation-6.heic")
def oriented_heic() -> bytes:
    """Make a HEIC that turns its picture."""
    file = io.BytesIO()
    pillow_heif.from_pillow(lying(6)).save(file, quality=-1, exif=exif(6))
    return file.getvalue()


@ok("photo.heic")
def plain_heic() -> bytes:
    """Make a HEIC as telephones do."""
    file = io.BytesIO()
    pillow_heif.from_pillow(flag()).save(file, quality=-1)
    return file.getvalue()


@ok("photo.avif")
def plain_avif() -> bytes:
    """Make an AVIF."""
    return saved(flag(), "AVIF", quality=100)


@ok("orientation-out-of-range.jpg")
def wrong_orientation_jpeg() -> bytes:
    """Make a JPEG whose EXIF asks for orientation 9, which does not exist."""
    return saved(flag(), "JPEG", exif=exif(9))


@ok("exif-garbage.jpg")
def exif_garbage_jpeg() -> bytes:
    """Make a JPEG whose EXIF points outside of itself."""
    return saved(flag(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + bytes(range(256)) * 4)


@ok("exif-garbage.tif")
def tag_garbage_tiff() -> bytes:
    """Make a TIFF with a tag whose value lies far outside of the file."""
    body = saved(flag(), "TIFF", tiffinfo={33432: "words " * 40})
    return body.replace(struct.pack("<HHI", 33432, 2, 241), struct.pack("<HHI", 33432, 2, 2**31))


@ok("trailing-garbage.jpg")
def trailing_garbage_jpeg() -> bytes:
    """Make a JPEG after which other bytes follow, as a phone's video."""
    return plain_jpeg() + b"\0\0\0\x18ftypmp42" + bytes(500)


@ok("trailing-garbage.png")
def trailing_garbage_png() -> bytes:
    """Make a PNG after which text follows."""
    return saved(flag(), "PNG") + b"<?php hello ?>" * 20


@ok("really-a-png.jpg")
def wrong_extension() -> bytes:
    """Make a PNG that is called .jpg."""
    return saved(flag(), "PNG")


@ok("two-pictures.mpo")
def mpo() -> bytes:
    """Make a stereo camera's file: two JPEGs, of which the first counts."""
    return saved(flag(), "MPO", save_all=True, append_images=[Image.new("RGB", SIZE)])


@ok("one-pixel.png", (RED,) * 4, (1, 1))
def one_pixel() -> bytes:
    """Make the smallest picture there is."""
    return saved(Image.new("RGB", (1, 1), RED), "PNG")


@ok("thread.png", (RED,) * 4, (1, 5000))
def one_pixel_wide() -> bytes:
    """Make a picture of one pixel by five thousand."""
    return saved(Image.new("RGB", (1, 5000), RED), "PNG")


@ok("wire.jpg", (RED,) * 4, (5000, 1))
def one_pixel_high() -> bytes:
    """Make a JPEG of five thousand pixels by one."""
    return saved(Image.new("RGB", (5000, 1), RED), "JPEG")


@ok("animated.gif")
def animated_gif() -> bytes:
    """Make an animation that starts with the flag."""
    return saved(flag(), "GIF", save_all=True, append_images=[Image.new("RGB", SIZE, "black")])


@ok("animated.webp")
def animated_webp() -> bytes:
    """Make a WebP animation that starts with the flag."""
    return saved(flag(), "WEBP", save_all=True, append_images=[Image.new("RGB", SIZE, "black")])


@ok("animated.png")
def animated_png() -> bytes:
    """Make a PNG animation that starts with the flag."""
    return saved(flag(), "PNG", save_all=True, append_images=[Image.new("RGB", SIZE, "black")])


@ok("broken-animation.png")
def invalid_animation_png() -> bytes:
    """Make a PNG that claims to be an animation of no frames."""
    data = saved(flag(), "PNG")
    return data[:33] + chunk(b"acTL", bytes(8)) + data[33:]


@ok("hole.gif", (WHITE, GREEN, BLUE, YELLOW))
def transparent_gif() -> bytes:
    """Make a GIF whose red is transparent."""
    image = flag().quantize(4)
    return saved(image, "GIF", transparency=image.getpixel((0, 0)))


@ok("palette.png")
def palette_png() -> bytes:
    """Make a PNG with a palette."""
    return saved(flag().quantize(4), "PNG")


@ok("palette-hole.png", (WHITE, GREEN, BLUE, YELLOW))
def palette_transparent_png() -> bytes:
    """Make a PNG with a palette of which red is transparent."""
    image = flag().quantize(4)
    return saved(image, "PNG", transparency=image.getpixel((0, 0)))


@ok("palette-alpha.png", ((240, 144, 144), GREEN, BLUE, YELLOW))
def palette_alpha_png() -> bytes:
    """Make a PNG with a palette of which red is half transparent."""
    image = flag().quantize(4)
    first = image.getpixel((0, 0))
    return saved(image, "PNG", transparency=bytes(128 if n == first else 255 for n in range(4)))


@ok("half.png", tuple(tuple((value + 255) // 2 for value in colour) for colour in FLAG))
def half_transparent_png() -> bytes:
    """Make a PNG that shines through by half."""
    image = flag("RGBA")
    image.putalpha(128)
    return saved(image, "PNG")


@ok("clear.png", (WHITE,) * 4)
def transparent_png() -> bytes:
    """Make a PNG of which nothing is to be seen."""
    image = flag("RGBA")
    image.putalpha(0)
    return saved(image, "PNG")


@ok("clear.webp", (WHITE,) * 4)
def transparent_webp() -> bytes:
    """Make a WebP of which nothing is to be seen."""
    image = flag("RGBA")
    image.putalpha(0)
    return saved(image, "WEBP")


@ok("grey-alpha.png", (WHITE,) * 4)
def grey_alpha_png() -> bytes:
    """Make a grey PNG of which nothing is to be seen."""
    image = flag("LA")
    image.putalpha(0)
    return saved(image, "PNG")


@ok("grey-hole.png", (WHITE, *GREYS[1:]))
def grey_transparent_png() -> bytes:
    """Make a grey PNG of which one shade is transparent."""
    return saved(flag("L"), "PNG", transparency=89)


@ok("colour-hole.png", (WHITE, GREEN, BLUE, YELLOW))
def colour_transparent_png() -> bytes:
    """Make a PNG of which one colour is transparent."""
    return saved(flag(), "PNG", transparency=RED)


@ok("bits.png", (BLACK, WHITE, BLACK, WHITE))
def bilevel_png() -> bytes:
    """Make a PNG of one bit per pixel."""
    return saved(flag("L").point(lambda value: 255 * (value > 100)).convert("1"), "PNG")


@ok("interlaced.png")
def interlaced_png() -> bytes:
    """Make a PNG in seven passes."""
    steps = ((0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2), (1, 2, 0, 1))
    pixels = np.asarray(flag())
    passes = b"".join(rows(pixels[y::dy, x::dx]) for y, dy, x, dx in steps)
    return png(*SIZE, 8, 2, passes, interlaced=True)


@ok("grey-16.png", GREYS)
def grey_16_png() -> bytes:
    """Make a grey PNG of 16 bits."""
    return png(*SIZE, 16, 0, rows(np.asarray(flag("L")).astype(">u2") * 257))


@ok("grey-16-hole.png", (WHITE, *GREYS[1:]))
def grey_16_transparent_png() -> bytes:
    """Make a grey PNG of 16 bits of which one shade is transparent."""
    clear = chunk(b"tRNS", struct.pack(">H", 89 * 257))
    return png(*SIZE, 16, 0, rows(np.asarray(flag("L")).astype(">u2") * 257), more=clear)


@ok("colour-16.png")
def colour_16_png() -> bytes:
    """Make a PNG of 16 bits per channel."""
    return png(*SIZE, 16, 2, rows(np.asarray(flag()).astype(">u2") * 257))


@ok("colour-16-hole.png", (WHITE, GREEN, BLUE, YELLOW))
def colour_16_transparent_png() -> bytes:
    """Make a PNG of 16 bits per channel of which one colour is transparent."""
    clear = chunk(b"tRNS", struct.pack(">HHH", *(value * 257 for value in RED)))
    return png(*SIZE, 16, 2, rows(np.asarray(flag()).astype(">u2") * 257), more=clear)


@ok("alpha-16.png", (WHITE,) * 4)
def alpha_16_png() -> bytes:
    """Make a PNG of 16 bits with an alpha channel that hides everything."""
    pixels = np.asarray(flag("RGBA")).astype(">u2") * 257
    pixels[..., 3] = 0
    return png(*SIZE, 16, 6, rows(pixels))


@ok("no-end.png")
def endless_png() -> bytes:
    """Make a PNG that ends right after its pixels: nothing of the picture is missing."""
    return saved(flag(), "PNG")[:-12]


@ok("plain.bmp")
def bmp() -> bytes:
    """Make a BMP."""
    return saved(flag(), "BMP")


@ok("grey-16.tif", GREYS)
def grey_16_tiff() -> bytes:
    """Make a grey TIFF of 16 bits."""
    return saved(Image.fromarray(np.asarray(flag("L")).astype(np.uint16) * 257), "TIFF")


@ok("white-is-zero-16.tif", GREYS)
def inverted_16_tiff() -> bytes:
    """Make a grey TIFF of 16 bits in which 0 is white."""
    values = 65535 - np.asarray(flag("L")).astype(np.uint16) * 257
    return saved(Image.fromarray(values), "TIFF", tiffinfo={262: 0})


@ok("float-unit.tif", GREYS)
def unit_float_tiff() -> bytes:
    """Make a TIFF of floats from 0 to 1."""
    return saved(Image.fromarray(np.asarray(flag("L")).astype(np.float32) / 255), "TIFF")


@ok("float-wide.tif", tuple((round((v[0] - 54) * 255 / 148),) * 3 for v in GREYS))
def wide_float_tiff() -> bytes:
    """Make a TIFF of floats around 0, of which one is not a number: minimum to maximum becomes 0 to 255."""
    values = np.asarray(flag("L")).astype(np.float32) * 1000 - 100_000
    values[0, 0] = np.nan
    return saved(Image.fromarray(values), "TIFF")


@ok("int-32.tif", GREYS)
def int_32_tiff() -> bytes:
    """Make a TIFF of 32-bit integers that fill 16 bits."""
    return saved(Image.fromarray(np.asarray(flag("L")).astype(np.int32) * 257), "TIFF")


@ok("cmyk.tif")
def cmyk_tiff() -> bytes:
    """Make a TIFF for print."""
    return saved(flag("CMYK"), "TIFF", compression="tiff_lzw")


@ok("lab.tif")
def lab_tiff() -> bytes:
    """Make a TIFF in CIELAB."""
    return saved(flag("LAB"), "TIFF")


@ok("jpeg.tif")
def jpeg_tiff() -> bytes:
    """Make a TIFF that is a JPEG within."""
    return saved(flag(), "TIFF", compression="jpeg", quality=95)


@ok("pages.tif")
def multipage_tiff() -> bytes:
    """Make a TIFF of two pages, of which the first is the flag."""
    return saved(flag(), "TIFF", save_all=True, append_images=[Image.new("RGB", (10, 10))])


@ok("alpha.tif", (WHITE,) * 4)
def alpha_tiff() -> bytes:
    """Make a TIFF of which nothing is to be seen."""
    image = flag("RGBA")
    image.putalpha(0)
    return saved(image, "TIFF")


@ok("big.tif")
def big_tiff() -> bytes:
    """Make a TIFF with 64-bit offsets."""
    return saved(flag(), "TIFF", big_tiff=True)


@ok("fax.tif", (BLACK, WHITE, BLACK, WHITE))
def fax_tiff() -> bytes:
    """Make a TIFF of one bit per pixel, compressed as a fax is."""
    image = flag("L").point(lambda value: 255 * (value > 100)).convert("1")
    return saved(image, "TIFF", compression="group4")


# No images ----------------------------------------------------------------------------------------------------------


@bad("empty.jpg", "empty", "0 bytes")
def empty() -> bytes:
    """Make a file of no bytes."""
    return b""


@bad("notes.jpg", "not-an-image", "It is text")
def text() -> bytes:
    """Make a text that is called .jpg."""
    return "Grüße aus dem Büro\n".encode() * 20


@bad("bom.png", "not-an-image", "It is text")
def bom_text() -> bytes:
    """Make a text with a byte order mark."""
    return b"\xef\xbb\xbf" + text()


@bad("utf-16.png", "not-an-image", "It is text")
def utf_16_text() -> bytes:
    """Make a text in UTF-16."""
    return "Notes".encode("utf-16")


@bad("cars.bmp", "not-an-image", "It is text")
def bm_text() -> bytes:
    """Make a text that starts as a BMP does."""
    return b"BMW and other makers of cars, a list of many lines"


@bad("404.jpg", "not-an-image", "web page")
def web_page() -> bytes:
    """Make the page that a server sent instead of an image."""
    return b"\n<!DOCTYPE html><html><title>404 Not Found</title></html>"


@bad("error.jpg", "not-an-image", "It is text")
def json_error() -> bytes:
    """Make the error that a server sent instead of an image."""
    return b'{"error": "rate limit exceeded"}'


@bad("drawing.svg.png", "unsupported-format", "SVG")
def svg() -> bytes:
    """Make a drawing."""
    return b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'


@bad("scan.pdf.jpg", "unsupported-format", "PDF")
def pdf() -> bytes:
    """Make a document."""
    return b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n"


@bad("layers.jpg", "unsupported-format", "Photoshop")
def psd() -> bytes:
    """Make the start of a Photoshop document."""
    return b"8BPS\0\1" + bytes(40)


@bad("clip.jpg", "unsupported-format", "video")
def video() -> bytes:
    """Make the start of a video."""
    return b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(100)


@bad("jp2.jpg", "unsupported-format", "JPEG 2000")
def jpeg_2000() -> bytes:
    """Make a JPEG 2000."""
    return saved(flag(), "JPEG2000")


@bad("favicon.png", "unsupported-format", "icon")
def icon() -> bytes:
    """Make an icon."""
    return saved(flag(), "ICO")


@bad("packed.jpg", "not-an-image", "packed archive")
def zip_file() -> bytes:
    """Make a zip archive that is called .jpg."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.jpg", plain_jpeg())
    return file.getvalue()


@bad("packed.png", "not-an-image", "packed archive")
def gzip_file() -> bytes:
    """Make a compressed JPEG."""
    return gzip.compress(plain_jpeg())


@bad("zeros.jpg", "not-an-image", "zero bytes")
def zeros() -> bytes:
    """Make what a file system leaves after a crash."""
    return bytes(5000)


@bad("noise.jpg", "not-an-image", "no image format")
def garbage() -> bytes:
    """Make random bytes."""
    return b"\x01" + random.Random(0).randbytes(5000)


_JXL = find_spec("pillow_jxl") is None


@bad("picture.jxl", "unsupported-format" if _JXL else "corrupt", how_to_install("formats") if _JXL else "JXL")
def jxl() -> bytes:
    """Make the start of a JPEG XL."""
    return b"\xff\x0a\xfa\x7f\x01\x90\x08"


if not _JXL:

    @ok("orientation-6.jxl")
    def oriented_jxl() -> bytes:
        """Make a JPEG XL that EXIF puts upright."""
        import_module("pillow_jxl")
        return saved(lying(6), "JXL", lossless=True, exif=exif(6))


# Bombs --------------------------------------------------------------------------------------------------------------


@bad("bomb.png", "too-many-pixels", "100000 x 100000")
def bomb_png() -> bytes:
    """Make a PNG of ten thousand million pixels in a few bytes."""
    return png(100_000, 100_000, 8, 2, bytes(100))


@bad("bomb.jpg", "too-many-pixels", "65500 x 65500")
def bomb_jpeg() -> bytes:
    """Make a JPEG whose header claims four thousand million pixels."""
    data = bytearray(plain_jpeg())
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", 65500, 65500)
    return bytes(data)


@bad("bomb.gif", "too-many-pixels", "65535 x 65535")
def bomb_gif() -> bytes:
    """Make a GIF whose screen is as large as can be."""
    data = saved(flag(), "GIF")
    return data[:6] + b"\xff\xff\xff\xff" + data[10:]


@bad("bomb.bmp", "too-many-pixels", "40000 x 40000")
def bomb_bmp() -> bytes:
    """Make a BMP that claims far more pixels than it has."""
    data = saved(flag(), "BMP")
    return data[:18] + struct.pack("<ii", 40_000, 40_000) + data[26:]


@bad("bomb.webp", "too-many-pixels", "16383 x 16383")
def bomb_webp() -> bytes:
    """Make a WebP that claims the largest canvas."""
    data = bytearray(saved(flag("RGBA"), "WEBP", exif=exif(1)))
    data[24:30] = b"\xfe\x3f\x00\xfe\x3f\x00"
    return bytes(data)


@bad("bomb.tif", "too-many-pixels", "90000 x 90000")
def bomb_tiff() -> bytes:
    """Make a TIFF that claims far more pixels than it has."""
    return tiff(
        [(256, 4, 1, 90_000), (257, 4, 1, 90_000), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8)]
    )


@bad("tile-bomb.tif", "too-many-pixels", "60000 x 60000")
def tile_bomb_tiff() -> bytes:
    """Make a small TIFF of one gigantic tile."""
    size = [(256, 4, 1, 16), (257, 4, 1, 16), (322, 4, 1, 60_000), (323, 4, 1, 60_000)]
    rest = [(258, 3, 1, 8), (259, 3, 1, 5), (262, 3, 1, 1), (324, 4, 1, 8), (325, 4, 1, 100)]
    return tiff(size + rest)


@bad("text-bomb.png", "corrupt", "PNG is damaged")
def text_bomb_png() -> bytes:
    """Make a PNG whose comment unpacks to a hundred megabytes."""
    bomb = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(100_000_000), 9))
    return png(*SIZE, 8, 2, rows(np.asarray(flag())), more=bomb)


# Cut short ----------------------------------------------------------------------------------------------------------


@bad("cut-at-3.jpg", "truncated", "JPEG ends too early")
def cut_jpeg_magic() -> bytes:
    """Keep three bytes of a JPEG."""
    return noise("JPEG")[:3]


@bad("cut-in-header.jpg", "truncated", "JPEG ends too early")
def cut_jpeg_header() -> bytes:
    """Keep a part of a JPEG's tables."""
    return noise("JPEG")[:100]


@bad("cut-in-half.jpg", "truncated", "JPEG ends too early")
def cut_jpeg() -> bytes:
    """Keep half of a JPEG."""
    data = noise("JPEG")
    return data[: len(data) // 2]


@bad("cut-at-the-end.jpg", "truncated", "JPEG ends too early")
def cut_jpeg_end() -> bytes:
    """Take the last two hundred bytes from a JPEG."""
    return noise("JPEG")[:-200]


@bad("cut-with-thumbnail.jpg", "truncated", "JPEG ends too early")
def cut_jpeg_with_thumbnail() -> bytes:
    """Keep half of a JPEG whose EXIF holds a whole JPEG."""
    data = noise("JPEG", exif=exif(1) + plain_jpeg())
    return data[: len(data) // 2]


@bad("cut-in-half-progressive.jpg", "truncated", "JPEG ends too early")
def cut_progressive_jpeg() -> bytes:
    """Keep half of a progressive JPEG."""
    data = noise("JPEG", progressive=True)
    return data[: len(data) // 2]


@bad("cut-at-8.png", "truncated", "PNG ends too early")
def cut_png_magic() -> bytes:
    """Keep eight bytes of a PNG."""
    return noise("PNG")[:8]


@bad("cut-in-header.png", "truncated", "PNG ends too early")
def cut_png_header() -> bytes:
    """Keep twenty bytes of a PNG."""
    return noise("PNG")[:20]


@bad("cut-in-half.png", "truncated", "PNG ends too early")
def cut_png() -> bytes:
    """Keep half of a PNG."""
    data = noise("PNG")
    return data[: len(data) // 2]


@bad("cut-at-6.gif", "truncated", "GIF ends too early")
def cut_gif_magic() -> bytes:
    """Keep six bytes of a GIF."""
    return noise("GIF")[:6]


@bad("cut-in-half.gif", "truncated", "GIF ends too early")
def cut_gif() -> bytes:
    """Keep half of a GIF."""
    data = noise("GIF")
    return data[: len(data) // 2]


@bad("cut-at-12.webp", "truncated", "WEBP ends too early")
def cut_webp_magic() -> bytes:
    """Keep twelve bytes of a WebP."""
    return noise("WEBP")[:12]


@bad("cut-in-half.webp", "truncated", "WEBP ends too early")
def cut_webp() -> bytes:
    """Keep half of a WebP."""
    data = noise("WEBP")
    return data[: len(data) // 2]


@bad("cut-in-half-lossy.webp", "truncated", "WEBP ends too early")
def cut_lossy_webp() -> bytes:
    """Keep half of a lossy WebP."""
    data = noise("WEBP", lossless=False)
    return data[: len(data) // 2]


@bad("cut-in-half.bmp", "truncated", "BMP ends too early")
def cut_bmp() -> bytes:
    """Keep half of a BMP."""
    data = noise("BMP")
    return data[: len(data) // 2]


@bad("cut-in-half.tif", "truncated", "TIFF ends too early")
def cut_tiff() -> bytes:
    """Keep half of a TIFF whose directory comes first."""
    data = noise("TIFF")
    return data[: len(data) // 2]


@bad("cut-in-half-lzw.tif", "corrupt", "TIFF is damaged")
def cut_lzw_tiff() -> bytes:
    """Keep half of a compressed TIFF."""
    data = noise("TIFF", compression="tiff_lzw")
    return data[: len(data) // 2]


@bad("cut-strip.tif", "truncated", "TIFF ends too early")
def cut_strip_tiff() -> bytes:
    """Make a compressed TIFF whose directory comes first and whose picture is cut."""
    size = [(256, 4, 1, 64), (257, 4, 1, 48), (258, 3, 1, 8), (259, 3, 1, 5), (262, 3, 1, 1)]
    return tiff([*size, (273, 4, 1, 122), (278, 4, 1, 48), (279, 4, 1, 3000)], bytes(200))


@bad("cut-at-4.tif", "corrupt", "TIFF is damaged")
def cut_tiff_magic() -> bytes:
    """Keep four bytes of a TIFF."""
    return noise("TIFF")[:4]


@bad("cut-in-half.avif", "truncated", "AVIF ends too early")
def cut_avif() -> bytes:
    """Keep half of an AVIF."""
    data = noise("AVIF")
    return data[: len(data) // 2]


@bad("cut-in-half.heic", "truncated", "HEIF ends too early")
def cut_heic() -> bytes:
    """Keep half of a HEIC."""
    file = io.BytesIO()
    pillow_heif.from_pillow(Image.open(io.BytesIO(noise("PNG")))).save(file)
    return file.getvalue()[: len(file.getvalue()) // 2]


# Damaged ------------------------------------------------------------------------------------------------------------


@bad("wrong-sum.png", "corrupt", "PNG is damaged")
def wrong_sum_png() -> bytes:
    """Change a byte of a PNG's header, so that its check sum is wrong."""
    data = bytearray(saved(flag(), "PNG"))
    data[17] ^= 1
    return bytes(data)


@bad("scrambled.png", "corrupt", "PNG is damaged")
def scrambled_png() -> bytes:
    """Make a PNG whose pixels are no deflate stream."""
    data = png(*SIZE, 8, 2, rows(np.asarray(flag())))
    start = data.index(b"IDAT")
    return data[: start - 4] + chunk(b"IDAT", b"\xff" * 400) + chunk(b"IEND", b"")


@bad("no-width.png", "corrupt", "PNG is damaged")
def zero_png() -> bytes:
    """Make a PNG of no width."""
    return png(0, 10, 8, 2, b"")


@bad("no-frame.gif", "corrupt", "GIF is damaged")
def no_frame_gif() -> bytes:
    """Make a GIF that ends before its first frame."""
    return b"GIF89a\x40\0\x30\0\0\0\0;"


@bad("no-scan.jpg", "corrupt", "JPEG is damaged")
def no_scan_jpeg() -> bytes:
    """Make a JPEG that ends where its picture should start."""
    data = plain_jpeg()
    return data[: data.index(b"\xff\xda")] + b"\xff\xd9"


@bad("no-tables.jpg", "corrupt", "JPEG is damaged")
def no_tables_jpeg() -> bytes:
    """Make a JPEG without its quantisation tables."""
    data = plain_jpeg()
    return data[:2] + data[data.index(b"\xff\xc0") :]


@bad("scrambled.webp", "corrupt", "WEBP is damaged")
def scrambled_webp() -> bytes:
    """Overwrite the middle of a WebP."""
    data = bytearray(noise("WEBP"))
    data[20:400] = b"\xff" * 380
    return bytes(data)


@bad("loop.tif", "corrupt", "TIFF is damaged")
def loop_tiff() -> bytes:
    """Make a TIFF without a picture, whose directory leads to itself."""
    return tiff([(256, 4, 1, 9)])[:-4] + b"\x08\0\0\0"


@bad("strange-bits.tif", "unsupported-format", "kind of TIFF")
def strange_tiff() -> bytes:
    """Make a TIFF of 7 bits per pixel."""
    return tiff([(256, 4, 1, 9), (257, 4, 1, 9), (258, 3, 1, 7), (262, 3, 1, 1), (273, 4, 1, 8)], bytes(99))


@bad("strange.bmp", "unsupported-format", "kind of BMP")
def strange_bmp() -> bytes:
    """Make a BMP of a compression that does not exist."""
    data = saved(flag(), "BMP")
    return data[:30] + struct.pack("<I", 77) + data[34:]


@bad("raw.dng.tif", "unsupported-format", "raw file")
def dng() -> bytes:
    """Make a camera's raw file, whose first picture is a thumbnail."""
    return saved(flag(), "TIFF", tiffinfo={50706: b"\1\4\0\0"})


@bad("scrambled.avif", "corrupt", "AVIF is damaged")
def scrambled_avif() -> bytes:
    """Overwrite the boxes of an AVIF."""
    data = bytearray(noise("AVIF"))
    data[40:200] = b"\xff" * 160
    return bytes(data)


@bad("scrambled.heic", "corrupt", "HEIF is damaged")
def scrambled_heic() -> bytes:
    """Overwrite the boxes of a HEIC."""
    data = bytearray(plain_heic())
    data[40:200] = b"\xff" * 160
    return bytes(data)
