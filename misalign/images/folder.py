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
        The folder; a FileNotFoundError if its table or a picture is missing.
    names, discrete : tuple of str
        Factors to read, such as ``"x_pos"``, a ValueError if the table lacks one; and those of them
        whose values are whole numbers.
    """

    def __init__(self, path: Path, names: tuple[str, ...], discrete: tuple[str, ...] = ()) -> None:
        table = read_table(path / LATENTS, tuple(COLUMNS[name] for name in names))
        self.path = path
        self.factors = {name: as_factor(table[COLUMNS[name]], name in discrete) for name in names}
        folder = path / IMAGES
        if not folder.is_dir():
            raise invalid(str(folder), "a folder of pictures", "none", FileNotFoundError)
        there = {file.name for file in folder.glob("[0-9]*.png")}
        self._files = [picture_name(i, len(table)) for i in range(len(table))]
        missing = sorted(set(self._files) - there)
        expected, got = f"{len(table)} pictures, one a row of {LATENTS}", f"{len(there)} pictures"
        if missing:
            raise invalid(str(folder), expected, f"{got} and no {missing[0]}", FileNotFoundError)
        if len(there) != len(table):
            raise invalid(str(folder), expected, got)

    def __len__(self) -> int:
        return len(self._files)

    def images(self, indices: Tensor) -> Tensor:
        """Read pictures from their files, onto the CPU; see `misalign.images.base.Images`.

        A ValueError names a file that is no picture, or of another size than those beside it.
        """
        wanted, places = indices.cpu().unique(return_inverse=True)
        files = [self.path / IMAGES / self._files[i] for i in wanted.tolist()]
        pictures = list(map(read_picture, files))
        for file, picture in zip(files, pictures, strict=True):
            size, first = (f"{p.shape[1]} x {p.shape[0]} pixels" for p in (picture, pictures[0]))
            if size != first:
                raise invalid(str(file), f"{first}, as the pictures beside it", size)
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
    """Read some columns of a CSV file, in their order; a one-line error if it is no such table."""
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
    stray = values[numbers.isna() | ((numbers % 1 != 0) & discrete)]
    if len(stray):
        what = "whole numbers" if discrete else "numbers"
        raise invalid(str(values.name), what, repr(stray.iloc[0]))
    return torch.from_numpy(numbers.to_numpy(kind).copy())
