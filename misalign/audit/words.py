"""Findings in words: numbers as a reader expects them, and a summary of three sentences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from misalign.audit.findings import BLIND, SCORE, Findings


def percent(share: float, digits: int = 2) -> str:
    """Write a share in per cent with so many digits: ``0.0041 %``; empty for not a number."""
    if np.isnan(share):
        return ""
    digits = max(digits, 3) if share > 0.99 else digits
    return f"{np.format_float_positional(100 * share, digits, fractional=False, trim='-')} %"


def between(low: float, high: float) -> str:
    """Write an interval of shares in per cent: ``0.0041 to 0.0067 %``; empty for none."""
    return "" if np.isnan(low) else f"{percent(low, 3).removesuffix(' %')} to {percent(high, 3)}"


def predicted(score: float, low: float, high: float) -> str:
    """Write a predicted accuracy with its interval: ``0.31 (0.00 to 0.85)``; empty for none."""
    return "" if np.isnan(score) else f"{score:.2f} ({low:.2f} to {high:.2f})"


def tied(text: str) -> str:
    """Keep per cent signs on the lines of their numbers."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%")


def listed(names: Sequence[str], most: int = 3) -> str:
    """Write names as a list: ``a, b and c``, or ``a, b, c and 5 more``."""
    names = [*names[:most], f"{len(names) - most:,} more"] if len(names) > most else list(names)
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def counted(number: int, one: str, many: str = "") -> str:
    """Write a number of things: ``1 caption``, ``2,000 captions``."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def summary(findings: Findings) -> tuple[str, ...]:
    """Say what to doubt, and in three sentences what is omitted, missed by a model, and to do."""
    if findings.doubts.grave:
        return findings.doubts.sentences
    rest = _omitted(findings), _missed(findings), _todo(findings)
    return *findings.doubts.sentences, *rest


def _omitted(findings: Findings) -> str:
    counts, wanted = findings.counts, findings.wanted(findings.concepts)
    states = wanted["status"].value_counts()
    omitted, unclear = (int(states.get(name, 0)) for name in ("omitted", "unclear"))
    empty = f", {counts.empty:,} of them without text" if counts.empty else ""
    more = f"; for {unclear:,} more these captions are too few to tell" if unclear else ""
    some = f"{omitted:,} are" if omitted > 1 else ("none is", "1 is")[omitted]
    return (
        f"Of {counted(len(wanted), 'concept')} that a model may need, {some} effectively omitted"
        f" from {counted(counts.captions, 'caption')}{empty} (surely named by less than"
        f" {percent(findings.threshold)} of them){more}."
    )


def _missed(findings: Findings) -> str:
    groups = findings.wanted(findings.groups)
    if groups.empty:
        return "No group of concepts that a model may need was counted."
    if findings.trend is None:
        said = [f"{row.group} ({percent(row.coverage)})" for row in groups[:3].itertuples()]
        return f"The groups that captions name least are {listed(said)}."
    blind = groups[groups["score"] < BLIND]
    if findings.trend.extrapolates(size := findings.counts.total):
        many = f"{'few' if size < 1e7 else 'many'} captions as {size:,}"
        return f"No blind spots are predicted: no published model of the fit saw as {many}."
    if blind.empty:
        return f"Published models predict no blind spot: no accuracy is below {BLIND}."
    rows = blind[["group", *SCORE]].itertuples(index=False)
    said = [f"{row.group} {predicted(*row[1:])}" for row in rows]
    return (
        f"Published models predict {counted(len(blind), 'blind spot')} among"
        f" {counted(len(groups), 'group')} (zero-shot accuracy below {BLIND}, with the interval of"
        f" 95 % of concepts): {listed(said)}."
    )


def _todo(findings: Findings) -> str:
    actions = findings.concepts["action"].value_counts()
    parts = (
        ("add", "add {} to the captions"),
        ("show", "find pictures of {}"),
        ("decide", "decide whether to add {} or to omit them on purpose"),
        ("correct", "correct the captions of {}"),
        ("take out", "take {} out of the captions"),
        ("count more", "count more captions for {}"),
    )
    todo = [
        text.format(counted(int(actions[name]), "concept"))
        for name, text in parts
        if name in actions
    ]
    pairs = findings.contradictions
    if len(pairs):
        worst = pairs.iloc[0]
        both = f"{worst['one']} and {worst['other']} in {counted(worst['captions'], 'caption')}"
        todo.append(f"mend contradictions (the most frequent: {both})")
    return f"What to do: {'; '.join(todo) or 'nothing, as far as these counts can tell'}."
