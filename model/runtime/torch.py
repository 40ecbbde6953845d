"""
The network in torch, for CUDA: needs the train extra; reads its weights from the same ONNX file.

Images go through in chunks of one fixed size, the last one filled up, with deterministic kernels and full float32:
so the shape of the arithmetic, and with it a descriptor, does not depend on how many images a caller brings.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch  # noqa: TID251 - one of its doors

from model.graph import read_weights
from model.network import SiameseEncoder, layout_of
from model.spec import EncoderLoadError, EncoderSpec

CHUNK = {"cuda": 32, "cpu": 1}
"""Images a forward pass, by device."""


class TorchRuntime:
    """The network on *device*, `cuda` or `cpu` (which the parity test uses)."""

    def __init__(self, file: bytes, device: str) -> None:
        """Load the weights file's bytes; raises EncoderLoadError."""
        weights, metadata = read_weights(file)
        self.spec = EncoderSpec.from_metadata(metadata)
        self.spec.check_weights(file)
        self._device, self._chunk = torch.device(device), CHUNK[torch.device(device).type]
        self._network = _network(self.spec, weights).to(self._device)
        self._lock = threading.Lock()

    def run(self, images: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
        """Return the descriptors, float32 (N, D), of normalised images, each float32 (3, S, S)."""
        out = np.empty((len(images), self.spec.dim), np.float32)
        for start in range(0, len(images), self._chunk):
            part = images[start : start + self._chunk]
            x_BCHW = np.zeros((self._chunk, *part[0].shape), np.float32)  # noqa: N806 - the suffix is the shape
            x_BCHW[: len(part)] = part
            out[start : start + len(part)] = self._forward(x_BCHW)[: len(part)]
        return out

    def _forward(self, x_BCHW: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:  # noqa: N803
        """Run one full chunk; one thread at a time."""
        exact = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
        with self._lock, torch.inference_mode(), exact:
            descriptors: npt.NDArray[np.float32] = (
                self._network(torch.from_numpy(x_BCHW).to(self._device)).cpu().numpy()
            )
        return descriptors


def _network(spec: EncoderSpec, weights: dict[str, npt.NDArray[np.float32]]) -> SiameseEncoder:
    """Build the network that *spec* names and fill it."""
    state = {name: torch.from_numpy(values) for name, values in weights.items()}
    try:
        network = SiameseEncoder(layout_of(spec.architecture, spec.dim))
        network.load_state_dict(state | {"scale": torch.tensor(spec.scale)})
    except (ValueError, RuntimeError) as error:
        raise EncoderLoadError(f"it does not fit {spec.architecture} ({error}); export it again") from error
    network.eval()
    return network
