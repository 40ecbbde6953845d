"""What goes wrong is one clear line and an exit code, never a traceback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pictures
import pytest
from commandline import Twinlens

from indexer import Limits, Tuning, Verdict, interrupt, open_index
from indexer.cli.runs import Output, carry_out
from indexer.records import Settings
from indexer.store.milvus import open_store
from model.extras import how_to_install


def test_a_missing_source_is_named_before_anything_is_made(twinlens: Twinlens, lite_uri: str, tmp_path: Path) -> None:
    """Exit code 3, and no collection."""
    result = twinlens("ingest", tmp_path / "nowhere", "--uri", lite_uri)
    assert (result.code, Path(lite_uri).exists()) == (3, False)
    assert f"{tmp_path / 'nowhere'}" in result.err
    assert result.err.startswith("twinlens: ")


def test_a_query_needs_a_collection(twinlens: Twinlens, lite_uri: str, shared_photos: Path) -> None:
    """Exit code 2 and the command that makes one; no file appears."""
    result = twinlens("query", shared_photos, "--uri", lite_uri)
    assert (result.code, Path(lite_uri).exists()) == (2, False)
    assert "twinlens ingest" in result.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--uri", "archive.sqlite"], "ends in .db"),
        (["--radius", "-1"], "radius"),
        (["--threads", "0"], "--threads"),
        (["--weights", "nowhere.onnx"], "nowhere.onnx"),
        (["--device", "cuda"], "cpu"),
        (["--report", "nowhere/report.jsonl"], "nowhere/report.jsonl"),
        (["--colour"], "--colour"),
    ],
)
def test_a_wrong_option_is_a_usage_error(
    twinlens: Twinlens, lite_uri: str, shared_photos: Path, options: list[str], said: str
) -> None:
    """Exit code 2, and the message names the option or what it wants."""
    result = twinlens("ingest", shared_photos, "--uri", lite_uri, *options)
    assert result.code == 2
    assert said in result.err
    assert "Traceback" not in result.err


def test_another_radius_is_refused(twinlens: Twinlens, full_uri: str, shared_photos: Path) -> None:
    """A collection keeps the radius that it was made with."""
    result = twinlens("ingest", shared_photos, "--uri", full_uri, "--radius", "0.02")
    assert result.code == 2
    assert "0.01" in result.err


def test_another_encoder_is_refused(twinlens: Twinlens, lite_uri: str, shared_photos: Path) -> None:
    """Law 7: a collection of another fingerprint is refused, with the way out."""
    open_store(lite_uri, "images", Settings("another@1", 128, 0.01)).close()
    result = twinlens("ingest", shared_photos, "--uri", lite_uri)
    assert result.code == 2
    assert "another@1" in result.err
    assert "another --collection" in result.err


def test_a_second_writer_is_turned_away(shared_photos: Path, lite_uri: str) -> None:
    """Exit code 4 while another process holds the Milvus Lite file."""
    open_store(lite_uri, "other", Settings("x", 2, 0.01))
    command = [sys.executable, "-m", "indexer", "ingest", str(shared_photos), "--uri", lite_uri]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert "another process" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unreachable_server_is_named(twinlens: Twinlens, shared_photos: Path) -> None:
    """Exit code 3, and no endless waiting."""
    result = twinlens("ingest", shared_photos, "--uri", "http://127.0.0.1:9")
    assert result.code == 3
    assert "127.0.0.1:9" in result.err


@pytest.mark.parametrize("limit", ["soon", "0", "-1", "inf", "nan"])
def test_a_time_limit_is_seconds(
    twinlens: Twinlens, lite_uri: str, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    """Exit code 2, and the variable is named."""
    monkeypatch.setenv("TWINLENS_TIMEOUT", limit)
    result = twinlens("status", "--uri", lite_uri)
    assert (result.code, result.out) == (2, "")
    assert f"TWINLENS_TIMEOUT is '{limit}'; set it to seconds above 0" in result.err


def test_a_reader_that_leaves_ends_the_run_quietly(shared_photos: Path, lite_uri: str) -> None:
    """`twinlens … | head -1` ends like any other program of a pipe."""
    command = f"{sys.executable} -m indexer ingest {shared_photos} --uri {lite_uri} --batch-size 1 --json | head -1"
    shell = ["bash", "-c", f"set -o pipefail; {command}"]
    done = subprocess.run(shell, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) in [(141, ""), (5, "")]


@pytest.mark.slow
def test_an_interrupted_run_goes_on_later(twinlens: Twinlens, lite_uri: str, tmp_path: Path) -> None:
    """Ctrl-C ends with 130 and a summary that says so; no stored image goes unprinted."""
    folder = pictures.folder(tmp_path / "photos", count=40)
    command = [sys.executable, "-m", "indexer", "ingest", str(folder), "--uri", lite_uri, "--batch-size", "1", "-v"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    first = process.stdout.readline()
    time.sleep(0.2)
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, "cut short" in out, "Traceback" in err) == (130, True, False)
    stored = sum(line.startswith(("unique", "copy")) for line in (first + out).splitlines())
    again = twinlens("ingest", folder, "--uri", lite_uri, "--json").rows[-1]
    assert again["unchanged"] == stored


def test_a_device_that_is_not_there_is_no_fault_of_the_file(shared_photos: Path, lite_uri: str) -> None:
    """Without CUDA, it is the device that is named."""
    uncuda = "import sys; sys.modules['torch'] = None; from indexer.cli import main; main()"
    full = [sys.executable, "-c", uncuda, "ingest", str(shared_photos), "--uri", lite_uri, "--device", "cuda"]
    done = subprocess.run(full, capture_output=True, text=True, check=False)
    assert (done.returncode, f"CUDA needs torch: {how_to_install('train')}" in done.stderr, "file" in done.stderr) == (
        2,
        True,
        False,
    )


@pytest.mark.parametrize("name", ["nowhere.parquet", "text.parquet", "."])
def test_what_cannot_be_imported_is_a_source_that_failed(
    twinlens: Twinlens, lite_uri: str, tmp_path: Path, name: str
) -> None:
    """A file that is not there, one that is no Parquet, a folder without any: exit code 3, as of an ingest."""
    (tmp_path / "text.parquet").write_text("no such thing")
    place = tmp_path / name if name != "." else tmp_path / "empty"
    (tmp_path / "empty").mkdir()
    result = twinlens("import", place, "--uri", lite_uri)
    assert (result.code, str(place) in result.err, Path(lite_uri).exists()) == (3, True, False)


@pytest.mark.parametrize("command", ["ingest", "query", "status"])
@pytest.mark.parametrize("moment", ["click", "numpy", "faiss.swigfaiss", "milvus_lite.engine.collection"])
def test_ctrl_c_while_it_starts_ends_it_at_once(full_uri: str, shared_photos: Path, command: str, moment: str) -> None:
    """Exit code 130 and one line, never a traceback or a thread that waits for ever, whatever is being imported."""
    arguments = [] if command == "status" else [str(shared_photos)]
    python = [sys.executable, "-X", "importtime", "-m", "indexer"]  # which tells what was imported
    full = [*python, command, *arguments, "--uri", full_uri]
    with subprocess.Popen(full, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while not process.stderr.readline().rstrip().endswith(f" {moment}"):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    told = [line for line in err.splitlines() if not line.startswith("import time:")]
    assert (process.returncode, out, told[-1:]) == (130, "", [interrupt.MESSAGE])
    assert "Traceback" not in err


def interrupting(verdicts: Iterator[Verdict]) -> Iterator[Verdict]:
    """Press Ctrl-C while the first stored batch is being printed."""
    for number, verdict in enumerate(verdicts):
        if number == 1:
            os.kill(os.getpid(), signal.SIGINT)
        yield verdict


def test_what_is_stored_is_printed_after_ctrl_c(
    shared_photos: Path, lite_uri: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C amid a stored batch still prints the rest of it, takes no more images, and tells that it was cut short."""
    photos = sorted(shared_photos.glob("[abc]-*")) * 20
    with open_index(lite_uri) as index:
        run = index.ingest(photos, Tuning(Limits(batch=4)))
        with pytest.raises(KeyboardInterrupt):
            carry_out(
                replace(run, verdicts=interrupting(run.verdicts)), Output(as_json=True, report=None, verbose=False)
            )
        stored = index.count().total
    *rows, summary = (json.loads(line) for line in capfd.readouterr().out.splitlines())
    assert len({row["uri"] for row in rows}) == stored
    assert summary["interrupted"]
    assert len(rows) < len(photos)
