"""Bytes of files, plain or packed: all of them, or whole lines of a part, in blocks."""

from __future__ import annotations

import codecs
import io
import itertools
import lzma
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, TextIO

from misalign.errors import invalid

BLOCK = 1 << 22  # bytes that are read at a time
LONGEST = 1 << 26  # bytes of a line; a file without lines must not fill the memory
PART = 1 << 27  # bytes of a shard
PACKED = {".gz": "gzip", ".tgz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".xz": None}
MARK = codecs.BOM_UTF8  # how some programs start it
CONTROL = bytes(set(range(32)) - set(b"\t\n\r\f\v\x1b\x1c\x1d\x1e\x1f"))


@dataclass(frozen=True, order=True)
class Item:
    """A file, or one within a zip archive."""

    path: Path
    member: str = ""

    def __str__(self) -> str:
        return f"{self.path}/{self.member}" if self.member else str(self.path)

    @property
    def pure(self) -> PurePosixPath:
        """Its whole name."""
        return PurePosixPath(self.path.as_posix()) / self.member

    @property
    def packed(self) -> str:
        """The ending that says how it is compressed, if it is."""
        ending = self.pure.suffix.lower()
        return ending if ending in PACKED else ""

    @property
    def ending(self) -> str:
        """The ending that says its format, compression apart."""
        name = self.pure.name.lower().removesuffix(self.packed)
        return ".tar" if self.packed == ".tgz" else PurePosixPath(name).suffix

    @property
    def size(self) -> int:
        """Bytes, as they lie on the disk."""
        if not self.member:
            return self.path.stat().st_size
        with zipfile.ZipFile(self.path) as archive:
            return archive.getinfo(self.member).compress_size

    def open(self, encoding: str = "utf-8") -> BinaryIO:
        """Open its bytes, decompressed, and as UTF-8 whatever encoding they have."""
        import pyarrow as pa

        raw: Any = self.path
        if self.member:
            with zipfile.ZipFile(self.path) as archive:
                raw = archive.open(self.member)  # which stays open for itself
        if self.packed == ".xz":
            raw = lzma.open(raw)
        stream = pa.input_stream(raw, compression=PACKED.get(self.packed))
        if encoding.lower().replace("_", "-") not in ("utf-8", "utf8"):
            stream = pa.transcoding_input_stream(stream, encoding, "utf-8")
        return io.BufferedReader(stream)

    def text(self, encoding: str = "utf-8") -> TextIO:
        """Open it as text; a byte that is no UTF-8 becomes half a surrogate."""
        how = {"errors": "surrogateescape", "newline": ""}
        return io.TextIOWrapper(self.open(encoding), "utf-8-sig", **how)


def parts(item: Item, encoding: str) -> list[tuple[tuple[int, int] | None, int]]:
    """Ranges of bytes to read separately, and their sizes; None is all of a packed file."""
    size = item.size
    if item.packed or item.member or encoding != "utf-8" or size <= PART:
        return [(None, size)]
    edges = [*range(0, size, PART), size]
    return [((start, stop), stop - start) for start, stop in itertools.pairwise(edges)]


def blocks(
    item: Item, part: tuple[int, int] | None, encoding: str = "utf-8"
) -> Iterator[tuple[int, bytes]]:
    """Whole lines, about `BLOCK` bytes of them at a time: those that start within a part.

    Each block comes with the place of its first byte in the file, decompressed.
    """
    start, stop = part or (0, None)
    with item.path.open("rb") if part else item.open(encoding) as file:
        if start:
            file.seek(start - 1)
            _rest(file)
        place = file.tell() if part else 0
        while stop is None or place < stop:
            lines = file.read(BLOCK if stop is None else min(BLOCK, stop - place))
            if lines and not lines.endswith(b"\n"):
                lines += _rest(file)
            if not lines:
                return
            if not place:
                expect_text(lines)
            yield place, lines if place else lines.removeprefix(MARK)
            place += len(lines)


def line_number(item: Item, place: int, encoding: str) -> int:
    """Number of the line that starts at a byte, from 1."""
    number = 1
    with item.open(encoding) as file:
        while place > 0 and (chunk := file.read(min(BLOCK, place))):
            number, place = number + chunk.count(b"\n"), place - len(chunk)
    return number


def expect_text(start: bytes) -> None:
    """Refuse a file that does not start as text in an encoding that holds ASCII."""
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise invalid("encoding", "UTF-8", "UTF-16 (use --encoding utf-16)")
    if b"\0" in start:
        even, odd = start[:4096:2].count(0), start[1:4096:2].count(0)
        wide = max(even, odd) > 0.3 * len(start[:4096]) / 2 > 3 * min(even, odd)
        name = "utf-16-be" if even > odd else "utf-16-le"
        binary = "bytes of value 0, as binary files have"
        got = f"UTF-16 (use --encoding {name})" if wide else binary
        raise invalid("encoding", "text", got)
    if len(start.translate(None, CONTROL)) < 0.98 * len(start):
        raise invalid("encoding", "text", "control characters, as binary files have")


def _rest(file: BinaryIO) -> bytes:
    """What is left of a line."""
    line = file.readline(LONGEST)
    if len(line) == LONGEST and not line.endswith(b"\n"):
        raise invalid("line", f"at most {LONGEST:,} bytes", "more")
    return line
