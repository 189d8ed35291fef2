"""Scales: the same claim with less or more compute."""

from __future__ import annotations

from dataclasses import dataclass

from misalign.training import Recipe


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
