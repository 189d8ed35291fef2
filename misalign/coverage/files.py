"""Captions from files: found by name, parted in shards, and read some at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
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
    """A part of a file, to be read in one go.

    Parameters
    ----------
    file : Path
        Where captions are.
    part : object
        Row groups, a range of bytes, or None for all; see `misalign.coverage.formats`.
    size : int
        Bytes, about.
    column : str
        Where the captions are.
    labels : tuple of (str, str)
        Groups of concepts, and the columns that say which concept a picture shows.
    kind : str, optional
        What the file was said to be, see `misalign.coverage.formats.KINDS`.
    """

    file: Path
    part: Any
    size: int
    column: str
    labels: tuple[tuple[str, str], ...] = ()
    kind: str = ""

    def resolved(self) -> Shard:
        """The same shard for a process that runs in another folder."""
        return replace(self, file=self.file.resolve())


@dataclass(frozen=True)
class Batch:
    """Some captions.

    Parameters
    ----------
    captions : pyarrow.Array
        Strings of valid UTF-8, some of them null, shape (captions,).
    labels : dict
        For each labelled group, strings of the same shape.
    """

    captions: pa.Array
    labels: dict[str, pa.Array]


def found(names: Iterable[str | Path], kind: str = "") -> list[Path]:
    """Files that names stand for, each once, sorted within a folder or pattern.

    Parameters
    ----------
    names : iterable of str or Path
        Files, folders (with all folders in them), or patterns such as ``"part-*.parquet"``.
    kind : str, optional
        What all of them are, whatever their ending; of a folder then every file counts, hidden
        ones apart.

    Returns
    -------
    list of Path

    Raises
    ------
    FileNotFoundError
        For a name that stands for no file.
    ValueError
        For a file of no known format, or no names.
    """
    paths: dict[Path, Path] = {}
    names = list(names)
    if not names:
        raise invalid("captions", "files, folders or patterns", "none")
    if not (not kind or kind in KINDS):
        raise invalid("format", f"one of {', '.join(KINDS)}", repr(kind))
    known = f"{', '.join(FORMATS)}, or a format that is given"
    for name in names:
        if not str(name):
            raise invalid("captions", "files, folders or patterns", "an empty name")
        path = Path(name)
        if path.is_dir():
            inside = [one for one in sorted(path.rglob("*")) if one.is_file()]
            files = [one for one in inside if _gathered(one, path, kind)]
            expected = "a file" if kind else f"files of {', '.join(GATHERED)}"
            expected += " in a folder"
            if not files:
                raise invalid("captions", expected, path, FileNotFoundError)
        else:
            matching = [path] if path.exists() else _matching(path)
            files = [one for one in matching if one.is_file()]
            if not files:
                raise invalid("captions", "a file, folder or pattern", name, FileNotFoundError)
            for one in files:
                if not (kind or ending(one) in FORMATS):
                    raise invalid("captions", f"a file of {known}", one)
        paths |= {one.resolve(): one for one in files}
    return list(paths.values())


def _gathered(file: Path, folder: Path, kind: str) -> bool:
    """Whether a file of a folder holds captions: by its ending, unless it is said what it is."""
    if kind:
        return not any(part.startswith(".") for part in file.relative_to(folder).parts)
    return ending(file) in GATHERED


def _matching(pattern: Path) -> list[Path]:
    """What a pattern matches, sorted."""
    root = Path(pattern.anchor or ".")
    parts = pattern.relative_to(pattern.anchor).parts
    return sorted(root.glob("/".join(parts))) if parts else []


def shards(
    files: Iterable[Path],
    column: str | None = None,
    labels: Mapping[str, str] | None = None,
    kind: str = "",
) -> tuple[list[Shard], list[tuple[str, str]]]:
    """Part files.

    Parameters
    ----------
    files : iterable of Path
        See `found`.
    column : str, optional
        Where captions are; by default the first of the usual names that a file has.
    labels : mapping, optional
        From groups of concepts to columns.
    kind : str, optional
        What the files are, whatever their ending.

    Returns
    -------
    list of Shard
    list of (str, str)
        Files that cannot be read, each with the reason.

    Raises
    ------
    ValueError
        One line that lists the columns of a file that lacks one.
    """
    parts, failed = [], []
    labels = tuple((labels or {}).items())
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
        for _, name in labels:
            if name not in columns:
                raise invalid(f"label column of {file}", ", ".join(columns), name)
        parts += [Shard(file, part, size, chosen, labels, kind) for part, size in pieces]
    return parts, failed


def _column(file: Path, columns: list[str], wanted: str | None) -> str:
    """The column of captions."""
    shown = ", ".join(columns) or "none"
    if wanted is not None:
        if wanted not in columns:
            raise invalid("column", f"one of {file}: {shown}", wanted)
        return wanted
    by_name = {name.lower(): name for name in reversed(columns)}
    usual = [by_name[name] for name in USUAL if name in by_name]
    expected = f"the one of {file} that holds captions (or format tsv-bare: there is no header)"
    if not usual:
        raise invalid("column", expected, f"columns {shown}")
    return usual[0]


def batches(shard: Shard) -> Iterator[Batch]:
    """Read a shard, some captions at a time.

    Parameters
    ----------
    shard : Shard
        Where captions are. Where a row has a list of them, each counts, with the row's labels.

    Yields
    ------
    Batch

    Raises
    ------
    ValueError
        If the column does not hold text.
    """
    import pyarrow.compute as pc

    names = list(dict.fromkeys((shard.column, *(name for _, name in shard.labels))))
    how = formats.of(shard.file, shard.kind)
    for rows in how.batches(shard.file, shard.part, names):
        captions = rows.column(shard.column)
        labels = {group: rows.column(name) for group, name in shard.labels}
        if _is_list(captions.type):
            parents = pc.list_parent_indices(captions)
            captions = pc.list_flatten(captions)
            labels = {group: column.take(parents) for group, column in labels.items()}
        for name, one in (("column", captions), *labels.items()):
            if not _is_text(one.type):
                raise invalid(f"{name} of {shard.file}", "text", one.type)
        yield Batch(_strings(captions), {group: _strings(one) for group, one in labels.items()})


def _is_list(kind: pa.DataType) -> bool:
    from pyarrow import types

    return types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)


def _is_text(kind: pa.DataType) -> bool:
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    tests = (types.is_string, types.is_large_string, types.is_string_view, types.is_null)
    tests += (types.is_binary, types.is_large_binary)
    return any(test(kind) for test in tests)


def _strings(column: pa.Array) -> pa.Array:
    """As plain strings, with a replacement character for what is not UTF-8."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_string(column.type):
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
