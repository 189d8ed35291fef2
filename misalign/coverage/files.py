"""Captions from files: parted in shards, and read some at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from misalign.coverage import nested
from misalign.coverage.formats import Rows
from misalign.coverage.found import Found, found
from misalign.coverage.lines import Item
from misalign.coverage.objects import FORMATS
from misalign.coverage.reading import IMAGE, TAGS, How, Read, Source, Unclear
from misalign.coverage.sniff import look, settle
from misalign.errors import invalid

FAILED = "failed downloads"
LONGEST = 200  # characters of a reason why a file cannot be read


@dataclass(frozen=True)
class Shard:
    """A part of a file, to be read in one go."""

    source: Source
    part: Any  # row groups, a range of bytes, or None for all; see `Format`
    size: int  # bytes, about
    tags: dict[str, str] | None = None  # by picture, if they are in a file of their own

    @property
    def file(self) -> Path:
        """The file on the disk."""
        return self.source.item.path

    def resolved(self) -> Shard:
        """The same for a process in another folder."""
        item, *files = (
            replace(one, path=one.path.resolve()) for one in (self.source.item, *self.source.files)
        )
        return replace(self, source=replace(self.source, item=item, files=tuple(files)))


@dataclass(frozen=True)
class Batch:
    """Some captions, strings of valid UTF-8 or null, and columns beside them, as many."""

    captions: pa.Array
    beside: dict[str, pa.Array]


class Parts(NamedTuple):
    """What is to be read, and what cannot be or is not, each with the reason."""

    shards: list[Shard]
    failed: list[tuple[str, str]]
    skipped: list[tuple[str, str]]


def shards(every: Found, how: How) -> Parts:
    """Settle how each file is read, and part it."""
    parts, unclear = Parts([], [], [*every.skipped.items()]), []
    table, how = _tag_table(how)
    for item in every.items.values():
        try:
            source = look(item, how)
            pieces = FORMATS[source.format].parts(source) if source else []
        except Unclear as error:
            if item in every.named:
                raise
            unclear.append(error)
            parts.skipped.append((str(item), one_line(error)))
        except Exception as error:  # whatever a library finds wrong with a file
            parts.failed.append((str(item), one_line(error)))
        else:  # without captions there is nothing wrong
            parts.shards.extend(Shard(source, part, size, table) for part, size in pieces)
    for folder, items in every.sidecars.items():
        source = Source(Item(folder), "sidecars", files=tuple(items), skip_bad=how.skip_bad)
        source = settle(source, FORMATS["sidecars"].first(source), {}, how)
        pieces = FORMATS["sidecars"].parts(source)
        parts.shards.extend(Shard(source, *one, table) for one in pieces)
    if unclear and not (parts.shards or parts.failed):
        raise unclear[0]
    return parts


def batches(shard: Shard, read: Read) -> Iterator[Batch]:
    """Read a shard, some captions at a time; of a list in a row each counts, with its labels."""
    source = shard.source
    names = [source.column, *(name for _, name in source.beside)]
    names += ["status"] if source.status else []
    for rows in FORMATS[source.format].rows(source, shard.part, list(dict.fromkeys(names)), read):
        flat = rows.records is None
        batch = (_of_columns if flat else _of_records)(source, rows, read)
        if shard.tags is not None:
            found = [shard.tags.get(one) for one in batch.beside[IMAGE].to_pylist()]
            batch.beside[TAGS] = _array(found)
        yield batch


def _tag_table(how: How) -> tuple[dict[str, str] | None, How]:
    """Tags by picture, if they are in a file of their own."""
    if not (how.tags and Path(how.tags).is_file()):
        return None, how
    if not how.image:
        raise invalid("image", f"the column that captions and {how.tags} share", "none")
    own = How(column=how.image, tags=TAGS)
    pairs = {}
    for shard in shards(found([how.tags], own), own).shards:
        for batch in batches(shard, Read.of(shard.source)):
            pairs |= zip(batch.captions.to_pylist(), batch.beside[TAGS].to_pylist(), strict=True)
    return pairs, replace(how, tags="")


def _of_columns(source: Source, rows: Rows, read: Read) -> Batch:
    """Captions and labels of columns, each of text or of lists of text."""
    columns = {name: _array(one) for name, one in rows.columns.items()}
    captions = columns[source.column]
    read.rows += len(captions)
    beside = {key: columns[name] for key, name in source.beside}
    # lists of tags as text
    beside |= {key: pc.binary_join(one, "|") for key, one in beside.items() if _is_list(one.type)}
    if source.status:
        gone = pc.starts_with(columns["status"].cast(pa.string()).fill_null(""), "failed")
        if failed := pc.sum(gone).as_py():
            read.skipped[FAILED] += failed
            captions = captions.filter(pc.invert(gone))
            beside = {key: one.filter(pc.invert(gone)) for key, one in beside.items()}
    if _is_list(captions.type):
        parents = pc.list_parent_indices(captions)
        captions = pc.list_flatten(captions)
        beside = {key: column.take(parents) for key, column in beside.items()}
    for name, one in (("column", captions), *beside.items()):
        if not (_is_text(one.type) or (name == IMAGE and types.is_integer(one.type))):
            raise invalid(f"{name} of {source.item}", "text", one.type)
    return Batch(_strings(captions, read), {name: _strings(one) for name, one in beside.items()})


def _is_list(kind: pa.DataType) -> bool:
    tests = (types.is_list, types.is_large_list, types.is_fixed_size_list)
    return any(test(kind) for test in tests)


def _of_records(source: Source, rows: Rows, read: Read) -> Batch:
    """Captions and labels of objects, in which columns may lie deep."""
    captions, beside = [], {key: [] for key, _ in source.beside}
    for i, record in enumerate(rows.records):
        read.rows += 1
        if source.status and str(record.get("status")).startswith("failed"):
            read.skipped[FAILED] += 1
            continue
        texts = nested.follow(record, source.column)
        if source.several and not nested.holds_list(record, source.column):
            texts = [text for text in texts if text is not None]
        if source.where:
            name, value = source.where
            marks = nested.follow(record, name)
            texts = [text for text, mark in zip(texts, marks, strict=True) if mark == value]
        shown = {key: _text(nested.follow(record, name)) for key, name in source.beside}
        for text in texts:
            if text is not None and text == text and not isinstance(text, str):  # NaN is null
                read.refuse(rows.at(i), f"expected text, got {text!r:.40}")
                continue
            captions.append(text if isinstance(text, str) else None)
            for key, value in shown.items():
                beside[key].append(value)
    arrays = {key: _strings(_array(one)) for key, one in beside.items()}
    return Batch(_strings(_array(captions), read), arrays)


def _text(values: list) -> str | None:
    """A label or number, or several tags, as text."""
    there = [str(one) for one in values if one is not None]
    return "|".join(there) if there or not values else None


def _array(values: Any) -> pa.Array:
    """Python's strings as an array; half surrogates stand for bytes that are no UTF-8."""
    if isinstance(values, pa.Array):
        return values
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:
        data = [None if one is None else one.encode("utf-8", "surrogateescape") for one in values]
        return pa.array(data, pa.binary())


def _is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if types.is_dictionary(kind) else kind
    tests = (types.is_string, types.is_large_string, types.is_string_view, types.is_null)
    return any(test(kind) for test in (*tests, types.is_binary, types.is_large_binary))


def _strings(column: pa.Array, read: Read | None = None) -> pa.Array:
    """As plain strings, with a replacement character for what is not UTF-8."""
    column = pc.cast(column, pa.string(), safe=False)
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        data = column.cast(pa.binary()).to_pylist()
        texts = [None if one is None else one.decode("utf-8", "replace") for one in data]
        if read:
            changed = (text.encode() != one for text, one in zip(texts, data, strict=True) if one)
            read.replaced += sum(changed)
        column = pa.array(texts, pa.string())
    # the search of the bytes is fast, but may find some of no caption
    data = column.buffers()[2] if read else None
    if data and b"\0" in data.to_pybytes() and pc.any(pc.match_substring(column, "\0")).as_py():
        raise invalid(f"captions of {read.file}", "text", "bytes of value 0, as binary files have")
    return column


def one_line(error: Exception) -> str:
    """First line of an error, or its kind if it has none; without what does not print."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    shown = "".join(char if char.isprintable() else "?" for char in line)
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}..."
