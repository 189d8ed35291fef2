"""The published fit: a concept's zero-shot accuracy, from how many captions of how many name it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from misalign.errors import invalid
from misalign.paths import DATA_FILES, replacing

TREND = DATA_FILES / "trend.json"  # written by a script from published tables
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Fit:
    """A plane in two logarithms, cut off at 0 and 1.

    A concept that n of N captions name has accuracy = a + b log10(n + 1) + c log10(N).

    Parameters
    ----------
    coefficients : sequence of float
        a, b and c.
    spread, between : float
        Standard deviations of the residuals, and of their mean in a pretraining set that was left
        out of the fit.
    points, sizes : int, mapping of str to float
        How many accuracies were fitted, and captions of each pretraining set.
    left_out : mapping of str to float
        Share of a set's accuracies within the 95 % interval of a fit without this set, before
        `between` makes it wider.
    """

    coefficients: tuple[float, ...]
    spread: float
    between: float
    points: int
    sizes: dict[str, float]
    left_out: dict[str, float]

    def __post_init__(self) -> None:
        shapes = {"coefficients": (3,), "spread": (), "between": ()}
        for name, shape in shapes.items():
            value = np.asarray(getattr(self, name))
            if value.dtype.kind not in "fi" or value.shape != shape or not np.isfinite(value).all():
                raise invalid(name, f"finite numbers, shape {shape}", repr(getattr(self, name)))
        if self.coefficients[1] <= 0:
            raise invalid("coefficients", "accuracy that grows with captions", self.coefficients)
        if not (isinstance(self.sizes, dict) and self.sizes.keys() == dict(self.left_out).keys()):
            raise invalid("left_out", "a share for each of sizes", self.left_out)

    @classmethod
    def fit(cls, named: ArrayLike, of: ArrayLike, accuracy: ArrayLike) -> Fit:
        """Fit by least squares, and by each pretraining set left out once.

        From captions that name the concept, shape (n,), name and number of captions of the
        pretraining set, (n, 2), and zero-shot accuracy, from 0 to 1, (n,).
        """
        table = np.asarray(of, object)
        y, size = np.asarray(accuracy, float), table[:, 1].astype(float)
        x = _design(named, size)
        sizes = dict(sorted(zip(table[:, 0], size.tolist(), strict=True)))
        parts = {name: table[:, 0] == name for name in sizes}
        fits = {name: _least_squares(x[~part], y[~part]) for name, part in parts.items()}
        away = {name: y[parts[name]] - x[parts[name]] @ fits[name][0] for name in sizes}
        between = float(np.sqrt(np.mean([one.mean() ** 2 for one in away.values()])))
        line, spread = _least_squares(x, y)
        rest = {"spread": spread, "between": between, "points": len(y), "sizes": sizes}
        left_out = {}
        for name, part in parts.items():
            alone = {"spread": fits[name][1], "between": 0.0, "left_out": sizes}
            held = cls(fits[name][0], **rest | alone)
            _, low, high = held.predict(np.asarray(named)[part], size[part])
            left_out[name] = float(np.mean((low <= y[part]) & (y[part] <= high)).round(4))
        return cls(line, **rest, left_out=left_out)

    def predict(
        self, named: ArrayLike, size: ArrayLike
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Predict accuracy from the captions that name a concept and the captions of the data set.

        Returns
        -------
        accuracy, low, high : ndarray
            In the shape of `named`, from 0 to 1; 95 % of new concepts lie between the last two. For
            a size that was not fitted the interval reaches to that of the nearest that was.
        """
        from scipy.stats import norm

        near = np.clip(size, min(self.sizes.values()), max(self.sizes.values()))
        line, other = (_design(named, one) @ np.array(self.coefficients) for one in (size, near))
        # the line's own error is nothing beside these, at so many points
        width = norm.ppf((1 + CONFIDENCE) / 2) * np.hypot(self.spread, self.between)
        ends = np.minimum(line, other) - width, np.maximum(line, other) + width
        accuracy, low, high = (one.clip(0, 1) for one in (line, *ends))
        return accuracy, low, high

    def crossing(self, accuracy: float, size: float) -> float:
        """Captions of so many that have to name a concept for an accuracy to be predicted."""
        a, b, c = self.coefficients
        return float(10 ** min((accuracy - a - c * np.log10(size)) / b, 300) - 1)

    def extrapolates(self, size: float) -> bool:
        """Whether a data set is smaller or larger than all that were fitted."""
        return not min(self.sizes.values()) <= size <= max(self.sizes.values())

    def write(self, path: Path) -> None:
        """Write the fit as JSON, whole or not at all."""
        with replacing(path) as partial:
            partial.write_text(json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def read(cls, path: Path = TREND) -> Fit:
        """Read a fit that `write` has written, by default the packaged one."""
        if not path.is_file():
            raise invalid(str(path), "the published fit", "no file")
        try:
            values = json.loads(path.read_text())
            known = {field.name for field in fields(cls)}
            got = sorted(set(values) ^ known) if isinstance(values, dict) else type(values).__name__
            if got:
                raise ValueError(f"expected a fit with {', '.join(sorted(known))}, got {got}")
            return cls(**values | {"coefficients": tuple(values["coefficients"])})
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path}: {error}") from None


def _design(named: ArrayLike, size: ArrayLike) -> np.ndarray:
    named, size = np.broadcast_arrays(np.asarray(named, float), np.asarray(size, float))
    return np.stack([np.ones(named.shape), np.log10(named + 1), np.log10(size)], -1)


def _least_squares(x: np.ndarray, y: np.ndarray) -> tuple[tuple[float, ...], float]:
    """Coefficients, and the residuals' standard deviation."""
    line = np.linalg.lstsq(x, y, rcond=None)[0]
    variance = np.square(y - x @ line).sum() / (len(y) - x.shape[1])
    return tuple(line.tolist()), float(variance**0.5)
