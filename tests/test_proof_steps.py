"""Every step of the proof chapter fails when its hypothesis is broken, and no earlier one does."""

from functools import cache

import jupytext
import pytest

from misalign.paths import NOTEBOOKS

STEPS = 800  # of training: enough for every step, and for the right one to fail
CHAPTER = NOTEBOOKS / "04_identifiability.py"


@cache
def source() -> tuple[str, str]:
    """Imports and parameters of the chapter, and the cells of its five steps."""
    cells = [cell for cell in jupytext.read(CHAPTER).cells if cell.cell_type == "code"]
    tags = [cell.metadata.get("tags", []) for cell in cells]
    first = cells[0].source + "\n" + cells[[("parameters" in t) for t in tags].index(True)].source
    steps = [cell.source for cell, tag in zip(cells, tags, strict=True) if "steps" in tag]
    return first, "\n".join(steps)


def test_steps_hold_after_short_training():
    first, steps = source()
    names: dict[str, object] = {}
    exec(first, names)
    names["steps"] = STEPS
    exec(steps, names)
    assert names["ratio"] > 5


@pytest.mark.parametrize(
    ("broken", "step"),
    [
        ("pairs", "step 1: invariance"),
        ("specific", "step 2: specific noise"),
        ("omitted", "step 3: omitted factors"),
        ("perturbed", "step 4: perturbed factors"),
        ("room", "step 5: nothing is lost"),
    ],
)
def test_step_fails_with_its_hypothesis(broken, step):
    first, steps = source()
    names: dict[str, object] = {}
    exec(first, names)
    names |= {"broken": broken, "steps": STEPS}
    with pytest.raises(AssertionError) as caught:
        exec(steps, names)
    assert str(caught.value) == step
