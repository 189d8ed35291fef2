"""Captions as HTML that marks what they leave out and what they get wrong."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from html import escape

# tints and underlines let the text keep its own colour, light or dark
WRONG = "text-decoration: underline; background: rgba(230, 159, 0, 0.35); padding: 0 0.15em"
CHANCE = "text-decoration: underline dotted"
OMITTED = "text-decoration: line-through; opacity: 0.65"


def highlight_caption(
    caption: str,
    spans: Mapping[str, tuple[int, int]],
    perturbed: Collection[str] = (),
    truth: Mapping[str, str] | None = None,
    omitted: Iterable[str] = (),
) -> str:
    """Mark the words of a caption, as HTML with the text escaped.

    `spans` has the start and stop of each factor's words, as `Captioner.spans` finds them. Words of
    `perturbed` factors are underlined: on a tint, or by dots if by chance they are those of
    `truth`, the right ones by factor. Words `omitted` follow in brackets, struck through.
    """
    pieces, last = [], 0
    for factor, (start, stop) in sorted(spans.items(), key=lambda item: item[1]):
        said = escape(caption[start:stop])
        if factor in perturbed:
            right = (truth or {}).get(factor) == caption[start:stop]
            said = f'<span style="{CHANCE if right else WRONG}">{said}</span>'
        pieces += [escape(caption[last:start]), said]
        last = stop
    pieces.append(escape(caption[last:]))
    left_out = ", ".join(f'<s style="{OMITTED}">{escape(words)}</s>' for words in omitted)
    return "".join(pieces) + (f" [{left_out}]" if left_out else "")


def table(rows: Iterable[tuple[str, str]]) -> str:
    """Make an HTML table of settings: rows of a label and the HTML of its marked caption."""
    left, side = (f' style="text-align: left{more}"' for more in ("", "; white-space: nowrap"))
    top = f"<th{left}>setting</th><th{left}>caption</th>"
    lines = [f'<table class="dataframe"{left}>', f"<thead><tr>{top}</tr></thead>", "<tbody>"]
    for label, caption in rows:
        lines.append(f"<tr><th{side}>{escape(label)}</th><td{left}>{caption}</td></tr>")
    return "\n".join([*lines, "</tbody>", "</table>"])
