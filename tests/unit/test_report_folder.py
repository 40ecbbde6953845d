"""The folder of reports: what a run leaves, what is kept, and that nothing else is ever touched."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from indexer.records import Outcome, Verdict
from indexer.report.folder import RunFolder, past_runs
from indexer.report.history import runs_table
from indexer.summary import Tally

SECOND = 10**9
NIGHT = 86_400 * SECOND


def run(reports: Path, night: int = 0, keep: int = 30, *, unchanged: bool = False, code: int = 0) -> Path:
    """Write the report of a run of one unique and one unchanged image that ended with *code*; return its folder."""
    with RunFolder(reports, night * NIGHT, keep=keep, unchanged=unchanged) as folder:
        folder.add(Verdict("/a.jpg", Outcome.UNIQUE))
        folder.add(Verdict("/b.jpg", Outcome.UNCHANGED))
        folder.end_report(Tally().summary(ignored=0, stages={}, config={}))
        folder.finish({"seen": 2, "exit_code": code})
    return folder.path


def nights(reports: Path) -> list[str]:
    """Return the dates of the runs that are kept."""
    return [past.name[:10] for past in past_runs(reports)]


def kinds(report: Path) -> list[str]:
    """Return what each line of a report is."""
    rows = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]
    return [row.get("outcome", row["type"]) for row in rows]


@pytest.mark.parametrize("unchanged", [True, False])
def test_a_run_leaves_a_report_and_a_summary(tmp_path: Path, *, unchanged: bool) -> None:
    """Unchanged images have a row only where they are wanted; no unfinished file stays."""
    path = run(tmp_path, unchanged=unchanged)
    assert kinds(path / "report.jsonl") == ["unique", *["unchanged"] * unchanged, "summary"]
    assert json.loads((path / "summary.json").read_text()) == {"seen": 2, "exit_code": 0}
    assert {file.name for file in path.iterdir()} == {"started.json", "report.jsonl", "summary.json"}


def test_latest_leads_to_the_newest_run(tmp_path: Path) -> None:
    """The link is replaced by each run that ends."""
    run(tmp_path, 1)
    second = run(tmp_path, 2)
    assert (tmp_path / "latest").resolve() == second.resolve()
    assert (tmp_path / "latest").readlink() == Path("runs/1970-01-03T00-00-00Z")


def test_a_users_file_called_latest_stays(tmp_path: Path) -> None:
    """What is no link is not replaced."""
    (tmp_path / "latest").write_text("mine")
    run(tmp_path)
    assert (tmp_path / "latest").read_text() == "mine"


def test_two_runs_of_one_second_have_two_folders(tmp_path: Path) -> None:
    """Names are unique, and sort by time."""
    assert [run(tmp_path).name, run(tmp_path).name] == ["1970-01-01T00-00-00Z", "1970-01-01T00-00-00Z-2"]


def test_only_the_newest_runs_are_kept(tmp_path: Path) -> None:
    """The folder never grows beyond what is to be kept."""
    for night in range(5):
        run(tmp_path, night, keep=3, code=5)
    assert nights(tmp_path) == ["1970-01-03", "1970-01-04", "1970-01-05"]


def test_runs_that_failed_push_out_no_report(tmp_path: Path) -> None:
    """Of them and of killed ones, too, so many are kept at most, beside those that did their work."""
    run(tmp_path, 0, keep=2)
    for night, code in enumerate((3, 130, 1, 2), 1):
        run(tmp_path, night, keep=2, code=code)
    assert nights(tmp_path) == ["1970-01-01", "1970-01-04", "1970-01-05"]
    with RunFolder(tmp_path, 5 * NIGHT, keep=2, unchanged=False):
        pass
    run(tmp_path, 6, keep=2)
    assert nights(tmp_path) == ["1970-01-01", "1970-01-05", "1970-01-06", "1970-01-07"]


def test_a_run_that_failed_deletes_none_that_did_its_work(tmp_path: Path) -> None:
    """Not even when fewer are to be kept from now on; the next one that does its work sees to that."""
    for night in range(3):
        run(tmp_path, night)
    run(tmp_path, 3, keep=1, code=3)
    assert len(nights(tmp_path)) == 4
    run(tmp_path, 4, keep=1)
    assert nights(tmp_path) == ["1970-01-04", "1970-01-05"]


def test_a_night_with_a_wrong_clock_costs_no_report(tmp_path: Path) -> None:
    """Folders from the future neither count nor go; a clock that is behind deletes nothing."""
    for night in (46_000, 46_001, 1, 2, 3):
        run(tmp_path, night, keep=2)
    assert nights(tmp_path) == ["1970-01-03", "1970-01-04", "2095-12-11", "2095-12-12"]
    behind = run(tmp_path, 0, keep=2)
    assert (behind.exists(), len(nights(tmp_path))) == (True, 5)


def test_what_is_not_ours_is_never_deleted(tmp_path: Path) -> None:
    """Folders of other names, without our mark, or with other files, and links to any of them, stay as they are."""
    elsewhere = run(tmp_path / "elsewhere")
    noted = run(tmp_path, 1)
    (noted / "notes.txt").write_text("mine")
    runs = tmp_path / "runs"
    (runs / "1969-01-01T00-00-00Z").mkdir()
    (runs / "holidays").mkdir()
    (runs / "1969-01-02T00-00-00Z").symlink_to(elsewhere)
    before = {path: list(path.iterdir()) for path in runs.iterdir()}
    run(tmp_path, 9, keep=1)
    assert {path: list(path.iterdir()) for path in before} == before
    assert (elsewhere / "summary.json").exists()


def test_a_file_that_is_a_link_is_unlinked_not_followed(tmp_path: Path) -> None:
    """Deleting an old run does not reach through links in it."""
    (tmp_path / "mine").write_text("mine")
    old = run(tmp_path, 1)
    (old / "report.jsonl").unlink()
    (old / "report.jsonl").symlink_to(tmp_path / "mine")
    run(tmp_path, 2, keep=1)
    assert (old.exists(), (tmp_path / "mine").read_text()) == (False, "mine")


def test_a_run_that_goes_on_is_running_and_one_that_was_killed_is_killed(tmp_path: Path) -> None:
    """Only a process that is alive holds its mark, whatever its number was."""
    code = "import sys; from pathlib import Path; from indexer.report.folder import RunFolder\n"
    code += "folder = RunFolder(Path(sys.argv[1]), 0, keep=9, unchanged=False); print(flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        running = [past.outcome for past in past_runs(tmp_path)]
        process.kill()
    assert (running, [past.outcome for past in past_runs(tmp_path)]) == (["running"], ["killed"])


def test_a_run_that_goes_on_is_not_deleted(tmp_path: Path) -> None:
    """Also when a clock that was wrong makes it the oldest."""
    with RunFolder(tmp_path, 0, keep=1, unchanged=False) as folder:
        run(tmp_path, 5, keep=1)
        assert folder.path.exists()


def test_the_table_lists_runs_beneath_a_head(tmp_path: Path) -> None:
    """One line a run; what a killed run never counted is a dash."""
    run(tmp_path, 1)
    with RunFolder(tmp_path, 2 * NIGHT, keep=9, unchanged=False):
        pass
    head, first, second = (line.split() for line in runs_table(past_runs(tmp_path)))
    assert head[:3] == ["run", "seconds", "seen"]
    assert first == ["1970-01-02T00-00-00Z", "-", "2", "-", "-", "-", "-", "0", "done"]
    assert second == ["1970-01-03T00-00-00Z", *["-"] * 7, "killed"]


@pytest.mark.parametrize(
    ("summary", "outcome"),
    [
        ({"exit_code": 5}, "done"),
        ({"exit_code": 3, "error": "x"}, "failed"),
        ({"exit_code": 0, "interrupted": True, "reason": "signal"}, "cut short (signal)"),
        ({"exit_code": 3, "absent": ["/mnt"]}, "source absent"),
        ({"exit_code": 3, "absent": ["/mnt"], "sweep": {"held_back": [{"uri": "/mnt"}]}}, "held back"),
    ],
)
def test_an_outcome_is_told_in_words(tmp_path: Path, summary: dict[str, object], outcome: str) -> None:
    """How a run ended can be read without a table of exit codes."""
    (run(tmp_path) / "summary.json").write_text(json.dumps(summary))
    assert past_runs(tmp_path)[0].outcome == outcome


def test_a_folder_that_cannot_be_made_whole_is_not_made(tmp_path: Path) -> None:
    """A disk that is full at the start leaves nothing behind; a file system of 48 KB is one."""
    code = "import sys; from pathlib import Path; from indexer.report.folder import RunFolder\n"
    code += "RunFolder(Path(sys.argv[1]), 0, keep=9, unchanged=False)"
    script = (
        f"mount -t tmpfs -o size=48k none {tmp_path} && {sys.executable} -c '{code}' {tmp_path}; ls {tmp_path}/runs"
    )
    done = subprocess.run(["unshare", "-Urm", "sh", "-c", script], capture_output=True, text=True, check=False)
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("no user name spaces here")
    assert "No space left" in done.stderr
    assert done.stdout == ""
