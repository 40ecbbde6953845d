"""Pictures of the second look, and how they are resized and blurred."""

from __future__ import annotations

from typing import TypeVar

import cv2  # noqa: TID251 - one of OpenCV's doors
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Grey = npt.NDArray[np.float32]
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


def blurred(image: Grey, sigma: float) -> Grey:
    """Return *image* after a Gaussian blur of *sigma* pixels."""
    soft: Grey = cv2.GaussianBlur(image, (0, 0), sigma)
    return soft


def detail_of(grey: Grey, fine: float, light: float) -> Grey:
    """Return *grey* blurred by *fine* pixels, less what a further blur of *light* pixels leaves of it."""
    softened = blurred(grey, fine)
    return softened - blurred(softened, light)
