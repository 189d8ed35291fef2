"""Runs that are ready to train, as `misalign.experiment.fit_all` sets them up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from misalign.rng import generator_for
from misalign.run import Run, TrainedModel
from misalign.studies.numerical import SCALES
from misalign.training.loop import Recipe, train_many

SETTING = 5  # of the paper's ten: half of the factors selected


def company(runs: list[Run]) -> list[TrainedModel]:
    """Worlds and encoders of runs, untrained."""
    return [run.study.initial(run, "cpu") for run in runs]


def recipe(scale: str, **changes: object) -> Recipe:
    """A scale's recipe with changes, such as fewer steps."""
    return replace(SCALES[scale].recipe, **changes)


def training(fitted: list[TrainedModel], how: Recipe) -> Callable[[], object]:
    """A training of all of them together."""

    def work() -> object:
        return train_many(
            [one.encoders for one in fitted],
            [one.world for one in fitted],
            how,
            [generator_for(seed, "batches") for seed in range(len(fitted))],
            runs=[str(number) for number in range(len(fitted))],
        )

    return work
