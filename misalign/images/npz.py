"""Pictures in one big array on disk, read by rows as they are asked for."""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from copy import copy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from misalign.errors import invalid
from misalign.images._npz import mapped


class NpzImages:
    """Pictures of an .npz file, mapped into memory and never loaded whole.

    Parameters
    ----------
    path : Path
        The file.
    factors : mapping of str to Tensor
        Factors of all pictures in the file's order, each of shape (N,).
    shape : tuple of int
        What the array must be, (N, H, W, 3).
    name : str, optional
        Of the array.
    page : str, optional
        Where the file can be had, for complaints.

    Attributes
    ----------
    array : memmap
        The pictures as stored, uint8, shape (N, H, W, 3).

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged or holds something else.
    """

    def __init__(
        self,
        path: Path,
        factors: Mapping[str, Tensor],
        shape: tuple[int, ...],
        *,
        name: str = "images",
        page: str = "",
    ) -> None:
        source = f" (from {page})" if page else ""
        there = path.is_file()
        if not there:
            raise invalid(str(path), f"an .npz file{source}", "nothing there", FileNotFoundError)
        self.array = mapped(path, name)
        came = self.array.shape
        if came != shape:
            raise invalid(str(path), f"{name} of shape {shape}{source}", f"shape {came}")
        dtype = self.array.dtype
        if dtype != np.uint8:
            raise invalid(str(path), f"{name} of dtype uint8{source}", f"dtype {dtype}")
        self.factors = dict(factors)
        # pictures are read here and there: what lies beside them would be read in vain
        self._advise("MADV_RANDOM")

    def __len__(self) -> int:
        return len(self.array)

    def images(self, indices: Tensor) -> Tensor:
        """Read pictures from the file.

        Parameters
        ----------
        indices : Tensor
            Int64, shape (n,).

        Returns
        -------
        Tensor
            Uint8, shape (n, 3, H, W), on the CPU.
        """
        # in the file's order, which spares the disk
        wanted, places = np.unique(indices.cpu().numpy(), return_inverse=True)
        rows = torch.from_numpy(np.asarray(self.array[wanted]))
        # the system may keep the pages just read, this process need not
        self._advise("MADV_DONTNEED")
        return rows.movedim(-1, 1)[torch.from_numpy(places)]

    def _advise(self, advice: str) -> None:
        # only Unix can be advised; elsewhere it just goes on
        if hasattr(mmap, advice):
            self.array.base.madvise(getattr(mmap, advice))

    def to(self, device: torch.device | str) -> NpzImages:
        """Move the factors to a device; pictures stay on disk."""
        moved = copy(self)
        moved.factors = {name: values.to(device) for name, values in self.factors.items()}
        return moved
