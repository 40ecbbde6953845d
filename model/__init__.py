"""
The encoder: images to descriptors, whose Euclidean distance is the only similarity.

All that serving may see is named here, and loaded when first used: importing `model` costs nothing.

    >>> from model import load_encoder
    >>> encoder = load_encoder()
    >>> bool(np.linalg.norm(encoder("a.jpg") - encoder("b.jpg")) < encoder.spec.radius)

Left to itself, ONNX Runtime notes in the user's home how it is used, and sends that to its maker. It is told not to,
before anything here can load it; who wants that sets ORT_DISABLE_TELEMETRY=0.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model.encoder import Encoder as Encoder
    from model.encoder import load_encoder as load_encoder
    from model.spec import EncoderLoadError as EncoderLoadError
    from model.spec import EncoderSpec as EncoderSpec

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_HOMES = {
    "Encoder": "model.encoder",
    "EncoderLoadError": "model.spec",
    "EncoderSpec": "model.spec",
    "load_encoder": "model.encoder",
}

__all__ = ["Encoder", "EncoderLoadError", "EncoderSpec", "load_encoder"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - as the language has it
    """Import a public name when it is first asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
