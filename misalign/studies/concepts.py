"""The case study in miniature: captions name concepts more or less often (slides, validation 2)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from misalign.bias import Bias
from misalign.errors import check_int, invalid
from misalign.evaluation import row, table
from misalign.images.cached import CachedImages
from misalign.metrics import confusion, corrected, expected_chance, macro_f1, multiclass_mcc
from misalign.probes.classification import Classifier
from misalign.rng import generator_for
from misalign.run import Read, TrainedModel
from misalign.studies.images import POOL, ROWS, ImageScale, ImageStudy, laptop, live, smoke
from misalign.worlds import concepts
from misalign.worlds.concepts import GROUPS, ConceptCaptions

if TYPE_CHECKING:
    from misalign.run import Run

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
        1-based.

    Returns
    -------
    tuple of float

    Raises
    ------
    ValueError
        If there is no such bias or setting.
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

    @torch.no_grad()
    def represent(
        self, run: Run, fitted: TrainedModel, purpose: str, device: torch.device | str
    ) -> Read:
        """Represent pictures that no encoder was trained on, each once; targets are the groups."""
        world = self._world(run, "test" if purpose == "probe test" else "evaluation", device)
        generator = generator_for(run.seed, purpose, device=device)
        batches = [world.pairs(rows, generator=generator) for rows in world.part.split(ROWS)]
        z = {
            name: torch.cat([fitted.encoders[name](getattr(one, name)).float() for one in batches])
            for name in ("image", "text")
        }
        targets = {
            ("image", name): torch.cat([one.factors[name] for one in batches]) for name in GROUPS
        }
        return z, targets

    def score(self, run: Run, fitted: TrainedModel, device: torch.device | str) -> pd.DataFrame:
        """Zero-shot macro-F1 and a linear classifier's MCC of every group, from pictures.

        Beside them, as metrics of their own: chance, the macro-F1 that the same predictions have
        on average against permuted labels; the score corrected for it; and the group's coverage.
        """
        fit, test = (
            self.represent(run, fitted, f"probe {name}", device) for name in ("fit", "test")
        )
        generator = generator_for(run.seed, "probes", device=device)
        keys = [("image", name) for name in GROUPS]
        classes = torch.cat([fit[1][key] for key in keys], 1)
        sizes = [factor.size for factor in self.semantic]
        probe = Classifier(run.scale_config.probe_steps, hidden=0, generator=generator)
        guesses = probe.fit(fit[0]["image"], classes, sizes).predict(test[0]["image"])
        shares = fitted.world.captions.coverage
        rows = []

        def add(key: tuple[str, str], probe: str, **scores: float) -> None:
            for metric, value in scores.items():
                one = row(run, "image", "test", probe, key, value, None)
                rows.append(one | {"metric": metric})

        for place, key in enumerate(keys):
            truth = test[1][key][:, 0]
            add(key, "linear", mcc=multiclass_mcc(truth, guesses[:, place]))
            prompts = prompted(fitted, key[1], device)
            told = confusion(truth.cpu(), nearest(test[0]["image"], prompts).cpu(), sizes[place])
            f1, luck = macro_f1(told), expected_chance(told)
            scores = {"f1": f1, "f1_chance": luck, "f1_corrected": corrected(f1, luck)}
            add(key, "zero-shot", **scores, coverage=shares[place])
        return table(rows)


@torch.no_grad()
def prompted(fitted: TrainedModel, group: str, device: torch.device | str = "cpu") -> Tensor:
    """Encode a group's concepts as captions that name nothing else, such as "a picture red".

    Parameters
    ----------
    fitted : Fitted
        A world of `ConceptCaptions` captions, and its encoders.
    group : str
        One of `misalign.worlds.concepts.GROUPS`.
    device : torch.device or str, optional
        Where the encoders are.

    Returns
    -------
    Tensor
        One representation a concept, the mean over the openings, shape (concepts, size).
    """
    captions = fitted.world.captions
    count, openings = len(concepts.WORDS[group]), captions.templates
    template = torch.arange(openings, device=device).repeat_interleave(count)
    values = {group: torch.arange(count, device=device).repeat(openings)}
    named = torch.zeros(len(template), len(GROUPS), dtype=torch.bool, device=device)
    named[:, GROUPS.index(group)] = True
    z = fitted.encoders["text"](captions.tokens(values, named, template)).float()
    return z.view(openings, count, -1).mean(0)


def nearest(z: Tensor, prompts: Tensor) -> Tensor:
    """Which prompt's representation is nearest to each picture's, as Eq. (1) measures it.

    Parameters
    ----------
    z : Tensor
        Shape (n, size).
    prompts : Tensor
        Shape (concepts, size).

    Returns
    -------
    Tensor
        int64, shape (n,).
    """
    return torch.cdist(z, prompts).argmin(1)
