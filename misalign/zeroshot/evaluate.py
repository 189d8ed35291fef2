"""Zero-shot scores of a model on labelled pictures, a group of concepts at a time."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from misalign import __version__
from misalign.errors import check_int, invalid
from misalign.metrics import by_class, confusion, corrected, expected_chance, macro_f1
from misalign.paths import expect_writable, replacing
from misalign.zeroshot.folder import Group, Labelled, as_text
from misalign.zeroshot.models import OpenClip

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CONCEPTS = ("category", "group", "concept", "images", "precision", "recall", "f1")
GROUPS = ("category", "group", "images", "unreadable", "macro_f1", "chance", "corrected")
UNREADABLE = ("path", "reason")
Failure = tuple[Path, str]


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


def evaluate(labelled: Labelled, model: OpenClip, *, batch: int = 64, workers: int = 0) -> Zeroshot:
    """Take each picture for the concept of its group whose text is nearest by cosine.

    Unreadable pictures are named and left out; vectors that are not finite are a ValueError. The
    chance level is the exact mean over all permutations of a group's labels, see
    `misalign.metrics.expected_chance`.

    Parameters
    ----------
    labelled, model : Labelled, OpenClip
        Pictures in groups, and what encodes pictures and concepts.
    batch, workers : int, optional
        Pictures at a time, and processes that read them; 0 reads them in this one.
    """
    how = {"batch_size": check_int("batch", batch, 1)}
    how |= {"num_workers": check_int("workers", workers, 0)}
    concepts, groups, confusions, failures, notes = [], [], {}, [], list(labelled.notes)
    total = sum(len(group.pictures) for group in labelled.groups)
    with tqdm(total=total, desc="pictures", unit="picture", disable=None) as bar:
        for group in labelled.groups:
            counts, failed = _count(group, model, bar, how)
            scores = by_class(counts)
            rows = zip(group.concepts, scores.support, *scores[:3], strict=True)
            concepts += [(group.category, group.name, *row) for row in rows]
            n = int(counts.sum())
            f1, chance = (macro_f1(counts), expected_chance(counts)) if n else (np.nan, np.nan)
            row = group.category, group.name, n, len(failed), f1, chance, corrected(f1, chance)
            groups.append(row)
            confusions[group.name] = pd.DataFrame(counts, group.concepts, group.concepts)
            failures += [(as_text(path.relative_to(labelled.folder)), why) for path, why in failed]
            lost = [name for name, n in zip(group.concepts, counts.sum(1), strict=True) if not n]
            if lost:
                notes.append(f"{group.name}: no readable picture of {', '.join(lost)}")
    return Zeroshot(
        concepts=pd.DataFrame(concepts, columns=list(CONCEPTS)),
        groups=pd.DataFrame(groups, columns=list(GROUPS)),
        confusions=confusions,
        unreadable=pd.DataFrame(failures, columns=list(UNREADABLE)),
        notes=tuple(notes),
        settings=model.describe(),
    )


def read_picture(path: Path) -> Image.Image:
    """Read a picture as RGB; one that is damaged or would fill the memory is a ValueError."""
    try:
        with warnings.catch_warnings(action="error", category=Image.DecompressionBombWarning):
            with Image.open(path) as picture:
                return picture.convert("RGB")
    except Exception as error:  # a damaged file can make Pillow's decoders raise nearly anything
        reason = " ".join(str(error).replace(f" {str(path)!r}", "").split())
        raise ValueError(reason or type(error).__name__) from None


def _count(group: Group, model: OpenClip, bar: tqdm, how: dict) -> tuple[np.ndarray, list[Failure]]:
    """Confusion matrix of a group, and its pictures that cannot be read."""
    texts = _finite(model.concepts(group.concepts), group)
    # a loader draws seeds for its processes even if nothing is shuffled; not from torch's own
    how = how | {"collate_fn": partial(_read, model.preprocess), "generator": torch.Generator()}
    truth, prediction, failed = [], [], []
    for pictures, labels, unreadable in DataLoader(group.pictures, **how):
        failed += unreadable
        if pictures is not None:
            near = _finite(model.pictures(pictures), group) @ texts.T
            truth += labels
            prediction += near.argmax(1).tolist()
        bar.update(len(labels) + len(unreadable))
    return confusion(truth, prediction, len(group.concepts)), failed


def _read(
    preprocess: Callable[[Image.Image], Tensor], batch: list[tuple[Path, int]]
) -> tuple[Tensor | None, list[int], list[Failure]]:
    """Preprocessed pictures, (B, 3, H, W), their labels, and those that cannot be read."""
    pictures, labels, failed = [], [], []
    for path, label in batch:
        try:
            picture = read_picture(path)
        except ValueError as error:
            failed.append((path, str(error)))
        else:
            pictures.append(preprocess(picture))
            labels.append(label)
    return torch.stack(pictures) if pictures else None, labels, failed


def _finite(vectors: Tensor, group: Group) -> Tensor:
    if not vectors.isfinite().all():
        raise invalid("model", f"finite vectors for {group.name}", "others")
    return vectors


def expect_new(folder: Path) -> None:
    """Refuse a folder that has files, whose scores would mix with others, or cannot be written."""
    if there := sorted(path.name for path in folder.glob("*")):
        got = f"{folder} with {', '.join(there[:3])}"
        raise invalid("out", "a new or an empty folder", got, FileExistsError)
    expect_writable("out", folder)


def _write_csv(table: pd.DataFrame, path: Path, **options: object) -> None:
    with replacing(path) as partial:
        table.to_csv(partial, float_format="%.6f", lineterminator="\n", **options)
