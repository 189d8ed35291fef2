"""Pictures in a folder of PNG files beside a table of their factors."""

from __future__ import annotations

from copy import copy
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor

from misalign.errors import invalid
from misalign.images.layout import COLUMNS, IMAGES, LATENTS, picture_name


class ImageFolder:
    """Pictures of the layout that Multimodal3DIdent was published in.

    ``latents_image.csv`` has a row a picture, and ``images/`` their files in the same order, such
    as ``00042.png``. Files are opened when they are asked for.

    Parameters
    ----------
    path : Path
        The folder.
    names : tuple of str
        Factors to read, such as ``"x_pos"``.
    discrete : tuple of str, optional
        Those whose values are whole numbers.

    Raises
    ------
    FileNotFoundError
        If a table or a picture is missing.
    ValueError
        If the table lacks a column.
    """

    def __init__(self, path: Path, names: tuple[str, ...], discrete: tuple[str, ...] = ()) -> None:
        table = read_table(path / LATENTS, tuple(COLUMNS[name] for name in names))
        self.path = path
        self.factors = {name: as_factor(table[COLUMNS[name]], name in discrete) for name in names}
        folder = path / IMAGES
        if not folder.is_dir():
            raise invalid(str(folder), "a folder of pictures", "none", FileNotFoundError)
        there = {file.name for file in folder.glob("[0-9]*.png")}
        files = [picture_name(i, len(table)) for i in range(len(table))]
        missing = sorted(set(files) - there)
        got = f"{len(there)} pictures and no {missing[0]}" if missing else ""
        expected = f"{len(table)} pictures, one a row of {LATENTS}"
        if missing:
            raise invalid(str(folder), expected, got, FileNotFoundError)
        if len(there) != len(table):
            raise invalid(str(folder), expected, f"{len(there)} pictures")
        self._files = files

    def __len__(self) -> int:
        return len(self._files)

    def images(self, indices: Tensor) -> Tensor:
        """Read pictures from their files.

        Parameters
        ----------
        indices : Tensor
            Int64, shape (n,).

        Returns
        -------
        Tensor
            Uint8, shape (n, 3, H, W), on the CPU.

        Raises
        ------
        ValueError
            If a file is no picture, or of another size than those before it.
        """
        wanted, places = indices.cpu().unique(return_inverse=True)
        pictures = [read_picture(self.path / IMAGES / self._files[i]) for i in wanted.tolist()]
        for i, picture in zip(wanted.tolist(), pictures, strict=True):
            size, first = (f"{p.shape[1]} x {p.shape[0]} pixels" for p in (picture, pictures[0]))
            name = str(self.path / IMAGES / self._files[i])
            if size != first:
                raise invalid(name, f"{first}, as the pictures beside it", size)
        return torch.from_numpy(np.stack(pictures)).movedim(-1, 1)[places]

    def to(self, device: torch.device | str) -> ImageFolder:
        """Move the factors to a device; pictures stay on disk."""
        moved = copy(self)
        moved.factors = {name: values.to(device) for name, values in self.factors.items()}
        return moved


def read_picture(path: Path) -> np.ndarray:
    """Read one file as RGB, uint8, shape (H, W, 3)."""
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:  # Pillow raises any of them
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: expected a whole picture, got {reason}") from None


def read_table(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    """Read some columns of a CSV file.

    Parameters
    ----------
    path : Path
        The file; its first line names the columns.
    columns : tuple of str
        Which ones; others may be there.

    Returns
    -------
    DataFrame
        In the order of `columns`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no table, is empty or lacks a column.
    """
    if not path.is_file():
        raise invalid(str(path), "a table", "nothing there", FileNotFoundError)
    try:
        table = pd.read_csv(path)
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: expected a table, got {reason}") from None
    missing = ", ".join(name for name in columns if name not in table)
    if missing:
        raise invalid(str(path), f"columns {', '.join(columns)}", f"none named {missing}")
    if not len(table):
        raise invalid(str(path), "at least one row", "none")
    return table[list(columns)]


def as_factor(values: pd.Series, discrete: bool) -> Tensor:
    """Values of a column, int64 or float32, shape (n,)."""
    kind = np.int64 if discrete else np.float32
    numbers = pd.to_numeric(values, errors="coerce")
    # "0.0" is a whole number, too
    right = numbers.notna() & (~pd.Series(discrete, values.index) | (numbers % 1 == 0))
    what = "whole numbers" if discrete else "numbers"
    stray = values[~right]
    if len(stray):
        raise invalid(str(values.name), what, f"{stray.iloc[0]!r}" if len(stray) else "")
    return torch.from_numpy(numbers.to_numpy(kind).copy())
