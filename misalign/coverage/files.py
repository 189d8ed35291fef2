"""Captions from files: found by name, parted in shards, and read some at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from misalign.coverage import formats
from misalign.coverage.formats import FORMATS, KINDS, USUAL, ending
from misalign.errors import invalid

if TYPE_CHECKING:
    import pyarrow as pa

# in a folder, JSON documents mostly tell of the other files
GATHERED = tuple(one for one in FORMATS if one != ".json")
LONGEST = 200  # characters of a reason why a file cannot be read


@dataclass(frozen=True)
class Shard:
    """A part of a file, to be read in one go."""

    file: Path
    part: Any  # row groups, a range of bytes, or None for all; see `Format`
    size: int  # bytes, about
    column: str  # where the captions are
    labels: tuple[tuple[str, str], ...]  # groups, and columns of what a picture shows of them
    kind: str  # what the file was said to be, one of `KINDS`, or empty


@dataclass(frozen=True)
class Batch:
    """Some captions, strings of valid UTF-8 or null, and the labels of each group, as many."""

    captions: pa.Array
    labels: dict[str, pa.Array]


def found(names: Iterable[str | Path], kind: str = "") -> list[Path]:
    """Files that names stand for, each once, sorted within a folder or pattern.

    Names are those of files, of folders with all folders in them, or patterns. All their files are
    of `kind`, if it is given; of a folder then every file counts, hidden ones apart.
    """
    if kind and kind not in KINDS:
        raise invalid("format", f"one of {', '.join(KINDS)}", repr(kind))
    paths: dict[Path, Path] = {}
    for name in names:
        if not str(name):
            raise invalid("captions", "files, folders or patterns", "an empty name")
        files = _inside(Path(name), kind) if Path(name).is_dir() else _named(Path(name), kind)
        paths |= {one.resolve(): one for one in files}
    if not paths:
        raise invalid("captions", "files, folders or patterns", "none")
    return list(paths.values())


def _inside(folder: Path, kind: str) -> list[Path]:
    """Files of a folder that hold captions: by their ending, unless it is said what they are."""
    files = sorted(one for one in folder.rglob("*") if one.is_file())
    if kind:
        files = [one for one in files if "/." not in f"/{one.relative_to(folder).as_posix()}"]
    else:
        files = [one for one in files if ending(one) in GATHERED]
    if not files:
        expected = "a file" if kind else f"files of {', '.join(GATHERED)}"
        raise invalid("captions", f"{expected} in a folder", folder, FileNotFoundError)
    return files


def _named(name: Path, kind: str) -> list[Path]:
    """The file of a name, or those that match a pattern, sorted."""
    matching = [name]
    if not name.exists():
        parts = name.relative_to(name.anchor).parts
        matching = sorted(Path(name.anchor or ".").glob("/".join(parts))) if parts else []
    files = [one for one in matching if one.is_file()]
    if not files:
        raise invalid("captions", "a file, folder or pattern", name, FileNotFoundError)
    for one in files:
        if not kind and ending(one) not in FORMATS:
            known = f"{', '.join(FORMATS)}, or a format that is given"
            raise invalid("captions", f"a file of {known}", one)
    return files


def shards(
    files: Iterable[Path], column: str | None, labels: Mapping[str, str], kind: str
) -> tuple[list[Shard], list[tuple[str, str]]]:
    """Part files; also gives those that cannot be read, each with the reason."""
    parts, failed = [], []
    for file in files:
        how = formats.of(file, kind)
        try:
            columns, pieces = how.columns(file), how.parts(file)
        except Exception as error:  # whatever a library finds wrong with a file
            failed.append((str(file), one_line(error)))
            continue
        if not columns:  # no captions, and nothing wrong
            continue
        chosen = _column(file, columns, column)
        for name in labels.values():
            if name not in columns:
                raise invalid(f"label column of {file}", ", ".join(columns), name)
        pairs = tuple(labels.items())
        parts += [Shard(file, part, size, chosen, pairs, kind) for part, size in pieces]
    return parts, failed


def _column(file: Path, columns: list[str], wanted: str | None) -> str:
    """The column of captions: the wanted one, or the first of a usual name."""
    shown = ", ".join(columns)
    if wanted is not None:
        if wanted not in columns:
            raise invalid("column", f"one of {file}: {shown}", wanted)
        return wanted
    by_name = {name.lower(): name for name in reversed(columns)}
    usual = [by_name[name] for name in USUAL if name in by_name]
    if not usual:
        which = f"the one of {file} that holds captions (or format tsv-bare: there is no header)"
        raise invalid("column", which, f"columns {shown}")
    return usual[0]


def batches(shard: Shard) -> Iterator[Batch]:
    """Read a shard, some captions at a time; of a list in a row each counts, with its labels."""
    import pyarrow.compute as pc
    from pyarrow import types

    names = list(dict.fromkeys((shard.column, *(name for _, name in shard.labels))))
    how = formats.of(shard.file, shard.kind)
    lists = (types.is_list, types.is_large_list, types.is_fixed_size_list)
    for rows in how.batches(shard.file, shard.part, names):
        captions = rows.column(shard.column)
        labels = {group: rows.column(name) for group, name in shard.labels}
        if any(test(captions.type) for test in lists):
            parents = pc.list_parent_indices(captions)
            captions = pc.list_flatten(captions)
            labels = {group: column.take(parents) for group, column in labels.items()}
        for name, one in (("column", captions), *labels.items()):
            if not _is_text(one.type):
                raise invalid(f"{name} of {shard.file}", "text", one.type)
        yield Batch(_strings(captions), {group: _strings(one) for group, one in labels.items()})


def _is_text(kind: pa.DataType) -> bool:
    from pyarrow import types

    kind = kind.value_type if types.is_dictionary(kind) else kind
    tests = (types.is_string, types.is_large_string, types.is_string_view, types.is_null)
    return any(test(kind) for test in (*tests, types.is_binary, types.is_large_binary))


def _strings(column: pa.Array) -> pa.Array:
    """As plain strings, with a replacement character for what is not UTF-8."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = pc.cast(column, pa.string(), safe=False)
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        texts = column.cast(pa.binary()).to_pylist()
        texts = [None if text is None else text.decode("utf-8", "replace") for text in texts]
        return pa.array(texts, pa.string())
    return column


def one_line(error: Exception) -> str:
    """First line of an error, or its kind if it has none; without what does not print."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    shown = "".join(char if char.isprintable() else "?" for char in line)
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}..."
