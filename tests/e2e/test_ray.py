"""`twinlens encode --ray` on real clusters of two workers, one of which is killed: the shards do not show it."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pictures
import pytest
from commandline import Twinlens
from outcomes import rows, told

from model.extras import how_to_install

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds Ray's workers in /proc")

SIZE = 100
"""Images of a shard: two bundles, one for each worker."""

ENCODES = b"ray::Map(_encoded)"
"""The title of a worker that encodes."""

RAYLET = bytes(Path(sysconfig.get_path("platlib"), "ray/core/src/ray/raylet/raylet"))
"""The program that starts the workers."""

COMMAND = [sys.executable, "-m", "indexer", "encode", "--json", "--shard-size", str(SIZE)]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return a folder of 153 images, a tar and a compressed tar of 23 each; three of each are broken."""
    folder = tmp_path_factory.mktemp("ray")
    small = pictures.tar(pictures.folder(folder / "small", count=8))
    packed = pictures.tar(pictures.folder(folder / "packed", count=8), "gz")
    return [pictures.folder(folder / "photos", count=60), small, packed]


@pytest.fixture(scope="module")
def plain(sources: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the shards that one process makes of the sources."""
    made = tmp_path_factory.mktemp("plain") / "made"
    subprocess.run([*COMMAND, *sources, "--out", made], stdout=subprocess.DEVNULL, check=False)
    return made


def contents(folder: Path) -> dict[str, bytes]:
    """Return what is in each shard."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def workers_below(root: int, title: bytes) -> list[int]:
    """Return Ray's workers that descend from the process *root* and have this *title* at this moment."""
    parents, busy = {}, []
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it may have just ended
            parents[int(place.name)] = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            if (place / "cmdline").read_bytes().startswith(title):
                busy.append(int(place.name))
    return [pid for pid in busy if _descends(pid, root, parents)]


def _descends(pid: int, root: int, parents: dict[int, int]) -> bool:
    while pid not in (root, 0):
        pid = parents.get(pid, 0)
    return pid == root


def awaited(root: int, title: bytes, count: int = 1) -> int:
    """Wait until so many workers below *root* have the *title*, and return one of them."""
    for _ in range(6000):
        if len(found := workers_below(root, title)) >= count:
            return found[0]
        time.sleep(0.005)
    raise AssertionError(f"there never were {count} workers {title!r}")


def encoded(command: list[Any], kill: Callable[[int], None], environment: dict[str, str]) -> tuple[int, list[Any], str]:
    """Run *command*, *kill* something once its first shard is whole; return its code, its rows and what it said."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        lines = [process.stdout.readline() for _ in range(SIZE)]
        kill(process.pid)
        lines += process.stdout.readlines()
        said = process.stderr.read()
    assert lines[-1], said
    return process.returncode, [json.loads(line) for line in lines], said


@pytest.mark.parametrize(
    ("address", "code", "message"),
    [
        ("", 2, "is no address; pass host:port"),
        ("ray://127.0.0.1:1", 2, "is no address; pass host:port"),
        ("no..host:1", 2, "is no address (encoding with 'idna' codec failed"),
        ("127.0.0.1:1", 3, "nobody answers at 127.0.0.1:1"),
    ],
)
def test_an_address_without_a_cluster_is_one_line(
    shared_photos: Path, tmp_path: Path, address: str, code: int, message: str
) -> None:
    """It is found out at once, where Ray would wait for minutes, and says what to pass."""
    command = [*COMMAND, shared_photos, "--out", tmp_path / "made", "--ray", address]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, message in done.stderr, done.stderr.count("\n")) == (code, True, 1)


def test_a_missing_package_names_its_extra(shared_photos: Path, tmp_path: Path) -> None:
    """Without Ray, the message is what to install."""
    without = "import sys; sys.modules['ray'] = None; from indexer.cli import main; main()"
    command = [sys.executable, "-c", without, *COMMAND[3:], shared_photos, "--out", tmp_path / "made", "--ray", "local"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, how_to_install("ray") in done.stderr, done.stderr.count("\n")) == (2, True, 1)


def test_a_graphics_card_is_refused(twinlens: Twinlens, shared_photos: Path, tmp_path: Path) -> None:
    """Workers encode on CPUs alone, so that all give the same bits; who asks for more is told."""
    result = twinlens("encode", shared_photos, "--out", tmp_path / "made", "--ray", "local", "--device", "cuda")
    assert (result.code, "--ray encodes on CPUs" in result.err) == (2, True)


@pytest.mark.slow
def test_a_killed_worker_changes_nothing(twinlens: Twinlens, sources: list[Path], plain: Path, tmp_path: Path) -> None:
    """Killed amid a bundle, a worker loses none of it: shards are those of one process, verdicts those of an ingest."""
    command = [*COMMAND, *sources, "--ray", "local", "--threads", "2", "--out", tmp_path / "made"]
    code, found, said = encoded(command, lambda pid: os.kill(awaited(pid, ENCODES, 2), signal.SIGKILL), {})
    assert (code, said) == (5, "")
    assert contents(tmp_path / "made") == contents(plain)
    imported = twinlens("import", tmp_path / "made", "--uri", tmp_path / "a.db", "--json")
    ingested = twinlens("ingest", *sources, "--uri", tmp_path / "b.db", "--json")
    assert told(imported.rows) == told(ingested.rows)
    assert rows(str(tmp_path / "a.db")) == rows(str(tmp_path / "b.db"))
    assert [row["rejected"] for row in found[:-1]] == [row["kind"] for row in ingested.rows[:-1]]
    assert found[-1]["rejected"] == 9


@contextmanager
def node(environment: dict[str, str], *options: str) -> Iterator[int]:
    """Run one node of a cluster with one processor, and yield its process; it ends with the block."""
    ray = Path(sys.executable).with_name("ray")
    always = ("--block", "--num-cpus", "1", "--disable-usage-stats", "--object-store-memory", str(2**28))
    with subprocess.Popen(
        [ray, "start", *always, *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | environment,
        start_new_session=True,
    ) as process:
        try:
            yield process.pid
        finally:
            end(process.pid)


def end(node: int) -> None:
    """Kill all processes of a *node* but its workers, which end with it."""
    with suppress(ProcessLookupError):
        os.killpg(node, signal.SIGKILL)


def free_port() -> int:
    """Return a port that nobody uses now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def cluster() -> Iterator[tuple[str, int, dict[str, str]]]:
    """Run a cluster of two nodes; yield its address, the second node's process, and the environment that opens it."""
    secret = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    with (
        head(secret) as address,
        node(secret, "--address", address, "--node-ip-address", "127.0.0.2") as second,
    ):
        awaited(second, b"ray::RuntimeEnvAgent")
        yield address, second, secret


@contextmanager
def head(environment: dict[str, str]) -> Iterator[str]:
    """Run the first node of a cluster, and yield its address."""
    port = free_port()
    client = ("--ray-client-server-port", str(free_port()), "--include-dashboard", "false")
    with node(environment, "--head", "--port", str(port), *client):
        wait_for(port)
        yield f"127.0.0.1:{port}"


def wait_for(port: int) -> None:
    """Wait until somebody listens there."""
    for _ in range(600):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError("the cluster did not start")


@pytest.mark.slow
def test_a_killed_node_changes_nothing(
    cluster: tuple[str, int, dict[str, str]], sources: list[Path], plain: Path, tmp_path: Path
) -> None:
    """A machine of the cluster that dies with its worker amid a bundle loses none of it."""
    address, second, secret = cluster

    def kill(_: int) -> None:
        awaited(second, ENCODES)
        end(second)

    command = [*COMMAND, *sources, "--ray", address, "--out", tmp_path / "made"]
    code, found, said = encoded(command, kill, secret)
    assert (code, said, found[-1]["images"]) == (5, "", 199)
    assert contents(tmp_path / "made") == contents(plain)


@pytest.mark.slow
def test_a_worker_without_twinlens_is_one_line(shared_photos: Path, tmp_path: Path) -> None:
    """A machine on which it is not installed, or cannot be imported, is the user's to mend, and no bug."""
    (tmp_path / "indexer").mkdir()
    (tmp_path / "indexer" / "__init__.py").write_text("raise ModuleNotFoundError('not here')")
    (tmp_path / "elsewhere").mkdir()  # workers import from where the command was started
    secret = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    with head(secret | {"PYTHONPATH": str(tmp_path)}) as address:
        command = [*COMMAND, shared_photos, "--out", tmp_path / "made", "--ray", address]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=os.environ | secret, cwd=tmp_path / "elsewhere"
        )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "has another Twinlens than this machine, or none (System error: not here); install the same" in done.stderr


@pytest.mark.slow
def test_ctrl_c_while_ray_starts_leaves_no_process(shared_photos: Path, tmp_path: Path) -> None:
    """It is heard once Ray is up, and all of its processes end with the command."""
    command = [*COMMAND, shared_photos, "--out", tmp_path / "made", "--ray", "local"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        awaited(process.pid, RAYLET)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "twinlens: interrupted; run the same command again to go on\n")
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
