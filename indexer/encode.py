"""The only importer of `model`: loads the encoder and turns its errors into ours."""

from __future__ import annotations

from os import PathLike
from typing import Literal

from indexer.errors import EncoderError
from model import Encoder, EncoderLoadError, EncoderSpec, load_encoder

__all__ = ["Device", "Encoder", "EncoderSpec", "load"]

Device = Literal["auto", "cpu", "cuda"]


def load(weights: str | PathLike[str] | None = None, device: Device = "auto") -> Encoder:
    """
    Return the shipped encoder, or the one in the file *weights*.

    Raises:
        EncoderError: the file is missing, damaged, or not an encoder of ours.

    """
    try:
        return load_encoder(weights, device=device)
    except EncoderLoadError as error:
        raise EncoderError(str(error)) from error
