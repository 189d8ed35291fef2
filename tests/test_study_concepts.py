"""The study of concepts: who is named how often, and what its records say."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from misalign.experiment import execute, fit, represent
from misalign.run import Run
from misalign.streams import stream
from misalign.studies import concepts
from misalign.studies.concepts import LEVELS, coverage, nearest, prompted
from misalign.worlds.concepts import GROUPS, WORDS
from misalign.zeroshot.scores import confusion, corrected, macro_f1

RUN = Run(experiment="concepts", scale="smoke", bias="coverage", setting=3, encoding_size=6)
METRICS = {"mcc", "f1", "f1_chance", "f1_corrected", "coverage"}


@pytest.fixture(scope="module")
def record():
    return execute(RUN)


def test_coverages_go_from_half_to_a_thousandth_in_equal_steps():
    assert (LEVELS[0], LEVELS[-1]) == (0.5, 0.001)
    steps = np.diff(np.log10(LEVELS))
    assert steps == pytest.approx(steps.mean(), rel=0.01)


def test_over_ten_settings_every_group_has_every_coverage_once():
    table = np.array([coverage("coverage", setting) for setting in range(1, 11)])
    for line in (*table, *table.T):
        assert sorted(line, reverse=True) == [*LEVELS]


def test_breadth_spreads_two_words_over_more_and_more_groups():
    table = np.array([coverage("breadth", setting) for setting in (1, 2, 3, 4)])
    assert table.sum(1) == pytest.approx(concepts.BUDGET)
    named = table > 0
    assert named.sum(1).tolist() == [*concepts.BREADTHS]
    assert (named[1:] >= named[:-1]).all()  # whoever is named stays named
    for row in table:
        assert len(set(row[row > 0])) == 1


def test_omission_moves_the_background_alone():
    table = np.array([coverage("omission", setting) for setting in range(1, 7)])
    place = GROUPS.index("background")
    assert table[:, place].tolist() == [*concepts.HOW_OFTEN]
    assert set(np.delete(table, place, 1).flat) == {concepts.OTHERS}


@pytest.mark.parametrize(
    ("bias", "setting", "message"),
    [
        ("selection", 1, "bias: expected one of coverage, breadth, omission, got 'selection'"),
        ("coverage", 11, "setting: expected a whole number from 1 to 10"),
        ("breadth", 5, "setting: expected a whole number from 1 to 4"),
        ("omission", 0, "setting: expected a whole number from 1 to 6"),
    ],
)
def test_a_setting_that_is_not_there_is_one_line(bias, setting, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        replace(RUN, bias=bias, setting=setting)


def test_the_nearest_prompt_is_found():
    z, prompts = (torch.randn(n, 3, generator=stream(0, str(n))) for n in (20, 4))
    naive = [min(range(4), key=lambda k: float(((one - prompts[k]) ** 2).sum())) for one in z]
    assert nearest(z, prompts).tolist() == naive


def test_prompts_are_means_over_openings():
    fitted = fit(RUN)
    captions, text = fitted.world.captions, fitted.encoders["text"]
    found = prompted(fitted, "shape")
    place = WORDS["shape"].index("plank")
    lines = ["a picture plank", "a photo plank", "this scene plank"]
    with torch.no_grad():
        each = text(captions.vocabulary.encode(lines, captions.length))
    torch.testing.assert_close(found[place], each.mean(0))


def test_a_record_has_every_group_and_metric(record):
    scores = record.scores
    found = {(row.factor, row.metric) for row in scores.itertuples()}
    assert found == {(name, metric) for name in GROUPS for metric in METRICS}
    assert len(scores) == len(found)
    assert set(scores.query("metric == 'mcc'")["probe"]) == {"linear"}
    assert set(scores.query("metric != 'mcc'")["probe"]) == {"zero-shot"}
    assert scores["oracle"].isna().all()


def test_recorded_scores_fit_each_other_and_the_setting(record):
    table = record.scores.pivot(index="factor", columns="metric", values="score").loc[[*GROUPS]]
    assert table["coverage"].tolist() == pytest.approx([*coverage("coverage", 3)])
    expected = [corrected(*pair) for pair in zip(table["f1"], table["f1_chance"], strict=True)]
    assert table["f1_corrected"].tolist() == pytest.approx(expected, abs=1e-5)


def test_the_recorded_score_is_that_of_test_pictures_and_prompts(record):
    fitted = fit(RUN)
    z, targets = represent(RUN, fitted, "probe test")
    guess = nearest(z["image"], prompted(fitted, "light"))
    told = confusion(targets["image", "light"][:, 0], guess, 4)
    scores = record.scores.query("factor == 'light' and metric == 'f1'")
    assert macro_f1(told) == pytest.approx(scores["score"].item(), abs=1e-5)


def test_no_test_picture_was_trained_on():
    fitted = fit(RUN)
    z, _ = represent(RUN, fitted, "probe test")
    budget = RUN.budget
    assert len(z["image"]) == budget.pictures * budget.shares[2] // sum(budget.shares)
    assert len(fitted.world.part) == budget.pictures * budget.shares[0] // sum(budget.shares)


def test_a_seed_decides_everything(record):
    again, other = execute(RUN), execute(replace(RUN, seed=1))
    assert record.scores.equals(again.scores)
    assert not record.scores["score"].equals(other.scores["score"])


def test_an_untrained_encoder_is_read_as_it_is():
    record = execute(replace(RUN, variant="untrained"))
    assert record.run["steps"].item() == 0
    assert set(record.scores["metric"]) == METRICS
