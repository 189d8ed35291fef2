"""Where image-text pairs come from. Everything after a world is shared by all of them.

The two image worlds are the modules `misalign.worlds.mpi3d` and `misalign.worlds.causal3dident`:
each has its factors, its settings, its pictures, and a function `world` that puts them together.
"""

from misalign.worlds.base import Batch, Factor, World
from misalign.worlds.captioned import Captions, Composed
from misalign.worlds.mixing import Mixing
from misalign.worlds.numerical import NumericalWorld
from misalign.worlds.pictured import PicturedWorld
from misalign.worlds.resampled import ResampledWorld
from misalign.worlds.written import Written

__all__ = [
    "Batch",
    "Captions",
    "Composed",
    "Factor",
    "Mixing",
    "NumericalWorld",
    "PicturedWorld",
    "ResampledWorld",
    "World",
    "Written",
]
