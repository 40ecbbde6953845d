"""
The copy edits of `augment` as operations on whole batches, so that a GPU makes thousands of copies a second.

A batch is float32 (B, 3, H, W) on the scale 0-255, on any device; B squashed squares of one size. Strengths are a
tensor (B, 1, 1, 1), as in `augment`: 1 draws from the whole range in the docstring there, 0 changes nothing.
All randomness comes from the generator, which must live on the batch's device.

Some edits are likenesses only. Hue is turned in YIQ, not HSV; grey takes a random share of the colour; a batch is
scaled down to one size, and up again; captions are strokes and no words, logos boxes and no discs; bars, turns and
blur are those of the square, and what a turn leaves bare gets any colour; JPEG is a variant made beforehand (see
batches). Enlarging, WebP, aspect, wider crops and screenshots have no edit here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch  # noqa: TID251 - one of its doors
from torch import Generator, Tensor  # noqa: TID251 - as above
from torch.nn import functional as F  # noqa: N812, TID251 - torch's own idiom

from model.preprocess import softening

BatchEdit = Callable[[Tensor, Generator, Tensor], Tensor]
"""An edit: images (B, 3, H, W), randomness, strengths (B, 1, 1, 1)."""

TO_YIQ = ((0.299, 0.587, 0.114), (0.596, -0.274, -0.322), (0.211, -0.523, 0.312))
HUE_TURN = math.radians(18)
LARGEST_SIGMA = 30.0
LARGEST_SHARE = 0.06


def _draw(x_BCHW: Tensor, rng: Generator, low: float, high: float, channels: int = 1) -> Tensor:
    """Draw evenly from *low* to *high* for each image, (B, channels, 1, 1)."""
    return torch.rand(len(x_BCHW), channels, 1, 1, generator=rng, device=x_BCHW.device) * (high - low) + low


def _grey_of(x_BCHW: Tensor) -> Tensor:
    """Return the luma, (B, 1, H, W)."""
    weights = torch.tensor(TO_YIQ[0], device=x_BCHW.device)
    return torch.einsum("bchw,c->bhw", x_BCHW, weights)[:, None]


def brightness(x_BCHW: Tensor, rng: Generator, strength: Tensor) -> Tensor:
    """Multiply all values."""
    return x_BCHW * (1 + 0.5 * strength) ** _draw(x_BCHW, rng, -1, 1)


def contrast(x_BCHW: Tensor, rng: Generator, strength: Tensor) -> Tensor:
    """Stretch values about each image's mean."""
    mean = x_BCHW.mean((1, 2, 3), keepdim=True)
    return (x_BCHW - mean) * (1 + 0.5 * strength) ** _draw(x_BCHW, rng, -1, 1) + mean


def gamma(x_BCHW: Tensor, rng: Generator, strength: Tensor) -> Tensor:
    """Raise values (on 0-1) to a power."""
    return 255 * (x_BCHW / 255) ** (1 + 0.6 * strength) ** _draw(x_BCHW, rng, -1, 1)


def saturation(x_BCHW: Tensor, rng: Generator, strength: Tensor) -> Tensor:
    """Scale the distance from grey."""
    return torch.lerp(_grey_of(x_BCHW), x_BCHW, 1 + 0.7 * strength * _draw(x_BCHW, rng, -1, 1))


def hue(x_BCHW: Tensor, rng: Generator, strength: Tensor) -> Tensor:
    """Turn the hue, in YIQ."""
    turn = (HUE_TURN * strength * _draw(x_BCHW, rng, -1, 1)).flatten()
    to_yiq = torch.tensor(TO_YIQ, device=x_BCHW.device)
    spin = torch.eye(3, device=x_BCHW.device).repeat(len(x_BCHW), 1, 1)
    spin[:, 1, 1], spin[:, 1, 2], spin[:, 2, 1], spin[:, 2, 2] = turn.cos(), -turn.sin(), turn.sin(), turn.cos()
    return torch.einsum("bij,bjhw->bihw", torch.linalg.inv(to_yiq) @ spin @ to_yiq, x_BCHW)


def white_balance(x_BCHW: Tensor, rng: Generator, strength: Tensor) -> Tensor:
    """Multiply each channel by a factor of its own."""
    return x_BCHW * (1 + 0.25 * strength) ** _draw(x_BCHW, rng, -1, 1, channels=3)


def light_gradient(x_BCHW: Tensor, rng: Generator, strength: Tensor) -> Tensor:
    """Multiply by a slope across the image at any angle."""
    angle, slope = _draw(x_BCHW, rng, 0, 2 * math.pi), 0.4 * strength * _draw(x_BCHW, rng, 0, 1)
    y = torch.linspace(-1, 1, x_BCHW.shape[2], device=x_BCHW.device)[:, None]
    x = torch.linspace(-1, 1, x_BCHW.shape[3], device=x_BCHW.device)
    return x_BCHW * (1 + slope * (x * angle.cos() + y * angle.sin()) / (angle.cos().abs() + angle.sin().abs()))


def grey(x_BCHW: Tensor, rng: Generator, strength: Tensor) -> Tensor:
    """Take the colour away, wholly or in part: by a share of 0 to 1."""
    return torch.lerp(x_BCHW, _grey_of(x_BCHW), strength * _draw(x_BCHW, rng, 0, 1) ** 0.5)


def zoom_crop(x_BCHW: Tensor, rng: Generator, strength: Tensor) -> Tensor:
    """Enlarge by 100-150 % and keep a window of the first size at a random place."""
    count, _, height, width = x_BCHW.shape
    share = 1 / (1 + 0.5 * strength * _draw(x_BCHW, rng, 0, 1))
    centre = (1 - share) * _draw(x_BCHW, rng, -1, 1, channels=2)
    window = torch.zeros(count, 2, 3, device=x_BCHW.device)
    window[:, 0, 0], window[:, 1, 1], window[:, :, 2] = share.flatten(), share.flatten(), centre.flatten(1)
    places = F.affine_grid(window, [count, 3, height, width], align_corners=False)
    return F.grid_sample(x_BCHW, places, mode="bicubic", padding_mode="border", align_corners=False)


def salt_and_pepper(x_BCHW: Tensor, rng: Generator, strength: Tensor) -> Tensor:
    """Turn 0-6 % of the pixels black or white."""
    count, _, height, width = x_BCHW.shape
    dice = torch.rand(count, 1, height, width, generator=rng, device=x_BCHW.device)
    share = LARGEST_SHARE * strength * _draw(x_BCHW, rng, 0, 1)
    return torch.where(dice < share, 255 * (dice < share / 2).to(x_BCHW.dtype), x_BCHW)


def gaussian_noise(x_BCHW: Tensor, rng: Generator, strength: Tensor) -> Tensor:
    """Add normal noise of sigma 0-30."""
    sigma = LARGEST_SIGMA * strength * _draw(x_BCHW, rng, 0, 1)
    return x_BCHW + sigma * torch.randn(x_BCHW.shape, generator=rng, device=x_BCHW.device)


def rescale(x_BCHW: Tensor, rng: Generator, strength: Tensor) -> Tensor:
    """Scale down to 50-100 % and up again; one size for the batch."""
    share = 1 - 0.5 * float(strength.max()) * float(torch.rand((), generator=rng, device=x_BCHW.device))
    small = F.interpolate(x_BCHW, scale_factor=share, mode="bilinear", antialias=True)
    return F.interpolate(small, x_BCHW.shape[2:], mode="bilinear")


def _softened(x_BCHW: Tensor, sigma_B: Tensor, half: int = 6) -> Tensor:
    """Blur each image by a Gaussian of its own sigma, in pixels."""
    offsets = torch.arange(-half, half + 1, device=x_BCHW.device)
    weights = torch.exp(-((offsets / sigma_B[:, None].clamp(min=0.1)) ** 2) / 2)
    kernel = (weights / weights.sum(1, keepdim=True)).repeat_interleave(3, 0)[:, None, None]
    rows = F.pad(x_BCHW, (half, half, half, half), mode="replicate").flatten(0, 1)[None]
    soft = F.conv2d(F.conv2d(rows, kernel, groups=len(kernel)), kernel.transpose(2, 3), groups=len(kernel))
    return soft.view(x_BCHW.shape)


def blur(x_BCHW: Tensor, rng: Generator, strength: Tensor) -> Tensor:
    """Blur by a Gaussian of sigma 0-1 % of the side."""
    return _softened(x_BCHW, (0.01 * x_BCHW.shape[2] * strength * _draw(x_BCHW, rng, 0, 1)).flatten())


def sharpen(x_BCHW: Tensor, rng: Generator, strength: Tensor) -> Tensor:
    """Add 0-200 % of the difference to a blurred image."""
    soft = _softened(x_BCHW, torch.full((len(x_BCHW),), 2.0, device=x_BCHW.device))
    return x_BCHW + 2 * strength * _draw(x_BCHW, rng, 0, 1) * (x_BCHW - soft)


def _shades(x_BCHW: Tensor, rng: Generator) -> Tensor:
    """Draw black, white or any colour for each image, (B, 3, 1, 1)."""
    one = 255 * (_draw(x_BCHW, rng, 0, 1) < 0.5).to(x_BCHW.dtype)
    return torch.where(_draw(x_BCHW, rng, 0, 1) < 2 / 3, one, _draw(x_BCHW, rng, 0, 255, channels=3))


def _placed(x_BCHW: Tensor, window_B23: Tensor, rng: Generator) -> Tensor:
    """Sample images through affine windows; what lies outside gets one shade."""
    places = F.affine_grid(window_B23, list(x_BCHW.shape), align_corners=False)
    inside = (places.abs() <= 1).all(3)[:, None]
    seen = F.grid_sample(x_BCHW, places, mode="bilinear", padding_mode="border", align_corners=False)
    return torch.where(inside, seen, _shades(x_BCHW, rng))


def border(x_BCHW: Tensor, rng: Generator, strength: Tensor) -> Tensor:
    """Add plain bars of 0-10 % of the sides (seen in the square): left and right, above and below, or all round."""
    bars = 1 + 0.2 * strength * _draw(x_BCHW, rng, 0, 1, channels=2)
    kept = torch.tensor(((1, 0), (0, 1), (1, 1)), device=x_BCHW.device)
    sides = kept[torch.randint(3, (len(x_BCHW),), generator=rng, device=x_BCHW.device)]
    window = torch.zeros(len(x_BCHW), 2, 3, device=x_BCHW.device)
    window[:, 0, 0], window[:, 1, 1] = (1 + (bars.flatten(1) - 1) * sides).unbind(1)
    return _placed(x_BCHW, window, rng)


def rotate(x_BCHW: Tensor, rng: Generator, strength: Tensor) -> Tensor:
    """Turn by -5 to 5 degrees; the corners get one shade."""
    angle = (math.radians(5) * strength * _draw(x_BCHW, rng, -1, 1)).flatten()
    window = torch.zeros(len(x_BCHW), 2, 3, device=x_BCHW.device)
    window[:, 0, 0] = window[:, 1, 1] = angle.cos()
    window[:, 0, 1], window[:, 1, 0] = -angle.sin(), angle.sin()
    return _placed(x_BCHW, window, rng)


def _box(x_BCHW: Tensor, rng: Generator, height: Tensor, width: Tensor) -> Tensor:
    """Draw a place for a box of *height* x *width* (shares of the side, (B, 1, 1, 1)); bool (B, 1, H, W)."""
    top, left = (_draw(x_BCHW, rng, 0, 1) * (1 - side) for side in (height, width))
    y = torch.linspace(0, 1, x_BCHW.shape[2], device=x_BCHW.device)[:, None]
    x = torch.linspace(0, 1, x_BCHW.shape[3], device=x_BCHW.device)
    return (y >= top) & (y <= top + height) & (x >= left) & (x <= left + width)


def caption(x_BCHW: Tensor, rng: Generator, strength: Tensor) -> Tensor:
    """Lay a line of letter-like strokes, up to 12 % of the height; every other one on a bar of its own colour."""
    height = 0.12 * strength * _draw(x_BCHW, rng, 0.3, 1)
    line = _box(x_BCHW, rng, height, _draw(x_BCHW, rng, 0.3, 1))
    cell = max(1, x_BCHW.shape[3] // 52)
    cells = (len(x_BCHW), 1, x_BCHW.shape[2] // cell + 1, x_BCHW.shape[3] // cell + 1)
    dice = torch.rand(cells, generator=rng, device=x_BCHW.device)
    strokes = F.interpolate(dice, scale_factor=cell)[:, :, : x_BCHW.shape[2], : x_BCHW.shape[3]] < 0.45
    ink = 255 * (_draw(x_BCHW, rng, 0, 1) < 0.5).to(x_BCHW.dtype)
    barred = torch.where(line & (_draw(x_BCHW, rng, 0, 1) < 0.5), 255 - ink, x_BCHW)
    return torch.where(line & strokes, ink, barred)


def overlay(x_BCHW: Tensor, rng: Generator, strength: Tensor) -> Tensor:
    """Lay a box, up to 25 % of the side and 50-100 % opaque, with a smaller one in it, on any place."""
    side = 0.25 * strength * _draw(x_BCHW, rng, 0.3, 1)
    opaque = _draw(x_BCHW, rng, 0.5, 1)
    for share in (1.0, 0.5):
        logo = _box(x_BCHW, rng, side * share, side * share)
        x_BCHW = torch.where(logo, torch.lerp(x_BCHW, _shades(x_BCHW, rng), opaque), x_BCHW)
    return x_BCHW


RELIGHTINGS: tuple[BatchEdit, ...] = (brightness, contrast, gamma, saturation, hue, white_balance, light_gradient)


WILD: tuple[BatchEdit, ...] = (rescale, blur, sharpen, border, rotate, caption, overlay)


@dataclass(frozen=True, slots=True)
class EditMix:
    """
    Which share of the copies gets which edits; the shares add up to 1 or less, the rest is only re-saved.

    Attributes:
        colour: two or three relightings.
        zoom: zoom and crop.
        noise: salt and pepper or Gaussian.
        combined: all three.
        grey: colour taken away.
        wild: one of the edits in WILD; every other one is relit first.
        jpeg: of all copies, those that start from the re-saved variant.
    """

    colour: float = 0.10
    zoom: float = 0.25
    noise: float = 0.10
    combined: float = 0.32
    grey: float = 0.05
    wild: float = 0.18
    jpeg: float = 0.15


def _apply(x_BCHW: Tensor, rows: Tensor, edit: BatchEdit, rng: Generator, strength: Tensor) -> Tensor:
    """Return the batch with those images edited whose bit in *rows*, (B,), is set; values stay on 0-255."""
    chosen = rows.nonzero().flatten()
    if len(chosen) == 0:
        return x_BCHW
    edited = edit(x_BCHW[chosen], rng, strength[chosen]).clamp(0, 255)
    return x_BCHW.index_copy(0, chosen, edited)


def relight(x_BCHW: Tensor, rows: Tensor, rng: Generator, strength: Tensor) -> Tensor:
    """Apply two or three of the relightings to the images in *rows*; their order is one for the batch."""
    dice = torch.rand(len(x_BCHW), len(RELIGHTINGS), generator=rng, device=x_BCHW.device)
    drawn = dice.argsort(1).argsort(1) < torch.randint(2, 4, (len(x_BCHW), 1), generator=rng, device=x_BCHW.device)
    for index in torch.randperm(len(RELIGHTINGS), generator=rng, device=x_BCHW.device).tolist():
        x_BCHW = _apply(x_BCHW, rows & drawn[:, index], RELIGHTINGS[index], rng, strength)
    return x_BCHW


def copies(x_BCHW: Tensor, rng: Generator, strength: float, mix: EditMix) -> Tensor:
    """Return an edited copy of each image: a kind drawn from *mix*, at *strength*."""
    full = torch.full((len(x_BCHW), 1, 1, 1), strength, device=x_BCHW.device)
    shares = (mix.colour, mix.zoom, mix.noise, mix.combined, mix.grey, mix.wild)
    colour_, zoom, noise, combined, grey_, wild_ = _kinds(len(x_BCHW), shares, rng)
    both = torch.rand(len(x_BCHW), generator=rng, device=x_BCHW.device) < 0.5
    x_BCHW = relight(x_BCHW, colour_ | combined | (wild_ & both), rng, full)
    x_BCHW = _apply(x_BCHW, grey_, grey, rng, full)
    which = torch.randint(len(WILD), (len(x_BCHW),), generator=rng, device=x_BCHW.device)
    for index, edit in enumerate(WILD):
        x_BCHW = _apply(x_BCHW, wild_ & (which == index), edit, rng, full)
    x_BCHW = _apply(x_BCHW, zoom | combined, zoom_crop, rng, full)
    salted = torch.rand(len(x_BCHW), generator=rng, device=x_BCHW.device) < 0.5
    x_BCHW = _apply(x_BCHW, (noise | combined) & salted, salt_and_pepper, rng, full)
    return _apply(x_BCHW, (noise | combined) & ~salted, gaussian_noise, rng, full)


def _kinds(count: int, shares: Sequence[float], rng: Generator) -> Tensor:
    """Draw one kind for each of *count* images by *shares*; bool (kinds, count)."""
    ends = torch.tensor(shares, device=rng.device).cumsum(0)
    kind = torch.bucketize(torch.rand(count, generator=rng, device=rng.device), ends)
    return kind == torch.arange(len(shares), device=rng.device)[:, None]


def reduce(x_BCHW: Tensor, size: int) -> Tensor:
    """Return the batch, of squares, at the network's input size, (B, 3, size, size), as SMOOTH does."""
    whole = x_BCHW.shape[-1]
    while x_BCHW.shape[-1] >= 2 * size:
        x_BCHW = F.avg_pool2d(x_BCHW, 2).add(0.5).floor()
    side = x_BCHW.shape[-1]
    for axis in (-1, -2):
        x_BCHW = _mixed(x_BCHW, axis, softening(side / size, side / whole))
    return F.interpolate(x_BCHW.round(), (size, size), mode="bilinear").round().clamp(0, 255)


def _mixed(x_BCHW: Tensor, axis: int, weights: npt.NDArray[np.float32]) -> Tensor:
    """Return the batch with its rows or columns mixed with their neighbours by *weights*, (3,), even ones."""
    beside, own, _ = weights.tolist()
    if beside == 0:
        return x_BCHW
    side = x_BCHW.shape[axis]
    places = torch.arange(-1, side + 1, device=x_BCHW.device).clamp(0, side - 1)
    wide = x_BCHW.index_select(axis, places)
    before, middle, after = (wide.narrow(axis, start, side) for start in range(3))
    return own * middle + beside * (before + after)
