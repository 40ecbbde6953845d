"""The library's door, and what its import costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Literal, cast

import numpy as np
import pictures
import pytest

import indexer
from indexer import EncoderError, Outcome, open_index
from model import load_encoder


def test_bytes_and_names_are_ingested(shared_photos: Path, lite_uri: str) -> None:
    """Paths, bytes, and names with bytes are judged alike, in order; the collection, too, may be named by a path."""
    data = (shared_photos / "a-00.jpg").read_bytes()
    with open_index(Path(lite_uri)) as index:
        verdicts = list(index.ingest([shared_photos / "b-00.png", data, ("my:name", data)]))
    assert [v.outcome for v in verdicts] == [Outcome.UNIQUE, Outcome.COPY, Outcome.COPY]
    assert verdicts[2].uri == "my:name"
    assert verdicts[2].exact


def test_a_run_tells_its_summary(shared_photos: Path, lite_uri: str) -> None:
    """The summary is there while the run goes on, and says when it is not complete."""
    with open_index(lite_uri) as index:
        run = index.ingest([shared_photos])
        verdicts = iter(run)
        next(verdicts)
        assert (run.summary().seen, run.summary().interrupted) == (1, True)
        list(verdicts)
        assert (run.summary().seen, run.summary().interrupted) == (23, False)


def test_a_closed_index_says_so(shared_photos: Path, lite_uri: str) -> None:
    """Whatever is asked of it afterwards names the collection and the way out; to close it again is nothing."""
    with open_index(lite_uri) as index:
        list(index.ingest([shared_photos / "a-00.jpg"]))
    index.close()
    with pytest.raises(RuntimeError, match=rf"index of {lite_uri} is closed; open it again"):
        index.count()
    with pytest.raises(RuntimeError, match="is closed"):
        index.ingest([shared_photos])


def test_an_unknown_device_is_refused(lite_uri: str) -> None:
    """A device that nobody knows is no other name of the CPU."""
    with pytest.raises(EncoderError, match="no device 'tpu'; name one of auto, cpu, cuda"):
        open_index(lite_uri, device=cast("Literal['cpu']", "tpu"))


def test_show_returns_the_group(shared_photos: Path, lite_uri: str) -> None:
    """An entry with its group, or nothing."""
    with open_index(lite_uri) as index:
        list(index.ingest([shared_photos]))
        entry, group = index.show(str(shared_photos / "b-01.png")) or (None, [])
        assert entry
        assert group[0].uri == entry.original
        assert index.show("nowhere") is None


def test_the_plain_check_of_the_readme(shared_photos: Path) -> None:
    """`np.linalg.norm(encoder(a) - encoder(b)) < 0.01` tells copies from others."""
    encoder = load_encoder()
    a, b, other = (encoder(shared_photos / name) for name in ("a-02.jpg", "b-02.png", "a-03.jpg"))
    assert np.linalg.norm(a - b) < 0.01 <= np.linalg.norm(a - other)


def test_the_encoder_alone_agrees_with_the_index(lite_uri: str, tmp_path: Path) -> None:
    """A descriptor that the index stored is the one that `encoder(path)` gives, bit by bit, also of a large photo."""
    pixels = pictures.photo("coffee.png").repeat(6, axis=0).repeat(6, axis=1)
    large = pictures.save(pixels, tmp_path / "large.jpg")
    with open_index(lite_uri) as index:
        list(index.ingest([large]))
        stored, _ = index.show(str(large)) or (None, [])
    assert stored
    assert stored.descriptor.tobytes() == load_encoder()(large).tobytes()


def test_every_public_name_is_there() -> None:
    """What `indexer` says it exports can be had."""
    assert all(getattr(indexer, name) for name in indexer.__all__)


def loaded(code: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter has after *code*."""
    ask = f"{code}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    return set(subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout.split())


def test_help_is_cheap() -> None:
    """`--help` loads no heavy library."""
    code = "from indexer.cli import run\nimport contextlib, io\n"
    code += "with contextlib.redirect_stdout(io.StringIO()): run(['ingest', '--help'])"
    assert not loaded(code) & {"numpy", "pymilvus", "onnxruntime", "PIL", "torch", "tqdm"}


def test_serving_needs_no_torch() -> None:
    """The default install has no torch, so opening an index and encoding may not load it."""
    assert not loaded("from model import load_encoder\nimport indexer.jobs.index\nload_encoder()") & {"torch", "onnx"}
