"""Factors as the renderers take them: checked, one column each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from misalign.errors import check_int, invalid
from misalign.rendering.vectors import detach


@dataclass(frozen=True)
class Column:
    """A factor of a picture."""

    name: str  # as in the paper's table
    values: int | None = None  # how many, 0 to values - 1; None for a number in [0, 1]

    def read(self, factors: dict[str, Tensor], n: int) -> Tensor:
        """Check and flatten: long, or floating for a number in [0, 1]; shape (n,)."""
        name, value = self.name, factors[self.name]
        if value.shape not in ((n,), (n, 1)):
            raise invalid(name, f"shape ({n},) or ({n}, 1)", tuple(value.shape))
        value = value.reshape(n)
        if self.values is None:
            if not value.is_floating_point():
                raise invalid(name, "floating numbers", value.dtype)
            most, among = 1, "numbers from 0 to 1"
        else:
            if value.is_floating_point() or value.is_complex():
                raise invalid(name, "integers", value.dtype)
            most, among = self.values - 1, f"integers from 0 to {self.values - 1}"
            value = value.long()
        plain = detach(value)
        outside = plain[~((plain >= 0) & (plain <= most))]
        if len(outside):
            raise invalid(name, among, outside[:1].tolist())
        return value


def read(columns: tuple[Column, ...], factors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Check factors against their table; gives its columns, each of shape (n,), and no others."""
    names = [column.name for column in columns]
    missing = [name for name in names if name not in factors]
    if missing:
        raise invalid("factors", ", ".join(names), f"none of {', '.join(missing)}")
    n = len(factors[names[0]])
    return {column.name: column.read(factors, n) for column in columns}


def in_chunks(
    picture: Callable[[dict[str, Tensor]], Tensor], factors: dict[str, Tensor], rows: int
) -> Tensor:
    """Render a few scenes at a time, to bytes, so that memory does not grow with their number."""
    n = len(next(iter(factors.values())))
    with torch.no_grad():
        parts = [
            (picture({k: v[i : i + rows] for k, v in factors.items()}) * 255).round().byte()
            for i in range(0, max(n, 1), rows)
        ]
    return torch.cat(parts)


def expect_sizes(size: int, supersample: int) -> None:
    """Raise a one-line error unless a picture's side and its rays a pixel are whole numbers."""
    check_int("size", size, 1)
    check_int("supersample", supersample, 1)


def listed(shapes: Sequence[str], column: Column) -> tuple[str, ...]:
    """Shapes as a tuple of strings, or a one-line error unless there is one a value."""
    if isinstance(shapes, str):
        raise invalid("shapes", "a sequence of names or paths", repr(shapes))
    if len(shapes) != column.values:
        raise invalid("shapes", f"{column.values} names or paths", len(shapes))
    return tuple(map(str, shapes))
