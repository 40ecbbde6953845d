"""
Run a real Milvus server (the package `milvus`) until standard input closes; print its address first.

    python tests/milvus_server.py FOLDER [name=value …]

A process of its own, so that the server ends with whoever holds the pipe, however that ends.
"""

from __future__ import annotations

import os
import random
import socket
import sys
from pathlib import Path

from milvus import MilvusServer, MilvusServerConfig

FASTER = {
    "proxy.timeTickInterval": 50,  # ms, a strongly consistent read waits for one
    "queryCoord.checkInterval": 100,  # ms, loading waits for a few
    "queryCoord.distPullInterval": 100,  # ms
}


def free_ports(count: int) -> list[int]:
    """Return *count* ports below those that the system hands out, where nothing listens at the moment."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(10_000, 32_000)
        with socket.socket() as probe:
            if port not in found and probe.connect_ex(("127.0.0.1", port)) != 0:
                found.append(port)
    return found


class Config(MilvusServerConfig):  # type: ignore[misc]
    """Takes a port again right after a server left it, as the server itself does."""

    def try_bind_port(self, port: int) -> socket.socket | None:
        """Return a socket that listens on *port*, or None."""
        try:
            return socket.create_server(("127.0.0.1", port))
        except OSError:
            return None


def started(folder: str, settings: dict[str, str]) -> MilvusServer:
    """Start a server in *folder*, all its ports its own."""
    config = Config(data_dir=folder)
    names = [name for name in config.configurable_items if name.endswith("_port")]
    *ports, health, peer = free_ports(len(names) + 2)
    config.update(**dict(zip(names, ports, strict=True)))
    if "port" in settings:
        config.update(proxy_port=int(settings["port"]))
    config.set("authorization_enabled", settings.get("auth") == "on")
    if "tls" in settings:  # a folder with server.pem, server.key and ca.pem, which must have signed the client's, too
        config.set("tls_mode", 2)
        for item, file in {
            "server_pem_path": "server.pem",
            "server_key_path": "server.key",
            "ca_pem_path": "ca.pem",
        }.items():
            config.set(item, str(Path(settings["tls"], file)))
    if "ttl" in settings:
        config.set("common.session.ttl", settings["ttl"])  # s; starting again waits until the last run's is over
    own = {name: value for name, value in settings.items() if "." in name}
    for name, value in (own if settings.get("pace") == "usual" else FASTER | own).items():
        config.set(name, value)
    server = MilvusServer(config)
    server.webservice_port = health
    os.environ["ETCD_CONFIG_PATH"] = etcd_config(folder, client=ports[names.index("etcd_port")], peer=peer)
    server.start()
    return server


def etcd_config(folder: str, client: int, peer: int) -> str:
    """Write the embedded etcd's settings and return their path; it would take 2379 and 2380 otherwise."""
    path = Path(folder, "etcd.yaml")
    path.write_text(
        f"listen-client-urls: http://127.0.0.1:{client}\n"
        f"advertise-client-urls: http://127.0.0.1:{client}\n"
        f"listen-peer-urls: http://127.0.0.1:{peer}\n"
        f"initial-advertise-peer-urls: http://127.0.0.1:{peer}\n"
        f"initial-cluster: default=http://127.0.0.1:{peer}\n",
        encoding="utf-8",
    )
    return str(path)


def main() -> None:
    """Start, print the address, wait for the pipe to close, stop."""
    folder, *settings = sys.argv[1:]
    server = started(folder, dict(setting.split("=") for setting in settings))
    try:
        sys.stdout.write(f"http://127.0.0.1:{server.listen_port}\n")
        sys.stdout.flush()
        sys.stdin.read()
    finally:
        if "end=kill" in settings:
            server.server_proc.kill()
        server.stop()


if __name__ == "__main__":
    main()
