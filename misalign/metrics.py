"""Scores: R2 of numbers, MCC of classes, macro-F1 of concepts and what of it is luck.

A confusion matrix has one row a true class and one column a predicted one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from misalign.errors import check_int, invalid


class ByClass(NamedTuple):
    """Scores of every class, each of shape (classes,).

    A score that would divide by 0 is NaN: the precision of a class that is never predicted, the
    recall of one that never occurs, and the F1 of one that does neither.
    """

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray  # how often the class occurs, int64


def confusion(truth: ArrayLike, prediction: ArrayLike, classes: int) -> np.ndarray:
    """Count how often each class is taken for each.

    Parameters
    ----------
    truth, prediction : array_like
        Whole numbers from 0 to classes - 1, shape (n,), else a ValueError.
    classes : int
        How many there are.

    Returns
    -------
    ndarray
        int64, shape (classes, classes): rows are the truth, columns the prediction.
    """
    check_int("classes", classes, 1)
    truth, prediction = (
        _labels(name, values, classes)
        for name, values in (("truth", truth), ("prediction", prediction))
    )
    if len(truth) != len(prediction):
        raise invalid("prediction", f"{len(truth)} labels", len(prediction))
    counts = np.bincount(truth * classes + prediction, minlength=classes**2)
    return counts.reshape(classes, classes).astype(np.int64)


def by_class(confusion: np.ndarray) -> ByClass:
    """Precision, recall, F1 and support of every class of a confusion matrix."""
    hits, support, predicted = _margins(confusion)
    f1 = _ratio(2 * hits, support + predicted)
    return ByClass(_ratio(hits, predicted), _ratio(hits, support), f1, support)


def macro_f1(confusion: np.ndarray) -> float:
    """Mean F1 over the classes of a confusion matrix that occur; one never predicted scores 0."""
    scores = by_class(confusion)
    return _mean_over_occurring(scores.f1, scores.support)


def expected_chance(confusion: np.ndarray) -> float:
    """Mean macro-F1 over all permutations of the true labels, exactly.

    A permutation keeps how often each class occurs, n_c, and is predicted, m_c. Only the hits vary:
    they are hypergeometric, with mean n_c m_c / n. F1 is linear in them, 2 hits / (n_c + m_c), so
    its mean is 2 n_c m_c / (n (n_c + m_c)). If no class occurs, that is a ValueError.
    """
    _, support, predicted = _margins(confusion)
    mean = _ratio(2 * support * predicted / max(1, support.sum()), support + predicted)
    return _mean_over_occurring(mean, support)


def corrected(f1: float, chance: float) -> float:
    """Score corrected for what luck makes of it, as Cohen's kappa: (f1 - chance) / (1 - chance).

    It is 0 for luck, 1 for perfect, and NaN if luck alone is perfect.
    """
    return (f1 - chance) / (1 - chance) if chance < 1 else float("nan")


def _labels(name: str, values: ArrayLike, classes: int) -> np.ndarray:
    """Labels as int64, or one line of what is wrong with them."""
    labels = np.asarray(values)
    if labels.ndim != 1 or (labels.size and labels.dtype.kind not in "iu"):
        got = f"{labels.dtype} of shape {labels.shape}"
        raise invalid(name, "whole numbers of shape (n,)", got)
    stray = labels[(labels < 0) | (labels >= classes)]
    if stray.size:
        raise invalid(name, f"labels from 0 to {classes - 1}", stray[0])
    return labels.astype(np.int64)


def _margins(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hits, and how often each class occurs and is predicted."""
    counts = np.asarray(confusion)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise invalid("confusion", "shape (classes, classes)", counts.shape)
    return counts.diagonal(), counts.sum(1), counts.sum(0)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Quotient, NaN where it would divide by 0."""
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)


def _mean_over_occurring(values: np.ndarray, support: np.ndarray) -> float:
    if not (support > 0).any():
        raise invalid("confusion", "at least one label", "none")
    return float(values[support > 0].mean())


def r2(truth: Tensor, prediction: Tensor) -> Tensor:
    """Coefficient of determination of every column.

    Parameters
    ----------
    truth, prediction : Tensor
        Shape (n, targets).

    Returns
    -------
    Tensor
        1 - residual over total sum of squares, shape (targets,); not clipped, and NaN for a truth
        that is constant.

    Examples
    --------
    >>> truth = torch.tensor([[0.0], [1.0], [2.0]])
    >>> r2(truth, truth.flip(0)).tolist()
    [-3.0]
    """
    total = (truth - truth.mean(0)).square().sum(0)
    return 1 - (truth - prediction).square().sum(0) / total


def binary_mcc(truth: Tensor, prediction: Tensor) -> Tensor:
    """Matthews correlation coefficient of every column of 0 and 1.

    Truth and prediction are zeros and ones, or booleans, shape (n, targets). Their correlation,
    shape (targets,), is 1 for the truth, 0 for a prediction that knows nothing and, by convention,
    for one that is constant.
    """
    a, b = (part.double() - part.double().mean(0) for part in (truth, prediction))
    spread = (a.square().sum(0) * b.square().sum(0)).sqrt()
    return torch.where(spread > 0, (a * b).sum(0) / spread, 0.0)


def multiclass_mcc(truth: Tensor, prediction: Tensor) -> float:
    """Matthews correlation coefficient of several classes.

    Truth and prediction are classes from 0, int64, both of shape (n,). Their correlation as
    indicator vectors is the R_K of Gorodkin (2004): 1 for the truth, 0 for a prediction that knows
    nothing and, by convention, for one that is constant.
    """
    if truth.shape != prediction.shape:
        raise invalid("prediction", f"shape {tuple(truth.shape)}", tuple(prediction.shape))
    size = int(max(truth.max(), prediction.max())) + 1
    table = torch.bincount(truth * size + prediction, minlength=size * size).view(size, size)
    table = table.double() / len(truth)
    rows, columns = table.sum(1), table.sum(0)
    spread = ((1 - rows.square().sum()) * (1 - columns.square().sum())).sqrt()
    return ((table.trace() - rows @ columns) / spread).item() if spread > 0 else 0.0
