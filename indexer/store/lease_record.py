"""
The collection that is a lease: its name, who is in it, and the graves that it is renamed to; see `lease`.

Its calls pass the exceptions of pymilvus: a Caller makes them.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from indexer.errors import ConfigError
from indexer.store.door import is_absence, library
from indexer.store.holder import Holder

_ENDING = "_lease"
_BEAT = "beat"
_NAME_MAX = 222
"""Milvus allows 255; the name of a grave ends in 33 more."""

_GRAVE = re.compile("(.*)_[0-9a-f]{32}", re.DOTALL)


def name_of(collection: str) -> str:
    """Return the name of the lease of *collection*."""
    if len(collection) + len(_ENDING) <= _NAME_MAX:
        return collection + _ENDING
    return f"{collection[:180]}_{hashlib.sha256(collection.encode()).hexdigest()[:32]}{_ENDING}"


def without_leases(names: Sequence[str]) -> list[str]:
    """Return *names* of collections without those that are the leases of others, or the graves of such."""
    leases = {name_of(name) for name in names}
    return [name for name in names if name not in leases and _buried(name) not in leases]


def _buried(name: str) -> str:
    """Return the name of the lease whose grave *name* would be; empty for other names."""
    found = _GRAVE.fullmatch(name)
    return found[1] if found else ""


class Record:
    """The collection that is a lease, held or not; its calls pass the exceptions of pymilvus."""

    def __init__(self, client: Any, collection: str) -> None:  # noqa: ANN401 - pymilvus has no types
        self.client = client
        self.name = name_of(collection)

    def make(self, holder: Holder, *, timeout: float) -> None:
        """Make the lease, with *holder* in it; an error where it is there with another one."""
        kinds = library().DataType
        schema = library().MilvusClient.create_schema(description=json.dumps({"twinlens lease": asdict(holder)}))
        schema.add_field("id", kinds.INT64, is_primary=True)
        schema.add_field("none", kinds.FLOAT_VECTOR, dim=2)  # a collection must have one
        self.client.create_collection(self.name, schema=schema, num_shards=1, timeout=timeout)

    def holder(self, name: str = "", *, timeout: float) -> Holder | None:
        """Return who is named in the lease, or in its grave *name*; None when there is none."""
        try:
            told = self.client.describe_collection(name or self.name, timeout=timeout)
        except Exception as error:
            if is_absence(error):
                return None
            raise
        try:
            holder = Holder(**json.loads(told["description"])["twinlens lease"])
        except (ValueError, TypeError, KeyError) as error:
            raise ConfigError(
                f"the collection {name or self.name} is not the lease that Twinlens keeps under this name;"
                " rename it, or ingest into another --collection"
            ) from error
        return replace(holder, beat=(told.get("properties") or {}).get(_BEAT, ""))

    def new_grave(self) -> str:
        """Return a name that nobody else uses, and that says whose grave it is."""
        return f"{self.name}_{secrets.token_hex(16)}"

    def graves(self, *, timeout: float) -> list[str]:
        """Return the names of the lease's graves."""
        return [name for name in self.client.list_collections(timeout=timeout) if _buried(name) == self.name]

    def drop(self, name: str = "", *, timeout: float) -> None:
        """Drop the lease, or its grave *name*; nothing when there is none."""
        try:
            self.client.drop_collection(name or self.name, timeout=timeout)
        except Exception as error:
            if not is_absence(error):
                raise

    def beat(self, text: str, *, timeout: float) -> None:
        """Change the lease's beat; nothing when there is none."""
        try:
            self.client.alter_collection_properties(self.name, {_BEAT: text}, timeout=timeout)
        except Exception as error:
            if not is_absence(error):
                raise
