"""An executable edition of Cai et al. 2025 on cross-modal misalignment.

The parts, in the order in which a run meets them: a `Bias` says what captions leave out or
distort, a `World` samples image-text pairs under it, encoders are trained on them by an
objective, probes read the representations, and `theory` says what each probe must score.
`execute` puts the parts together, and `execute_all` does so for many runs in one program.

Names are imported when first used, so that ``misalign --help`` does not wait for torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from misalign.bias import Bias
    from misalign.experiment import execute, execute_all
    from misalign.results import Record
    from misalign.run import Run
    from misalign.worlds import Batch, Factor, NumericalWorld, World

_WHERE = {
    "Bias": "misalign.bias",
    "Run": "misalign.run",
    "execute": "misalign.experiment",
    "execute_all": "misalign.experiment",
    "Record": "misalign.results",
    "Batch": "misalign.worlds",
    "Factor": "misalign.worlds",
    "NumericalWorld": "misalign.worlds",
    "World": "misalign.worlds",
}

__all__ = [
    "Batch",
    "Bias",
    "Factor",
    "NumericalWorld",
    "Record",
    "Run",
    "World",
    "execute",
    "execute_all",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name not in _WHERE:
        raise AttributeError(f"module 'misalign' has no attribute {name!r}")
    return getattr(importlib.import_module(_WHERE[name]), name)
