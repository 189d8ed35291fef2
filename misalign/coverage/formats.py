"""Readers of files with captions: a look at the first rows, parts, and the rows of a part."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from misalign.coverage import lines, nested
from misalign.coverage.reading import Read, Source
from misalign.errors import invalid

ROWS = 1 << 14  # that are decoded at a time
PART = 1 << 20  # rows of Parquet, about, of a shard
FIRST = 100  # rows that are looked at
LINE = "line"  # the only column of a text file
TALL = 50  # lines that a caption of a table may have


class Rows(NamedTuple):
    """Some rows: either columns, Arrow arrays of one length or lists of strings, or objects."""

    columns: dict[str, Any] | None
    records: Sequence[dict] | None = None
    at: Callable[[int], str] = "row {}".format  # where in the file a row is, in words


class Format(Protocol):
    """How to read one kind of file; a part is a plain value that travels to other processes."""

    def first(self, source: Source) -> dict[str, list]:
        """Columns with their first values; none of a file without rows."""

    def parts(self, source: Source) -> list[tuple[Any, int]]:
        """Parts to read separately, and the bytes of each; by default the whole file."""
        return [(None, source.item.size)]

    def rows(self, source: Source, part: Any, names: list[str], read: Read) -> Iterator[Rows]:
        """Rows of some columns, some at a time; what cannot be read is told to `read`."""


class _Parquet(Format):
    """Parquet, in parts of whole row groups."""

    def _open(self, source: Source) -> pq.ParquetFile:
        file = source.item.open() if source.item.member else source.item.path
        # pages are read when they are needed, not a row group at once, as pyarrow.dataset does
        return pq.ParquetFile(file, pre_buffer=False, buffer_size=1 << 20)

    def first(self, source: Source) -> dict[str, list]:
        with self._open(source) as file:
            columns = {name: [] for name in file.schema_arrow.names}
            batch = next(file.iter_batches(FIRST, use_threads=False), None)
        return columns | nested.columns([] if batch is None else batch.to_pylist())

    def parts(self, source: Source) -> list[tuple[tuple[int, ...], int]]:
        with self._open(source) as file:
            rows = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
        runs: list[list[int]] = [[]]
        for group, count in enumerate(rows):
            if runs[-1] and sum(rows[i] for i in runs[-1]) + count > PART:
                runs.append([])
            runs[-1].append(group)
        size, total = source.item.size, max(1, sum(rows))
        return [(tuple(run), size * sum(rows[i] for i in run) // total) for run in runs]

    def rows(
        self, source: Source, part: tuple[int, ...], names: list[str], read: Read
    ) -> Iterator[Rows]:
        with self._open(source) as file:
            flat = set(names) <= set(file.schema_arrow.names)
            columns = names if flat else list({name.partition(".")[0] for name in names})
            options = {"row_groups": list(part), "columns": columns, "use_threads": False}
            for batch in file.iter_batches(ROWS, **options):
                if flat:
                    yield Rows(dict(zip(names, map(batch.column, names), strict=True)))
                else:
                    yield Rows(None, batch.to_pylist())


class _Table(Format):
    """CSV and its kin, a file a part: a quoted caption may hold line breaks."""

    def first(self, source: Source) -> dict[str, list]:
        with source.item.open(source.encoding) as file:
            lines.expect_text(file.read(lines.BLOCK))
        rows = [row for _, row in itertools.islice(records(source), FIRST + 1)]
        if not rows:
            raise invalid("header", "names of columns", "an empty file")
        names = header(source, rows[0])
        body = rows[1:] if source.header else rows
        return {name: [row[i] for row in body if i < len(row)] for i, name in enumerate(names)}

    def rows(self, source: Source, part: None, names: list[str], read: Read) -> Iterator[Rows]:
        every = records(source)
        line, row = next(every)
        columns, width = header(source, row), len(row)
        places = [columns.index(name) for name in names]
        every = every if source.header else itertools.chain([(line, row)], every)
        while rows := list(itertools.islice(every, ROWS)):
            for line, row in rows:
                if (size := len(row)) != width:
                    kind = "too long" if size > width else "too short: what is missing is empty"
                    read.refuse(f"line {line}", f"expected {width} fields, got {size}", kind)
            whole = [row for _, row in rows if len(row) <= width]
            values = ([row[i] if i < len(row) else None for row in whole] for i in places)
            yield Rows(dict(zip(names, values, strict=True)))


def records(source: Source, quotes: bool | None = None) -> Iterator[tuple[int, list[str]]]:
    """Rows of a table that are not blank, each with the number of its first line."""
    quotes = source.quotes if quotes is None else quotes
    how = {"quoting": csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE, "strict": True}
    csv.field_size_limit(lines.LONGEST)
    with source.item.text(source.encoding) as file:
        rows, line = csv.reader(file, delimiter=source.delimiter, **how), 1
        advice = "(--quotes none takes quotes literally)"
        try:
            for row in rows:
                if (tall := rows.line_num - line + 1) > TALL:
                    expected = f"captions of at most {TALL} lines"
                    raise invalid(f"line {line}", expected, f"one of {tall:,} {advice}")
                if row:
                    yield line, row
                line = rows.line_num + 1
        except csv.Error as error:
            raise invalid(f"line {line}", "quotes that close", f"{error} {advice}") from None


def header(source: Source, row: list[str]) -> list[str]:
    """Names of a table's columns, without a header f0, f1, ..."""
    if not source.header:
        return [f"f{i}" for i in range(len(row))]
    return [name.strip() for name in row]


class _Text(Format):
    """A caption a line, in parts of bytes."""

    def first(self, source: Source) -> dict[str, list]:
        with source.item.open(source.encoding) as file:
            start = file.read(lines.BLOCK)
        lines.expect_text(start)
        if b"\r" in start and b"\n" not in start and start.count(b"\r") > 1:
            raise invalid("line ends", "line feeds", "carriage returns alone")
        return {LINE: start.decode("utf-8", "replace").removeprefix("\ufeff").split("\n")[:FIRST]}

    def parts(self, source: Source) -> list[tuple[Any, int]]:
        return lines.parts(source.item, source.encoding)

    def rows(self, source: Source, part: Any, names: list[str], read: Read) -> Iterator[Rows]:
        for _, block in lines.blocks(source.item, part, source.encoding):
            # a view, not a cast: these may be no UTF-8 yet
            text = pa.array([block.removesuffix(b"\n")], pa.binary()).view(pa.string())
            yield Rows({LINE: pc.split_pattern(text, "\n").flatten()})


FORMATS: dict[str, Format] = {"parquet": _Parquet(), "table": _Table(), "txt": _Text()}
