"""Where image-text pairs come from. Everything after a world is shared by all of them."""

from misalign.worlds.base import Batch, Factor, World
from misalign.worlds.mixing import Mixing
from misalign.worlds.numerical import NumericalWorld
from misalign.worlds.resampled import ResampledWorld

__all__ = ["Batch", "Factor", "Mixing", "NumericalWorld", "ResampledWorld", "World"]
