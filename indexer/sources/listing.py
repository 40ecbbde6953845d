"""A list of paths on a binary stream, read as it comes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

_CHUNK_BYTES = 2**16


def paths(stream: BinaryIO, *, null_separated: bool) -> Iterator[str]:
    """
    Yield the paths that *stream* lists, one per line or ended by NUL; blank ones are skipped.

    Bytes that are not UTF-8 become surrogates, as Python's file functions take them.
    """
    lines = _null_separated(stream) if null_separated else _lines(stream)
    return (os.fsdecode(line) for line in lines if line)


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    for number, line in enumerate(stream):
        text = line.rstrip(b"\r\n")
        yield text.removeprefix(b"\xef\xbb\xbf") if number == 0 else text


def _null_separated(stream: BinaryIO) -> Iterator[bytes]:
    rest = b""
    read = getattr(stream, "read1", stream.read)
    while chunk := read(_CHUNK_BYTES):
        *whole, rest = (rest + chunk).split(b"\0")
        yield from whole
    yield rest
