"""Runs that are ready to train, as `misalign.experiment.fit_all` sets them up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from torch import nn

from misalign.encoders.mlp import stack
from misalign.rng import generator_for
from misalign.run import Run, TrainedModel
from misalign.studies.numerical import SCALES
from misalign.training.loop import train_many
from misalign.training.recipe import Recipe
from misalign.training.step import draw, encode, loss_of, make_optimizers, update

SETTING = 5  # of the paper's ten: half of the factors selected


def untrained(runs: list[Run]) -> list[TrainedModel]:
    """Worlds and encoders of a batch of runs."""
    return [run.study.initial(run, "cpu") for run in runs]


def recipe(scale: str, **changes: object) -> Recipe:
    """A scale's recipe with changes, such as fewer steps."""
    return replace(SCALES[scale].recipe, **changes)


def training(fitted: list[TrainedModel], how: Recipe) -> Callable[[], object]:
    """A training of the whole batch in one program."""

    def work() -> object:
        return train_many(
            [one.encoders for one in fitted],
            [one.world for one in fitted],
            how,
            [generator_for(seed, "batches") for seed in range(len(fitted))],
            runs=[str(number) for number in range(len(fitted))],
        )

    return work


def one_step(fitted: TrainedModel, how: Recipe, stacked: bool) -> Callable[[], object]:
    """A training step of one run on a batch that is drawn: as it is, or as a stack of one."""
    pairs = [nn.ModuleDict(fitted.encoders)]
    model = (stack(pairs) if stacked else pairs[0]).train()
    optimizers = make_optimizers(model, pairs, how)
    (batch,) = draw([(fitted.world, generator_for(0, "batches"))], how, "cpu")
    if stacked:
        batch = {name: part[None] for name, part in batch.items()}

    def work() -> object:
        loss = loss_of(how, encode(model, batch, how, stacked), stacked, 0)
        update(model, optimizers, loss, how, 0)
        return loss

    return work
