"""The study of MPI3D-Complex: section 5.2 and App. D, and what it leaves open (App. G)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from misalign.bias import Bias
from misalign.errors import check_int
from misalign.images.cached import CachedImages
from misalign.images.npz import NpzImages
from misalign.paths import DATA
from misalign.studies import images
from misalign.worlds import mpi3d
from misalign.worlds.captions import TemplateCaptions

if TYPE_CHECKING:
    from misalign.run import Key, Run, TrainedModel

FILE = "real3d_complicated_shapes_ordered.npz"
TRUNK = ((32, 4, 4), (64, 3, 2), (128, 3, 2))
# App. G.1: captions name color, shape and size, and leave the camera's height out with a
# probability, by setting from 1; "omission" whatever the height, "silence" only if it is not the
# last of the three
CHANCES = (0.3, 0.6, 0.9, 1.0)
NAMED = 4
MISSING = {"omission": (1, 1, 1), "silence": (1, 1, 0)}


class Mpi3d(images.ImageStudy):
    """Five semantic factors and two of the picture alone, all discrete and independent."""

    world = "mpi3d"
    latents = ("independent",)
    variants = ("", "untrained", "always", images.ONCE, images.SIGHT, images.PIXELS, "photographs")
    downloaded = "photographs"
    semantic, factors = mpi3d.SEMANTIC, mpi3d.FACTORS
    scales = {
        "smoke": images.smoke(TRUNK),
        "live": images.live(TRUNK, 200),
        "laptop": images.laptop(TRUNK, 320),
        "long": images.long(TRUNK, 2_400),
        "gpu": images.gpu(64, mpi3d.COUNT, mpi3d.SHARES),
        "paper": images.published(64, mpi3d.COUNT, mpi3d.SHARES, 200_000),
    }

    def bias(self, bias: str, setting: int) -> Bias:
        """Look a setting of Table 7 up, or of "omission" and "silence", a place in `CHANCES`."""
        if bias not in MISSING:
            return mpi3d.setting(bias, setting)
        setting = check_int("setting", setting, 1, len(CHANCES), "the study's probabilities")
        chances = tuple(CHANCES[setting - 1] * one for one in MISSING[bias])
        return replace(mpi3d.setting("selection", NAMED), omission_probability=chances)

    def captions(self, run: Run) -> TemplateCaptions:
        """Captions of a run; in the variant ``always`` a perturbed factor is always drawn anew."""
        bias = run.resolved_bias
        if run.variant == "always":
            bias = replace(bias, probability=1.0)
        return mpi3d.composed(bias)

    def rendered(self, n: int, side: int) -> CachedImages:
        """Pictures of a pool of combinations."""
        return mpi3d.rendered(n, seed=images.POOL, size=side)

    def stored(self) -> NpzImages:
        """Photographs of the published file, in ``data/``."""
        return mpi3d.stored(DATA / FILE)

    def predicted(self, run: Run, model: TrainedModel) -> dict[Key, float]:
        """Score 1 for what captions always say as it is, 0 for what they never tell.

        Factors are independent, so nothing in between; nothing is predicted of a factor that is
        omitted or perturbed only at times.
        """
        bias = model.world.bias
        selected, perturbed, unbiased = (
            [self.semantic[i - 1].name for i in indices]
            for indices in (bias.selected, bias.perturbed, bias.unbiased)
        )
        known = {("image", factor.name): float(factor.name in unbiased) for factor in self.factors}
        known |= {("text", name): 0.0 for name in perturbed}
        doubtful = perturbed if bias.probability < 1 else []
        chances = np.atleast_1d(bias.omission_probability)
        if chances.min() == 1:  # it is never named
            known["image", selected[-1]] = 0.0
        elif chances.any():
            doubtful = [*doubtful, selected[-1]]
        return {key: value for key, value in known.items() if key[1] not in doubtful}


aligned = Mpi3d("sym_align_max_ent")
nt_xent = Mpi3d("nt_xent")
supervised = Mpi3d("supervised")
