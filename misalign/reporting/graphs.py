"""Graphs of causes and effects, drawn."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from matplotlib.axes import Axes

from misalign.errors import invalid


def causal_graph(
    axis: Axes,
    places: Mapping[str, tuple[float, float]],
    parents: Mapping[str, Collection[str]],
    *,
    discrete: Collection[str] = (),
    colors: Mapping[str, str] | None = None,
) -> None:
    """Draw variables as nodes, rectangles if discrete, else ellipses, with arrows from causes.

    `places` has x and y of each variable (a ValueError if one has none), `parents` the causes of
    those that have any, `colors` outlines other than black. The axes lose their frame.
    """
    named = {*parents, *(cause for causes in parents.values() for cause in causes)}
    if lost := sorted(named - set(places)):
        raise invalid("places", "one for every variable", f"none for {', '.join(lost)}")
    nodes = {}
    for name, place in places.items():
        style = "square,pad=0.45" if name in discrete else "ellipse,pad=0.35"
        edge = (colors or {}).get(name, "black")
        box = {"boxstyle": style, "facecolor": "white", "edgecolor": edge, "linewidth": 1.2}
        nodes[name] = axis.text(*place, name, bbox=box, ha="center", va="center", zorder=3)
    xs, ys = zip(*places.values(), strict=True)
    axis.set(xlim=(min(xs) - 0.6, max(xs) + 0.6), ylim=(min(ys) - 0.5, max(ys) + 0.5))
    axis.axis("off")
    axis.figure.canvas.draw()  # boxes have a size only now, and arrows end at them
    for effect, causes in parents.items():
        for cause in causes:
            start, end = nodes[cause].get_bbox_patch(), nodes[effect].get_bbox_patch()
            style = {"arrowstyle": "-|>", "color": "black", "shrinkA": 0, "shrinkB": 2}
            style |= {"patchA": start, "patchB": end}
            axis.annotate("", places[effect], places[cause], arrowprops=style)
