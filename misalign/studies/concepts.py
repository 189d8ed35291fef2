"""The case study in miniature: captions name concepts more or less often (slides, validation 2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from misalign.bias import Bias
from misalign.errors import check_int, invalid
from misalign.images.cached import CachedImages
from misalign.metrics import confusion, corrected, expected_chance, macro_f1
from misalign.studies.images import POOL, ImageScale, ImageStudy, laptop, live, smoke
from misalign.studies.scores import Representations, row
from misalign.worlds import concepts
from misalign.worlds.concepts import GROUPS, ConceptCaptions

if TYPE_CHECKING:
    from misalign.run import Key, Run, TrainedModel

# a group's share of captions, from the most to the least often named: 50 % to 0.1 %
LEVELS = tuple(np.logspace(np.log10(0.5), -3, len(GROUPS)).round(5).tolist())
# "breadth": so many groups named, equally often, so that a caption has two words of them on average
BREADTHS = (2, 4, 7, 10)
BUDGET = 2
STRIDE = 3  # groups are taken in steps of 3, so that few named ones are of all kinds
# "omission": everything at 30 %, but for the background, which is named so often
OTHERS, LEFT_OUT = 0.3, "background"
HOW_OFTEN = (0.0, 0.001, 0.01, 0.05, 0.3, 1.0)

TRUNK = ((32, 4, 4), (64, 3, 2), (128, 3, 2))
SIDE = 48


def coverage(bias: str, setting: int) -> tuple[float, ...]:
    """Share of captions that name each of `misalign.worlds.concepts.GROUPS`.

    Parameters
    ----------
    bias : {"coverage", "breadth", "omission"}
        ``coverage``: the ten `LEVELS`, moved on by a group a setting, so that over the ten
        settings every group has every level once. ``breadth``: two words a caption, spread over
        `BREADTHS` groups. ``omission``: the background in `HOW_OFTEN` of the captions.
    setting : int
        1-based; if there is no such bias or setting, that is a ValueError.
    """
    known = {"coverage": len(LEVELS), "breadth": len(BREADTHS), "omission": len(HOW_OFTEN)}
    if bias not in known:
        raise invalid("bias", f"one of {', '.join(known)}", repr(bias))
    check_int("setting", setting, 1, known[bias], f"{bias} bias")
    places = range(len(GROUPS))
    if bias == "coverage":
        return tuple(LEVELS[(place - setting + 1) % len(LEVELS)] for place in places)
    if bias == "breadth":
        count = BREADTHS[setting - 1]
        named = {STRIDE * place % len(GROUPS) for place in range(count)}
        return tuple(BUDGET / count if place in named else 0.0 for place in places)
    return tuple(HOW_OFTEN[setting - 1] if name == LEFT_OUT else OTHERS for name in GROUPS)


def _gentle(scale: ImageScale) -> ImageScale:
    """Smaller pictures, and lower rates than where every caption names everything.

    Most captions here say next to nothing, so the first losses are large beside what there is to
    learn, and at full rates they leave most hidden units dead.
    """
    recipe = replace(scale.recipe, learning_rate=2e-3, muon_rate=0.02, warmup=0.1)
    return replace(scale, side=SIDE, recipe=recipe, probe_steps=400)


class Concepts(ImageStudy):
    """Ten groups of concepts, independent, named by captions in given shares of the pictures."""

    world = "concepts"
    latents = ("independent",)
    variants = ("", "untrained")
    downloaded = "none"  # there are no published pictures of this world
    semantic, factors = concepts.SEMANTIC, concepts.FACTORS
    scales = {
        "smoke": replace(smoke(TRUNK), side=24),
        "live": _gentle(live(TRUNK, 240)),
        "laptop": _gentle(laptop(TRUNK, 800)),
    }

    def bias(self, bias: str, setting: int) -> Bias:
        """Groups that captions ever name; arguments as for `coverage`."""
        shares = coverage(bias, setting)
        return Bias(len(GROUPS), tuple(i for i, share in enumerate(shares, 1) if share > 0))

    def captions(self, run: Run) -> ConceptCaptions:
        """Captions that name groups as often as the run's setting says."""
        return ConceptCaptions(coverage(run.bias, run.setting))

    def rendered(self, n: int, side: int) -> CachedImages:
        """Pictures of scenes drawn at random."""
        return concepts.rendered(n, seed=POOL, size=side)

    def predicted(self, run: Run, model: TrainedModel) -> dict[Key, float]:
        """Nothing: the theorem speaks of captions that always name a group, or never."""
        return {}

    def reads(self, modality: str, probe: str, split: str, key: Key) -> bool:
        """Groups, from images, by a linear classifier."""
        return modality == "image" and probe == "linear" and key[1] in GROUPS

    def extra_scores(
        self, run: Run, model: TrainedModel, samples: Mapping[str, Representations]
    ) -> list[dict[str, object]]:
        """Zero-shot macro-F1 of every group, from images.

        Beside it, as metrics of their own: chance, the macro-F1 that the same predictions have on
        average against permuted labels; the score corrected for it; and the group's coverage.
        """
        test, rows = samples["test"], []
        z, shares = test.z["image"], model.world.captions.coverage
        for factor, share in zip(self.semantic, shares, strict=True):
            key = ("image", factor.name)
            guess = nearest(z, prompted(model, factor.name, z.device)).cpu()
            counts = confusion(test.targets[key][:, 0].cpu(), guess, factor.size)
            f1, luck = macro_f1(counts), expected_chance(counts)
            scores = {"f1": f1, "f1_chance": luck, "f1_corrected": corrected(f1, luck)}
            for metric, value in (scores | {"coverage": share}).items():
                rows.append(row(run, "image", "test", "zero-shot", key, metric, value))
        return rows


@torch.no_grad()
def prompted(model: TrainedModel, group: str, device: torch.device | str = "cpu") -> Tensor:
    """Encode a group's concepts as captions that name nothing else, such as "a picture red".

    One representation a concept, the mean over the openings: shape (concepts, size).
    """
    captions = model.world.captions
    count, openings = len(concepts.WORDS[group]), captions.templates
    template = torch.arange(openings, device=device).repeat_interleave(count)
    values = {group: torch.arange(count, device=device).repeat(openings)}
    named = torch.zeros(len(template), len(GROUPS), dtype=torch.bool, device=device)
    named[:, GROUPS.index(group)] = True
    z = model.encoders["text"](captions.tokens(values, named, template)).float()
    return z.view(openings, count, -1).mean(0)


def nearest(z: Tensor, prompts: Tensor) -> Tensor:
    """Which prompt is nearest to each image's z, (n, size), as Eq. (1) measures it: shape (n,)."""
    return torch.cdist(z, prompts).argmin(1)
