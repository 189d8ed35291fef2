"""The figures of an audit, each with what it shows in words; `figures.svg` draws them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader

from misalign.audit.findings import BLIND, SCORE, Findings
from misalign.audit.words import counted, percent, predicted
from misalign.style import COLORS

MOST, NAMED = 25, 8  # rows of a figure that still read well, and names among its points
STATUS = {  # told by shape as well as color
    "omitted": ("square", COLORS["omitted"]),
    "unclear": ("ring", COLORS["specific"]),
    "covered": ("dot", COLORS["unbiased"]),
}
SHARE = ("coverage", "low", "high")
WIDTH, LEFT, RIGHT, ROW, SIDE = 520, 190, 508, 20, 400


class Drawing(NamedTuple):
    """A figure of the page: what it shows, how to read it, and what those miss who cannot see."""

    title: str
    caption: str
    alt: str
    svg: str


def drawings(findings: Findings) -> list[Drawing]:
    """Draw every figure that the findings have data for."""
    drawn = []
    if findings.labelled and findings.concepts["pictures"].any():
        drawn.append(_rates(findings))
    drawn.append(_coverage(findings))
    if len(findings.wanted(findings.groups)):
        drawn.append(_least(findings))
        if findings.trend:
            drawn.append(_blind(findings))
    return drawn


def _coverage(findings: Findings) -> Drawing:
    """Concepts and groups by coverage, a row a group."""
    groups = findings.groups.sort_values("coverage", kind="stable")
    shown, concepts = groups[:MOST], findings.concepts
    floor = _floor(findings, concepts["coverage"], shown["low"])
    place = dict(zip(shown["group"], range(len(shown)), strict=True))
    dots = concepts[concepts["group"].isin(place)]
    marks = [
        _mark(place[row.group], _log(row.coverage, floor), *STATUS[row.status])
        for row in dots.itertuples()
    ]
    bar = ("bar", "currentColor")
    marks += _intervals(shown, SHARE, [bar] * len(shown), partial(_log, floor=floor))
    said = [f"{row.group} ({percent(row.coverage)} of captions)" for row in groups.itertuples()]
    return Drawing(
        "Coverage by group",
        "Share of captions that name each concept, and at least one concept of the group (bars, as"
        " wide as their 95 % interval)."
        f" The dashes are the limit of {percent(findings.threshold)}. What no caption names"
        f" stands at the left edge.{_left_out(groups, 'group')}",
        f"Dot plot of {counted(len(shown), 'group')}, from {said[0]} to {said[len(shown) - 1]}.",
        _by_status(findings, shown["group"], marks, floor, dots["status"], group=bar),
    )


def _least(findings: Findings) -> Drawing:
    """The concepts a model may need that captions name least."""
    wanted = findings.wanted(findings.concepts)
    shown = wanted[:MOST]
    names, floor = _names(shown), _floor(findings, shown["coverage"], shown["low"])
    marks = _intervals(shown, SHARE, shown["status"].map(STATUS), partial(_log, floor=floor))
    return Drawing(
        "Concepts named least",
        "Share of captions that name each concept, with 95 % intervals, of the concepts that a"
        f" model may need. Left of the dashes ({percent(findings.threshold)}) a concept is"
        " omitted; where the interval crosses them the captions are too few to tell."
        f"{_left_out(wanted, 'concept')}",
        f"Intervals of {counted(len(shown), 'concept')}; the least covered is {names.iloc[0]},"
        f" named by {percent(shown['coverage'].iloc[0])} of captions.",
        _by_status(findings, names, marks, floor, shown["status"]),
    )


def _blind(findings: Findings) -> Drawing:
    """Predicted scores of groups that a model may need."""
    groups = findings.wanted(findings.groups)
    shown = groups[:MOST]
    shapes = np.where(shown["extrapolated"], "ring", "dot")
    colors = np.where(shown["score"] < BLIND, COLORS["omitted"], COLORS["unbiased"])
    marks = _intervals(shown, SCORE, zip(shapes, colors, strict=True), _linear)
    ticks = [(_linear(tick / 5), f"{tick / 5:.1f}") for tick in range(6)]
    beyond = bool(shown["extrapolated"].any())
    hollow = " Hollow: extrapolated, no model saw so few or so many." * beyond
    rows = shown[["group", *SCORE]].itertuples(index=False)
    said = [f"{name} {predicted(*score)}" for name, *score in rows]
    return Drawing(
        "Predicted blind spots",
        "Zero-shot accuracy that published models lead one to expect of a model trained on these"
        f" captions; less than {BLIND} (dashes) is a blind spot. Lines hold 95 % of concepts."
        f"{hollow}{_left_out(groups, 'group')}",
        f"Predicted scores of {counted(len(shown), 'group')}, from {said[0]} to {said[-1]}.",
        _chart(shown["group"], marks, {}, _linear(BLIND), "predicted zero-shot accuracy", ticks),
    )


def _rates(findings: Findings) -> Drawing:
    """How often captions name what pictures show, and are right: the paper's two biases."""
    there = findings.concepts[findings.concepts["pictures"] > 0].fillna(0)
    naming, right = 1 - there["omission"], 1 - there["perturbation"]
    order = np.argsort(np.hypot(1 - naming, 1 - right).to_numpy(), kind="stable")[::-1]
    there, names = there.iloc[order], _names(there).iloc[order]
    kinds = {"named and right": ("dot", COLORS["unbiased"]),
             "named but wrong": ("diamond", COLORS["perturbed"]),
             "left out": ("square", COLORS["omitted"])}  # fmt: skip
    marks, texts, across = [], [], partial(_linear, left=60)
    for name, row in zip(names, there.itertuples(), strict=True):
        kind = "left out" if row.omission > 0.5 else "named but wrong"
        kind = kind if max(row.omission, row.perturbation) > 0.5 else "named and right"
        x, y, (shape, color) = across(1 - row.omission), _up(1 - row.perturbation), kinds[kind]
        ends = {"low": across(1 - row.omission_high), "high": across(1 - row.omission_low)}
        ends |= {"bottom": _up(1 - row.perturbation_high), "top": _up(1 - row.perturbation_low)}
        marks.append({"x": x, "y": y, "shape": shape, "color": color} | ends)
        if len(texts) < NAMED:
            texts.append((x, _free(x, y, texts), _cut(name, 24)))
    worst = there.sort_values("perturbation", ascending=False, kind="stable")
    rate = worst["perturbation"].iloc[0]
    most = f"; captions perturb {_names(worst).iloc[0]} most, {percent(rate)}" if rate > 0 else ""
    corners = [(502, 34, "end", "named, and right"), (66, 34, "start", "left out: selection bias"),
               (502, 402, "end", "named, but wrong: perturbation bias")]  # fmt: skip
    svg = _draw(
        legend=[{"x": 70 + 150 * i, "y": 8, "name": name, "shape": shape, "color": color}
                for i, (name, (shape, color)) in enumerate(kinds.items())],
        left=60, right=RIGHT, top=20, bottom=20 + SIDE - 10, square=True, limit=None,
        lines=[_up(tick / 5) for tick in range(6)], corners=corners, marks=marks,
        ticks=[(across(tick / 5), 20 * tick) for tick in range(6)],
        names=[(_up(tick / 5), f"{20 * tick} %") for tick in range(6)],
        texts=[(x + 8 if x < 400 else x - 8, y, "start" if x < 400 else "end", text)
               for x, y, text in texts],
        label="naming rate: % of a concept's pictures whose captions name it",
    )  # fmt: skip
    return Drawing(
        "What captions do to what pictures show",
        "Across: how many of a concept's pictures have captions that name it (1 - selection bias)."
        " Up: how many of the captions that name it are right (precision, 1 - perturbation bias)."
        " A point a concept, with 95 % intervals; those farthest from the corner are named.",
        f"Rates of {counted(len(there), 'concept')}{most}.",
        svg,
    )


def _up(share: float) -> float:
    return round(410 - 390 * share, 1)


def _free(x: float, y: float, texts: list[tuple]) -> float:
    """A height for a name that no other name has nearby."""
    heights = [y + 4 + step * sign for step in range(0, 400, 3) for sign in (1, -1)]
    taken = [other for at, other, _ in texts if abs(at - x) < 190]
    inside = (one for one in heights if 30 < one < 404)
    return next((one for one in inside if all(abs(one - other) >= 13 for other in taken)), y)


def _mark(
    row: int, x: float, shape: str, color: str, low: float | None = None, high: float | None = None
) -> dict[str, Any]:
    place = {"x": x, "y": 24 + ROW * row + ROW // 2, "bottom": None}
    return place | {"shape": shape, "color": color, "low": low, "high": high}


def _linear(share: float, left: float = LEFT) -> float:
    return round(left + (RIGHT - left) * float(share), 1)


def _log(share: float, floor: float) -> float:
    """Place of a share on an axis of logarithms; what is less stands at its left edge."""
    return _linear(1 - np.log10(max(share, floor)) / np.log10(floor))


def _floor(findings: Findings, *shares: pd.Series) -> float:
    values = [findings.threshold / 3, 1 / findings.counts.total]
    values += [share[share > 0].min() for share in shares if (share > 0).any()]
    return float(10 ** np.floor(np.log10(min(values))))


def _intervals(
    table: pd.DataFrame, columns: tuple, styles: Iterable, place: Callable[[float], float]
) -> list[dict]:
    """A value and its interval in each row."""
    rows = zip(styles, table[[*columns]].itertuples(index=False), strict=True)
    return [
        _mark(i, place(value), *style, place(low), place(high))
        for i, (style, (value, low, high)) in enumerate(rows)
    ]


def _by_status(
    findings: Findings, names: Iterable, marks: list, floor: float, states: Iterable, **more: Any
) -> str:
    """Draw shares of captions, by powers of ten."""
    legend = {name: STATUS[name] for name in STATUS if name in set(states)} | more
    powers = range(0, round(np.log10(floor)) - 1, -1)
    ticks = [(_log(10.0**one, floor), percent(10.0**one).removesuffix(" %")) for one in powers]
    limit = _log(findings.threshold, floor)
    return _chart(names, marks, legend, limit, "% of captions", ticks)


def _chart(
    names: Iterable[str], marks: list[dict], legend: Mapping, limit: float, label: str, ticks: list
) -> str:
    """Draw a row for each name."""
    names = [_cut(name) for name in names]
    heights = [24 + ROW * i + ROW // 2 for i in range(len(names))]
    keys = [{"x": LEFT + 85 * i, "y": 10, "name": name, "shape": shape, "color": color}
            for i, (name, (shape, color)) in enumerate(legend.items())]  # fmt: skip
    frame = {"left": LEFT, "right": RIGHT, "top": 22, "bottom": 26 + ROW * len(names)}
    return _draw(**frame, names=list(zip(heights, names, strict=True)), lines=heights, marks=marks,
                 legend=keys, limit=limit, label=label, ticks=ticks, corners=(), texts=(),
                 square=False)  # fmt: skip


def _draw(**values: Any) -> str:
    options = {"trim_blocks": True, "lstrip_blocks": True, "autoescape": True}
    environment = Environment(loader=PackageLoader("misalign.audit", "."), **options)
    return environment.get_template("figures.svg").render(width=WIDTH, **values)


def _cut(name: str, most: int = 30) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _names(concepts: pd.DataFrame) -> pd.Series:
    """Concepts with their groups: names may be in several groups."""
    return concepts["concept"] + " (" + concepts["group"] + ")"


def _left_out(table: pd.DataFrame, thing: str) -> str:
    """Say that a figure does not show everything."""
    rest = len(table) - MOST
    return f" Shown: the {MOST} least of {counted(len(table), thing)}." if rest > 0 else ""
