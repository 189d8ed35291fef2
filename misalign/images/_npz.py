"""Arrays of .npz files on disk, mapped into memory rather than loaded."""

from __future__ import annotations

import shutil
import struct
import zlib
from pathlib import Path
from typing import IO
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import numpy as np
from tqdm import tqdm

from misalign.errors import invalid
from misalign.paths import replacing

LOCAL_HEADER = 30  # bytes before a member's name; the lengths of name and extra field end it


def mapped(path: Path, name: str) -> np.memmap:
    """Map an array of an .npz file, read only.

    `numpy.load` ignores ``mmap_mode`` for such files. A member that is stored as it is will be
    mapped in place; a compressed one is extracted once, to ``STEM.NAME.npy`` beside the file. No
    object is ever unpickled.

    Parameters
    ----------
    path : Path
        File as `numpy.savez` or `numpy.savez_compressed` writes it.
    name : str
        Of the array in it.

    Returns
    -------
    memmap
        The array; what is not read takes no memory.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, lacks the array, or the array holds objects or runs by column.
    """
    if not path.is_file():
        raise invalid(str(path), "an .npz file", "nothing there", FileNotFoundError)
    try:
        with ZipFile(path) as archive:
            members = archive.namelist()
            there = ", ".join(Path(member).stem for member in members) or "nothing"
            if f"{name}.npy" not in members:
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
        }[version]
        shape, by_column, dtype = read(file)
    except (ValueError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: expected an array of numbers, got {reason}") from None
    if dtype.hasobject:
        raise invalid(str(path), "an array of numbers", f"objects ({dtype})")
    if by_column:
        raise invalid(str(path), "an array that runs by row", "one that runs by column")
    offset, size = file.tell(), path.stat().st_size
    needed = offset + dtype.itemsize * int(np.prod(shape, dtype=np.int64))
    if not needed <= size:
        raise invalid(str(path), f"at least {needed:,} bytes", f"{size:,}: cut short?")
    return np.memmap(path, dtype, "r", offset, shape)


def _extracted(archive: ZipFile, member: ZipInfo, path: Path) -> Path:
    """File of a compressed member's bytes, written whole if it is not there or older."""
    target = path.with_name(f"{path.stem}.{member.filename}")
    if target.is_file():
        there, source = target.stat(), path.stat()
        if there.st_size == member.file_size and there.st_mtime_ns >= source.st_mtime_ns:
            return target
    title = f"extracting {target.name}"
    total = member.file_size
    with (
        archive.open(member) as packed,
        replacing(target) as partial,
        partial.open("wb") as file,
        tqdm.wrapattr(file, "write", total=total, desc=title, disable=None) as bar,
    ):
        shutil.copyfileobj(packed, bar, 1 << 20)
    return target
