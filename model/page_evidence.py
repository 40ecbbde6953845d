"""
The evidence that two pages laid upon each other are the same, or are not.

What noise, blur and a hair's breadth of misplacement make of a copy's small figures hardly differs from other figures.
What they look like is learned: a network of 42,000 weights (see page_network) sees both pages at once. Where it is
sure, it overrules the rules of `pages`. Used by the second look only.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import cv2  # noqa: TID251 - one of OpenCV's doors
import numpy as np

from model.errors import ModelError
from model.grey import Grey, blurred, resized

if TYPE_CHECKING:
    from onnxruntime import InferenceSession  # noqa: TID251 - a type

WEIGHTS = Path(__file__).parent / "weights" / "pages.onnx"
"""The network that is shipped."""

WEIGHTS_SHA256 = "25b247d0052b4f41e7d186051b7361841a4543e29dc00a774467fc32e9ef2518"
"""Of the shipped file: METHOD names how pictures are compared, and this file is a part of that."""

LIGHT = 6.0
"""Blur in pixels that leaves nothing but the light."""

FAINTEST = 3.0
"""Grey levels of detail that a page is taken to have at least: less may be noise."""

STEP = 16
"""Both sides are multiples of so many pixels, that the network halves in step."""

LEAST = 32
"""Pixels of a side, at least."""


class PagesError(ModelError):
    """The network that compares pages is missing or another one; the message says what to do."""


def evidence(window: Grey, placed: Grey) -> float:
    """
    Return the logarithm of the odds that two pages laid upon each other, both (H, W), levels, are the same.

    Raises:
        PagesError: the network's file is not the shipped one.

    """
    session = _session()
    odds = session.run(None, {session.get_inputs()[0].name: planes(window, placed)[None]})[0]
    return float(odds[0])


def planes(window: Grey, placed: Grey) -> Grey:
    """Return what the network takes of two pages, both (H, W): the detail of each, of one strength, (2, H, W)."""
    height, width = (max(LEAST, round(side / STEP) * STEP) for side in window.shape)
    return np.stack([_detail(resized(page, width, height)) for page in (window, placed)])


def _detail(page: Grey) -> Grey:
    detail = page - blurred(page, LIGHT)
    strength = max(float(cv2.meanStdDev(detail)[1][0, 0]), FAINTEST)
    even: Grey = detail * np.float32(1 / strength)
    return even


@cache
def _session() -> InferenceSession:
    """Open the network; once, since every thread can run it."""
    from model.runtime.onnx import open_session  # noqa: PLC0415 - most runs compare no pages

    try:
        file = WEIGHTS.read_bytes()
    except OSError as error:
        raise PagesError(f"cannot read {WEIGHTS}: {error.strerror}; install Twinlens again") from error
    if hashlib.sha256(file).hexdigest() != WEIGHTS_SHA256:
        raise PagesError(f"{WEIGHTS} is not the network that this version compares pages with; install Twinlens again")
    return open_session(file)
