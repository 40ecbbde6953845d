"""
The encoder that serving sees: images in, descriptors out.

Law 2 rests on it: one image's descriptor is the same, bit by bit, in any batch, order, position and thread.
Weights and preprocessing come from one file; which runtime carries them out is chosen when it is loaded.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO, Literal, get_args

import numpy as np
import numpy.typing as npt
from PIL.Image import Image  # noqa: TID251 - an argument's type

from model.decode import decode_image, to_rgb
from model.extras import how_to_install
from model.preprocess import preprocess
from model.runtime import Runtime
from model.spec import SHIPPED_WEIGHTS, EncoderLoadError, EncoderSpec

Device = Literal["auto", "cpu", "cuda"]


class Encoder:
    """Turns images into descriptors; safe to call from any number of threads at once."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @property
    def spec(self) -> EncoderSpec:
        """Dimensions, input size, scale, radius and fingerprint."""
        return self._runtime.spec

    def embed(self, images: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
        """Return the descriptors, float32 (N, D), of *images*, each uint8 RGB (H, W, 3) of any size."""
        return self._runtime.run([preprocess(image, self.spec) for image in images])

    def __call__(self, image: str | os.PathLike[str] | bytes | BinaryIO | Image) -> npt.NDArray[np.float32]:
        """
        Return the descriptor, float32 (D,), of one path, file object, file's bytes or Pillow image.

        Raises:
            DecodeError: it is no readable image.
        """
        pixels = to_rgb(image) if isinstance(image, Image) else decode_image(image, least_px=self.spec.least_px).pixels
        descriptor: npt.NDArray[np.float32] = self.embed([pixels])[0]
        return descriptor


def load_encoder(path: str | os.PathLike[str] | None = None, *, device: Device = "auto") -> Encoder:
    """
    Load the weights file at *path* (by default the shipped one).

    On `auto` it runs on CUDA where a GPU and the train extra are there, else on the CPU.

    Raises:
        EncoderLoadError: the file is missing or unfit, or the device is not to be had; says what to do.
    """
    where = SHIPPED_WEIGHTS if path is None else Path(path)
    runtime = _runtime(device)
    try:
        return Encoder(runtime(where.read_bytes()))
    except OSError as error:
        advice = "install Twinlens again" if path is None else "check the path"
        raise EncoderLoadError(f"cannot read the encoder's file {where}: {error.strerror}; {advice}") from error
    except EncoderLoadError as error:
        raise EncoderLoadError(f"cannot use the encoder's file {where}: {error}") from error


def _runtime(device: Device) -> Callable[[bytes], Runtime]:
    """Choose the runtime of a file; its module, and the heavy library behind it, are imported only when chosen."""
    if device not in get_args(Device):
        raise EncoderLoadError(f"there is no device {device!r}; name one of {', '.join(get_args(Device))}")
    if device == "cuda" or (device == "auto" and _has_cuda()):
        return _on_cuda()
    from model.runtime.onnx import OnnxRuntime  # noqa: PLC0415 - see above

    return OnnxRuntime


def _has_cuda() -> bool:
    """Tell whether CUDA can be used, without importing torch where no NVIDIA driver is."""
    if not Path("/proc/driver/nvidia/version").exists() and os.name != "nt":
        return False
    if not all(importlib.util.find_spec(name) for name in ("torch", "onnx")):
        return False
    import torch  # noqa: PLC0415, TID251 - only where it is worth its start-up time

    return bool(torch.cuda.is_available())


def _on_cuda() -> Callable[[bytes], Runtime]:
    """Return the torch runtime on the GPU."""
    try:
        from model.runtime.torch import TorchRuntime  # noqa: PLC0415 - needs the train extra
    except ImportError as error:
        raise EncoderLoadError(f"CUDA needs torch: {how_to_install('train')} ({error})") from error
    if not _has_cuda():
        raise EncoderLoadError("no CUDA device is to be had; use the device cpu, or auto")
    return partial(TorchRuntime, device="cuda")
