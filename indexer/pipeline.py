"""
The product on one page: records flow in, verdicts flow out, in the same order.

    records ─ look up ─ read ─ find twins ─ decode + encode ─ judge ─ verdicts
              (batch)  (threads)  (batch)      (threads)      (batch)

Nothing here knows how a stage works, nothing in a stage knows how it is run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from indexer.candidate import Candidate
from indexer.errors import ImageError
from indexer.judge import Judge
from indexer.records import Failure, ImageRecord, Verdict
from indexer.stages import Stages
from indexer.stream import Limits, each, in_batches, rejected

Decision = Callable[[Sequence[Candidate]], list[Verdict]]


def ingest(records: Iterable[ImageRecord | Failure], stages: Stages, limits: Limits) -> Iterator[Verdict]:
    """Yield the verdict on each record, in order; a yielded verdict is stored."""
    judge = Judge(stages.store, stages.rule)

    def judged(candidates: Sequence[Candidate]) -> list[Verdict]:
        with stages.clock("judge"):
            verdicts = judge(candidates)
        return stages.told_of_originals(verdicts, judge.is_new_copy)

    yield from _flow(records, replace(stages, written=lambda: judge.batches), judged, limits)


def query(records: Iterable[ImageRecord | Failure], stages: Stages, limits: Limits) -> Iterator[Verdict]:
    """Yield the verdict that each record would get on its own; nothing is written."""
    yield from _flow(records, stages, stages.answer, limits)


def encode(records: Iterable[ImageRecord | Failure], stages: Stages, limits: Limits) -> Iterator[Candidate | Verdict]:
    """Yield each record with its picture, or its rejection, in order; nothing is looked up, judged or written."""
    offered = (_offered(record) for record in records)
    candidates = (record if isinstance(record, Verdict) else Candidate(record) for record in offered)
    was_read = _read(candidates, stages, limits)
    yield from each(stages.describe, was_read, limits, workers=limits.workers)


def _flow(
    records: Iterable[ImageRecord | Failure], stages: Stages, decide: Decision, limits: Limits
) -> Iterator[Verdict]:
    offered = (_offered(record) for record in records)
    looked_up = in_batches(stages.look_up, offered, limits)
    was_read = _read(looked_up, stages, limits)
    paired = in_batches(stages.find_twins, was_read, limits)
    described = each(stages.describe, paired, limits, workers=limits.workers)
    yield from in_batches(decide, described, limits)


def _read(candidates: Iterable[Candidate | Verdict], stages: Stages, limits: Limits) -> Iterator[Candidate | Verdict]:
    return each(stages.read, candidates, limits, workers=limits.readers, far_workers=limits.far_readers)


def _offered(record: ImageRecord | Failure) -> ImageRecord | Verdict:
    if isinstance(record, Failure):
        return rejected(record.uri, ImageError(record.kind, record.reason))
    return record
