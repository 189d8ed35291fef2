"""Macro-F1 of predicted concepts, and what of it is luck.

A confusion matrix has one row a true class and one column a predicted one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from misalign.errors import expect, expect_whole


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
        Whole numbers from 0 to classes - 1, shape (n,).
    classes : int
        How many there are.

    Returns
    -------
    ndarray
        int64, shape (classes, classes): rows are the truth, columns the prediction.

    Raises
    ------
    ValueError
        For labels of different numbers, or out of bounds.
    """
    expect_whole("classes", classes, 1)
    truth, prediction = (
        _labels(name, values, classes)
        for name, values in (("truth", truth), ("prediction", prediction))
    )
    expect(len(truth) == len(prediction), "prediction", f"{len(truth)} labels", len(prediction))
    counts = np.bincount(truth * classes + prediction, minlength=classes**2)
    return counts.reshape(classes, classes).astype(np.int64)


def by_class(confusion: np.ndarray) -> ByClass:
    """Precision, recall, F1 and support of every class.

    Parameters
    ----------
    confusion : ndarray
        Shape (classes, classes).

    Returns
    -------
    ByClass
    """
    hits, support, predicted = _margins(confusion)
    return ByClass(
        precision=_ratio(hits, predicted),
        recall=_ratio(hits, support),
        f1=_ratio(2 * hits, support + predicted),
        support=support,
    )


def macro_f1(confusion: np.ndarray) -> float:
    """Mean F1 over the classes that occur; one that is never predicted scores 0.

    Parameters
    ----------
    confusion : ndarray
        Shape (classes, classes).

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If no class occurs.
    """
    scores = by_class(confusion)
    return _mean_over_occurring(scores.f1, scores.support)


def expected_chance(confusion: np.ndarray) -> float:
    """Mean macro-F1 over all permutations of the true labels, exactly.

    A permutation keeps how often each class occurs, n_c, and is predicted, m_c. Only the hits vary:
    they are hypergeometric, with mean n_c m_c / n. F1 is linear in them, 2 hits / (n_c + m_c), so
    its mean is 2 n_c m_c / (n (n_c + m_c)).

    Parameters
    ----------
    confusion : ndarray
        Shape (classes, classes).

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If no class occurs.
    """
    _, support, predicted = _margins(confusion)
    total = max(1, support.sum())
    mean = _ratio(2 * support * predicted / total, support + predicted)
    return _mean_over_occurring(mean, support)


def corrected(f1: float, chance: float) -> float:
    """Score corrected for chance: 0 for luck, 1 for perfect, as in Cohen's kappa.

    Parameters
    ----------
    f1, chance : float
        The score, and what luck makes of it.

    Returns
    -------
    float
        (f1 - chance) / (1 - chance); NaN if luck alone is perfect.
    """
    return (f1 - chance) / (1 - chance) if chance < 1 else float("nan")


def _labels(name: str, values: ArrayLike, classes: int) -> np.ndarray:
    """Labels as int64, or one line of what is wrong with them."""
    labels = np.asarray(values)
    whole = labels.ndim == 1 and (np.issubdtype(labels.dtype, np.integer) or not labels.size)
    got = f"{labels.dtype} of shape {labels.shape}"
    expect(whole, name, "whole numbers of shape (n,)", got)
    stray = labels[(labels < 0) | (labels >= classes)]
    bounds = f"labels from 0 to {classes - 1}"
    expect(not stray.size, name, bounds, stray[0] if stray.size else "")
    return labels.astype(np.int64)


def _margins(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hits, and how often each class occurs and is predicted."""
    counts = np.asarray(confusion)
    square = counts.ndim == 2 and counts.shape[0] == counts.shape[1]
    expect(square, "confusion", "shape (classes, classes)", counts.shape)
    return counts.diagonal(), counts.sum(1), counts.sum(0)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Quotient, NaN where it would divide by 0."""
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)


def _mean_over_occurring(values: np.ndarray, support: np.ndarray) -> float:
    occurs = support > 0
    expect(occurs.any(), "confusion", "at least one label", "none")
    return float(values[occurs].mean())
