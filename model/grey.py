"""Pictures of the second look, and how they are resized and blurred."""

from __future__ import annotations

from typing import TypeVar

import cv2  # noqa: TID251 - one of OpenCV's doors
import numpy as np
import numpy.typing as npt

from model.pixels import Pixels as Pixels  # noqa: PLC0414 - scripts take it from here

Grey = npt.NDArray[np.float32]
"""Grey levels, or what is made of them, float32 (H, W)."""

Image = TypeVar("Image", Pixels, Grey)


def resized(image: Image, width: int, height: int) -> Image:
    """Return *image* with each side averaged down, or drawn out linearly, to the new length."""
    wide, high = max(width, image.shape[1]), max(height, image.shape[0])
    if (high, wide) != image.shape[:2]:
        image = cv2.resize(image, (wide, high), interpolation=cv2.INTER_LINEAR)
    if (high, wide) == (height, width):
        return image
    smaller: Image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return smaller


def halved(image: Pixels, size: tuple[int, int], times: int) -> Pixels:
    """
    Return *image*, (H, W) or (H, W, 3), with each side halved while it is *times* that of *size*, width and height.

    It is the one reduction that costs nothing. An odd row or column at the end is left out.
    """
    while True:
        sides = image.shape[1::-1]
        across, down = (2 if side >= times * least else 1 for side, least in zip(sides, size, strict=True))
        if across == down == 1:
            return image
        width, height = sides[0] // across, sides[1] // down
        even = image[: height * down, : width * across]
        image = cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA)


def blurred(image: Grey, sigma: float) -> Grey:
    """Return *image* after a Gaussian blur of *sigma* pixels."""
    soft: Grey = cv2.GaussianBlur(image, (0, 0), sigma)
    return soft


def detail_of(grey: Grey, fine: float, light: float) -> Grey:
    """Return *grey* blurred by *fine* pixels, less what a further blur of *light* pixels leaves of it."""
    softened = blurred(grey, fine)
    return softened - blurred(softened, light)
