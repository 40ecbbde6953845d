"""Descriptors made elsewhere are judged as the images that they were made of."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import tables
from flow import LOOKING, SETTINGS, Image, compare, run
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer import pipeline
from indexer.confirm import thumbnail
from indexer.exchange import described
from indexer.exchange.parquet import open_file
from indexer.records import Entry, Look, Settings, Verdict
from indexer.stages import Stages, Stopwatch
from indexer.store.memory import MemoryStore
from indexer.stream import Limits
from indexer.verdict import Rule

points = st.integers(0, 6)
faces = st.sampled_from([0, 0, 1, 2])
names = st.sampled_from("abcdefghij")
readable = st.builds(Image, names, points, points, st.integers(0, 1), face=faces)
broken = st.builds(Image, names, points, points, broken=st.just(value=True))
streams = st.lists(st.one_of(readable, readable, readable, broken), max_size=20)
both = st.sampled_from([SETTINGS, LOOKING])
all_limits = st.builds(Limits, workers=st.integers(1, 3), readers=st.integers(1, 3), batch=st.integers(1, 9))

SMALL = [thumbnail(np.full((40, 40, 3), 40 + 80 * face, np.uint8)) for face in range(3)]


def look(new: bytes, original: bytes) -> Look:
    """Compare the faces that two real thumbnails stand for."""
    return compare(b"%d" % SMALL.index(new), b"%d" % SMALL.index(original))


def described_row(image: Image, *, timed: bool) -> dict[str, Any]:
    """Return the row of *image*; of a broken one without a descriptor."""
    record = image.record(None, timed=timed)
    vector = (np.array([image.x, image.y], np.float32) * np.float32(0.004)).tolist()
    entry = Entry(image.name, "", record.size, record.mtime_ns, 1, 1, "POINT", None, None, False, np.zeros(0))
    digest = hashlib.sha256(image.data).hexdigest()
    made = {"sha256": digest, "descriptor": None if image.broken else vector, "thumbnail": SMALL[image.face]}
    return tables.row(entry, **made)


def judged(store: MemoryStore, images: list[Image], limits: Limits) -> list[Verdict]:
    """Write the descriptors of *images* into a Parquet file, and judge what is in it."""
    timed = len({image.name for image in images}) == len({(image.name, image.data) for image in images})
    rule = Rule.of(store.settings, look)
    stages = Stages(store, encoder=None, clock=Stopwatch(), max_pixels=1, rule=rule)  # type: ignore[arg-type]
    with TemporaryDirectory() as folder:
        rows = [described_row(image, timed=timed) for image in images]
        file = open_file(tables.write(Path(folder, "rows.parquet"), rows, store.settings))
        described.check_file(file, store.settings)
        return list(pipeline.ingest(described.records([file], store.settings), stages, limits))


def found(store: MemoryStore) -> dict[str, tuple[Entry, bytes]]:
    """Return what *store* holds, but for the thumbnails."""
    return {entry.uri: (entry, entry.descriptor.tobytes()) for entry in store.entries()}


@given(both, streams, streams, all_limits, all_limits)
@settings(max_examples=150, deadline=None)
def test_descriptors_get_the_outcomes_of_their_images(
    kept: Settings, first: list[Image], second: list[Image], limits: Limits, others: Limits
) -> None:
    """Two imports give the verdicts and rows of two ingests of the same images, also when those change or break."""
    images, rows = MemoryStore(kept), MemoryStore(kept)
    for stream in (first, second):
        expected = [dataclasses.replace(v, kind=None, reason=None) for v in run(images, stream, limits)]
        imported = judged(rows, stream, others)
        assert [dataclasses.replace(v, kind=None, reason=None) for v in imported] == expected
    assert found(rows) == found(images)


@given(both, st.lists(readable, max_size=12, unique_by=lambda image: image.name), all_limits)
@settings(max_examples=60, deadline=None)
def test_a_second_import_changes_nothing(kept: Settings, stream: list[Image], limits: Limits) -> None:
    """Law 4: the same rows again are all unchanged."""
    store = MemoryStore(kept)
    judged(store, stream, limits)
    before = found(store)
    assert {verdict.outcome.value for verdict in judged(store, stream, limits)} <= {"unchanged"}
    assert found(store) == before
