"""Pictures that a renderer makes of their factors, when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from tqdm import tqdm

from misalign.errors import expect, expect_whole

Render = Callable[[dict[str, Tensor]], Tensor]


class Rendered:
    """Pictures rendered on demand, or once and kept.

    Parameters
    ----------
    render : callable
        Takes factors, each of shape (n,), and gives uint8 pictures of shape (n, 3, H, W) on their
        device; each picture depends on its own factors alone.
    factors : mapping of str to Tensor
        Factors of all pictures, each of shape (N,).
    keep : bool, optional
        Keep each picture in memory once it is rendered: N 3 H W bytes in the end.
    batch : int, optional
        Pictures a call of the renderer.
    """

    def __init__(
        self, render: Render, factors: Mapping[str, Tensor], *, keep: bool = True, batch: int = 64
    ) -> None:
        sizes = {name: len(values) for name, values in factors.items()}
        expect(len(set(sizes.values())) == 1, "factors", "as many values of each", sizes or "none")
        expect_whole("batch", batch, 1)
        self.render = render
        self.factors = dict(factors)
        self.keep = keep
        self.batch = batch
        self._kept: Tensor | None = None
        self._ready = torch.zeros(len(self), dtype=torch.bool, device=self._device)

    def __len__(self) -> int:
        return len(next(iter(self.factors.values())))

    @property
    def _device(self) -> torch.device:
        return next(iter(self.factors.values())).device

    def images(self, indices: Tensor) -> Tensor:
        """Render pictures, or look them up where they have been rendered before.

        Parameters
        ----------
        indices : Tensor
            Int64, shape (n,).

        Returns
        -------
        Tensor
            Uint8, shape (n, 3, H, W), on the factors' device.
        """
        wanted, places = indices.to(self._device).unique(return_inverse=True)
        if not self.keep:
            return torch.cat([self._draw(part) for part in wanted.split(self.batch)])[places]
        self._make(wanted[~self._ready[wanted]])
        return self._kept[wanted[places]]

    def fill(self) -> None:
        """Render every picture that is not there yet; a bar shows progress on a terminal."""
        expect(self.keep, "keep", "True, so that pictures can be kept", self.keep)
        todo = (~self._ready).nonzero()[:, 0]
        with tqdm(total=len(todo), desc="rendering", unit="picture", disable=None) as bar:
            for part in todo.split(self.batch):
                self._make(part)
                bar.update(len(part))

    def to(self, device: torch.device | str) -> Rendered:
        """Move factors and the pictures rendered so far to a device."""
        factors = {name: values.to(device) for name, values in self.factors.items()}
        moved = Rendered(self.render, factors, keep=self.keep, batch=self.batch)
        moved._ready = self._ready.to(device)
        moved._kept = None if self._kept is None else self._kept.to(device)
        return moved

    def _draw(self, indices: Tensor) -> Tensor:
        return self.render({name: values[indices] for name, values in self.factors.items()})

    def _make(self, indices: Tensor) -> None:
        for part in indices.split(self.batch) if len(indices) else ():
            pictures = self._draw(part)
            if self._kept is None:
                self._kept = pictures.new_empty(len(self), *pictures.shape[1:])
            self._kept[part] = pictures
            self._ready[part] = True
