"""What the two image studies share: pictures and captions encoded, factors told (App. D, E)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import pandas as pd
import torch
from torch import Tensor, nn

from misalign.bias import Bias
from misalign.encoders.published import resnet, token_cnn
from misalign.encoders.small import CaptionEncoder, ImageEncoder, PixelEncoder
from misalign.errors import invalid
from misalign.evaluation import row, table
from misalign.images.base import Images, split
from misalign.images.cached import CachedImages
from misalign.metrics import multiclass_mcc, r2
from misalign.paths import DATA
from misalign.probes.classification import Classifier
from misalign.probes.regression import LinearProbe, MLPProbe
from misalign.provenance import modules_hash
from misalign.rng import generator_for
from misalign.run import Key, Read, TrainedModel
from misalign.training.loop import Recipe
from misalign.worlds.base import Factor
from misalign.worlds.captions import TemplateCaptions, is_hue
from misalign.worlds.images import ImageWorld

if TYPE_CHECKING:
    from misalign.run import Run

POOL = 0  # seed of the pictures: there is one set of them, as of the published ones
ROWS = 512  # pictures to encode at a time
PIXELS = "pixels"  # variant whose picture encoder is a perceptron
CIRCLE = "r2_circle"  # metric: mean R2 of a hue's cosine and sine
OBJECTIVES = ("mmcl", "sym_align_max_ent", "nt_xent")


@dataclass(frozen=True)
class ImageScale:
    """Everything about a run of an image study that its scale decides.

    Parameters
    ----------
    side : int
        Pixels a side.
    pictures : int
        How many there are.
    shares : tuple of int
        Of training, evaluation (where probes are fitted) and test, see `misalign.images.split`.
    trunk : tuple of (int, int, int)
        Convolutions of the picture encoder; none stands for the published encoders.
    hidden, width : int
        Of the small encoders, see `misalign.encoders.small`.
    recipe : Recipe
        Training.
    probe_steps : int
        Length of a probe's training.
    oracle_draws : int, optional
        Samples that the oracle is computed from, where it has no closed form.
    """

    side: int
    pictures: int
    shares: tuple[int, int, int]
    trunk: tuple[tuple[int, int, int], ...]
    hidden: int
    width: int
    recipe: Recipe
    probe_steps: int
    oracle_draws: int = 1_000_000


def laptop(trunk: tuple[tuple[int, int, int], ...], steps: int) -> ImageScale:
    """Small pictures, few of them, small nets: the claim visible on two cores."""
    return ImageScale(
        side=64,
        pictures=28_672,
        shares=(5, 1, 1),
        trunk=trunk,
        hidden=128,
        width=64,
        recipe=_recipe(steps, 256, learning_rate=3e-3),
        probe_steps=800,
    )


def live(trunk: tuple[tuple[int, int, int], ...], steps: int) -> ImageScale:
    """The laptop's pictures and nets, but so few of them that a page renders its own."""
    return replace(laptop(trunk, steps), pictures=8_960)


def smoke(trunk: tuple[tuple[int, int, int], ...]) -> ImageScale:
    """Seconds; proves the wiring and claims nothing."""
    tiny = tuple((8, kernel, stride) for _, kernel, stride in trunk)
    recipe = _recipe(4, 32, learning_rate=3e-3)
    return ImageScale(32, 224, (5, 1, 1), tiny, 16, 8, recipe, 24, oracle_draws=20_000)


def gpu(side: int, pictures: int, shares: tuple[int, int, int]) -> ImageScale:
    """The paper's number of pictures and our recipe, for one GPU."""
    recipe = replace(_recipe(5000, 512, learning_rate=2e-3), muon_rate=0.02, autocast=True)
    trunk = ((64, 5, 2), (128, 3, 2), (256, 3, 2), (256, 3, 2))
    return ImageScale(side, pictures, shares, trunk, 512, 128, recipe, 2000)


def published(side: int, pictures: int, shares: tuple[int, int, int], steps: int) -> ImageScale:
    """Encoders and training as published; probes keep their own rate."""
    recipe = Recipe(
        steps=steps, batch_size=256, learning_rate=1e-5, objective="mmcl", prefetch_steps=1
    )
    return ImageScale(side, pictures, shares, (), 0, 0, recipe, 10_000)


def _recipe(steps: int, batch_size: int, learning_rate: float) -> Recipe:
    return Recipe(
        steps=steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        muon_rate=0.03,
        warmup=0.05,
        decay=True,
        objective="mmcl",
        prefetch_steps=1,
    )


class ImageStudy:
    """A study of pictures and captions; its two worlds say what they are.

    Parameters
    ----------
    objective : {"mmcl", "sym_align_max_ent", "nt_xent"}, optional
        Loss. The paper's Eq. (1) by default; a study with another one has a name of its own.
    """

    world: str
    latents: tuple[str, ...]
    variants: tuple[str, ...]
    downloaded: str  # variant of the published pictures
    semantic: tuple[Factor, ...]
    factors: tuple[Factor, ...]
    scales: Mapping[str, ImageScale]

    def __init__(self, objective: str = "mmcl") -> None:
        known = ", ".join(OBJECTIVES)
        if objective not in OBJECTIVES:
            raise invalid("objective", f"one of {known}", repr(objective))
        own = objective == "mmcl"
        self.name = self.world if own else f"{self.world}_{objective}"
        self.scales = {
            name: replace(scale, recipe=replace(scale.recipe, objective=objective))
            for name, scale in self.scales.items()
        }

    def bias(self, bias: str, setting: int) -> Bias:
        """Look a setting up."""
        raise NotImplementedError

    def captions(self, run: Run) -> TemplateCaptions:
        """What captions of a run say."""
        raise NotImplementedError

    def rendered(self, n: int, side: int) -> CachedImages:
        """Pictures of this world, not rendered yet."""
        raise NotImplementedError

    def stored(self) -> Images:
        """The published pictures, or a FileNotFoundError that says where to get them."""
        raise NotImplementedError

    def oracle(self, run: Run, model: TrainedModel) -> dict[Key, float]:
        """Predicted score of the picture's factors, as far as the theorem says."""
        raise NotImplementedError

    def initial(self, run: Run, device: torch.device | str) -> TrainedModel:
        """Draw a run's encoders before training; its world draws from the training pictures."""
        world = self._world(run, "train", device)
        scale, size = run.scale_config, run.encoding_size
        captions = world.captions
        seeds = {
            name: generator_for(run.seed, "initial weights", name) for name in ("image", "text")
        }
        words = {"words": len(captions.vocabulary), "length": captions.length}
        side = scale.side
        if run.variant == self.downloaded:  # published pictures have a size of their own
            side = world.pictures.images(world.part[:1]).shape[-1]
        if run.variant == PIXELS:
            small = "a scale whose encoders are ours"
            if not scale.trunk:
                raise invalid("scale", f"{small}, for the variant {PIXELS!r}", repr(run.scale))
            hidden = (scale.hidden, scale.hidden)
            image = PixelEncoder(size, hidden, generator=seeds["image"])
        elif scale.trunk:
            options = {"side": side, "hidden": scale.hidden}
            image = ImageEncoder(size, scale.trunk, **options, generator=seeds["image"])
        else:
            image = resnet(size, generator=seeds["image"])
        if scale.trunk:
            options = {"width": scale.width, "hidden": scale.hidden}
            text = CaptionEncoder(size, **words, **options, generator=seeds["text"])
        else:
            text = token_cnn(size, **words, generator=seeds["text"])
        pair = nn.ModuleDict({"image": image, "text": text}).to(device).eval()
        return TrainedModel(world, pair, torch.zeros(0))

    @torch.no_grad()
    def represent(
        self, run: Run, fitted: TrainedModel, purpose: str, device: torch.device | str
    ) -> Read:
        """Represent pictures that no encoder was trained on, each once, with a caption each.

        Targets are every factor of the picture, the template of the caption, ``phrase``, and what
        captions say of perturbed factors.
        """
        world = self._world(run, "test" if purpose == "probe test" else "evaluation", device)
        generator = generator_for(run.seed, purpose, device=device)
        z: dict[str, list[Tensor]] = {"image": [], "text": []}
        targets: dict[Key, list[Tensor]] = {}
        for rows in world.part.split(ROWS):
            values = {f.name: world.pictures.factors[f.name][rows] for f in self.factors}
            s_tilde, template = world.captions.sample_content(values, generator=generator)
            tokens = world.captions.encode(s_tilde, template, generator=generator)
            images = world.pictures.images(rows).to(device).float().div_(255)
            for name, x in (("image", images), ("text", tokens)):
                z[name].append(fitted.encoders[name](x).float())
            found = {("image", name): column for name, column in values.items()}
            found["text", "phrase"] = template
            found |= {("text", f.name): s_tilde[f.name] for f in world.captions.perturbed}
            for key, column in found.items():
                targets.setdefault(key, []).append(column[:, None])
        whole = {name: torch.cat(parts) for name, parts in z.items()}
        return whole, {key: torch.cat(parts) for key, parts in targets.items()}

    def score(self, run: Run, fitted: TrainedModel, device: torch.device | str) -> pd.DataFrame:
        """Read every target from both modalities by both probes.

        Discrete factors score MCC, continuous ones R2. Hues wrap, so they also score the mean R2
        of cosine and sine.
        """
        samples = [self.represent(run, fitted, f"probe {name}", device) for name in ("fit", "test")]
        known = {} if run.variant == "untrained" else self.oracle(run, fitted)
        rows = []
        for modality in ("image", "text"):
            for probe in ("linear", "nonlinear"):
                generator = generator_for(run.seed, "probes", modality, probe, device=device)
                found = _read(self._kinds(fitted.world), modality, probe, run, samples, generator)
                for (key, metric), value in found.items():
                    oracle = known.get(key) if metric != CIRCLE else None
                    one = row(run, modality, "test", probe, key, value, oracle)
                    rows.append(one | {"metric": metric})
        return table(rows)

    def _kinds(self, world: ImageWorld) -> dict[str, Factor]:
        return {factor.name: factor for factor in world.factors}

    def _world(self, run: Run, part: str, device: torch.device | str) -> ImageWorld:
        scale = run.scale_config
        if run.variant == self.downloaded:
            pictures = self.stored().to(device)
        else:
            pictures = pool(self, scale.pictures, scale.side, str(device))
        rows = split(len(pictures), scale.shares, seed=run.seed)[part]
        captions = self.captions(run).to(device)
        return ImageWorld(self.factors, pictures, captions, rows.to(device))


@cache
def pool(study: ImageStudy, n: int, side: int, device: str) -> CachedImages:
    """Pictures that all runs of a study share, rendered once and kept in ``data/pictures``."""
    pictures = study.rendered(n, side).to(device)
    code = modules_hash(f"misalign.worlds.{study.world}")
    name = f"{study.world}-{n}-{side}-{POOL}-{code}.npy"
    pictures.keep(DATA / "pictures" / name)
    return pictures


def _read(
    kinds: Mapping[str, Factor],
    modality: str,
    probe: str,
    run: Run,
    samples: list[Read],
    generator: torch.Generator,
) -> dict[tuple[Key, str], float]:
    """Scores of one kind of probe by target and metric."""
    (z, targets), (z_test, truth) = ((read[0][modality], read[1]) for read in samples)
    deep = probe == "nonlinear"
    steps = run.scale_config.probe_steps
    classes = [key for key in targets if kinds[key[1]].kind == "discrete"]
    numbers = [key for key in targets if key not in classes]
    found = {}
    options = {} if deep else {"hidden": 0}
    classifier = Classifier(steps, **options, generator=generator)
    labels = torch.cat([targets[key] for key in classes], 1)
    classifier.fit(z, labels, [kinds[key[1]].size for key in classes])
    for key, guess in zip(classes, classifier.predict(z_test).mT, strict=True):
        found[key, "mcc"] = multiclass_mcc(truth[key][:, 0], guess)
    if not numbers:
        return found
    fitted = MLPProbe(steps, generator=generator) if deep else LinearProbe()
    hues = [key for key in numbers if is_hue(kinds[key[1]])]

    def columns(values: Mapping[Key, Tensor]) -> Tensor:
        turns = [2 * math.pi * values[key] for key in hues]
        circles = [part for turn in turns for part in (turn.cos(), turn.sin())]
        return torch.cat([*(values[key] for key in numbers), *circles], 1)

    fitted.fit(z, columns(targets))
    scores = r2(columns(truth), fitted.predict(z_test))
    straight, round_ = scores[: len(numbers)], scores[len(numbers) :].view(-1, 2).mean(1)
    found |= {(key, "r2"): one for key, one in zip(numbers, straight.tolist(), strict=True)}
    return found | {(key, CIRCLE): one for key, one in zip(hues, round_.tolist(), strict=True)}
