"""Index sets, their numbers theta and rho, the paper's tables, and what a bias refuses."""

import itertools
import json
import random
from dataclasses import asdict

import numpy as np
import pytest

from misalign.bias import Bias, subset_at, subset_rank


def graded(n: int) -> list[tuple[int, ...]]:
    """All subsets of {1, ..., n}: smaller ones first, then by their elements."""
    return [s for size in range(n + 1) for s in itertools.combinations(range(1, n + 1), size)]


@pytest.mark.parametrize("n", range(1, 7))
def test_rank_and_subset_follow_graded_lexicographic_order(n):
    subsets = graded(n)
    assert [subset_at(rank, n) for rank in range(2**n)] == subsets
    assert [subset_rank(subset, n) for subset in subsets] == list(range(2**n))


def test_rank_does_not_depend_on_the_order_of_elements():
    assert subset_rank((4, 1, 3), 5) == subset_rank((1, 3, 4), 5)


def test_ranks_of_forty_factors_survive_the_round_trip():
    draw = random.Random(0)
    ranks = [0, 1, 40, 41, 2**40 - 1, *(draw.randrange(2**40) for _ in range(200))]
    assert [subset_rank(subset_at(rank, 40), 40) for rank in ranks] == ranks


@pytest.mark.parametrize("n", range(1, 6))
def test_every_theta_and_rho_survives_the_round_trip(n):
    nonempty = graded(n)[1:]
    for theta, selected in enumerate(nonempty, 1):
        proper = [s for s in graded(n) if set(s) < set(selected)]
        for rho, perturbed in enumerate(proper, 1):
            bias = Bias.from_indices(n, theta, rho)
            assert (bias.selected, bias.perturbed) == (selected, perturbed)
            assert (bias.theta, bias.rho) == (theta, rho)


def test_example_3_1():
    bias = Bias.from_indices(n=3, theta=5, rho=3)
    shape, size, color = 1, 2, 3
    assert bias.selected == (shape, color)
    assert bias.omitted == (size,)
    assert bias.perturbed == (color,)
    assert bias.unbiased == (shape,)


def test_table_2_selection_settings():
    biases = [Bias.numerical("selection", setting) for setting in range(1, 11)]
    assert [bias.theta for bias in biases] == [1, 11, 56, 176, 386, 638, 848, 968, 1013, 1023]
    assert [bias.selected for bias in biases] == [tuple(range(1, k + 1)) for k in range(1, 11)]
    assert {bias.rho for bias in biases} == {1}


def test_table_3_perturbation_settings():
    biases = [Bias.numerical("perturbation", setting) for setting in range(1, 11)]
    assert [bias.rho for bias in biases] == [1, 2, 12, 57, 177, 387, 639, 849, 969, 1014]
    assert [bias.perturbed for bias in biases] == [tuple(range(1, k)) for k in range(1, 11)]
    assert {bias.theta for bias in biases} == {1023}


def test_table_5_joint_setting_has_rho_10_not_the_printed_12():
    bias = Bias.numerical("joint", 1)
    assert (bias.theta, bias.rho) == (968, 10)
    assert (bias.selected, bias.perturbed) == (tuple(range(1, 9)), (1, 2))
    assert bias.unbiased == (3, 4, 5, 6, 7, 8)
    assert bias.omitted == (9, 10)


def test_printed_rho_12_belongs_to_ten_selected_factors():
    assert Bias(10, range(1, 11), (1, 2)).rho == 12


def test_sets_are_sorted_without_repeats_and_biases_of_equal_sets_are_equal():
    assert Bias(4, [3, 1, 3], [3]) == Bias(4, (1, 3), (3,))
    assert hash(Bias(4, [3, 1, 3])) == hash(Bias(4, (1, 3)))


def test_numerical_settings_perturb_three_times_in_four():
    assert Bias.numerical("perturbation", 5).probability == 0.75
    assert Bias.from_indices(3, 7, 2, probability=0.5).probability == 0.5


def test_selection_must_not_be_empty(complains):
    with complains("selected", "non-empty index set I_theta", "none"):
        Bias(3, ())


@pytest.mark.parametrize("stray", [0, 4, 1.0, True])
def test_selection_must_stay_among_the_factors(complains, stray):
    with complains("selected", "indices from 1 to 3", f"[{stray}]"):
        Bias(3, (1, stray))


def test_rho_must_stay_inside_theta(complains):
    with complains("perturbed", "indices within I_theta = (1, 2)", "[3]"):
        Bias(3, (1, 2), (2, 3))


def test_rho_must_leave_something_unbiased(complains):
    with complains("perturbed", "proper subset I_rho of I_theta", "(1, 2)"):
        Bias(3, (1, 2), (1, 2))


@pytest.mark.parametrize("n", [0, -1, 2.0, "3"])
def test_number_of_factors_must_be_a_positive_whole_number(complains, n):
    with complains("n", "a whole number of at least 1", str(n)):
        Bias(n, (1,))


@pytest.mark.parametrize("probability", [0, -0.1, 1.5])
def test_probability_must_be_one(complains, probability):
    with complains("probability", "(0, 1]", str(probability)):
        Bias(3, (1, 2), (1,), probability)


@pytest.mark.parametrize("rank", [-1, 8, 1.5])
def test_rank_of_a_subset_must_be_in_its_range(complains, rank):
    with complains("rank", "from 0 to 7", str(rank)):
        subset_at(rank, 3)


def test_ranked_subset_must_be_within_the_ground_set(complains):
    with complains("subset", "from 1 to 3", "5"):
        subset_rank((5,), 3)


@pytest.mark.parametrize("theta", [0, 8, 1.5, True])
def test_theta_must_be_in_its_range(complains, theta):
    with complains("theta", "from 1 to 7", str(theta)):
        Bias.from_indices(3, theta)


@pytest.mark.parametrize("rho", [0, 4])
def test_rho_must_be_in_the_range_that_theta_gives(complains, rho):
    with complains("rho", "from 1 to 3", str(rho)):
        Bias.from_indices(3, 5, rho)


@pytest.mark.parametrize(
    ("bias", "setting", "last"),
    [("selection", 0, 10), ("selection", 11, 10), ("perturbation", 11, 10), ("joint", 2, 1)],
)
def test_setting_must_be_a_column_of_its_table(complains, bias, setting, last):
    with complains("setting", f"from 1 to {last} for {bias} bias (Table", str(setting)):
        Bias.numerical(bias, setting)


@pytest.mark.parametrize("setting", [1.5, True, "1"])
def test_setting_must_be_whole(complains, setting):
    with complains("setting", "a whole number", repr(setting)):
        Bias.numerical("selection", setting)


def test_unknown_bias_lists_the_known_ones(complains):
    with complains("bias", "selection, perturbation, joint", "'omission'"):
        Bias.numerical("omission", 1)


def test_numpy_s_numbers_are_taken_and_kept_as_plain_ones():
    taken = Bias(np.int64(3), np.array([1, 2]), [np.int32(2)], np.float32(0.5))
    assert taken == Bias(3, (1, 2), (2,), 0.5)
    assert hash(taken) == hash(Bias(3, (1, 2), (2,), 0.5))
    json.dumps(asdict(taken))
    assert Bias.from_indices(np.int64(3), np.int64(5), np.int64(3)) == Bias.from_indices(3, 5, 3)
    assert Bias.numerical("selection", np.int64(2)) == Bias.numerical("selection", 2)
    assert subset_rank(np.array([1, 3]), 3) == subset_rank((1, 3), 3)


def test_a_factor_may_be_left_out_by_chance_whatever_or_by_its_value():
    assert Bias(3, (1, 2)).omission_probability == 0
    assert Bias(3, (1, 2), omission_probability=0.3).omission_probability == 0.3
    by_value = Bias(3, (1, 2), omission_probability=np.array([1, 0.5]))
    assert by_value.omission_probability == (1.0, 0.5)
    assert by_value == Bias(3, (1, 2), omission_probability=[1, 0.5])
    # what may be said stays selected
    assert by_value.unbiased == (1, 2)


@pytest.mark.parametrize("chances", [-0.1, 1.5, "often", (), (0.5, 2), None])
def test_chances_of_omission_are_numbers_from_0_to_1(complains, chances):
    with complains("omission_probability", "a number in [0, 1], or one for each", repr(chances)):
        Bias(3, (1, 2), omission_probability=chances)
