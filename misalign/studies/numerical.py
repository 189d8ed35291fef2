"""The numerical study: section 5.1 and App. C."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd
import torch
from torch import nn

from misalign.bias import Bias
from misalign.evaluation import probed, row, table
from misalign.probes.regression import LinearProbe, MLPProbe
from misalign.rng import generator_for
from misalign.run import Key, Read, TrainedModel
from misalign.studies.downstream import BINARY, BLOCKS, SPLIT, predicted, tasks
from misalign.studies.vectors import Scale, mlp_pair
from misalign.theory.oracle import oracle
from misalign.training.loop import Recipe
from misalign.worlds.numerical import LATENTS, NumericalWorld, heavy_tails

if TYPE_CHECKING:
    from misalign.run import Run

TASKS = (*BLOCKS, BINARY)
UNSHIFTED = ("m_x", "m_t", "noise")  # nothing to see there out of distribution

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
    # the claim visible on two cores: two mixing layers for three, small nets, few steps
    "laptop": Scale(
        layers=2,
        hidden=(128, 128),
        relative=False,
        whiten=True,
        standardize=True,
        recipe=Recipe(
            steps=600, batch_size=512, learning_rate=2e-2, muon_rate=0.1, warmup=0.1, decay=True
        ),
        probe_samples=16_384,
        probe_steps=1_200,
    ),
    # the paper's three mixing layers and our recipe, for one GPU: all runs of a figure at once
    "gpu": Scale(
        layers=3,
        hidden=(256, 256, 256),
        relative=False,
        whiten=True,
        standardize=True,
        recipe=Recipe(
            steps=8_000, batch_size=1024, learning_rate=1e-2, muon_rate=0.1, warmup=0.05, decay=True
        ),
        probe_samples=20_480,
        probe_steps=2_000,
    ),
    # training as published (App. C.1 and the authors' code): GPUs, days; probes keep their own rate
    "paper": Scale(
        layers=3,
        hidden=(10, 50, 50, 50, 50, 10),
        relative=True,
        whiten=False,
        standardize=False,
        recipe=Recipe(steps=100_000, batch_size=6144, learning_rate=1e-4, second_batch=True),
        probe_samples=20_480,
        probe_steps=10_000,
    ),
}


class Numerical:
    """Gaussian latents, invertible mixing, and every setting of Tables 2, 3 and 5."""

    name = "numerical"
    variants = ("", "untrained", "raw")
    latents = LATENTS
    scales = SCALES
    takes_bias = True

    def bias(self, bias: str, setting: int) -> Bias:
        """Look a column of Tables 2, 3 or 5 up."""
        return Bias.numerical(bias, setting)

    def initial(self, run: Run, device: torch.device | str) -> TrainedModel:
        """Draw a run's world and its encoders before training; in the variant "raw" identities."""
        scale = run.scale_config
        bias = run.resolved_bias
        world = NumericalWorld.draw(bias, latents=run.latents, layers=scale.layers, seed=run.seed)
        world = world.to(device)
        if run.variant == "raw":
            identities = {"image": nn.Identity(), "text": nn.Identity()}
            return TrainedModel(world, nn.ModuleDict(identities), torch.zeros(0))
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
        """Represent fresh samples, and give the targets that probes predict from them.

        Targets are every true factor, what captions say of the perturbed ones, ``noise``, which
        nothing predicts, and the downstream tasks y1 to y4.
        """
        samples = run.scale_config.probe_samples
        generator = generator_for(run.seed, purpose, device=device)
        world = fitted.world
        batch = world.sample(samples, generator=generator, device=device)
        representations = {
            "image": fitted.encoders["image"](batch.image),
            "text": fitted.encoders["text"](batch.text),
        }
        targets = {("image", name): values for name, values in batch.factors.items()}
        for i in world.bias.perturbed:
            targets["text", f"s{i}"] = batch.text_factors[f"s{i}"]
        targets["image", "noise"] = torch.randn(samples, 1, generator=generator, device=device)
        s = torch.cat([batch.factors[f"s{i + 1}"] for i in range(world.bias.n)], 1)
        for name, y in zip(BLOCKS, tasks(s).mT, strict=True):
            targets["image", name] = y[:, None]
        return representations, targets

    def score(self, run: Run, fitted: TrainedModel, device: torch.device | str) -> pd.DataFrame:
        """Probe a run's representations.

        Every factor is read from both modalities by both probes. The downstream tasks are read
        from the image's representation by the nonlinear probe (App. C.1). Those probes, as they
        are, also meet images under `heavy_tails`: the split ``"ood"``.
        """
        shifted = replace(fitted, world=replace(fitted.world, environment=heavy_tails))
        samples = {
            "fit": self.represent(run, fitted, "probe fit", device),
            "test": self.represent(run, fitted, "probe test", device),
            "ood": self.represent(run, shifted, "probe shift", device),
        }
        median = samples["fit"][1]["image", SPLIT].median()
        for _, targets in samples.values():
            targets["image", BINARY] = (targets["image", SPLIT] > median).float()
        useful = [("image", name) for name in TASKS]
        factors = [key for key in samples["fit"][1] if key not in useful]
        moved = [key for key in factors if key[0] == "image" and key[1] not in UNSHIFTED]
        oracles = _predicted(run, fitted.world)
        rows = []
        for modality in ("image", "text"):
            generator = generator_for(run.seed, "probes", modality, device=device)
            deep = MLPProbe(run.scale_config.probe_steps, generator=generator)
            # the keys that are read in distribution, and those of them that are read out of it
            shallow = ("linear", LinearProbe(), factors, [])
            plans = {
                "image": [shallow, ("nonlinear", deep, factors + useful, moved + useful)],
                "text": [shallow, ("nonlinear", deep, factors, [])],
            }
            for name, probe, inside, outside in plans[modality]:
                found = probed(probe, modality, inside, samples, BINARY)
                for split, keys in (("test", inside), ("ood", outside)):
                    for key in keys:
                        known = oracles.get(key) if split == "test" else None
                        one = row(run, modality, split, name, key, found[split][key], known)
                        rows.append(one | ({"metric": "mcc"} if key[1] == BINARY else {}))
        return table(rows)


def _predicted(run: Run, world: NumericalWorld) -> dict[Key, float]:
    """Oracle of every target; empty where the theorem says nothing (controls, other widths)."""
    noise = {("image", "noise"): 0.0}
    known = None if run.variant else oracle(world, run.encoding_size)
    if known is None:
        return noise
    block = world.bias.unbiased
    useful = predicted(world.sigma_s, block, generator=generator_for(run.seed, "oracle", *block))
    known |= {("image", name): value for name, value in useful.items()}
    return noise | {key: round(value, 6) for key, value in known.items()}
