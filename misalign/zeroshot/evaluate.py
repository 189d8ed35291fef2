"""Zero-shot scores of a model on labelled pictures, a group of concepts at a time."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from misalign.errors import check_int, invalid
from misalign.metrics import by_class, confusion, corrected, expected_chance, macro_f1
from misalign.zeroshot.folder import Group, Labelled, as_text
from misalign.zeroshot.models import Model
from misalign.zeroshot.result import CONCEPTS, GROUPS, UNREADABLE, Zeroshot

Failure = tuple[Path, str]
Item = tuple[Tensor, int] | Failure


def evaluate(labelled: Labelled, model: Model, *, batch: int = 64, workers: int = 0) -> Zeroshot:
    """Take each picture for the concept of its group whose text is nearest by cosine: `Zeroshot`.

    Pictures that cannot be read are named and left out. The chance level is the exact mean over
    all permutations of a group's labels (`misalign.metrics.expected_chance`).

    Parameters
    ----------
    labelled : Labelled
        Pictures in groups.
    model : Model
        What encodes pictures and concepts.
    batch : int, optional
        Pictures at a time.
    workers : int, optional
        Processes that read pictures; 0 reads them in this one.

    Raises
    ------
    ValueError
        For a model whose vectors are not finite.
    """
    options = {"batch_size": check_int("batch", batch, 1)}
    options |= {"num_workers": check_int("workers", workers, 0), "collate_fn": _collate}
    concepts, groups, confusions, failures, notes = [], [], {}, [], list(labelled.notes)
    with tqdm(total=len(labelled), desc="pictures", unit="picture", disable=None) as bar:
        for group in labelled.groups:
            counts, failed = _count(group, model, bar, options)
            scores = by_class(counts)
            rows = zip(group.concepts, scores.support, *scores[:3], strict=True)
            concepts += [(group.category, group.name, *row) for row in rows]
            groups.append(_group_row(group, counts, len(failed)))
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


class _Pictures(Dataset):
    """A group's pictures, preprocessed; one that cannot be read is its path and the reason."""

    def __init__(self, group: Group, preprocess: Callable[[Image.Image], Tensor]) -> None:
        self.group = group
        self.preprocess = preprocess

    def __len__(self) -> int:
        return len(self.group.pictures)

    def __getitem__(self, i: int) -> Item:
        path, label = self.group.pictures[i]
        try:
            picture = read_picture(path)
        except ValueError as error:
            return path, str(error)
        return self.preprocess(picture), label


def _collate(items: list[Item]) -> tuple[Tensor | None, list[int], list[Failure]]:
    """Pictures that could be read, (B, 3, H, W), their labels, and those that could not."""
    failed = [item for item in items if isinstance(item[0], Path)]
    read = [item for item in items if isinstance(item[0], Tensor)]
    pictures = torch.stack([picture for picture, _ in read]) if read else None
    return pictures, [label for _, label in read], failed


def _count(group: Group, model: Model, bar: tqdm, how: dict) -> tuple[np.ndarray, list[Failure]]:
    """Confusion matrix of a group, and its pictures that cannot be read."""
    texts = _finite(model.concepts(group.concepts), group)
    # a loader draws seeds for its processes even if nothing is shuffled; not from torch's own
    loader = DataLoader(_Pictures(group, model.preprocess), generator=torch.Generator(), **how)
    truth, prediction, failed = [], [], []
    for pictures, labels, unreadable in loader:
        failed += unreadable
        if pictures is not None:
            near = _finite(model.pictures(pictures), group) @ texts.T
            truth += labels
            prediction += near.argmax(1).tolist()
        bar.update(len(labels) + len(unreadable))
    return confusion(truth, prediction, len(group.concepts)), failed


def _finite(vectors: Tensor, group: Group) -> Tensor:
    if not vectors.isfinite().all():
        raise invalid("model", f"finite vectors for {group.name}", "others")
    return vectors


def _group_row(group: Group, counts: np.ndarray, unreadable: int) -> tuple:
    images = int(counts.sum())
    if not images:
        return group.category, group.name, 0, unreadable, *(np.nan,) * 3
    f1, chance = macro_f1(counts), expected_chance(counts)
    return group.category, group.name, images, unreadable, f1, chance, corrected(f1, chance)
