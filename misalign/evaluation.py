"""The one scorer: representations of any encoder, read by probes, against any factors."""

from __future__ import annotations

import math
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.nn import functional

from misalign.errors import check_int, invalid
from misalign.metrics import multiclass_mcc, r2
from misalign.probes.base import HIDDEN, RATE, as_samples
from misalign.probes.classification import Classifier, RidgeClassifier
from misalign.probes.regression import ENOUGH, LinearProbe, MLPProbe
from misalign.rng import generator_for
from misalign.worlds.base import Factor

if TYPE_CHECKING:
    from misalign.run import Key

PROBES = ("linear", "nonlinear")
CIRCLE = "r2_circle"  # metric: mean R2 of a circular factor's cosine and sine
KINDS = ("continuous", "discrete")
VALUES = 50  # whole numbers of at most so many values are taken for classes
LEAST = 20  # samples to evaluate on
ORACLE = "the unbiased factors"  # read as if they were a representation


class Reader:
    """Linear or nonlinear probes for all factors: discrete ones score MCC, continuous ones R2.

    Factors named in `circular`, whose values 0 and 1 are the same, also score `CIRCLE`. With
    `ridge`, linear probes are least squares for classes, too, and bear few samples. `rate` is
    Adam's. A factor of several dimensions scores their mean; but one that is specific to a
    modality, of which nothing should be known, scores as the dimension that is read best.
    """

    def __init__(
        self,
        probe: str,
        steps: int,
        *,
        generator: torch.Generator,
        circular: Collection[str] = (),
        ridge: bool = False,
        rate: float = RATE,
    ) -> None:
        if probe not in PROBES:
            raise invalid("probe", f"one of {', '.join(PROBES)}", repr(probe))
        deep = probe == "nonlinear"
        self.ridge = ridge and not deep
        hidden = HIDDEN if deep else 0
        classifier = Classifier(steps, hidden, generator=generator, rate=rate)
        self.classifier = RidgeClassifier() if self.ridge else classifier
        perceptrons = MLPProbe(steps, generator=generator, rate=rate)
        self.regression = perceptrons if deep else LinearProbe(ridge)
        self.circular = circular

    def fit(
        self, z: Tensor, targets: Mapping[Key, Tensor], factors: Mapping[Key, Factor]
    ) -> Reader:
        """Fit probes to targets of shape (n, dimension), of the kinds that `factors` tell."""
        self.classes = [key for key in targets if factors[key].kind == "discrete"]
        self.numbers = [key for key in targets if key not in self.classes]
        self.specific = {key for key in targets if factors[key].side != "semantic"}
        if self.classes:
            sizes = [factors[key].size for key in self.classes]
            labels = torch.cat([targets[key] for key in self.classes], 1)
            self.classifier.fit(z, labels, sizes)
        if self.numbers:
            columns = self._columns(targets)
            self.sizes = {name: column.shape[1] for name, column in columns.items()}
            self.regression.fit(z, torch.cat([*columns.values()], 1))
        return self

    def score(self, z: Tensor, targets: Mapping[Key, Tensor]) -> dict[tuple[Key, str], float]:
        """Score other samples by target and metric."""
        found = {}
        if self.classes:
            guesses = dict(zip(self.classes, self.classifier.predict(z).mT, strict=True))
            for key in [key for key in guesses if key in targets]:
                found[key, "mcc"] = multiclass_mcc(targets[key][:, 0].long(), guesses[key])
        if self.numbers:
            parts = self.regression.predict(z).split([*self.sizes.values()], 1)
            predicted = dict(zip(self.sizes, parts, strict=True))
            for name, truth in self._columns(targets).items():
                scores = r2(truth, predicted[name])
                leak = name[0] in self.specific and name[1] != CIRCLE
                found[name] = (scores.max() if leak else scores.mean()).item()
        return found

    def importance(self) -> dict[Key, Tensor]:
        """Weight of every dimension of z in a linear probe of each factor, shape (size,)."""
        found: dict[Key, Tensor] = {}
        if isinstance(self.regression, MLPProbe):
            return found
        if self.classes and self.ridge:
            found = dict(zip(self.classes, self.classifier.importance(), strict=True))
        if self.numbers:
            parts = self.regression.importance(self.sizes.values())
            found |= {key: part for (key, _), part in zip(self.sizes, parts, strict=True)}
        return found

    def _columns(self, targets: Mapping[Key, Tensor]) -> dict[tuple[Key, str], Tensor]:
        """Columns of continuous targets, then cosines and sines of circular ones."""
        there = {key: targets[key] for key in self.numbers if key in targets}
        turns = {key: 2 * math.pi * y for key, y in there.items() if key[1] in self.circular}
        circles = {(key, CIRCLE): torch.cat([y.cos(), y.sin()], 1) for key, y in turns.items()}
        return {(key, "r2"): y for key, y in there.items()} | circles


def evaluate(
    representations: ArrayLike | Tensor | Mapping[str, ArrayLike | Tensor],
    factors: Mapping[str, ArrayLike | Tensor] | pd.DataFrame,
    *,
    unbiased: Iterable[str] | None = None,
    kinds: Mapping[str, str] | None = None,
    splits: int = 5,
    test_share: float = 0.25,
    steps: int = 1_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Score any encoder's representations against any factors.

    Samples are shuffled and split anew several times. Least squares (with a ridge where that
    predicts left-out samples better), for classes, too, and two-layer perceptrons are fitted to one
    part and scored on the other. A column of pure noise, ``noise``, stands beside the factors:
    it should score about 0.

    Parameters
    ----------
    representations : array_like, Tensor, or mapping of str to these
        Shape (n, size), any type of numbers; several ones by name, row i of all being one sample.
    factors : mapping of str to array_like or Tensor, or DataFrame
        What was there: by name, shape (n,), or (n, dimension) for continuous ones.
    unbiased : iterable of str, optional
        Factors that the captions neither omit nor perturb, I_rho^c. Theorem 4.1 says that the
        representation holds these and nothing else, so the best score of any factor is that of the
        best prediction from them: the column `oracle`, by the same perceptrons.
    kinds : mapping of str to {"continuous", "discrete"}, optional
        Of factors whose kind is not told right by their type: text, booleans and whole numbers of
        at most 50 values are discrete.
    splits, test_share : int, float, optional
        How often samples are split, and the share of them that is scored, in (0, 1).
    steps, seed : int, optional
        Training of a perceptron; what decides splits and probes.

    Returns
    -------
    DataFrame
        One row a representation, probe and factor: `representation`, `probe`, `factor`, `metric`
        (R2, or MCC of a discrete factor), the mean `score` over splits and its standard deviation
        `spread`, `oracle`, and for linear probes `completeness`: 1 if one dimension holds all of a
        factor, 0 if all do alike (Eastwood and Williams, 2018).

    Raises
    ------
    ValueError
        For wrong shapes, numbers that are not finite, unknown names, or fewer than 20 samples.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> shape, size = rng.integers(3, size=500), rng.normal(size=500)
    >>> z = np.c_[size, size**3]  # an encoder that knows the size
    >>> factors = {"shape": shape, "size": size}
    >>> scores = evaluate(z, factors, unbiased=["size"], splits=2, steps=200)
    >>> linear = scores[scores["probe"] == "linear"].set_index("factor")
    >>> (linear["score"] > 0.9).to_dict()
    {'shape': False, 'size': True, 'noise': False}
    """
    z = _as_representations(representations)
    like = next(iter(z.values()))
    test = round(test_share * len(like))
    if not 0 < test_share < 1 or test < 2 or len(like) - test < LEAST // 2:
        some = f"that leaves 2 of {len(like)} samples to score and {LEAST // 2} to fit"
        raise invalid("test_share", f"a share above 0 and below 1 {some}", test_share)
    targets, known = _as_targets(factors, kinds or {}, like)
    if isinstance(unbiased, str):
        raise invalid("unbiased", "a list of names", repr(unbiased))
    block = [("", name) for name in unbiased or ()]
    if stray := [name for _, name in block if ("", name) not in known]:
        raise invalid("unbiased", f"some of {', '.join(factors)}", ", ".join(map(str, stray)))
    noise = torch.randn(len(like), 1, generator=generator_for(seed, "noise"))
    targets["", "noise"], known["", "noise"] = noise.to(like.device), Factor("noise")
    if block:
        z[ORACLE] = torch.cat([_as_input(targets[key], known[key]) for key in block], 1)
    rows = []
    for split in range(check_int("splits", splits, 1)):
        order = torch.randperm(len(like), generator=generator_for(seed, "split", split))
        parts = order[test:].to(like.device), order[:test].to(like.device)
        for name, one in z.items():
            for probe in PROBES[name == ORACLE :]:
                generator = generator_for(seed, "probes", split, probe, device=like.device)
                reader = Reader(probe, steps, generator=generator, ridge=True)
                for found in _scores(reader, one, targets, known, *parts):
                    rows.append({"representation": name, "probe": probe, **found})
    return _summary(pd.DataFrame(rows), [name for _, name in block])


def _as_representations(
    representations: ArrayLike | Tensor | Mapping[str, ArrayLike | Tensor],
) -> dict[str, Tensor]:
    named = representations if isinstance(representations, Mapping) else {"z": representations}
    z = {name: _standardized(as_samples("representations", one)) for name, one in named.items()}
    counts = [len(one) for one in z.values()]
    if len(set(counts)) != 1 or counts[0] < LEAST:
        raise invalid("representations", f"at least {LEAST} samples, as many of each", counts)
    for name, one in z.items():
        if len(one) < ENOUGH * one.shape[1]:
            few = f"{len(one)} samples of {one.shape[1]} dimensions: low scores of perceptrons say"
            warnings.warn(f"representations: {name} has {few} little", stacklevel=3)
    return z


def _standardized(columns: Tensor) -> Tensor:
    """Columns at mean 0 and variance 1, in double precision before float32; constants are 0."""
    columns = columns.double()
    columns = columns / columns.abs().amax(0).clamp_min(1e-300)
    columns = columns - columns.mean(0)
    spread = columns.std(0)
    return torch.where(spread > 1e-12, columns / spread, 0.0).float()


def _scores(
    reader: Reader,
    z: Tensor,
    targets: dict[Key, Tensor],
    factors: dict[Key, Factor],
    fit: Tensor,
    test: Tensor,
) -> Iterator[dict[str, object]]:
    """Fit a reader to some rows and score it on others, by factor."""
    reader.fit(z[fit], {key: y[fit] for key, y in targets.items()}, factors)
    weights = reader.importance()
    for (key, metric), score in reader.score(
        z[test], {key: y[test] for key, y in targets.items()}
    ).items():
        complete = math.nan
        if key in weights and z.shape[1] > 1 and weights[key].sum() > 0:
            share = weights[key] / weights[key].sum()
            complete = 1 + (torch.xlogy(share, share).sum() / math.log(len(share))).item()
        yield {"factor": key[1], "metric": metric, "score": score, "completeness": complete}


def _as_targets(
    factors: Mapping[str, ArrayLike | Tensor] | pd.DataFrame, kinds: Mapping[str, str], like: Tensor
) -> tuple[dict[Key, Tensor], dict[Key, Factor]]:
    """Factors as columns of numbers or of classes, and what kind each is."""
    if stray := [name for name in kinds if name not in factors or kinds[name] not in KINDS]:
        expected = f"{' or '.join(KINDS)} for some of {', '.join(map(str, factors))}"
        raise invalid("kinds", expected, ", ".join(f"{name}: {kinds[name]}" for name in stray))
    if "noise" in factors:
        raise invalid("factors", "none called noise, which is the control", "noise")
    targets, known = {}, {}
    for name in factors:
        values = factors[name]
        values = values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
        if values.dtype == object:  # such as floats of a table of mixed columns
            values = pd.Series([*values]).infer_objects().to_numpy()
        if values.ndim not in (1, 2) or len(values) != len(like):
            raise invalid(f"factors: {name}", f"{len(like)} values", f"shape {values.shape}")
        numbers = values.dtype.kind in "fiu"
        whole = values.dtype.kind != "f" and len(np.unique(values.astype(str))) <= VALUES
        kind = kinds.get(name, "discrete" if not numbers or whole else "continuous")
        if kind == "continuous":
            y = _standardized(as_samples(f"factors: {name}", values, like))
            if not y.any():
                raise invalid(f"factors: {name}", "values that differ", "one value")
            targets["", name], known["", name] = y, Factor(name, kind, y.shape[1])
            continue
        if pd.isna(values).any() or values.size != len(like):
            raise invalid(
                f"factors: {name}",
                "one class a sample",
                f"{pd.isna(values).sum()} missing ones, shape {values.shape}",
            )
        classes, codes = np.unique(values.ravel().astype(str), return_inverse=True)
        if not 2 <= len(classes) <= len(like) // 2:
            some = f"2 to {len(like) // 2} classes (or kinds={{{name!r}: 'continuous'}})"
            raise invalid(f"factors: {name}", some, len(classes))
        targets["", name] = torch.as_tensor(codes[:, None], device=like.device)
        known["", name] = Factor(name, kind, len(classes))
    return targets, known


def _as_input(y: Tensor, factor: Factor) -> Tensor:
    """A factor as columns that a probe may read."""
    if factor.kind == "discrete":
        return functional.one_hot(y[:, 0], factor.size).float()
    return y


def _summary(rows: pd.DataFrame, block: list[str]) -> pd.DataFrame:
    """Means and standard deviations over splits, and the oracle beside them."""
    keys = ["representation", "probe", "factor", "metric"]
    grouped = rows.groupby(keys, sort=False)
    found = grouped["score"].agg(score="mean", spread="std").reset_index()
    found["completeness"] = grouped["completeness"].mean().to_numpy()
    own = found[found["representation"] == ORACLE].set_index("factor")["score"]
    own[[name for name in block if name in own]] = 1.0
    found = found[found["representation"] != ORACLE].reset_index(drop=True)
    columns = [*keys, "score", "spread", "oracle", "completeness"]
    return found.assign(oracle=found["factor"].map(own))[columns]
