"""The scoreboard: what the paper claims, held against the records.

`book/claims.yml` lists the claims. One that has been tested names the sweeps whose runs test it, a
query that chooses among their scores, and what those should be: ``at least X``, or ``within X`` of
0. Scores that differ in nothing but the seed make one point, their median. A claim holds if every
point is as the claim says, and in part if the points are so on average.
"""

from __future__ import annotations

import re
from dataclasses import MISSING, dataclass, fields
from functools import cached_property
from pathlib import Path

import pandas as pd
import yaml

from misalign.errors import invalid
from misalign.paths import CLAIMS, RESULTS
from misalign.records import SCORES
from misalign.reporting.summaries import of_study
from misalign.sweeps.grid import Sweep

HOLDS, IN_PART, FAILS, OPEN = "holds", "holds in part", "does not hold", "not tested yet"
VALUES = ("score", "miss", "rank")
SAYS = re.compile(r"(at least|within) (\d+(?:\.\d+)?)")
POINT = [name for name in SCORES if name not in ("run", "seed", "score", "oracle")]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim of the paper, and how it is held against the records.

    Parameters
    ----------
    name : str
        Short name, unique.
    claim, source, refuted : str
        What the paper says, where, and what would speak against it.
    chapter : str, optional
        The notebook that tells of the test; empty for a claim that nobody has tested yet, and then
        so are the fields below.
    sweeps : list of str, optional
        Whose runs test it.
    rows : str, optional
        Query that chooses among their scores. Beside `misalign.records.SCORES` it may name
        `status`, what captions do to the factor.
    value : {"score", "miss", "rank"}, optional
        The score itself, how far it is above its oracle, or, one point a factor, the rank
        correlation over settings (Spearman's rho) of its score with its coverage, a metric beside
        the score's own.
    contrast : dict of str to list, optional
        A column and two of its values: points are then differences, the first less the second.
    criterion : str, optional
        ``at least X``, or ``within X``: at most X in absolute value.
    note : str, optional
        What a reader of the verdict has to know.
    verdict : str, optional
        What became of it; a test compares this with what follows from the records.

    Raises
    ------
    ValueError
        For a claim that is half a test, or a value other than the above.
    """

    name: str
    claim: str
    source: str
    refuted: str
    chapter: str = ""
    sweeps: tuple[str, ...] = ()
    rows: str = ""
    value: str = "score"
    contrast: dict[str, list] | None = None
    criterion: str = ""
    note: str = ""
    verdict: str = OPEN

    def __post_init__(self) -> None:
        listed = isinstance(self.sweeps, list | tuple)
        if not listed:
            raise invalid(f"{self.name}: sweeps", "a list of names", repr(self.sweeps))
        object.__setattr__(self, "sweeps", tuple(self.sweeps))
        said = [bool(part) for part in (self.chapter, self.sweeps, self.rows, self.criterion)]
        whole = "chapter, sweeps, rows and criterion, or none of them"
        if len(set(said)) != 1:
            raise invalid(self.name, whole, f"{sum(said)} of 4")
        known = (HOLDS, IN_PART, FAILS) if self.tested else (OPEN,)
        if self.verdict not in known:
            raise invalid(f"{self.name}: verdict", " or ".join(known), self.verdict)
        if self.value not in VALUES:
            raise invalid(f"{self.name}: value", " or ".join(VALUES), self.value)
        if self.tested:
            form = "'at least X' or 'within X'"
            if not SAYS.fullmatch(str(self.criterion)):
                raise invalid(f"{self.name}: criterion", form, repr(self.criterion))
        if self.contrast is not None:
            pairs = self.contrast.items() if isinstance(self.contrast, dict) else ()
            right = len(pairs) == 1 and all(
                column in POINT and isinstance(two, list) and len(two) == 2 for column, two in pairs
            )
            form = f"one of {', '.join(POINT)}, with two values"
            if not right:
                raise invalid(f"{self.name}: contrast", form, self.contrast)

    @property
    def tested(self) -> bool:
        """Whether there are runs that test it."""
        return bool(self.sweeps)


@dataclass(frozen=True, eq=False)
class Result:
    """What the records say of a claim.

    Parameters
    ----------
    claim : Claim
        Of which.
    points : Series
        One value a point, by what makes it one.
    runs : int
        How many runs it takes into account.
    """

    claim: Claim
    points: pd.Series
    runs: int

    @cached_property
    def _bar(self) -> tuple[str, float]:
        kind, number = SAYS.fullmatch(self.claim.criterion).groups()
        return kind, float(number)

    @property
    def _sizes(self) -> pd.Series:
        return self.points if self._bar[0] == "at least" else self.points.abs()

    @property
    def worst(self) -> float:
        """The point that speaks most against the claim, as a number with its sign."""
        sizes = self._sizes
        least = self._bar[0] == "at least"
        return float(self.points.iloc[sizes.argmin() if least else sizes.argmax()])

    @property
    def average(self) -> float:
        """Mean over points, of absolute values where the claim is ``within``."""
        return float(self._sizes.mean())

    @property
    def summary(self) -> str:
        """The worst point and the average, in words."""
        # adding 0.0 turns a rounded -0.0 into 0.0
        worst, average = (round(value, 2) + 0.0 for value in (self.worst, self.average))
        return f"{worst:.2f} (average {average:.2f})"

    @property
    def verdict(self) -> str:
        """What follows from the numbers."""
        if self._fits(self.worst):
            return HOLDS
        return IN_PART if self._fits(self.average) else FAILS

    def beyond(self, value: float) -> float:
        """How far a value is from being as claimed; at most 0 if it is."""
        kind, bar = self._bar
        return bar - value if kind == "at least" else abs(value) - bar

    def _fits(self, value: float) -> bool:
        return self.beyond(value) <= 0


def claims(path: Path = CLAIMS) -> list[Claim]:
    """Read the claims.

    Parameters
    ----------
    path : Path, optional
        A YAML file, a list of mappings with the fields of `Claim`.

    Returns
    -------
    list of Claim
        In the file's order.

    Raises
    ------
    ValueError
        In one line that names the claim, for an unknown or missing field, or a name used twice.
    """
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    listed = isinstance(content, list) and all(isinstance(entry, dict) for entry in content)
    if not listed:
        raise invalid(path.name, "a list of claims", type(content).__name__)
    known = [field.name for field in fields(Claim)]
    needed = [field.name for field in fields(Claim) if field.default is MISSING]
    for entry in content:
        name = f"{path.name}: {entry.get('name', 'a claim without a name')}"
        stray = [key for key in entry if key not in known]
        if stray:
            raise invalid(name, f"some of {', '.join(known)}", ", ".join(map(str, stray)))
        lacking = [key for key in needed if not entry.get(key)]
        if lacking:
            raise invalid(name, f"also {', '.join(lacking)}", "none")
    names = [entry["name"] for entry in content]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise invalid(path.name, "every name once", ", ".join(twice))
    return [Claim(**entry) for entry in content]


def assess(claim: Claim, folder: Path = RESULTS) -> Result:
    """Hold a claim against the records.

    Parameters
    ----------
    claim : Claim
        One that has been tested.
    folder : Path, optional
        Results folder.

    Returns
    -------
    Result

    Raises
    ------
    ValueError
        If a run is not recorded, or the query is none or chooses nothing.
    """
    if not claim.tested:
        raise invalid(claim.name, "a claim with sweeps that test it", OPEN)
    chosen = []
    for sweep in map(Sweep.named, claim.sweeps):
        (experiment,) = {run.experiment for run in sweep.runs}
        scores = of_study(experiment, sweep.scores(folder))
        try:
            chosen.append(scores.query(claim.rows))
        except (NameError, SyntaxError, TypeError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            raise ValueError(f"{claim.name}: rows: expected a query, got {reason}") from None
    table = pd.concat(chosen)
    if not len(table):
        raise invalid(f"{claim.name}: rows", "a query that chooses scores", claim.rows)
    if claim.value == "miss":
        table = table.dropna(subset="oracle")
        table = table.assign(score=table["score"] - table["oracle"])
    if claim.value == "rank":
        return Result(claim, _ranks(claim, table), table["run"].nunique())
    points = table.groupby(POINT)["score"].median()
    if claim.contrast:
        ((column, (first, second)),) = claim.contrast.items()
        # a representation's width follows from the setting, so it is no difference of its own
        points = points.droplevel("encoding_size").unstack(column)
        lacking = [value for value in (first, second) if value not in points]
        if lacking:
            raise invalid(f"{claim.name}: contrast", f"values of {column} that rows has", lacking)
        points = (points[first] - points[second]).dropna()
    return Result(claim, points, table["run"].nunique())


def _ranks(claim: Claim, table: pd.DataFrame) -> pd.Series:
    """Rank correlation of each factor's score with its coverage over settings."""
    metrics = sorted(set(table["metric"]) - {"coverage"})
    two = len(metrics) == 1 and "coverage" in set(table["metric"])
    got = ", ".join(sorted(set(table["metric"])))
    if not two:
        raise invalid(f"{claim.name}: rows", "the metric coverage and one other", got)
    keys = ["factor", "setting"]
    wide = table.pivot_table(index=keys, columns="metric", values="score", aggfunc="median")
    return wide.groupby("factor")[list(wide)].apply(lambda one: one.corr("spearman").iloc[0, 1])
