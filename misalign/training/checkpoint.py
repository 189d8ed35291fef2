"""Checkpoints: a killed training that is started again ends as if it had never been killed."""

from __future__ import annotations

import glob
import io
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from misalign.errors import invalid
from misalign.paths import WRITER, replacing

KEYS = {"run", "recipe", "step", "encoders", "optimizers", "generators", "losses"}


@dataclass
class Checkpoint:
    """Everything that resumed runs must find as it was; a file of other runs is refused."""

    runs: str
    recipe: str  # its fingerprint
    model: nn.ModuleDict
    optimizers: list[torch.optim.Optimizer]
    generators: Sequence[torch.Generator]
    losses: Tensor

    def save(self, path: Path, step: int) -> None:
        """Write a file of what has been done in so many steps, whole or not at all."""
        content = {
            "run": self.runs,
            "recipe": self.recipe,
            "step": step,
            "encoders": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "generators": [generator.get_state() for generator in self.generators],
            "losses": self.losses,
        }
        _remove_orphans(path)
        with replacing(path) as partial:
            torch.save(content, partial)

    def load(self, path: Path) -> int:
        """Take up a file's state in place and return its step; 0 without a whole file.

        A damaged file is set aside, with a warning. Raises a ValueError of one line if the file is
        of other runs, networks or another recipe.
        """
        _remove_orphans(path)
        content = _read(path) if path.exists() else None
        if content is None:
            return 0
        for ours, theirs in (
            (f"one of run {self.runs}", f"one of run {content['run']}"),
            (self.recipe, content["recipe"]),
            (_shapes(self.model.state_dict()), _shapes(content["encoders"])),
        ):
            if ours != theirs:
                raise invalid("checkpoint", f"{ours} in {path}", theirs)
        if not self._fits(content):
            _set_aside(path, "one whose parts do not fit")
            return 0
        self.model.load_state_dict(content["encoders"])
        for optimizer, state in zip(self.optimizers, content["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        for generator, state in zip(self.generators, content["generators"], strict=True):
            generator.set_state(state)
        self.losses.copy_(content["losses"])
        return content["step"]

    def _fits(self, content: dict) -> bool:
        """Whether a file holds as much as is resumed, and finite weights."""
        pairs = ((content[name], getattr(self, name)) for name in ("optimizers", "generators"))
        groups = all("param_groups" in state for state in content["optimizers"])
        same = groups and all(len(theirs) == len(ours) for theirs, ours in pairs)
        whole = same and content["losses"].shape == self.losses.shape
        finite = all(value.isfinite().all() for value in content["encoders"].values())
        return whole and finite and 0 < content["step"] <= len(self.losses)


def _shapes(state: dict[str, Tensor]) -> str:
    return f"networks {dict((name, tuple(value.shape)) for name, value in state.items())}"


def _read(path: Path) -> dict | None:
    """Content of a checkpoint; None if it is damaged, and then it stands at another name."""
    whole = io.BytesIO(path.read_bytes())  # what the system refuses to read is not damaged
    try:
        content = torch.load(whole, map_location="cpu", weights_only=True)
        missing = KEYS - set(content if isinstance(content, dict) else ())
        reason = f"one without {', '.join(sorted(missing))}" if missing else ""
    except Exception as error:  # torch's reader has no error of its own for garbage, and advises
        # to load it without safety
        reason = f"one that cannot be read ({type(error).__name__})"
    if not reason:
        return content
    _set_aside(path, reason)
    return None


def _set_aside(path: Path, reason: str) -> None:
    aside = path.with_name(f"{path.name}.damaged")
    path.replace(aside)
    notice = f"a whole file, got {reason}; training starts afresh, the file is now {aside}"
    warnings.warn(f"checkpoint: expected {notice}", stacklevel=6)


def _remove_orphans(path: Path) -> None:
    """Remove partial files, as `replacing` names them, whose writers were killed."""
    for partial in path.parent.glob(
        glob.escape(f".{path.stem}.{WRITER}.") + "*" + glob.escape(path.suffix)
    ):
        writer = partial.name.removesuffix(path.suffix).rpartition(".")[2]
        try:
            os.kill(int(writer), 0)  # signals nothing, but asks whether it is there
        except ProcessLookupError:
            partial.unlink(missing_ok=True)
        except (ValueError, OverflowError, OSError):  # not a process, or that of someone else
            continue
