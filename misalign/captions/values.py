"""What comes in to be said: columns of values, checked for their shapes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from misalign.errors import invalid


def column(name: str, values: Tensor) -> Tensor:
    """A vector, from shape (n,) or (n, 1); a ValueError for any other."""
    flat = values.ndim == 1 or (values.ndim == 2 and values.shape[1] == 1)
    if not flat:
        raise invalid(name, "shape (n,) or (n, 1)", tuple(values.shape))
    return values.flatten()


def chosen(template: Tensor, count: int) -> Tensor:
    """Indices of sentences, int64, shape (n,); a ValueError for one that there is not."""
    template, expected = column("template", template), f"integers from 0 to {count - 1}"
    whole = not (template.is_floating_point() or template.dtype == torch.bool)
    if not whole:
        raise invalid("template", expected, template.dtype)
    stray = template[(template < 0) | (template >= count)]
    if len(stray):
        raise invalid("template", expected, stray[:3].tolist())
    return template.long()


def columns(values: dict[str, Tensor], factors: Sequence[str], n: int) -> dict[str, Tensor]:
    """Values of the factors, each of shape (n,), and of no others.

    Parameters
    ----------
    values : dict of str to Tensor
        By factor, shape (n,) or (n, 1).
    factors : sequence of str
        Those that captions name.
    n : int
        Number of captions.

    Returns
    -------
    dict of str to Tensor

    Raises
    ------
    ValueError
        If a factor is missing or has another shape.
    """
    missing = [factor for factor in factors if factor not in values]
    each = f"a tensor for each of {', '.join(factors)}"
    if missing:
        raise invalid("values", each, f"none for {', '.join(missing)}")
    found = {factor: column(f"values of {factor}", values[factor]) for factor in factors}
    for factor, one in found.items():
        if len(one) != n:
            raise invalid(f"values of {factor}", f"{n} numbers, one a template", len(one))
    return found
