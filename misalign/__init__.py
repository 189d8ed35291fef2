"""An executable edition of Cai et al. 2025 on cross-modal misalignment.

The parts, in the order in which a run meets them: a `Bias` says what captions leave out or
distort, a `World` samples image-text pairs under it, encoders are trained on them by an
objective, probes read the representations, and the `oracle` says what each probe must score.
`execute` puts the parts together, and `execute_all` does so for many runs in one program.

Names are imported when first used, so that ``misalign --help`` does not wait for torch.
"""

import importlib

_WHERE = {
    "Batch": "misalign.worlds.base",
    "Bias": "misalign.bias",
    "Factor": "misalign.worlds.base",
    "NumericalWorld": "misalign.worlds.numerical",
    "Recipe": "misalign.training.recipe",
    "Record": "misalign.records",
    "Run": "misalign.run",
    "World": "misalign.worlds.base",
    "check_world": "misalign.worlds.check",
    "evaluate": "misalign.evaluation",
    "execute": "misalign.experiment",
    "execute_all": "misalign.experiment",
    "oracle": "misalign.theory.oracle",
    "register_study": "misalign.run",
    "train": "misalign.training.loop",
}
__all__ = [*_WHERE]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name not in _WHERE:
        raise AttributeError(f"module 'misalign' has no attribute {name!r}")
    return getattr(importlib.import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
