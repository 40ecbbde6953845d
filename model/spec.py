"""
What decides a descriptor, in one value that travels inside the weights file.

The file is an ONNX model whose metadata hold the spec; so serving cannot drift from training.
The metadata lie at the file's end, and the bytes before them are hashed: a damaged file is noticed.
Everything in `model` may import this; beyond the standard library it needs `errors` alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from math import ceil
from pathlib import Path

from model.errors import ModelError

SHIPPED_WEIGHTS = Path(__file__).with_name("weights") / "encoder.onnx"
"""The file that `load_encoder` takes when none is named."""

FLOAT32_WEIGHTS = SHIPPED_WEIGHTS.with_name("float32.onnx")
"""The encoder that the shipped one is the int8 copy of: training begins from it."""

DEFAULT_RADIUS = 0.01
"""Euclidean; the distance below which the shipped encoder calls two images copies."""

METADATA_KEY = "twinlens.spec"
"""The metadata entry that holds the spec as JSON."""

TAKES_NO_PIXELS = (
    "its network takes no 8-bit pixels, an earlier version wrote it; export it again,"
    " and encode its collections anew with twinlens migrate --re-encode"
)
"""What is wrong with a file whose graph begins with normalised numbers."""

_DECIDES_NOTHING = frozenset({"name", "radius", "inner_radius"})
"""Fields that change no descriptor."""


class EncoderLoadError(ModelError):
    """The encoder's file cannot be used; the message says what to do."""


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """
    An encoder, named by all that decides its descriptors.

    Attributes:
        name: what people call it; decides nothing.
        architecture: the network's kind and layout.
        dim: D, the length of a descriptor.
        input_size: pixels of each side of the square that the network sees.
        interpolation: name of the filter that makes this square, see preprocess.
        mean: per channel, what the network subtracts from values on the scale 0-255.
        std: per channel, by what it divides what is left.
        scale: s, the Euclidean length of every descriptor.
        radius: Euclidean; the operating point that s is calibrated for; decides nothing about descriptors.
        weights_bytes: length of the part of the file that holds graph and weights.
        weights_sha256: of that part, 64 hexadecimal digits.
        inner_radius: Euclidean; within it two images are copies without a second look; decides nothing about
            descriptors.
        headroom: a JPEG is decoded at a half, a quarter or an eighth of its size as long as both sides stay at least
            so many times *input_size*.
    """

    name: str
    architecture: str
    dim: int
    input_size: int
    interpolation: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    scale: float
    radius: float
    weights_bytes: int
    weights_sha256: str
    inner_radius: float
    headroom: float

    @property
    def fingerprint(self) -> str:
        """A short stable text: two encoders that share it give the same descriptors."""
        decides = {key: value for key, value in asdict(self).items() if key not in _DECIDES_NOTHING}
        digest = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
        return f"{self.architecture}-{self.input_size}px-{self.dim}d-{digest[:16]}"

    @property
    def least_px(self) -> int:
        """Pixels that both sides of a picture decoded at a reduced scale must keep."""
        return ceil(self.headroom * self.input_size)

    def to_metadata(self) -> dict[str, str]:
        """Return the entries to write into the file."""
        return {METADATA_KEY: json.dumps(asdict(self) | {"fingerprint": self.fingerprint}, sort_keys=True)}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> EncoderSpec:
        """
        Read the spec back.

        Raises:
            EncoderLoadError: it is missing, or not what `to_metadata` wrote.
        """
        if METADATA_KEY not in metadata:
            raise EncoderLoadError("it holds no Twinlens spec; use a file that `python -m model export` wrote")
        try:
            values = json.loads(metadata[METADATA_KEY])
            written = values.pop("fingerprint")
            spec = cls(**values | {"mean": tuple(values["mean"]), "std": tuple(values["std"])})
            read = spec.fingerprint
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            expected = ", ".join(field.name for field in fields(cls))
            raise EncoderLoadError(f"its spec is not readable ({error}); expected: {expected}") from error
        if read != written:
            raise EncoderLoadError("its spec was changed after it was written; export it again")
        return spec

    def check_weights(self, file: bytes) -> None:
        """
        Compare the weights in *file*, the whole file's bytes, with the hash.

        Raises:
            EncoderLoadError: they differ.
        """
        digest = hashlib.sha256(memoryview(file)[: self.weights_bytes]).hexdigest()
        if digest != self.weights_sha256:
            raise EncoderLoadError("its weights do not match their hash, the file is damaged; fetch it again")
