"""The rehearsal of a scheduled run: whether all that it needs is there; nothing is made, read or written for it."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from indexer import encode, sources
from indexer.config import BatchConfig
from indexer.errors import ConfigError, ExitCode, ImageError, SourceError, TwinlensError
from indexer.jobs.around import opened, selections_of
from indexer.jobs.index import Where, settings_for
from indexer.report.metrics import check_place
from indexer.report.text import printable, said
from indexer.sources import Selection, glance, problem_of
from indexer.store.door import is_server, shown
from indexer.store.milvus import has_collection

_GLANCE_S = 3.0


@dataclass(frozen=True, slots=True)
class Finding:
    """
    What was found out about one *subject*.

    Attributes:
        subject: what was looked at.
        told: a sentence.
        code: the exit code that a check gives for it.
        stops: whether a run would exit with that code, too.

    """

    subject: str
    told: str
    code: ExitCode = ExitCode.DONE
    stops: bool = True


def check(config: BatchConfig, where: Where) -> Iterator[Finding]:
    """Yield what is found out about the collection, each source, and each place that is written to."""
    yield _guarded("collection", lambda: _collection(config, where))
    for selection in selections_of(config):
        subject = f"source {printable(sources.shown(os.fsdecode(selection.path)))}"
        yield _guarded(subject, lambda selection=selection: _source(selection))  # type: ignore[misc]
    yield _outside(_guarded("reports", lambda: _writable(config.reports.folder / "runs")))
    if config.metrics.file:
        yield _metrics(config.metrics.file)
    if config.notify.command:
        yield _command(config.notify.command, config.file.parent)


def worst(findings: list[Finding]) -> ExitCode:
    """Return the exit code of a check: what the user must mend in the file comes first, then a lock, then the rest."""
    codes = {finding.code for finding in findings}
    order = (ExitCode.USAGE, ExitCode.LOCKED, ExitCode.OUTSIDE, ExitCode.REJECTED)
    return next((code for code in order if code in codes), ExitCode.DONE)


def forecast(findings: list[Finding]) -> str:
    """Return in one line how a run would end."""
    code = worst([finding for finding in findings if finding.stops])
    if code is ExitCode.REJECTED:
        return "a run would reject what cannot be read, do the rest, and exit with code 5"
    if code is not ExitCode.DONE:
        return f"a run would fail with exit code {int(code)}"
    if worst(findings) is not ExitCode.DONE:
        return "a run would do its work, but mend what is said above"
    return "all is there, as far as can be told without reading the images"


def _guarded(subject: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, look())
    except TwinlensError as error:
        return Finding(subject, str(error), error.exit_code)
    except OSError as error:
        return Finding(subject, f"{error.filename}: {error.strerror}", ExitCode.OUTSIDE)


def _collection(config: BatchConfig, where: Where) -> str:
    place = f"{where.collection} at {shown(where.uri)}"
    if not has_collection(where.uri, where.collection, access=where.access):
        encoder = encode.load(config.encoder.weights, config.encoder.device)
        wanted = config.collection
        settings_for(encoder.spec, wanted.radius, wanted.second_look, wanted.strict)  # refuses what cannot be
        if not is_server(where.uri):
            _must_be_writable(Path(where.uri))
        return f"{place}: none is there, the first run makes it with {encoder.spec.fingerprint}"
    with opened(config, where, create=False) as index:
        counts, settings = index.count(), index.store.settings
    return f"{place}: {counts.originals} originals, {counts.copies} copies, radius {settings.radius:g}"


def _source(selection: Selection) -> str:
    problem = problem_of(os.fsdecode(selection.path))
    if problem:
        raise SourceError(f"{problem}; a run would go on without it, and exit with 3")
    seen = glance(selection, _GLANCE_S)
    images = said(seen.images, "image", "images")
    told = images if seen.complete else f"more than {images}, counted for {_GLANCE_S:g} s"
    if seen.refused:
        raise ImageError("unreadable", f"{told}; {seen.refused} that cannot be read, the first is {seen.first}")
    return told


def _metrics(file: Path) -> Finding:
    def look() -> str:
        if not file.parent.is_dir():
            raise ConfigError(f"there is no folder {file.parent}; make it, or name another")
        check_place(file)
        return _writable(file.parent)

    return _outside(_guarded("metrics", look))


def _writable(folder: Path) -> str:
    _must_be_writable(folder)
    return f"{folder}: can be written" if folder.is_dir() else f"{folder}: the first run makes it"


def _outside(found: Finding) -> Finding:
    """Return *found* with the exit code that a run would give for it: it tries, and fails there."""
    return found if found.code is ExitCode.DONE else replace(found, code=ExitCode.OUTSIDE)


def _must_be_writable(path: Path) -> None:
    """Raise ConfigError unless *path*, or a folder in the nearest folder that there is, could be written."""
    nearest = next(folder for folder in (path, *path.parents) if folder.exists())
    if not nearest.is_dir():
        raise ConfigError(f"{nearest} is no folder; name another place")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ConfigError(f"{nearest} cannot be written; change its permissions, or name another place")


def _command(command: str, folder: Path) -> Finding:
    program = shlex.split(command)[0]
    if shutil.which(folder / program if os.sep in program else program):
        return Finding("notify", f"{program}: can be run")
    return Finding(
        "notify",
        f"there is no program {program}; install it, or name its full path; a run would tell nobody",
        ExitCode.USAGE,
        stops=False,
    )
