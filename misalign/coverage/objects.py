"""Readers of files of objects: JSON, archives, and files beside pictures."""

from __future__ import annotations

import itertools
import json
import os
import tarfile
from collections.abc import Iterator
from typing import Any, BinaryIO

from misalign.coverage import formats, lines, nested
from misalign.coverage.formats import FIRST, FORMATS, Format, Rows
from misalign.coverage.reading import Read, Source, Unclear
from misalign.errors import invalid

FILES = 1 << 12  # of a caption each, of a shard


class _Objects(Format):
    """Dictionaries, each with a mark of its place, which `at` makes words of."""

    def objects(self, source: Source, part: Any, read: Read) -> Iterator[tuple[Any, dict]]:
        """The objects of a part."""

    def at(self, source: Source, mark: Any) -> str:
        """Where an object is."""
        return str(mark)

    def first(self, source: Source) -> dict[str, list]:
        every = self.objects(source, None, Read.of(source))
        return nested.columns(one for _, one in itertools.islice(every, FIRST))

    def rows(self, source: Source, part: Any, names: list[str], read: Read) -> Iterator[Rows]:
        every = self.objects(source, part, read)
        while chunk := list(itertools.islice(every, formats.ROWS)):
            marks, objects = zip(*chunk, strict=True)
            yield Rows(None, objects, lambda i, marks=marks: self.at(source, marks[i]))


class _JSONLines(_Objects):
    """One JSON object a line, in parts of bytes, by which it is marked."""

    def parts(self, source: Source) -> list[tuple[Any, int]]:
        return lines.parts(source.item, source.encoding)

    def objects(self, source: Source, part: Any, read: Read) -> Iterator[tuple[int, dict]]:
        for place, block in lines.blocks(source.item, part, source.encoding):
            for line in block.split(b"\n"):
                if line and not line.isspace():
                    try:
                        found = json.loads(line.decode("utf-8", "surrogateescape"))
                        if not isinstance(found, dict):
                            raise ValueError(f"expected a JSON object, got {type(found).__name__}")
                        yield place, found
                    except (ValueError, RecursionError) as error:
                        read.refuse(self.at(source, place), str(error))
                place += len(line) + 1

    def at(self, source: Source, mark: int) -> str:
        return f"line {lines.line_number(source.item, mark, source.encoding)}"


class _JSON(_Objects):
    """One JSON document that has a list of records."""

    def lists(self, source: Source) -> dict[str, list[dict]]:
        """Every list of records in the document, by the name of its place."""
        with source.item.text(source.encoding) as file:
            try:
                content = json.load(file)
            except ValueError as error:
                hint = " (use --format jsonl)" if "Extra data" in str(error) else ""
                raise ValueError(f"{error}{hint}") from None
        places = {"": content} | (content if isinstance(content, dict) else {})
        if found := {name: rows for name, one in places.items() if (rows := _records(one))}:
            return found
        keys = f" with {', '.join(list(content)[:5])}" if isinstance(content, dict) else ""
        expected = "a list of objects or captions, or names with captions"
        raise invalid(
            f"JSON of {source.item}", expected, f"{type(content).__name__}{keys}", Unclear
        )

    def objects(self, source: Source, part: None, read: Read) -> Iterator[tuple[str, dict]]:
        for i, one in enumerate(self.lists(source)[source.records], 1):
            yield f"record {i:,}", one


def _records(value: Any) -> list[dict]:
    """The records that a document, or a part of it, may mean."""
    if isinstance(value, list):
        if all(isinstance(one, str) for one in value):
            return [{"captions": one} for one in value]
        return value if all(isinstance(one, dict) for one in value) else []
    if not isinstance(value, dict):
        return []
    if all(isinstance(one, dict) for one in value.values()):
        return [{"key": key} | one for key, one in value.items()]
    if _are_captions(value):
        return [{"key": key, "captions": one} for key, one in value.items()]
    return [value] if {"caption", "text"} & value.keys() else []


def _are_captions(content: dict) -> bool:
    """Whether a mapping is of pictures' names to captions: if not of lists, names have digits."""
    values = [one if isinstance(one, list) else [one] for one in content.values()]
    lists = all(isinstance(one, list) for one in content.values())
    named = lists or all(any(char.isdigit() or char == "." for char in key) for key in content)
    return named and all(isinstance(text, str) for texts in values for text in texts)


class _Watched:
    """A file whose last bytes are remembered."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.last = file, b""

    def read(self, size: int) -> bytes:
        """Read at most so many bytes."""
        data = self.file.read(size)
        self.last = data[-tarfile.BLOCKSIZE :] or self.last
        return data


class _Tar(_Objects):
    """A webdataset: members of one name up to its first dot are one sample."""

    def objects(self, source: Source, part: None, read: Read) -> Iterator[tuple[str, dict]]:
        plain = not (source.item.packed or source.item.member)  # pictures are passed over unread
        with source.item.path.open("rb") if plain else source.item.open() as raw:
            file = _Watched(raw)
            archive = tarfile.open(fileobj=raw if plain else file, mode="r:" if plain else "r|")
            before, sample = "", {}
            for member in archive:
                archive.members = []  # which it would keep
                folder, _, name = member.name.rpartition("/")
                stem, _, ending = name.partition(".")
                if (key := f"{folder}/{stem}") != before and sample:
                    yield f"sample {before.lstrip('/')}", sample
                    sample = {}
                before = key
                if member.isfile() and ending in ("txt", "caption", "json"):
                    sample |= _decoded(archive.extractfile(member).read(), ending)
            if sample:
                yield f"sample {before.lstrip('/')}", sample
            if plain:
                raw.seek(-tarfile.BLOCKSIZE, os.SEEK_END)
            while file.read(lines.BLOCK):
                pass
            if file.last.strip(b"\0"):
                raise invalid("archive", "blocks of zeros at its end", "one that was cut off")


class _Sidecars(_Objects):
    """Files beside pictures, each with one caption."""

    def parts(self, source: Source) -> list[tuple[Any, int]]:
        starts = range(0, count := len(source.files), FILES)
        return [((start, start + FILES), min(FILES, count - start)) for start in starts]

    def objects(self, source: Source, part: Any, read: Read) -> Iterator[tuple[str, dict]]:
        for item in source.files[slice(*(part or (0, FIRST)))]:
            with item.open() as file:
                yield str(item), _decoded(file.read(), item.ending[1:])


def _decoded(data: bytes, ending: str) -> dict:
    """A sample's text, or the object of its JSON."""
    text = data.removeprefix(lines.MARK).decode("utf-8", "surrogateescape")
    return {"json": json.loads(text)} if ending == "json" else {ending: text}


FORMATS |= {"jsonl": _JSONLines(), "json": _JSON(), "tar": _Tar(), "sidecars": _Sidecars()}
