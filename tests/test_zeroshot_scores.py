"""Macro-F1 and its chance level, against naive twins and closed forms."""

import itertools

import numpy as np
import pytest
import torch

from misalign.metrics import by_class, confusion, corrected, expected_chance, macro_f1
from misalign.rng import generator_for


def labels(n, classes, purpose):
    return torch.randint(classes, (n,), generator=generator_for(0, purpose)).numpy()


def naive(truth, prediction):
    """F1 of every class that occurs, counted one by one."""
    found = {}
    for name in set(truth):
        pairs = list(zip(truth, prediction, strict=True))
        hit = sum(t == p == name for t, p in pairs)
        missed = sum(t == name != p for t, p in pairs)
        false = sum(p == name != t for t, p in pairs)
        found[name] = 2 * hit / (2 * hit + missed + false)
    return found


def test_a_confusion_matrix_counts_truth_by_row_and_prediction_by_column():
    found = confusion([0, 0, 1, 2], [0, 1, 1, 0], 4)
    expected = [[1, 1, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    assert found.dtype == np.int64
    assert found.tolist() == expected


def test_tensors_are_labels_too():
    pair = torch.tensor([0, 1, 1]), torch.tensor([1, 1, 0])
    assert np.array_equal(confusion(*pair, 2), confusion(*(x.tolist() for x in pair), 2))


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_f1_is_that_of_counting_one_by_one(classes):
    truth, prediction = labels(40, classes, "truth"), labels(40, classes, "prediction")
    found = confusion(truth, prediction, classes)
    expected = naive(truth.tolist(), prediction.tolist())
    for name, f1 in expected.items():
        assert by_class(found).f1[name] == pytest.approx(f1)
    assert macro_f1(found) == pytest.approx(sum(expected.values()) / len(expected))


def test_precision_and_recall_are_of_columns_and_rows():
    scores = by_class(np.array([[3, 1], [2, 4]]))
    assert scores.precision.tolist() == [3 / 5, 4 / 5]
    assert scores.recall.tolist() == [3 / 4, 4 / 6]
    assert scores.support.tolist() == [4, 6]


def test_perfect_predictions_score_1():
    truth = labels(30, 4, "truth")
    assert macro_f1(confusion(truth, truth, 4)) == 1


@pytest.mark.parametrize("classes", [2, 5])
def test_a_constant_prediction_scores_its_closed_form(classes):
    truth = np.repeat(np.arange(classes), 6)
    # precision 1 / classes and recall 1 for one class, 0 for the others
    expected = 2 / (classes + 1) / classes
    assert macro_f1(confusion(truth, np.zeros_like(truth), classes)) == pytest.approx(expected)


def test_a_class_never_predicted_scores_0_and_one_that_never_occurs_is_left_out():
    counts = np.array([[2, 0, 0], [1, 0, 0], [0, 0, 0]])
    scores = by_class(counts)
    assert scores.f1[1] == 0 and np.isnan(scores.precision[1]) and np.isnan(scores.f1[2])
    assert macro_f1(counts) == pytest.approx((0.8 + 0) / 2)


def test_a_class_predicted_that_never_occurs_costs_only_those_it_is_taken_for():
    assert macro_f1(np.array([[1, 1], [0, 0]])) == pytest.approx(2 / 3)


def test_expected_chance_is_the_mean_over_every_permutation():
    truth, prediction = [0, 0, 0, 1, 1, 2], [0, 1, 0, 1, 3, 3]
    every = [
        macro_f1(confusion(list(order), prediction, 4)) for order in itertools.permutations(truth)
    ]
    found = expected_chance(confusion(truth, prediction, 4))
    assert found == pytest.approx(np.mean(every), abs=1e-12)


def test_permuted_labels_score_the_expected_chance():
    truth, prediction = labels(60, 4, "truth"), labels(60, 3, "prediction")
    generator = generator_for(0, "chance")
    orders = (torch.randperm(60, generator=generator).numpy() for _ in range(400))
    found = np.mean([macro_f1(confusion(truth[order], prediction, 4)) for order in orders])
    # a macro-F1 of 60 labels varies by about 0.06, its mean over 400 by 0.003
    assert found == pytest.approx(expected_chance(confusion(truth, prediction, 4)), abs=0.012)


def test_random_predictions_score_about_chance_and_are_corrected_to_about_0():
    truth, prediction = labels(20_000, 5, "truth"), labels(20_000, 5, "prediction")
    counts = confusion(truth, prediction, 5)
    assert macro_f1(counts) == pytest.approx(0.2, abs=0.015)
    assert corrected(macro_f1(counts), expected_chance(counts)) == pytest.approx(0, abs=0.02)


def test_correction_keeps_1_takes_chance_to_0_and_has_no_say_where_luck_is_perfect():
    assert corrected(1.0, 0.3) == 1
    assert corrected(0.3, 0.3) == 0
    assert corrected(0.2, 0.3) < 0
    assert np.isnan(corrected(1.0, 1.0))


def test_bad_labels_are_one_line(complains):
    with complains("truth", "labels from 0 to 2", "3"):
        confusion([0, 3], [0, 1], 3)
    with complains("prediction", "labels from 0 to 2", "-1"):
        confusion([0, 1], [0, -1], 3)
    with complains("prediction", "2 labels", "3"):
        confusion([0, 1], [0, 1, 1], 3)
    with complains("truth", "whole numbers", "float64"):
        confusion([0.5], [0], 3)
    with complains("confusion", "at least one label", "none"):
        macro_f1(confusion([], [], 3))
    with complains("confusion", "(classes, classes)", "(2, 3)"):
        macro_f1(np.zeros((2, 3)))
