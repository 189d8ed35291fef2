"""What a file is: its format, whether it has a header, and which column holds captions."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from misalign.coverage import formats, nested
from misalign.coverage.formats import FIRST, LINE
from misalign.coverage.found import ENDINGS, kinds
from misalign.coverage.lines import Item
from misalign.coverage.objects import FORMATS
from misalign.coverage.reading import IMAGE, TAGS, How, Source, Unclear
from misalign.errors import invalid

# names of columns of captions, the first that a file has, in any case; also at the end of dots
USUAL = ("txt", "caption", "captions", "text", "texts", "alt_text", "alt", "sentence", "raw")
USUAL += ("sentences", "caption_str", "comment", "description", "title", LINE)
# what else stands in the headers of such tables
BESIDE = ("image", "image_name", "image_id", "img", "filename", "file_name", "file", "path", "url")
BESIDE += ("id", "key", "label", "filepath", "image_path", "comment_number", "name", "split")
PICTURE = re.compile(r"\S*\.(jpe?g|png|gif|webp|bmp|tiff?)(#\w+)?$", re.IGNORECASE)
ADDRESS, NUMBER = r"(https?|s3|gs|file)://\S*$", r"[-+]?[\d.,:#_/ -]*\d[\d.,:#_/ %-]*$"
ODD = re.compile(f"{PICTURE.pattern}|{ADDRESS}|{NUMBER}", re.IGNORECASE)  # what no caption is
LONG = 40  # characters that no name of a column has


def look(item: Item, how: How) -> Source | None:
    """Settle how a file is read; None for one without rows."""
    kind = kinds()[how.kind] if how.kind else ENDINGS[item.ending]
    known = {name: kind[name] for name in ("delimiter", "records", "where") if name in kind}
    source = Source(item, kind["format"], encoding=how.encoding, skip_bad=how.skip_bad, **known)
    source = replace(source, where=tuple(source.where) if source.where else None)
    if source.format == "txt" and not how.kind:
        source = _table_in_text(source)
    if source.format == "jsonl" and not how.kind and _starts_with_list(source):
        source = replace(source, format="json", notes=("one JSON document in a file of lines",))
    if source.format == "json":
        source, kind = _document(source, kind, how)
    if source.format == "table":
        source = _table(source, kind, how)
    first = FORMATS[source.format].first(source)
    return settle(source, first, kind, how) if first else None


def settle(source: Source, first: dict[str, list], kind: dict[str, Any], how: How) -> Source:
    """Choose the column of captions, by its name or else by what stands in it."""
    column, notes = _column(source, first, how.column or kind.get("column", ""))
    image = how.image or (kind.get("image", "") if how.by == "image" else "")
    if how.by == "image" and not image:
        raise invalid("image", f"a column of {source.item} that names pictures", "none", Unclear)
    every = [*how.labels, (TAGS, how.tags), (IMAGE, image)]
    asked = [(key, name) for key, name in every if name]
    for key, name in asked:
        if _full(first, name) is None:
            what = key if key in (TAGS, IMAGE) else "label"
            raise invalid(f"{what} column of {source.item}", ", ".join(first), name, Unclear)
    beside = tuple((key, _full(first, name)) for key, name in asked)
    status = "status" in first and bool({"url", "key"} & first.keys())
    where = source.where if source.where and _full(first, source.where[0]) else None
    if not where and column.endswith(".value") and f"{column[:-5]}from" in first:
        where = (f"{column[:-5]}from", "gpt")
    several = isinstance(first.get(column), nested.Several)
    settled = replace(source, column=column, beside=beside, status=status, where=where)
    return replace(settled, several=several, notes=(*source.notes, *notes))


def _full(first: Iterable[str], name: str) -> str | None:
    """A column by its name, by the end of its dotted name, or of names that lead further."""
    ends = [one for one in first if one.endswith(f".{name}")]
    inside = any(one.startswith(f"{name}.") for one in first)
    return name if name in first or inside else ends[0] if len(ends) == 1 else None


def _column(source: Source, first: dict[str, list], wanted: str) -> tuple[str, list[str]]:
    """The column of captions, and what to say of others."""
    if wanted:
        if (full := _full(first, wanted)) is None:
            raise invalid("column", f"one of {source.item}: {', '.join(first)}", wanted, Unclear)
        return full, []
    texts = [name for name, rows in first.items() if _looks_like_text(rows)]
    by_name = {name.lower().rpartition(".")[2]: name for name in reversed(first)}
    usual = [by_name[name] for name in USUAL if name in by_name]
    if not usual:
        usual = [name for name in texts if _words(first[name]) >= 2] or texts
        if len(usual) != 1 or source.format != "table" or source.header:
            which = f"the one of {source.item} that holds captions, by --column"
            examples = (f"{name} (looks like: {_example(rows)})" for name, rows in first.items())
            raise invalid("column", which, f"columns {', '.join(examples)}", Unclear)
        return usual[0], [f"column {usual[0]} was taken, the only one with text"]
    others = [name for name in dict.fromkeys((*usual[1:], *texts)) if name != usual[0]]
    others = [name for name in others if name in texts and _words(first[name]) >= 2]
    return usual[0], [f"other columns hold text, too: {', '.join(others)}"] if others else []


def _example(rows: list) -> str:
    value = str(next((one for one in rows if one not in (None, "")), ""))
    return value if len(value) <= LONG else f"{value[:LONG]}..."


def _texts(rows: list) -> list[str]:
    return [one for one in rows if isinstance(one, str) and one.strip()]


def _looks_like_text(rows: list) -> bool:
    """Whether most values are neither numbers nor names of files or addresses."""
    texts = _texts(rows)
    odd = sum(bool(ODD.match(text.strip())) for text in texts)
    return bool(texts) and odd <= 0.2 * len(texts)


def _words(rows: list) -> float:
    texts = _texts(rows)
    return sum(len(text.split()) for text in texts) / max(1, len(texts))


def _table_in_text(source: Source) -> Source:
    """A table or JSON lines that a .txt file holds."""
    texts = [line for line in FORMATS["txt"].first(source)[LINE] if line.strip()]
    if texts and texts[0].lstrip().startswith("{") and '"' in texts[0]:
        return replace(source, format="jsonl", notes=("JSON lines in a file of text",))
    for mark in ("\t", ",", "|", ";"):
        rows = list(csv.reader(texts, delimiter=mark))
        widths = [len(row) for row in rows]
        if not rows or widths[0] < 2:
            continue
        even = sum(width == widths[0] for width in widths) >= 0.9 * len(widths)
        pictures = sum(bool(PICTURE.match(row[0].strip())) for row in rows if row)
        if _is_header(rows[0]) or (even and (mark == "\t" or pictures >= 0.9 * len(rows))):
            note = ("a table in a file of text",)
            return replace(source, format="table", delimiter=mark, notes=note)
    named = sum(bool(PICTURE.match(line.split()[0])) for line in texts if " " in line.strip())
    if texts and named >= 0.9 * len(texts):
        expected = "captions alone (without the names: cut -d' ' -f2- FILE; or use --format txt)"
        raise invalid(f"lines of {source.item}", expected, "names of pictures before them", Unclear)
    return source


def _is_header(row: list[str]) -> bool:
    """Whether a row names columns, that of captions among them."""
    names = [name.strip().lower() for name in row]
    return len(names) > 1 and any(name in USUAL for name in names) and set(names) <= {
        *USUAL, *BESIDE, ""}  # fmt: skip


def _table(source: Source, kind: dict[str, Any], how: How) -> Source:
    """A table's delimiter, header and quotes."""
    with source.item.text(source.encoding) as file:
        start = file.readline(formats.lines.LONGEST)
    if "delimiter" not in kind or source.delimiter not in start:
        marks = (source.delimiter, *";\t|,")
        source = replace(source, delimiter=next((one for one in marks if one in start), ","))
    quotes = how.quotes != "none"
    if how.quotes == "auto" and source.delimiter == "\t":
        quotes = _takes_quotes(source)
    source = replace(source, quotes=quotes)
    row = next((row for _, row in formats.records(source)), [])
    head = kind.get("header", _is_header(row) or not _is_data(row))
    note = () if head or "header" in kind else ("no header was found",)
    return replace(source, header=head, notes=(*source.notes, *note))


def _is_data(row: list[str]) -> bool:
    """Whether a first row cannot be one of names."""
    cells = [cell.strip() for cell in row]
    if cells == [str(i) for i in range(len(cells))]:  # as pandas calls columns
        return False
    return any(ODD.match(cell) or len(cell) > LONG or len(cell.split()) > 4 for cell in cells)


def _takes_quotes(source: Source) -> bool:
    """Whether fields of a tab-separated file stand in quotes: only if the rows say so.

    The format has none, so that a stray quote must not swallow the rows that follow it; but many
    programs write them where a caption holds a tab or a line break.
    """
    quoted, literal = (_count(source, quotes) for quotes in (True, False))
    if None not in (quoted, literal) and quoted != literal:
        got = f"{quoted:,} rows with quotes around fields, {literal:,} without"
        expected = "one way to read them (--quotes double or none)"
        raise invalid(f"quotes of {source.item}", expected, got, Unclear)
    return quoted is not None


def _count(source: Source, quotes: bool) -> int | None:
    """Rows of a table, or None if they do not all have as many fields."""
    rows, width = 0, 0
    try:
        for _, row in formats.records(source, quotes):
            rows, width = rows + 1, width or len(row)
            if len(row) != width:
                return None
    except ValueError:
        return None
    return rows


def _starts_with_list(source: Source) -> bool:
    with source.item.open(source.encoding) as file:
        return file.read(formats.lines.BLOCK).removeprefix(formats.lines.MARK).lstrip()[:1] == b"["


def _document(source: Source, kind: dict[str, Any], how: How) -> tuple[Source, dict[str, Any]]:
    """The list of a JSON document that has captions, and the layout that this is."""
    with source.item.open(source.encoding) as file:
        formats.lines.expect_text(start := file.read(formats.lines.BLOCK))
    first_line, _, rest = start.partition(b"\n")
    if first_line.strip().endswith(b"}") and rest.lstrip().startswith(b"{") and not how.kind:
        return replace(source, format="jsonl", notes=("JSON lines in a file of JSON",)), kind
    lists = {
        name: nested.columns(rows[:FIRST]) for name, rows in FORMATS["json"].lists(source).items()
    }
    if source.records in lists and source.records:
        return source, kind
    open_to = how.kind in ("", "json") and not how.column
    known = [one for one in kinds().values() if one["format"] == "json" and "column" in one]
    for layout in known if open_to else ():
        for name, first in lists.items():
            where = layout.get("where", [layout["column"]])[0]
            if {layout["column"], where} <= first.keys():
                pair = tuple(layout["where"]) if "where" in layout else None
                return replace(source, records=name, where=pair), layout

    def fits(first: dict[str, list]) -> bool:
        if how.column:
            return _full(first, how.column) is not None
        return any(name.lower().rpartition(".")[2] in USUAL for name in first)

    fitting = [name for name, first in lists.items() if fits(first)]
    return replace(source, records=next(iter([*fitting, *lists]), "")), kind
