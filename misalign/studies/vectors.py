"""What studies of observations that are vectors share: their scales and their encoders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import nn

from misalign.encoders.mlp import numerical_encoder
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
    relative : bool
        See above.
    whiten, standardize : bool
        Fixed scales at the encoders' two ends, see `misalign.encoders.mlp.numerical_encoder`.
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


def mlp_pair(run: Run, scale: Scale, sample: Batch) -> nn.ModuleDict:
    """Draw a run's encoders of observations that are vectors, before training.

    Parameters
    ----------
    run : Run
        Decides the initial weights and the width.
    scale : Scale
        Decides the hidden layers and the fixed scales at both ends.
    sample : Batch
        Pairs to measure the scales on.

    Returns
    -------
    ModuleDict
        ``"image"`` and ``"text"``, on the sample's device, in evaluation mode.
    """
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
