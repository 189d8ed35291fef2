"""Checkpoints: a killed training that is started again ends as if it had never been killed."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from misalign.errors import invalid
from misalign.paths import replacing


@dataclass
class Checkpoint:
    """Everything that a resumed company of runs must find as it was.

    Parameters
    ----------
    runs, recipe : str
        Which runs, and how they are trained: a file of others is refused.
    encoders : ModuleDict
        Stacked encoders.
    optimizers : list of Optimizer
        With their momenta.
    generators : sequence of Generator
        Source of every run's batches.
    losses : Tensor
        Shape (steps, runs).
    """

    runs: str
    recipe: str
    encoders: nn.ModuleDict
    optimizers: list[torch.optim.Optimizer]
    generators: Sequence[torch.Generator]
    losses: Tensor

    def save(self, path: Path, step: int) -> None:
        """Write a file of what has been done in so many steps, whole or not at all."""
        content = {
            "run": self.runs,
            "recipe": self.recipe,
            "step": step,
            "encoders": self._weights(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "generators": [generator.get_state() for generator in self.generators],
            "losses": self.losses,
        }
        with replacing(path) as partial:
            torch.save(content, partial)

    def load(self, path: Path, device: torch.device | str) -> int:
        """Take up a file's state in place and return its step.

        Raises
        ------
        ValueError
            In one line, if the file is damaged, or of other runs, networks or another recipe.
        """
        expected = f"one of run {self.runs} in {path}"
        try:
            content = torch.load(path, map_location=device, weights_only=True)
        except (OSError, RuntimeError, EOFError, KeyError, pickle.UnpicklingError) as error:
            # torch explains itself in many lines; one is enough to know the file is of no use
            reason = str(error).partition("\n")[0] or "an empty file"
            raise ValueError(f"checkpoint: expected {expected}, got {reason}") from None
        found = content.get("run") if isinstance(content, dict) else None
        if found != self.runs:
            raise invalid("checkpoint", expected, f"run {found}")
        same = content["recipe"] == self.recipe
        if not same:
            raise invalid("checkpoint", f"{self.recipe} in {path}", content["recipe"])
        ours = {name: tuple(value.shape) for name, value in self._weights().items()}
        theirs = {name: tuple(value.shape) for name, value in content["encoders"].items()}
        if ours != theirs:
            raise invalid("checkpoint", f"networks {ours} in {path}", theirs)
        self.encoders.load_state_dict(content["encoders"])
        for optimizer, state in zip(self.optimizers, content["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        for generator, state in zip(self.generators, content["generators"], strict=True):
            generator.set_state(state.cpu())
        self.losses.copy_(content["losses"])
        return content["step"]

    def _weights(self) -> dict[str, Tensor]:
        return self.encoders.state_dict()
