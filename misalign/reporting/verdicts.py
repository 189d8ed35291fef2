"""Verdicts on claims: the rules at the head of `book/claims.yml`, applied to the records."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from zlib import crc32

import numpy as np
import pandas as pd

from misalign.errors import invalid
from misalign.paths import RESULTS
from misalign.records import loss_curve
from misalign.records import runs as read_runs
from misalign.reporting.claims import CELL, TABLES, Claim
from misalign.reporting.summaries import choose, of_study, read_paper_table
from misalign.reporting.web import published
from misalign.sweeps.grid import Sweep

HOLDS, IN_PART, FAILS = "holds", "holds in part", "does not hold"
BRIEF, OPEN = "trained too briefly to say", "not tested"
VERDICTS = (HOLDS, IN_PART, FAILS, BRIEF, OPEN)
DRAWN = ("numerical", "assumptions")  # studies whose seeds draw a world; the others have one
SHORTER = {"long": ("laptop",)}  # scales of fewer pictures and a shorter training
FLAT, NATS = 0.02, 0.01  # share of the fall, or loss, that the last tenth may still take off
LATE, FALL = 1 / 3, 0.05  # share of the training, and the least fall of a run that learned
SEEN = 0.5  # mean score of a positive control
DRAWS = 2_000


@dataclass(frozen=True, eq=False)
class Verdict:
    """What the records say of a claim.

    Parameters
    ----------
    claim, verdict, reason : Claim, str, str
        Which one, one of `VERDICTS`, and why it is not tested, or was trained too briefly.
    points, interval : Series, tuple of float
        One value a point, by world, seed and cell, empty where nothing is tested; and the 95 %
        interval of the estimate.
    runs, seeds, late : int, int, tuple of str
        How many runs and training seeds the points are from; runs that learned late, or never.
    """

    claim: Claim
    verdict: str
    reason: str = ""
    points: pd.Series = field(default_factory=lambda: pd.Series(dtype=float))
    interval: tuple[float, float] = (math.nan, math.nan)
    runs: int = 0
    seeds: int = 0
    late: tuple[str, ...] = ()

    @property
    def worst(self) -> float:
        """The point that speaks most against the claim, as a number with its sign."""
        return float(self.points.iloc[self.points.map(self.claim.beyond).argmax()])

    @property
    def estimate(self) -> float:
        """Mean over points, of absolute values where the claim is ``within``."""
        return float(_turned(self.claim, self.points).mean())

    @property
    def off(self) -> pd.Series:
        """The points that are not as claimed."""
        return self.points[self.points.map(self.claim.beyond) > 0]

    def worlds(self, of: pd.Series | None = None) -> int:
        """Number of worlds among all points, or among some of them."""
        return (self.points if of is None else of).index.get_level_values("world").nunique()


def assess(claim: Claim, folder: Path = RESULTS) -> Verdict:
    """Hold a claim against the records of a results folder.

    Raises a ValueError if the query is none or chooses nothing, or a contrast has rows without a
    partner.
    """
    if claim.published:
        effect, low, high = published(claim.published)[["effect", "low", "high"]]
        whole = claim.beyond(low) <= 0 and claim.beyond(high) <= 0
        verdict = HOLDS if whole else IN_PART if claim.beyond(effect) <= 0 else FAILS
        return Verdict(claim, verdict, points=pd.Series([effect]), interval=(low, high))
    sweeps = [Sweep.named(name) for name in claim.sweeps]
    if reason := _untested(claim, sweeps, folder):
        return Verdict(claim, OPEN, reason)
    table = _chosen(f"{claim.name}: rows", claim.rows, sweeps, folder)
    if claim.value in TABLES:
        keys = ["latents", "modality", "probe", "factor"]
        printed = read_paper_table(claim.value)[[*keys, "score"]]
        table = table.merge(printed.rename(columns={"score": "printed"}), on=keys)
    if table.empty:
        raise invalid(f"{claim.name}: rows", "a query that chooses scores", claim.rows)
    points = _points(claim, table)
    ran = read_runs(folder).set_index("run").loc[table["run"].unique()]
    curves = {run: loss_curve(text) for run, text in ran["losses"].items() if ran["steps"][run]}
    reason = _brief(claim, sweeps, curves)
    late = tuple(run for run, curve in curves.items() if len(curve) and late_starter(curve))
    size = {"runs": len(ran), "seeds": table["seed"].nunique(), "late": late}
    found = Verdict(claim, BRIEF, reason, points, _interval(claim, table, points), **size)
    if reason:
        return found
    passed = claim.beyond(found.estimate) <= 0
    return replace(found, verdict=HOLDS if found.off.empty else IN_PART if passed else FAILS)


def is_flat(curve: np.ndarray) -> bool:
    """Whether a loss, in equal parts of a training, had stopped to fall when it ended."""
    if not len(curve):
        return False
    tenth = len(curve) // 10
    last, before = curve[-tenth:].mean(), curve[-2 * tenth : -tenth].mean()
    return bool(before - last <= max(FLAT * (curve[0] - last), NATS))


def late_starter(curve: np.ndarray) -> bool:
    """Whether a loss took more than a third of the training to begin its fall, or never did."""
    fall = curve[0] - curve[-(len(curve) // 10) :].mean()
    begun = np.flatnonzero(curve <= curve[0] - fall / 10)
    return bool(fall < FALL or begun[0] > LATE * len(curve))


def _untested(claim: Claim, sweeps: list[Sweep], folder: Path) -> str:
    """Why a claim is not tested, if it is not."""
    if not sweeps:
        return "no runs"
    scales = {run.scale for sweep in sweeps for run in sweep.runs}
    if other := scales - {claim.scale, *SHORTER.get(claim.scale, ())}:
        return f"runs are at scale {', '.join(sorted(other))}, not {claim.scale}"
    runs = {run.id for sweep in sweeps for run in sweep.runs}
    if missing := {run.id for sweep in sweeps for run in sweep.missing(folder)}:
        return f"{len(runs) - len(missing)} of {len(runs)} runs recorded"
    if not claim.control:
        return ""
    if not claim.control_sweep:
        return f"no positive control: {claim.control}"
    sweep = Sweep.named(claim.control_sweep)
    if sweep.missing(folder) or {run.scale for run in sweep.runs} != {claim.scale}:
        return f"positive control not recorded at scale {claim.scale}: {claim.control}"
    score = _chosen(f"{claim.name}: control_rows", claim.control_rows, [sweep], folder)["score"]
    if not score.mean() >= SEEN:
        return f"positive control fails, {score.mean():.2f}: {claim.control}"
    return ""


def _brief(claim: Claim, sweeps: list[Sweep], curves: dict[str, np.ndarray]) -> str:
    """Why runs were trained too briefly to judge a claim, if they were."""
    if scales := {run.scale for sweep in sweeps for run in sweep.runs} - {claim.scale}:
        return f"runs are at scale {', '.join(sorted(scales))}, not {claim.scale}"
    if unknown := sum(not len(curve) for curve in curves.values()):
        return f"{unknown} of {len(curves)} runs have no recorded loss"
    falling = sum(not is_flat(curve) for curve in curves.values())
    return f"the loss of {falling} of {len(curves)} runs was still falling" if falling else ""


def _chosen(name: str, rows: str, sweeps: list[Sweep], folder: Path) -> pd.DataFrame:
    """Choose scores of sweeps, with the world that each is of."""
    parts = []
    for sweep in sweeps:
        (experiment,) = {run.experiment for run in sweep.runs}
        drawn = experiment in DRAWN
        worlds = {run.id: run.resolved_world_seed if drawn else 0 for run in sweep.runs}
        chosen = choose(name, of_study(experiment, sweep.scores(folder)), rows)
        parts.append(chosen.assign(world=chosen["run"].map(worlds)))
    return pd.concat(parts).drop_duplicates()  # sweeps may share runs


def _points(claim: Claim, table: pd.DataFrame) -> pd.Series:
    """One value a point."""
    if claim.value == "rank":
        return _ranks(claim, table)
    if claim.value == "spread":
        points = table.groupby(["world", *CELL])["score"].std()
    else:
        taken = {"miss": "oracle", **dict.fromkeys(TABLES, "printed")}.get(claim.value)
        if taken and table[taken].isna().any():
            raise invalid(f"{claim.name}: rows", f"scores that have an {taken}", "some without")
        shown = table["score"] - table[taken] if taken else table["score"]
        points = table.assign(score=shown).set_index(["world", "seed", *CELL])["score"]
    for column, pair in (claim.contrast or {}).items():
        points = _differences(claim, points, column, pair)
    return points


def _differences(claim: Claim, points: pd.Series, column: str, pair: list) -> pd.Series:
    """Differences of points that agree in all but a claim's contrast, the first less the second."""
    # a representation's width follows from the setting, so it is no difference of its own
    if column != "encoding_size" and "encoding_size" in points.index.names:
        points = points.droplevel("encoding_size")
    wide = points.unstack(column)
    if lacking := [value for value in pair if value not in wide]:
        raise invalid(f"{claim.name}: contrast", f"values of {column} that rows has", lacking)
    both = wide[pair].dropna(how="all")
    if both.isna().any(axis=None):
        count = int(both.isna().any(axis=1).sum())
        raise invalid(f"{claim.name}: contrast", f"both values of {column}", f"one, {count} times")
    return both[pair[0]] - both[pair[1]]


def _ranks(claim: Claim, table: pd.DataFrame) -> pd.Series:
    """Rank correlation of each factor's score with its coverage over settings."""
    metrics = sorted(set(table["metric"]))
    if len(metrics) != 2 or "coverage" not in metrics:
        expected = "the metric coverage and one other"
        raise invalid(f"{claim.name}: rows", expected, ", ".join(metrics))
    keys = ["world", "seed", "factor"]
    wide = table.pivot(index=[*keys, "setting"], columns="metric", values="score")
    return wide.groupby(keys)[list(wide)].apply(lambda one: one.corr("spearman").iloc[0, 1])


def _turned(claim: Claim, points: pd.Series) -> pd.Series:
    return points.abs() if claim.criterion.startswith("within") else points


def _interval(claim: Claim, table: pd.DataFrame, points: pd.Series) -> tuple[float, float]:
    """Bootstrap the estimate: worlds, and within each its seeds; 95 %."""
    rng = np.random.default_rng(crc32(claim.name.encode()))
    of_world = table.groupby("world")["seed"].unique()
    estimates = []
    if claim.value == "spread":

        @cache  # few different draws of few seeds
        def spread(seeds: tuple[int, ...]) -> float:
            drawn = pd.concat([table[table["seed"] == seed] for seed in seeds])
            return float(_turned(claim, _points(claim, drawn)).mean())

        (seeds,) = of_world  # one world
        draws = (tuple(sorted(rng.choice(seeds, len(seeds)).tolist())) for _ in range(DRAWS))
        estimates = [spread(one) for one in draws]
    else:
        runs = _turned(claim, points).groupby(["world", "seed"]).agg(["sum", "count"])
        held = [runs.loc[[world]].to_numpy() for world in of_world.index]
        for _ in range(DRAWS):
            picked = [held[i] for i in rng.integers(len(held), size=len(held))]
            drawn = [one[rng.integers(len(one), size=len(one))] for one in picked]
            total, number = np.concatenate(drawn).sum(0)
            estimates.append(total / number)
    low, high = np.quantile(estimates, [0.025, 0.975])
    return float(low), float(high)
