"""What a zero-shot evaluation found, and its files."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from misalign import __version__
from misalign.errors import invalid
from misalign.paths import expect_writable, replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CONCEPTS = ("category", "group", "concept", "images", "precision", "recall", "f1")
GROUPS = ("category", "group", "images", "unreadable", "macro_f1", "chance", "corrected")
UNREADABLE = ("path", "reason")


@dataclass(frozen=True, eq=False)
class Zeroshot:
    """Zero-shot scores, as tables.

    Of `concepts` one that is never predicted has no precision, one without a picture no recall.
    `groups` have pictures scored and left out, the mean F1 of their concepts, its mean over
    permuted labels, and the F1 corrected for that; these are NaN if no picture could be read.
    """

    concepts: pd.DataFrame  # columns `CONCEPTS`, one row a concept
    groups: pd.DataFrame  # columns `GROUPS`, one row a group
    confusions: dict[str, pd.DataFrame]  # by group: pictures by true (rows) and predicted concept
    unreadable: pd.DataFrame  # columns `UNREADABLE`
    notes: tuple[str, ...] = ()  # what else was left out, a line each
    settings: dict[str, object] = field(default_factory=dict)  # what decided the scores

    def save(self, folder: Path, draw: Callable[[pd.DataFrame, str], Figure] | None = None) -> None:
        """Write tables, confusion matrices and their pictures, each file whole or not at all.

        A new or empty folder, or else an OSError, gets ``concepts.csv``, ``groups.csv``,
        ``unreadable.csv``, ``confusion/GROUP.csv``, ``.png`` if matrices are to be drawn by their
        counts and title and, at the end, ``run.json``: a folder without it is not complete.
        """
        expect_new(folder)
        for name in ("concepts", "groups", "unreadable"):
            _write_csv(getattr(self, name), folder / f"{name}.csv", index=False)
        for name, counts in self.confusions.items():
            _write_csv(counts, folder / "confusion" / f"{name}.csv", index_label="truth")
            if draw:
                with replacing(folder / "confusion" / f"{name}.png") as partial:
                    draw(counts, name).savefig(partial)
        scored = {"images": int(self.groups["images"].sum()), "unreadable": len(self.unreadable)}
        run = {"misalign": __version__, **self.settings, **scored, "notes": self.notes}
        with replacing(folder / "run.json") as partial:
            partial.write_text(json.dumps(run, indent=2) + "\n", encoding="utf-8")


def expect_new(folder: Path) -> None:
    """Refuse a folder that has files, whose scores would mix with others, or cannot be written."""
    if there := sorted(path.name for path in folder.glob("*")):
        got = f"{folder} with {', '.join(there[:3])}"
        raise invalid("out", "a new or an empty folder", got, FileExistsError)
    expect_writable("out", folder)


def _write_csv(table: pd.DataFrame, path: Path, **options: object) -> None:
    with replacing(path) as partial:
        table.to_csv(partial, float_format="%.6f", lineterminator="\n", **options)
