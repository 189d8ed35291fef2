"""From counts to findings: tables by concept, by group and by pair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from misalign.audit.advice import ROLES, action
from misalign.audit.doubts import Doubts, doubt
from misalign.audit.trend import Fit
from misalign.coverage.counts import Counts, shares
from misalign.errors import invalid

BLIND = 0.5  # a predicted accuracy below it counts as a blind spot
LEAST = 1000  # captions of which anything is predicted
RARE = 0.001  # the highest limit: a convention, one caption in a thousand
SCORE = ("score", "score_low", "score_high")  # a predicted accuracy with its interval
PERTURBED = 0.05  # a larger share of wrong among naming captions counts as perturbed: a convention


@dataclass(frozen=True, eq=False)
class Findings:
    """What an audit found. Shares and scores are from 0 to 1, intervals are 95 %.

    Parameters
    ----------
    counts, trend : Counts, Fit or None
        What was counted, and the published fit, if accuracies are predicted.
    threshold, chosen : float, bool
        The share of captions under which a concept counts as effectively omitted, and whether the
        user chose it.
    concepts : DataFrame
        One row a concept, in the taxonomy's order: `category`, `group`, `concept`, `captions`,
        `coverage` with `low` and `high`; `status`: omitted (the interval is below the threshold),
        covered (it is above) or unclear; with labels `pictures`, `omission` (share of a concept's
        pictures whose caption names nothing of its group) and `perturbation` (share of wrong among
        those that do), each with `_low` and `_high`; with a fit `score` with `_low` and `_high`
        and `extrapolated`, empty for sensitive concepts; `action`, a key of `advice.ACTIONS`.
    groups : DataFrame
        One row a group: `category`, `group`, `concepts`, `captions` that name any, `coverage` with
        `low` and `high`; how many concepts are `omitted` and `unclear`; with a fit `score` and its
        band, means over the group's concepts, and `extrapolated` if any of them is.
    doubts, unpredicted : Doubts, str
        Reasons to doubt all this, of which grave ones leave concepts without advice; and why no
        accuracies are predicted, if none are.
    contradictions : DataFrame
        One row a pair of exclusive concepts that some caption names together, most captions first:
        `group`, `one`, `other`, `captions`, `either` (that name one of them), `share` and its ends.
    """

    counts: Counts
    trend: Fit | None
    threshold: float
    chosen: bool
    concepts: pd.DataFrame
    groups: pd.DataFrame
    contradictions: pd.DataFrame
    doubts: Doubts
    unpredicted: str

    @property
    def labelled(self) -> bool:
        """Whether pictures had labels."""
        return "pictures" in self.concepts

    def wanted(self, table: pd.DataFrame) -> pd.DataFrame:
        """Rows of `concepts` or `groups` that a model may need: no nuisances, none sensitive.

        They are sorted by predicted score, and by coverage where that is the same or unknown.
        """
        rows = table[~table["category"].map(ROLES).isin(["nuisance", "sensitive"])]
        order = [name for name in ("score", "coverage") if name in rows]
        return rows.sort_values(order, kind="stable")


def find(counts: Counts, trend: Fit | None = None, threshold: float | None = None) -> Findings:
    """Judge counts, as `Findings`.

    Parameters
    ----------
    counts, trend : Counts, Fit
        Of at least one caption, and the published fit, without which nothing is predicted.
    threshold : float, optional
        The share of captions, between 0 and 1, under which a concept counts as effectively
        omitted. By default `RARE`, or less where the fit predicts an accuracy of `BLIND` from
        fewer captions.
    """
    if not counts.captions:
        raise invalid("captions", "at least one", "none")
    chosen, doubts = threshold is not None, doubt(counts)
    reasons = {
        "the published fit is not part of this installation": trend is None,
        "the counts are in doubt": doubts.grave,
        f"fewer than {LEAST:,} captions are too few": counts.total < LEAST,
    }
    unpredicted = next((why for why, holds in reasons.items() if holds), "")
    trend = None if unpredicted else trend
    if threshold is None:
        threshold = RARE
        if trend:
            few = trend.crossing(BLIND, counts.total) / counts.total
            threshold = float(np.clip(few, 1 / counts.total, RARE))
    if not 0 < threshold <= 1:
        raise invalid("threshold", "a share above 0 and at most 1", threshold)
    concepts = counts.by_concept()
    sure = [concepts["high"] < threshold, concepts["low"] >= threshold]
    concepts["status"] = np.select(sure, ["omitted", "covered"], "unclear")
    # of sensitive concepts nothing but coverage is reported: nobody shall mend those
    sensitive = (concepts["category"].map(ROLES) == "sensitive").to_numpy()
    if counts.labelled.any():
        _add_rates(concepts, np.where(sensitive, 0, counts.labelled.T))
    if trend:
        _add_scores(concepts, trend, counts.total, sensitive)
    perturbed = concepts.get("perturbation_low", pd.Series(np.nan, concepts.index)) > PERTURBED
    pictures = concepts.get("pictures", pd.Series(0, concepts.index))
    shown = (pictures > 0) | (pictures.groupby(concepts["group"]).transform("sum") == 0)
    columns = (concepts["category"], concepts["status"], perturbed, concepts["captions"], shown)
    concepts["action"] = [action(*row) for row in zip(*columns, strict=True)]
    if doubts.grave:
        concepts["action"] = "see doubts"
    tables = concepts, _groups(counts, concepts), _contradictions(counts)
    return Findings(counts, trend, threshold, chosen, *tables, doubts, unpredicted)


def _add_rates(table: pd.DataFrame, labelled: np.ndarray) -> None:
    """Add how often captions omit what pictures show, and how often they say something else."""
    pictures, omitted, right, perturbed = labelled
    table["pictures"] = pictures
    rates = {"omission": (omitted, pictures), "perturbation": (perturbed, right + perturbed)}
    for name, pair in rates.items():
        table[name], table[f"{name}_low"], table[f"{name}_high"] = shares(*pair)


def _add_scores(table: pd.DataFrame, trend: Fit, captions: int, sensitive: np.ndarray) -> None:
    """Add predicted accuracies, but not to sensitive concepts."""
    for name, values in zip(SCORE, trend.predict(table["captions"], captions), strict=True):
        table[name] = np.where(sensitive, np.nan, values)
    table["extrapolated"] = trend.extrapolates(captions) & ~sensitive


def _groups(counts: Counts, concepts: pd.DataFrame) -> pd.DataFrame:
    """Coverage of groups, and what their concepts come to."""
    table, parts = counts.by_group(), concepts.groupby("group", sort=False)
    for status in ("omitted", "unclear"):
        here = (concepts["status"] == status).groupby(concepts["group"], sort=False)
        table[status] = here.sum().to_numpy()
    if "score" in concepts:
        means = parts[[*SCORE]].mean().reset_index(drop=True)
        table[means.columns] = means
        table["extrapolated"] = parts["extrapolated"].any().to_numpy()
    return table


def _contradictions(counts: Counts) -> pd.DataFrame:
    """Pairs of exclusive concepts that some caption names together."""
    concepts, named = counts.taxonomy.concepts, counts.concepts
    rows = [
        (concepts[i].group, concepts[i].name, concepts[j].name, both, named[i] + named[j] - both)
        for (i, j), both in zip(counts.taxonomy.pairs(), counts.pairs.tolist(), strict=True)
        if both
    ]
    table = pd.DataFrame(rows, columns=["group", "one", "other", "captions", "either"])
    table = table.astype({"captions": int, "either": int})
    table["share"], table["low"], table["high"] = shares(table["captions"], table["either"])
    return table.sort_values("captions", ascending=False, kind="stable", ignore_index=True)
