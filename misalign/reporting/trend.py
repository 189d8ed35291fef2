"""The miniature's line: the score that a concept reaches, from how many captions name it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from misalign.errors import invalid

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Trend:
    """A straight line in the logarithm of coverage, cut off at 0 and 1.

    A concept named by a share c of captions gets score = clip(intercept + slope * log10(c), 0, 1).
    The score is zero-shot F1 corrected for chance: 0 is guessing, 1 is perfect. The macro-F1 of a
    group is the mean over its concepts, so a point of the fit may also be a group: its score at the
    mean coverage of its concepts.

    Parameters
    ----------
    intercept, slope : float
        Score of a concept that every caption names, and what a tenfold coverage adds.
    covariance : tuple of float
        Variance of the intercept, covariance with the slope, variance of the slope.
    spread, points : float, int
        Standard deviation of the residuals, and how many scores were fitted.
    """

    intercept: float
    slope: float
    spread: float
    covariance: tuple[float, float, float]
    points: int

    @classmethod
    def fit(cls, coverage: ArrayLike, score: ArrayLike) -> Trend:
        """Fit the line by least squares to corrected F1 by coverage, both of shape (n,).

        Without scores beyond the cut-offs this is ordinary least squares. Scores that have reached
        0 or 1 say no more than that the line is beyond. Coverages are shares above 0 and at most 1,
        at least two of them between the cut-offs, or it is a ValueError.
        """
        coverage, score = np.asarray(coverage, float), np.asarray(score, float)
        if not ((coverage > 0) & (coverage <= 1)).all() or len(coverage) < 3:
            raise invalid("coverage", "at least 3 shares above 0 and at most 1", coverage)
        if coverage.shape != score.shape or not np.isfinite(score).all():
            raise invalid("score", f"{len(coverage)} finite numbers", score)
        x = np.log10(coverage)
        line = _line(x, score)
        values = line[0] + line[1] * x
        on_line = (values > 0) & (values < 1)
        if len(set(x[on_line])) < 2:
            expected = "at least two values with scores between 0 and 1"
            raise invalid("coverage", expected, len(set(x[on_line])))
        residual = score - values.clip(0, 1)
        variance = residual @ residual / (len(x) - 2)
        design = np.vander(x[on_line], 2, increasing=True)
        covariance = variance * np.linalg.inv(design.T @ design)[np.triu_indices(2)]
        spread = float(np.sqrt(variance))
        return cls(*line.tolist(), spread, (*covariance.tolist(),), points=len(x))

    def predict(self, coverage: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Predict scores of coverages, which are shares of captions, from 0 to 1.

        Returns score, low and high in the shape of `coverage`, from 0 to 1. Between the last two 95
        % of new points lie, as far as residuals are normal and the line is right.
        """
        from scipy.stats import t

        x = np.log10(np.asarray(coverage, float))
        line = self.intercept + self.slope * x
        a, b, c = self.covariance
        variance = self.spread**2 + a + 2 * b * x + c * x**2
        width = t.ppf((1 + CONFIDENCE) / 2, self.points - 2) * np.sqrt(variance)
        return tuple(np.clip([line, line - width, line + width], 0, 1))

    def crossing(self, score: float) -> float:
        """Coverage at which the line reaches a score between 0 and 1; above 1 if none does."""
        return float(10 ** ((score - self.intercept) / self.slope))


def _line(x: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Intercept and slope of the line that, cut off at 0 and 1, has the least squares."""
    from scipy.optimize import least_squares

    def residual(line: np.ndarray) -> np.ndarray:
        return (line[0] + line[1] * x).clip(0, 1) - score

    # where the line is cut off it has no gradient: also start from the points between the cut-offs
    between = (score > 0.02) & (score < 0.98)
    fits = []
    for rows in (np.full(len(x), True), between):
        if len(set(x[rows])) > 1:
            design = np.vander(x[rows], 2, increasing=True)
            start = np.linalg.lstsq(design, score[rows], rcond=None)[0]
            fits.append(least_squares(residual, start))
    if not fits:
        raise invalid("coverage", "at least two values", "one")
    return min(fits, key=lambda fit: fit.cost).x
