"""What the two image studies share: pictures and captions encoded, factors told (App. D, E)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

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
from misalign.studies.scores import Representations
from misalign.training.recipe import Recipe
from misalign.worlds.base import Factor
from misalign.worlds.captions import TemplateCaptions
from misalign.worlds.images import ImageWorld

if TYPE_CHECKING:
    from misalign.run import Run

POOL = 0  # seed of the pictures: there is one set of them, as of the published ones
ROWS = 512  # pictures to encode at a time
PIXELS = "pixels"  # variant whose picture encoder is a perceptron
OBJECTIVES = ("mmcl", "sym_align_max_ent", "nt_xent")


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

    The loss is the paper's Eq. (1); a study with another objective has a name of its own.
    """

    world: str
    latents: tuple[str, ...]
    variants: tuple[str, ...]
    downloaded: str  # variant of the published pictures
    semantic: tuple[Factor, ...]
    factors: tuple[Factor, ...]
    scales: Mapping[str, ImageScale]
    circular = tuple(HUES)

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

    def predicted(self, run: Run, model: TrainedModel) -> dict[Key, float]:
        """Score of each target as far as the theorem says."""
        raise NotImplementedError

    def oracle(self, run: Run, model: TrainedModel) -> dict[Key, float]:
        """Predict what encoders score that were trained."""
        return self.predicted(run, model) if run.trains else {}

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

    def _world(self, run: Run, part: str, device: torch.device | str) -> ImageWorld:
        scale = run.scale_config
        if run.variant == self.downloaded:
            pictures = self.stored().to(device)
        else:
            pictures = pool(self, scale.pictures, scale.side, str(device))
        rows = split(len(pictures), scale.shares, seed=run.resolved_world_seed)[part]
        captions = self.captions(run).to(device)
        return ImageWorld(self.factors, pictures, captions, rows.to(device))


@cache
def pool(study: ImageStudy, n: int, side: int, device: str) -> CachedImages:
    """Pictures that all runs of a study share, rendered once and kept in ``data/pictures``."""
    pictures = study.rendered(n, side).to(device)
    code = modules_hash(f"misalign.worlds.{study.world}")
    name = f"{study.world}-{n}-{side}-{POOL}-{code}.npy"
    pictures.keep(paths.DATA / "pictures" / name)
    return pictures
