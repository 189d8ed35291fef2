"""The parts of a training step: one run's modules as they are, or the stacked ones of several."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional
from torch.optim import Adam, Optimizer

from misalign.encoders.mlp import stack, unstack
from misalign.errors import invalid
from misalign.training.muon import Muon
from misalign.training.recipe import OBJECTIVES, Recipe
from misalign.worlds.base import World

MODALITIES = ("image", "text")


def assemble(
    encoders: Sequence[nn.ModuleDict], recipe: Recipe, device: torch.device | str
) -> nn.ModuleDict:
    """All that is trained: one run's modules themselves, or a stack of several runs'."""
    for pair in encoders:
        if not set(MODALITIES) <= set(pair):
            raise invalid("encoders", "an 'image' and a 'text' encoder", ", ".join(pair) or "none")
    model = stack(encoders) if len(encoders) > 1 else nn.ModuleDict(encoders[0])
    objective = recipe.objective
    if isinstance(objective, nn.Module):
        if len(encoders) > 1 and objective.state_dict():
            expected = "one without tensors of its own for several runs (train them one by one)"
            raise invalid("objective", expected, type(objective).__name__)
        model["objective"] = objective.to(device)
    if not any(weight.requires_grad for weight in model.parameters()):
        raise invalid("encoders", "parameters to train", "none that requires a gradient")
    return model


def make_optimizers(
    model: nn.ModuleDict, encoders: Sequence[nn.ModuleDict], recipe: Recipe
) -> list[Optimizer]:
    """Adam, and Muon for the matrices between hidden layers if the recipe has a rate for it."""
    groups = []
    if recipe.muon_rate is not None:
        for whole, *parts in zip(_hidden(model), *map(_hidden, encoders), strict=True):
            stretch = [max(1, part.shape[0] / part.shape[1]) ** 0.5 for part in parts]
            groups.append({"params": [whole], "stretch": stretch})
    taken = {id(group["params"][0]) for group in groups}
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    rest = [weight for weight in weights if id(weight) not in taken]
    adam = [Adam(rest, recipe.learning_rate, fused=True)] if rest else []
    return [*adam, *([Muon(groups, recipe.muon_rate)] if groups else [])]


def _hidden(pair: nn.ModuleDict) -> list[nn.Parameter]:
    """What the encoders, not an objective, list as matrices between hidden layers; each once."""
    parts = [part for name in MODALITIES if name in pair for part in pair[name].modules()]
    listed = [part.hidden_matrices() for part in parts if hasattr(part, "hidden_matrices")]
    return [weight for weight in dict.fromkeys(chain(*listed)) if weight.requires_grad]


def draw(
    sources: Iterable[tuple[World, Generator]], recipe: Recipe, device: torch.device | str
) -> list[dict[str, Tensor]]:
    """Observations of the next steps by modality; of several runs (runs, rows, ...)."""
    rows = recipe.batch_size * (1 + recipe.second_batch)
    count = rows * recipe.prefetch_steps
    drawn = [world.sample(count, generator=source, device=device) for world, source in sources]
    steps = {}
    for name in MODALITIES:
        parts = [getattr(batch, name).to(device) for batch in drawn]
        width = max(part.shape[-1] for part in parts)
        # an encoder narrower than another has no weight for the columns that are padded here
        padded = [functional.pad(part, (0, width - part.shape[-1])) for part in parts]
        steps[name] = (
            torch.stack(padded).split(rows, 1) if len(padded) > 1 else parts[0].split(rows)
        )
    return [dict(zip(steps, step, strict=True)) for step in zip(*steps.values(), strict=True)]


def encode(
    model: nn.ModuleDict, batch: dict[str, Tensor], recipe: Recipe, stacked: bool
) -> list[Tensor]:
    """Representations z_x, z_t of a batch, and those of a second one if the recipe has it."""
    device = batch["image"].device.type
    # the world has drawn in float32; only the encoders may run in less
    with torch.autocast(device, torch.bfloat16, enabled=recipe.autocast):
        z = [model[name](batch[name]).float() for name in MODALITIES]
    halves = zip(*(part.split(recipe.batch_size, int(stacked)) for part in z), strict=True)
    return [part for half in halves for part in half]


def loss_of(recipe: Recipe, z: list[Tensor], stacked: bool, step: int) -> Tensor:
    """Loss of one run at a step, a scalar, or of each of several."""
    if isinstance(recipe.objective, str):
        options = {} if recipe.floor else {"floor": False}
        return OBJECTIVES[recipe.objective](*z, tau=recipe.tau_at(step), **options)
    losses = [recipe.objective(*pair) for pair in (zip(*z, strict=True) if stacked else [z])]
    for loss in losses:
        if not (isinstance(loss, Tensor) and loss.ndim == 0 and loss.requires_grad):
            got = tuple(loss.shape) if isinstance(loss, Tensor) else type(loss).__name__
            raise invalid("objective", "a scalar loss with a gradient, shape ()", got)
    return torch.stack(losses) if stacked else losses[0]


def update(
    model: nn.ModuleDict, optimizers: list[Optimizer], loss: Tensor, recipe: Recipe, step: int
) -> None:
    """Move the weights by the loss of a step."""
    model.zero_grad()
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = optimizer.defaults["lr"] * recipe.lr_factor(step)
    # runs share no weight, so the gradient of the sum is every run's own
    loss.sum().backward()
    gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
    clip(gradients, recipe.max_grad_norm, loss.ndim)
    for optimizer in optimizers:
        optimizer.step()


def clip(gradients: list[Tensor], limit: float, leading: int) -> None:
    """Scale gradients down to a 2-norm of at most the limit, that of each run if runs lead."""
    squares = sum(gradient.flatten(leading).square().sum(-1) for gradient in gradients)
    factor = (limit / (squares.sqrt() + 1e-6)).clamp(max=1)
    for gradient in gradients:
        gradient.mul_(factor.view(factor.shape + (1,) * (gradient.ndim - leading)))


def finish(model: nn.ModuleDict, encoders: Sequence[nn.ModuleDict]) -> None:
    """Leave every pair of encoders with its weights, no gradients, and in evaluation mode."""
    model.zero_grad()
    model.eval()
    if len(encoders) > 1:
        unstack(model, encoders)
    for pair in encoders:
        pair.eval()
