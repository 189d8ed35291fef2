"""What the words of captions tell of Causal3DIdent's factors, against closed forms."""

from functools import cache

import pytest

from misalign.bias import Bias
from misalign.rng import generator_for
from misalign.theory.caption_oracle import caption_oracle
from misalign.worlds import causal3dident
from misalign.worlds.causal3dident import setting

NAMES = [factor.name for factor in causal3dident.FACTORS]
DRAWS = 100_000


@cache
def oracle(bias):
    return caption_oracle(bias, draws=DRAWS, generator=generator_for(0, "oracle"))


@pytest.mark.parametrize(
    ("number", "known"),
    [
        (1, {"shape": 1}),
        # of color's variance 5/108 a position explains (2/3)/36
        (2, {"shape": 1, "x_pos": 1, "color": 2 / 5}),
        (3, {"shape": 1, "x_pos": 1, "y_pos": 1, "color": 4 / 5}),
        # fifths leave 1/25 of s_pos; s_color correlates with it by 1/2 squared, b_color by 9/14
        (
            4,
            {
                **{"shape": 1, "x_pos": 1, "y_pos": 1, "color": 4 / 5},
                **{"s_pos": 24 / 25, "s_color": 12 / 25, "b_color": 24 / 25 * 9 / 14},
            },
        ),
    ],
)
def test_words_of_a_selection_tell_what_the_graph_says(number, known):
    for name, score in oracle(setting("selection", number)).items():
        assert score == pytest.approx(known.get(name, 0), abs=0.005), name


@pytest.mark.parametrize("number", [1, 4, 6])
def test_a_factor_that_is_perturbed_always_is_as_one_that_is_left_out(number):
    perturbation = oracle(setting("perturbation", 8 - number))
    selection = oracle(setting("selection", number))
    assert perturbation == pytest.approx(selection, abs=0.01)


def test_more_words_never_tell_less_and_names_of_colors_tell_nearly_all():
    scores = [oracle(setting("selection", number)) for number in range(1, 8)]
    for less, more in zip(scores, scores[1:], strict=False):
        assert all(more[name] >= less[name] - 0.005 for name in NAMES)
    for name in ("color", "s_color", "b_color"):
        assert 0.95 < scores[-1][name] < 1
    for name in ("alpha", "beta", "gamma"):
        assert scores[-1][name] == pytest.approx(0, abs=0.005)


def test_words_that_are_perturbed_at_times_still_tell_something(complains):
    with complains("bias", "a probability of 1", "0.5"):
        oracle(setting("perturbation", 2, probability=0.5))


def test_a_hue_tells_of_the_positions_that_made_it():
    """Sentences or not: any set of words may be asked about."""
    scores = oracle(Bias(7, (5,), kind="uniform"))
    assert 0.3 < scores["x_pos"] < 0.9
    assert scores["x_pos"] == pytest.approx(scores["y_pos"], abs=0.02)
    assert (scores["shape"], scores["s_pos"]) == pytest.approx((0, 0), abs=0.005)
