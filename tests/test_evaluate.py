"""Anybody's representations against anybody's factors, held to scikit-learn and to the theorem."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import ShuffleSplit, cross_val_score

from misalign import evaluate
from misalign.bias import Bias
from misalign.theory.oracle import oracle

RNG = np.random.default_rng(0)
N = 1200
SHAPE = RNG.integers(3, size=N)
SIZE = RNG.normal(size=N)
HUE = RNG.choice(["red", "green", "blue"], size=N)
LOUD = RNG.random(N) < 0.5
FACTORS = {"shape": SHAPE, "size": SIZE, "hue": HUE, "loud": LOUD}
# knows the shape and the size, each in a way of its own, and neither hue nor loudness
Z = np.c_[np.eye(3)[SHAPE] @ RNG.normal(size=(3, 3)), np.sin(SIZE), SIZE**3]


@pytest.fixture(scope="module")
def scores():
    return evaluate(Z, FACTORS, unbiased=["shape", "size"], splits=3, steps=300)


def one(scores, **where):
    for name, value in where.items():
        scores = scores[scores[name] == value]
    (row,) = scores.to_dict("records")
    return row


def test_one_row_a_probe_and_factor_with_a_noise_control(scores):
    assert list(scores) == [
        *("representation", "probe", "factor", "metric", "score", "spread", "oracle"),
        "completeness",
    ]
    assert len(scores) == 2 * 5
    assert set(scores["factor"]) == {*FACTORS, "noise"}
    metrics = scores.set_index("factor")["metric"].to_dict()
    assert metrics == dict.fromkeys(("shape", "hue", "loud"), "mcc") | {"size": "r2", "noise": "r2"}


def test_what_is_there_is_found_and_nothing_else(scores):
    for factor in ("shape", "size"):
        assert one(scores, probe="nonlinear", factor=factor)["score"] > 0.95
    for factor in ("hue", "loud", "noise"):
        for probe in ("linear", "nonlinear"):
            assert abs(one(scores, probe=probe, factor=factor)["score"]) < 0.1


def test_oracle_is_1_within_the_block_and_the_best_prediction_from_it_elsewhere(scores):
    for factor, expected in (("shape", 1), ("size", 1), ("hue", 0), ("loud", 0), ("noise", 0)):
        row = one(scores, probe="nonlinear", factor=factor)
        assert row["oracle"] == pytest.approx(expected, abs=0.1)


def test_oracle_agrees_with_the_closed_form_of_gaussian_factors(unmixed):
    world = unmixed(Bias(4, (1, 2), ()), latents="dependent")
    batch = world.sample(6000, generator=torch.Generator().manual_seed(0))
    factors = {name: batch.factors[name] for name in ("s1", "s2", "s3", "s4")}
    scores = evaluate(batch.factors["s1"], factors, unbiased=["s1", "s2"], splits=1, steps=300)
    found = scores[scores["probe"] == "linear"].set_index("factor")["oracle"]
    predicted = {key[1]: value for key, value in oracle(world).items() if key[0] == "image"}
    for name in factors:
        assert found[name] == pytest.approx(predicted[name], abs=0.05)


def test_linear_scores_are_those_of_scikit_learn():
    z = np.c_[SIZE + RNG.normal(size=N), RNG.normal(size=(N, 3))]
    scores = evaluate(z, {"size": SIZE}, splits=8, steps=20)
    ours = one(scores, probe="linear", factor="size")
    splits = ShuffleSplit(8, test_size=0.25, random_state=0)
    theirs = cross_val_score(LinearRegression(), z, SIZE, cv=splits)
    assert ours["score"] == pytest.approx(theirs.mean(), abs=0.03)
    assert ours["spread"] == pytest.approx(theirs.std(), abs=0.03)


def test_rows_in_any_order_score_alike():
    """Samples that come sorted are shuffled before they are split."""
    y = np.sin(2 * SIZE)
    order = SIZE.argsort()
    mixed, ordered = (
        evaluate(SIZE[rows, None], {"y": y[rows]}, splits=3, steps=300)
        for rows in (np.arange(N), order)
    )
    for probe in ("linear", "nonlinear"):
        a, b = (one(table, probe=probe, factor="y")["score"] for table in (mixed, ordered))
        assert a == pytest.approx(b, abs=0.06)


def test_completeness_tells_one_dimension_from_many():
    rotation = np.linalg.qr(RNG.normal(size=(3, 3)))[0]
    axes = RNG.normal(size=(N, 3))
    factors = {f"s{i}": axes[:, i] for i in range(3)}
    scores = evaluate({"axes": axes, "mixed": axes @ rotation}, factors, splits=1, steps=20)
    linear = scores[(scores["probe"] == "linear") & (scores["factor"] != "noise")]
    means = linear.groupby("representation")["completeness"].mean()
    assert means["axes"] > 0.95 > 0.6 > means["mixed"]
    assert scores[scores["probe"] == "nonlinear"]["completeness"].isna().all()


def test_few_samples_of_many_dimensions_do_not_score_far_below_0():
    z = RNG.normal(size=(300, 512))
    with pytest.warns(UserWarning, match="300 samples of 512 dimensions"):
        scores = evaluate(z, {"y": RNG.normal(size=300)}, splits=2, steps=100)
    assert (scores["score"] > -0.2).all()


def test_a_class_is_found_among_many_dimensions_of_few_samples():
    linear_model = pytest.importorskip("sklearn.linear_model")
    z = RNG.normal(size=(300, 64))
    y = z[:, 0] > 0.1 * RNG.normal(size=300)
    scores = evaluate(z, {"y": y}, splits=4, steps=100)
    ridge = linear_model.RidgeClassifierCV(np.logspace(-2, 4, 13)).fit(z[:225], y[:225])
    theirs = np.corrcoef(ridge.predict(z[225:]), y[225:])[0, 1]
    assert one(scores, probe="linear", factor="y")["score"] == pytest.approx(theirs, abs=0.15)
    assert theirs > 0.5


@pytest.mark.parametrize("move", [lambda x: 1e7 + x, lambda x: 1e-30 * x, lambda x: 1e300 * x])
def test_units_and_offsets_do_not_matter(move):
    scores = evaluate(move(np.c_[SIZE, SIZE**3]), {"size": move(SIZE)}, splits=1, steps=300)
    for probe in ("linear", "nonlinear"):
        assert one(scores, probe=probe, factor="size")["score"] > 0.97


def test_a_collapsed_encoder_knows_nothing_and_is_complete_in_nothing():
    scores = evaluate(np.ones((N, 2)), {"size": SIZE, "shape": SHAPE}, splits=2, steps=50)
    assert scores["score"].abs().max() < 0.05
    assert scores["completeness"].isna().all()


def test_numbers_of_object_type_are_numbers():
    table = pd.DataFrame({"size": pd.Series(SIZE, dtype=object)})
    assert evaluate(Z, table, splits=1, steps=10)["metric"].eq("r2").all()


def test_kinds_are_inferred_and_may_be_said():
    factors = {"few": SHAPE, "many": np.arange(N), "text": HUE, "real": SIZE}
    metric = evaluate(Z, factors, splits=1, steps=10).groupby("factor")["metric"].first()
    assert metric[["few", "many", "text", "real"]].tolist() == ["mcc", "r2", "mcc", "r2"]
    said = evaluate(Z, factors, kinds={"few": "continuous"}, splits=1, steps=10)
    assert said.groupby("factor")["metric"].first()["few"] == "r2"


def test_tensors_tables_and_arrays_say_the_same():
    options = {"splits": 1, "steps": 20}
    plain = evaluate(Z.astype(np.float32), FACTORS, **options)
    other = evaluate(torch.tensor(Z, dtype=torch.float32), pd.DataFrame(FACTORS), **options)
    pd.testing.assert_frame_equal(plain, other)


def test_a_factor_of_several_dimensions_scores_its_mean():
    pair = np.c_[SIZE, RNG.normal(size=N)]
    row = one(
        evaluate(SIZE[:, None], {"pair": pair}, splits=2, steps=20), probe="linear", factor="pair"
    )
    assert row["score"] == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize(
    ("change", "name", "expected", "got"),
    [
        ({"representations": Z[:10]}, "representations", "at least 20 samples", "10"),
        ({"representations": {"a": Z, "b": Z[:50]}}, "representations", "as many of each", "50"),
        ({"representations": SIZE}, "representations", "shape (n, size)", f"({N},)"),
        ({"representations": np.where(Z > 2, np.nan, Z)}, "representations", "finite", "NaN"),
        ({"factors": {"s": SIZE[:7]}}, "factors: s", f"{N} values", "(7,)"),
        ({"factors": {"s": np.where(SIZE > 1, np.nan, SIZE)}}, "factors: s", "finite", "NaN"),
        ({"unbiased": ["weight"]}, "unbiased", "some of shape, size, hue, loud", "weight"),
        ({"kinds": {"weight": "discrete"}}, "kinds", "some of shape", "weight: discrete"),
        ({"kinds": {"size": "round"}}, "kinds", "continuous or discrete", "size: round"),
        ({"factors": {"s": np.full(N, 0.1)}}, "factors: s", "values that differ", "one value"),
        ({"factors": {"s": ["a"] * N}}, "factors: s", "2 to 600 classes", "1"),
        ({"factors": {"s": np.arange(N).astype(str)}}, "factors: s", "2 to 600 classes", "1200"),
        ({"factors": {"s": np.zeros((N, 0))}}, "factors: s", "some columns", "0"),
        ({"splits": 0}, "splits", "at least 1", "0"),
        ({"test_share": 1.0}, "test_share", "below 1", "1.0"),
    ],
)
def test_bad_input_is_one_line(complains, change, name, expected, got):
    with complains(name, expected, got):
        evaluate(**{"representations": Z, "factors": FACTORS, "steps": 10} | change)
