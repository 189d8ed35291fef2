"""Where the assumptions bite: one sound factor, one perturbed, and encoders with room to spare.

Theorem 4.1 asks for factors with a density and for encoders exactly as wide as the unbiased block.
This study leaves both behind: factors of two or four values beside continuous ones, widths from 1
to 4, and perturbation from seldom to always.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import torch

from misalign.bias import Bias
from misalign.errors import check_int, invalid
from misalign.evaluation import probed, row, table
from misalign.probes.regression import LinearProbe, MLPProbe
from misalign.rng import generator_for
from misalign.run import Read, TrainedModel
from misalign.studies.vectors import Scale, mlp_pair
from misalign.training.recipe import Recipe
from misalign.worlds.resampled import ResampledWorld

if TYPE_CHECKING:
    from misalign.run import Run

PROBABILITIES = (0.1, 0.3, 0.5, 0.7, 0.9, 1.0)  # by setting, from 1
KINDS = {"perturbation": "uniform", "alternative": "other"}  # by a run's bias
VALUES = {"continuous": None, "binary": 2, "fourfold": 4}

SCALES = {
    # seconds; proves the wiring and claims nothing
    "smoke": Scale(
        layers=1,
        hidden=(16, 16),
        relative=False,
        whiten=True,
        standardize=True,
        recipe=Recipe(
            steps=20, batch_size=64, learning_rate=2e-2, muon_rate=0.1, warmup=0.1, decay=True
        ),
        probe_samples=256,
        probe_steps=20,
    ),
    "laptop": Scale(
        layers=2,
        hidden=(64, 64),
        relative=False,
        whiten=True,
        standardize=True,
        recipe=Recipe(
            steps=1000, batch_size=256, learning_rate=2e-2, muon_rate=0.1, warmup=0.1, decay=True
        ),
        probe_samples=8192,
        probe_steps=600,
    ),
}


class Assumptions:
    """Two factors, s1 sound and s2 perturbed; the setting is the probability."""

    name = "assumptions"
    variants = ("",)
    latents = tuple(VALUES)
    scales = SCALES

    def bias(self, bias: str, setting: int) -> Bias:
        """Look a probability up.

        Parameters
        ----------
        bias : {"perturbation", "alternative"}
            The caption's value of s2 is drawn anew, or is one of the other values.
        setting : int
            1-based place in `PROBABILITIES`.

        Returns
        -------
        Bias

        Raises
        ------
        ValueError
            If there is no such bias or setting.
        """
        if bias not in KINDS:
            raise invalid("bias", f"one of {', '.join(KINDS)}", repr(bias))
        check_int("setting", setting, 1, len(PROBABILITIES), "the study's probabilities")
        return Bias(2, (1, 2), (2,), probability=PROBABILITIES[setting - 1], kind=KINDS[bias])

    def initial(self, run: Run, device: torch.device | str) -> TrainedModel:
        """Draw a run's world and its encoders before training."""
        scale = run.scale_config
        bias, values = self.bias(run.bias, run.setting), VALUES[run.latents]
        world = ResampledWorld.draw(bias, values=values, layers=scale.layers, seed=run.seed)
        world = world.to(device)
        sample = world.sample(
            scale.probe_samples,
            generator=generator_for(run.seed, "scales", device=device),
            device=device,
        )
        return TrainedModel(world, mlp_pair(run, scale, sample), torch.zeros(0))

    @torch.no_grad()
    def represent(
        self, run: Run, fitted: TrainedModel, purpose: str, device: torch.device | str
    ) -> Read:
        """Represent fresh samples; targets are every true factor and what captions say of s2."""
        generator = generator_for(run.seed, purpose, device=device)
        n = run.scale_config.probe_samples
        batch = fitted.world.sample(n, generator=generator, device=device)
        observed = {"image": batch.image, "text": batch.text}
        representations = {name: fitted.encoders[name](x) for name, x in observed.items()}
        targets = {("image", name): values for name, values in batch.factors.items()}
        return representations, targets | {("text", "s2"): batch.text_factors["s2"]}

    def score(self, run: Run, fitted: TrainedModel, device: torch.device | str) -> pd.DataFrame:
        """Read every factor from both modalities by both probes.

        Factors of a few values count as the numbers that stand for them, so all score R2. Where
        the width is the theorem's, 1, all of s1 and nothing else is predicted.
        """
        samples = {
            split: self.represent(run, fitted, f"probe {split}", device)
            for split in ("fit", "test")
        }
        keys = list(samples["fit"][1])
        rows = []
        for modality in ("image", "text"):
            generator = generator_for(run.seed, "probes", modality, device=device)
            deep = MLPProbe(run.scale_config.probe_steps, generator=generator)
            for name, probe in (("linear", LinearProbe()), ("nonlinear", deep)):
                found = probed(probe, modality, keys, samples)["test"]
                for key in keys:
                    known = float(key[1] == "s1") if run.encoding_size == 1 else None
                    rows.append(row(run, modality, "test", name, key, found[key], known))
        return table(rows)
