"""Where the assumptions bite: one sound factor, one perturbed, and encoders with room to spare.

Theorem 4.1 asks for factors with a density and for encoders exactly as wide as the unbiased block.
This study leaves both behind: factors of two or four values beside continuous ones, widths from 1
to 4, and perturbation from seldom to always.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from misalign.bias import Bias
from misalign.errors import check_int, invalid
from misalign.rng import generator_for
from misalign.run import TrainedModel
from misalign.studies.vectors import SMOKE, Scale, fast_recipe, mlp_pair
from misalign.worlds.resampled import ResampledWorld

if TYPE_CHECKING:
    from misalign.run import Key, Run

PROBABILITIES = (0.1, 0.3, 0.5, 0.7, 0.9, 1.0)  # by setting, from 1
KINDS = {"perturbation": "uniform", "alternative": "other"}  # by a run's bias
VALUES = {"continuous": None, "binary": 2, "fourfold": 4}

SCALES = {
    "smoke": SMOKE,
    "laptop": Scale(
        layers=2,
        hidden=(64, 64),
        recipe=fast_recipe(1_000, 256),
        probe_samples=8_192,
        probe_steps=600,
    ),
}


class Assumptions:
    """Two factors, s1 sound and s2 perturbed; the setting is the probability.

    Factors of a few values count as the numbers that stand for them, so all score R2.
    """

    name = "assumptions"
    variants = ("",)
    latents = tuple(VALUES)
    scales = SCALES

    def bias(self, bias: str, setting: int) -> Bias:
        """Look a probability up by its 1-based place in `PROBABILITIES`, or raise a ValueError.

        With the bias ``"perturbation"`` the caption's value of s2 is drawn anew, with
        ``"alternative"`` it is one of the other values.
        """
        if bias not in KINDS:
            raise invalid("bias", f"one of {', '.join(KINDS)}", repr(bias))
        check_int("setting", setting, 1, len(PROBABILITIES), "the study's probabilities")
        return Bias(2, (1, 2), (2,), probability=PROBABILITIES[setting - 1], kind=KINDS[bias])

    def initial(self, run: Run, device: torch.device | str) -> TrainedModel:
        """Draw a run's world and its encoders before training."""
        scale = run.scale_config
        bias, values = run.resolved_bias, VALUES[run.latents]
        world = ResampledWorld.draw(
            bias, values=values, layers=scale.layers, seed=run.resolved_world_seed
        )
        world = world.to(device)
        sample = world.sample(
            scale.probe_samples,
            generator=generator_for(run.seed, "scales", device=device),
            device=device,
        )
        return TrainedModel(world, mlp_pair(run, scale, sample), torch.zeros(0))

    def oracle(self, run: Run, model: TrainedModel) -> dict[Key, float]:
        """Where the width is the theorem's, 1, all of s1 and nothing else is predicted."""
        if run.encoding_size != 1:
            return {}
        nothing = {("image", factor.name): 0.0 for factor in model.world.factors}
        return nothing | {("image", "s1"): 1.0, ("text", "s2"): 0.0}
