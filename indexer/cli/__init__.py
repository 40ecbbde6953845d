"""
The command line: parses, calls a job, prints; errors become exit codes here and nowhere else.

Commands are imported when they are called, so that `twinlens --help` answers at once.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from keyword import iskeyword
from time import time_ns

import click

from indexer import interrupt
from indexer.errors import ExitCode, TwinlensError

_COMMANDS = {
    "ingest": "Read images, find the copies among them and in the collection, and store them all.",
    "query": "Tell whether images are copies of what the collection holds; nothing is stored.",
    "status": "Show what the collection is and how many images it holds.",
    "show": "Show the record of one image, and its group.",
    "groups": "List what the collection holds several times, also as a page with pictures.",
    "encode": "Decode and encode images without a database, into Parquet files that import judges.",
    "export": "Write the whole collection to a Parquet file.",
    "import": "Bring a collection back from Parquet files, or judge descriptors that were made elsewhere.",
    "migrate": "Copy the collection to another Milvus, or encode it anew with another encoder.",
    "batch": "Do one unattended run over the configured sources, as cron calls it every night.",
    "init": "Write a commented configuration for batch.",
    "runs": "List the runs of batch whose reports are kept.",
    "demo": "Make a small archive of edited photographs, ingest it, and show what was found.",
}

_MODULES = {"runs": "history", "import": "import_"}
"""Commands whose module has another name."""


class _Lazy(click.Group):
    """A group that knows its commands' names and imports one when it is wanted."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"indexer.cli.{_MODULES.get(cmd_name, cmd_name)}")
        command: click.Command = getattr(module, f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.command(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="twinlens")
def cli() -> None:
    """
    Find the copies in an image archive, and only the copies.

    \b
      twinlens ingest photos/ scans.tar     index an archive and list its copies
      twinlens query upload.jpg             is this one there already?
      twinlens show photos/a.jpg            an image's record and its group
      twinlens groups --html copies.html    all groups, as a page to look at
      twinlens batch                        the same every night, unattended

    The index is a Milvus collection: by default the folder ./twinlens.db (Milvus Lite), or a
    Milvus server with --uri http://host:19530 and the environment variable TWINLENS_TOKEN
    (TLS, a database, a time limit: see README, Where the collection is).

    \b
    Exit codes:
      0  done                         4  another run holds the collection
      1  a bug in Twinlens            5  done, but some images were rejected
      2  usage or configuration      10  query --exit-code: a copy was found
      3  Milvus or a source failed  130  interrupted; run again to go on
    """  # noqa: D301 - click wants the character \b itself


SURROUNDINGS = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "OPENCV_FOR_THREADS_NUM": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}
"""
What libraries are told, by the environment that they read when loaded, unless the user tells them more.

The arrays of NumPy, faiss and OpenCV are small here, and other images wait: a thread of theirs that spins takes a core
from those that decode. Arrow's own allocator keeps more of what Milvus Lite has let go of than the system's does.
"""


def main() -> None:
    """Run the command line and exit with the code of what happened."""
    if sys.getfilesystemencoding() != "utf-8":  # a locale must not decide what a file's URI is
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606 - this very program
    for name, value in SURROUNDINGS.items():
        os.environ.setdefault(name, value)
    gc.disable()  # a seventh of the start would be garbage collections among imports; runs.py turns it on again
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):  # closed, as by `2>&-`: nothing is there
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - lives as long as we
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str], clock: Callable[[], int] = time_ns) -> int:  # noqa: PLR0911 - one for each way to end
    """
    Return the exit code of the command line *arguments*; every error that is the user's is one line.

    *clock* tells the time in nanoseconds since the epoch to what ages, which is the scheduled batch.
    """
    try:
        with cli.make_context("twinlens", arguments, obj=clock) as context:  # not main(): it has exit codes of its own
            code = cli.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return ExitCode.USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo(interrupt.MESSAGE, err=True)
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        return _closed_pipe()
    except TwinlensError as error:
        click.echo(f"twinlens: {error}", err=True)
        return error.exit_code
    except OSError as error:
        place = error.filename or "standard output or a file"
        click.echo(f"twinlens: cannot use {place}: {error.strerror}; mend that, or name another place", err=True)
        _silence()
        return ExitCode.OUTSIDE
    return int(code or ExitCode.DONE)


def _closed_pipe() -> int:
    """End as a program does whose reader went away; nothing more may be written to it at exit."""
    _silence()
    return 128 + signal.SIGPIPE


def _silence() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
