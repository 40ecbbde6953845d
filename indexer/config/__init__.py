"""The configuration of the scheduled batch: one TOML file, read once, checked whole, passed on as frozen values."""

from __future__ import annotations

from indexer.config.reading import checked_command, checked_seconds, load
from indexer.config.showing import effective
from indexer.config.template import TEMPLATE
from indexer.config.values import BatchConfig, Limited, Reports, Source

__all__ = [
    "TEMPLATE",
    "BatchConfig",
    "Limited",
    "Reports",
    "Source",
    "checked_command",
    "checked_seconds",
    "effective",
    "load",
]
