"""The study of Causal3DIdent: section 5.3 and App. E."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from misalign.bias import Bias
from misalign.errors import invalid
from misalign.images.cached import CachedImages
from misalign.images.folder import ImageFolder
from misalign.paths import DATA
from misalign.rng import generator_for
from misalign.studies import images
from misalign.theory.caption_oracle import caption_oracle
from misalign.worlds import causal3dident
from misalign.worlds.captions import TemplateCaptions

if TYPE_CHECKING:
    from misalign.run import Key, Run, TrainedModel

PAGE = "https://zenodo.org/records/7678231"  # Multimodal3DIdent
TRUNK = ((24, 5, 2), (48, 5, 2), (96, 3, 2), (128, 3, 2))
STEM = ((32, 4, 4), (64, 3, 2), (128, 3, 2), (128, 3, 2))  # a third of the trunk's cost
LIGHT = ((32, 4, 4), (64, 3, 2), (128, 3, 2))
LONG = images.long(STEM, 3_000, 1_600)
SLOW, FAST = ({"learning_rate": rate, "muon_rate": 10 * rate} for rate in (1e-3, 3e-3))


class Causal3dident(images.ImageStudy):
    """Seven semantic factors on a causal graph, and three angles of the picture alone."""

    world = "causal3dident"
    latents = ("graph",)
    # captions as printed in Table 11, with every palette's words its own, and with the slip of the
    # authors' script
    variants = ("", "untrained", images.ONCE, images.SIGHT)
    variants += ("printed", "distinct", "slip", "published")
    downloaded = "published"
    semantic, factors = causal3dident.SEMANTIC, causal3dident.FACTORS
    first = ("shape",)
    scales = {
        "smoke": images.smoke(TRUNK),
        "live": images.live(LIGHT, 200),
        "laptop": images.laptop(TRUNK, 260),
        "long": replace(LONG, recipe=replace(LONG.recipe, autocast=False, **SLOW)),
        "gpu": images.gpu(128, sum(causal3dident.SHARES), causal3dident.SHARES),
        "paper": images.published(128, sum(causal3dident.SHARES), causal3dident.SHARES, 100_000),
    }

    def bias(self, bias: str, setting: int) -> Bias:
        """Look a setting of Table 10 up; perturbed factors are always drawn anew (App. E.1)."""
        return causal3dident.setting(bias, setting)

    def _warm_up(self, run: Run, *rest: object) -> None:
        """At higher rates: there is nothing yet to be forgotten."""
        super()._warm_up(replace(run, options=dict(run.options) | FAST), *rest)

    def captions(self, run: Run) -> TemplateCaptions:
        """Captions of a run, by its variant."""
        options = {run.variant: True} if run.variant in ("printed", "distinct") else {}
        captions = causal3dident.composed(run.resolved_bias, **options)
        if run.variant != "slip":
            return captions
        if (run.bias, run.setting) != ("perturbation", 1):
            only = "perturbation setting 1, the only one that slips"
            raise invalid("variant", only, f"{run.bias} {run.setting}")
        return causal3dident.Slipped(captions.semantic, captions.bias, captions.captioner)

    def rendered(self, n: int, side: int) -> CachedImages:
        """Pictures whose factors are drawn from the graph."""
        return causal3dident.rendered(n, seed=images.POOL, size=side)

    def stored(self) -> ImageFolder:
        """Pictures in the published layout, in ``data/causal3dident``."""
        path = DATA / "causal3dident"
        if not path.is_dir():
            expected = f"pictures in the published layout, from {PAGE}"
            raise invalid(str(path), expected, "nothing there", FileNotFoundError)
        return causal3dident.folder(path)

    def predicted(self, run: Run, model: TrainedModel) -> dict[Key, float]:
        """Scores of the best prediction from the words of unbiased factors.

        What captions say of a perturbed factor has nothing to do with them. Nothing is predicted
        for captions that leave factors out at times, or that slip.
        """
        if run.variant in ("printed", "slip"):
            return {}
        bias, draws = model.world.bias, run.scale_config.oracle_draws
        known = {("image", name): value for name, value in _words(bias, draws).items()}
        return known | {("text", self.semantic[i - 1].name): 0.0 for i in bias.perturbed}


@cache
def _words(bias: Bias, draws: int) -> dict[str, float]:
    found = caption_oracle(bias, draws=draws, generator=generator_for(0, "word oracle"))
    return {name: round(value, 6) for name, value in found.items()}


nt_xent = Causal3dident("nt_xent")
sym_align_max_ent = Causal3dident("sym_align_max_ent")
supervised = Causal3dident("supervised")
