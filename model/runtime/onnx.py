"""
The network on the CPU: the only importer of ONNX Runtime.

Each image is a run of its own on one thread. So its descriptor cannot depend on its neighbours in a batch,
and the caller's threads give the parallelism: ONNX Runtime lets them run one session at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import onnxruntime as ort  # noqa: TID251 - this is its door

from model.preprocess import Square
from model.spec import TAKES_NO_PIXELS, EncoderLoadError, EncoderSpec

ERRORS_ONLY = 3
"""ONNX Runtime's log level."""


class OnnxRuntime:
    """A session on one thread a run."""

    def __init__(self, file: bytes) -> None:
        """Load the weights file's bytes; raises EncoderLoadError."""
        self._session = open_session(file)
        if self._session.get_inputs()[0].type != "tensor(uint8)":
            raise EncoderLoadError(TAKES_NO_PIXELS)
        self.spec = EncoderSpec.from_metadata(self._session.get_modelmeta().custom_metadata_map)
        self.spec.check_weights(file)

    def run(self, images: Sequence[Square]) -> npt.NDArray[np.float32]:
        """Return the descriptors, float32 (N, D), of images as `preprocess` leaves them."""
        out = np.empty((len(images), self.spec.dim), np.float32)
        for row, image in zip(out, images, strict=True):
            row[:] = run_one(self._session, image)
        return out


def open_session(file: bytes, threads: int = 1) -> ort.InferenceSession:
    """Open a session that adds no threads of its own, or runs each image or batch on *threads*."""
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = ERRORS_ONLY
    try:
        return ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors share no base class
        raise EncoderLoadError(f"ONNX Runtime cannot read it ({error}); fetch it again") from error


def run_one(session: ort.InferenceSession, image: Square) -> npt.NDArray[np.float32]:
    """Return what *session* makes of one image, uint8 (S, S, 3): a vector."""
    vector: npt.NDArray[np.float32] = session.run(None, {session.get_inputs()[0].name: image[None]})[0][0]
    return vector
