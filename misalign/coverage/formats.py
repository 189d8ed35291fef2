"""Formats of files with captions: which columns they have, their parts, and a part's batches."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from misalign.coverage import lines
from misalign.errors import invalid

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 1 << 14  # of Parquet that are decoded at a time
PART = 1 << 20  # rows of Parquet, about, of a shard
LINE = "line"  # the only column of a text file
# names of columns of captions, the first that a file has, in any case
USUAL = ("caption", "captions", "text", "texts", "alt_text", "alt", "sentence", "sentences")
USUAL += ("description", "title", LINE)


class Format(Protocol):
    """How to read one kind of file; a part is a plain value that travels to other processes."""

    def columns(self, path: Path) -> list[str]:
        """Names of the columns; none of a file without rows."""

    def parts(self, path: Path) -> list[tuple[Any, int]]:
        """Parts to read separately, and the bytes of each; by default the whole file."""
        return [(None, path.stat().st_size)]

    def batches(self, path: Path, part: Any, names: list[str]) -> Iterator[pa.RecordBatch]:
        """Rows of some columns, some at a time."""


class _Parquet(Format):
    """Parquet, in parts of whole row groups."""

    def columns(self, path: Path) -> list[str]:
        import pyarrow.parquet as pq

        return pq.read_schema(path).names

    def parts(self, path: Path) -> list[tuple[tuple[int, ...], int]]:
        import pyarrow.parquet as pq

        with pq.ParquetFile(path) as file:
            rows = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
        runs: list[list[int]] = [[]]
        for group, count in enumerate(rows):
            if runs[-1] and sum(rows[i] for i in runs[-1]) + count > PART:
                runs.append([])
            runs[-1].append(group)
        size, total = path.stat().st_size, max(1, sum(rows))
        return [(tuple(run), size * sum(rows[i] for i in run) // total) for run in runs]

    def batches(
        self, path: Path, part: tuple[int, ...], names: list[str]
    ) -> Iterator[pa.RecordBatch]:
        import pyarrow.parquet as pq

        # pages are read when they are needed, not a row group at once, as pyarrow.dataset does
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:
            options = {"row_groups": list(part), "columns": names, "use_threads": False}
            yield from file.iter_batches(ROWS, **options)


class _Delimited(Format):
    """CSV and its kin, a file a part: a quoted caption may hold line breaks.

    Spreadsheets write semicolons where a comma is the decimal point, so a first line without the
    usual delimiter may have another. Without a header columns are called f0, f1, ...
    """

    def __init__(self, delimiter: str, header: bool = True) -> None:
        self.delimiter, self.header = delimiter, header

    def _delimiter(self, path: Path) -> str:
        with lines.opened(path) as file:
            first = file.readline(lines.BLOCK)
        lines.expect_utf_8(first)
        marks = (self.delimiter, *";\t|,")
        return next((mark for mark in marks if mark.encode() in first), self.delimiter)

    def _reader(self, path: Path, names: list[str] | None) -> Any:
        import pyarrow as pa
        from pyarrow import csv

        strings = {name: pa.string() for name in names or ()}
        how = {"use_threads": False, "block_size": lines.BLOCK}
        return csv.open_csv(
            pa.input_stream(str(path), compression="detect"),
            csv.ReadOptions(autogenerate_column_names=not self.header, **how),
            csv.ParseOptions(delimiter=self._delimiter(path), newlines_in_values=True),
            csv.ConvertOptions(column_types=strings, include_columns=names, check_utf8=False),
        )

    def columns(self, path: Path) -> list[str]:
        with closing(self._reader(path, None)) as reader:
            return reader.schema.names

    def batches(self, path: Path, part: None, names: list[str]) -> Iterator[pa.RecordBatch]:
        with closing(self._reader(path, names)) as reader:
            yield from reader


class _JSONLines(Format):
    """One JSON object a line, in parts of bytes; a key that is missing is null."""

    parts = staticmethod(lines.parts)

    def columns(self, path: Path) -> list[str]:
        return list(lines.first_records(path))

    def batches(self, path: Path, part: Any, names: list[str]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa
        from pyarrow import json as arrow_json

        first = lines.first_records(path)
        one, many = pa.string(), pa.list_(pa.string())
        kinds = {name: many if isinstance(first.get(name), list) else one for name in names}
        how = arrow_json.ParseOptions(
            explicit_schema=pa.schema(kinds), unexpected_field_behavior="ignore"
        )
        for block in lines.blocks(path, part):
            if not block.isspace():
                read = arrow_json.ReadOptions(use_threads=False, block_size=len(block) + 1)
                table = arrow_json.read_json(pa.BufferReader(block), read, how)
                yield from table.to_batches()


class _JSON(Format):
    """One JSON document: a list of objects, or an object that has one, as COCO's annotations."""

    def _records(self, path: Path) -> list[dict]:
        """The list, of several the first whose objects have a caption of a usual name."""
        with lines.opened(path) as file:
            content = json.load(file)
        found = content.values() if isinstance(content, dict) else [content]
        lists = [one for one in found if one and isinstance(one, list)]
        lists = [one for one in lists if all(isinstance(record, dict) for record in one)]
        if not lists:
            raise invalid("JSON", "a list of objects", type(content).__name__)
        captioned = (one for one in lists if any(name.lower() in USUAL for name in one[0]))
        return next(captioned, lists[0])

    def columns(self, path: Path) -> list[str]:
        return list(self._records(path)[0])

    def batches(self, path: Path, part: None, names: list[str]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        rows = [{name: one.get(name) for name in names} for one in self._records(path)]
        yield from pa.Table.from_pylist(rows).to_batches(ROWS)


class _Text(Format):
    """A caption a line, in parts of bytes."""

    parts = staticmethod(lines.parts)

    def columns(self, path: Path) -> list[str]:
        with lines.opened(path) as file:
            file.read(1)
        return [LINE]

    def batches(self, path: Path, part: Any, names: list[str]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        for block in lines.blocks(path, part):
            yield pa.record_batch([lines.captions(block)], names=[LINE])


FORMATS: dict[str, Format] = {
    ".parquet": _Parquet(),
    ".csv": _Delimited(","),
    ".tsv": _Delimited("\t"),
    ".jsonl": _JSONLines(),
    ".ndjson": _JSONLines(),
    ".json": _JSON(),
    ".txt": _Text(),
}
# what a file may be said to be, whatever its name
KINDS = {name[1:]: kind for name, kind in FORMATS.items()} | {
    "csv-bare": _Delimited(",", header=False),
    "tsv-bare": _Delimited("\t", header=False),
}


def of(path: Path, kind: str = "") -> Format:
    """How to read a file: as one of `KINDS`, or by its ending."""
    return KINDS[kind] if kind else FORMATS[ending(path)]


def ending(path: Path) -> str:
    """Ending of a file's name that says its format, compression apart."""
    name = path.name.lower()
    stem = next((name.removesuffix(one) for one in lines.COMPRESSED if name.endswith(one)), name)
    found = Path(stem).suffix
    return "" if found == ".parquet" and stem != name else found
