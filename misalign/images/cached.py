"""Pictures of another source, each made or read once and kept in memory as bytes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tokenize import TokenError

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from misalign.errors import check_int, invalid
from misalign.images.base import Images
from misalign.paths import replacing


class CachedImages:
    """A source whose pictures stay in memory, N x 3 x H x W bytes once all were asked for.

    To `fill` it, the source is asked for `batch` pictures at a time.
    """

    def __init__(self, source: Images, *, batch: int = 64) -> None:
        self.source = source
        self.batch = check_int("batch", batch, 1)
        here = next(iter(source.factors.values())).device
        self._there = torch.zeros(len(source), dtype=torch.bool, device=here)
        self._kept: Tensor | None = None

    @property
    def factors(self) -> Mapping[str, Tensor]:
        """The source's."""
        return self.source.factors

    def __len__(self) -> int:
        return len(self.source)

    def images(self, indices: Tensor) -> Tensor:
        """Look pictures up, those that were never asked for in the source; see `Images`."""
        indices = indices.to(self._there.device)
        self._keep(indices[~self._there[indices]].unique())
        return self._kept[indices]

    def fill(self) -> None:
        """Ask for every picture that is not there yet; a bar shows progress on a terminal."""
        missing = (~self._there).nonzero()[:, 0]
        with tqdm(total=len(missing), desc="pictures", unit="picture", disable=None) as bar:
            for part in missing.split(self.batch):
                self._keep(part)
                bar.update(len(part))

    def keep(self, path: Path) -> None:
        """Take all pictures from a file, or `fill` and write the file for the next time.

        It is an ``.npy`` of bytes, N x 3 x H x W, written whole or not at all; a ValueError if it
        holds anything else.
        """
        if not path.exists():
            self.fill()
            with replacing(path) as partial, partial.open("wb") as file:
                np.save(file, self._kept.cpu().numpy())
            return
        try:
            with path.open("rb") as file:
                bytes_ = np.lib.format.read_array(file, allow_pickle=False)
        except (ValueError, EOFError, OSError, MemoryError, SyntaxError, TokenError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ValueError(f"{path}: expected pictures (delete it), got {reason}") from None
        shape, n = bytes_.shape, len(self)
        if bytes_.dtype != np.uint8 or len(shape) != 4 or shape[:2] != (n, 3):
            expected = f"bytes, {n} x 3 x H x W (delete it)"
            raise invalid(str(path), expected, f"{bytes_.dtype}, {' x '.join(map(str, shape))}")
        self._kept = torch.from_numpy(bytes_).to(self._there.device)
        self._there.fill_(True)

    def to(self, device: torch.device | str) -> CachedImages:
        """Move the source and the pictures kept so far to a device."""
        moved = CachedImages(self.source.to(device), batch=self.batch)
        moved._there = self._there.to(device)
        moved._kept = None if self._kept is None else self._kept.to(device)
        return moved

    def _keep(self, indices: Tensor) -> None:
        if not len(indices):
            return
        pictures = self.source.images(indices).to(self._there.device)
        if self._kept is None:
            self._kept = pictures.new_empty(len(self), *pictures.shape[1:])
        self._kept[indices] = pictures
        self._there[indices] = True
