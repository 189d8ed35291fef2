"""The scoreboard: what the paper claims, held against the records.

`book/claims.yml` lists the claims. One that has been tested names the sweeps whose runs test it, a
query that chooses among their scores, and what those should be: ``at least X``, or ``within X`` of
0. Scores that differ in nothing but the seed make one point, their median. A claim holds if every
point is as the claim says, and in part if the points are so on average.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import MISSING, dataclass, fields
from pathlib import Path

import pandas as pd
import yaml

from misalign.errors import invalid
from misalign.paths import CLAIMS, RESULTS
from misalign.records import SCORES
from misalign.reporting.summaries import choose, of_study
from misalign.sweeps.grid import Sweep

HOLDS, IN_PART, FAILS, OPEN = "holds", "holds in part", "does not hold", "not tested yet"
VALUES = ("score", "miss", "rank")
CRITERION = re.compile(r"(at least|within) (\d+(?:\.\d+)?)")
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
        if not isinstance(self.sweeps, list | tuple):
            raise invalid(f"{self.name}: sweeps", "a list of names", repr(self.sweeps))
        object.__setattr__(self, "sweeps", tuple(self.sweeps))
        given = [bool(part) for part in (self.chapter, self.sweeps, self.rows, self.criterion)]
        if len(set(given)) != 1:
            whole = "chapter, sweeps, rows and criterion, or none of them"
            raise invalid(self.name, whole, f"{sum(given)} of 4")
        verdicts = (HOLDS, IN_PART, FAILS) if self.tested else (OPEN,)
        for field, known in (("verdict", verdicts), ("value", VALUES)):
            if getattr(self, field) not in known:
                raise invalid(f"{self.name}: {field}", " or ".join(known), getattr(self, field))
        if self.tested and not CRITERION.fullmatch(str(self.criterion)):
            form = "'at least X' or 'within X'"
            raise invalid(f"{self.name}: criterion", form, repr(self.criterion))
        contrast = [*self.contrast.items()] if isinstance(self.contrast, dict) else []
        right = len(contrast) == 1 and contrast[0][0] in POINT and isinstance(contrast[0][1], list)
        if self.contrast is not None and not (right and len(contrast[0][1]) == 2):
            form = f"one of {', '.join(POINT)}, with two values"
            raise invalid(f"{self.name}: contrast", form, self.contrast)

    @property
    def tested(self) -> bool:
        """Whether there are runs that test it."""
        return bool(self.sweeps)


@dataclass(frozen=True, eq=False)
class Result:
    """What so many runs say of a claim: one value a point, by what makes it one."""

    claim: Claim
    points: pd.Series
    runs: int

    def beyond(self, value: float) -> float:
        """How far a value is from being as claimed; at most 0 if it is."""
        kind, bar = CRITERION.fullmatch(self.claim.criterion).groups()
        return float(bar) - value if kind == "at least" else abs(value) - float(bar)

    @property
    def worst(self) -> float:
        """The point that speaks most against the claim, as a number with its sign."""
        return float(self.points.iloc[self.points.map(self.beyond).argmax()])

    @property
    def average(self) -> float:
        """Mean over points, of absolute values where the claim is ``within``."""
        within = self.claim.criterion.startswith("within")
        return float((self.points.abs() if within else self.points).mean())

    @property
    def summary(self) -> str:
        """The worst point and the average, in words."""
        # adding 0.0 turns a rounded -0.0 into 0.0
        worst, average = (round(value, 2) + 0.0 for value in (self.worst, self.average))
        return f"{worst:.2f} (average {average:.2f})"

    @property
    def verdict(self) -> str:
        """What follows from the numbers."""
        if self.beyond(self.worst) <= 0:
            return HOLDS
        return IN_PART if self.beyond(self.average) <= 0 else FAILS


def claims(path: Path = CLAIMS) -> list[Claim]:
    """Read the claims.

    Parameters
    ----------
    path : Path, optional
        A YAML file, a list of mappings with the fields of `Claim`; they come in its order.

    Raises
    ------
    ValueError
        In one line that names the claim, for an unknown or missing field, or a name used twice.
    """
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not (isinstance(content, list) and all(isinstance(entry, dict) for entry in content)):
        raise invalid(path.name, "a list of claims", type(content).__name__)
    known = [field.name for field in fields(Claim)]
    needed = [field.name for field in fields(Claim) if field.default is MISSING]
    for entry in content:
        name = f"{path.name}: {entry.get('name', 'a claim without a name')}"
        if stray := [str(key) for key in entry if key not in known]:
            raise invalid(name, f"some of {', '.join(known)}", ", ".join(stray))
        if lacking := [key for key in needed if not entry.get(key)]:
            raise invalid(name, f"also {', '.join(lacking)}", "none")
    names = Counter(entry["name"] for entry in content)
    if twice := [name for name, count in names.items() if count > 1]:
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
        chosen.append(choose(f"{claim.name}: rows", scores, claim.rows))
    table = pd.concat(chosen)
    if claim.value == "miss":
        table = table.assign(score=table["score"] - table["oracle"]).dropna(subset="score")
    if table.empty:
        raise invalid(f"{claim.name}: rows", "a query that chooses scores", claim.rows)
    points = table.groupby(POINT)["score"].median()
    if claim.value == "rank":
        points = _ranks(claim, table)
    elif claim.contrast:
        points = _differences(claim, points)
    return Result(claim, points, table["run"].nunique())


def _differences(claim: Claim, points: pd.Series) -> pd.Series:
    """Differences of points that agree in all but a claim's contrast, the first less the second."""
    ((column, (first, second)),) = claim.contrast.items()
    # a representation's width follows from the setting, so it is no difference of its own
    points = points.droplevel("encoding_size").unstack(column)
    if lacking := [value for value in (first, second) if value not in points]:
        raise invalid(f"{claim.name}: contrast", f"values of {column} that rows has", lacking)
    return (points[first] - points[second]).dropna()


def _ranks(claim: Claim, table: pd.DataFrame) -> pd.Series:
    """Rank correlation of each factor's score with its coverage over settings."""
    metrics = sorted(set(table["metric"]))
    if len(metrics) != 2 or "coverage" not in metrics:
        expected = "the metric coverage and one other"
        raise invalid(f"{claim.name}: rows", expected, ", ".join(metrics))
    keys = ["factor", "setting"]
    wide = table.pivot_table(index=keys, columns="metric", values="score", aggfunc="median")
    return wide.groupby("factor")[list(wide)].apply(lambda one: one.corr("spearman").iloc[0, 1])
