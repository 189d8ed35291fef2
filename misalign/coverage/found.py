"""Files of captions, found by name: what they are, and which of a folder or archive are some."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from misalign.coverage.lines import Item
from misalign.coverage.reading import How
from misalign.errors import invalid
from misalign.paths import DATA_FILES

# how files are read by the ending of their names
ENDINGS: dict[str, dict[str, Any]] = {
    ".parquet": {"format": "parquet"},
    ".csv": {"format": "table", "delimiter": ","},
    ".tsv": {"format": "table", "delimiter": "\t"},
    ".jsonl": {"format": "jsonl"},
    ".ndjson": {"format": "jsonl"},
    ".json": {"format": "json"},
    ".txt": {"format": "txt"},
    ".caption": {"format": "txt"},
    ".tar": {"format": "tar"},
}
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")
NOTES = ("licen[cs]e*", "readme*", "notice*", "copying*", "copyright*", "changelog*", "citation*")
NOTES += ("authors*", "install*", "requirements*", "cmakelists*", "*_stats.json")


@cache
def kinds() -> dict[str, dict[str, Any]]:
    """What `--format` takes: formats, tables with and without a header, and named layouts."""
    plain = {name[1:]: kind for name, kind in ENDINGS.items()}
    for name in ("csv", "tsv"):
        plain[f"{name}-bare"] = plain[name] | {"header": False}
        plain[name] = plain[name] | {"header": True}
    named = yaml.safe_load((DATA_FILES / "layouts.yml").read_text())
    for name, layout in named.items():  # whose format is itself one of the names
        plain[name] = plain[layout.pop("format")] | layout
    return plain


@dataclass
class Found:
    """Files that names stand for: each once, those beside pictures, and those left out."""

    items: dict[Item, Item] = field(default_factory=dict)  # by their resolved paths
    named: set[Item] = field(default_factory=set)  # files that the user did name
    sidecars: dict[Path, list[Item]] = field(default_factory=dict)  # by folder
    skipped: dict[str, str] = field(default_factory=dict)  # and why

    def add(self, item: Item, named: bool) -> None:
        """Add a file, unless it is there."""
        item = self.items.setdefault(replace(item, path=item.path.resolve()), item)
        self.named |= {item} if named else set()


def found(names: Iterable[str | Path], how: How) -> Found:
    """Find files, each once, sorted within a folder, archive or pattern."""
    if how.kind and how.kind not in kinds():
        raise invalid("format", f"one of {', '.join(kinds())}", repr(how.kind))
    every, given = Found(), list(names)
    for name in given:
        if not str(name):
            raise invalid("captions", "files, folders or patterns", "an empty name")
        matching = [Path(name)] if Path(name).exists() else _matching(Path(name))
        for path in matching:
            if path.is_dir():
                inside = sorted(one for one in path.rglob("*") if one.is_file())
                _gather(path, [Item(one) for one in inside], how, every)
            elif path.suffix.lower() == ".zip" and not how.kind:
                try:
                    with zipfile.ZipFile(path) as archive:
                        inside = [one.filename for one in archive.infolist() if not one.is_dir()]
                except zipfile.BadZipFile as error:
                    raise invalid("captions", "a .zip archive", f"{path} ({error})") from None
                _gather(path, [Item(path, one) for one in inside], how, every)
            elif how.kind or Item(path).ending in ENDINGS:
                every.add(Item(path), named=True)
            else:
                known = f"{', '.join(ENDINGS)}, a .zip of them, or one with --format"
                raise invalid("captions", f"a file of {known}", path)
    if not (every.items or every.sidecars):
        left = "".join(f" ({file}: {why})" for file, why in [*every.skipped.items()][:1])
        expected = f"files of {', '.join(ENDINGS)}"
        got = ", ".join(map(str, given)) or "none"
        raise invalid("captions", expected, f"none in {got}{left}", FileNotFoundError)
    return every


def _matching(name: Path) -> list[Path]:
    parts = name.relative_to(name.anchor).parts
    paths = sorted(Path(name.anchor or ".").glob("/".join(parts))) if parts else []
    if not paths:
        raise invalid("captions", "a file, folder or pattern", name, FileNotFoundError)
    return paths


def _gather(folder: Path, items: list[Item], how: How, every: Found) -> None:
    """Take what holds captions of a folder's or archive's files, which are one data set."""
    there = {item.pure: item for item in items}
    endings: dict[PurePosixPath, set[str]] = {}
    for item in items:
        endings.setdefault(item.pure.with_suffix(""), set()).add(item.ending)
    for item in items:
        name = item.pure.relative_to(folder.as_posix())
        beside = endings[item.pure.with_suffix("")] - {item.ending}
        if item.pure.with_suffix("") in there:  # a.jpg.txt beside a.jpg
            beside |= {item.pure.with_suffix("").suffix.lower()}
        why = _why_not(item, name, beside, there, how)
        text = item.ending in (".txt", ".caption", ".json") and beside & {*PICTURES, ".json"}
        if why:
            every.skipped[str(item)] = why
        elif text and not how.kind:
            every.sidecars.setdefault(folder, []).append(item)
        elif item.ending not in PICTURES:
            every.add(item, named=False)


def _why_not(item: Item, name: PurePosixPath, beside: set[str], there: dict, how: How) -> str:
    """Why a file of a folder is not counted, or nothing."""
    if any(fnmatch(str(name), one) or fnmatch(name.name, one) for one in how.exclude):
        return "excluded"
    if any(part.startswith(".") for part in name.parts):
        return "hidden"
    if item.ending in PICTURES or how.kind:
        return ""
    if any(fnmatch(name.name.lower(), one) for one in NOTES):
        return "not captions, by its name"
    shards = [item.pure.parent.with_suffix(one) for one in (".parquet", ".tar")]
    if counted := [one for one in shards if one in there]:
        return f"its captions are counted from {counted[0].name}"
    if item.ending == ".tar" and ".parquet" in beside:
        return f"its captions are counted from {item.pure.stem}.parquet"
    if item.ending in (".json", ".caption") and ".txt" in beside:
        return f"its caption is counted from {item.pure.stem}.txt"
    return "" if item.ending in ENDINGS else "of no format that is known"
