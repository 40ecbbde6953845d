"""
The vectors of all pictures and of their edited copies, by every system in one pass.

Each edit is made once and shared by the systems; of pictures in work only a few are held at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from model.data import Picture, edited
from model.pixels import Pixels
from model.systems import System

Vectors = npt.NDArray[np.float32]
"""float32 (N, D)."""

CHUNK = 16
"""Pictures in work at a time."""

Tell = Callable[[str], object]
"""Takes a line of progress."""


@dataclass(frozen=True, slots=True)
class Plan:
    """
    Which copies are made.

    Attributes:
        families: edits of which each query gets a copy.
        strengths: of the edits; 1 is the whole range of each.
        queries: pictures that get all of these, the first ones.
        main: families that are also compared with all other pictures.
        counted: pictures that get a copy of each of *main* at the greatest strength, the first ones.
        workers: threads.
    """

    families: tuple[str, ...]
    strengths: tuple[float, ...]
    queries: int
    main: tuple[str, ...]
    counted: int
    workers: int

    def edits(self, place: int) -> list[tuple[float, str]]:
        """Return strength and family of the copies of the picture at *place*."""
        wide = place < self.queries
        strongest = max(self.strengths)
        return [
            (strength, family)
            for strength in self.strengths
            for family in self.families
            if wide or (place < self.counted and strength == strongest and family in self.main)
        ]


@dataclass(frozen=True, slots=True)
class Views:
    """
    What one system made of them.

    Attributes:
        references: (N, D), the pictures as they are.
        copies: by strength and family, (Q, D), of the first Q pictures.
    """

    references: Vectors
    copies: Mapping[tuple[float, str], Vectors]


def describe_views(systems: Sequence[System], pictures: Sequence[Picture], plan: Plan, tell: Tell) -> dict[str, Views]:
    """Return the views of each system, by its name."""
    rows: dict[str, dict[tuple[float, str] | None, list[Vectors]]] = {system.name: {} for system in systems}
    with ThreadPoolExecutor(plan.workers) as pool:
        for done, keys, images in _images(pictures, plan, pool):
            for system in systems:
                vectors = describe(system, images, pool)
                for key, vector in zip(keys, vectors, strict=True):
                    rows[system.name].setdefault(key, []).append(vector)
            tell(f"\r{done:,} of {len(pictures):,} pictures described")
    tell("\n")
    return {name: _views(found) for name, found in rows.items()}


def describe(system: System, images: Sequence[Pixels], pool: ThreadPoolExecutor) -> Vectors:
    """Return what *system* makes of *images*, (N, D)."""
    return system.describe(list(pool.map(system.prepare, images)))


def _images(
    pictures: Sequence[Picture], plan: Plan, pool: ThreadPoolExecutor
) -> Iterator[tuple[int, list[tuple[float, str] | None], list[Pixels]]]:
    """Yield how many pictures are done, and a chunk of images, each with its strength and family or None."""
    for start in range(0, len(pictures), CHUNK):
        places = range(start, min(start + CHUNK, len(pictures)))
        made = list(pool.map(partial(images_of, pictures, plan), places))
        keys = [key for found in made for key, _ in found]
        yield places.stop, keys, [image for found in made for _, image in found]


def images_of(pictures: Sequence[Picture], plan: Plan, place: int) -> list[tuple[tuple[float, str] | None, Pixels]]:
    """Return the picture at *place*, keyed None, and its copies by strength and family."""
    picture, take = pictures[place], plan.families.index
    plain: list[tuple[tuple[float, str] | None, Pixels]] = [(None, picture.pixels)]
    edits = plan.edits(place)
    return plain + [((s, family), edited(picture, family, s, take(family))) for s, family in edits]


def _views(found: Mapping[tuple[float, str] | None, list[Vectors]]) -> Views:
    """Join the vectors of one system."""
    copies = {key: np.stack(vectors) for key, vectors in found.items() if key is not None}
    return Views(np.stack(found[None]), copies)
