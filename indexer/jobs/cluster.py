"""
The door to Ray: a cluster's workers read, decode and encode, and what they found comes back in the order of the images.

Images travel as records, in bundles; only members of compressed tars carry their bytes. A bundle whose worker dies is
encoded by another. Descriptors are a function of one file's bytes, so it does not matter which worker that was.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from itertools import islice
from logging import CRITICAL, ERROR, getLogger
from typing import Any, TypeVar

from indexer import interrupt
from indexer.encode import load
from indexer.errors import ClusterError, ConfigError, TwinlensError
from indexer.exchange.shards import Encoded
from indexer.jobs.encoding import Encode, Offer, here
from indexer.jobs.index import Tuning, settings_for
from indexer.records import Failure, Settings
from indexer.stream import Limits
from model.extras import how_to_install

T = TypeVar("T")

LOCAL = "local"
"""Instead of an address: processes of this machine, which end with the command."""

_BUNDLE = 64
"""Images that one task encodes: half a second of work."""

_WINDOW = 100_000
"""Images that one data set holds at most; its last bundles are waited for."""

_WINDOW_BYTES = 2**28
"""Bytes that the images of one data set may carry with them."""

_STALLED_S = 900
"""Seconds without an answer after which a run ends: no processor is free, or a picture kills each worker anew."""

_CONNECT_S = 10.0
_STORE_BYTES = 2**30
"""Shared memory of a cluster of our own: twice what is in flight at the most."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """
    All that a worker must know to encode.

    Attributes:
        settings: what its encoder and thumbnails must agree with.
        weights: the encoder's file, an absolute path that exists on each machine; None for the shipped one.
        max_pixels: images with more are rejected.

    """

    settings: Settings
    weights: str | None
    max_pixels: int


@contextmanager
def on_cluster(address: str, recipe: Recipe, workers: int | None) -> Iterator[Encode]:
    """
    Connect to the Ray cluster at *address*, and yield what encodes there, on at most so many *workers* at a time.

    *address* is `host:port`, as `ray start` prints it, or LOCAL.

    Raises:
        ConfigError: Ray is not installed, or another version than the cluster's; or *address* is none.
        ClusterError: the cluster cannot be reached.
    """
    ray = _imported()
    try:
        with _waiting_for_it():
            _connect(ray, address, workers)
        yield partial(_encode, ray, recipe, None if address == LOCAL else workers)
    finally:
        ray.shutdown()


@contextmanager
def _waiting_for_it() -> Iterator[None]:
    """Let Ctrl-C wait until Ray is up, then raise KeyboardInterrupt: only who holds all its processes can end them."""
    if signal.getsignal(signal.SIGINT) not in (interrupt.leave, signal.default_int_handler):
        yield
        return
    pressed: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if pressed:
        raise KeyboardInterrupt


def _imported() -> Any:  # noqa: ANN401 - an extra; mypy does not need it
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers of each run
    try:
        ray = import_module("ray")
        import_module("ray.data")
    except ImportError as error:
        advice = how_to_install("ray")
        raise ConfigError(f"--ray needs a package that is not installed ({error}): {advice}") from error
    return ray


def _connect(ray: Any, address: str, workers: int | None) -> None:  # noqa: ANN401 - as above
    quiet = {"log_to_driver": False, "logging_level": ERROR}
    own = {"num_cpus": workers, "include_dashboard": False, "object_store_memory": _STORE_BYTES}
    _look_for(address)
    try:
        ray.init(address, **quiet, **(own if address == LOCAL else {}))
    except ValueError as error:
        raise ConfigError(f"--ray {address!r} is no address ({_told(error)}); {_ADVICE}") from error
    except ConnectionError as error:
        raise ClusterError(f"cannot use a Ray cluster at {address} ({_told(error)}); {_ADVICE}{_LOCKED}") from error
    except (RuntimeError, OSError) as error:
        raise ClusterError(f"cannot use the Ray cluster at {address} ({_told(error)}); mend that") from error
    _quieten(ray)


_ADVICE = f"pass host:port as `ray start` prints it, or {LOCAL}"
_LOCKED = "; a cluster that asks for a token takes it from RAY_AUTH_TOKEN"


def _look_for(address: str) -> None:
    """Find out within seconds whether anybody listens at *address*, as Ray does not."""
    if address == LOCAL:
        return
    host, colon, port = address.rpartition(":")
    if not host or not colon or not port.isdecimal() or "/" in host:
        raise ConfigError(f"--ray {address!r} is no address; {_ADVICE}")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_S).close()
    except UnicodeError as error:
        raise ConfigError(f"--ray {address!r} is no address ({_told(error)}); {_ADVICE}") from error
    except (OSError, OverflowError) as error:
        raise ClusterError(f"nobody answers at {address} ({_told(error)}); {_ADVICE}") from error


def _quieten(ray: Any) -> None:  # noqa: ANN401 - as above
    ray._private.worker._worker_logs_enabled = False  # noqa: SLF001 - else it writes to our standard output
    context = ray.data.DataContext.get_current()
    getLogger("ray.data").setLevel(CRITICAL)  # it would tell of an error before we do
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.execution_no_progress_timeout_s = _STALLED_S
    context.op_resource_reservation_enabled = False  # it would keep every other worker idle for half of the time
    context.execution_options.preserve_order = True


def _told(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:300].rstrip(".")


def _encode(ray: Any, recipe: Recipe, workers: int | None, offers: Iterable[Offer]) -> Iterator[Encoded]:  # noqa: ANN401
    source = iter(offers)
    while window := list(_window(source)):
        bundles = [pickle.dumps(bundle) for bundle in _in_bundles(window)]
        yield from _answers(ray, recipe, workers, bundles)


def _window(source: Iterator[Offer]) -> Iterator[Offer]:
    """Yield the next images of *source*: as many as may be with the cluster at a time."""
    held = 0
    for offer in islice(source, _WINDOW):
        yield offer
        held += 0 if isinstance(offer, Failure) else offer.held
        if held > _WINDOW_BYTES:
            return


def _in_bundles(window: Sequence[T]) -> Iterator[Sequence[T]]:
    return (window[first : first + _BUNDLE] for first in range(0, len(window), _BUNDLE))


def _answers(ray: Any, recipe: Recipe, workers: int | None, bundles: Sequence[bytes]) -> Iterator[Encoded]:  # noqa: ANN401
    rows = [{"number": number, "bundle": bundle} for number, bundle in enumerate(bundles)]
    asked = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
        _encoded, fn_kwargs={"recipe": recipe}, num_cpus=1, concurrency=workers
    )
    try:
        for number, row in enumerate(asked.iter_rows()):
            assert row["number"] == number, "Ray was asked to preserve the order"
            yield from _opened(row["answer"])
    except ray.exceptions.RayTaskError as error:
        if not isinstance(error, ray.exceptions.RaySystemError):  # a bug of ours: it looks as it does without a cluster
            raise
        reason = f"a Ray worker has another Twinlens than this machine, or none ({_told(error.cause)})"
        raise ConfigError(f"{reason}; install the same on both") from error
    except (ray.exceptions.RayError, ray.data.exceptions.ExecutionTimeoutError) as error:
        reason = f"the Ray cluster failed ({_told(error)}); run again to go on, or encode without --ray"
        raise ClusterError(reason) from error


def _opened(answer: bytes) -> list[Encoded]:
    found: list[Encoded] | TwinlensError = pickle.loads(answer)  # noqa: S301 - of our own workers
    if isinstance(found, TwinlensError):
        raise found
    return found


def _encoded(row: dict[str, Any], recipe: Recipe) -> dict[str, Any]:
    """Encode a bundle, on a worker; an error that a user can act upon is an answer, too."""
    found: list[Encoded] | TwinlensError
    try:
        offers: list[Offer] = pickle.loads(row["bundle"])  # noqa: S301 - of our own command
        found = list(_prepared(recipe)(offers))
    except TwinlensError as error:
        found = error
    return {"number": row["number"], "answer": pickle.dumps(found)}


@cache
def _prepared(recipe: Recipe) -> Encode:
    """Load the encoder, once in each worker, always on the CPU: all workers are to give the same bits."""
    encoder = load(recipe.weights, "cpu")
    found = settings_for(encoder.spec, None, recipe.settings.second_look)
    if found != recipe.settings:
        raise ConfigError(
            f"the Ray worker on {socket.gethostname()} has another encoder ({found.fingerprint}) or second look than"
            f" this machine ({recipe.settings.fingerprint}); install the same Twinlens on both"
        )
    return here(recipe.settings, encoder, Tuning(Limits(workers=1), recipe.max_pixels))
