"""What a user decides about training."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from misalign.errors import check_int, invalid
from misalign.objectives import mmcl, nt_xent, sym_align_max_ent

OBJECTIVES = {"sym_align_max_ent": sym_align_max_ent, "mmcl": mmcl, "nt_xent": nt_xent}


@dataclass(frozen=True)
class Recipe:
    """How encoders are trained.

    Parameters
    ----------
    steps, batch_size : int
        Length of training; pairs a step.
    learning_rate, muon_rate : float
        Adam's learning rate, and Muon's for what modules list in a method `hidden_matrices`, as
        those of `misalign.encoders` do; without it Adam trains them too.
    warmup, decay : float, bool, optional
        Share of the steps in which rates rise from 0; whether they then fall linearly to 0.
    max_grad_norm : float, optional
        Largest 2-norm of the whole gradient (App. C.1: 2).
    objective : {"sym_align_max_ent", "mmcl", "nt_xent"} or callable, optional
        Loss: one of `misalign.objectives`, or any function of z_x and z_t, both of shape
        (batch_size, size), that gives a scalar. A Module's own parameters are trained by Adam.
    tau : float, optional
        Temperature of a named objective; a callable has its own.
    first_tau : float, optional
        Temperature at the first step, from which it moves to `tau` by equal factors, within the
        first four fifths of the training; by default `tau`.
    second_batch : bool, optional
        Take the negatives of Eq. (2), ``"sym_align_max_ent"``, from a second, independent batch,
        as the authors' code does, rather than from the batch itself.
    floor : bool, optional
        Let the positive pair join the log-mean of ``"sym_align_max_ent"``, as the authors' code
        does. Outputs of fixed variance learn more without, see the objective.
    prefetch_steps : int, optional
        Steps whose batches are drawn at once: fewer, larger calls of the world.
    autocast : bool, optional
        Run the encoders in bfloat16; worlds and objectives stay in float32. Pays for wide nets on
        devices that multiply bfloat16 faster, not on a CPU that only emulates it.

    Examples
    --------
    >>> from misalign import Recipe
    >>> recipe = Recipe(steps=100, batch_size=64, learning_rate=1e-3, warmup=0.1, decay=True)
    >>> [round(recipe.lr_factor(step), 2) for step in (0, 9, 10, 55, 99)]
    [0.1, 1.0, 1.0, 0.5, 0.01]
    >>> from functools import partial
    >>> from misalign.objectives import mmcl
    >>> cosine = partial(mmcl, similarity="cosine", tau=0.1)
    >>> recipe = Recipe(steps=100, batch_size=64, learning_rate=1e-3, objective=cosine)
    """

    steps: int
    batch_size: int
    learning_rate: float
    muon_rate: float | None = None
    warmup: float = 0.0
    decay: bool = False
    max_grad_norm: float = 2.0
    objective: str | Callable[[Tensor, Tensor], Tensor] = "sym_align_max_ent"
    tau: float = 1.0
    first_tau: float | None = None
    second_batch: bool = False
    floor: bool = True
    prefetch_steps: int = 10
    autocast: bool = False

    def __post_init__(self) -> None:
        for name, least in (("steps", 0), ("batch_size", 2), ("prefetch_steps", 1)):
            object.__setattr__(self, name, check_int(name, getattr(self, name), least))
        for name in ("learning_rate", "muon_rate", "max_grad_norm", "tau", "first_tau"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int | float) and value > 0):
                raise invalid(name, "a number above 0", value)
        if not 0 <= self.warmup < 1:
            raise invalid("warmup", "a share of at least 0 and below 1", self.warmup)
        if not callable(self.objective) and self.objective not in tuple(OBJECTIVES):
            known = f"one of {', '.join(map(repr, OBJECTIVES))}, or a callable"
            raise invalid("objective", known, repr(self.objective))
        for name, plain in (("second_batch", False), ("floor", True)):
            value = getattr(self, name)
            if value != plain and self.objective != "sym_align_max_ent":
                raise invalid(name, f"{plain}, since sym_align_max_ent alone has it", value)

    def lr_factor(self, step: int) -> float:
        """Factor on every learning rate at a 0-based step."""
        rising = min(1.0, (step + 1) / max(1.0, self.warmup * self.steps))
        falling = min(1.0, (self.steps - step) / ((1 - self.warmup) * self.steps))
        return rising * (falling if self.decay else 1.0)

    def tau_at(self, step: int) -> float:
        """Temperature at a 0-based step."""
        first = self.first_tau or self.tau
        return first * (self.tau / first) ** min(1.0, step / (0.8 * self.steps))

    def fingerprint(self) -> str:
        """All fields in one line that is the same in every process: no address of an objective."""
        return " ".join(re.sub(r" at 0x\w+", "", repr(self)).split())
