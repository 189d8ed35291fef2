"""One training loop for every experiment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from misalign.encoders.mlp import stack, unstack
from misalign.errors import check_int, invalid
from misalign.objectives import mmcl, nt_xent, sym_align_max_ent
from misalign.training.checkpoint import Checkpoint
from misalign.training.muon import Muon
from misalign.worlds.base import World

OBJECTIVES = ("sym_align_max_ent", "mmcl", "nt_xent")


@dataclass(frozen=True)
class Recipe:
    """How encoders are trained.

    Parameters
    ----------
    steps, batch_size : int
        Length of training; pairs a step.
    learning_rate : float
        Adam's learning rate.
    muon_rate : float, optional
        Muon's learning rate for matrices between hidden layers; without it Adam trains them too.
    warmup : float, optional
        Share of the steps in which rates rise from 0.
    decay : bool, optional
        Let rates fall linearly to 0 after the warm-up.
    max_grad_norm : float, optional
        Largest 2-norm of the whole gradient (App. C.1: 2).
    objective : {"sym_align_max_ent", "mmcl", "nt_xent"}, optional
        Loss.
    tau : float, optional
        Temperature.
    second_batch : bool, optional
        Take Eq. (2)'s negatives from a second, independent batch, as the authors' code does,
        rather than from the batch itself.
    prefetch_steps : int, optional
        Steps whose batches are drawn at once: fewer, larger calls of the world.
    autocast : bool, optional
        Run the encoders in bfloat16; worlds and objectives stay in float32. Pays for wide nets on
        devices that multiply bfloat16 faster, not on a CPU that only emulates it.
    """

    steps: int
    batch_size: int
    learning_rate: float
    muon_rate: float | None = None
    warmup: float = 0.0
    decay: bool = False
    max_grad_norm: float = 2.0
    objective: str = "sym_align_max_ent"
    tau: float = 1.0
    second_batch: bool = False
    prefetch_steps: int = 10
    autocast: bool = False

    def __post_init__(self) -> None:
        check_int("steps", self.steps, 0)
        check_int("batch_size", self.batch_size, 2)
        check_int("prefetch_steps", self.prefetch_steps, 1)
        for name in ("learning_rate", "max_grad_norm", "tau"):
            if not getattr(self, name) > 0:
                raise invalid(name, "a number above 0", getattr(self, name))
        if not 0 <= self.warmup < 1:
            raise invalid("warmup", "a share of at least 0 and below 1", self.warmup)
        known = ", ".join(map(repr, OBJECTIVES))
        if self.objective not in OBJECTIVES:
            raise invalid("objective", f"one of {known}", repr(self.objective))
        only = "False, since only sym_align_max_ent takes a second batch"
        takes = self.objective == "sym_align_max_ent" or not self.second_batch
        if not takes:
            raise invalid("second_batch", only, self.second_batch)

    def lr_factor(self, step: int) -> float:
        """Factor on every learning rate at a 0-based step."""
        rising = min(1.0, (step + 1) / max(1.0, self.warmup * self.steps))
        falling = min(1.0, (self.steps - step) / ((1 - self.warmup) * self.steps))
        return rising * (falling if self.decay else 1.0)


def train(
    encoders: nn.ModuleDict, world: World, recipe: Recipe, *, generator: torch.Generator, **options
) -> Tensor:
    """Train a pair of encoders in place: `train_many` for a company of one.

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
    **options
        ``device``, ``checkpoint``, ``every``, as in `train_many`; ``run``, the run's name.

    Returns
    -------
    Tensor
        Loss of every step, shape (steps,), on the CPU.
    """
    runs = [options.pop("run", "")]
    return train_many([encoders], [world], recipe, [generator], runs=runs, **options)[0]


def train_many(
    encoders: Sequence[nn.ModuleDict],
    worlds: Sequence[World],
    recipe: Recipe,
    generators: Sequence[torch.Generator],
    *,
    device: torch.device | str = "cpu",
    checkpoint: Path | None = None,
    every: int = 200,
    runs: Sequence[str] = ("",),
) -> Tensor:
    """Train pairs of encoders in place, many runs in one program.

    Weights are stacked, so that every operation serves all runs. Nothing passes from one run to
    another: each has its own world, stream of batches, loss, clipping and step size, and ends as it
    would alone, up to the order of sums.

    With a checkpoint file, a killed company that is started again ends with the weights of one that
    was never interrupted: weights, optimizer states, the batch generators and the losses are kept.
    A bar shows progress on a terminal, and nothing elsewhere.

    Parameters
    ----------
    encoders : sequence of ModuleDict
        One a run: ``"image"`` and ``"text"``, on the device, built alike in all runs.
    worlds : sequence of World
        Where each run's pairs come from, on the device.
    recipe : Recipe
        How to train all of them.
    generators : sequence of torch.Generator
        Source of each run's batches, on the device.
    device : torch.device or str, optional
        Where everything lives.
    checkpoint : Path, optional
        File to resume from, if it exists, and to save to; removed at the end.
    every : int, optional
        Steps between two checkpoints, a multiple of the recipe's `ahead`.
    runs : sequence of str, optional
        Names of the runs, which a checkpoint must match.

    Returns
    -------
    Tensor
        Loss of every step, shape (runs, steps), on the CPU.

    Raises
    ------
    ValueError
        If the checkpoint is damaged, of other runs, networks or another recipe.
    FloatingPointError
        If the loss of a run is no longer finite.
    """
    counts = f"{len(encoders)} encoders, {len(worlds)} worlds, {len(generators)} generators"
    same = len(encoders) == len(worlds) == len(generators) == len(runs)
    if not same:
        raise invalid("runs", "as many names, encoders, worlds and generators", counts)
    if not (all(runs) or not checkpoint):
        raise invalid("run", "a name, which the checkpoint keeps", repr(runs[0]))
    if every % recipe.prefetch_steps != 0:
        raise invalid("every", f"a multiple of {recipe.prefetch_steps} (prefetch_steps)", every)
    together = nn.ModuleDict(
        {name: stack([pair[name] for pair in encoders]) for name in ("image", "text")}
    )
    optimizers = _optimizers(together, encoders, recipe)
    losses = torch.zeros(recipe.steps, len(runs), device=device)
    state = Checkpoint(",".join(runs), repr(recipe), together, optimizers, generators, losses)
    start = state.load(checkpoint, device) if checkpoint and checkpoint.exists() else 0
    together.train()
    for step in tqdm(range(start, recipe.steps), "training", initial=start, disable=None):
        if step % recipe.prefetch_steps == 0:
            batches = _draw(worlds, generators, recipe, device)
        loss = _loss(recipe, *_encode(together, batches[step % recipe.prefetch_steps], recipe))
        _update(together, optimizers, loss, recipe, step)
        losses[step] = loss.detach()
        if (step + 1) % every == 0:
            _finite(losses[step], step, runs)
            if checkpoint and step + 1 < recipe.steps:
                state.save(checkpoint, step + 1)
    if recipe.steps:
        _finite(losses[-1], recipe.steps - 1, runs)
    for name, whole in together.items():
        unstack(whole, [pair[name] for pair in encoders])
    for pair in encoders:
        pair.eval()
    if checkpoint:
        checkpoint.unlink(missing_ok=True)
    return losses.mT.cpu()


def _draw(
    worlds: Sequence[World],
    generators: Sequence[torch.Generator],
    recipe: Recipe,
    device: torch.device | str,
) -> list[dict[str, Tensor]]:
    """Observations of the next steps by modality, each step's of shape (runs, rows, width)."""
    rows = recipe.batch_size * (1 + recipe.second_batch)
    drawn = [
        world.sample(rows * recipe.prefetch_steps, generator=generator, device=device)
        for world, generator in zip(worlds, generators, strict=True)
    ]
    stacked = {}
    for name in ("image", "text"):
        parts = [getattr(batch, name) for batch in drawn]
        width = max(part.shape[-1] for part in parts)
        # an encoder narrower than another has no weight for the columns that are padded here
        padded = [functional.pad(part, (0, width - part.shape[-1])) for part in parts]
        stacked[name] = torch.stack(padded).split(rows, 1)
    return [
        {name: parts[i] for name, parts in stacked.items()} for i in range(recipe.prefetch_steps)
    ]


def _encode(together: nn.ModuleDict, batch: dict[str, Tensor], recipe: Recipe) -> list[Tensor]:
    """Representations z_x, z_t of a batch, and those of a second one if the recipe has it."""
    device = batch["image"].device.type
    # the world has drawn in float32; only the encoders may run in less
    with torch.autocast(device, torch.bfloat16, enabled=recipe.autocast):
        z = [together[name](batch[name]).float() for name in ("image", "text")]
    halves = zip(*(part.split(recipe.batch_size, -2) for part in z), strict=True)
    return [part for half in halves for part in half]


def _loss(recipe: Recipe, *z: Tensor) -> Tensor:
    objective = {"sym_align_max_ent": sym_align_max_ent, "mmcl": mmcl, "nt_xent": nt_xent}
    return objective[recipe.objective](*z, tau=recipe.tau)


def _update(
    together: nn.ModuleDict,
    optimizers: list[torch.optim.Optimizer],
    loss: Tensor,
    recipe: Recipe,
    step: int,
) -> None:
    for optimizer in optimizers:
        optimizer.zero_grad()
        for group in optimizer.param_groups:
            group["lr"] = group["full_rate"] * recipe.lr_factor(step)
    # runs share no weight, so the gradient of the sum is every run's own
    loss.sum().backward()
    _clip([weight.grad for weight in together.parameters()], recipe.max_grad_norm)
    for optimizer in optimizers:
        optimizer.step()


def _clip(gradients: list[Tensor], limit: float) -> None:
    """Scale each run's gradient down to a 2-norm of at most the limit."""
    squares = sum(gradient.square().sum((1, 2)) for gradient in gradients)
    factor = (limit / (squares.sqrt() + 1e-6)).clamp(max=1)
    for gradient in gradients:
        gradient.mul_(factor.view(-1, 1, 1))


def _finite(losses: Tensor, step: int, runs: Sequence[str]) -> None:
    for loss, run in zip(losses.tolist(), runs, strict=True):
        where = f"{loss} at step {step}" + (f" of run {run}" if run else "")
        if not math.isfinite(loss):
            raise invalid("loss", "a finite number", where, FloatingPointError)


def _optimizers(
    together: nn.ModuleDict, encoders: Sequence[nn.ModuleDict], recipe: Recipe
) -> list[torch.optim.Optimizer]:
    """Muon for the matrices between hidden layers, if the recipe has a rate for it; Adam."""
    groups = []
    if recipe.muon_rate is not None:
        for whole, *parts in zip(_hidden(together), *map(_hidden, encoders), strict=True):
            stretch = [max(1, part.shape[0] / part.shape[1]) ** 0.5 for part in parts]
            groups.append({"params": [whole], "stretch": stretch})
    taken = {id(group["params"][0]) for group in groups}
    rest = [weight for weight in together.parameters() if id(weight) not in taken]
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.Adam(rest, recipe.learning_rate, fused=True)
    ]
    if groups:
        optimizers.append(Muon(groups, recipe.muon_rate))
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["full_rate"] = group["lr"]
    return optimizers


def _hidden(encoders: nn.ModuleDict) -> list[nn.Parameter]:
    layered = (part for part in encoders.modules() if hasattr(part, "hidden_matrices"))
    return [weight for part in layered for weight in part.hidden_matrices()]
