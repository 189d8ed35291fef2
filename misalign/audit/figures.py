"""The figures of an audit, each with what it shows in words."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from misalign.audit import canvas
from misalign.audit.findings import BLIND, SCORE, Findings
from misalign.audit.words import counted, percent, predicted
from misalign.style import COLORS, SERIES

MOST = 25  # rows of a figure that still read well
STATUS = dict(omitted=COLORS["omitted"], unclear=COLORS["specific"], covered=COLORS["unbiased"])
SHARE = ("coverage", "low", "high")


class Drawing(NamedTuple):
    """A figure of the page: what it shows, how to read it, and what those miss who cannot see."""

    title: str
    caption: str
    alt: str
    svg: str


def drawings(findings: Findings) -> list[Drawing]:
    """Draw every figure that the findings have data for."""
    drawn = [_coverage(findings)]
    if len(findings.wanted(findings.groups)):
        drawn.append(_least(findings))
        if findings.trend:
            drawn.append(_blind(findings))
    if findings.labelled and findings.concepts["pictures"].any():
        drawn.append(_rates(findings))
    return drawn


def _coverage(findings: Findings) -> Drawing:
    """Concepts and groups by coverage, a row a group."""
    groups = findings.groups.sort_values("coverage", kind="stable")
    shown = groups[:MOST]
    concepts = findings.concepts
    with canvas.canvas(shown["group"]) as axes:
        shares = [concepts["coverage"], shown["low"]]
        floor = canvas.log_axis(axes, shares, findings.threshold, findings.counts.captions)
        place = dict(zip(shown["group"], range(len(shown)), strict=True))
        for status, color in STATUS.items():
            rows = concepts[(concepts["status"] == status) & concepts["group"].isin(place)]
            if len(rows):
                style = {"s": 18, "color": color, "alpha": 0.6, "lw": 0, "label": status}
                height = rows["group"].map(place)
                axes.scatter(rows["coverage"].clip(lower=floor), height, **style)
        ends = shown[["low", "high"]].clip(lower=floor).to_numpy().T
        axes.hlines(range(len(shown)), *ends, color=canvas.INK, lw=2)
        axes.scatter(shown["coverage"].clip(lower=floor), range(len(shown)), color=canvas.INK,
                     s=60, marker="|", lw=2, label="group")  # fmt: skip
        svg = canvas.svg(axes)
    said = [f"{row.group} ({percent(row.coverage)} of captions)" for row in groups.itertuples()]
    return Drawing(
        "Coverage by group",
        "Share of captions that name each concept (dots), and at least one concept of the group"
        " (bars, as wide as their 95 % interval)."
        f" The dashes are the limit of {percent(findings.threshold)}. What no caption names"
        f" stands at the left edge.{_left_out(groups, 'group')}",
        f"Dot plot of {counted(len(shown), 'group')}, from {said[0]} to {said[len(shown) - 1]}.",
        svg,
    )


def _least(findings: Findings) -> Drawing:
    """The concepts a model may need that captions name least."""
    wanted = findings.wanted(findings.concepts)
    shown = wanted[:MOST]
    names = _names(shown)
    with canvas.canvas(names) as axes:
        shares = [shown["coverage"], shown["low"]]
        floor = canvas.log_axis(axes, shares, findings.threshold, findings.counts.captions)
        canvas.bars(axes, shown, SHARE, shown["status"].map(STATUS), floor=floor)
        canvas.key(axes, {name: STATUS[name] for name in STATUS if name in set(shown["status"])})
        svg = canvas.svg(axes)
    return Drawing(
        "Concepts named least",
        "Share of captions that name each concept, with 95 % intervals, of the concepts that a"
        f" model may need. Left of the dashes ({percent(findings.threshold)}) a concept is"
        " omitted; where the interval crosses them the captions are too few to tell."
        f"{_left_out(wanted, 'concept')}",
        f"Intervals of {counted(len(shown), 'concept')}; the least covered is {names.iloc[0]},"
        f" named by {percent(shown['coverage'].iloc[0])} of captions.",
        svg,
    )


def _blind(findings: Findings) -> Drawing:
    """Predicted scores of groups that a model may need."""
    groups = findings.wanted(findings.groups)
    shown = groups[:MOST]
    beyond = shown["extrapolated"].to_numpy()
    with canvas.canvas(shown["group"]) as axes:
        colors = np.where(shown["score"] < BLIND, COLORS["omitted"], COLORS["unbiased"])
        canvas.bars(axes, shown, SCORE, colors, hollow=beyond)
        axes.axvline(BLIND, color=canvas.INK, ls="--", lw=0.8)
        axes.set(xlim=(-0.03, 1.03), xlabel="predicted zero-shot accuracy")
        svg = canvas.svg(axes)
    hollow = " Hollow: extrapolated, no model saw so few or so many." * bool(beyond.any())
    rows = shown[["group", *SCORE]].itertuples(index=False)
    said = [f"{row.group} {predicted(*row[1:])}" for row in rows]
    return Drawing(
        "Predicted blind spots",
        "Zero-shot accuracy that published models lead one to expect of a model trained on these"
        f" captions; less than {BLIND} (dashes) is a blind spot. Lines hold 95 % of concepts."
        f"{hollow}{_left_out(groups, 'group')}",
        f"Predicted scores of {counted(len(shown), 'group')}, from {said[0]} to {said[-1]}.",
        svg,
    )


def _rates(findings: Findings) -> Drawing:
    """How often captions omit, and perturb, what pictures show."""
    there = findings.concepts[findings.concepts["pictures"] > 0]
    there = there.sort_values("perturbation", ascending=False, kind="stable")
    shown = there[:MOST]
    names = _names(shown)
    with canvas.canvas(names, rows=1.4) as axes:
        kinds = (("omission", SERIES[2], -0.17), ("perturbation", COLORS["perturbed"], 0.17))
        for name, color, shift in kinds:
            columns = (name, f"{name}_low", f"{name}_high")
            canvas.bars(axes, shown, columns, [color] * len(shown), shift=shift)
            canvas.key(axes, {name: color})
        axes.set_xlim(-0.03, 1.03)
        canvas.per_cent(axes, "pictures")
        svg = canvas.svg(axes)
    rate = shown["perturbation"].iloc[0] if len(shown) else 0
    return Drawing(
        "What captions do to what pictures show",
        "Omission: of a concept's pictures, those whose captions name nothing of its group."
        " Perturbation: of its other pictures, those whose captions name only something else of"
        f" the group. With 95 % intervals.{_left_out(there, 'concept', 'most perturbed')}",
        f"Rates of {counted(len(shown), 'concept')}"
        + (f"; captions perturb {names.iloc[0]} most, {percent(rate)}." if rate > 0 else "."),
        svg,
    )


def _names(concepts: pd.DataFrame) -> pd.Series:
    """Concepts with their groups: names may be in several groups."""
    return concepts["concept"] + " (" + concepts["group"] + ")"


def _left_out(table: pd.DataFrame, thing: str, which: str = "least") -> str:
    """Say that a figure does not show everything."""
    rest = len(table) - MOST
    return f" Shown: the {MOST} {which} of {counted(len(table), thing)}." if rest > 0 else ""
