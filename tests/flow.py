"""Small real flows for the property tests: an image is its descriptor's bytes, the rest is the product's code."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from indexer import metric, pipeline
from indexer.candidate import Candidate
from indexer.errors import ImageError
from indexer.jobs.sweep import Sweep, SweepPolicy, SweepSummary
from indexer.records import UNKNOWN, Entry, ImageRecord, Look, Lookalike, Picture, Settings, Verdict
from indexer.sources import Sighted
from indexer.stages import Stages, Stopwatch
from indexer.store.base import Store
from indexer.store.memory import MemoryStore
from indexer.stream import Limits
from indexer.verdict import Place, Rule

RADIUS = 0.01
SETTINGS = Settings("test", 2, RADIUS)
"""A collection in which the radius alone decides."""

LOOKING = Settings("test", 2, RADIUS, second_look=True, inner_radius=0.005, min_score=0.75)
"""A collection with a second look: one step of the grid needs none, two steps and the diagonal need one."""

LOOKING_ONCE = replace(LOOKING, method="once")
"""Likewise, but of each image's neighbours only the nearest is looked at."""


@dataclass(frozen=True)
class Image:
    """
    A picture at a point of a grid of 0.004.

    Its *face* is all that a second look sees. *version* changes the bytes only; *broken* ones cannot be decoded.
    """

    name: str
    x: int
    y: int
    version: int = 0
    broken: bool = False
    face: int = 0

    @property
    def data(self) -> bytes:
        """Return the bytes of the file."""
        return f"{self.x},{self.y},{self.version},{self.face},{'broken' if self.broken else ''}".encode()

    def record(self, reads: list[str] | None, *, timed: bool) -> ImageRecord:
        """Return it as a source would offer it, with a modification time or without, noting each read in *reads*."""

        def read() -> bytes:
            if reads is not None:
                reads.append(self.name)
            return self.data

        stamp = int(hashlib.sha256(self.data).hexdigest()[:12], 16) if timed else UNKNOWN
        return ImageRecord(self.name, len(self.data), stamp, read)


def compare(new: bytes, original: bytes) -> Look:
    """Stand in for the second look: neighbouring faces agree just enough, so that agreement is not transitive."""
    mine, theirs = int(new), int(original)
    return Look(1 - abs(mine - theirs) / 4, 1 + mine / 8, (mine / 2, theirs / 2), mirrored=mine > theirs)


def rule_of(settings: Settings) -> Rule:
    """Return the rule of a collection of points."""
    rule = Rule.of(settings, compare)
    return replace(rule, most_looks=1) if settings == LOOKING_ONCE else rule


class PointStages(Stages):
    """The product's stages, except that bytes are read as a point and a face instead of being decoded and encoded."""

    __slots__ = ()

    def describe(self, candidate: Candidate) -> Candidate:
        """See Stages.describe."""
        if candidate.twin:
            return Stages.describe(self, candidate)
        x, y, _, face, broken = (candidate.data or b"").decode().split(",")
        if broken:
            raise ImageError("corrupt", "it is broken; mend it")
        vector = np.array([int(x), int(y)], np.float32) * np.float32(0.004)
        return replace(
            candidate, data=None, picture=Picture(1, 1, "POINT", vector, face.encode() if self.rule.confirm else b"")
        )


def run(store: Store, images: Iterable[Image], limits: Limits, reads: list[str] | None = None) -> list[Verdict]:
    """
    Ingest *images* into *store*.

    A name that comes with two contents is no file; only values handed over in memory can do that, without a time.
    """
    images = list(images)
    timed = len({image.name for image in images}) == len({(image.name, image.data) for image in images})
    rule = rule_of(store.settings)
    stages = PointStages(store, encoder=None, clock=Stopwatch(), max_pixels=1, rule=rule)  # type: ignore[arg-type]
    return list(pipeline.ingest((image.record(reads, timed=timed) for image in images), stages, limits))


def rows(store: MemoryStore) -> dict[str, tuple[Entry, bytes, bytes]]:
    """Return everything that *store* holds, comparable."""
    both = [uri for uri in store._originals if uri in store._copies]
    assert not both, f"in both partitions: {both}"
    return {e.uri: (e, e.descriptor.tobytes(), e.thumbnail) for e in store.entries()}


def check_groups(store: MemoryStore) -> None:
    """Assert laws 3 and 5: a copy names a stored original, not itself, lies where it says, inside, is confirmed."""
    kept = store.settings
    entries = {entry.uri: entry for entry in store.entries()}
    for copy in (entry for entry in entries.values() if entry.original):
        original = entries[copy.original]
        distance = metric.distances(copy.descriptor, original.descriptor[None])[0]
        assert original.is_original
        assert copy.uri != original.uri
        assert copy.distance == distance < RADIUS
        if kept.second_look and distance >= kept.inner_radius:
            assert copy.look == compare(copy.thumbnail, original.thumbnail)
            assert copy.look.score >= kept.min_score
        else:
            assert copy.look is None


@dataclass(slots=True)
class Disk:
    """
    A folder `disk` of images by name, one of which stays; it may be *gone*, and a pass over it may be cut short.

    An image whose name is in *hidden* is there, but no pass offers it.
    """

    files: dict[str, Image] = field(default_factory=lambda: {"disk/~": Image("disk/~", 99, 99)})
    hidden: set[str] = field(default_factory=set)

    def do(self, edits: Iterable[Edit]) -> None:
        """Write an image, delete a name, or give an image another name."""
        for edit in edits:
            if isinstance(edit, Image):
                self.files[edit.name] = edit
            elif isinstance(edit, str):
                self.files.pop(edit, None)
            elif edit[0] in self.files:
                self.files[edit[1]] = replace(self.files.pop(edit[0]), name=edit[1])

    def _is_there(self, uri: str) -> bool:
        return uri in self.files or (uri == "disk" and bool(self.files))

    def sighted(self, seen: Iterable[str], *, ended: bool = True) -> Sighted:
        """Return what a pass leaves behind that saw these names."""
        sighted = Sighted()
        root = sighted.root("disk", self._is_there, lambda: bool(self.files))
        root.ended = ended
        for uri in seen:
            sighted.note(uri, readable=uri in self.files and not self.files[uri].broken)
            root.offers += 1
        return sighted


Edit = Image | str | tuple[str, str]
"""An image to write, a name to delete, or a name and its new one."""

TIDY = SweepPolicy(grace_s=0, at_most_share=1.0)
"""What is gone is removed at once, however much it is."""


def night(store: Store, disk: Disk, limits: Limits, policy: SweepPolicy = TIDY, now_ns: int = 1) -> SweepSummary:
    """Ingest what is on *disk* into *store*, in the order of names, then sweep."""
    images = [disk.files[name] for name in sorted(disk.files) if name not in disk.hidden]
    verdicts = run(store, images, limits)
    return sweep(store, disk.sighted(verdict.uri for verdict in verdicts), policy, now_ns)


def sweep(
    store: Store, sighted: Sighted, policy: SweepPolicy = TIDY, now_ns: int = 1, *, complete: bool = True
) -> SweepSummary:
    """Sweep *store* after a pass that left *sighted* behind."""
    rule = rule_of(store.settings)
    return Sweep(store, rule, sighted, policy, now_ns=now_ns, complete=complete)()


class Killed(BaseException):
    """Stands for SIGKILL: no handler of the product may see it."""


class DyingStore(MemoryStore):
    """A store that dies before its n-th write; of one put, each row is a write, the originals first."""

    def __init__(self, kept: Settings) -> None:
        super().__init__(kept)
        self.left = -1
        self.written = 0

    def copy(self, dies_after: int = -1) -> DyingStore:
        """Return a store with the same rows that does so many writes more; -1 for any number."""
        made = DyingStore(self.settings)
        made._originals, made._copies, made.left = dict(self._originals), dict(self._copies), dies_after
        return made

    def _write(self) -> None:
        if self.left == 0:
            raise Killed
        self.left -= 1
        self.written += 1

    def put(self, entries: Sequence[Entry]) -> None:
        """See Store.put."""
        for entry in sorted(entries, key=lambda entry: not entry.is_original):
            self._write()
            super().put([entry])

    def remove(self, uris: Sequence[str], *, originals: bool) -> None:
        """See Store.remove; each row is a write."""
        for uri in uris:
            self._write()
            super().remove([uri], originals=originals)


def told(verdict: Verdict) -> tuple[str, Place]:
    """Return the outcome of *verdict* and where the image belongs, comparable with the oracle's."""
    look, lookalike = None, None
    if verdict.score is not None:
        assert verdict.scale is not None
        assert verdict.shift is not None
        look = Look(verdict.score, verdict.scale, verdict.shift, bool(verdict.mirrored))
    if verdict.lookalike is not None:
        lookalike = Lookalike(verdict.lookalike, verdict.lookalike_distance or 0.0, verdict.lookalike_score or 0.0)
    return verdict.outcome.value, Place(verdict.original, verdict.distance, look, lookalike, verdict.truncated)


class Oracle:
    """The laws read aloud: one image at a time, brute force, no batches; what the product must agree with."""

    def __init__(self, settings: Settings = SETTINGS) -> None:
        self.settings = settings
        self.state: dict[str, tuple[Image, Place]] = {}

    def see(self, image: Image) -> tuple[str, Place]:
        """Return the outcome of *image*, and where it belongs."""
        known = self.state.get(image.name)
        if known and known[0].data == image.data:
            return "unchanged", replace(known[1], cut=False)
        if image.broken:
            return "rejected", Place()
        orphans = sorted(
            (place.distance, hashlib.sha256(copy.data).hexdigest(), name)
            for name, (copy, place) in self.state.items()
            if place.original == image.name
        )
        self.state.pop(image.name, None)
        for *_, name in orphans:
            orphan = self.state.pop(name)[0]
            others = [self.state[other] for *_, other in orphans if other in self.state]
            rehomed = [row for row in others if row[1].original != image.name]
            self.state[name] = (orphan, self._home(orphan, rehomed))
        place = self._home(image, list(self.state.values()))
        self.state[image.name] = (image, place)
        return ("copy" if place.original else "unique"), place

    def _home(self, image: Image, holders: Sequence[tuple[Image, Place]]) -> Place:
        twins = [
            (place.distance or 0.0, place.original or twin.name, place.look)
            for twin, place in holders
            if twin.data == image.data
        ]
        if twins:
            distance, original, look = min(twins, key=lambda twin: twin[:2])
            return Place(original, distance, look)
        originals = [other for other, place in self.state.values() if place.original is None]
        near = sorted((self._distance(image, other), other.name, other.face) for other in originals)
        refuted = None
        for distance, name, face in near:
            if distance >= RADIUS:
                break
            if not self.settings.second_look or distance < self.settings.inner_radius:
                return Place(name, distance)
            look = compare(b"%d" % image.face, b"%d" % face)
            if abs(image.face - face) <= 1:
                return Place(name, distance, look)
            if self.settings == LOOKING_ONCE:
                more = len([row for row in near if row[0] < RADIUS]) > 1
                return Place(lookalike=Lookalike(name, distance, look.score), cut=more)
            refuted = refuted or Lookalike(name, distance, look.score)
        return Place(lookalike=refuted)

    @staticmethod
    def _distance(one: Image, other: Image) -> float:
        points = np.array([[one.x, one.y], [other.x, other.y]], np.float32) * np.float32(0.004)
        return float(metric.distances(points[0], points[1:])[0])
