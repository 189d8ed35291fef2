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
    """A factor of a picture.

    Parameters
    ----------
    name : str
        As in the paper's table.
    values : int or None
        Number of its values, 0 to values - 1; None for a number in [0, 1].
    """

    name: str
    values: int | None = None

    def read(self, factors: dict[str, Tensor], n: int) -> Tensor:
        """Check and flatten: long, or floating for a number in [0, 1]; shape (n,)."""
        name, value = self.name, factors[self.name]
        shape = tuple(value.shape)
        if shape not in ((n,), (n, 1)):
            raise invalid(name, f"shape ({n},) or ({n}, 1)", shape)
        value = value.reshape(n)
        if self.values is None:
            if not value.is_floating_point():
                raise invalid(name, "floating numbers", value.dtype)
            most, among = 1, "numbers from 0 to 1"
        else:
            whole = not (value.is_floating_point() or value.is_complex())
            if not whole:
                raise invalid(name, "integers", value.dtype)
            most, among = self.values - 1, f"integers from 0 to {self.values - 1}"
            value = value.long()
        outside = detach(value)[~((detach(value) >= 0) & (detach(value) <= most))]
        if len(outside) != 0:
            raise invalid(name, among, outside[:1].tolist())
        return value


def read(columns: tuple[Column, ...], factors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Check factors against their table.

    Parameters
    ----------
    columns : tuple of Column
        What there must be.
    factors : dict of Tensor
        By name, each of shape (n,) or (n, 1); others are ignored.

    Returns
    -------
    dict of Tensor
        The columns', each of shape (n,).

    Raises
    ------
    ValueError
        For a factor that is missing, or of another shape, type or range.
    """
    missing = [column.name for column in columns if column.name not in factors]
    names = ", ".join(column.name for column in columns)
    if missing:
        raise invalid("factors", names, f"none of {', '.join(missing)}")
    n = len(factors[columns[0].name])
    return {column.name: column.read(factors, n) for column in columns}


def in_chunks(
    picture: Callable[[dict[str, Tensor]], Tensor], factors: dict[str, Tensor], rows: int
) -> Tensor:
    """Render a few scenes at a time, to bytes, so that memory does not grow with their number.

    Parameters
    ----------
    picture : callable
        From factors of m scenes to numbers in [0, 1], shape (m, 3, size, size).
    factors : dict of Tensor
        Of n scenes, by name.
    rows : int
        Scenes at once.

    Returns
    -------
    Tensor
        uint8, shape (n, 3, size, size).
    """
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
