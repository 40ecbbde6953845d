"""The batch configuration: what is wrong is named with its file, its key, what was found and what is allowed."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from indexer.config import TEMPLATE, BatchConfig, effective, load
from indexer.errors import ConfigError

SOURCE = '[[source]]\npath = "photos"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the path of a configuration in a folder of its own."""
    return tmp_path / "twinlens.toml"


def read(file: Path, text: str) -> BatchConfig:
    """Write *text* as a configuration and read it."""
    file.write_text(text, encoding="utf-8")
    return load(file)


def fault(file: Path, text: str) -> str:
    """Return the message about the configuration *text*, without the file's name, which it must begin with."""
    with pytest.raises(ConfigError) as caught:
        read(file, text)
    assert str(caught.value).startswith(f"{file}: ")
    return str(caught.value).removeprefix(f"{file}: ")


def test_one_source_is_enough(file: Path) -> None:
    """All other keys have defaults, and relative paths start from the file's folder."""
    config = read(file, SOURCE)
    assert config.source[0].path == str(file.parent / "photos")
    assert config.collection.uri == str(file.parent / "twinlens.db")
    assert config.reports.folder == file.parent / "reports"
    assert (config.vanish.grace_days, config.limits.max_seconds, config.log.format) == (7, None, "text")


def test_the_lowest_priority_number_comes_first(file: Path) -> None:
    """Sources are in the order of their priorities, and within one in the order of the file."""
    tables = [("late", 30), ("first", -1), ("also-late", 30), ("second", 2)]
    text = "".join(f'[[source]]\npath = "/{name}"\npriority = {number}\n' for name, number in tables)
    assert [source.path for source in read(file, text).source] == ["/first", "/second", "/late", "/also-late"]


def test_a_tilde_is_the_home_folder(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In every path; one of nobody's is refused, and a name that begins so can be written."""
    monkeypatch.setenv("HOME", "/home/me")
    text = '[[source]]\npath = "~/photos"\n[collection]\nuri = "~/a.db"\n[reports]\nfolder = "~/reports"\n'
    config = read(file, text)
    assert (config.source[0].path, config.collection.uri) == ("/home/me/photos", "/home/me/a.db")
    assert config.reports.folder == Path("/home/me/reports")
    assert read(file, '[[source]]\npath = "./~a"\n').source[0].path == str(file.parent / "~a")
    assert fault(file, '[[source]]\npath = "~nobody-of-this-name/a"\n').endswith("or ./~ for a name")


def test_a_byte_order_mark_is_passed_over(file: Path) -> None:
    """Editors on Windows put it before the text."""
    file.write_bytes(b"\xef\xbb\xbf" + SOURCE.encode())
    assert load(file).source[0].path == str(file.parent / "photos")


@pytest.mark.parametrize("uri", ["http://milvus:19530", "https://milvus.example.org", "/srv/archive.db"])
def test_addresses_and_absolute_paths_stay_as_they_are(file: Path, uri: str) -> None:
    """Only relative paths are moved."""
    assert read(file, f'{SOURCE}[collection]\nuri = "{uri}"\n').collection.uri == uri


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[limits]\nthreads = 0\n", "[limits] threads: it is a whole number, 0; allowed: a whole number of at least 1"),
        ('[limits]\nthreads = "4"\n', "[limits] threads: it is a text, '4'; allowed: a whole number"),
        ("[limits]\nthreads = true\n", "[limits] threads: it is a boolean, True; allowed: a whole number"),
        ("[limits]\nmax_seconds = inf\n", "[limits] max_seconds: it is a number, inf; allowed: a number above 0"),
        ("[limits]\nmax_seconds = 1e12\n", "number, 1000000000000.0; allowed: a number above 0 and at most 2678400"),
        ("[vanish]\nat_most_share = 1.5\n", "at_most_share: it is a number, 1.5; allowed: a number of at least 0 and"),
        ("[schedule]\nevery_hours = 1e308\n", "number, 1e+308; allowed: a number above 0 and at most 8784"),
        ("[collection]\nradius = 0\n", "[collection] radius: it is a whole number, 0; allowed: a number above 0"),
        ('[collection]\nuri = "a.sqlite"\n', "uri: it is a text, 'a.sqlite'; allowed: a Milvus Lite path that ends in"),
        ('[collection]\nuri = "s3://a.db"\n', "uri: it is a text, 's3://a.db'; allowed: a Milvus Lite path"),
        ('[log]\nformat = "xml"\n', '[log] format: it is a text, \'xml\'; allowed: "text" or "json"'),
        ("[schedule]\nnote = 2026-01-01\n", "[schedule] note: it is a date or time"),
        ('[reports]\nfolder = ""\n', "[reports] folder: it is a text, ''; allowed: a path"),
        ('[notify]\ncommand = "mail \'x"\n', "[notify] command: it cannot be split into words"),
        ("limits = 3\n", "[limits] is a whole number, 3; allowed: a table"),
        ("[limits]\nmax_secs = 3\n", "[limits] max_secs: it is not known; did you mean max_seconds? keys there:"),
        ("[limit]\n", "limit: it is not known; did you mean limits? tables there: collection"),
        ('[collection]\ntoken = "root:x"\n', "[collection] token: secrets stay out of the file"),
        ('token = "root:x"\n', "token: secrets stay out of the file"),
        ('[collection]\nuri = "http://root:x@host"\n', "[collection] uri: a password stays out of the file"),
        ('[collection]\nuri = "http://root:x/1@@host"\n', "[collection] uri: a password stays out of the file"),
        ('[collection]\nuri = "root:x@host:19530"\n', "[collection] uri: a password stays out of the file"),
    ],
)
def test_each_fault_is_one_line(file: Path, text: str, said: str) -> None:
    """The line names the key, what was found, and what is allowed; a secret is not repeated."""
    told = fault(file, text + SOURCE if "=" in text.partition("\n")[0] else SOURCE + text)
    assert told.startswith(said) or said in told
    assert "\n" not in told
    assert "root:x" not in told


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "[[source]]: none is there; allowed: at least one"),
        ("source = 4\n", "[[source]]: it is a whole number, 4; allowed"),
        ('[source]\npath = "x"\n', "[[source]]: it is a table"),
        ("[[source]]\npriority = 1\n", "[[source]] no. 1 path is missing; allowed: a file, folder"),
        (SOURCE + '[[source]]\npath = "-"\n', "[[source]] no. 2 path: a scheduled run has no standard input"),
        (SOURCE + 'include = "*.jpg"\n', "[[source]] no. 1 include: it is a text, '*.jpg'; allowed: a list"),
        ('[[source]]\npath = "ftp://me:x@host/a"\n', "[[source]] no. 1 path: a password stays out"),
        ('[[source]]\npath = "ftp://me:x@1@host/a"\n', "[[source]] no. 1 path: a password stays out"),
        ('[[source]]\npath = "ftp://me:x/1@host/a"\n', "[[source]] no. 1 path: a password stays out"),
        ('[[source]]\npath = "HTTPS://token@host/a"\n', "[[source]] no. 1 path: a password stays out"),
    ],
)
def test_each_fault_of_a_source_is_one_line(file: Path, text: str, said: str) -> None:
    """Sources are told by their number."""
    assert fault(file, text).startswith(said)


def test_all_faults_come_at_once(file: Path) -> None:
    """Nobody has to start the program once for each fault."""
    told = fault(file, "[limits]\nthreads = 0\nbatch_size = 0\n[colection]\n")
    assert told.count(f"\n{file}: ") == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"a = \n", "it is not TOML"),
        (b"a = '\xff'", "it is not UTF-8"),
        (b"a = " + b"[" * 9000, "it is not TOML"),
        (b"a = " + b"1" * 5001, "it is not TOML"),
        (b"[schedule]\nevery_hours = 1" + b"0" * 400, "every_hours: it is a whole number"),
    ],
)
def test_a_file_that_is_no_toml_is_refused(file: Path, text: bytes, said: str) -> None:
    """The message says so, and where."""
    file.write_bytes(text)
    with pytest.raises(ConfigError, match=said):
        load(file)


def test_a_missing_file_names_the_command_that_writes_one(file: Path) -> None:
    """The message leads on."""
    with pytest.raises(ConfigError, match="twinlens init writes one"):
        load(file)


def test_what_is_in_force_can_be_read_again(file: Path) -> None:
    """The effective configuration is TOML and means the same."""
    text = (
        SOURCE + 'include = ["ä \\"b\\".jpg", "\\u007f"]\n[limits]\nmax_seconds = 0.5\n[notify]\ncommand = "a \'b\'"\n'
    )
    config = read(file, text)
    assert read(file, effective(config)) == config


@pytest.mark.parametrize(
    "path", ["sftp://me@host/a", "https://host:8080/a@2x.tar", "https://[::1]/a@b", "s3://bucket/a:b@c"]
)
def test_an_at_that_is_no_password_is_taken(file: Path, path: str) -> None:
    """A user's name is needed to sign in, and names of files may hold what they like."""
    assert read(file, f'[[source]]\npath = "{path}"\n').source[0].path == path


@pytest.mark.parametrize("uri", ["http://me:swordfish@host", "http://me:sword@fish@host", "tcp://me:12/swordfish@host"])
def test_an_address_is_shown_without_who_signs_in(file: Path, uri: str) -> None:
    """The environment's may hold that; what is in force does not tell it, whatever characters are in it."""
    config = read(file, SOURCE)
    told = effective(replace(config, collection=replace(config.collection, uri=uri)))
    assert ("fish" in told, "://***@host" in told) == (False, True)


def test_the_commented_file_is_valid(file: Path) -> None:
    """What `twinlens init` writes can be read, also with each comment that is a key taken in."""
    config = read(file, TEMPLATE)
    whole = read(file, re.sub(r"^# (?=[a-z_]+ = |\[)", "", TEMPLATE, flags=re.MULTILINE))
    assert (config.reports.keep, len(config.source)) == (30, 1)
    assert (whole.notify.timeout_s, len(whole.source)) == (60, 2)
