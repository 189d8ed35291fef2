"""Pictures that a renderer makes of their factors, whenever they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from misalign.errors import check_int, invalid

Render = Callable[[dict[str, Tensor]], Tensor]


class RenderedImages:
    """Pictures rendered on demand; `misalign.images.cached.CachedImages` renders each one once.

    Parameters
    ----------
    render : callable
        Takes factors, each of shape (n,), and gives uint8 pictures of shape (n, 3, H, W) on their
        device; each picture depends on its own factors alone.
    factors, batch : mapping of str to Tensor, int
        Factors of all pictures, each of shape (N,), and pictures a call of the renderer.
    """

    def __init__(self, render: Render, factors: Mapping[str, Tensor], *, batch: int = 64) -> None:
        sizes = {name: len(values) for name, values in factors.items()}
        if len(set(sizes.values())) != 1:
            raise invalid("factors", "as many values of each", sizes or "none")
        self.render = render
        self.factors = dict(factors)
        self.batch = check_int("batch", batch, 1)

    def __len__(self) -> int:
        return len(next(iter(self.factors.values())))

    def images(self, indices: Tensor) -> Tensor:
        """Render pictures, each distinct one once; see `misalign.images.base.Images`."""
        here = next(iter(self.factors.values())).device
        wanted, places = indices.to(here).unique(return_inverse=True)
        parts = [
            self.render({name: values[part] for name, values in self.factors.items()})
            for part in wanted.split(self.batch)
        ]
        return torch.cat(parts)[places]

    def to(self, device: torch.device | str) -> RenderedImages:
        """Move the factors, and with them the work, to a device."""
        factors = {name: values.to(device) for name, values in self.factors.items()}
        return RenderedImages(self.render, factors, batch=self.batch)
