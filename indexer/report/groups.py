"""Groups of copies for people and for programs: lines of text, and JSON Lines."""

from __future__ import annotations

from typing import Any

from indexer.records import Entry, Group
from indexer.report.text import about_changes, about_gone, printable


def group_lines(group: Group) -> list[str]:
    """Return the name of the original, a line for each copy, and an empty one."""
    name = printable(group.uri) + about_state(group, group.uri, group.original)
    return [name, *(_copy_line(group, copy) for copy in group.copies), ""]


def _copy_line(group: Group, copy: Entry) -> str:
    told = ", ".join(how_it_lies(copy))
    name = printable(copy.uri) + about_state(group, copy.uri, copy)
    return f"  {copy.distance or 0.0:.4f}  {name}" + (f"  ({told})" if told else "")


def how_it_lies(copy: Entry) -> list[str]:
    """Return in a few words what distinguishes a *copy* from its original, where that is known."""
    if copy.exact and not copy.distance:
        return ["same bytes"]
    look = copy.look
    return about_changes(look.scale, look.mirrored, look.changed) if look else []


def about_state(group: Group, uri: str, entry: Entry | None) -> str:
    """Return what follows the name of a member, *entry* if it is known: whether its file is gone; else empty."""
    if group.there.get(uri):
        return ""
    since = about_gone(entry.missing_since if entry else None)
    return since or (", which is gone" if group.there.get(uri) is False else "")


def group_row(group: Group) -> dict[str, Any]:
    """Return a group as JSON can hold it: facts of the original, and of each copy, `null` where they are not known."""
    original = {"original": group.uri, "original_is_there": group.there.get(group.uri)}
    facts = _facts(group.original) if group.original else {}
    return original | facts | {"copies": [_copy_row(group, copy) for copy in group.copies]}


def _copy_row(group: Group, copy: Entry) -> dict[str, Any]:
    look = {name: getattr(copy.look, name, None) for name in ("score", "scale", "shift", "mirrored", "changed")}
    place = {"uri": copy.uri, "is_there": group.there.get(copy.uri)}
    return place | _facts(copy) | {"distance": copy.distance, "exact": copy.exact} | look


def _facts(entry: Entry) -> dict[str, Any]:
    facts = ("sha256", "size", "width", "height", "format", "missing_since")
    return {fact: getattr(entry, fact) for fact in facts}
