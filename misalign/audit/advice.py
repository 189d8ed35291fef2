"""What to do about a concept: the paper's Insights 4.1 and 4.2, for one concept at a time.

A model is taught what captions name and loses what they omit or perturb. Whether that is good
depends on what the concept is for, which its category says.
"""

from __future__ import annotations

from typing import NamedTuple

# what a concept of a category is to the owner of the captions; any other category is not known
ROLES = {
    "common": "wanted",
    "under-captioned": "wanted",
    "nuisance": "nuisance",
    "sensitive": "sensitive",
}


class Advice(NamedTuple):
    """What to do, why and how, and where the paper says so."""

    title: str
    text: str
    source: str = ""


ACTIONS = {
    "add": Advice(
        "Add to captions",
        "Captions hardly ever name these, so a model trained on them has no reason to see them,"
        " however many pictures there are. If the model has to serve many tasks, describe them in"
        " the captions of the pictures that show them, each time in the same words.",
        "Insight 4.1",
    ),
    "correct": Advice(
        "Correct in captions",
        "Captions often name another value than the picture shows. To the model a concept that"
        " changes between picture and caption is as good as omitted. Correct these captions, or"
        " use one name for one thing.",
        "Insight 4.1",
    ),
    "decide": Advice(
        "Decide: add, or omit on purpose",
        "Captions hardly ever name these. If a task needs them, add them to the captions of the"
        " pictures that show them, in the same words each time (Insight 4.1). If a model had"
        " better not depend on them, leave it so, and keep them out of every caption"
        " (Insight 4.2).",
        "Insights 4.1 and 4.2",
    ),
    "count more": Advice(
        "Count more captions first",
        "With so few captions it cannot be told whether these are omitted: the interval reaches"
        " both sides of the limit.",
    ),
    "take out": Advice(
        "Take out of captions",
        "These had better not decide what a model sees: they are nuisances of a picture, or"
        " sensitive words about people. What captions name is learnt, and a small share of the"
        " captions can be enough; a model becomes blind to it only if all captions keep it out.",
        "Insight 4.2",
    ),
    "keep out": Advice(
        "Keep out",
        "Nuisances and sensitive words that captions hardly ever name. A model has no reason to"
        " learn them, which makes it robust to them. Keep them out of every caption that is added.",
        "Insight 4.2",
    ),
    "show": Advice(
        "No picture shows these",
        "Captions cannot name what no picture shows. If a task needs these, find pictures first.",
    ),
    "keep": Advice("Keep as it is", "Captions name these often enough."),
    "see doubts": Advice(
        "Not judged", "The counts may not mean what they say; see the top of this report."
    ),
}


def action(category: str, status: str, perturbed: bool, captions: int, shown: bool = True) -> str:
    """Choose what to do about a concept, a key of `ACTIONS`.

    A category that is not in `ROLES` belongs to the user; the status is that of `Findings`,
    `perturbed` whether captions surely perturb it, `captions` how many name it, `shown` whether a
    picture may show it.
    """
    role = ROLES.get(category, "own")
    if role == "sensitive":
        return "take out" if captions else "keep out"
    if role == "nuisance":
        return "take out" if status == "covered" else "keep out"
    if status == "omitted" and not shown:
        return "show"
    if status == "omitted":
        return "add" if role == "wanted" else "decide"
    if perturbed:
        return "correct"
    return "count more" if status == "unclear" else "keep"
