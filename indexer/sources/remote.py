"""
Whatever fsspec reaches by a URL: objects, folders of them, and archives; the only importer of fsspec.

A listing is held in memory folder by folder. Listings are never cached, so that every run sees what is there.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, BinaryIO, cast

from indexer.errors import ConfigError, ImageError
from indexer.records import UNKNOWN, Failure, ImageRecord
from indexer.sources.archive import Container
from indexer.sources.naming import as_utf8, offered, too_many_bytes
from indexer.sources.options import Sieve
from model.extras import how_to_install

Info = dict[str, Any]

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://")
_WEB = re.compile(r"(?i)^(https?://)[^/]*@")
_PASSWORD = re.compile(r"^([^/]+://[^/@:\[]*):(?:[^/]*|(?!\d*(?:/|$)).*)@")
_SIGN_IN = re.compile(r"(?<=://)[^/\s]*@")
_TIMES = ("LastModified", "last_modified", "mtime", "modified", "updated")
"""Where fsspec's file systems tell the modification time."""


def is_url(text: str) -> bool:
    """Tell whether *text* starts as a URL does."""
    return _URL.match(text) is not None


@dataclass(frozen=True, slots=True)
class Found:
    """One object of a listing: its *uri*, its path *below* the source, what the listing says, and if a folder."""

    uri: str
    below: str
    info: Info
    is_folder: bool


@dataclass(frozen=True, slots=True)
class Remote:
    """
    A URL and the file system that it names.

    Attributes:
        uri: the URL without a password and without a slash at its end.
        system: fsspec's file system.
        path: the URL's path there.
    """

    uri: str
    system: Any
    path: str

    def look(self) -> Found | Failure:
        """Return what is at the URL, or why that cannot be told."""
        try:
            info = self.system.info(self.path)
        except FileNotFoundError:
            return Failure(self.uri, "missing", "Nothing is at this address; check it.")
        except Exception as error:  # noqa: BLE001 - file systems raise what their clients raise
            return Failure(self.uri, "unreachable", _unreachable(error))
        return Found(self.uri, self.uri.rpartition("/")[2], info, info["type"] == "directory")

    def is_there(self, uri: str) -> bool | None:
        """Tell whether anything is at *uri*, which is this one or lies below it; None where that cannot be told."""
        try:
            self.system.info(self.path.rstrip("/") + uri[len(self.uri) :])
        except FileNotFoundError:
            return False
        except Exception:  # noqa: BLE001 - whatever a client raises proves nothing gone, and nothing is deleted for it
            return None
        return True

    def remains(self) -> bool:
        """Tell whether something is there now."""
        return self.is_there(self.uri) is True

    def walk(self, sieve: Sieve) -> Generator[Found | Failure, None, None]:
        """Yield the images and archives below the URL at any depth, by the order of the names' bytes."""
        pending = [self._children(self.uri, self.path)]
        while pending:
            child = next(pending[-1], None)
            if child is None:
                pending.pop()
            elif isinstance(child, Failure):
                yield child
            elif not child.is_folder:
                if not sieve.ignores(child.below):
                    yield child
            elif sieve.enters(child.below + "/"):
                pending.append(self._children(child.uri, child.info["name"]))

    def _children(self, uri: str, path: str) -> Generator[Found | Failure, None, None]:
        try:
            infos = self.system.ls(path, detail=True)
        except Exception as error:  # noqa: BLE001 - as above
            yield Failure(as_utf8(uri), "unreadable", f"The folder cannot be listed ({_told(error)}); run again.")
            return
        infos.sort(key=lambda info: info["name"].encode("utf-8", "surrogateescape"))
        for info in infos:
            name = info["name"].rstrip("/")
            below = name[len(self.path.rstrip("/")) :].lstrip("/")
            if name != path.rstrip("/"):
                yield Found(f"{self.uri}/{below}", below, info, info["type"] == "directory")

    def record(self, found: Found, max_bytes: int) -> ImageRecord | Failure:
        """Return the record of one object."""
        size = _size_of(found.info)
        if size > max_bytes:
            return too_many_bytes(found.uri, size, max_bytes)
        read = partial(self._read, found.info["name"], size, max_bytes)
        return offered(found.uri, size, _mtime_ns_of(found.info), read)

    def container(self, found: Found) -> Container:
        """Return the archive in one object."""
        name = found.info["name"]
        return Container(found.uri, _mtime_ns_of(found.info), partial(self._open, name), partial(self._read_at, name))

    def _open(self, name: str) -> BinaryIO:
        return cast(BinaryIO, self.system.open(name, "rb"))

    def _read(self, name: str, size: int, max_bytes: int) -> bytes:
        if size != UNKNOWN:
            return self._read_at(name, 0, None)
        try:
            with self._open(name) as file:
                data = file.read(max_bytes + 1)
        except Exception as error:
            raise _image_error(error) from error
        if len(data) > max_bytes:
            raise ImageError("too-many-bytes", f"It has more bytes than the limit of {max_bytes:,}; shrink it.")
        return data

    def _read_at(self, name: str, offset: int, size: int | None) -> bytes:
        try:
            end = None if size is None else offset + size
            data: bytes = self.system.cat_file(name, start=offset or None, end=end)
        except Exception as error:
            raise _image_error(error) from error
        return data


def connect(url: str) -> Remote | Failure:
    """
    Return the file system behind *url*, or why there can be none; some sign in at once, most ask nothing yet.

    Raises:
        ConfigError: a package is missing.
    """
    scheme = url.partition("://")[0].lower()
    extra = "s3" if scheme in ("s3", "s3a") else "remote"
    try:
        from fsspec.core import url_to_fs  # noqa: PLC0415, TID251 - an extra; its one door

        system, path = url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        advice = how_to_install(extra)
        raise ConfigError(f"{scheme}:// needs a package that is not installed ({error}): {advice}") from error
    except ValueError as error:
        return Failure(public(url), "bad-address", f"This address cannot be used ({_told(error)}); check it.")
    except Exception as error:  # noqa: BLE001 - as above; some sign in here
        return Failure(public(url), "unreachable", _unreachable(error))
    return Remote(public(url), system, path)


def public(url: str) -> str:
    """Return *url* as it names images: without a password, on the web without a user, and with its slashes in order."""
    scheme, _, rest = _PASSWORD.sub(r"\1@", _WEB.sub(r"\1", url)).partition("://")
    return f"{scheme}://{rest.lstrip('/').rstrip('/')}"


def _size_of(info: Info) -> int:
    size = info.get("size")
    return size if isinstance(size, int) else UNKNOWN


def _mtime_ns_of(info: Info) -> int:
    """Return the modification time in nanoseconds, however the file system tells it."""
    told = next((info[key] for key in _TIMES if info.get(key) is not None), None)
    try:
        if isinstance(told, str):
            told = datetime.fromisoformat(told.replace("Z", "+00:00"))
        seconds = told.timestamp() if isinstance(told, datetime) else told
        return UNKNOWN if seconds is None else round(seconds * 1_000_000) * 1000
    except (TypeError, ValueError, OverflowError):
        return UNKNOWN


def _image_error(error: Exception) -> ImageError:
    if isinstance(error, FileNotFoundError):
        return ImageError("vanished", "It was there a moment ago and is not now; run again if it comes back.")
    return ImageError("unreadable", f"It cannot be read ({_told(error)}); check access and run again.")


def _unreachable(error: Exception) -> str:
    return f"It cannot be reached ({_told(error)}); check address and access."


def _told(error: Exception) -> str:
    return as_utf8(_SIGN_IN.sub("", " ".join(str(error).split()))) or type(error).__name__
