"""What the sources of the development data show, so that false positives can be told apart by kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from model.calibrate import Pair
from model.data import Picture

KINDS: Mapping[str, tuple[str, ...]] = {
    "pets": ("catdog",),
    "photographs": (
        "imagenet_val1300",
        "metadata_extractor",
        "openimages_packt",
        "voc2007_subset",
    ),
    "garments": ("clothing_full",),
    "shop shelves": ("grocery",),
    "satellite": ("rsscn7",),
    "documents": ("cremma_medieval", "ocrd_assets"),
    "screenshots": (
        "debian_debian-handbook",
        "debian_gnome-user-docs",
        "debian_libreoffice-help-common",
        "debian_qtbase5-doc-html",
        "p5js_website",
    ),
    "drawings": (
        "debian_hedgewars-data",
        "debian_openclipart-png",
        "debian_supertuxkart-data",
        "debian_torcs-data",
        "debian_tuxpaint-stamps-default",
        "debian_wesnoth-1.16-data",
    ),
    "maps and sky": ("debian_marble-data", "debian_stellarium-data"),
    "wallpapers": (
        "debian_desktop-base",
        "debian_gnome-backgrounds",
        "debian_lomiri-wallpapers-16.04",
        "debian_mate-backgrounds",
        "debian_plasma-workspace-wallpapers",
        "debian_ukui-wallpapers",
        "wallpapers_budgie",
        "wallpapers_elementary",
        "wallpapers_popos",
    ),
}
"""Each kind with its sources; a source that is not listed is a kind of its own."""

PHOTOGRAPHIC = frozenset({"pets", "photographs", "garments", "shop shelves"})
"""Kinds of which nearly every picture is a photograph."""

_KIND_OF = {source: kind for kind, sources in KINDS.items() for source in sources}


def kind_of(picture: Picture) -> str:
    """Return what *picture* shows, by its source."""
    return _KIND_OF.get(picture.source, picture.source or "unnamed")


def pairs_by_kind(kinds: Sequence[str], queries: int, families: int) -> Counter[str]:
    """
    Count the pairs that are compared, by their two kinds.

    These are all pairs of pictures of the given *kinds*, and *families* edited copies of each of the first *queries*
    against every other picture.
    """
    whole, asked = Counter(kinds), Counter(kinds[:queries])
    counts: Counter[str] = Counter()
    for first in whole:
        for second in whole:
            same = first == second
            edited = families * asked[first] * (whole[second] - same)
            if first <= second:
                counts[pair_name(first, second)] += whole[first] * (whole[second] - same) // (1 + same)
            counts[pair_name(first, second)] += edited
    return counts


def pair_name(first: str, second: str) -> str:
    """Return the name of two kinds, in one order."""
    return " / ".join(sorted((first, second)))


def found_by_kind(pairs: Iterable[Pair], kinds: Sequence[str]) -> Counter[str]:
    """Count *pairs* by their two kinds."""
    return Counter(pair_name(kinds[pair.first], kinds[pair.second]) for pair in pairs)
