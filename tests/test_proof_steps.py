"""Every step of the proof chapter fails when its hypothesis is broken, and no earlier one does."""

from functools import cache

import jupytext
import pytest
import torch

from misalign.paths import NOTEBOOKS

# of training, in batches half as large as the chapter's: enough for every step to hold, so that
# one fails for its hypothesis and not because training was short
STEPS, BATCH = 1000, 256
CHAPTER = NOTEBOOKS / "04_identifiability.py"


@cache
def source() -> tuple[str, str]:
    """Imports and parameters of the chapter, and the cells of its five steps."""
    cells = [cell for cell in jupytext.read(CHAPTER).cells if cell.cell_type == "code"]
    tags = [cell.metadata.get("tags", []) for cell in cells]
    first = cells[0].source + "\n" + cells[[("parameters" in t) for t in tags].index(True)].source
    steps = [cell.source for cell, tag in zip(cells, tags, strict=True) if "steps" in tag]
    return first, "\n".join(steps)


def cell(start: str) -> str:
    """Source of the one code cell with a line that begins so."""
    cells = [one.source for one in jupytext.read(CHAPTER).cells if one.cell_type == "code"]
    (found,) = (one for one in cells if f"\n{start}" in f"\n{one}")
    return found


def run_steps(broken: str = "") -> dict[str, object]:
    """What the five steps leave behind, with one hypothesis broken or none."""
    first, steps = source()
    names: dict[str, object] = {}
    exec(first, names)
    recipe = names["Recipe"]
    names["Recipe"] = lambda **options: recipe(**options | {"batch_size": BATCH})
    names |= {"broken": broken, "steps": STEPS}
    exec(steps, names)
    return names


@pytest.fixture(scope="module")
def healthy() -> dict[str, object]:
    return run_steps()


def test_steps_hold_after_short_training(healthy):
    assert healthy["ratio"] > 5


@pytest.mark.parametrize("which", ["jacobian", "jacobian_t"])
def test_step_fails_where_a_direction_is_flattened(healthy, which):
    flat = healthy[which].clone()
    flat[0, :, 1] = flat[0, :, 0]  # at one point, s2 moves the representation as s1 does
    with pytest.raises(AssertionError, match="step 5: locally invertible"):
        exec(cell("stretch = min("), healthy | {which: flat})


def test_step_fails_where_only_the_text_loses_a_factor(healthy):
    text = healthy["encoders"]["text"]
    encoders = {"image": healthy["encoders"]["image"], "text": lambda t: text(t)[:, :1]}
    with pytest.raises(AssertionError, match="step 5: nothing is lost"):
        exec(cell("many = "), healthy | {"encoders": encoders})


def test_all_steps_fail_if_one_column_is_small(healthy):
    columns = healthy["columns"].clone()
    columns[0] = healthy["private"]
    with pytest.raises(AssertionError, match="all steps"):
        exec(cell("least = "), healthy | {"columns": columns})


def test_corollaries_fail_for_each_other_s_encoder(healthy):
    move = cell("def moved(")
    swapped = {"told_all": healthy["encoders"], "encoders": healthy["encoders"]}
    with pytest.raises(AssertionError):
        exec(move, healthy | swapped)


def test_a_copy_of_the_cause_is_seen_beyond_the_effect():
    first, _ = source()
    names: dict[str, object] = {}
    exec(first, names)
    chain = names["torch"].randn(16_384, 2, generator=names["generator_for"](0, "chain"))
    cause, effect = chain[:, :1], chain @ torch.tensor([[0.8], [0.6]])
    told = names["partial_r2"](cause, cause + 0.1 * effect, effect)
    assert told > 0.9


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
def test_step_fails_with_its_hypothesis(healthy, broken, step):
    assert healthy["broken"] == "" and healthy["ratio"] > 5  # all hold, trained alike
    with pytest.raises(AssertionError) as caught:
        run_steps(broken)
    assert str(caught.value) == step
