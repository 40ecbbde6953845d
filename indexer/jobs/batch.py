"""
The scheduled batch: one unattended run over all configured sources, told to whoever may want to know.

    open (exit 4 when it is held) ─ report folder ─ ingest, one stream ─ sweep ─ report, summary, metrics, notify

It knows only "once": cron, systemd or Kubernetes decides when, and a missed, doubled or killed run does no harm.
Nothing is written before it is known that no other run holds the collection. Whatever else ends a run, an address that
does not answer included, its summary is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from threading import Timer
from time import monotonic

from indexer.config import BatchConfig
from indexer.errors import ConfigError, ExitCode, LockHeld, TwinlensError
from indexer.jobs.around import Around, opened, selections_of
from indexer.jobs.batch_summary import BatchSummary, last_words, plain
from indexer.jobs.index import Index, Tuning
from indexer.jobs.run import Run
from indexer.jobs.sweep import SweepPolicy, SweepSummary
from indexer.records import Counts, Outcome, Verdict
from indexer.report import metrics
from indexer.report.folder import RunFolder
from indexer.report.log import utc
from indexer.report.notify import notify
from indexer.report.text import printable, told_in_a_line
from indexer.sources import address, problem_of, shown
from indexer.stream import Limits
from indexer.summary import RunSummary, Tally
from model.cores import usable_cores

_DAY_S = 86_400.0
_TOLD = 20
"""Copies that get a line of a log for people, and as many rejected images; the report has them all."""

_MORE = {Outcome.COPY: "more copies were found", Outcome.REJECTED: "more were rejected"}


def batch(config: BatchConfig, around: Around) -> BatchSummary:
    """
    Do one run, and return what became of it, errors included.

    Raises:
        LockHeld: another run holds the collection; nothing was touched.

    """
    night = _Night(config, around)
    with ExitStack() as stack:
        held = stack.enter_context(ExitStack())
        begun = night.begin(held)
        folder = night.folder(stack)
        if begun and folder:
            night.attempt(lambda: night.work(*begun, folder))
        night.attempt(held.close)  # a command that is notified may want the collection
        return night.finish(folder)


class _Night:
    """One run: what is known of it by now."""

    def __init__(self, config: BatchConfig, around: Around) -> None:
        self.started_ns = around.clock()
        self._began = monotonic()
        self._config = config
        self._around = around
        self._log = around.log
        self._error: str | None = None
        self._code: ExitCode | None = None
        self._raised: BaseException | None = None
        self._absent: dict[str, None] = {}
        self._sums: RunSummary | None = None
        self._sweep: SweepSummary | None = None
        self._counts: Counts | None = None
        self._told: Counter[Outcome] = Counter()
        self._report_failed = False

    def begin(self, held: ExitStack) -> tuple[Index, Run] | None:
        """
        Open the index, which *held* will close, and claim the collection for this run; None where that failed.

        Raises:
            LockHeld: another run has it.

        """
        found: list[tuple[Index, Run]] = []

        def start() -> None:
            index = opened(self._config, self._around.where)
            held.callback(index.close)
            found.append((index, index.ingest(selections_of(self._config), self._tuning())))

        self.attempt(start)
        if isinstance(self._raised, LockHeld):
            raise self._raised
        return found[0] if found else None

    def folder(self, stack: ExitStack) -> RunFolder | None:
        """Return the run's folder, which *stack* will leave, None where it cannot be made."""
        found: list[RunFolder] = []
        reports = self._config.reports

        def make() -> None:
            made = RunFolder(reports.folder, self.started_ns, keep=reports.keep, unchanged=reports.unchanged)
            found.append(stack.enter_context(made))
            told = f"started, the report goes to {made.path}"
            self._log("start", told, configuration=str(self._config.file), report=str(made.path))

        self.attempt(make)
        return found[0] if found else None

    def attempt(self, act: Callable[[], None]) -> None:
        """Do *act*, and note what ends it."""
        try:
            act()
        except TwinlensError as error:
            self._note(str(error), error.exit_code)
            if isinstance(error, LockHeld):
                self._raised = error
        except OSError as error:
            self._note(f"cannot use {error.filename or 'a file'}: {error.strerror}", ExitCode.OUTSIDE)
        except KeyboardInterrupt as error:
            self._around.stop.reason = self._around.stop.reason or "signal"
            self._note("interrupted; run again to go on", ExitCode.INTERRUPTED)
            self._raised = error
        except BaseException as error:  # noqa: BLE001 - raised again when it is written down
            self._note(f"a bug in Twinlens: {type(error).__name__}: {error}", ExitCode.BUG)
            self._raised = error

    def work(self, index: Index, run: Run, folder: RunFolder) -> None:
        """Ingest, sweep and count."""
        self._look_at_sources()
        self._around.stop.then(run.stop)
        timer = Timer(self._config.limits.max_seconds or 0, self._around.stop, ["max_seconds"])
        timer.daemon = True
        try:
            if self._config.limits.max_seconds:
                timer.start()
            self._read(run, folder)
        finally:
            timer.cancel()
            self._sums = run.summary()
        if not self._sums.interrupted and not self._error:
            self._sweep = self._swept(index, run)
        self._counts = index.count()

    def _look_at_sources(self) -> None:
        """Tell, once, which sources there are; what one that is absent offered before is left alone."""
        for source in self._config.source:
            problem = problem_of(source.path)
            if problem:
                self._miss(address(source.path), f"source absent: {problem}; the run goes on without it")
            else:
                path = printable(shown(source.path))
                self._log("source", f"source {path}", source=path, priority=source.priority)

    def _miss(self, root: str, message: str) -> None:
        """Note and tell that the source at *root*, its URI, was not there or not read to its end."""
        if root not in self._absent:
            self._absent[root] = None
            message = f"{message}, and its entries are left alone"
            self._log("absent", message, "warning", source=printable(root))

    def _tuning(self) -> Tuning:
        limits = self._config.limits
        batch_ = min(limits.batch_size, limits.max_images or limits.batch_size)
        return Tuning(Limits(workers=limits.threads or usable_cores(), batch=batch_), limits.max_pixels)

    def _read(self, run: Run, folder: RunFolder) -> None:
        told, most, indexed = monotonic(), self._config.limits.max_images, 0
        for seen, verdict in enumerate(run, 1):
            self._report(verdict, folder)
            indexed += verdict.outcome in (Outcome.UNIQUE, Outcome.COPY)
            if most and indexed >= most:
                self._around.stop("max_images")
            if monotonic() - told >= self._config.log.progress_s:
                told = monotonic()
                self._log("progress", f"{seen} images, {indexed} of them new or changed", seen=seen, indexed=indexed)

    def _report(self, verdict: Verdict, folder: RunFolder) -> None:
        """Write one row; when that fails, take no more images, but finish those in flight."""
        if verdict.outcome in _MORE and verdict.uri not in self._absent:
            self._tell(verdict)
        if self._report_failed:
            return
        try:
            folder.add(verdict)
        except OSError as error:
            self._cannot_report(folder, error)

    def _cannot_report(self, folder: RunFolder, error: OSError) -> None:
        self._report_failed = True
        self._note(
            f"cannot write the report in {folder.path}: {error.strerror}; what was read is in the collection, without"
            " a row in the report; make room, and the next run goes on",
            ExitCode.OUTSIDE,
        )
        self._around.stop("report")

    def _tell(self, verdict: Verdict) -> None:
        """Write a line about a copy or a rejected image."""
        outcome = verdict.outcome
        self._told[outcome] += 1
        if self._log.as_json or self._told[outcome] <= _TOLD:
            names = (
                ("original", "original_is_there", "distance", "exact")
                if outcome is Outcome.COPY
                else ("kind", "reason")
            )
            fields = {name: getattr(verdict, name) for name in names}
            self._log(outcome.value, told_in_a_line(verdict), uri=verdict.uri, **fields)
        elif self._told[outcome] == _TOLD + 1:
            self._log(outcome.value, f"{_MORE[outcome]}; the report names them all")

    def _swept(self, index: Index, run: Run) -> SweepSummary:
        vanish = self._config.vanish
        policy = SweepPolicy(vanish.grace_days * _DAY_S, vanish.at_most_share)
        swept: SweepSummary = index.sweep(run, policy, now_ns=self.started_ns)
        for root in swept.absent:
            self._miss(root, f"source not there, empty, or not read to its end: {printable(root)}")
        for held in swept.held_back:
            self._miss(held.uri, f"{printable(held.uri)}: {held.reason}; nothing was removed")
        return swept

    def _end_report(self, folder: RunFolder) -> None:
        if self._report_failed:
            return
        try:
            folder.end_report(self._run_summary())
        except OSError as error:
            self._cannot_report(folder, error)

    def _note(self, message: str, code: ExitCode) -> None:
        """Note an error; the first one counts."""
        if self._error is None:
            self._error, self._code = message, code

    def finish(self, folder: RunFolder | None) -> BatchSummary:
        """Write the summary, the metrics and the notification; raises what is not the user's to mend."""
        if folder:
            self._end_report(folder)
        self._measure(folder)
        summary = self._written(folder) if folder else self._summary(None)
        self._tell_others(summary)
        if self._raised:
            raise self._raised
        return summary

    def _written(self, folder: RunFolder) -> BatchSummary:
        summary = self._summary(folder)
        try:
            folder.finish(summary.as_row())
        except OSError as error:
            self._note(f"cannot write {folder.path}/summary.json: {error.strerror}; make room", ExitCode.OUTSIDE)
            self._measure(folder)
            return self._summary(folder)
        return summary

    def _measure(self, folder: RunFolder | None) -> None:
        """Write the metrics, before the summary, which is to tell when that fails: nobody sees that they are old."""
        file, every = self._config.metrics.file, self._config.schedule.every_hours
        if file is None:
            return
        row, now_s = self._summary(folder).as_row(), self._around.clock() / 10**9
        try:
            metrics.write(file, row, collection=self._config.collection.name, finished_s=now_s, every_hours=every)
        except OSError as error:
            way_out = "mend that, or name another file for the metrics"
            self._not_measured(f"cannot write {file}: {error.strerror}; {way_out}")
        except ConfigError as error:
            self._not_measured(f"cannot write the metrics: {error}")

    def _not_measured(self, told: str) -> None:
        self._log("metrics", told, "error")
        self._note(told, ExitCode.OUTSIDE)

    def _run_summary(self) -> RunSummary:
        return self._sums or Tally().summary(stages={}, config={})

    def _summary(self, folder: RunFolder | None) -> BatchSummary:
        sums, stop = self._run_summary(), self._around.stop
        return BatchSummary(
            run=sums,
            exit_code=self._exit_code(sums),
            reason=(stop.reason or "error") if sums.interrupted else None,
            error=self._error,
            absent=tuple(printable(root) for root in self._absent),
            sweep=self._sweep,
            counts=self._counts,
            report=folder.path if folder else None,
            started=utc(self.started_ns),
            finished=utc(self._around.clock()),
            seconds=round(monotonic() - self._began, 3),
            configuration=plain(self._config),
        )

    def _exit_code(self, sums: RunSummary) -> ExitCode:
        if self._code is not None:
            return self._code
        if self._absent:
            return ExitCode.OUTSIDE
        return ExitCode.REJECTED if sums.rejected else ExitCode.DONE

    def _tell_others(self, summary: BatchSummary) -> None:
        """Log the end and run the command; when that fails, it is said, and changes nothing else."""
        row, config = summary.as_row(), self._config
        level = "error" if summary.error else "warning" if summary.absent else "info"
        told = {name: value for name, value in row.items() if name not in ("config", "configuration")}
        self._log("end", last_words(summary), level, **told)
        if config.notify.command:
            problem = notify(config.notify.command, row, config.notify.timeout_s, config.file.parent)
            if problem:
                self._log("notify", f"the notification failed: {problem}", "error")
