"""One training loop for every experiment."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from misalign.errors import expect, expect_whole
from misalign.objectives import mmcl, nt_xent, sym_align_max_ent
from misalign.optim import Muon
from misalign.paths import replacing
from misalign.worlds import Batch, World

OBJECTIVES = ("sym_align_max_ent", "mmcl", "nt_xent")


@dataclass(frozen=True)
class Recipe:
    """How encoders are trained.

    Parameters
    ----------
    steps, batch_size : int
        Length of training; pairs a step.
    rate : float
        Adam's learning rate.
    muon_rate : float, optional
        Muon's learning rate for matrices between hidden layers; without it Adam trains them too.
    warmup : float, optional
        Share of the steps in which rates rise from 0.
    decay : bool, optional
        Let rates fall linearly to 0 after the warm-up.
    clip : float, optional
        Largest 2-norm of the whole gradient (App. C.1: 2).
    objective : {"sym_align_max_ent", "mmcl", "nt_xent"}, optional
        Loss.
    tau : float, optional
        Temperature.
    second_batch : bool, optional
        Take Eq. (2)'s negatives from a second, independent batch, as the authors' code does,
        rather than from the batch itself.
    autocast : bool, optional
        Run the encoders in bfloat16; worlds and objectives stay in float32. Pays for wide nets on
        devices that multiply bfloat16 faster, not on a CPU that only emulates it.
    """

    steps: int
    batch_size: int
    rate: float
    muon_rate: float | None = None
    warmup: float = 0.0
    decay: bool = False
    clip: float = 2.0
    objective: str = "sym_align_max_ent"
    tau: float = 1.0
    second_batch: bool = False
    autocast: bool = False

    def __post_init__(self) -> None:
        expect_whole("steps", self.steps, 0)
        expect_whole("batch_size", self.batch_size, 2)
        for name in ("rate", "clip", "tau"):
            expect(getattr(self, name) > 0, name, "a number above 0", getattr(self, name))
        expect(0 <= self.warmup < 1, "warmup", "a share of at least 0 and below 1", self.warmup)
        known = ", ".join(map(repr, OBJECTIVES))
        expect(self.objective in OBJECTIVES, "objective", f"one of {known}", repr(self.objective))
        only = "False, since only sym_align_max_ent takes a second batch"
        takes = self.objective == "sym_align_max_ent" or not self.second_batch
        expect(takes, "second_batch", only, self.second_batch)

    def pace(self, step: int) -> float:
        """Factor on every learning rate at a 0-based step."""
        rising = min(1.0, (step + 1) / max(1.0, self.warmup * self.steps))
        falling = min(1.0, (self.steps - step) / ((1 - self.warmup) * self.steps))
        return rising * (falling if self.decay else 1.0)


def train(
    encoders: nn.ModuleDict,
    world: World,
    recipe: Recipe,
    *,
    generator: torch.Generator,
    device: torch.device | str = "cpu",
    checkpoint: Path | None = None,
    every: int = 200,
    run: str = "",
) -> Tensor:
    """Train a pair of encoders in place.

    With a checkpoint file, a killed run that is started again ends with the weights of one that
    was never interrupted: weights, optimizer states, the batch generator and the losses are kept.
    A bar shows progress on a terminal, and nothing elsewhere.

    Parameters
    ----------
    encoders : ModuleDict
        ``"image"`` and ``"text"``, on the device.
    world : World
        Where the pairs come from, on the device.
    recipe : Recipe
        How to train.
    generator : torch.Generator
        Source of the batches, on the device.
    device : torch.device or str, optional
        Where everything lives.
    checkpoint : Path, optional
        File to resume from, if it exists, and to save to; removed at the end.
    every : int, optional
        Steps between two checkpoints.
    run : str, optional
        Name of the run, which a checkpoint must match.

    Returns
    -------
    Tensor
        Loss of every step, shape (steps,), on the CPU.

    Raises
    ------
    ValueError
        If the checkpoint is damaged or of another run.
    FloatingPointError
        If the loss is no longer finite.
    """
    expect(run or not checkpoint, "run", "a name, which the checkpoint keeps", repr(run))
    optimizers = _optimizers(encoders, recipe)
    state = _State(run, encoders, optimizers, generator, torch.zeros(recipe.steps, device=device))
    start = state.load(checkpoint, device) if checkpoint and checkpoint.exists() else 0
    encoders.train()
    for step in tqdm(range(start, recipe.steps), "training", initial=start, disable=None):
        loss = _loss(recipe, _encode(encoders, world, recipe, generator, device))
        _update(encoders, optimizers, loss, recipe, step)
        state.losses[step] = loss.detach()
        if (step + 1) % every == 0:
            _finite(state.losses[step], step)
            if checkpoint and step + 1 < recipe.steps:
                state.save(checkpoint, step + 1)
    if recipe.steps:
        _finite(state.losses[-1], recipe.steps - 1)
    encoders.eval()
    if checkpoint:
        checkpoint.unlink(missing_ok=True)
    return state.losses.cpu()


def _encode(
    encoders: nn.ModuleDict,
    world: World,
    recipe: Recipe,
    generator: torch.Generator,
    device: torch.device | str,
) -> list[Tensor]:
    """Representations z_x, z_t of a batch, and those of a second one if the recipe has it."""
    batches: list[Batch] = [
        world.sample(recipe.batch_size, generator=generator, device=device)
        for _ in range(1 + recipe.second_batch)
    ]
    # the world has drawn in float32; only the encoders may run in less
    with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=recipe.autocast):
        images = encoders["image"](torch.cat([batch.image for batch in batches])).float()
        texts = encoders["text"](torch.cat([batch.text for batch in batches])).float()
    n = recipe.batch_size
    return [images[:n], texts[:n], *((images[n:], texts[n:]) if recipe.second_batch else ())]


def _loss(recipe: Recipe, z: list[Tensor]) -> Tensor:
    objective = {"sym_align_max_ent": sym_align_max_ent, "mmcl": mmcl, "nt_xent": nt_xent}
    return objective[recipe.objective](*z, tau=recipe.tau)


def _update(
    encoders: nn.ModuleDict,
    optimizers: list[torch.optim.Optimizer],
    loss: Tensor,
    recipe: Recipe,
    step: int,
) -> None:
    for optimizer in optimizers:
        optimizer.zero_grad()
        for group in optimizer.param_groups:
            group["lr"] = group["full_rate"] * recipe.pace(step)
    loss.backward()
    nn.utils.clip_grad_norm_(encoders.parameters(), recipe.clip)
    for optimizer in optimizers:
        optimizer.step()


def _finite(loss: Tensor, step: int) -> None:
    expect(loss.isfinite(), "loss", "a finite number", f"{loss} at step {step}", FloatingPointError)


def _optimizers(encoders: nn.ModuleDict, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Muon for the matrices between hidden layers, if the recipe has a rate for it; Adam."""
    matrices: list[nn.Parameter] = []
    if recipe.muon_rate is not None:
        layered = (part for part in encoders.modules() if hasattr(part, "hidden_matrices"))
        matrices = [weight for part in layered for weight in part.hidden_matrices()]
    taken = {id(weight) for weight in matrices}
    rest = [weight for weight in encoders.parameters() if id(weight) not in taken]
    optimizers: list[torch.optim.Optimizer] = [torch.optim.Adam(rest, recipe.rate, fused=True)]
    if matrices:
        optimizers.append(Muon(matrices, recipe.muon_rate))
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["full_rate"] = group["lr"]
    return optimizers


@dataclass
class _State:
    """Everything that a resumed run must find as it was."""

    run: str
    encoders: nn.ModuleDict
    optimizers: list[torch.optim.Optimizer]
    generator: torch.Generator
    losses: Tensor

    def save(self, path: Path, step: int) -> None:
        content = {
            "run": self.run,
            "step": step,
            "encoders": self.encoders.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "generator": self.generator.get_state(),
            "losses": self.losses,
        }
        with replacing(path) as partial:
            torch.save(content, partial)

    def load(self, path: Path, device: torch.device | str) -> int:
        expected = f"one of run {self.run} in {path}"
        try:
            content = torch.load(path, map_location=device, weights_only=True)
        except (OSError, RuntimeError, EOFError, KeyError, pickle.UnpicklingError) as error:
            # torch explains itself in many lines; one is enough to know the file is of no use
            reason = str(error).partition("\n")[0] or "an empty file"
            raise ValueError(f"checkpoint: expected {expected}, got {reason}") from None
        found = content.get("run") if isinstance(content, dict) else None
        expect(found == self.run, "checkpoint", expected, f"run {found}")
        self.encoders.load_state_dict(content["encoders"])
        for optimizer, state in zip(self.optimizers, content["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        self.generator.set_state(content["generator"].cpu())
        self.losses.copy_(content["losses"])
        return content["step"]
