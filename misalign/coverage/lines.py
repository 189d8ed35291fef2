"""Files of lines, plain or compressed: whole lines of a part of a file, in blocks."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from misalign.errors import invalid

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK = 1 << 22  # bytes that are read at a time
LONGEST = 1 << 26  # bytes of a line; a file without lines must not fill the memory
PART = 1 << 27  # bytes of a shard
COMPRESSED = (".gz", ".bz2", ".zst")
MARK = b"\xef\xbb\xbf"  # how some programs start UTF-8
UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def opened(path: Path) -> BinaryIO:
    """A file's bytes, decompressed by the ending of its name."""
    import pyarrow as pa

    return io.BufferedReader(pa.input_stream(str(path), compression="detect"))


def parts(path: Path) -> list[tuple[tuple[int, int] | None, int]]:
    """Ranges of bytes to read separately, and their sizes; None is all of a compressed file."""
    size = path.stat().st_size
    if path.suffix.lower() in COMPRESSED or size <= PART:
        return [(None, size)]
    edges = [*range(0, size, PART), size]
    return [((start, stop), stop - start) for start, stop in itertools.pairwise(edges)]


def blocks(path: Path, part: tuple[int, int] | None) -> Iterator[bytes]:
    """Whole lines, about `BLOCK` bytes of them at a time: those that start within a part."""
    start, stop = part or (0, None)
    with path.open("rb") if part else opened(path) as file:
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
                expect_utf_8(lines)
            yield lines if place else lines.removeprefix(MARK)
            place += len(lines)


def expect_utf_8(start: bytes) -> None:
    """Refuse a file that starts as UTF-16."""
    if start.startswith(UTF_16):
        raise invalid("encoding", "UTF-8", "UTF-16")


def _rest(file: BinaryIO) -> bytes:
    """What is left of a line."""
    line = file.readline(LONGEST)
    if len(line) == LONGEST and not line.endswith(b"\n"):
        raise invalid("line", f"at most {LONGEST:,} bytes", "more")
    return line


def captions(lines: bytes) -> pa.Array:
    """Lines as captions."""
    import pyarrow as pa
    import pyarrow.compute as pc

    # a view, not a cast: these may be no UTF-8 yet
    text = pa.array([lines.removesuffix(b"\n")], pa.binary()).view(pa.string())
    return pc.split_pattern(text, "\n").flatten()


def first_records(path: Path, most: int = 100) -> dict:
    """Keys of the first JSON objects, one a line, each with its first value that is not null."""
    found: dict = {}
    with closing(blocks(path, None)) as every:
        lines = (line for block in every for line in block.split(b"\n") if line.strip())
        for line in itertools.islice(lines, most):
            record = json.loads(line)
            if not isinstance(record, dict):
                raise invalid("line", "a JSON object", type(record).__name__)
            for key, value in record.items():
                found[key] = value if found.get(key) is None else found[key]
        if not found and next(lines, None) is not None:
            raise invalid("lines", "JSON objects with keys", "none")
    return found
