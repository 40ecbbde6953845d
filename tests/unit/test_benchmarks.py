"""The benchmarks' pieces: their tables, their folders of pictures, how a process is measured and a peer skipped."""

from __future__ import annotations

import argparse
import io
import sys
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pictures
import pytest
from PIL import Image

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
sys.path.append(str(SCRIPTS))

import bench_files  # noqa: E402 - scripts are no package
import bench_frames  # noqa: E402 - as above
import bench_growth  # noqa: E402 - as above
import bench_ingest  # noqa: E402 - as above
import bench_scale  # noqa: E402 - as above
import bench_search  # noqa: E402 - as above
import descriptors  # noqa: E402 - as above
import indexes  # noqa: E402 - as above
import measuring  # noqa: E402 - as above
import peers  # noqa: E402 - as above
import photos  # noqa: E402 - as above

from model import load_encoder  # noqa: E402 - as above


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a tar of three JPEGs and a text."""
    path = tmp_path / "data.tar"
    with tarfile.open(path, "w") as tar:
        for name in ("a/1.jpg", "a/2.jpg", "notes.txt", "b/3.jpeg"):
            out = io.BytesIO()
            Image.new("RGB", (60, 40), "teal").save(out, "JPEG")
            member = tarfile.TarInfo(name)
            member.size = len(out.getvalue())
            tar.addfile(member, io.BytesIO(out.getvalue()))
    return path


def test_pictures_are_the_first_jpegs_of_the_tar(data: Path, tmp_path: Path) -> None:
    """A folder holds the first so many JPEGs, byte by byte, or all there are."""
    assert photos.make(data, tmp_path / "two", 2) == 2
    assert photos.make(data, tmp_path / "all", 9) == 3
    assert (tmp_path / "two" / "000000.jpg").read_bytes() == next(photos.jpegs(data))


def test_pictures_can_be_enlarged(data: Path, tmp_path: Path) -> None:
    """With megapixels asked for, each picture has about as many, in its own shape, and grain."""
    photos.make(data, tmp_path / "large", 1, megapixels=6.0)
    with Image.open(tmp_path / "large" / "000000.jpg") as image:
        assert image.size == (3000, 2000)
        assert image.getextrema()[2][1] > image.getextrema()[2][0] + 4


def test_a_process_is_measured() -> None:
    """What a process took, and what it printed, come back."""
    spent, lines = measuring.timed([sys.executable, "-c", "b = bytes(64 << 20); print('done')"])
    assert lines == ["done"]
    assert spent.wall_s > 0
    assert spent.peak_mb > 64


def test_a_process_that_fails_says_why() -> None:
    """The last line that a failed process printed is the reason."""
    with pytest.raises(measuring.ProcessFailedError, match=r"^no such thing$"):
        measuring.timed([sys.executable, "-c", "import sys; sys.exit('no such thing')"])


def test_a_command_that_is_absent_says_so() -> None:
    """A command that cannot be started is a failure like others."""
    with pytest.raises(measuring.ProcessFailedError, match="No such file"):
        measuring.timed(["/no/such/command"])


def test_tables_are_markdown() -> None:
    """Numbers have three digits, and what is not known is left empty."""
    assert measuring.table(["what", "s"], [["a", 1.23456], ["b", 1234.5], ["c", None]]) == (
        "| what | s |\n| --- | ---: |\n| a | 1.23 |\n| b | 1234 |\n| c |  |"
    )


def test_ratios_are_to_the_limit_and_to_each_system() -> None:
    """Each row tells how often the decoding alone fits into it, and how often it fits into an ingest."""
    medians = {
        bench_ingest.LIMIT: measuring.Spent(1.0, 2.0, 50.0),
        bench_ingest.INGEST: measuring.Spent(2.0, 4.0, 400.0),
        "fastdup": measuring.Spent(8.0, 8.0, 300.0),
    }
    rows = {row[0]: row[-2:] for row in bench_ingest.table_rows(medians, 100)}
    assert rows == {bench_ingest.LIMIT: [1.0, 2.0], bench_ingest.INGEST: [2.0, 1.0], "fastdup": [8.0, 0.25]}
    assert "- ingest / fastdup: 0.25, at most 0.35 ✓" in bench_ingest.targets(medians)


def test_systems_take_turns_and_a_broken_one_is_skipped(tmp_path: Path) -> None:
    """Rounds run every system in turn, and drop one that fails with its reason."""
    ran: list[str] = []

    def works(_folder: Path, work: Path) -> measuring.Spent:
        assert work.is_dir()
        ran.append("works")
        return measuring.Spent(1.0, 1.0, 1.0)

    def fails(_folder: Path, _work: Path) -> measuring.Spent:
        ran.append("fails")
        raise measuring.ProcessFailedError("no licence")

    log = bench_ingest.Log()
    systems = [bench_ingest.System("fails", fails), bench_ingest.System("works", works)]
    bench_ingest.rounds(systems, tmp_path, 2, log)
    assert ran == ["fails", "works", "works"]
    assert log.skipped == {"fails": "fails: no licence"}


def test_peers_without_a_folder_are_named() -> None:
    """Each peer is skipped by name when no folder for environments is given."""
    log = bench_ingest.Log()
    assert bench_ingest.theirs(log, None, {}) == []
    assert list(log.skipped) == [peer.name for peer in peers.PEERS]


def test_an_ingest_and_its_limit_are_measured(tmp_path: Path) -> None:
    """The systems that need nothing but this checkout run on a folder of pictures."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        pictures.save(pictures.part(number), folder / f"{number}.jpg")
    log = bench_ingest.Log()
    bench_ingest.rounds(bench_ingest.ours(log, no_second_look=False), folder, 1, log)
    assert not log.skipped
    assert len(log.runs) == 4
    assert log.stages[bench_ingest.INGEST][0]["encode"] > 0
    assert "encode" not in log.stages[bench_ingest.UNCHANGED][0]


def test_alike_descriptors_have_neighbours() -> None:
    """Of data that are alike about 30 % have another within the radius, some at distance 0; of others none."""
    near = descriptors.within(descriptors.alike(2000), descriptors.alike(2000))
    assert 0.25 < np.mean([len(rows) > 1 for rows in near]) <= 0.31
    apart = descriptors.points(2000, descriptors.NORM, descriptors.SEED)
    assert descriptors.within(apart, apart) == [{n} for n in range(2000)]


def test_questions_have_the_answers_that_they_are_made_for() -> None:
    """Two of three queries lie within the radius of a row, and every third of none."""
    stored = descriptors.points(500, descriptors.NORM, descriptors.SEED)
    truth = descriptors.within(stored, descriptors.questions(stored, 30))
    assert [len(rows) for rows in truth] == [1, 1, 0] * 10


def test_a_search_is_measured_against_brute_force(lite_uri: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The table has a row for each kind of data and index, and the store's own index finds everything."""
    sheet = measuring.Sheet()
    options = argparse.Namespace(counts=[600], data=["apart", "alike"], queries=30, index=["as it is"], lists=0)
    bench_search.bench_search(sheet, measuring.Place(lite_uri), options)
    assert [(row["data"], row["index"]) for row in sheet.rows] == [("apart", "as it is"), ("alike", "as it is")]
    assert [row["recall %"] for row in sheet.rows] == [100.0, 100.0]
    assert capsys.readouterr().out.startswith("| rows | data | index |")


def test_indexes_suit_the_back_end() -> None:
    """A server has more indexes to choose from than Milvus Lite, and a choice is by the beginning of a name."""
    assert list(indexes.indexes("a.db", 10_000)) == ["as it is", "HNSW, ef 128"]
    assert list(indexes.indexes("http://host:19530", 10_000, ("IVF_FLAT",))) == [
        "IVF_FLAT, 16 of 512 lists",
        "IVF_FLAT, 128 of 512 lists",
        "IVF_FLAT, 512 of 512 lists",
    ]
    assert list(indexes.indexes("http://host:19530", 10_000, ("SCANN, 8",), lists=8)) == ["SCANN, 8 of 8 lists"]


@pytest.mark.server
def test_a_search_is_timed_by_its_size(server_uri: str) -> None:
    """The table has a row for each state, size and consistency; look-ups are always strongly consistent."""
    sheet = measuring.Sheet()
    options = argparse.Namespace(counts=[300], data=["alike"])
    bench_scale.scan(sheet, measuring.Place(server_uri), options)
    assert [(row["state"], row["at once"]) for row in sheet.rows[::2]] == [
        (state, size) for state in ("as written", "flushed") for size in bench_scale.SIZES
    ]
    assert all((row["by bytes"] is None) is (row["reads"] == "Bounded") for row in sheet.rows)


@pytest.mark.server
def test_an_index_is_asked_before_its_rows_are_settled(server_uri: str) -> None:
    """The store's own index finds everything right after it was written."""
    sheet = measuring.Sheet()
    options = argparse.Namespace(counts=[600], data=["alike"], queries=30, index=["as it is"], lists=0)
    bench_scale.grown(sheet, measuring.Place(server_uri), options)
    assert [row["recall %"] for row in sheet.rows] == [100.0]


def test_a_place_knows_what_it_takes_on_disk(tmp_path: Path) -> None:
    """All files below a place count, and a server elsewhere has no size."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "log").write_bytes(bytes(1 << 20))
    assert measuring.Place(str(tmp_path)).disk_mb() == 1.0
    assert measuring.Place("http://host:19530").disk_mb() is None


def test_a_process_knows_what_it_holds() -> None:
    """The memory of this process is told where the system tells it."""
    held = measuring.resident_mb()
    assert held is None or held > 10


def test_a_second_look_is_compared_round_by_round(tmp_path: Path) -> None:
    """Collections with and without lie apart and take turns; each round has its own ratio."""
    options = argparse.Namespace(counts=[10, 20], no_second_look=True)
    places = {
        bench_growth.place_of(str(tmp_path / "a.db"), *case[:1], look=case[1]) for case in bench_growth.cases(options)
    }
    assert {Path(uri).name for uri, _ in places} == {"a_10.db", "a_10_radius.db", "a_20.db", "a_20_radius.db"}
    looking = [measuring.Spent(3.0, 6.0, 1.0), measuring.Spent(2.2, 2.0, 1.0)]
    alone = [measuring.Spent(2.0, 4.0, 1.0), measuring.Spent(2.0, 2.0, 1.0)]
    assert "at 10 entries, by round: wall 1.10, 1.50; CPU 1.00, 1.50" in bench_growth.compared(10, looking, alone)


def test_frames_are_told_by_what_has_moved(tmp_path: Path) -> None:
    """Of a scene, the same under more light, and with a disc on it: two are the same, and strictly so; one is not."""
    scene = pictures.photo("coffee.png")
    marked, lit = scene.copy(), np.clip(scene * 1.1, 0, 255).astype(np.uint8)
    rows, columns = np.mgrid[-40:40, -40:40]
    marked[100:180, 400:480][rows**2 + columns**2 < 1600] = (200, 30, 30)
    video = cv2.VideoWriter(str(tmp_path / "a.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 2, scene.shape[1::-1])
    for frame in (scene, lit, marked):
        video.write(np.ascontiguousarray(frame[:, :, ::-1]))
    video.release()
    encoder = load_encoder(device="cpu")
    found = [bench_frames.seen(encoder, pixels) for pixels in bench_frames.frames(tmp_path / "a.avi", 0.5)]
    near = list(bench_frames.compared(encoder, found))
    assert [(pair.confirmed, pair.strict) for pair in near] == [(True, True), (True, False), (True, False)]
    assert near[0].moved < 0.001
    assert 0.01 < near[1].moved < 0.03
    assert [row[1:] for row in bench_frames.rows(near)] == [["1", "1", "1"], ["0"] * 3, ["2", "2", "0"], ["0"] * 3]


def test_edited_files_are_asked_for_under_names_of_their_own(tmp_path: Path) -> None:
    """A copy under its original's name would stand for the original; relit and noisy ones are found, as copies."""
    for number in range(3):
        pictures.save(pictures.part(number), tmp_path / f"{number}.jpg")
    (tmp_path / "4.jpg").write_bytes(b"no image")
    answers, ingested, asked = bench_files.measure(tmp_path, 2, 1.5)
    assert (asked, ingested) == (2, {"unique": 3, "rejected": 1})
    assert answers["colour"] == answers["noise"] == {"found": 2}
    assert bench_files.rows(answers, asked)[0] == ["colour", "1.000", "0.000", "0.000", "0.000"]
