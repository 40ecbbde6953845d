"""How a server is reached beyond its address: what a URI may say, and TLS as pymilvus wants it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from indexer.errors import ConfigError
from indexer.store.door import shown


@dataclass(frozen=True, slots=True)
class Tls:
    """
    Files in PEM format for an https:// address, each empty where it is not needed.

    Attributes:
        ca: the certificate that signed the server's, or that one itself; by default those that gRPC trusts.
        cert: the client's own certificate, for a server that asks for one; needs *key* and *ca*.
        key: its private key.
        name: the name in the server's certificate, where it is not that of the address.
    """

    ca: str = ""
    cert: str = ""
    key: str = ""
    name: str = ""


NO_TLS = Tls()

TIMEOUT_S = 120.0
"""The most seconds that one call may take, its repetitions through an outage (a restart) included."""


@dataclass(frozen=True, slots=True)
class Access:
    """
    How a Milvus is reached beyond its address; of no matter to a file, but for the time.

    Attributes:
        token: `user:password` or an API key, for a server that asks for it; never shown.
        timeout_s: the most seconds that one call may take, its repetitions through an outage included.
        tls: certificates, for an https:// address.
    """

    token: str | None = field(default=None, repr=False)
    timeout_s: float = TIMEOUT_S
    tls: Tls = NO_TLS


ACCESS = Access()
"""Of a server that asks for nothing, or a file."""


def check_address(uri: str, tls: Tls) -> None:
    """
    Return if *uri* can be a server's address, and *tls* belongs to it.

    Raises:
        ConfigError: it cannot; a file of *tls* is missing or is for nothing.
    """
    try:
        parts = urlsplit(uri)
        known = bool(parts.hostname) and parts.port != 0 and "@" not in parts.path + parts.query + parts.fragment
    except ValueError:
        known = False
    if not known:
        told = "what holds an @, and is not shown for that," if "@" in uri else shown(uri)
        raise ConfigError(f"{told} is no address of a server; write it as http://host:19530, and set TWINLENS_TOKEN")
    if tls == NO_TLS:
        return
    if parts.scheme != "https":
        raise ConfigError(f"{shown(uri)} is an address without TLS; write https://, or unset TWINLENS_TLS_…")
    if (tls.cert or tls.key) and not (tls.cert and tls.key and tls.ca):
        raise ConfigError(
            "a client's certificate takes TWINLENS_TLS_CERT, TWINLENS_TLS_KEY and TWINLENS_TLS_CA; set all"
        )
    for path in filter(None, (tls.ca, tls.cert, tls.key)):
        _check_file(path)


def _check_file(path: str) -> None:
    try:
        with Path(path).open("rb") as file:
            read = file.read()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}; correct TWINLENS_TLS_…") from error
    if b"-----BEGIN" not in read:
        raise ConfigError(f"{path} is no file in PEM format; correct TWINLENS_TLS_…")


def tls_options(tls: Tls) -> dict[str, str]:
    """Return *tls* as options of pymilvus's client, which takes the CA by another name where it goes alone."""
    if tls.cert:
        options = {"ca_pem_path": tls.ca, "client_pem_path": tls.cert, "client_key_path": tls.key}
    else:
        options = {"server_pem_path": tls.ca}
    return {name: value for name, value in (options | {"server_name": tls.name}).items() if value}


def database_of(uri: str) -> str:
    """Return the name of the database in the path of *uri*; empty for the server's default."""
    return urlsplit(uri).path.strip("/")
