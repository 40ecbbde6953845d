"""What a worker of a Ray cluster does with a bundle, without a cluster."""

from __future__ import annotations

import io
import pickle
from dataclasses import replace

import pytest
from PIL import Image

from indexer.encode import load
from indexer.errors import ConfigError
from indexer.jobs.cluster import Recipe, _encoded, _opened, _prepared, _window
from indexer.jobs.index import settings_for
from indexer.records import ImageRecord
from indexer.sources import open_items


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    """Return what workers with the shipped encoder are told."""
    return Recipe(settings_for(load().spec, None, None), None, 10_000)


def test_a_worker_loads_the_encoder_once(recipe: Recipe) -> None:
    """Every bundle brings its recipe; equal ones share what was loaded for the first."""
    assert _prepared(pickle.loads(pickle.dumps(recipe))) is _prepared(recipe)


def test_a_worker_with_another_encoder_is_named(recipe: Recipe) -> None:
    """A machine that would mix other descriptors into the shards is an error that says so, not a traceback."""
    other = replace(recipe, settings=replace(recipe.settings, fingerprint="another"))
    answer = _encoded({"number": 0, "bundle": pickle.dumps([])}, other)
    with pytest.raises(ConfigError, match=r"has another encoder .* install the same Twinlens on both"):
        _opened(answer["answer"])


def test_a_picture_that_is_broken_is_an_answer(recipe: Recipe) -> None:
    """Rejections come back in their place, as those of a plain run, the limit of pixels included."""
    bundle = list(open_items([b"", ("big", _bitmap(101, 100)), ("small", _bitmap(100, 100))]))
    answer = _encoded({"number": 3, "bundle": pickle.dumps(bundle)}, recipe)
    assert answer["number"] == 3
    assert [row.kind for row in _opened(answer["answer"])] == ["empty", "too-many-pixels", None]


def _bitmap(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height)).save(file, "BMP")
    return file.getvalue()


def test_what_carries_its_bytes_is_sent_in_parts() -> None:
    """No more than so many bytes are with the cluster at a time, and no image is left out for it."""
    source = (ImageRecord(str(number), 2**27, 0, bytes, held=2**27) for number in range(4))
    assert [[record.uri for record in _window(source)] for _ in range(3)] == [["0", "1", "2"], ["3"], []]
