"""The numerical study: section 5.1 and App. C."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from misalign.bias import Bias
from misalign.errors import invalid
from misalign.probes.regression import LinearProbe
from misalign.rng import generator_for
from misalign.run import Key, TrainedModel
from misalign.studies.downstream import BINARY, BLOCKS, SPLIT, predicted, tasks
from misalign.studies.scores import Representations, represent_samples, row
from misalign.studies.vectors import SMOKE, Scale, fast_recipe, mlp_pair
from misalign.theory.darmois import GaussianDarmois
from misalign.theory.oracle import explained, oracle
from misalign.training.loop import train
from misalign.training.recipe import Recipe
from misalign.worlds.base import Batch, Factor
from misalign.worlds.numerical import LATENTS, NumericalWorld, heavy_tails

if TYPE_CHECKING:
    from misalign.run import Run

TASKS = (*BLOCKS, BINARY)
STARTS = ("", "optimum", "darmois")
NUMBER = 10  # n_s of the paper's study
UNSHIFTED = ("m_x", "m_t", "noise")  # nothing to see there out of distribution

# the paper's world and probes, our recipe: what verdicts are to rest on
FULL = Scale(
    layers=3,
    hidden=(128, 128, 128),
    recipe=fast_recipe(3_600, 1024),
    probe_samples=20_480,
    probe_steps=10_000,
    probe_rate=1e-3,
)
SCALES = {
    "smoke": SMOKE,
    # the claim visible on two cores: two mixing layers for three, small nets, few steps, and so a
    # wider kernel at the end, which aligns sooner
    "laptop": Scale(
        layers=2,
        hidden=(128, 128),
        recipe=fast_recipe(600, 1024, tau=1.0),
        probe_samples=16_384,
        probe_steps=1_200,
    ),
    "full": FULL,
    # twice as long, to see whether anything still moves
    "double": replace(FULL, recipe=replace(FULL.recipe, steps=2 * FULL.recipe.steps)),
    # for one GPU: all runs of a figure at once
    "gpu": replace(
        FULL, hidden=(256, 256, 256), recipe=fast_recipe(8_000, 1024, 1e-2, warmup=0.05)
    ),
    # as published (App. C.1 and the authors' code): GPUs, days
    "paper": Scale(
        layers=3,
        hidden=(10, 50, 50, 50, 50, 10),
        relative=True,
        whiten=False,
        standardize=False,
        recipe=Recipe(steps=100_000, batch_size=6144, learning_rate=1e-4, second_batch=True),
        probe_samples=20_480,
        probe_steps=10_000,
        probe_rate=1e-3,
    ),
}


@dataclass(frozen=True, eq=False)
class _Lessons:
    """Pairs of an observation and what an encoder of the unbiased block makes of it.

    Of all such encoders with outputs of variance 1, `optimum` has the most entropy: the block,
    whitened. `darmois` is the paper's witness, uniform (Lemma B.1), brought to variance 1.
    """

    world: NumericalWorld
    modality: str
    start: str

    def sample(self, n: int, *, generator: torch.Generator, device: torch.device | str) -> Batch:
        batch = self.world.sample(n, generator=generator, device=device)
        block = [i - 1 for i in self.world.bias.unbiased]
        uniform = GaussianDarmois(self.world.sigma_s[block][:, block])
        s = torch.cat([batch.factors[f"s{i + 1}"] for i in block], 1)
        z = 12**0.5 * (uniform(s) - 0.5) if self.start == "darmois" else uniform.scores(s)
        return Batch(getattr(batch, self.modality), z, batch.factors, batch.text_factors)


def _teach(
    run: Run, pair: nn.ModuleDict, world: NumericalWorld, device: torch.device | str
) -> None:
    """Fit encoders to a target by regression, before they are trained."""
    start = run.option("start")
    if start not in STARTS:
        raise invalid("start", f"one of {', '.join(map(repr, STARTS))}", repr(start))
    recipe = replace(run.scale_config.recipe, objective=functional.mse_loss, floor=True)
    for modality in ("image", "text"):
        lessons = _Lessons(world, modality, start)
        pupil = {"image": pair[modality], "text": nn.Identity()}
        generator = generator_for(run.seed, "lessons", modality, device=device)
        train(pupil, lessons, recipe, generator=generator, device=device)


class Numerical:
    """Gaussian latents, invertible mixing, and every setting of Tables 2, 3 and 5."""

    name = "numerical"
    variants = ("", "untrained", "raw")
    latents = LATENTS
    scales = SCALES
    # of the recipe, of the scale, of the world; and what encoders are taught before training
    options: ClassVar = {
        **{"tau": None, "first_tau": None, "floor": None, "standardize": None},
        **{"batch_size": None, "learning_rate": None, "muon_rate": None},
        **{"noise": 1.0, "degrees": 0, "start": ""},
    }

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
        shape = {"layers": scale.layers, "seed": run.resolved_world_seed}
        drawn = {name: run.option(name) for name in ("noise", "degrees")}
        world = NumericalWorld.draw(bias, latents=run.latents, **shape, **drawn).to(device)
        if run.variant == "raw":
            identities = {"image": nn.Identity(), "text": nn.Identity()}
            return TrainedModel(world, nn.ModuleDict(identities), torch.zeros(0))
        sample = world.sample(
            scale.probe_samples,
            generator=generator_for(run.seed, "scales", device=device),
            device=device,
        )
        pair = mlp_pair(run, scale, sample)
        if run.option("start"):
            _teach(run, pair, world, device)
        return TrainedModel(world, pair, torch.zeros(0))

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

    def extra_scores(
        self, run: Run, model: TrainedModel, samples: Mapping[str, Representations]
    ) -> list[dict[str, object]]:
        """Predict linear probes' scores from what they miss of the unbiased block itself.

        Probe ``residual``: R2 of every factor given the block as far as a linear probe tells it
        from the image's representation. Where the block is badly conditioned, little is missing of
        it and much of what it says of others.
        """
        block = model.world.bias.unbiased
        if run.variant or run.encoding_size != len(block):
            return []
        z = [samples[name].z["image"] for name in ("fit", "test")]
        s = [
            torch.cat([samples[name].targets["image", f"s{i}"] for i in block], 1)
            for name in ("fit", "test")
        ]
        missed = (s[1] - LinearProbe().fit(z[0], s[0]).predict(z[1])).double()
        covariance = missed.mT @ missed / len(missed)
        sigma = model.world.sigma_s.cpu()
        shares = explained(sigma, block, covariance.cpu()), explained(sigma, block)
        return [
            row(run, "image", "test", "residual", ("image", f"s{j}"), "r2", share, oracle)
            for j, (share, oracle) in enumerate(zip(*map(Tensor.tolist, shares), strict=True), 1)
        ]
