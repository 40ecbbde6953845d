"""The one entry to all sources: what a user names becomes records, one after another."""

# ruff: noqa: PTH110, PTH112, PTH113, PTH114, PTH118 (paths stay text: a million of them, some not UTF-8)

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial

from indexer.errors import ImageError, SourceError
from indexer.records import Failure, ImageRecord
from indexer.sources import listing, memory, remote, tarred, zipped
from indexer.sources.ahead import Answer, ask, asked_ahead
from indexer.sources.archive import Container, Offers, Shelf, local_container, only, wanting
from indexer.sources.folder import Walker
from indexer.sources.local import emptied, explained, file_record, holds_something, is_there
from indexer.sources.naming import MEMBER_MARK, as_utf8, without_dots
from indexer.sources.options import TAR_ENDINGS, Sieve, SourceOptions, SourceStats, is_archive
from indexer.sources.sighted import Root

Path = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Selection:
    """A source with patterns of its own, instead of those that hold for all; see SourceOptions."""

    path: Path
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


Item = Path | bytes | tuple[str, bytes] | Selection
"""A path, archive member or URL, perhaps with patterns; an image's bytes; or a name with its image's bytes."""

_LOCAL_URL = "file://"
_STDIN = "-"


def open_sources(
    arguments: Sequence[Path], options: SourceOptions | None = None, stats: SourceStats | None = None
) -> Offers:
    """
    Yield every image that the sources named on a command line offer, lazily and in their order.

    Raises:
        ConfigError: a package or pattern is amiss.
        SourceError: some cannot be read; all of those are named, before anything is read.
    """
    check_sources(arguments)
    return open_items(arguments, options, stats)


def open_items(items: Iterable[Item], options: SourceOptions | None = None, stats: SourceStats | None = None) -> Offers:
    """
    Yield every image that *items* offer, lazily and in their order; *stats* counts what is passed over.

    What is missing is a Failure, so that a long list of paths survives it.

    Raises:
        ConfigError: a package or pattern is amiss.
    """
    options = options or SourceOptions()
    stats = stats or SourceStats()
    if isinstance(items, list | tuple):
        stats.sighted.named = partial(_places, items)
    opener = _Opener(options, Sieve(options, stats))
    return (offer for item, answer in asked_ahead(items, _url_of) for offer in opener.open(item, answer))


def check_sources(arguments: Sequence[Path]) -> None:
    """
    Look whether all sources named on a command line are there.

    Raises:
        ConfigError: a package is missing.
        SourceError: some cannot be read; it names them all.
    """
    texts = map(os.fsdecode, arguments)
    problems = list(filter(None, (_problem(text, answer) for text, answer in asked_ahead(texts, _url_in))))
    if problems:
        raise SourceError(f"cannot read {'; '.join(problems)}; nothing was done")


def counter(arguments: Sequence[Path], options: SourceOptions) -> Callable[[], int] | None:
    """Return a function that counts the images of *arguments* (0: not known), or None where that costs too much."""
    texts = [os.fsdecode(argument) for argument in arguments]
    if any(text == _STDIN or remote.is_url(text) or _compression(text) for text in texts):
        return None
    return lambda: sum(1 for _ in open_items(texts, replace(options, skip_compressed=True)))


def address(text: str) -> str:
    """Return the URI under which the image that a user calls *text* is stored."""
    if _is_far(text):
        return remote.public(text)
    path, member = _split(text.removeprefix(_LOCAL_URL))
    if text.startswith("sha256:") and not os.path.lexists(path):
        return text
    real = _real(path)
    return real if member is None else real + MEMBER_MARK + without_dots(member)


def shown(text: str) -> str:
    """Return what a user calls *text* as it may be shown: without a password."""
    return remote.public(text) if _is_far(text) else text


def _places(items: Iterable[Item]) -> list[str]:
    """Return the URIs of those *items* that name what lies somewhere: no bytes, and not standard input."""
    paths = (item.path if isinstance(item, Selection) else item for item in items)
    texts = (os.fsdecode(path) for path in paths if not isinstance(path, bytes | tuple))
    return [address(text) for text in texts if text != _STDIN and "\0" not in text]


def member_of(uri: str) -> str | None:
    """Return the archive that the image at *uri* lies in; None for a file, and where there is no such archive."""
    if _is_far(uri):
        url, member = _split_url(uri)
        return None if member is None else url
    path, member = _split(uri)
    return None if member is None else path


class _Opener:
    """Opens items one after another; folders that it entered before it does not enter again."""

    def __init__(self, options: SourceOptions, sieve: Sieve) -> None:
        self._options = options
        self._sieve = sieve
        self._sighted = sieve.stats.sighted
        self._walker = Walker(sieve, options.max_bytes, lambda path, below: self._local_archive(path, below, below))
        self._others: dict[tuple[tuple[str, ...], tuple[str, ...]], _Opener] = {}

    def open(self, item: Item, answer: Answer | None) -> Offers:
        """Yield what *item* offers; the *answer* is what is at its URL, if it has one."""
        if isinstance(item, bytes):
            yield memory.from_bytes(item)
        elif isinstance(item, tuple):
            yield memory.named(*item)
        elif isinstance(item, Selection):
            yield from self._with_patterns(item).open(item.path, answer)
        elif (text := os.fsdecode(item)) == _STDIN:
            stream = self._options.stdin or sys.stdin.buffer
            paths = listing.paths(stream, null_separated=self._options.null_separated)
            for path, listed in asked_ahead(paths, _url_in):
                yield from self._named(path, listed)
        else:
            yield from self._named(text, answer)

    def _with_patterns(self, item: Selection) -> _Opener:
        """Return the opener for *item*; sources with the same patterns share one, and so what it met before."""
        key = (item.include, item.exclude)
        if key not in self._others:
            options = replace(self._options, include=item.include, exclude=item.exclude)
            self._others[key] = _Opener(options, Sieve(options, self._sieve.stats))
        return self._others[key]

    def _named(self, text: str, answer: Answer | None) -> Offers:
        """Yield what a path, member or URL offers; a single file is taken whatever its name is."""
        if answer is not None:
            yield from self._url(text, answer)
            return
        if "\0" in text:
            reason = "It holds a NUL byte, as no path does; for a list of paths that end in NUL, pass -0."
            yield Failure(as_utf8(text[:200]), "bad-name", reason)
            return
        path, member = _split(text.removeprefix(_LOCAL_URL))
        real = _real(path)
        if os.path.isdir(path):
            root = self._sighted.root(
                real, is_there, partial(holds_something, real), lru_cache(maxsize=4096)(partial(emptied, real))
            )
            yield from root.follow(self._walker.walk(real))
        elif is_archive(path) and os.path.exists(path):
            offers = self._local_archive(real, path, "", member)
            archive = self._sighted.root(real, is_there, partial(os.path.exists, real)) if member is None else None
            yield from archive.follow(offers) if archive else offers
        elif os.path.exists(path) and member is None:
            yield file_record(real, self._options.max_bytes)
        else:
            yield self._missing(real, member)

    def _missing(self, path: str, member: str | None) -> ImageRecord | Failure:
        """Return the rejection of what is not at *path*: nothing, or a link that leads to nothing."""
        self._sighted.missed(path)
        if member is None and os.path.lexists(path):
            return file_record(path, self._options.max_bytes)
        return Failure(as_utf8(path), "missing", "There is no such file; check the name.")

    def _local_archive(self, path: str, name: str, below: str, member: str | None = None) -> Offers:
        try:
            container = local_container(path)
        except OSError as error:
            yield Failure(as_utf8(path), *explained(error))
            return
        except ImageError as error:
            yield Failure(as_utf8(path), error.kind, str(error))
            return
        yield from self._members(container, name, below, member)

    def _members(self, container: Container, name: str, below: str, member: str | None = None) -> Offers:
        """Yield the images in an archive whose *name* tells its kind, or only one *member*."""
        shelf = Shelf(container, self._sieve, self._options.max_bytes, below and below + "/")
        compression = _compression(name)
        if compression and self._options.skip_compressed:
            return
        if member is not None:
            shelf = wanting(shelf, member)
        offers = zipped.members(shelf) if compression is None else tarred.members(shelf, compression)
        yield from self._sighted.follow_archive(container.uri, offers) if member is None else only(offers, shelf)

    def _url(self, text: str, answer: Answer) -> Offers:
        if isinstance(answer, Failure):
            self._sighted.missed(answer.uri)
            yield answer
            return
        place, found = answer
        _, member = _split_url(text)
        if found.is_folder:
            yield from self._remote_root(place).follow(self._remote_folder(place))
        elif is_archive(found.below):
            offers = self._members(place.container(found), found.below, "", member)
            yield from self._remote_root(place).follow(offers) if member is None else offers
        else:
            yield place.record(found, self._options.max_bytes)

    def _remote_root(self, place: remote.Remote) -> Root:
        return self._sighted.root(place.uri, place.is_there, place.remains)

    def _remote_folder(self, place: remote.Remote) -> Offers:
        for child in place.walk(self._sieve):
            yield from self._remote_child(place, child)

    def _remote_child(self, place: remote.Remote, child: remote.Found | Failure) -> Offers:
        if isinstance(child, Failure):
            yield child
        elif is_archive(child.below):
            if self._sieve.enters(child.below):
                yield from self._members(place.container(child), child.below, child.below)
        elif self._sieve.takes(child.below):
            yield place.record(child, self._options.max_bytes)


def _split(text: str) -> tuple[str, str | None]:
    """Split `archive.tar!/member` where the archive is a file; a path that exists as it stands is no member's."""
    at = text.find(MEMBER_MARK)
    while at >= 0 and not os.path.lexists(text):
        if os.path.isfile(text[:at]):
            return text[:at], text[at + len(MEMBER_MARK) :]
        at = text.find(MEMBER_MARK, at + 1)
    return text, None


def _split_url(text: str) -> tuple[str, str | None]:
    """Split `s3://bucket/archive.tar!/member` behind the first name that is an archive's."""
    at = text.find(MEMBER_MARK)
    while at >= 0 and not is_archive(text[:at]):
        at = text.find(MEMBER_MARK, at + 1)
    return (text, None) if at < 0 else (text[:at], text[at + len(MEMBER_MARK) :])


def _real(path: str) -> str:
    """Return the real path; of a link that leads nowhere, the link's own."""
    if os.path.exists(path) or not os.path.islink(path):
        return os.path.realpath(path)
    folder, name = os.path.split(path)
    return os.path.join(os.path.realpath(folder), name)


def _compression(name: str) -> str | None:
    """Return how the tar archive called *name* is compressed ("" for not at all); None if it is no tar."""
    return next((how for ending, how in TAR_ENDINGS.items() if name.lower().endswith(ending)), None)


def _is_far(text: str) -> bool:
    """Tell whether *text* is the URL of what no path leads to."""
    return remote.is_url(text) and not text.startswith(_LOCAL_URL)


def _url_in(text: str) -> str | None:
    """Return the URL to ask about, without an archive's member; None where *text* is none."""
    return _split_url(text)[0] if _is_far(text) else None


def _url_of(item: Item) -> str | None:
    """Return the same of any item."""
    path = item.path if isinstance(item, Selection) else item
    return None if isinstance(path, bytes | tuple) else _url_in(os.fsdecode(path))


def problem_of(text: str) -> str | None:
    """Return what keeps the source *text* from being read; raises ConfigError when a package is missing."""
    url = _url_in(text)
    return _problem(text, None if url is None else ask(url))


def _problem(text: str, answer: Answer | None) -> str | None:
    """Return the same, when the *answer* is what is at its URL, if it has one."""
    if answer is not None:
        return f"{answer.uri}: {answer.reason.rstrip('.')}" if isinstance(answer, Failure) else None
    if text == _STDIN:
        return None
    path, member = _split(text.removeprefix(_LOCAL_URL))
    if not os.path.exists(path):
        return f"{as_utf8(path)}: there is no such file or folder"
    if member is not None and not is_archive(path):
        return f"{as_utf8(path)}: it is no .tar or .zip archive"
    needed = os.R_OK | os.X_OK if os.path.isdir(path) else os.R_OK
    return None if os.access(path, needed) else f"{as_utf8(path)}: permission denied"
