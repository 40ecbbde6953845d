"""
The central values that flow through Twinlens; numpy only.

Distances here are always Euclidean (never squared), sizes are bytes, times are nanoseconds since the epoch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float32]
"""A descriptor, float32 of shape (D,)."""

Matrix = npt.NDArray[np.float32]
"""Descriptors, float32 of shape (N, D)."""

UNKNOWN = -1
"""A size or modification time that the source does not tell."""

URI_MAX_BYTES = 8192
"""The longest URI in UTF-8 that a collection can hold."""

THUMBNAIL_MAX_BYTES = 6144
"""The longest thumbnail that a collection can hold."""


class Outcome(str, Enum):
    """What became of one image."""

    UNIQUE = "unique"
    COPY = "copy"
    REJECTED = "rejected"
    UNCHANGED = "unchanged"


def entry_id(uri: str) -> str:
    """Return the primary key of *uri*: 32 hexadecimal digits, stable for ever."""
    return hashlib.sha256(uri.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Picture:
    """
    What decoding and encoding gave: size in pixels after orientation, Pillow's format name, float32 (D,).

    The thumbnail is empty where no second look is taken.
    """

    width: int
    height: int
    format: str
    descriptor: Vector = field(repr=False, compare=False)
    thumbnail: bytes = field(default=b"", repr=False, compare=False)

    @classmethod
    def of(cls, entry: Entry) -> Picture:
        """Return the picture of an *entry*: equal bytes give an equal picture."""
        return cls(entry.width, entry.height, entry.format, entry.descriptor, entry.thumbnail)


@dataclass(frozen=True, slots=True)
class Described:
    """What was found out elsewhere about an image: the *sha256* of its bytes, and its *picture*."""

    sha256: str
    picture: Picture


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """
    One image that a source offers, not read yet.

    Attributes:
        uri: its stable name, valid UTF-8: a real path, `archive.tar!/member`, or a URL.
        size: bytes, or UNKNOWN.
        mtime_ns: modification time of the file (for a member: of its archive) in nanoseconds, or UNKNOWN.
        read: returns the bytes; may be called from any thread, after the source has moved on; raises ImageError.
        held: bytes that this record already keeps in memory (members of streams that cannot be read twice).
        described: what is known of it without reading it; then `read` is never called.

    """

    uri: str
    size: int
    mtime_ns: int
    read: Callable[[], bytes] = field(repr=False, compare=False)
    held: int = 0
    described: Described | None = field(default=None, repr=False, compare=False)

    @property
    def settled(self) -> bool:
        """Nothing is known of a record yet."""
        return False

    @property
    def far(self) -> bool:
        """Whether to read it is to wait for another machine: it is named by a URL, and not in memory already."""
        return "://" in self.uri and not self.held and self.described is None


@dataclass(frozen=True, slots=True)
class Failure:
    """One image that was rejected: *kind* is a stable word, *reason* a sentence with the way out."""

    uri: str
    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class Look:
    """
    What a second look at two pictures found.

    Attributes:
        score: how well they agree where they overlap best, at most 1.
        scale: how much larger things are in the new picture than in the original.
        shift: where the centre of the picture that lies within the other is, from the other's centre: x and y as shares
            of the other's width and height. Of a mirrored picture, after it was mirrored back.
        mirrored: whether it shows the original mirrored.
        changed: share of the picture in which one of the two shows something that the other one lacks, 0 to 1.

    """

    score: float
    scale: float
    shift: tuple[float, float]
    mirrored: bool
    changed: float = 0.0


@dataclass(frozen=True, slots=True)
class Lookalike:
    """
    An original within the radius that a second look refuted.

    Attributes:
        uri: the original.
        distance: Euclidean.
        score: see Look, as the next one.
        changed: likewise; above 0 only where it was refuted for that, or because something had moved.

    """

    uri: str
    distance: float
    score: float
    changed: float = 0.0


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One row of the collection: an image that was read and judged.

    Attributes:
        uri: its stable name; `id` is derived from it.
        sha256: of the file's bytes, 64 hexadecimal digits.
        size: bytes.
        mtime_ns: as in ImageRecord.
        width: pixels, after EXIF orientation, of the full image.
        height: likewise.
        format: Pillow's name of the format, such as `JPEG`.
        original: URI of the group's original; None when this entry is an original itself.
        distance: Euclidean distance to that original; None for an original.
        exact: whether the bytes equal those of an entry that was there before.
        descriptor: float32 (D,).
        thumbnail: what a second look compares; empty where the collection is without one, and where an entry was
            read without it (see Store).
        look: what confirmed a copy; None where none was needed.
        lookalike: the nearest original that was refuted, for an original; None where there was none.
        missing_since: when a sweep first found that the file is gone, nanoseconds since the epoch; None while it is
            there.

    """

    uri: str
    sha256: str
    size: int
    mtime_ns: int
    width: int
    height: int
    format: str
    original: str | None
    distance: float | None
    exact: bool
    descriptor: Vector = field(repr=False, compare=False)
    thumbnail: bytes = field(default=b"", repr=False, compare=False)
    look: Look | None = None
    lookalike: Lookalike | None = None
    missing_since: int | None = None

    @property
    def id(self) -> str:
        """The primary key."""
        return entry_id(self.uri)

    @property
    def is_original(self) -> bool:
        """Whether this entry leads a group (perhaps of one)."""
        return self.original is None


@dataclass(frozen=True, slots=True)
class Head:
    """What a sweep needs to know of an Entry; the fields are the entry's."""

    uri: str
    sha256: str
    original: str | None
    missing_since: int | None


@dataclass(frozen=True, slots=True)
class Group:
    """
    An original that has copies.

    Attributes:
        uri: the original.
        original: its entry; None where that is not there.
        copies: nearest first; as the original, without thumbnails.
        there: of each of these by URI, whether its file is there at this moment, as it was indexed; see Verdict.

    """

    uri: str
    original: Entry | None
    copies: tuple[Entry, ...]
    there: Mapping[str, bool | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Match:
    """An original within the radius, at a Euclidean *distance* computed in float64, with its *thumbnail*."""

    uri: str
    distance: float
    thumbnail: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Hits:
    """All originals within the radius of one descriptor, nearest first (ties by URI); *truncated* if not all."""

    matches: tuple[Match, ...]
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    What was found out about one image; one row of a report.

    Attributes:
        uri: the image.
        outcome: see Outcome.
        original: URI of the original it is a copy of (also for an unchanged copy).
        distance: Euclidean distance to that original.
        exact: whether the bytes equal an earlier entry's.
        kind: for a rejected image, the stable word for counting.
        reason: for a rejected image, the sentence.
        width: pixels, or None when it was not decoded.
        height: likewise.
        size: bytes.
        sha256: of the bytes, or None when they were not read.
        truncated: whether more originals lie within the radius than are looked at; the nearest ones were refuted.
        score: how well a copy's picture agrees with its original's; None where no second look was needed.
        scale: see Look; None without one, as the next two.
        shift: likewise.
        mirrored: likewise.
        changed: likewise.
        lookalike: URI of the nearest original that a second look refuted, for an image that is no copy.
        lookalike_distance: Euclidean distance to it.
        lookalike_score: its score.
        lookalike_changed: see Lookalike.
        original_missing_since: for a copy, since when the original's file is gone, as a sweep found.
        original_is_there: for a copy, whether the original's file was there, as it was indexed, when the verdict was
            given; False where it was gone; None where no direct look tells (addresses, members of an archive that is
            there, names that a program gave), the file has another size or time by now, or it is the copy itself under
            another name (a folder mounted twice, hard links).

    """

    uri: str
    outcome: Outcome
    original: str | None = None
    distance: float | None = None
    exact: bool = False
    kind: str | None = None
    reason: str | None = None
    width: int | None = None
    height: int | None = None
    size: int | None = None
    sha256: str | None = None
    truncated: bool = False
    score: float | None = None
    scale: float | None = None
    shift: tuple[float, float] | None = None
    mirrored: bool | None = None
    changed: float | None = None
    lookalike: str | None = None
    lookalike_distance: float | None = None
    lookalike_score: float | None = None
    lookalike_changed: float | None = None
    original_missing_since: int | None = None
    original_is_there: bool | None = None

    def as_row(self) -> dict[str, Any]:
        """Return the verdict as a flat dictionary that JSON can hold."""
        names = self.__dataclass_fields__
        return {name: getattr(self, name) for name in names} | {"outcome": self.outcome.value}


@dataclass(frozen=True, slots=True)
class Settings:
    """
    What is stamped on a collection when it is made and never changes.

    Attributes:
        fingerprint: names the encoder, its weights and its preprocessing.
        dim: D, the length of a descriptor.
        radius: Euclidean; an image's distance to its original is strictly below it.
        second_look: whether a look at the pictures must confirm that; else the radius alone decides.
        inner_radius: Euclidean; strictly below it, no second look is needed.
        min_score: a second look with at least this score confirms.
        max_changed: unless a larger share of the picture shows something in one of the two only; 1 lets all pass.
        method: names how thumbnails are made and compared; empty without a second look.

    """

    fingerprint: str
    dim: int
    radius: float
    second_look: bool = False
    inner_radius: float = 0.0
    min_score: float = 0.0
    max_changed: float = 1.0
    method: str = ""

    @property
    def strict(self) -> bool:
        """Whether pictures are no copies where something shows in one of the two only."""
        return self.max_changed < 1


@dataclass(frozen=True, slots=True)
class Counts:
    """How many entries a collection holds."""

    originals: int
    copies: int

    @property
    def total(self) -> int:
        """All entries."""
        return self.originals + self.copies
