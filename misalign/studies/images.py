"""What the two image studies share: pictures and captions encoded, factors told (App. D, E)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from misalign import paths
from misalign.bias import Bias
from misalign.encoders.published import resnet, token_cnn
from misalign.encoders.small import CaptionEncoder, ImageEncoder, PixelEncoder
from misalign.errors import invalid
from misalign.images.base import Images, split
from misalign.images.cached import CachedImages
from misalign.images.layout import HUES
from misalign.probes.base import RATE
from misalign.provenance import modules_hash
from misalign.rng import generator_for
from misalign.run import Key, TrainedModel
from misalign.studies.scores import Representations, row
from misalign.training.loop import train
from misalign.training.recipe import Recipe
from misalign.worlds.base import Factor
from misalign.worlds.captions import TemplateCaptions
from misalign.worlds.images import ImageWorld
from misalign.worlds.sight import Answers, PerfectSight
from misalign.worlds.stored_captions import StoredCaptions

if TYPE_CHECKING:
    from misalign.run import Run

POOL = 0  # seed of the pictures: there is one set of them, as of the published ones
ROWS = 512  # pictures to encode at a time
PIXELS = "pixels"  # variant whose picture encoder is a perceptron
ONCE = "once"  # variant whose pictures have one caption each, rather than a new one every time
SIGHT = "sight"  # variant whose picture encoder is given the factors, a token each
SUPERVISED = "supervised"  # objective of nets that are told every factor of a picture
OBJECTIVES = ("mmcl", "sym_align_max_ent", "nt_xent", SUPERVISED)


@dataclass(frozen=True)
class ImageScale:
    """Everything about a run of an image study that its scale decides.

    Parameters
    ----------
    side, pictures, shares : int, int, tuple of int
        Pixels a side, and how many pictures; their shares of training, evaluation (where probes are
        fitted) and test, as `misalign.images.base.split` takes them.
    trunk : tuple of (int, int, int)
        Convolutions of the picture encoder; none stands for the published encoders.
    hidden, width : int
        Of the small encoders, see `misalign.encoders.small`.
    recipe, probe_steps, probe_rate : Recipe, int, float
        Training; length of a probe's training, and Adam's first rate in it.
    oracle_draws : int, optional
        Samples that the oracle is computed from, where it has no closed form.
    training_steps : int, optional
        In place of the recipe's steps.
    warmup_steps : int, optional
        Steps before that in which captions tell the truth of the study's `first` factors alone,
        as far as the run's own do; whatever else they name is drawn anew. By default none.
    """

    side: int
    pictures: int
    shares: tuple[int, int, int]
    trunk: tuple[tuple[int, int, int], ...]
    hidden: int
    width: int
    recipe: Recipe
    probe_steps: int
    probe_rate: float = RATE
    oracle_draws: int = 1_000_000
    training_steps: int | None = None
    warmup_steps: int = 0

    def __post_init__(self) -> None:
        if self.training_steps is not None:
            # the class is frozen, but for what is made of its arguments
            vars(self)["recipe"] = replace(self.recipe, steps=self.training_steps)


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


def long(trunk: tuple[tuple[int, int, int], ...], steps: int, warmup_steps: int = 0) -> ImageScale:
    """Pictures enough for a net to see everything, and trained until the loss is flat."""
    short = laptop(trunk, steps)
    recipe = replace(short.recipe, autocast=True)
    shares = {"pictures": 65_536, "shares": (14, 1, 1)}
    return replace(short, **shares, recipe=recipe, warmup_steps=warmup_steps, probe_steps=2_000)


def gpu(side: int, pictures: int, shares: tuple[int, int, int]) -> ImageScale:
    """The paper's number of pictures and our recipe, for one GPU."""
    recipe = replace(_recipe(5000, 512, learning_rate=2e-3), muon_rate=0.02, autocast=True)
    trunk = ((64, 5, 2), (128, 3, 2), (256, 3, 2), (256, 3, 2))
    return ImageScale(side, pictures, shares, trunk, 512, 128, recipe, 2000)


def published(side: int, pictures: int, shares: tuple[int, int, int], steps: int) -> ImageScale:
    """Encoders, training and probes as published."""
    recipe = Recipe(
        steps=steps, batch_size=256, learning_rate=1e-5, objective="mmcl", prefetch_steps=1
    )
    return ImageScale(side, pictures, shares, (), 0, 0, recipe, 10_000, 1e-3)


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

    The loss is the paper's Eq. (1); a study with another objective has a name of its own. One of
    them is no contrast, but a control of what can be seen: ``"supervised"``, squared error of a
    picture's encoder that predicts all factors (`misalign.worlds.sight.Answers`).
    """

    world: str
    latents: tuple[str, ...]
    variants: tuple[str, ...]
    downloaded: str  # variant of the published pictures
    semantic: tuple[Factor, ...]
    factors: tuple[Factor, ...]
    first: tuple[str, ...] = ()  # factors that are hard to see, which a warm-up is about
    scales: Mapping[str, ImageScale]
    circular = tuple(HUES)
    # in place of the scale's and its recipe's
    options = dict.fromkeys(
        ("batch_size", "tau", "first_tau", "learning_rate", "muon_rate")
        + ("training_steps", "warmup_steps")
    )

    def __init__(self, objective: str = "mmcl") -> None:
        known = ", ".join(OBJECTIVES)
        if objective not in OBJECTIVES:
            raise invalid("objective", f"one of {known}", repr(objective))
        self.supervised = objective == SUPERVISED
        self.name = self.world if objective == "mmcl" else f"{self.world}_{objective}"
        loss = functional.mse_loss if self.supervised else objective
        self.scales = {
            name: replace(scale, recipe=replace(scale.recipe, objective=loss))
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

    def predicted(self, run: Run, model: TrainedModel) -> dict[Key, float]:
        """Score of each target as far as the theorem says."""
        raise NotImplementedError

    def oracle(self, run: Run, model: TrainedModel) -> dict[Key, float]:
        """Predict what encoders score that were trained."""
        return self.predicted(run, model) if run.trains and not self.supervised else {}

    def reads(self, modality: str, probe: str, split: str, key: Key) -> bool:
        """Whether a probe reads a target: what a supervised net was told, from pictures alone."""
        return not self.supervised or (modality, key[0]) == ("image", "image")

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
        if run.variant in (PIXELS, SIGHT) and not scale.trunk:
            small = f"a scale whose encoders are ours, for the variant {run.variant!r}"
            raise invalid("scale", small, repr(run.scale))
        if run.variant == PIXELS:
            hidden = (scale.hidden, scale.hidden)
            image = PixelEncoder(size, hidden, generator=seeds["image"])
        elif run.variant == SIGHT:
            tokens = {"words": 1 + sum(world.sizes), "length": len(world.known)}
            options = {"width": scale.width, "hidden": scale.hidden}
            image = CaptionEncoder(size, **tokens, **options, generator=seeds["image"])
        elif scale.trunk:
            options = {"side": side, "hidden": scale.hidden}
            image = ImageEncoder(size, scale.trunk, **options, generator=seeds["image"])
        else:
            image = resnet(size, generator=seeds["image"])
        if self.supervised:
            if size != world.width:
                raise invalid("encoding_size", f"{world.width}, one a number to predict", size)
            text = nn.Identity()
        elif scale.trunk:
            options = {"width": scale.width, "hidden": scale.hidden}
            text = CaptionEncoder(size, **words, **options, generator=seeds["text"])
        else:
            text = token_cnn(size, **words, generator=seeds["text"])
        pair = nn.ModuleDict({"image": image, "text": text}).to(device).eval()
        if scale.warmup_steps and run.trains:
            self._warm_up(run, pair, world, device)
        return TrainedModel(world, pair, torch.zeros(0))

    def _warm_up(
        self, run: Run, pair: nn.ModuleDict, world: ImageWorld, device: torch.device | str
    ) -> None:
        """Train encoders on captions that are true of nothing but what is hard to see."""
        bias = world.bias
        true = {i for i in bias.unbiased if self.semantic[i - 1].name in self.first}
        rest = tuple(i for i in bias.selected if i not in true)
        if not true or not rest:
            return
        wrong = replace(bias, perturbed=rest, probability=1.0)
        captions = replace(world.captions, bias=wrong)
        recipe = replace(run.scale_config.recipe, steps=run.scale_config.warmup_steps)
        generator = generator_for(run.seed, "warm-up batches", device=device)
        world = replace(world, captions=captions)
        train(pair, world, recipe, generator=generator, device=device)

    @torch.no_grad()
    def represent(
        self, run: Run, model: TrainedModel, purpose: str, device: torch.device | str
    ) -> Representations:
        """Represent pictures that no encoder was trained on, each once, with a caption each.

        Targets are every factor of the picture, the template of the caption, ``phrase``, and what
        captions say of perturbed factors.
        """
        world = self._world(run, "test" if purpose == "probe test" else "evaluation", device)
        generator = generator_for(run.seed, purpose, device=device)
        kinds = {factor.name: factor for factor in world.factors}
        perturbed = [world.factors[i - 1].name for i in world.bias.perturbed]
        z: dict[str, list[Tensor]] = {"image": [], "text": []}
        targets: dict[Key, list[Tensor]] = {}
        for rows in world.part.split(ROWS):
            batch = world.pairs(rows, generator=generator)
            for name, x in (("image", batch.image), ("text", batch.text)):
                z[name].append(model.encoders[name](x).float())
            said = batch.text_factors | batch.content  # s_tilde in the factors' own units
            found = {
                ("text" if kinds[name].side == "text" else "image", name): column
                for name, column in batch.factors.items()
            }
            found |= {("text", name): said[name] for name in perturbed}
            for key, column in found.items():
                targets.setdefault(key, []).append(column)
        return Representations(
            {name: torch.cat(parts) for name, parts in z.items()},
            {key: torch.cat(parts) for key, parts in targets.items()},
            {key: kinds[key[1]] for key in targets},
        )

    def extra_scores(
        self, run: Run, model: TrainedModel, samples: Mapping[str, Representations]
    ) -> list[dict[str, object]]:
        """Share of a representation's variance that lies within captions of one meaning.

        Where the unbiased factors are discrete: 1 less what their combination explains.
        """
        test = samples["test"]
        told = [
            test.targets["image", self.semantic[i - 1].name] for i in run.resolved_bias.unbiased
        ]
        if self.supervised or not told or any(one.is_floating_point() for one in told):
            return []
        _, cell, counts = torch.cat(told, 1).unique(dim=0, return_inverse=True, return_counts=True)
        rows = []
        for modality, z in test.z.items():
            means = z.new_zeros(len(counts), z.shape[1]).index_add_(0, cell, z) / counts[:, None]
            # each mean was fitted to its own samples
            left = (z - means[cell]).square().sum(0) * len(z) / (len(z) - len(counts))
            share = (left.sum() / (z - z.mean(0)).square().sum()).item()
            rows.append(row(run, modality, "test", "none", ("image", "within"), "share", share))
        return rows

    def _world(self, run: Run, part: str, device: torch.device | str) -> ImageWorld:
        scale = run.scale_config
        kind = Answers if self.supervised else ImageWorld
        if run.variant == self.downloaded:
            pictures = self.stored().to(device)
        elif run.variant == SIGHT:
            pictures, kind = self.rendered(scale.pictures, scale.side).to(device), PerfectSight
        else:
            pictures = pool(self, scale.pictures, scale.side, str(device))
        rows = split(len(pictures), scale.shares, seed=run.resolved_world_seed)[part]
        captions = self.captions(run)
        if run.variant == ONCE:
            generator = generator_for(run.resolved_world_seed, "captions")
            captions = StoredCaptions.written(captions, pictures.factors, generator=generator)
        captions = captions.to(device)
        return kind(self.factors, pictures, captions, rows.to(device))


@cache
def pool(study: ImageStudy, n: int, side: int, device: str) -> CachedImages:
    """Pictures that all runs of a study share, rendered once and kept in ``data/pictures``."""
    pictures = study.rendered(n, side).to(device)
    code = modules_hash(f"misalign.worlds.{study.world}")
    name = f"{study.world}-{n}-{side}-{POOL}-{code}.npy"
    pictures.keep(paths.DATA / "pictures" / name)
    return pictures
