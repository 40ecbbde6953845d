"""Pure policy: what an image becomes, given what lies near it. No store, no threads, no state."""

from __future__ import annotations

from collections.abc import Iterable

from indexer.candidate import Candidate, Picture
from indexer.records import UNKNOWN, Entry, ImageRecord, Match, Outcome, Verdict


def nearest(matches: Iterable[Match]) -> Match | None:
    """Return the match that decides: the nearest, of equally near ones the first by URI."""
    return min(matches, key=lambda match: (match.distance, match.uri), default=None)


def group_of(twin: Entry) -> Match:
    """Return the original that an image with the same bytes as *twin* is a copy of."""
    return Match(twin.original or twin.uri, twin.distance or 0.0)


def is_untouched(known: Entry, record: ImageRecord) -> bool:
    """Return whether size and modification time prove that the file is the one that was indexed."""
    return record.mtime_ns != UNKNOWN and (record.size, record.mtime_ns) == (known.size, known.mtime_ns)


def entry_for(candidate: Candidate, picture: Picture, match: Match | None, *, exact: bool) -> Entry:
    """Return the row of a judged image: an original without *match*, else a copy."""
    return Entry(
        uri=candidate.uri,
        sha256=candidate.sha256,
        size=candidate.size,
        mtime_ns=candidate.record.mtime_ns,
        width=picture.width,
        height=picture.height,
        format=picture.format,
        original=match.uri if match else None,
        distance=match.distance if match else None,
        exact=exact,
        descriptor=picture.descriptor,
    )


def verdict_on(entry: Entry, *, unchanged: bool = False, truncated: bool = False) -> Verdict:
    """Return the report row of an *entry*."""
    outcome = Outcome.UNIQUE if entry.is_original else Outcome.COPY
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
    )
