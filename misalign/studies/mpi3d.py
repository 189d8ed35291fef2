"""The study of MPI3D-Complex: section 5.2 and App. D, and what it leaves open (App. G)."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from misalign.bias import Bias
from misalign.captions.captioner import Captioner
from misalign.errors import check_int
from misalign.images.cached import CachedImages
from misalign.images.npz import NpzImages
from misalign.paths import DATA
from misalign.studies.images import (
    PIXELS,
    POOL,
    ImageStudy,
    gpu,
    laptop,
    live,
    published,
    smoke,
)
from misalign.worlds import mpi3d
from misalign.worlds.captions import TemplateCaptions
from misalign.worlds.random_omission import RandomOmission

if TYPE_CHECKING:
    from misalign.run import Run

FILE = "real3d_complicated_shapes_ordered.npz"
TRUNK = ((32, 4, 4), (64, 3, 2), (128, 3, 2))
LAPTOP = laptop(TRUNK, 320)
# App. G.1: captions name color, shape and size, and leave the camera's height out with a
# probability, by setting from 1; "omission" whatever the height, "silence" only if it is not the
# last of the three
CHANCES = (0.3, 0.6, 0.9, 1.0)
NAMED = 4
MISSING = {"omission": (1, 1, 1), "silence": (1, 1, 0)}


class Mpi3d(ImageStudy):
    """Five semantic factors and two of the picture alone, all discrete and independent."""

    world = "mpi3d"
    latents = ("independent",)
    variants = ("", "untrained", "always", PIXELS, "photographs")
    downloaded = "photographs"
    semantic, factors = mpi3d.SEMANTIC, mpi3d.FACTORS
    scales = {
        "smoke": smoke(TRUNK),
        "live": live(TRUNK, 200),
        # a third of the laptop's training and three times as much: what is perturbed comes back
        "brief": replace(LAPTOP, recipe=replace(LAPTOP.recipe, steps=100)),
        "laptop": LAPTOP,
        "long": replace(LAPTOP, recipe=replace(LAPTOP.recipe, steps=960)),
        "gpu": gpu(64, mpi3d.COUNT, mpi3d.SHARES),
        "paper": published(64, mpi3d.COUNT, mpi3d.SHARES, 200_000),
    }

    def bias(self, bias: str, setting: int) -> Bias:
        """Look a setting of Table 7 up, or one of random omission.

        Parameters
        ----------
        bias : {"selection", "perturbation", "omission", "silence"}
            The last two name the first four factors, and the fourth not always.
        setting : int
            1-based column of the table, or place in `CHANCES`.

        Returns
        -------
        Bias

        Raises
        ------
        ValueError
            If there is no such bias or setting.
        """
        if bias in MISSING:
            check_int("setting", setting, 1, len(CHANCES), "the study's probabilities")
            return mpi3d.setting("selection", NAMED)
        return mpi3d.setting(bias, setting)

    def captions(self, run: Run) -> TemplateCaptions:
        """Captions of a run; in the variant ``always`` a perturbed factor is always drawn anew."""
        bias = self.bias(run.bias, run.setting)
        if run.variant == "always":
            bias = replace(bias, probability=1.0)
        names = tuple(self.semantic[i - 1].name for i in bias.selected)
        captioner = _captioner(names)
        if run.bias not in MISSING:
            return TemplateCaptions(self.semantic, bias, captioner)
        chances = tuple(CHANCES[run.setting - 1] * one for one in MISSING[run.bias])
        shorter = _captioner(names[:-1])
        return RandomOmission(self.semantic, bias, captioner, shorter, chances)

    def rendered(self, n: int, side: int) -> CachedImages:
        """Pictures of a pool of combinations."""
        return mpi3d.rendered(n, seed=POOL, size=side)

    def stored(self) -> NpzImages:
        """Photographs of the published file, in ``data/``."""
        return mpi3d.stored(DATA / FILE)

    def predicted(self, run: Run) -> dict[tuple[str, str], float]:
        """Score 1 for what captions always say as it is, 0 for what they never tell.

        Factors are independent, so nothing in between; nothing is predicted of a factor that is
        omitted or perturbed only at times.
        """
        captions = self.captions(run)
        bias = captions.bias
        known = {("image", factor.name): 0.0 for factor in self.factors}
        for i, factor in enumerate(self.semantic, 1):
            if i in bias.unbiased:
                known["image", factor.name] = 1.0
        known |= {("text", factor.name): 0.0 for factor in captions.perturbed}
        doubtful = captions.perturbed if bias.probability < 1 else ()
        if isinstance(captions, RandomOmission):
            doubtful = captions.selected[-1:]
            if min(captions.chances) == 1:  # it is never named
                known["image", doubtful[0].name] = 0.0
                doubtful = ()
        for factor in doubtful:
            known.pop(("image", factor.name))
            known.pop(("text", factor.name), None)
        return known


@cache
def _captioner(names: tuple[str, ...]) -> Captioner:
    # its tables take a while, and all seeds share them
    return Captioner.mpi3d(names)


aligned = Mpi3d("sym_align_max_ent")
nt_xent = Mpi3d("nt_xent")
