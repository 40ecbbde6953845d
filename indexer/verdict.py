"""Pure policy: what an image becomes, given what lies near it. No store, no threads, no state."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from indexer import metric
from indexer.candidate import Candidate
from indexer.confirm import Confirm
from indexer.records import UNKNOWN, Entry, ImageRecord, Look, Lookalike, Match, Outcome, Picture, Settings, Verdict

MOST_LOOKS = 100
"""At most this many of the nearest originals get a second look beside an image; a series may be of any length."""


@dataclass(frozen=True, slots=True)
class Rule:
    """
    Who is a copy among those within the radius: all, unless there is a *confirm* that takes a second look.

    Attributes:
        confirm: compares two thumbnails; None where the radius alone decides.
        inner_radius: Euclidean; strictly within it, no second look is needed.
        min_score: a look with at least this score confirms.
        max_changed: unless a larger share of the picture shows something in one of the two only.
        most_looks: when so many originals, the nearest, are refuted, the image is a copy of none.

    """

    confirm: Confirm | None = None
    inner_radius: float = 0.0
    min_score: float = 0.0
    max_changed: float = 1.0
    most_looks: int = MOST_LOOKS

    @property
    def reach(self) -> int:
        """How many originals, the nearest, can matter to an image; one more than are looked at, to tell of a rest."""
        return self.most_looks + 1 if self.confirm else 1

    @classmethod
    def of(cls, settings: Settings, confirm: Confirm) -> Rule:
        """Return the rule of a collection."""
        looking = confirm if settings.second_look else None
        return cls(looking, settings.inner_radius, settings.min_score, settings.max_changed)

    def confirmed_by(self, look: Look) -> bool:
        """Return whether *look* makes a copy."""
        return look.score >= self.min_score and look.changed <= self.max_changed


RADIUS_ALONE = Rule()


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where an image belongs: to an *original*, or to none; the rest as in Entry.

    Where it is *cut*, there were more originals within the radius than the rule looks at.
    """

    original: str | None = None
    distance: float | None = None
    look: Look | None = None
    lookalike: Lookalike | None = None
    cut: bool = False


def place_among(matches: Iterable[Match], thumbnail: bytes, rule: Rule) -> Place:
    """Return the place of an image: the nearest match (ties by URI) decides, of those that *rule* confirms."""
    lookalike: Lookalike | None = None
    for looks, match in enumerate(sorted(matches, key=lambda match: (match.distance, match.uri))):
        if rule.confirm is None or metric.inside(match.distance, rule.inner_radius):
            return Place(match.uri, match.distance)
        if looks == rule.most_looks:
            return Place(lookalike=lookalike, cut=True)
        look = rule.confirm(thumbnail, match.thumbnail)
        if rule.confirmed_by(look):
            return Place(match.uri, match.distance, look)
        lookalike = lookalike or Lookalike(match.uri, match.distance, look.score, look.changed)
    return Place(lookalike=lookalike)


def group_of(twin: Entry) -> Place:
    """Return the place of an image with the same bytes as *twin*: no look is needed to tell that they agree."""
    return Place(twin.original or twin.uri, twin.distance or 0.0, twin.look)


def is_untouched(known: Entry, record: ImageRecord) -> bool:
    """Return whether size and modification time prove that the file is the one that was indexed."""
    if record.described and record.described.sha256 != known.sha256:
        return False
    return record.mtime_ns != UNKNOWN and (record.size, record.mtime_ns) == (known.size, known.mtime_ns)


def entry_for(candidate: Candidate, picture: Picture, place: Place, *, exact: bool) -> Entry:
    """Return the row of a judged image."""
    return Entry(
        uri=candidate.uri,
        sha256=candidate.sha256,
        size=candidate.size,
        mtime_ns=candidate.record.mtime_ns,
        width=picture.width,
        height=picture.height,
        format=picture.format,
        original=place.original,
        distance=place.distance,
        exact=exact,
        descriptor=picture.descriptor,
        thumbnail=picture.thumbnail,
        look=place.look,
        lookalike=place.lookalike,
    )


def verdict_on(entry: Entry, *, unchanged: bool = False, truncated: bool = False) -> Verdict:
    """Return the report row of an *entry*."""
    outcome = Outcome.UNIQUE if entry.is_original else Outcome.COPY
    look, lookalike = entry.look, entry.lookalike
    return Verdict(
        uri=entry.uri,
        outcome=Outcome.UNCHANGED if unchanged else outcome,
        original=entry.original,
        distance=entry.distance,
        exact=entry.exact,
        width=entry.width,
        height=entry.height,
        size=entry.size,
        sha256=entry.sha256,
        truncated=truncated,
        score=look.score if look else None,
        scale=look.scale if look else None,
        shift=look.shift if look else None,
        mirrored=look.mirrored if look else None,
        changed=look.changed if look else None,
        lookalike=lookalike.uri if lookalike else None,
        lookalike_distance=lookalike.distance if lookalike else None,
        lookalike_score=lookalike.score if lookalike else None,
        lookalike_changed=lookalike.changed if lookalike else None,
    )
