"""Names for what a file is: formats, and structures of published caption files."""

from __future__ import annotations

from functools import cache
from typing import Any

import yaml

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


def documents() -> list[dict[str, Any]]:
    """Layouts of JSON documents."""
    return [one for one in kinds().values() if one["format"] == "json" and "column" in one]
