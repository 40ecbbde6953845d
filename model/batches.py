"""
The pictures to learn from, held in memory as uint8, and the batches that are cut from them.

All pictures lie squashed to one size, each as it is and re-saved as JPEG, on the device that trains: 16,000 at
208 pixels take 4 GB. What a batch holds is decided by the seed and the step alone, so a run can be resumed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch  # noqa: TID251 - one of its doors
from torch import Generator, Tensor  # noqa: TID251 - as above

from model.augment import jpeg
from model.batch_edits import copies, reduce
from model.data import Picture, name_hash
from model.pairs import HASH_BITS_ALIKE, Alike, Looks, perceptual_hash, plain_thumbnail
from model.preprocess import SMOOTH, to_square
from model.recipes import TrainConfig
from model.vary import vary

CHUNK = 1024
"""Rows of all pairs at a time."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """
    Pictures in memory.

    Attributes:
        pixels: uint8 (P, 2, 3, S, S): each picture as it is, and re-saved.
        looks: what the plain checks need of them.
    """

    pixels: Tensor
    looks: Looks

    def __len__(self) -> int:
        """Return P."""
        return len(self.pixels)


@dataclass(frozen=True, slots=True)
class Batch:
    """
    What one step sees.

    Attributes:
        ids: int64 (N,), the pictures' numbers.
        images: float32 (N + N x copies, 3, size, size) on 0-255: clean views, then the first copy of each, and so on.
        owner: int64 (N x copies,), the row of each copy's clean view.
        drawn: bool (N,), the pages that the run drew.
    """

    ids: Tensor
    images: Tensor
    owner: Tensor
    drawn: Tensor


def shelve(pictures: Sequence[Picture], size: int, device: torch.device, workers: int) -> Shelf:
    """Put *pictures* on *device*, squashed to *size* pixels a side."""
    pixels = np.empty((len(pictures), 2, 3, size, size), np.uint8)
    with ThreadPoolExecutor(workers) as pool:
        looks = list(pool.map(partial(_shelve_one, pixels, pictures), range(len(pictures))))
    hashes, thumbnails = zip(*looks, strict=True)
    drawn = np.array([picture.drawn for picture in pictures])
    return Shelf(torch.from_numpy(pixels).to(device), Looks(np.stack(hashes), np.stack(thumbnails), drawn))


def _shelve_one(
    pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], pictures: Sequence[Picture], row: int
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.bool_]], np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    """Fill one row of *pixels* and return the picture's hash and thumbnail."""
    plain = pictures[row].pixels
    resaved = jpeg(plain, np.random.default_rng(name_hash(pictures[row].name)))
    for variant, image in enumerate((plain, resaved)):
        pixels[row, variant] = to_square(image, pixels.shape[-1], SMOOTH).transpose(2, 0, 1)
    return perceptual_hash(plain), plain_thumbnail(plain)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """
    Pictures that look alike, and pictures that only an encoder takes for alike.

    Attributes:
        alike: bool (P, P): never pushed apart; a picture and itself, and near-copies.
        hard: int64 (H, 2): the nearest pairs that are none of these, nearest first.
    """

    alike: Tensor
    hard: Tensor


def nearest(rows_PD: Tensor, count: int) -> Tensor:
    """Return the *count* nearest pairs of unit descriptors, int64 (count, 2), nearest first."""
    likeness, pairs = rows_PD.new_empty(0), torch.empty(0, 2, dtype=torch.int64, device=rows_PD.device)
    for start in range(0, len(rows_PD), CHUNK):
        part = rows_PD[start : start + CHUNK] @ rows_PD.T
        part.masked_fill_(torch.ones_like(part, dtype=torch.bool).tril_(start), -torch.inf)
        found = part.flatten().topk(min(count, part.numel()))
        rows = torch.stack([found.indices // len(rows_PD) + start, found.indices % len(rows_PD)], 1)
        best = torch.cat([likeness, found.values]).topk(min(count, len(likeness) + len(rows)))
        likeness, pairs = best.values, torch.cat([pairs, rows])[best.indices]
    return pairs[likeness > -torch.inf]


def nearest_of_shelf(rows_PD: Tensor, looks: Looks, count: int) -> Tensor:
    """
    Return the *count* nearest pairs of the pictures of a shelf by their unit descriptors, as `nearest` does.

    Drawn pages are left out: nearly all of their pairs are near ones, and they would crowd out all others.
    """
    kept = torch.from_numpy(~looks.drawn).to(rows_PD.device).nonzero().flatten()
    return kept[nearest(rows_PD[kept], count)]


def spread(pairs: Tensor, most: int) -> Tensor:
    """
    Return those of *pairs*, int64 (H, 2), nearest first, that leave every picture in *most* of them at most.

    A road's frames, or faces cut to one frame, are near each other by the thousand; else little else would be learned.
    """
    met: Counter[int] = Counter()
    kept = []
    for first, second in pairs.tolist():
        if met[first] < most and met[second] < most:
            met.update((first, second))
            kept.append((first, second))
    return torch.tensor(kept, dtype=torch.int64, device=pairs.device).view(-1, 2)


def neighbours(looks: Looks, checked: Alike, near: Tensor, workers: int) -> Neighbours:
    """
    Sort the pairs in *near*, (H, 2), an encoder's nearest ones, by both plain checks: *checked* is looks.alike.

    All other pairs are checked by the hash alone. Checking a pair takes milliseconds, and an encoder's nearest pairs
    are mostly the same later on: a run hands in a `functools.cache` of the check.
    """
    signs = torch.from_numpy(looks.hashes).to(near.device).float() * 2 - 1
    alike = torch.cat([part @ signs.T >= signs.shape[1] - 2 * HASH_BITS_ALIKE for part in signs.split(CHUNK)])
    drawn = torch.from_numpy(looks.drawn).to(near.device)
    alike &= ~(drawn[:, None] | drawn)
    with ThreadPoolExecutor(workers) as pool:
        same = torch.tensor(list(pool.map(checked, *near.T.tolist())), dtype=torch.bool, device=near.device)
    copies_ = near[same]
    alike[copies_[:, 0], copies_[:, 1]] = alike[copies_[:, 1], copies_[:, 0]] = True
    return Neighbours(alike.fill_diagonal_(True), near[~same])


def rows_of(step: int, count: int, config: TrainConfig) -> Tensor:
    """Return the numbers of the pictures of *step*, int64 (N,): an epoch sees each of *count* pictures once."""
    size = min(config.pictures, count)
    epoch, place = divmod(step, count // size)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(config.seed * 9973 + epoch))
    return order[place * size : (place + 1) * size]


def hard_rows(hard: Tensor, rng: Generator, pairs: int) -> Tensor:
    """Draw *pairs* of the hard pairs, the nearest most often; int64 (2 x pairs,), or none where none are known."""
    drawn = len(hard) * torch.rand(pairs if len(hard) else 0, generator=rng, device=rng.device) ** 2
    return hard[drawn.long()].flatten()


def generator(step: int, config: TrainConfig, device: torch.device) -> Generator:
    """Return the randomness of *step*."""
    return torch.Generator(device).manual_seed(config.seed * 1_000_003 + step)


def batch(shelf: Shelf, hard: Tensor, step: int, config: TrainConfig) -> Batch:
    """Return the batch of *step*: pictures in their turn, and some of the *hard* pairs."""
    device = shelf.pixels.device
    rng = generator(step, config, device)
    turn = rows_of(step, len(shelf), config).to(device)
    ids = torch.cat([turn, hard_rows(hard, rng, config.hard)])
    owner = torch.arange(len(ids), device=device).repeat(config.copies)
    flip = torch.rand(len(ids), generator=rng, device=device) < 0.5
    strength = config.curriculum.strength(step / config.steps)
    resaved = (torch.rand(len(owner), generator=rng, device=device) < config.mix.jpeg).long()
    pixels = shelf.pixels[ids].float()
    pixels[: len(turn)] = vary(pixels[: len(turn)], rng, config.vary)
    edited = copies(pixels[owner, resaved], rng, strength, config.mix)
    images, mirrored = torch.cat([pixels[:, 0], edited]), torch.cat([flip, flip[owner]])
    small = reduce(images, config.input_size)
    drawn = torch.from_numpy(shelf.looks.drawn).to(device)[ids]
    return Batch(ids, torch.where(mirrored[:, None, None, None], small.flip(3), small), owner, drawn)
