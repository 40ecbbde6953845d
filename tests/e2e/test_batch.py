"""`twinlens batch`, as cron sees it: exit codes, reports, interruptions, and what it leaves when something is amiss."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pictures
import pytest
from commandline import Twinlens

from indexer import interrupt
from indexer.cli.batch import _stopping_politely
from indexer.jobs.stop import Stop
from indexer.records import Settings
from indexer.store.milvus import open_store

SUMS = ("unique", "copy", "rejected", "unchanged")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Return a folder with a configuration and 13 files in photos/, 3 of them broken."""
    pictures.folder(tmp_path / "photos", count=4)
    (tmp_path / "twinlens.toml").write_text('[[source]]\npath = "photos"\n')
    return tmp_path


def add(archive: Path, text: str) -> Path:
    """Append *text* to the configuration and return its path."""
    with (archive / "twinlens.toml").open("a") as file:
        file.write(text)
    return archive / "twinlens.toml"


def command(archive: Path, *options: object) -> list[str]:
    """Return the command line of a batch as another process."""
    return [sys.executable, "-m", "indexer", "batch", "--config", str(archive / "twinlens.toml"), *map(str, options)]


def last(archive: Path) -> dict[str, Any]:
    """Return the summary of the last run."""
    summary: dict[str, Any] = json.loads((archive / "reports/latest/summary.json").read_text(encoding="utf-8"))
    return summary


def test_too_much_at_once_is_held_back_until_it_is_allowed(twinlens: Twinlens, archive: Path) -> None:
    """What is gone of how much, and why nothing came of it, is told in words, until one night allows for any share."""
    file = archive / "twinlens.toml"
    twinlens("batch", "--config", file)
    for path in [*(archive / "photos").glob("[ac]-*"), archive / "photos/b-00.png"]:
        path.unlink()
    (archive / "photos/readme.txt").touch()
    result = twinlens("batch", "--config", file)
    told = "7 of 10 are gone at once, more than at_most_share"
    assert (result.code, f"{archive}/photos: {told}; nothing was removed" in result.err) == (3, True)
    assert f"{told}, its entries were left alone: {archive}/photos" in result.out
    assert last(archive)["sweep"]["held_back"] == [{"uri": str(archive / "photos"), "reason": told}]
    assert twinlens("runs", "--config", file).out.splitlines()[-1].endswith("held back")
    for path in (archive / "photos").glob("*.*g"):
        path.unlink()
    assert "empty, or not read to its end" in twinlens("batch", "--config", file).err
    add(archive, "[vanish]\nat_most_share = 1\n")
    assert twinlens("batch", "--config", file).code == 0
    assert last(archive)["sweep"]["vanished"] == 10


def test_init_writes_what_check_accepts(twinlens: Twinlens, tmp_path: Path) -> None:
    """The commented file passes the rehearsal once its source is there, and the rehearsal makes nothing."""
    file = tmp_path / "twinlens.toml"
    assert twinlens("init", file).code == 0
    pictures.folder(tmp_path / "photos", count=1)
    result = twinlens("batch", "--config", file, "--check")
    assert (result.code, "all is there" in result.out) == (0, True), result.out
    assert {path.name for path in tmp_path.iterdir()} == {"twinlens.toml", "photos"}


def test_init_never_overwrites(twinlens: Twinlens, archive: Path) -> None:
    """A file that is there stays as it is."""
    before = (archive / "twinlens.toml").read_text()
    result = twinlens("init", archive / "twinlens.toml")
    assert (result.code, (archive / "twinlens.toml").read_text()) == (2, before)
    assert "left as it is" in result.err


def test_a_run_reports_all_but_the_unchanged(twinlens: Twinlens, archive: Path) -> None:
    """Exit code 5 for broken files; the parts sum up; a second run reports only what it tried again."""
    file = archive / "twinlens.toml"
    assert twinlens("batch", "--config", file).code == 5
    first = last(archive)
    assert [first[name] for name in SUMS] == [4, 6, 3, 0]
    assert twinlens("batch", "--config", file).code == 5
    assert [last(archive)[name] for name in SUMS] == [0, 0, 3, 10]
    rows = (archive / "reports/latest/report.jsonl").read_text().splitlines()
    assert [json.loads(row).get("outcome") for row in rows] == [*["rejected"] * 3, None]


def test_a_run_tells_its_summary_on_request(twinlens: Twinlens, archive: Path) -> None:
    """--json prints what summary.json holds, and nothing else on standard output."""
    result = twinlens("batch", "--config", archive / "twinlens.toml", "--json")
    assert result.rows == [last(archive)]
    assert last(archive)["collection"] == {"originals": 4, "copies": 6}
    assert (last(archive)["exit_code"], last(archive)["error"], last(archive)["absent"]) == (5, None, [])


def test_runs_are_listed(twinlens: Twinlens, archive: Path) -> None:
    """By configuration or by folder, as a table or as JSON Lines."""
    twinlens("batch", "--config", archive / "twinlens.toml")
    head, row = twinlens("runs", "--config", archive / "twinlens.toml").out.splitlines()
    assert head.split()[-1] == "outcome"
    assert row.split()[2:] == ["13", "4", "6", "3", "0", "5", "done"]
    (told,) = twinlens("runs", "--folder", archive / "reports", "--json").rows
    assert (told["outcome"], told["seen"]) == ("done", 13)


def test_runs_of_a_folder_that_is_none_are_refused(twinlens: Twinlens, archive: Path) -> None:
    """A mistyped report folder is not an empty history."""
    result = twinlens("runs", "--folder", archive / "report")
    assert (result.code, result.out) == (2, "")
    assert f"there is no folder {archive / 'report'}" in result.err


@pytest.mark.server
@pytest.mark.slow
def test_nights_on_a_server(twinlens: Twinlens, archive: Path, server_uri: str) -> None:
    """A Milvus server serves as well: a first night, one that finds all unchanged, one that misses a file."""
    file = add(archive, f'[collection]\nuri = "{server_uri}"\nname = "nights_{os.getpid()}"\n')
    assert twinlens("batch", "--config", file).code == 5
    assert twinlens("batch", "--config", file, "--check").code == 0
    twinlens("batch", "--config", file)
    assert [last(archive)[name] for name in SUMS] == [0, 0, 3, 10]
    (archive / "photos/a-00.jpg").unlink()
    assert twinlens("batch", "--config", file).code == 5
    assert (last(archive)["sweep"]["vanished"], last(archive)["collection"]["originals"]) == (1, 4)


@pytest.mark.server
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_night_in_which_the_server_dies(
    twinlens: Twinlens, archive: Path, run_server: Callable[..., AbstractContextManager[str]]
) -> None:
    """Killed amid a run, it costs exit code 3 and a summary that says so; the next night ends as an unbroken one."""
    pictures.folder(archive / "photos/more", count=80)
    settings = ("ttl=5", "end=kill")
    with ExitStack() as first:
        uri = first.enter_context(run_server(*settings, folder=archive))
        file = add(archive, f'[collection]\nuri = "{uri}"\n[limits]\nbatch_size = 8\n[log]\nformat = "json"\n')
        night = subprocess.Popen(
            command(archive), stderr=subprocess.PIPE, text=True, env=os.environ | {"TWINLENS_TIMEOUT": "3"}
        )
        assert night.stderr is not None
        next(line for line in night.stderr if json.loads(line)["event"] == "copy")
    with night:
        night.stderr.read()
    told = last(archive)
    assert (night.returncode, told["exit_code"], told["interrupted"], told["sweep"]) == (3, 3, True, None)
    assert f"{uri} does not answer" in told["error"]
    with run_server(*settings, f"port={uri.rsplit(':', 1)[1]}", folder=archive):
        assert twinlens("batch", "--config", file).code == 5
    healed = last(archive)["collection"]
    assert twinlens("ingest", archive / "photos", "--uri", archive / "whole.db").code == 5
    assert json.loads(twinlens("status", "--uri", archive / "whole.db", "--json").out).items() >= healed.items()


def test_the_lowest_priority_number_makes_the_originals(twinlens: Twinlens, archive: Path) -> None:
    """The same file in two sources: the one that is read first leads."""
    for name in ("inbox", "best"):
        (archive / name).mkdir()
        shutil.copy(archive / "photos/a-00.jpg", archive / name / "picture.jpg")
    tables = [f'[[source]]\npath = "{name}"\npriority = {rank}\n' for name, rank in (("inbox", 9), ("best", 1))]
    (archive / "twinlens.toml").write_text("".join(tables))
    assert twinlens("batch", "--config", archive / "twinlens.toml").code == 0
    shown = twinlens("show", archive / "inbox/picture.jpg", "--uri", archive / "twinlens.db", "--json")
    assert json.loads(shown.out)["original"] == str(archive / "best/picture.jpg")


def test_each_source_has_its_own_patterns(twinlens: Twinlens, archive: Path) -> None:
    """A pattern of one source does not touch another."""
    pictures.folder(archive / "more", count=2)
    add(archive, 'include = ["a-*"]\n[[source]]\npath = "more"\nexclude = ["a-*", "z-*"]\n')
    assert twinlens("batch", "--config", archive / "twinlens.toml").code == 0
    rows = [json.loads(row) for row in (archive / "reports/latest/report.jsonl").read_text().splitlines()[:-1]]
    names = {Path(row["uri"]).relative_to(archive).as_posix() for row in rows}
    assert names == {f"photos/a-0{n}.jpg" for n in range(4)} | {"more/b-00.png", "more/b-01.png", "more/c-01.jpg"}


def test_an_absent_source_does_not_stop_the_others(twinlens: Twinlens, archive: Path) -> None:
    """Exit code 3 at the end, said once, and all others are read."""
    add(archive, '[[source]]\npath = "/mnt/nowhere"\n')
    result = twinlens("batch", "--config", archive / "twinlens.toml")
    assert (result.code, result.err.count("source absent: /mnt/nowhere")) == (3, 1)
    assert (last(archive)["absent"], last(archive)["copy"]) == (["/mnt/nowhere"], 6)
    assert "source absent" in twinlens("runs", "--config", archive / "twinlens.toml").out


@pytest.mark.slow
def test_a_held_collection_is_not_touched(archive: Path, lite_uri: str) -> None:
    """Exit code 4, one line, and neither a report nor anything else appears."""
    add(archive, f'[collection]\nuri = "{lite_uri}"\n')
    store = open_store(lite_uri, "other", Settings("x", 2, 0.01))
    done = subprocess.run(command(archive), capture_output=True, text=True, check=False)
    checked = subprocess.run(command(archive, "--check"), capture_output=True, text=True, check=False)
    store.close()
    assert (done.returncode, checked.returncode, done.stdout) == (4, 4, "")
    assert done.stderr.count("\n") == 1
    assert "another process" in done.stderr
    assert not (archive / "reports").exists()


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ('[[source]]\npath = "gone"\n', 3, "gone: there is no such file or folder"),
        pytest.param(
            '[collection]\nuri = "http://127.0.0.1:9"\n', 3, "127.0.0.1:9 does not answer", marks=pytest.mark.slow
        ),
        ('[reports]\nfolder = "twinlens.toml"\n', 3, "is no folder"),
        ('[metrics]\nfile = "nowhere/t.prom"\n', 3, "there is no folder"),
        ('[encoder]\nweights = "nowhere.onnx"\n', 2, "nowhere.onnx"),
        ("[collection]\nsecond_look = false\nstrict = true\n", 2, "leave out one of the two"),
    ],
)
def test_check_finds_what_a_run_would_miss(twinlens: Twinlens, archive: Path, text: str, code: int, said: str) -> None:
    """Each with the exit code that a run would have; the other findings are there, too."""
    file = add(archive, text)
    result = twinlens("batch", "--config", file, "--check")
    assert (result.code, said in result.out) == (code, True), result.out
    assert f"ok    source {archive}/photos: 13 images" in result.out
    assert f"a run would fail with exit code {code}" in result.out
    assert {path.name for path in archive.iterdir()} == {"photos", "twinlens.toml"}
    assert twinlens("batch", "--config", file).code == code


def test_check_finds_a_program_that_is_not_there(twinlens: Twinlens, archive: Path) -> None:
    """It is a wrong configuration to the rehearsal, which says that a run would go on without it."""
    file = add(archive, '[notify]\ncommand = "no-such-program -x"\n')
    result = twinlens("batch", "--config", file, "--check")
    assert (result.code, "there is no program no-such-program" in result.out) == (2, True)
    assert result.out.endswith("a run would do its work, but mend what is said above\n")


def obeying(archive: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a batch that permissions hold for, if need be as a root who has lost the right to pass them over."""
    lost = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.getuid() == 0 else []
    if lost and not shutil.which("setpriv"):
        pytest.skip("no setpriv here")
    return subprocess.run([*lost, *command(archive, *options)], capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_check_sees_what_may_not_be_read(archive: Path) -> None:
    """A locked folder and a locked file are told, with the exit code that the run has for them."""
    for path in (archive / "photos").glob("z-*"):
        path.unlink()
    (archive / "photos/a-00.jpg").chmod(0)
    (archive / "photos/locked").mkdir(mode=0)
    checked, done = obeying(archive, "--check"), obeying(archive)
    (archive / "photos/locked").chmod(0o700)
    told = f"10 images; 2 that cannot be read, the first is {archive}/photos/a-00.jpg: permission denied"
    assert f"WARN  source {archive}/photos: {told}" in checked.stdout
    assert checked.stdout.endswith("do the rest, and exit with code 5\n")
    assert (checked.returncode, done.returncode, last(archive)["rejected"]) == (5, 5, 2)


@pytest.mark.slow
def test_a_report_folder_that_may_not_be_written_has_one_exit_code(archive: Path) -> None:
    """The rehearsal and the run say 3, and so they do for a folder of metrics."""
    (archive / "reports").mkdir(mode=0o555)
    assert [obeying(archive, *options).returncode for options in (["--check"], [])] == [3, 3]
    (archive / "twinlens.toml").write_text('[[source]]\npath = "photos"\n[metrics]\nfile = "reports/t.prom"\n')
    add(archive, '[reports]\nfolder = "told"\n')
    assert [obeying(archive, *options).returncode for options in (["--check"], [])] == [3, 3]


def test_check_refuses_another_radius(twinlens: Twinlens, archive: Path) -> None:
    """A collection that is there keeps its radius; the rehearsal says so before the night."""
    twinlens("batch", "--config", archive / "twinlens.toml")
    result = twinlens("batch", "--config", add(archive, "[collection]\nradius = 0.02\n"), "--check")
    assert (result.code, "FAIL  collection" in result.out, "0.01" in result.out) == (2, True, True)


@pytest.mark.slow
def test_secrets_come_from_the_environment_and_are_not_shown(archive: Path, tmp_path: Path) -> None:
    """TWINLENS_URI replaces the file's, and neither its password nor the token is printed."""
    env = os.environ | {"TWINLENS_TOKEN": "root:swordfish", "TWINLENS_URI": "http://me:swordfish@127.0.0.1:9"}
    done = subprocess.run(command(archive, "--check"), capture_output=True, text=True, check=False, env=env)
    assert (done.returncode, "swordfish" in done.stdout + done.stderr) == (3, False)
    assert "TWINLENS_TOKEN is set" in done.stdout
    moved = os.environ | {"TWINLENS_URI": str(tmp_path / "moved.db")}
    assert subprocess.run(command(archive), capture_output=True, check=False, env=moved).returncode == 5
    assert (tmp_path / "moved.db").exists()


@pytest.mark.parametrize("uri", ["http://me:sword@fish@", "http://me:x/swordfish@host", "http://me:12/swordfish@host"])
def test_a_password_that_breaks_the_address_is_not_shown(
    twinlens: Twinlens, archive: Path, monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    """Neither log, report and summary nor the notification tell it, nor a secret among the command's words."""
    monkeypatch.setenv("TWINLENS_URI", uri)
    options = ("--log-format", "json", "--notify", "false swordfish")
    results = [twinlens("batch", "--config", archive / "twinlens.toml", *each) for each in (["--check"], options)]
    told = [text for result in results for text in (result.out, result.err)]
    told += [path.read_text() for path in (archive / "reports").rglob("*.json*")]
    assert ([result.code for result in results], len(told)) == ([2, 2], 4 + 3)
    assert not [text for text in told if "fish" in text]


@pytest.mark.slow
def test_milvus_gone_is_a_run_that_failed(twinlens: Twinlens, archive: Path) -> None:
    """Exit code 3, and the summary, the metrics and the notification tell so."""
    add(archive, '[collection]\nuri = "http://127.0.0.1:9"\n[metrics]\nfile = "t.prom"\n')
    got = archive / "got.json"
    result = twinlens("batch", "--config", archive / "twinlens.toml", "--notify", f"cp /dev/stdin {got}")
    assert (result.code, "127.0.0.1:9 does not answer" in result.err) == (3, True)
    assert json.loads(got.read_text()) == last(archive)
    assert (last(archive)["exit_code"], last(archive)["seen"]) == (3, 0)
    assert 'twinlens_last_run_exit_code{collection="images"} 3' in (archive / "t.prom").read_text()


def test_a_run_that_never_began_says_why(twinlens: Twinlens, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard output alone tells the error, and does not advise to go on with what did not begin."""
    monkeypatch.setenv("TWINLENS_URI", "http://:19530")
    result = twinlens("batch", "--config", archive / "twinlens.toml")
    assert (result.code, "cut short" in result.out) == (2, False)
    assert "error: http://:19530 is no address of a server" in result.out


@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&-"])
def test_a_closed_standard_error_is_no_bug(archive: Path, closed: str) -> None:
    """Nobody hears the log then, and all else is as ever; also the command, whose output would go there."""
    line = " ".join(command(archive, "--notify", "'sh -c \"echo said; cat >got.json\"'"))
    done = subprocess.run(f"{line} {closed}", shell=True, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (5, "")
    assert json.loads((archive / "got.json").read_text()) == last(archive)


def test_without_room_for_a_report_nothing_is_begun(archive: Path) -> None:
    """Exit code 3, told by the metrics and the notification, since no folder can tell."""
    add(archive, '[reports]\nfolder = "small/reports"\n[metrics]\nfile = "t.prom"\n')
    line = " ".join(command(archive, "--json", "--log-format", "json"))
    done = small_disk(archive, "48k", f"{line}; echo $?; ls -A {archive}/small/reports/runs")
    summary, code = done.stdout.splitlines()
    told = json.loads(summary)
    assert (code, told["exit_code"], told["report"], told["seen"]) == ("3", 3, None, 0)
    assert "No space left on device" in json.loads(done.stderr.splitlines()[0])["message"]
    assert 'twinlens_last_run_exit_code{collection="images"} 3' in (archive / "t.prom").read_text()


def test_a_source_within_another_is_read_once(twinlens: Twinlens, archive: Path) -> None:
    """Sources may overlap: each file is seen once, and one that is deleted vanishes as any other."""
    pictures.folder(archive / "photos/best", count=2)
    add(archive, '[[source]]\npath = "photos/best"\npriority = 1\n')
    twinlens("batch", "--config", archive / "twinlens.toml")
    assert last(archive)["seen"] == 13 + 8
    (archive / "photos/best/a-00.jpg").unlink()
    twinlens("batch", "--config", archive / "twinlens.toml")
    assert (last(archive)["sweep"]["missing"], last(archive)["absent"]) == (0, [])
    assert (last(archive)["sweep"]["moved"], last(archive)["seen"]) == (1, 13 + 7)


def test_metrics_that_cannot_be_written_are_a_run_that_failed(twinlens: Twinlens, archive: Path) -> None:
    """Exit code 3 and the reason, in the summary, too; all else is done and kept."""
    file = add(archive, '[metrics]\nfile = "nowhere/t.prom"\n')
    result = twinlens("batch", "--config", file)
    assert (result.code, f"error: cannot write {archive}/nowhere/t.prom: No such file" in result.out) == (3, True)
    assert (last(archive)["exit_code"], last(archive)["interrupted"]) == (3, False)
    assert [last(archive)[name] for name in SUMS] == [4, 6, 3, 0]
    assert last(archive)["sweep"]["missing"] == 0
    (archive / "nowhere").mkdir()
    assert twinlens("batch", "--config", file).code == 5
    assert [last(archive)[name] for name in SUMS] == [0, 0, 3, 10]


def test_metrics_replace_nothing_but_metrics(twinlens: Twinlens, archive: Path) -> None:
    """A photograph that was named by mistake stays, and is named by the rehearsal; so does what lies beside a file."""
    photo = Path(shutil.copy(archive / "photos/a-00.jpg", archive / "mine.jpg"))
    before = photo.read_bytes()
    file = add(archive, '[metrics]\nfile = "mine.jpg"\n')
    checked = twinlens("batch", "--config", file, "--check")
    assert (checked.code, "mine.jpg is there and is no file of metrics" in checked.out) == (3, True)
    assert (twinlens("batch", "--config", file).code, photo.read_bytes()) == (3, before)
    assert "cannot write the metrics" in last(archive)["error"]
    beside = archive / "t.prom.tmp"
    beside.write_text("mine")
    file.write_text(file.read_text().replace("mine.jpg", "t.prom"))
    for _ in range(2):
        assert (twinlens("batch", "--config", file).code, beside.read_text()) == (5, "mine")


def test_a_notification_that_fails_changes_no_exit_code(twinlens: Twinlens, archive: Path) -> None:
    """It is said, and that is all."""
    result = twinlens("batch", "--config", archive / "twinlens.toml", "--notify", "false")
    assert result.code == 5
    assert "the notification failed: 'false' exited with 1" in result.err


def test_a_relative_command_starts_from_the_configurations_folder(twinlens: Twinlens, archive: Path) -> None:
    """Wherever cron started it, and the rehearsal finds it there, too."""
    (archive / "tell").write_text("#!/bin/sh\ncat >got.json\n")
    (archive / "tell").chmod(0o755)
    file = add(archive, '[notify]\ncommand = "./tell"\n')
    assert "ok    notify: ./tell: can be run" in twinlens("batch", "--config", file, "--check").out
    assert "notification" not in twinlens("batch", "--config", file).err
    assert json.loads((archive / "got.json").read_text()) == last(archive)


@pytest.mark.parametrize("seconds", ["1e12", "inf", "nan", "0"])
def test_a_limit_of_time_that_is_none_is_refused(twinlens: Twinlens, archive: Path, seconds: str) -> None:
    """Exit code 2 at once; no timer would take it."""
    result = twinlens("batch", "--config", archive / "twinlens.toml", "--max-seconds", seconds)
    assert (result.code, (archive / "reports").exists()) == (2, False)


@pytest.mark.parametrize("text", ["mail 'x", " "])
def test_a_command_that_is_none_is_refused_before_the_run(twinlens: Twinlens, archive: Path, text: str) -> None:
    """Exit code 2 at once, not a surprise at the end of the night."""
    result = twinlens("batch", "--config", archive / "twinlens.toml", "--notify", text)
    assert (result.code, "is no command" in result.err, (archive / "reports").exists()) == (2, True, False)


def test_the_log_can_be_json_lines(twinlens: Twinlens, archive: Path) -> None:
    """Start, each source, each rejected image, progress and the end, each an object with a time."""
    add(archive, "[log]\nprogress_s = 1e-9\n")
    result = twinlens("batch", "--config", archive / "twinlens.toml", "--log-format", "json")
    rows = [json.loads(line) for line in result.err.splitlines()]
    events = [row["event"] for row in rows]
    assert [events[0], events[1], events[-1], events.count("rejected")] == ["start", "source", "end", 3]
    assert "progress" in events
    assert all(row["time"].endswith("Z") and row["message"] for row in rows)


def test_what_ends_a_run_early_is_json_too(twinlens: Twinlens, archive: Path) -> None:
    """A fault of the configuration is one event of the log, where that is asked for on the command line."""
    result = twinlens("batch", "--config", add(archive, "[limit]\n"), "--log-format", "json")
    (row,) = (json.loads(line) for line in result.err.splitlines())
    assert (result.code, row["event"], row["exit_code"]) == (2, "end", 2)
    assert "did you mean limits?" in row["message"]


def test_a_limit_of_images_is_reached_over_several_runs(twinlens: Twinlens, archive: Path) -> None:
    """Unchanged and broken files do not use it up, so that each run gets on; each but the last says why it ended."""
    reasons = []
    for _ in range(10):
        assert twinlens("batch", "--config", archive / "twinlens.toml", "--max-images", 2).code in (0, 5)
        reasons.append(last(archive)["reason"])
        if reasons[-1] is None:
            break
    assert reasons == [*["max_images"] * (len(reasons) - 1), None]
    assert (len(reasons) > 1, last(archive)["collection"]) == (True, {"originals": 4, "copies": 6})
    assert last(archive)["sweep"] is not None


@pytest.mark.slow
def test_a_limit_of_time_cuts_a_run_short(twinlens: Twinlens, archive: Path) -> None:
    """The summary says so, no sweep is made, and the next run does the rest."""
    pictures.folder(archive / "photos/more", count=40)
    add(archive, "[limits]\nbatch_size = 1\nmax_seconds = 0.2\n")
    assert twinlens("batch", "--config", archive / "twinlens.toml").code in (0, 5)
    cut = last(archive)
    assert [cut[name] for name in ("interrupted", "reason", "sweep")] == [True, "max_seconds", None]
    twinlens("batch", "--config", archive / "twinlens.toml", "--max-seconds", 600)
    assert last(archive)["unchanged"] == cut["unique"] + cut["copy"]


@pytest.fixture
def started(archive: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a batch of 103 images, one by one, and return it once it has read some."""
    pictures.folder(archive / "photos/more", count=40)
    add(archive, "[limits]\nbatch_size = 1\n[log]\nprogress_s = 1e-9\nformat = 'json'\n")
    hearing = ["env", "--default-signal=HUP", *command(archive)]  # which whoever runs the tests under nohup ignores
    with subprocess.Popen(hearing, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while '"progress"' not in process.stderr.readline():
            pass
        yield process
        process.kill()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_finishes_what_is_in_flight(
    started: subprocess.Popen[str], twinlens: Twinlens, archive: Path, number: signal.Signals
) -> None:
    """Exit code 0 or 5, never 130; all that is stored is in the report, and the next run goes on."""
    started.send_signal(number)
    out, err = started.communicate(timeout=60)
    cut = last(archive)
    assert (started.returncode in (0, 5), "Traceback" in err) == (True, False), out + err
    assert [cut[name] for name in ("interrupted", "reason", "sweep", "error")] == [True, "signal", None, None]
    assert sum(cut["collection"].values()) == cut["unique"] + cut["copy"] > 0
    twinlens("batch", "--config", archive / "twinlens.toml")
    assert (last(archive)["interrupted"], last(archive)["unchanged"]) == (False, cut["unique"] + cut["copy"])


@pytest.mark.slow
def test_a_second_ctrl_c_ends_at_once(started: subprocess.Popen[str], archive: Path) -> None:
    """Exit code 130, with a summary all the same."""
    started.send_signal(signal.SIGINT)
    time.sleep(0.01)
    started.send_signal(signal.SIGINT)
    started.communicate(timeout=60)
    assert last(archive)["exit_code"] == started.returncode
    assert started.returncode in (130, 0, 5)  # the first may have been enough


@pytest.mark.parametrize("reason", [None, "max_images"])
def test_a_second_ctrl_c_counts_after_a_limit_too(reason: str | None) -> None:
    """The first one asks for the end of the run, whatever did so before; the second one does not wait for it."""
    stop = Stop(reason)
    stop.then(lambda: None)  # the run has begun
    with _stopping_politely(stop):
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        assert stop.reason == (reason or "signal")
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_new_copies_are_named_in_the_log(twinlens: Twinlens, archive: Path) -> None:
    """The log for people has a line for each, once; that for programs an event, with the original's name."""
    told = twinlens("batch", "--config", archive / "twinlens.toml").err
    photos = archive / "photos"
    assert told.count("copy ") == 6
    assert f"copy {photos / 'b-00.png'} of {photos / 'a-00.jpg'}: distance 0.0" in told
    again = twinlens("batch", "--config", archive / "twinlens.toml").err
    assert ("copy " in again, again.count("rejected ")) == (False, 3)
    shutil.copy(photos / "a-01.jpg", photos / "new.jpg")
    rows = twinlens("batch", "--config", archive / "twinlens.toml", "--log-format", "json").err.splitlines()
    (found,) = (row for row in map(json.loads, rows) if row["event"] == "copy")
    named = {"uri": str(photos / "new.jpg"), "original": str(photos / "a-01.jpg"), "distance": 0.0, "exact": True}
    assert found.items() >= named.items()


def test_a_renamed_folder_is_told_from_copies_to_delete(twinlens: Twinlens, archive: Path) -> None:
    """Its files are copies of files that are gone: row, sums and log say so; of files that are there, the contrary."""
    file, report = archive / "twinlens.toml", archive / "reports/latest/report.jsonl"
    twinlens("batch", "--config", file)
    (archive / "photos").rename(archive / "photos2")
    file.write_text('[[source]]\npath = "."\n')
    result = twinlens("batch", "--config", file)
    rows = [json.loads(row) for row in report.read_text().splitlines()]
    assert [row["original_is_there"] for row in rows if row.get("outcome") == "copy"] == [False] * 10
    assert "10 copies (10 exact, 10 of files that are gone)" in result.out
    assert f"of {archive / 'photos/a-00.jpg'}, which is gone: same bytes" in result.err
    assert (last(archive)["of_gone"], last(archive)["sweep"]["moved"]) == (10, 10)
    shutil.copy(archive / "photos2/a-00.jpg", archive / "photos2/new.jpg")
    twinlens("batch", "--config", file)
    (row,) = (row for row in map(json.loads, report.read_text().splitlines()) if row.get("outcome") == "copy")
    assert (row["original_is_there"], last(archive)["of_gone"]) == (True, 0)


def test_a_second_ctrl_c_while_it_starts(archive: Path) -> None:
    """Before there is a run to end, it ends the process, whatever is being imported; nothing is left."""
    python, *rest = command(archive)
    full = [python, "-X", "importtime", *rest]  # which tells what was imported
    with subprocess.Popen(full, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for moment in ("indexer.config", "milvus_lite.engine.collection"):
            while not process.stderr.readline().rstrip().endswith(f" {moment}"):
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, "Traceback" in err) == (130, "", False)
    assert err.endswith(f"{interrupt.MESSAGE}\n")
    assert not (archive / "reports").exists()


@pytest.mark.slow
def test_a_killed_run_is_listed_as_killed(started: subprocess.Popen[str], twinlens: Twinlens, archive: Path) -> None:
    """It has a folder without a summary, and the next run goes on."""
    started.kill()
    started.communicate()
    assert "killed" in twinlens("runs", "--config", archive / "twinlens.toml").out
    assert twinlens("batch", "--config", archive / "twinlens.toml").code == 5
    assert sum(last(archive)["collection"].values()) == 110
    assert last(archive)["unchanged"] > 0


def small_disk(archive: Path, size: str, script: str) -> subprocess.CompletedProcess[str]:
    """Run *script* where archive/small is a file system of *size*; skip where nobody but root may make one."""
    mount = f"mount -t tmpfs -o size={size} none {archive}/small && {script}"
    (archive / "small").mkdir()
    done = subprocess.run(["unshare", "-Urm", "sh", "-c", mount], capture_output=True, text=True, check=False)
    if done.stderr.startswith(("unshare", "mount")):
        pytest.skip("no user name spaces here")
    return done


@pytest.mark.slow
def test_a_full_report_folder_loses_nothing(twinlens: Twinlens, archive: Path) -> None:
    """Exit code 3 and a summary that fits into the reserve; what was read is stored, and the next run goes on."""
    pictures.folder(archive / "photos/more", count=40)
    add(archive, '[reports]\nfolder = "small/reports"\nunchanged = true\n[limits]\nbatch_size = 8\n')
    line = " ".join(command(archive))
    done = small_disk(archive, "80k", f"{line}; echo $?; cat {archive}/small/reports/latest/summary.json")
    code, summary = done.stdout.partition("\n{")[0].rpartition("\n")[2], "{" + done.stdout.partition("\n{")[2]
    told = json.loads(summary)
    assert (code, told["exit_code"], told["reason"]) == ("3", 3, "report")
    assert "No space left on device" in done.stderr
    assert sum(told["collection"].values()) == told["unique"] + told["copy"] > 0
    add(archive, "").write_text('[[source]]\npath = "photos"\n')
    twinlens("batch", "--config", archive / "twinlens.toml")
    assert last(archive)["unchanged"] == told["unique"] + told["copy"]


@pytest.mark.slow
def test_a_full_disk_beneath_milvus_lite_loses_nothing(archive: Path) -> None:
    """Exit code 3 and a line that says what to do; with room again, the run ends as if it had never been full."""
    pictures.folder(archive / "photos/more", count=40)
    add(archive, '[collection]\nuri = "small/a.db"\n[limits]\nbatch_size = 8\n')
    line = " ".join(command(archive, "--json"))
    script = f"{line}; mount -o remount,size=64m {archive}/small; {line}"
    full, whole = (json.loads(row) for row in small_disk(archive, "300k", script).stdout.splitlines())
    assert (full["exit_code"], full["reason"]) == (3, "error")
    assert "has no room left" in full["error"]
    assert (whole["exit_code"], sum(whole["collection"].values())) == (5, 110)
    assert whole["unchanged"] >= full["unique"] + full["copy"] > 0
