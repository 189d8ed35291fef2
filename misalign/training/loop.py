"""One training loop for every experiment."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from misalign.errors import invalid
from misalign.training.checkpoint import Checkpoint
from misalign.training.recipe import Recipe
from misalign.training.step import assemble, draw, encode, finish, loss_of, make_optimizers, update
from misalign.worlds.base import World


def train(
    encoders: Mapping[str, nn.Module],
    world: World,
    recipe: Recipe,
    *,
    generator: torch.Generator,
    device: torch.device | str = "cpu",
    checkpoint: Path | None = None,
    every: int = 200,
    run: str = "",
) -> Tensor:
    """Train a pair of encoders in place: any modules, as they are.

    With a checkpoint file, a killed run that is started again ends with the weights of one that
    was never interrupted: weights, optimizer states, the batch generator and the losses are kept.
    (Layers that draw, such as dropout, use torch's own generator, which is not.) A damaged file is
    set aside as ``NAME.damaged``, with a warning. A bar shows progress on a terminal only.

    Parameters
    ----------
    encoders : ModuleDict or dict of Module
        ``"image"`` and ``"text"``, on the device. They may share parameters; those that do not
        require a gradient stay as they are. Left in evaluation mode.
    world : World
        Where the pairs come from: anything with `World.sample`.
    recipe : Recipe
        How to train. An objective that is a Module is moved to the device and trained in place.
    generator, device : torch.Generator, torch.device or str
        Source of the batches, on the device, and where everything lives.
    checkpoint : Path, optional
        File to resume from, if it exists, and to save to; removed at the end.
    every, run : int, str, optional
        Steps between two checkpoints, a multiple of the recipe's `prefetch_steps`; and a name that
        a checkpoint must match.

    Returns
    -------
    Tensor
        Loss of every step, shape (steps,), on the CPU.

    Raises
    ------
    ValueError, FloatingPointError
        If the checkpoint is of another run, other networks or another recipe, if nothing can be
        trained, if an objective's loss is no scalar; if the loss is no longer finite.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from misalign import Recipe, train
    >>> from misalign.worlds.base import Batch
    >>> class Mirror:
    ...     def sample(self, n, *, generator, device="cpu"):
    ...         s = torch.randn(n, 2, generator=generator, device=device)
    ...         return Batch(image=s, text=-s, factors={"s": s}, text_factors={"s": s})
    >>> encoders = {"image": nn.Linear(2, 2), "text": nn.Linear(2, 2)}
    >>> recipe = Recipe(steps=50, batch_size=64, learning_rate=0.05)
    >>> losses = train(encoders, Mirror(), recipe, generator=torch.Generator().manual_seed(0))
    >>> losses.shape
    torch.Size([50])
    >>> bool(losses[-5:].mean() < losses[:5].mean())
    True
    """
    how = {"device": device, "checkpoint": checkpoint, "every": every}
    return train_many([encoders], [world], recipe, [generator], runs=[run], **how)[0]


def train_many(
    encoders: Sequence[Mapping[str, nn.Module]],
    worlds: Sequence[World],
    recipe: Recipe,
    generators: Sequence[torch.Generator],
    *,
    device: torch.device | str = "cpu",
    checkpoint: Path | None = None,
    every: int = 200,
    runs: Sequence[str] = ("",),
) -> Tensor:
    """Train many runs in one program; one alone as `train` does, whose errors these are, too.

    Weights of several runs are stacked (`misalign.encoders.mlp.stack`), so that every operation
    serves all of them. Nothing passes from one run to another: each has its own world, stream of
    batches, loss, clipping and step size, and ends as it would alone, up to the order of sums.
    Where widths differ, a callable objective sees the narrower padded with columns of zeros.

    Parameters
    ----------
    encoders, worlds, generators : sequence
        One of each a run, as `train` takes them, or it is a ValueError; several runs need encoders
        that stack.
    recipe, device, checkpoint, every
        As in `train`; an objective of several runs must own no tensors.
    runs : sequence of str, optional
        Names of the runs, which a checkpoint must match.

    Returns
    -------
    Tensor
        Loss of every step, shape (runs, steps), on the CPU.
    """
    if not len(encoders) == len(worlds) == len(generators) == len(runs):
        counts = f"{len(encoders)} encoders, {len(worlds)} worlds, {len(generators)} generators"
        raise invalid("runs", "as many names, encoders, worlds and generators", counts)
    if checkpoint and not all(runs):
        raise invalid("run", "a name, which the checkpoint keeps", repr(runs[0]))
    if every % recipe.prefetch_steps:
        raise invalid("every", f"a multiple of {recipe.prefetch_steps} (prefetch_steps)", every)
    pairs = [pair if isinstance(pair, nn.ModuleDict) else nn.ModuleDict(pair) for pair in encoders]
    model = assemble(pairs, recipe, device)
    optimizers = make_optimizers(model, pairs, recipe)
    losses = torch.zeros(recipe.steps, len(runs), device=device)
    who, how = ",".join(runs), recipe.fingerprint()
    state = Checkpoint(who, how, model, optimizers, generators, losses)
    start = state.load(checkpoint) if checkpoint else 0
    model.train()
    for step in tqdm(range(start, recipe.steps), "training", initial=start, disable=None):
        if step % recipe.prefetch_steps == 0:
            batches = draw(zip(worlds, generators, strict=True), recipe, device)
        z = encode(model, batches[step % recipe.prefetch_steps], recipe, len(runs) > 1)
        loss = loss_of(recipe, z, len(runs) > 1, step)
        update(model, optimizers, loss, recipe, step)
        losses[step] = loss.detach()
        last = step + 1 == recipe.steps
        if last or (step + 1) % every == 0:
            _expect_finite(losses[step], step, runs)
            if checkpoint and not last:
                state.save(checkpoint, step + 1)
    finish(model, pairs)
    if checkpoint:
        checkpoint.unlink(missing_ok=True)
    return losses.mT.cpu()


def _expect_finite(losses: Tensor, step: int, runs: Sequence[str]) -> None:
    for loss, run in zip(losses.tolist(), runs, strict=True):
        if not math.isfinite(loss):
            where = f"{loss} at step {step}" + (f" of run {run}" if run else "")
            raise invalid("loss", "a finite number", where, FloatingPointError)
