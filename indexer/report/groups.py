"""Groups of copies for people and for programs: lines of text, and JSON Lines."""

from __future__ import annotations

from typing import Any

from indexer.records import Entry, Group
from indexer.report.text import about_changes, about_gone, printable


def group_lines(group: Group) -> list[str]:
    """Return the name of the original, a line for each copy, and an empty one."""
    return [f"{printable(group.uri)}{about_state(group)}", *map(_copy_line, group.copies), ""]


def _copy_line(copy: Entry) -> str:
    told = ", ".join(how_it_lies(copy))
    name = printable(copy.uri) + about_gone(copy.missing_since)
    return f"  {copy.distance or 0.0:.4f}  {name}" + (f"  ({told})" if told else "")


def how_it_lies(copy: Entry) -> list[str]:
    """Return in a few words what distinguishes a *copy* from its original, where that is known."""
    if copy.exact and not copy.distance:
        return ["same bytes"]
    look = copy.look
    return about_changes(look.scale, look.mirrored, look.changed) if look else []


def about_state(group: Group) -> str:
    """Return what follows the name of a group's original: whether its file is gone; else empty."""
    since = about_gone(group.original.missing_since if group.original else None)
    return since or (", which is gone" if group.is_there is False else "")


def group_row(group: Group) -> dict[str, Any]:
    """Return a group as JSON can hold it: facts of the original, and of each copy, `null` where they are not known."""
    original = _facts(group.original) if group.original else {}
    copies = [_facts(copy) | _look(copy) for copy in group.copies]
    return {"original": group.uri, "original_is_there": group.is_there} | original | {"copies": copies}


def _facts(entry: Entry) -> dict[str, Any]:
    name = {} if entry.is_original else {"uri": entry.uri}
    facts = ("sha256", "size", "width", "height", "format", "missing_since")
    return name | {fact: getattr(entry, fact) for fact in facts}


def _look(copy: Entry) -> dict[str, Any]:
    told = {name: getattr(copy.look, name, None) for name in ("score", "scale", "shift", "mirrored", "changed")}
    return {"distance": copy.distance, "exact": copy.exact} | told
