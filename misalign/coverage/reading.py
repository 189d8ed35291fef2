"""How a file is read, and what was read of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add
from typing import Any

from misalign.coverage.lines import Item

TAGS, IMAGE = "tags", "image"  # what columns beside captions are, unless labels of a group
WIDE = 60  # characters of a caption that are quoted
SHOWN = 3  # captions, and lines that could not be read, that are quoted


class Unclear(ValueError):
    """A file that can be read in several ways, or has no captions: its user has to say more."""


@dataclass(frozen=True)
class How:
    """What a user says of files; all of it may be left to be found out.

    Parameters
    ----------
    kind, column : str
        What the files are, one of `misalign.coverage.found.kinds`, and where captions are; dots
        lead into nested records.
    labels : tuple of (str, str)
        Groups, and columns of which of their concepts a picture shows.
    tags, image : str
        Column of what a picture shows: lists, or words separated by commas, semicolons or bars; or
        a file with this in a column tags; and the column of which picture a caption is of.
    by : {"caption", "text", "image"}
        What is counted: captions, distinct texts, or pictures with all their captions.
    quotes : {"auto", "double", "none"}
        Whether a field of a table may stand in quotes, or a quote is a character like others.
    encoding, skip_bad, exclude : str, bool, tuple of str
        Of text, as Python names it; count the rows that can be read of a file where others cannot;
        patterns of files that are not read.
    """

    kind: str = ""
    column: str | None = None
    labels: tuple[tuple[str, str], ...] = ()
    tags: str = ""
    image: str = ""
    by: str = "caption"
    quotes: str = "auto"
    encoding: str = "utf-8"
    skip_bad: bool = False
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """A file of captions and how it is read: what `How` leaves open is settled."""

    item: Item
    format: str  # one of `formats.FORMATS`
    column: str = ""
    beside: tuple[tuple[str, str], ...] = ()  # columns by group of labels, or by TAGS or IMAGE
    several: bool = False  # captions are lists, so null stands for none of them
    where: tuple[str, str] | None = None  # a column beside the captions and its only value
    status: bool = False  # a column that tells of failed downloads
    delimiter: str = ","
    header: bool = True
    quotes: bool = True
    encoding: str = "utf-8"
    skip_bad: bool = False
    records: str = ""  # which list of a JSON document
    files: tuple[Item, ...] = ()  # of a folder with a caption a file
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its format as a reader would say it."""
        quotes = "" if self.quotes or self.format != "table" else ", quotes taken literally"
        kinds = {",": "csv", "\t": "tsv"}
        kind = kinds.get(self.delimiter, f"csv with {self.delimiter}")
        bare = "" if self.header else " without a header"
        return f"{kind}{bare}{quotes}" if self.format == "table" else self.format


@dataclass
class Read:
    """What was read of a file.

    Parameters
    ----------
    file, format, column : str
        Its name, how it was read, and where its captions are.
    rows, captions, empty, replaced : int
        Rows; captions in them, those without text, and those in which bytes that are no UTF-8 were
        replaced.
    skipped : Counter
        Rows that were not counted, by reason.
    bad, samples, notes : list or tuple of str
        The first lines that could not be read, and the first captions with text; and what a reader
        should know of the file.
    """

    file: str
    format: str = ""
    column: str = ""
    rows: int = 0
    captions: int = 0
    empty: int = 0
    skipped: Counter = field(default_factory=Counter)
    replaced: int = 0
    bad: list[str] = field(default_factory=list)
    samples: list[str] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    skip_bad: bool = False

    @classmethod
    def of(cls, source: Source) -> Read:
        """Nothing read of a source yet."""
        how = (source.name, source.column)
        return cls(str(source.item), *how, notes=source.notes, skip_bad=source.skip_bad)

    def __add__(self, other: Read) -> Read:
        """What was read of two parts of one file."""
        first = {name: (getattr(self, name) + getattr(other, name))[:SHOWN] for name in LISTS}
        sums = {name: getattr(self, name) + getattr(other, name) for name in SUMS}
        return replace(self, **sums, **first)

    def refuse(self, where: str, reason: str, kind: str = "cannot be read") -> None:
        """Note a row that cannot be read, or raise if such rows are not to be skipped."""
        if not self.skip_bad:
            raise ValueError(f"{where}: {reason} (--skip-bad counts the others)")
        self.skipped[kind] += 1
        self.bad = [*self.bad, f"{where}: {reason}"][:SHOWN]

    def described(self) -> Iterator[str]:
        """Say what was read in a line, and in others what a reader should doubt."""
        shown = [f"{text[:WIDE]}..." if len(text) > WIDE else text for text in self.samples]
        such = f"; such as: {' '.join(' | '.join(shown).split())}" if shown else ""
        sums = ((self.rows, "row"), (self.captions, "caption"))
        counts = ", ".join(f"{number:,} {one}{'s' * (number != 1)}" for number, one in sums)
        counts += f", {self.empty:,} without text"
        yield f"read: {self.file} ({self.format}, column {self.column}): {counts}{such}"
        if self.replaced:
            what = "bytes that are no UTF-8 were replaced (see --encoding)"
            yield f"  captions in which {what}: {self.replaced:,}"
        for reason, number in self.skipped.items():
            yield f"  rows {reason}: {number:,}"
        yield from (f"  {line}" for line in (*self.bad, *self.notes))

    def to_json(self) -> dict[str, Any]:
        """Write it as values of JSON."""
        names = ("file", "format", "column", *SUMS, *LISTS, "notes")
        return {name: getattr(self, name) for name in names}


SUMS = ("rows", "captions", "empty", "skipped", "replaced")
LISTS = ("bad", "samples")


def describe(reads: Iterable[Read]) -> list[str]:
    """Say what was read of files, many of one kind at once."""
    groups: dict[tuple, list[Read]] = {}
    for read in reads:
        groups.setdefault((read.format, read.column, read.notes), []).append(read)
    lines = []
    for group in groups.values():
        if len(group) > SHOWN:
            many = f"{len(group):,} files, {group[0].file} first"
            group = [replace(reduce(add, group), file=many)]
        lines += [line for read in group for line in read.described()]
    return lines
