"""Every step of the proof chapter fails when its hypothesis is broken, and no earlier one does."""

from functools import cache

import jupytext
import numpy as np
import pytest
import torch

from misalign.paths import NOTEBOOKS
from misalign.rng import generator_for
from misalign.theory.uniformity import uniformity

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


# ---- the ribbon: a uniform image, a positive density, and no inverse


@cache
def wound(late: str = "1 - start / overlap") -> dict[str, object]:
    """What the ribbon's cells leave behind, and 400,000 draws; `late` is the later end's share."""
    shares = cell("turn, overlap = ")
    assert shares.count("smooth_step(1 - start / overlap)") == 1
    shares = shares.replace("1 - start / overlap", late)
    names: dict[str, object] = {}
    exec("\n".join((source()[0], shares, cell("grid = "))), names)
    draws = torch.randn(400_000, 2, generator=generator_for(0, "ribbon"), dtype=torch.float64)
    return names | {"ribbon": names["lay"](draws)}


def check_density(names: dict[str, object]) -> None:
    """Estimated along the ribbon it is positive, and jumps vanish as the bins get narrower."""
    for bins in (90, 180):
        counts, edges = np.histogram(names["ribbon"][:, 1], bins, range=(0, names["end"]))
        along = counts / len(names["ribbon"]) / np.diff(edges) * names["turn"]
        inside = (edges[:-1] > 0.2) & (edges[1:] < names["end"] - 0.2)  # at its ends it tends to 0
        assert along[inside].min() > 0.1, "positive"
        assert np.abs(np.diff(along)).max() < 20 / bins, "continuous"


def test_density_along_the_ribbon_is_positive_and_continuous():
    check_density(wound())


def test_ribbon_has_a_uniform_image_and_two_preimages_of_half_the_targets():
    names = wound()
    ribbon, wind = names["ribbon"], names["wind"]
    assert uniformity(wind(ribbon), 30) > 0.01
    shared = (ribbon[:, 1] < names["overlap"]) | (ribbon[:, 1] > names["turn"])
    assert shared.double().mean() == pytest.approx(0.5, abs=0.005)
    first = ribbon[ribbon[:, 1] < names["overlap"]]
    again = first + torch.tensor([0, names["turn"]], dtype=torch.float64)
    torch.testing.assert_close(wind(again), wind(first))


def test_shares_of_both_turns_sum_to_1_and_meet_smoothly():
    share, turn, overlap = (wound()[name] for name in ("share", "turn", "overlap"))
    start = torch.linspace(0, overlap, 1001, dtype=torch.float64)[1:-1]
    torch.testing.assert_close(share(start) + share(start + turn), torch.ones(999).double())
    assert (torch.cat([share(start), share(start + turn)])[5:-5] > 0).all()
    for seam in (overlap, turn):  # flat on both sides, so no derivative has a jump
        near = seam + torch.linspace(-0.01, 0.01, 101, dtype=torch.float64)
        assert (share(near) - 1).abs().max() < 1e-9


@pytest.mark.parametrize(
    ("late", "flaw"),
    [
        ("torch.where(start < overlap, start / overlap, 0)", "positive"),  # backwards
        ("torch.where(start < overlap, 0.5, 0)", "continuous"),
    ],
)
def test_density_along_a_ribbon_with_other_shares_fails_though_its_image_is_uniform(late, flaw):
    names = wound(late)
    assert uniformity(names["wind"](names["ribbon"]), 30) > 0.01
    with pytest.raises(AssertionError, match=flaw):
        check_density(names)
