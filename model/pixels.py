"""What a picture is wherever `model` takes one. Needs numpy alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
"""uint8: RGB of shape (H, W, 3), or grey levels of shape (H, W) where that is said."""
