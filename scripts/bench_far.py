"""
Time an ingest of images that are far: a list of addresses, each answer of which takes its time.

    python scripts/bench_far.py FOLDER                       # its JPEGs, at most 400, each answer after 50 ms
    python scripts/bench_far.py FOLDER --images 100 --ms 200

A web server on this machine hands them out (extra `remote`), so that all but the waiting is cheap.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from threading import Thread
from time import sleep

from measuring import table, timed, twinlens


class Late(SimpleHTTPRequestHandler):
    """Hands out files, *seconds* after it was asked; of what is to be read, and of what is asked about, alike."""

    def __init__(self, *arguments: object, seconds: float, **others: object) -> None:
        self._seconds = seconds
        super().__init__(*arguments, **others)  # type: ignore[arg-type]

    def send_head(self) -> object:  # type: ignore[override]
        """Wait, and answer."""
        sleep(self._seconds)
        return super().send_head()

    def log_message(self, *_: object) -> None:
        """Say nothing of each request."""


class Patient(ThreadingHTTPServer):
    """A server that many may call at a time."""

    request_queue_size = 128


@contextmanager
def served(folder: Path, seconds: float) -> Iterator[str]:
    """Hand out the files of *folder*, each *seconds* late; yield where."""
    handler = partial(Late, directory=str(folder), seconds=seconds)
    with Patient(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def main() -> None:
    """Print how long the same images take as files and as addresses, and as addresses once nothing is new."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--ms", type=float, default=50.0, help="milliseconds until each answer")
    options = parser.parse_args()
    names = sorted(path.name for path in islice(options.folder.glob("*.jp*g"), options.images))
    if not names:
        parser.error(f"there are no JPEGs in {options.folder}; name a folder that holds some")
    with tempfile.TemporaryDirectory() as scratch, served(options.folder, options.ms / 1000) as base:
        near, far = Path(scratch, "near"), Path(scratch, "far")
        near.write_text("".join(f"{options.folder.resolve()}/{name}\n" for name in names))
        far.write_text("".join(f"{base}/{name}\n" for name in names))
        ways = {"files": near, "addresses": far, "addresses, nothing new": far}
        rows = [(way, timed(listed(file, Path(scratch, f"{file.name}.db")))[0].wall_s) for way, file in ways.items()]
    print(f"{len(names)} images, each answer {options.ms:g} ms late\n\n" + table(("from", "wall s"), rows))


def listed(names: Path, uri: Path) -> list[str | Path]:
    """Return the command that ingests what *names* lists."""
    return ["sh", "-c", 'list=$1; shift; exec "$@" < "$list"', "sh", names, *twinlens("ingest", "-", "--uri", uri)]


if __name__ == "__main__":
    main()
