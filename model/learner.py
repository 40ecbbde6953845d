"""
The state of a training run: network, optimiser, memory bank, step; one step of it; its checkpoint.

It starts from an encoder's file and keeps that file's layout and normalisation. The linear step is learned on
centred features, as in `tune`, because pooled features are positive and far from zero.
What a run keeps may be the running mean of its weights (Polyak & Juditsky, 1992; here exponential): it is worth many
more steps at a falling rate. A checkpoint is two files, each below 16 MB: `weights.pt` holds what is kept in
float32, as SiameseEncoder names it; `state.pt` holds all that the next step needs, the optimiser's moments and the
bank in bfloat16.
"""

from __future__ import annotations

import math
import pickle
from pathlib import Path
from typing import Any

import torch  # noqa: TID251 - one of its doors
from torch import Tensor, nn  # noqa: TID251 - as above
from torch.nn import functional as F  # noqa: N812, TID251 - torch's own idiom
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn  # noqa: TID251 - as above

from model.batches import Batch
from model.errors import ModelError
from model.loss import Bank, loss
from model.network import SiameseEncoder
from model.recipes import TrainConfig
from model.spec import EncoderSpec

WEIGHTS = "weights.pt"
STATE = "state.pt"

INPUT_SIZE = "input_size"
"""Under it the weights' file holds the pixels of the input's side."""


class CheckpointError(ModelError):
    """There is no checkpoint to go on from, or it is of another run; the message says what to do."""


def checkpoint_in(out: Path) -> Path:
    """Return the file in *out* that a run goes on from; raises CheckpointError where there is none."""
    if not (out / STATE).is_file():
        raise CheckpointError(f"{out / STATE} is not there: name the --out of a run that left off, or begin it anew")
    return out / STATE


class CentredLinear(nn.Linear):  # type: ignore[misc] # torch is optional, so its classes are Any to mypy
    """A linear layer that takes *centre* off its input, (B, F), first."""

    centre: Tensor

    def __init__(self, plain: nn.Linear, features_BF: Tensor) -> None:
        """Compute what *plain* does, but for a factor that gives results of mean length 1 for *features_BF*."""
        super().__init__(plain.in_features, plain.out_features, device=features_BF.device)
        self.register_buffer("centre", features_BF.mean(0))
        length = plain(features_BF).norm(dim=1).mean()
        with torch.no_grad():
            self.weight.copy_(plain.weight / length)
            self.bias.copy_(plain(self.centre) / length)

    def forward(self, x_BF: Tensor) -> Tensor:
        """Return (B, D)."""
        return F.linear(x_BF - self.centre, self.weight, self.bias)

    def plain(self) -> dict[str, Tensor]:
        """Return the weights of the plain layer that computes the same."""
        return {"weight": self.weight.detach(), "bias": (self.bias - self.weight @ self.centre).detach()}


class Learner:
    """A run in memory; everything that a checkpoint must hold is here."""

    def __init__(self, network: SiameseEncoder, spec: EncoderSpec, config: TrainConfig, device: torch.device) -> None:
        self.network = network.to(device, memory_format=torch.channels_last)
        self.config, self.device, self.step = config, device, 0
        self.mean = torch.tensor(spec.mean, device=device)[:, None, None]
        self.std = torch.tensor(spec.std, device=device)[:, None, None]
        self.bank = Bank(config.loss.bank, spec.dim, device)

    def begin(self, sample: Batch) -> None:
        """Centre the linear step on the clean views of *sample*, and make the optimiser."""
        with torch.no_grad():
            features = self.network.pool(self.normal(sample.images[: len(sample.ids)]))
        self.network.whiten = CentredLinear(self.network.whiten, features)
        if self.config.frozen:
            for part in (self.network.stem, *self.network.blocks[: self.config.frozen]):
                part.requires_grad_(requires_grad=False)
        groups = [
            {"params": [weight], "rate": self._rate(name) * float(weight.detach().pow(2).mean().sqrt())}
            for name, weight in self.network.named_parameters()
            if weight.requires_grad
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=0.0, weight_decay=self.config.decay, fused=True)
        faded = get_ema_multi_avg_fn(1 - 1 / self.config.average)
        self.average = AveragedModel(self.network, multi_avg_fn=faded)

    def _rate(self, name: str) -> float:
        """Return the rate of a weight as a share of its size; with batch norm folded in, sizes differ a hundredfold."""
        return self.config.linear_rate if name.startswith("whiten.") else self.config.trunk_rate

    def normal(self, images: Tensor) -> Tensor:
        """Return what the network takes, channels last, for images on 0-255."""
        return ((images - self.mean) / self.std).contiguous(memory_format=torch.channels_last)

    def describe(self, images: Tensor) -> Tensor:
        """Return unit descriptors, float32 (B, D), of images on 0-255, by the weights that are kept."""
        return self._describe(self.average.module, images)

    def _describe(self, network: SiameseEncoder, images: Tensor) -> Tensor:
        """Return what *network* makes of *images*; its trunk runs in bfloat16 on CUDA."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            parts = [network.pool(self.normal(part)) for part in images.split(self.config.at_once)]
        return F.normalize(network.whiten(torch.cat(parts).float()))

    def learn(self, batch: Batch, alike: Tensor) -> float:
        """Take one step and return the loss; *alike* is the mask of all pictures, bool (P, P)."""
        self._set_rates()
        views_BD = self._describe(self.network, batch.images)
        clean_ND, copies_MD = views_BD.split([len(batch.ids), len(batch.owner)])
        rows_KD, ids_K = self.bank.filled()
        ids_B = torch.cat([batch.ids, batch.ids[batch.owner]])
        others = torch.cat([views_BD, rows_KD])
        masks = alike[batch.ids][:, torch.cat([ids_B, ids_K])]
        value = loss(clean_ND, copies_MD, batch.owner, others, masks, batch.drawn, self.config.loss)
        self.optimizer.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip)
        self.optimizer.step()
        self.average.update_parameters(self.network)
        self.bank.push(clean_ND, batch.ids)
        self.step += 1
        return float(value.detach())

    def _set_rates(self) -> None:
        """Set the rates of this step: a rise, a plateau, then half a cosine down to nothing."""
        late = max(0.0, self.step / self.config.steps - self.config.hold) / (1 - self.config.hold)
        share = min(1.0, (self.step + 1) / self.config.warm_up) * (1 + math.cos(math.pi * late)) / 2
        for group in self.optimizer.param_groups:
            group["lr"] = share * group["rate"]

    def weights(self) -> dict[str, Tensor]:
        """Return the weights that are kept, float32 on the CPU, under SiameseEncoder's names, and the `input_size`."""
        kept = self.average.module
        state = kept.state_dict() | {f"whiten.{name}": values for name, values in kept.whiten.plain().items()}
        plain = {name: values.float().cpu().contiguous() for name, values in state.items() if name != "whiten.centre"}
        return plain | {INPUT_SIZE: torch.tensor(self.config.input_size)}

    def save(self, out: Path) -> None:
        """Write the checkpoint; a kill while writing leaves the one before."""
        rows, ids = self.bank.filled()
        state = {
            "step": self.step,
            "network": {name: values.cpu() for name, values in self.network.state_dict().items()},
            "average": {name: values.cpu() for name, values in self.average.state_dict().items()},
            "optimizer": _half(self.optimizer.state_dict()),
            "bank": rows.bfloat16().cpu(),
            "ids": ids.cpu(),
        }
        for name, content in ((STATE, state), (WEIGHTS, self.weights())):
            torch.save(content, out / f"{name}.part")
        for name in (STATE, WEIGHTS):
            (out / f"{name}.part").replace(out / name)

    def resume(self, out: Path) -> None:
        """Go on from the checkpoint in *out*, or raise CheckpointError; `begin` comes first."""
        path = checkpoint_in(out)
        try:
            self._take(torch.load(path, map_location=self.device, weights_only=True))
        except (EOFError, LookupError, pickle.UnpicklingError, RuntimeError, TypeError, ValueError) as error:
            told = next(iter(str(error).splitlines()), type(error).__name__)
            advice = "go on with the recipe and the start of that run, or begin it anew"
            raise CheckpointError(f"{path} is no checkpoint of this run ({told}); {advice}") from error

    def _take(self, state: Any) -> None:  # noqa: ANN401 - a file's content
        """Go on from what `save` wrote."""
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.bank.push(state["bank"].float(), state["ids"])
        self.step = state["step"]


def _half(content: Any) -> Any:  # noqa: ANN401 - an optimiser's state is a tree of anything
    """Return *content* with its float tensors as bfloat16 on the CPU."""
    if isinstance(content, dict):
        return {key: _half(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_half(value) for value in content]
    if isinstance(content, Tensor):
        return content.bfloat16().cpu() if content.dim() > 0 else content.cpu()
    return content
