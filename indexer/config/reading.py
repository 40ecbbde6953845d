"""Reads a configuration file: every wrong key, type or value gives one line, and all of them come at once."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from indexer.config.rules import COMMAND, SECONDS, Rule, Unfit
from indexer.config.values import TABLES, BatchConfig, Source
from indexer.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_SECRETS = frozenset({"token", "password", "secret", "api_key", "apikey"})
_KINDS = {
    bool: "a boolean",
    int: "a whole number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "a table",
}


def load(path: Path) -> BatchConfig:
    """
    Return the configuration in the TOML file *path*; relative paths in it start from its folder.

    Raises:
        ConfigError: it cannot be read, or something in it is wrong; each fault is one line.

    """
    return _Reader(path.resolve()).read()


def checked_command(text: str) -> str:
    """Return the command *text*, given elsewhere than in a file, if it could stand there; raises ConfigError."""
    try:
        COMMAND.take(text, Path())
    except Unfit as error:
        raise ConfigError(f"--notify is no command: {str(error) or f'allowed: {COMMAND.allowed}'}") from error
    return text


def checked_seconds(seconds: float) -> None:
    """Return if *seconds*, given elsewhere than in a file, could be a limit of time there; raises ConfigError."""
    try:
        SECONDS.take(seconds, Path())
    except Unfit as error:
        raise ConfigError(f"--max-seconds is {seconds:g}; allowed: {SECONDS.allowed}") from error


class _Reader:
    """Gathers what is wrong while it reads."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._faults: list[str] = []

    def read(self) -> BatchConfig:
        whole = self._parsed()
        self._unknown(whole, (*TABLES, "source"), "", "tables")
        sources = self._sources(whole.get("source"))
        tables = {name: self._table(kind, whole.get(name, {}), f"[{name}]") for name, kind in TABLES.items()}
        if self._faults:
            raise ConfigError("\n".join(f"{self._file}: {fault}" for fault in self._faults))
        return BatchConfig(self._file, tuple(sorted(sources, key=lambda source: source.priority)), **tables)

    def _parsed(self) -> dict[str, Any]:
        try:
            parsed: dict[str, Any] = tomllib.loads(self._file.read_bytes().decode("utf-8-sig"))
        except FileNotFoundError as error:
            raise ConfigError(f"there is no configuration {self._file}; twinlens init writes one") from error
        except OSError as error:
            raise ConfigError(f"cannot read the configuration {self._file}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{self._file}: it is not UTF-8 (byte {error.start}); save it as UTF-8") from error
        except (ValueError, RecursionError) as error:  # a number of 5,000 digits, or 3,000 brackets, are some, too
            raise ConfigError(f"{self._file}: it is not TOML: {error}") from error
        return parsed

    def _sources(self, found: object) -> list[Source]:
        if not isinstance(found, list) or not found:
            told = "none is there" if found in (None, []) else f"it is {_told(found)}"
            self._faults.append(f"[[source]]: {told}; allowed: at least one table [[source]] with a path")
            return []
        tables = [self._table(Source, each, f"[[source]] no. {n}") for n, each in enumerate(found, 1)]
        return [table for table in tables if table is not None]

    def _table(self, kind: type[Any], found: object, where: str) -> Any:  # noqa: ANN401 - an instance of kind
        """Return the values of one table, or None where some are wrong."""
        if not isinstance(found, dict):
            self._faults.append(f"{where} is {_told(found)}; allowed: a table")
            return None
        known = fields(kind)
        before = len(self._faults)
        self._unknown(found, [key.name for key in known], where + " ", "keys")
        values = {key.name: self._value(key, found, where) for key in known}
        return kind(**values) if len(self._faults) == before else None

    def _value(self, key: Field[Any], found: Mapping[str, Any], where: str) -> Any:  # noqa: ANN401 - as the rule says
        rule: Rule = key.metadata["rule"]
        if key.name not in found:
            if key.default is MISSING:
                self._faults.append(f"{where} {key.name} is missing; allowed: {rule.allowed}")
            return self._default(key)
        try:
            return rule.take(found[key.name], self._file.parent)
        except Unfit as error:
            told = str(error) or f"it is {_told(found[key.name])}; allowed: {rule.allowed}"
            self._faults.append(f"{where} {key.name}: {told}")
            return None

    def _default(self, key: Field[Any]) -> Any:  # noqa: ANN401 - as above
        """Return the key's default; one that is a path starts from the file's folder, too."""
        if key.default is MISSING or not isinstance(key.default, (str, Path)):
            return None if key.default is MISSING else key.default
        rule: Rule = key.metadata["rule"]
        return rule.take(str(key.default), self._file.parent)

    def _unknown(self, found: Mapping[str, Any], known: Any, where: str, what: str) -> None:  # noqa: ANN401
        for name in found:
            if name in known:
                continue
            if name.lower() in _SECRETS or name.lower().endswith(("_token", "_password")):
                said = "secrets stay out of the file; take it out, and set TWINLENS_TOKEN in the environment"
            else:
                near = get_close_matches(name, known, 1)
                said = f"did you mean {near[0]}? " if near else ""
                said = f"it is not known; {said}{what} there: {', '.join(known)}"
            self._faults.append(f"{where}{name}: {said}")


def _told(value: object) -> str:
    """Return *value* and its type, short enough for a message."""
    kind = next((name for kind, name in _KINDS.items() if isinstance(value, kind)), "a date or time")
    text = repr(value)
    return f"{kind}, {text[:60]}{'…' if len(text) > 60 else ''}"
