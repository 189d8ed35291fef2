"""The numerical study: section 5.1 and App. C."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import nn

from misalign.bias import Bias
from misalign.rng import generator_for
from misalign.run import Key, TrainedModel
from misalign.studies.downstream import BINARY, BLOCKS, SPLIT, predicted, tasks
from misalign.studies.scores import Representations, represent_samples
from misalign.studies.vectors import SMOKE, Scale, fast_recipe, mlp_pair
from misalign.theory.oracle import oracle
from misalign.training.recipe import Recipe
from misalign.worlds.base import Factor
from misalign.worlds.numerical import LATENTS, NumericalWorld, heavy_tails

if TYPE_CHECKING:
    from misalign.run import Run

TASKS = (*BLOCKS, BINARY)
NUMBER = 10  # n_s of the paper's study
UNSHIFTED = ("m_x", "m_t", "noise")  # nothing to see there out of distribution

SCALES = {
    "smoke": SMOKE,
    # the claim visible on two cores: two mixing layers for three, small nets, few steps
    "laptop": Scale(
        layers=2,
        hidden=(128, 128),
        recipe=fast_recipe(600, 512),
        probe_samples=16_384,
        probe_steps=1_200,
    ),
    # the paper's three mixing layers and our recipe, for one GPU: all runs of a figure at once
    "gpu": Scale(
        layers=3,
        hidden=(256, 256, 256),
        recipe=fast_recipe(8_000, 1024, 1e-2, warmup=0.05),
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

    def takes_bias(self, bias: Bias) -> bool:
        """Whether the world can have a bias: one of noise that omits always or never."""
        return bias.kind == "noise" and not bias.omission_probability

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
        self, run: Run, model: TrainedModel, purpose: str, device: torch.device | str
    ) -> Representations:
        """Represent fresh samples, and give the targets that probes predict from them.

        Targets are every true factor, what captions say of the perturbed ones, ``noise``, which
        nothing predicts, and, where there are as many factors as in the paper, y1 to y4.
        """
        generator = generator_for(run.seed, purpose, device=device)
        samples = run.scale_config.probe_samples
        found = represent_samples(model, samples, generator)
        noise = torch.randn(samples, 1, generator=generator, device=device)
        names = [f"s{i}" for i in range(1, model.world.bias.n + 1)]
        s = torch.cat([found.targets["image", name] for name in names], 1)
        columns = {"noise": noise}
        if len(names) == NUMBER:
            columns |= dict(zip(BLOCKS, tasks(s).mT, strict=True))
        for name, y in columns.items():
            found.targets["image", name] = y.view(-1, 1)
            found.factors["image", name] = Factor(name)
        return found

    def samples(
        self, run: Run, model: TrainedModel, device: torch.device | str
    ) -> dict[str, Representations]:
        """Represent samples to fit probes on and to test them, also under `heavy_tails`.

        Out of distribution, split ``"ood"``, there are only images, and of the factors those that
        anything happens to. y2 is also posed as a yes or no, at the median of the first samples.
        """
        found = {
            "fit": self.represent(run, model, "probe fit", device),
            "test": self.represent(run, model, "probe test", device),
        }
        if model.world.bias.n != NUMBER:  # a bias of one's own, and no tasks of the paper's
            return found
        shifted = replace(model, world=replace(model.world, environment=heavy_tails))
        found["ood"] = self.represent(run, shifted, "probe shift", device)
        median = found["fit"].targets["image", SPLIT].median()
        for one in found.values():
            one.targets["image", BINARY] = (one.targets["image", SPLIT] > median).long()
            one.factors["image", BINARY] = Factor(BINARY, "discrete", 2)
        return found

    def reads(self, modality: str, probe: str, split: str, key: Key) -> bool:
        """Downstream tasks, and whatever is out of distribution, by perceptrons from images."""
        if key[1] in TASKS or split == "ood":
            moved = split != "ood" or (key[0] == "image" and key[1] not in UNSHIFTED)
            return modality == "image" and probe == "nonlinear" and moved
        return True

    def oracle(self, run: Run, model: TrainedModel) -> dict[Key, float]:
        """Predict every target; nothing where the theorem is silent (controls, other widths)."""
        noise = {("image", "noise"): 0.0}
        world, bias = model.world, model.world.bias
        known = None if run.variant else oracle(world, run.encoding_size)
        if known is None or bias.n != NUMBER:
            return noise | (known or {})
        generator = generator_for(run.seed, "oracle", *bias.unbiased)
        draws = run.scale_config.oracle_draws
        useful = predicted(world.sigma_s, bias.unbiased, draws=draws, generator=generator)
        return noise | known | {("image", name): value for name, value in useful.items()}
