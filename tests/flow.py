"""Small real flows for the property tests: an image is its descriptor's bytes, the rest is the product's code."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from indexer import metric, pipeline
from indexer.candidate import Candidate, Picture
from indexer.errors import ImageError
from indexer.records import UNKNOWN, Entry, ImageRecord, Settings, Verdict
from indexer.stages import Stages, Stopwatch
from indexer.store.base import Store
from indexer.store.memory import MemoryStore
from indexer.stream import Limits

RADIUS = 0.01
SETTINGS = Settings("test", 2, RADIUS)


@dataclass(frozen=True)
class Image:
    """A picture at a point of a grid of 0.004; *broken* ones cannot be decoded; *version* changes the bytes only."""

    name: str
    x: int
    y: int
    version: int = 0
    broken: bool = False

    @property
    def data(self) -> bytes:
        """Return the bytes of the file."""
        return f"{self.x},{self.y},{self.version},{'broken' if self.broken else ''}".encode()

    def record(self, reads: list[str] | None, *, timed: bool) -> ImageRecord:
        """Return it as a source would offer it, with a modification time or without, noting each read in *reads*."""

        def read() -> bytes:
            if reads is not None:
                reads.append(self.name)
            return self.data

        stamp = int(hashlib.sha256(self.data).hexdigest()[:12], 16) if timed else UNKNOWN
        return ImageRecord(self.name, len(self.data), stamp, read)


class PointStages(Stages):
    """The product's stages, except that bytes are read as a point instead of being decoded and encoded."""

    __slots__ = ()

    def describe(self, candidate: Candidate) -> Candidate:
        """See Stages.describe."""
        if candidate.twin:
            return Stages.describe(self, candidate)
        x, y, _, broken = (candidate.data or b"").decode().split(",")
        if broken:
            raise ImageError("corrupt", "it is broken; mend it")
        vector = np.array([int(x), int(y)], np.float32) * np.float32(0.004)
        return replace(candidate, data=None, picture=Picture(1, 1, "POINT", vector))


def run(store: Store, images: Iterable[Image], limits: Limits, reads: list[str] | None = None) -> list[Verdict]:
    """
    Ingest *images* into *store*.

    A name that comes with two contents is no file; only values handed over in memory can do that, without a time.
    """
    images = list(images)
    timed = len({image.name for image in images}) == len({(image.name, image.data) for image in images})
    stages = PointStages(store, encoder=None, clock=Stopwatch(), max_pixels=1)  # type: ignore[arg-type]
    return list(pipeline.ingest((image.record(reads, timed=timed) for image in images), stages, limits))


def rows(store: MemoryStore) -> dict[str, tuple[Entry, bytes, bool]]:
    """Return everything that *store* holds, comparable."""
    both = [uri for uri in store._originals if uri in store._copies]
    assert not both, f"in both partitions: {both}"
    return {e.uri: (e, e.descriptor.tobytes(), e.is_original) for e in store.entries()}


class Oracle:
    """The laws read aloud: one image at a time, brute force, no batches; what the product must agree with."""

    def __init__(self) -> None:
        self.state: dict[str, tuple[Image, str | None, float | None]] = {}

    def see(self, image: Image) -> tuple[str, str | None, float | None]:
        """Return outcome, original and distance of *image*."""
        known = self.state.get(image.name)
        if known and known[0].data == image.data:
            return "unchanged", known[1], known[2]
        if image.broken:
            return "rejected", None, None
        orphans = sorted(
            (distance, hashlib.sha256(copy.data).hexdigest(), name)
            for name, (copy, original, distance) in self.state.items()
            if original == image.name
        )
        self.state.pop(image.name, None)
        for *_, name in orphans:
            orphan = self.state.pop(name)[0]
            others = [self.state[other] for *_, other in orphans if other in self.state]
            rehomed = [row for row in others if row[1] != image.name]
            self.state[name] = (orphan, *self._home(orphan, rehomed))
        original, distance = self._home(image, list(self.state.values()))
        self.state[image.name] = (image, original, distance)
        return ("copy" if original else "unique"), original, distance

    def _home(
        self, image: Image, holders: Sequence[tuple[Image, str | None, float | None]]
    ) -> tuple[str | None, float | None]:
        twins = [row for row in holders if row[0].data == image.data]
        if twins:
            return min((row[2] or 0.0, row[1] or row[0].name) for row in twins)[::-1]
        originals = [row[0] for row in self.state.values() if row[1] is None]
        near = [(self._distance(image, other), other.name) for other in originals]
        inside = [(distance, name) for distance, name in near if distance < RADIUS]
        return min(inside)[::-1] if inside else (None, None)

    @staticmethod
    def _distance(one: Image, other: Image) -> float:
        points = np.array([[one.x, one.y], [other.x, other.y]], np.float32) * np.float32(0.004)
        return float(metric.distances(points[0], points[1:])[0])
