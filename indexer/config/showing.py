"""The effective configuration as TOML: what is in force, defaults included; it can be read again."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

from indexer.config.values import TABLES, BatchConfig

_MASKED = re.compile(r"(?<=://)[^/\s]*@")
_MASKED_SERVER = re.compile(r"(?<=://).*@", re.DOTALL)
"""Who signs in where: the environment's TWINLENS_URI may tell it, nobody else may read it."""


def effective(config: BatchConfig) -> str:
    """Return *config* as TOML; keys without a value are comments."""
    parts = [_table(f"[{name}]", getattr(config, name)) for name in TABLES]
    parts[1:1] = [_table("[[source]]", source) for source in config.source]
    return "\n\n".join(parts)


def _table(head: str, values: Any) -> str:  # noqa: ANN401 - one of the tables
    width = max(len(key.name) for key in fields(values))
    return "\n".join([head, *(_line(key.name, getattr(values, key.name), width) for key in fields(values))])


def _line(name: str, value: object, width: int) -> str:
    if value is None:
        return f"# {name} is not set"
    if name == "uri":
        value = _MASKED_SERVER.sub("***@", str(value))
    return f"{name:<{width}} = {_toml(value)}"


def _toml(value: object) -> str:
    if isinstance(value, (str, Path)):
        return json.dumps(_MASKED.sub("***@", str(value)), ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return str(value).lower() if isinstance(value, bool) else repr(value)
