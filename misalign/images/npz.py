"""Pictures in one big array of an .npz file, mapped into memory and read as they are asked for."""

from __future__ import annotations

import mmap
import shutil
import struct
import zlib
from collections.abc import Mapping
from copy import copy
from pathlib import Path
from typing import IO
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from misalign.errors import invalid
from misalign.paths import replacing

LOCAL_HEADER = 30  # bytes before a member's name; the lengths of name and extra field end it


class NpzImages:
    """Pictures of an .npz file, mapped into memory and never loaded whole.

    Parameters
    ----------
    path : Path
        The file; a FileNotFoundError if there is none, a ValueError if it is damaged or holds
        something else.
    factors, shape : mapping of str to Tensor, tuple of int
        Factors of all pictures in the file's order, each of shape (N,); shape of the array, (N, H,
        W, 3).
    name, page : str, optional
        Of the array; where the file can be had, for complaints.

    Attributes
    ----------
    array : memmap
        The pictures as stored, uint8, shape (N, H, W, 3).
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
        if not path.is_file():
            raise invalid(str(path), f"an .npz file{source}", "nothing there", FileNotFoundError)
        self.array = array = mapped(path, name)
        if array.shape != shape:
            raise invalid(str(path), f"{name} of shape {shape}{source}", f"shape {array.shape}")
        if array.dtype != np.uint8:
            raise invalid(str(path), f"{name} of dtype uint8{source}", f"dtype {array.dtype}")
        self.factors = dict(factors)
        # pictures are read here and there: what lies beside them would be read in vain
        self._advise("MADV_RANDOM")

    def __len__(self) -> int:
        return len(self.array)

    def images(self, indices: Tensor) -> Tensor:
        """Read pictures from the file, onto the CPU; see `misalign.images.base.Images`."""
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


def mapped(path: Path, name: str) -> np.memmap:
    """Map an array of an .npz file, read only: `numpy.load` ignores ``mmap_mode`` for such files.

    A member that is stored as it is will be mapped in place; a compressed one is extracted once, to
    ``STEM.NAME.npy`` beside the file. No object is ever unpickled.
    """
    try:
        with ZipFile(path) as archive:
            members = archive.namelist()
            if f"{name}.npy" not in members:
                there = ", ".join(Path(member).stem for member in members) or "nothing"
                raise invalid(str(path), f"an array named {name}", there)
            member = archive.getinfo(f"{name}.npy")
            if member.compress_type == ZIP_STORED:
                with path.open("rb") as file:
                    return _array(path, file, _start(file, member))
            extracted = _extracted(archive, member, path)
    except (BadZipFile, zlib.error, struct.error) as error:
        reason = f"{str(error).rstrip('.')} ({path.stat().st_size:,} bytes: cut short?)"
        raise ValueError(f"{path}: expected a whole .npz file, got {reason}") from None
    with extracted.open("rb") as file:
        return _array(extracted, file, 0)


def _start(file: IO[bytes], member: ZipInfo) -> int:
    """Where a stored member's bytes begin: after its local header, whose length varies."""
    file.seek(member.header_offset)
    lengths = struct.unpack("<HH", file.read(LOCAL_HEADER)[-4:])
    return member.header_offset + LOCAL_HEADER + sum(lengths)


def _array(path: Path, file: IO[bytes], start: int) -> np.memmap:
    """Map the .npy data that begin at a byte of a file."""
    file.seek(start)
    try:
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        shape, by_column, dtype = read[version](file)
    except (ValueError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: expected an array of numbers, got {reason}") from None
    if dtype.hasobject:
        raise invalid(str(path), "an array of numbers", f"objects ({dtype})")
    if by_column:
        raise invalid(str(path), "an array that runs by row", "one that runs by column")
    offset, size = file.tell(), path.stat().st_size
    needed = offset + dtype.itemsize * int(np.prod(shape, dtype=np.int64))
    if needed > size:
        raise invalid(str(path), f"at least {needed:,} bytes", f"{size:,}: cut short?")
    return np.memmap(path, dtype, "r", offset, shape)


def _extracted(archive: ZipFile, member: ZipInfo, path: Path) -> Path:
    """File of a compressed member's bytes, written whole if it is not there or older."""
    target = path.with_name(f"{path.stem}.{member.filename}")
    if target.is_file():
        there, source = target.stat(), path.stat()
        if there.st_size == member.file_size and there.st_mtime_ns >= source.st_mtime_ns:
            return target
    show = {"total": member.file_size, "desc": f"extracting {target.name}", "disable": None}
    with (
        archive.open(member) as packed,
        replacing(target) as partial,
        partial.open("wb") as file,
        tqdm.wrapattr(file, "write", **show) as bar,
    ):
        shutil.copyfileobj(packed, bar, 1 << 20)
    return target
