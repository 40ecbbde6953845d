"""
Trains the comparison of pages, on pages of the data and on drawn ones.

    python -m model train-pages --data ../shared/data/train --out pages.onnx

The held-out quarter of the data is never seen; it only measures. All pairs are held in memory: 13 GB and 70 minutes on
two cores for the development data with 150 layouts and 12,000 steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain
from multiprocessing import get_context

import numpy as np
import numpy.typing as npt
import torch  # noqa: TID251 - one of its doors
from torch.nn import functional as F  # noqa: N812, TID251 - torch's own idiom

from model.calibrate import nearest_pairs
from model.data import Describe, Picture, describe_all
from model.documents import documents
from model.page_evidence import planes
from model.page_network import PageNetwork
from model.page_pairs import PagePair, of_layouts, of_others, of_page
from model.pairs import Looks
from model.second_look import EVIDENT, thumbnail
from model.thumbnail import view
from model.views import Tell

SURE = 0.99
"""What the network is asked for at most: some pairs that are called different are not."""


@dataclass(frozen=True, slots=True)
class PagesConfig:
    """
    A training run.

    Attributes:
        steps: of gradient descent.
        pairs: a step, all of one size.
        rate: AdamW's at its height; it falls by a cosine.
        warm_up: steps in which the rate rises.
        decay: AdamW's, of weights.
        clip: the gradient's greatest length.
        different: how many times as much a pair of different pages counts.
        layouts: of pages that are drawn.
        layout_pairs: pairs of each drawn page with others of its layout.
        nearest: pairs of the nearest pages that are no near-copies.
        least: pairs of a size, below which they are left out.
        workers: processes that make pairs, threads that learn.
        seed: of everything drawn.
    """

    steps: int = 20_000
    pairs: int = 32
    rate: float = 2e-3
    warm_up: int = 100
    decay: float = 1e-3
    clip: float = 1.0
    different: float = 2.5
    layouts: int = 250
    layout_pairs: int = 3
    nearest: int = 2000
    least: int = 8
    workers: int = 2
    seed: int = 0


def train_pages(
    pictures: Sequence[Picture], held_out: Sequence[Picture], describe: Describe, config: PagesConfig, tell: Tell
) -> Iterator[PageNetwork]:
    """
    Learn from the pages among *pictures*; yield the network as it is after each tenth of the steps.

    The pages among *held_out* measure. *describe* gives an encoder's vector of each picture.
    """
    torch.manual_seed(config.seed)
    torch.set_num_threads(config.workers)
    learned = Sizes(made(pictures, describe, config), config.least)
    measured = Sizes(made(held_out, describe, replace(config, layouts=0)), 1)
    tell(f"{learned}; held out {measured}")
    network = PageNetwork()
    optimiser = torch.optim.AdamW(network.parameters(), config.rate, weight_decay=config.decay)
    rng = np.random.default_rng(config.seed)
    losses = []
    for step in range(config.steps):
        for group in optimiser.param_groups:
            group["lr"] = _rate(step, config)
        losses.append(_learn(network, optimiser, learned.draw(config.pairs, rng), config))
        if (step + 1) * 10 // config.steps > step * 10 // config.steps:
            tell(f"step {step + 1:6d}  loss {np.mean(losses):.4f}  {rates(network, measured, EVIDENT)}")
            losses = []
            yield network.eval()


def made(pictures: Sequence[Picture], describe: Describe, config: PagesConfig) -> Iterator[PagePair]:
    """Yield all pairs of the pages among *pictures*, and of drawn ones."""
    pages = [each for each in pictures if view(thumbnail(each.pixels)).page]
    drawn = documents(config.layouts)
    others = [*of_layouts(drawn, config.layout_pairs), *_nearest(pages, describe, config)]
    with ProcessPoolExecutor(config.workers, get_context("spawn")) as pool:
        yield from chain.from_iterable(pool.map(of_page, [*pages, *drawn], chunksize=16))
        firsts, seconds = ([pair[side] for pair in others] for side in (0, 1))
        yield from chain.from_iterable(pool.map(of_others, firsts, seconds, chunksize=16))


def _nearest(pages: Sequence[Picture], describe: Describe, config: PagesConfig) -> list[tuple[Picture, Picture]]:
    """Return the nearest pairs of *pages* that no plain check calls near-copies."""
    if len(pages) <= 1:
        return []
    near = nearest_pairs(describe_all(describe, pages, workers=config.workers), config.nearest)
    looks = Looks.of(pages)
    return [(pages[p.first], pages[p.second]) for p in near if not looks.alike(p.first, p.second)]


class Sizes:
    """Pairs by the size that the network takes them in, those of rare sizes left out."""

    def __init__(self, pairs: Iterator[PagePair], least: int) -> None:
        by_size: dict[tuple[int, ...], list[tuple[npt.NDArray[np.float16], bool]]] = {}
        for pair in pairs:
            both = planes(pair.window.astype(np.float32), pair.placed.astype(np.float32)).astype(np.float16)
            by_size.setdefault(both.shape, []).append((both, pair.same))
        self.lists = [members for members in by_size.values() if len(members) >= least]
        counts = np.array([len(members) for members in self.lists])
        self._share = counts / max(counts.sum(), 1)

    def __str__(self) -> str:
        """Return how many there are."""
        same = sum(same for members in self.lists for _, same in members)
        return f"{sum(map(len, self.lists)):,} pairs of pages, {same:,} of one page"

    def draw(self, count: int, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw *count* pairs of one size: float32 (B, 2, H, W), mirrored at random, and bool (B,)."""
        members = self.lists[int(rng.choice(len(self.lists), p=self._share))]
        chosen = [members[at] for at in rng.choice(len(members), min(count, len(members)), replace=False)]
        pages = torch.from_numpy(np.stack([both for both, _ in chosen])).float()
        turned = [side for side in (2, 3) if rng.random() < 0.5] + [1] * (rng.random() < 0.3)
        pages = pages.flip(turned) if turned else pages
        return pages.contiguous(memory_format=torch.channels_last), torch.tensor([same for _, same in chosen])


def _rate(step: int, config: PagesConfig) -> float:
    """Return AdamW's rate at a step."""
    rise = min(1.0, (step + 1) / config.warm_up)
    return config.rate * rise * (0.01 + 0.5 * (1 + math.cos(math.pi * step / config.steps)))


def _learn(
    network: PageNetwork,
    optimiser: torch.optim.Optimizer,
    drawn: tuple[torch.Tensor, torch.Tensor],
    config: PagesConfig,
) -> float:
    """Take a step; return the loss."""
    pages, same = drawn
    wanted, weight = same * (2 * SURE - 1) + (1 - SURE), torch.where(same, 1.0, config.different)
    loss = F.binary_cross_entropy_with_logits(network.train()(pages), wanted, weight)
    optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), config.clip)
    optimiser.step()
    return float(loss.item())


def rates(network: PageNetwork, measured: Sizes, least: float) -> str:
    """Tell the shares of held-out pairs, of one page and of different ones, whose evidence is at *least* so much."""
    network.eval()
    evidence, same = list[float](), list[bool]()
    with torch.inference_mode():
        for members in measured.lists:
            for at in range(0, len(members), 32):
                some = members[at : at + 32]
                evidence += network(torch.from_numpy(np.stack([both for both, _ in some])).float()).tolist()
                same += [each for _, each in some]
    passed, truth = np.array(evidence) >= least, np.array(same, np.bool_)
    shares = (f"{passed[side].mean():.4f}" if side.any() else "-" for side in (truth, ~truth))
    return "confirmed of one page {}, of different ones {}".format(*shares)
