"""Tar archives: plain ones are read by seeking, compressed ones in one pass; nothing is unpacked to disk."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
from collections.abc import Iterator
from functools import partial
from typing import BinaryIO, cast

import zstandard

from indexer.errors import ImageError
from indexer.records import Failure, ImageRecord
from indexer.sources.archive import Container, Offers, Shelf, guarded

_HEADER_BYTES = 512
_EXTENSIONS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
_MAX_EXTENSION_BYTES = 2**20
"""Bytes of the longest name or set of attributes that is believed; tarfile reads them into memory."""


class _Header(tarfile.TarInfo):
    """A header as tarfile reads it, but damage is never taken for the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Header:
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if len(buf) < _HEADER_BYTES:
                raise tarfile.ReadError("it ends without its end mark") from error
            if buf.count(b"\0") < _HEADER_BYTES:
                raise tarfile.ReadError(f"bad header: {error}") from error
            raise
        if header.size < 0 or (header.type in _EXTENSIONS and header.size > _MAX_EXTENSION_BYTES):
            raise tarfile.ReadError("a header claims an impossible size")
        return header


def members(shelf: Shelf, compression: str) -> Offers:
    """
    Yield the images of the tar on *shelf*; *compression* is "", "gz", "xz", "bz2" or "zst".

    Members of a plain tar are read when they are wanted; those of a compressed one are kept in their records.
    Links are ignored (and counted): what they lead to is a member, too.
    """
    for step in guarded(_headers(shelf, compression)):
        if isinstance(step, Exception):
            yield shelf.damaged(step)
            return
        tar, header = step
        if not header.isfile():
            shelf.sieve.stats.ignored += not header.isdir()
            continue
        uri = shelf.place(header.name)
        if uri is None:
            continue
        if header.size > shelf.max_bytes:
            yield shelf.too_many_bytes(uri, header.size)
        elif compression:
            yield from _held(shelf, uri, tar, header)
        else:
            yield _placed(shelf, uri, header)


def _headers(shelf: Shelf, compression: str) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    """Yield the headers in order, and keep none; raises what tarfile and the decompressor raise."""
    last = -1
    with (
        shelf.container.open() as raw,
        _unpacked(raw, compression) as stream,
        _opened(stream, compressed=bool(compression)) as tar,
    ):
        for header in tar:
            if header.offset <= last:
                raise tarfile.ReadError("its headers lead backwards")
            last = header.offset
            tar.members.clear()  # type: ignore[attr-defined] # tarfile would keep every header
            yield tar, header
        if _goes_on(tar):
            shelf.sieve.stats.sighted.doubtful.add(shelf.container.uri)


def _goes_on(tar: tarfile.TarFile) -> bool:
    """Tell whether more follows the end mark than fills a record, as in a copy in the making that has its full size."""
    padding = _HEADER_BYTES + tarfile.RECORDSIZE  # the end mark is two blocks, of which tarfile has read one
    try:
        return len(cast("BinaryIO", tar.fileobj).read(padding + 1)) > padding
    except Exception:  # noqa: BLE001 - decompressors raise anything; the archive then proves no member gone
        return True


def _opened(stream: BinaryIO, *, compressed: bool) -> tarfile.TarFile:
    open_tar = partial(tarfile.open, tarinfo=_Header, encoding="utf-8", errors="surrogateescape")
    if compressed:
        return open_tar(fileobj=cast("BinaryIO", _Unpacked(stream)), mode="r|")
    return open_tar(fileobj=stream, mode="r:")


class _Unpacked:
    """
    A stream that does not go on ending.

    tarfile skips a member by reading it, and would read nothing over and over for one that claims gigabytes.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._ended = False

    def read(self, size: int) -> bytes:
        """Return up to *size* bytes, and nothing once; raises EOFError after that."""
        data = self._stream.read(size)
        if not data and self._ended:
            raise EOFError("it ends within a member")
        self._ended = not data
        return data


def _unpacked(raw: BinaryIO, compression: str) -> BinaryIO:
    if compression == "gz":
        return cast(BinaryIO, gzip.open(raw))
    if compression == "xz":
        return cast(BinaryIO, lzma.open(raw))
    if compression == "bz2":
        return cast(BinaryIO, bz2.open(raw))
    if compression == "zst":
        return zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True, closefd=False)
    return raw


def _placed(shelf: Shelf, uri: str, header: tarfile.TarInfo) -> ImageRecord | Failure:
    """Offer a member of a plain tar: only where it lies is kept."""
    pieces = cast("list[tuple[int, int]]", header.sparse or [(0, header.size)])
    return shelf.record(uri, header.size, partial(_read, shelf.container, header.offset_data, header.size, pieces))


def _read(container: Container, offset: int, size: int, pieces: list[tuple[int, int]]) -> bytes:
    """Put a member together: a sparse file is stored as *pieces* (place in the file, bytes), one after another."""
    stored = sum(length for _, length in pieces)
    data = container.read_at(offset, stored)
    if len(data) < stored:
        raise ImageError("truncated", "Its archive ends within it; fetch the archive again.")
    if pieces == [(0, size)]:
        return data
    whole, at = bytearray(size), 0
    for place, length in pieces:
        whole[place : place + length] = data[at : at + length]
        at += length
    return bytes(whole[:size])


def _held(shelf: Shelf, uri: str, tar: tarfile.TarFile, header: tarfile.TarInfo) -> Offers:
    """Offer a member of a compressed tar: it comes by once, so the record keeps its bytes."""
    try:
        file = tar.extractfile(header)
        assert file is not None
        data = file.read()
    except Exception:  # noqa: BLE001 - as in guarded; what is wrong with the archive shows at the next header
        yield shelf.cut(uri)
        return
    yield shelf.record(uri, header.size, partial(bytes, data), held=len(data))
