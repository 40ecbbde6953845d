"""What is stamped on a collection when it is made, and which stamps are refused (law 7)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from indexer.errors import ConfigError
from indexer.records import Settings

SCHEMA_VERSION = 3
"""Version 1 had no room for the second look, version 2 none for the time since which a file is missing."""

STAMP = "twinlens"
"""The collection's property that holds the settings."""


def to_stamp(settings: Settings) -> str:
    """Return the text that is stamped on a collection."""
    return json.dumps({"twinlens": SCHEMA_VERSION} | asdict(settings))


def settings_of(name: str, description: Mapping[str, Any]) -> Settings:
    """
    Return the settings in what Milvus tells of the collection that messages call *name*.

    Raises:
        ConfigError: it is not one of ours, or one of another version.
    """
    stamp = _read(description)
    if stamp is None:
        raise ConfigError(f"{name} was not made by Twinlens; name another with --collection")
    version, settings = stamp
    if settings is None:
        way_out = "ingest into another --collection" if version < SCHEMA_VERSION else "update Twinlens"
        raise ConfigError(
            f"{name} was made by another version of Twinlens (its rows are of version {version}, this one's of"
            f" {SCHEMA_VERSION}); {way_out}"
        )
    return settings


def refuse_mixing(name: str, found: Settings, wanted: Settings) -> None:
    """
    Let pass only what belongs into the collection *name*.

    Raises:
        ConfigError: it was made for another encoder or another rule than what is *wanted*.
    """
    if (found.fingerprint, found.dim) != (wanted.fingerprint, wanted.dim):
        raise ConfigError(
            f"the collection {name} holds descriptors of {found.fingerprint} (dimension {found.dim}),"
            f" not of {wanted.fingerprint} (dimension {wanted.dim});"
            " encode it anew with twinlens migrate --re-encode, ingest into another --collection,"
            " or pass the --weights that it was made with"
        )
    if found.radius != wanted.radius:
        raise ConfigError(
            f"the collection {name} was made with radius {found.radius:g}, not {wanted.radius:g};"
            f" leave out --radius, or name another --collection"
        )
    if found.second_look != wanted.second_look:
        made, option = ("with", "--no-second-look") if found.second_look else ("without", "second_look=True")
        raise ConfigError(
            f"the collection {name} was made {made} the second look, and keeps to it;"
            f" leave out {option}, or name another --collection"
        )
    if found.max_changed != wanted.max_changed:
        made, option = ("to be", "strict=False") if found.strict else ("not to be", "--strict")
        raise ConfigError(
            f"the collection {name} was made {made} strict, and keeps to it;"
            f" leave out {option}, or name another --collection"
        )
    if found.second_look and found.method != wanted.method:
        raise ConfigError(
            f"the collection {name} holds thumbnails of the method {found.method}, this Twinlens compares those of"
            f" {wanted.method}; make them anew with twinlens migrate --re-encode, or ingest into another --collection"
        )


def _read(description: Mapping[str, Any]) -> tuple[int, Settings | None] | None:
    """
    Return the version and, of this version, the settings; None when the collection is not one of ours.

    They are a property and the description, since Lite keeps only the first, and other tools show the second.
    """
    text = (description.get("properties") or {}).get(STAMP) or description.get("description") or ""
    try:
        stamp = json.loads(text)
        version = int(stamp.pop("twinlens"))
        return version, Settings(**stamp) if version == SCHEMA_VERSION else None
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
