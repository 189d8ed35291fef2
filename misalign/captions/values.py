"""What comes in to be said: columns of values, checked for their shapes and types."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from misalign.errors import invalid


def column(name: str, values: Tensor) -> Tensor:
    """A vector, from shape (n,) or (n, 1); a ValueError for any other."""
    if values.ndim == 1 or (values.ndim == 2 and values.shape[1] == 1):
        return values.flatten()
    raise invalid(name, "shape (n,) or (n, 1)", tuple(values.shape))


def whole_numbers(name: str, values: Tensor, last: int) -> Tensor:
    """Values as int64; a ValueError unless they are integers from 0 to the last."""
    if values.is_floating_point() or values.dtype == torch.bool:
        raise invalid(name, f"integers from 0 to {last}", values.dtype)
    stray = values[(values < 0) | (values > last)]
    if len(stray):
        raise invalid(name, f"integers from 0 to {last}", stray[:3].tolist())
    return values.long()


def columns(values: dict[str, Tensor], factors: Sequence[str], n: int) -> dict[str, Tensor]:
    """Values of the factors, each of shape (n,), and of no others; a ValueError if one lacks."""
    missing = [factor for factor in factors if factor not in values]
    if missing:
        each = f"a tensor for each of {', '.join(factors)}"
        raise invalid("values", each, f"none for {', '.join(missing)}")
    found = {factor: column(f"values of {factor}", values[factor]) for factor in factors}
    for factor, one in found.items():
        if len(one) != n:
            raise invalid(f"values of {factor}", f"{n} numbers, one a template", len(one))
    return found
