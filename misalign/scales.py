"""Scales: the same claim with less or more compute."""

from __future__ import annotations

from dataclasses import dataclass

from misalign.errors import expect
from misalign.training import Recipe


@dataclass(frozen=True)
class NumericalScale:
    """Everything about a numerical run that its scale decides.

    Parameters
    ----------
    layers : int
        Mixing layers of g_x and g_t.
    hidden : tuple of int
        Widths of the encoders' hidden layers, in units of the input size if `relative`.
    relative : bool
        See above.
    whiten, standardize : bool
        Fixed scales at the encoders' two ends, see `misalign.encoders.numerical_encoder`.
    recipe : Recipe
        Training.
    probe_samples : int
        Samples to fit probes on, and again as many to score them on.
    probe_steps : int
        Longest training of a nonlinear probe.
    """

    layers: int
    hidden: tuple[int, ...]
    relative: bool
    whiten: bool
    standardize: bool
    recipe: Recipe
    probe_samples: int
    probe_steps: int

    def widths(self, size_in: int) -> tuple[int, ...]:
        """Hidden widths for an input size."""
        return tuple(width * size_in if self.relative else width for width in self.hidden)


NUMERICAL = {
    # seconds; proves the wiring and claims nothing
    "smoke": NumericalScale(
        layers=1,
        hidden=(16, 16),
        relative=False,
        whiten=True,
        standardize=True,
        recipe=Recipe(steps=20, batch_size=64, rate=2e-2, muon_rate=0.1, warmup=0.1, decay=True),
        probe_samples=256,
        probe_steps=20,
    ),
    # the claim visible on two cores: two mixing layers for three, small nets, few steps
    "laptop": NumericalScale(
        layers=2,
        hidden=(128, 128),
        relative=False,
        whiten=True,
        standardize=True,
        recipe=Recipe(steps=600, batch_size=512, rate=2e-2, muon_rate=0.1, warmup=0.1, decay=True),
        probe_samples=16_384,
        probe_steps=1_200,
    ),
    # the paper's three mixing layers and our recipe, for one GPU: all runs of a figure at once
    "gpu": NumericalScale(
        layers=3,
        hidden=(256, 256, 256),
        relative=False,
        whiten=True,
        standardize=True,
        recipe=Recipe(
            steps=8_000, batch_size=1024, rate=1e-2, muon_rate=0.1, warmup=0.05, decay=True
        ),
        probe_samples=20_480,
        probe_steps=2_000,
    ),
    # training as published (App. C.1 and the authors' code): GPUs, days; probes keep their own rate
    "paper": NumericalScale(
        layers=3,
        hidden=(10, 50, 50, 50, 50, 10),
        relative=True,
        whiten=False,
        standardize=False,
        recipe=Recipe(steps=100_000, batch_size=6144, rate=1e-4, second_batch=True),
        probe_samples=20_480,
        probe_steps=10_000,
    ),
}


def numerical_scale(name: str) -> NumericalScale:
    """Look a scale up by name; an unknown one raises a ValueError that lists the known."""
    expect(name in NUMERICAL, "scale", f"one of {', '.join(NUMERICAL)}", repr(name))
    return NUMERICAL[name]
