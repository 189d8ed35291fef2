"""What studies of observations that are vectors share: their scales and their encoders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import nn

from misalign.encoders.mlp import numerical_encoder
from misalign.probes.base import RATE
from misalign.rng import generator_for
from misalign.training.recipe import Recipe
from misalign.worlds.base import Batch

if TYPE_CHECKING:
    from misalign.run import Run


@dataclass(frozen=True)
class Scale:
    """Everything about a run that its scale decides.

    Parameters
    ----------
    layers : int
        Mixing layers of g_x and g_t, where they are networks.
    hidden : tuple of int
        Widths of the encoders' hidden layers, in units of the input size if `relative`.
    recipe : Recipe
        Training.
    probe_samples, probe_steps, probe_rate : int, int, float
        Samples to fit probes on, and again as many to score them on; longest training of a
        nonlinear probe, and Adam's first rate in it.
    oracle_draws : int, optional
        Samples that predictions without a closed form are computed from.
    whiten, standardize : bool, optional
        Fixed scales at the encoders' two ends, see `misalign.encoders.mlp.numerical_encoder`.
    """

    layers: int
    hidden: tuple[int, ...]
    recipe: Recipe
    probe_samples: int
    probe_steps: int
    probe_rate: float = RATE
    oracle_draws: int = 200_000
    relative: bool = False
    whiten: bool = True
    standardize: bool = True

    def widths(self, size_in: int) -> tuple[int, ...]:
        """Hidden widths for an input size."""
        return tuple(width * size_in if self.relative else width for width in self.hidden)


def fast_recipe(steps: int, batch_size: int, learning_rate: float = 5e-2, **options) -> Recipe:
    """Muon between hidden layers, Adam for the rest, a warm-up, then a fall to 0.

    Outputs have variance 1, so a kernel as wide as tau = 1 sees them as one cloud, and rewards
    other things than entropy: where a factor is hard to read, an encoder rather folds an easy one
    into its place. A narrow kernel sees the fold. It is narrow first, while factors are found, and
    wider then, because it ceases to align pairs that are nearer to each other than to all others.
    """
    rates = {"learning_rate": learning_rate, "muon_rate": 0.2, "warmup": 0.1, "decay": True}
    tau = {"first_tau": 0.1, "tau": 0.5}
    return Recipe(steps=steps, batch_size=batch_size, **rates | tau | options)


# seconds; proves the wiring and claims nothing
SMOKE = Scale(
    layers=1,
    hidden=(16, 16),
    recipe=fast_recipe(20, 64),
    probe_samples=256,
    probe_steps=20,
    oracle_draws=4_000,
)


def mlp_pair(run: Run, scale: Scale, sample: Batch) -> nn.ModuleDict:
    """Draw a run's encoders of vectors before training, their scales measured on a sample."""
    observed = {"image": sample.image, "text": sample.text}
    pair = {
        modality: numerical_encoder(
            x,
            run.encoding_size,
            hidden=scale.widths(x.shape[1]),
            whiten=scale.whiten,
            standardize=scale.standardize,
            generator=generator_for(run.seed, "initial weights", modality),
        )
        for modality, x in observed.items()
    }
    return nn.ModuleDict(pair).eval()
