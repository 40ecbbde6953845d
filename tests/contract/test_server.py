"""A real Milvus server: its limits, its token, and when it is not there."""

from __future__ import annotations

import dataclasses
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
import numpy as np
import pytest

from indexer.cli import run
from indexer.errors import ConfigError, StoreError
from indexer.records import Counts, Entry, Settings
from indexer.store.access import Access, Tls
from indexer.store.milvus import open_existing, open_store

SETTINGS = Settings("network@1", dim=2, radius=0.01)


def entry(uri: str, original: str | None = None) -> Entry:
    """Return an entry at the origin."""
    vector = np.zeros(2, dtype=np.float32)
    return Entry(uri, "a" * 64, 1, 1, 1, 1, "JPEG", original, original and 0.0, exact=False, descriptor=vector)


@pytest.mark.server
@pytest.mark.slow
def test_more_rows_than_one_reply_holds(server_uri: str) -> None:
    """Of 16,400 originals at one point and as many copies, all are listed, and a full search says so."""
    with closing(open_store(server_uri, "many", SETTINGS)) as store:
        store.put([entry(f"{n}") for n in range(16_400)])
        store.put([entry(f"c{n}", "0") for n in range(16_400)])
        assert store.count() == Counts(16_400, 16_400)
        assert len({e.uri for e in store.entries()}) == 32_800
        assert len(store.copies_of(["0"])["0"]) == 16_400
        assert store.with_bytes(["a" * 64, "b" * 64]).keys() == {"a" * 64}
        (hits,) = store.near(np.zeros((1, 2), dtype=np.float32))
        assert (len(hits.matches), hits.truncated) == (16_384, True)


@pytest.mark.server
@pytest.mark.parametrize(("others", "limits"), [(15, [16]), (16, [16, 128])])
def test_a_few_neighbours_take_one_search(server_uri: str, others: int, limits: list[int]) -> None:
    """A server reads all vectors for a search, so a second one comes only where the first reply was full."""
    asked: list[int] = []
    with closing(open_store(server_uri, f"few_{others}", SETTINGS)) as store:
        store.put([entry(f"{n}") for n in range(others)])
        search = store.table.near
        vars(store.table)["near"] = lambda queries, limit: asked.append(limit) or search(queries, limit)
        (hits,) = store.near(np.zeros((1, 2), dtype=np.float32))
    assert (len(hits.matches), asked) == (others, limits)


CERTIFICATES = """
set -e
new="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
openssl req -x509 $new -days 2 -keyout ca.key -out ca.pem -subj "/CN=test CA"
printf "subjectAltName=DNS:milvus.test,IP:127.0.0.1" > names
for who in server client; do
    openssl req $new -keyout $who.key -out $who.csr -subj "/CN=$who"
    openssl x509 -req -in $who.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out $who.pem
done
openssl req -x509 $new -days 2 -keyout other.key -out other.pem -subj "/CN=another CA"
"""
"""Makes a CA, a server's and a client's certificate that it signed, and a CA that signed nothing."""


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of keys and certificates."""
    if not shutil.which("openssl"):
        pytest.skip("needs the command openssl")
    folder = tmp_path_factory.mktemp("keys")
    subprocess.run(["bash", "-c", CERTIFICATES], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def guarded_uri(keys: Path, run_server: Callable[..., AbstractContextManager[str]]) -> Iterator[str]:
    """Return the address of a server that asks for a token and for the client's certificate."""
    with run_server("auth=on", f"tls={keys}") as uri:
        yield uri.replace("http://", "https://")


def trusted(keys: Path, **changed: str) -> Tls:
    """Return the TLS options that the server wants, some *changed*."""
    right = Tls(str(keys / "ca.pem"), str(keys / "client.pem"), str(keys / "client.key"))
    return dataclasses.replace(right, **changed)


@pytest.mark.server
@pytest.mark.slow
@pytest.mark.parametrize("in_uri", [False, True])
def test_the_right_token_over_tls(guarded_uri: str, keys: Path, *, in_uri: bool) -> None:
    """The token and the certificates open, also with the user in the URI, and what was written is read."""
    uri = guarded_uri.replace("//", "//root:Milvus@") if in_uri else guarded_uri
    access = Access(None if in_uri else "root:Milvus", tls=trusted(keys))
    with closing(open_store(uri, f"guarded_{in_uri}", SETTINGS, access=access)) as store:
        store.put([entry("a")])
        assert store.get(["a"]) == {"a": entry("a")}


@pytest.mark.server
@pytest.mark.slow
@pytest.mark.parametrize("token", ["root:wrong", "wrong-api-key", None])
def test_a_wrong_token(guarded_uri: str, keys: Path, token: str | None) -> None:
    """A wrong token or none is a configuration error that names the variable and not the token."""
    with pytest.raises(ConfigError, match="refuses the token; set TWINLENS_TOKEN to user:password") as caught:
        open_existing(guarded_uri, "images", access=Access(token=token, tls=trusted(keys)))
    assert "wrong" not in str(caught.value)


@pytest.mark.server
@pytest.mark.slow
@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"ca": "other.pem"}, "TLS certificates; set TWINLENS_TLS_CA"),
        ({"cert": "", "key": ""}, "where the server asks for the client's, TWINLENS_TLS_CERT and TWINLENS_TLS_KEY"),
        ({"cert": "", "key": "", "ca": ""}, "TLS certificates; set TWINLENS_TLS_CA"),
        ({"name": "elsewhere.test"}, "certificate for another name; correct the address, or set TWINLENS_TLS_NAME"),
        ({"key": ""}, "takes TWINLENS_TLS_CERT, TWINLENS_TLS_KEY and TWINLENS_TLS_CA; set all"),
        ({"ca": "absent.pem"}, "cannot read .*absent.pem: No such file or directory"),
        ({"ca": "names"}, "names is no file in PEM format"),
    ],
)
def test_wrong_certificates(guarded_uri: str, keys: Path, changed: dict[str, str], told: str) -> None:
    """What TLS refuses is a configuration error at once, and says which variable to set."""
    files = {name: str(keys / file) if "." in file or file == "names" else file for name, file in changed.items()}
    files |= {"name": changed["name"]} if "name" in changed else {}
    start = time.monotonic()
    with pytest.raises(ConfigError, match=told):
        open_existing(guarded_uri, "images", access=Access(token="root:fresh", tls=trusted(keys, **files)))
    assert time.monotonic() - start < 3


@pytest.mark.server
@pytest.mark.slow
def test_the_command_line_takes_it_from_the_environment(
    guarded_uri: str, keys: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Token and certificates come from variables; neither a wrong token nor the right one is ever printed."""
    open_store(guarded_uri, "images", SETTINGS, access=Access(token="root:Milvus", tls=trusted(keys))).close()
    files = {"URI": guarded_uri, "TLS_CA": "ca.pem", "TLS_CERT": "client.pem", "TLS_KEY": "client.key"}
    for name, value in files.items():
        monkeypatch.setenv(f"TWINLENS_{name}", value if name == "URI" else str(keys / value))
    codes = []
    for token in ("root:Milvus", "root:another"):
        monkeypatch.setenv("TWINLENS_TOKEN", token)
        codes.append(run(["status"]))
    printed = "".join(capfd.readouterr())
    assert codes == [0, 2]
    assert "images       0" in printed
    assert "refuses the token" in printed
    assert "root" not in printed


@pytest.mark.server
@pytest.mark.slow
def test_a_server_by_another_name(guarded_uri: str, keys: Path) -> None:
    """A certificate for another name than the address's is trusted when that name is given."""
    with pytest.raises(ConfigError, match="no collection absent"):
        open_existing(guarded_uri, "absent", access=Access(token="root:Milvus", tls=trusted(keys, name="milvus.test")))


@pytest.mark.server
@pytest.mark.slow
def test_tls_where_there_is_none(server_uri: str, keys: Path) -> None:
    """https:// to a plain server, and certificates for http://, are told as such."""
    with pytest.raises(ConfigError, match="speaks no TLS; write http://"):
        open_existing(server_uri.replace("http:", "https:"), "images", access=Access(tls=Tls(str(keys / "ca.pem"))))
    with pytest.raises(ConfigError, match="an address without TLS; write https://"):
        open_existing(server_uri, "images", access=Access(tls=Tls(str(keys / "ca.pem"))))


@pytest.mark.server
def test_a_database(server_uri: str) -> None:
    """The path of the URI names a database; one that is absent is named; collections of two do not meet."""
    with pytest.raises(ConfigError, match=f"{server_uri}/mine has no database of this name"):
        open_store(f"{server_uri}/mine", "images", SETTINGS)
    with closing(open_store(server_uri, "images", SETTINGS)) as elsewhere:
        elsewhere.table.client.create_database("mine")
        with closing(open_store(f"{server_uri}/mine", "images", SETTINGS)) as store:
            store.put([entry("a")])
            elsewhere.put([entry("b")])
            assert (set(store.get(["a", "b"])), set(elsewhere.get(["a", "b"]))) == ({"a"}, {"b"})


@pytest.mark.server
@pytest.mark.slow
def test_a_server_that_denies_writing(run_server: Callable[..., AbstractContextManager[str]]) -> None:
    """A denial, as when its memory is full, is waited out within the limit, then told as such; reads go on."""
    with (
        run_server("quotaAndLimits.limitWriting.forceDeny=true") as uri,
        closing(open_store(uri, "images", SETTINGS, access=Access(timeout_s=4))) as store,
    ):
        start = time.monotonic()
        with pytest.raises(StoreError, match="denies writing; free memory or disk space there"):
            store.put([entry("a")])
        assert 1 < time.monotonic() - start < 5
        assert store.count() == Counts(0, 0)


@pytest.mark.server
@pytest.mark.slow
def test_a_server_that_limits_rates(run_server: Callable[..., AbstractContextManager[str]]) -> None:
    """A server that takes 10 KB/s slows a writer down and loses nothing of it."""
    limits = [f"quotaAndLimits.dml.{rate}.max=0.01" for rate in ("insertRate", "upsertRate", "upsertRate.collection")]
    with (
        run_server("quotaAndLimits.dml.enabled=true", *limits) as uri,
        closing(open_store(uri, "images", SETTINGS)) as store,
    ):
        start = time.monotonic()
        for batch in range(6):
            store.put([entry(f"{batch}-{n}" * 20) for n in range(40)])
        assert time.monotonic() - start > 1
        assert store.count() == Counts(240, 0)


class Silent(BaseHTTPRequestHandler):
    """Logs nothing."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_web_server_is_no_milvus() -> None:
    """An HTTP port, such as that of Milvus's own metrics, is told from a server that does not answer."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Silent) as server, ThreadPoolExecutor() as threads:
        threads.submit(server.serve_forever)
        try:
            with pytest.raises(ConfigError, match="is no Milvus, it does not speak gRPC; Milvus's port is 19530"):
                open_existing(f"http://127.0.0.1:{server.server_port}", "images")
        finally:
            server.shutdown()


def test_a_server_that_knows_no_call_is_too_old() -> None:
    """A gRPC server without what Milvus has is told so at once."""
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with pytest.raises(StoreError, match=r"is no Milvus server of version 2\.3 or later"):
        open_existing(f"http://127.0.0.1:{port}", "images")
    server.stop(None).wait()


@pytest.mark.parametrize("host", ["127.0.0.1:1", "no-such-host.invalid:19530"])
def test_a_server_that_is_not_there(host: str) -> None:
    """An address where nothing listens is an error within the time limit, without the password in it."""
    start = time.monotonic()
    with pytest.raises(StoreError, match=f"http://{host} does not answer; is Milvus running there") as caught:
        open_existing(f"http://user:secret@{host}", "images", access=Access(timeout_s=2))
    assert time.monotonic() - start < 5
    assert "secret" not in str(caught.value)


@pytest.fixture
def silent_uri() -> Iterator[str]:
    """Return an address that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_server_that_does_not_speak(silent_uri: str) -> None:
    """A server that accepts and is silent is an error within the time limit."""
    start = time.monotonic()
    with pytest.raises(StoreError, match=r"does not answer|did not answer"):
        open_existing(silent_uri, "images", access=Access(timeout_s=2))
    assert time.monotonic() - start < 6


@pytest.mark.server
@pytest.mark.slow
def test_a_restart_is_sat_out(tmp_path: Path, run_server: Callable[..., AbstractContextManager[str]]) -> None:
    """A store that was open before the server went away and came back reads and writes on."""
    with run_server("ttl=5", folder=tmp_path) as uri:
        store = open_store(uri, "images", SETTINGS)
        store.put([entry("a")])
    port = uri.rsplit(":", 1)[1]
    with ThreadPoolExecutor() as threads:
        reading = threads.submit(store.get, ["a"])
        with run_server("ttl=5", f"port={port}", folder=tmp_path):
            assert reading.result() == {"a": entry("a")}
            store.put([entry("b", "a")])
            assert len(store.near(np.zeros((1, 2), dtype=np.float32))[0].matches) == 1
            assert store.count() == Counts(1, 1)
            store.close()
