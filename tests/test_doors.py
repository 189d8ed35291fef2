"""Doors that outside code enters by: what it ran into once, each as a test."""

import importlib

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import nn

from misalign import (
    Bias,
    NumericalWorld,
    Run,
    evaluate,
    execute,
    experiment,
    provenance,
    register_study,
)
from misalign import run as registry
from misalign.cli import main
from misalign.encoders.mlp import MLP, stack
from misalign.probes.regression import LinearProbe
from misalign.reporting.summaries import of_study
from misalign.rng import generator_for
from misalign.run import recorded_bias
from misalign.run import study as study_of
from misalign.studies.numerical import Numerical
from misalign.sweeps.worker import preamble
from misalign.worlds.resampled import ResampledWorld

OMITTING = Bias(3, (1, 2), omission_probability=0.9)


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    """Studies that a test registers are gone after it."""
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))


def mlp(size=3, hidden=8):
    return MLP(size, 2, (hidden, hidden), generator=generator_for(0, "weights"))


class Scaled(nn.Module):
    """A layer whose factor is no tensor."""

    def __init__(self, factor):
        super().__init__()
        self.factor, self.inner = factor, mlp()

    def forward(self, x):
        return self.factor * self.inner(x)


@pytest.mark.parametrize(
    "pair",
    [
        lambda: [nn.Sequential(mlp(), nn.LeakyReLU(slope)) for slope in (0.0, 0.9)],
        lambda: [Scaled(factor) for factor in (1, 5)],
        lambda: [Scaled(factor) for factor in (1.0, 5.0)],
    ],
    ids=["slope of torch's layer", "integer", "float"],
)
def test_a_stack_refuses_encoders_that_differ_in_more_than_widths(complains, pair):
    with complains("encoders", "built alike", "different"):
        stack(pair())


def test_encoders_of_several_widths_still_stack():
    x = torch.zeros(2, 4, 3)
    assert stack([mlp(3, 8), mlp(3, 5)])(x).shape == (2, 4, 2)


@pytest.mark.parametrize("world", [NumericalWorld, ResampledWorld])
def test_worlds_without_words_refuse_random_omission(complains, world):
    bias = Bias(3, (1, 2), omission_probability=0.9, kind="uniform")
    with complains("bias", "omits nothing by chance", "0.9"):
        world.draw(OMITTING if world is NumericalWorld else bias)


@pytest.mark.parametrize("bias", [OMITTING, Bias(3, (1, 2), kind="uniform")])
def test_a_run_refuses_a_bias_that_its_study_s_world_cannot_have(complains, bias):
    with complains("bias", "a bias that it takes of numerical", "Bias(n=3"):
        Run(bias=bias)


@pytest.mark.parametrize(
    ("bias", "got"), [({"selectd": [1]}, "selectd"), ({"n": 3}, "n"), ({"n": 3, "x": 1}, "n, x")]
)
def test_a_bias_as_a_mapping_names_its_fields(complains, bias, got):
    with complains("bias", "n, selected and some of n, selected, perturbed", got):
        Run(bias=bias)


def test_the_bias_of_a_parameters_cell_is_not_dropped():
    bias = Bias(3, selected=(1, 2))
    (run,) = Run.from_notebook({"bias": bias, "scale": "smoke", "record": ""})
    assert run.resolved_bias == bias


def test_records_of_a_bias_of_one_s_own_are_told_apart_by_it():
    bias = Bias(3, selected=(1, 3), perturbed=(3,), probability=0.5)
    run = Run(bias=bias, scale="smoke")
    assert recorded_bias(run.study, run.identity["bias"], 1) == bias
    scores = of_study("numerical", execute(run).scores)
    states = scores[scores["target"] == "image"].groupby("factor")["status"].first()
    assert states[["s1", "s2", "s3", "m_x"]].tolist() == [
        *("unbiased", "omitted", "perturbed", "specific"),
    ]


@pytest.mark.parametrize(
    ("options", "expected", "got"),
    [
        ({"alpha": "wide"}, "a number like 1.0", "'wide'"),
        ({"alpha": None}, "a number like 1.0", "None"),
        ({"alpha": np.ones(2)}, "a number like 1.0", "array"),
        ({"alpha": True}, "a number like 1.0", "True"),
        ({"alpha": float("nan")}, "a number like 1.0", "nan"),
        ({"count": float("inf")}, "a number like 1", "inf"),
        ({"word": 3}, "a str like 'a'", "3"),
        ({"flag": 1}, "a bool like False", "1"),
    ],
)
def test_options_of_another_type_are_one_line(complains, options, expected, got):
    class Mine(Numerical):
        name = "optional"
        options = {"alpha": 1.0, "word": "a", "flag": False, "count": 1}

    register_study(Mine)
    assert Run(experiment="optional", options={"alpha": np.int64(2)}).option("alpha") == 2.0
    with complains(next(iter(options)), expected, got):
        Run(experiment="optional", options=options)


def test_leave_to_record_reaches_both_ways_of_executing():
    with pytest.MonkeyPatch.context() as patch:
        for name in ("execute", "execute_all"):
            patch.setattr(experiment, name, getattr(experiment, name))  # put back afterwards
        exec(preamble([], allow_dirty=True), {})
        assert experiment.execute.keywords == {"allow_dirty": True}
        assert experiment.execute_all.keywords == {"allow_dirty": True}


def test_the_code_of_a_study_that_is_not_there_is_unknown_and_not_stale(tmp_path, monkeypatch):
    (tmp_path / "weather.py").write_text(
        "from misalign import register_study\n"
        "from misalign.studies.numerical import Numerical\n"
        "@register_study\nclass Weather(Numerical):\n    name = 'weather'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("weather")
    execute(Run(experiment="weather", scale="smoke"), record=tmp_path / "kept")
    words = ["runs", "--results", str(tmp_path / "kept")]
    here = CliRunner().invoke(main, [*words, "--import", "weather"])
    registry._registered.pop("weather")
    provenance.code_hash.cache_clear()
    gone = CliRunner().invoke(main, words)
    assert (here.exit_code, gone.exit_code) == (0, 0)
    assert "stale" not in here.stdout.splitlines()[1]
    assert gone.stdout.splitlines()[1].split()[-1] == "unknown"


SIZE = np.random.default_rng(0).normal(size=60)


@pytest.mark.parametrize(
    ("change", "name", "expected", "got"),
    [
        ({"factors": {"noise": SIZE}}, "factors", "none called noise", "noise"),
        ({"test_share": 0.01}, "test_share", "2 of 60 samples to score", "0.01"),
        ({"test_share": 0.95}, "test_share", "10 to fit", "0.95"),
        ({"unbiased": "size"}, "unbiased", "a list of names", "'size'"),
        ({"representations": np.array([["a"]] * 60)}, "representations", "numbers", "<U1"),
        (
            {"factors": {"t": np.array(["a", "b"] * 30)}, "kinds": {"t": "continuous"}},
            "factors: t",
            "numbers",
            "<U1",
        ),
    ],
)
def test_bad_input_of_evaluate_is_one_line(complains, change, name, expected, got):
    plain = {"representations": SIZE[:, None], "factors": {"size": SIZE}, "steps": 5}
    with complains(name, expected, got):
        evaluate(**plain | change)


def test_arrays_of_any_layout_are_read():
    z = np.stack([SIZE, SIZE**2], 1)
    for odd in (
        z[::-1][::-1],
        z.astype(">f8"),
        np.asfortranarray(z),
        torch.tensor(z).requires_grad_(),
    ):
        prediction = LinearProbe().fit(odd, SIZE).predict(odd)
        np.testing.assert_allclose(prediction[:, 0], SIZE, atol=1e-6)


def test_a_study_says_how_its_bias_is_looked_up():
    assert recorded_bias(study_of("numerical"), "selection", 3).unbiased == (1, 2, 3)


@pytest.mark.parametrize("name", ["runs", "../x", "a/b", "", 3])
def test_a_study_s_name_is_that_of_a_file_of_records(complains, name):
    class Named(Numerical):
        pass

    Named.name = name
    with complains("study", "a name that its file of records can have", repr(name)):
        register_study(Named)


@pytest.mark.parametrize("option", ["loss", "score", "bias"])
def test_an_option_takes_no_column_of_the_records(complains, option):
    class Mine(Numerical):
        name = "mine"
        options = {option: 1.0}

    with complains("study", "options that no record has a column of", option):
        register_study(Mine)


def test_two_and_two_point_nothing_are_one_run():
    class Mine(Numerical):
        name = "mine"
        options = {"count": 1, "width": 1.0}

    register_study(Mine)
    whole, other = (
        Run(experiment="mine", options={"count": two, "width": two}) for two in (2, 2.0)
    )
    assert whole == other
    assert whole.id == other.id


@pytest.mark.parametrize("query", ["numerical perturbation 4", "stale", "setting + 1", "((("])
def test_runs_never_end_in_a_traceback(query):
    result = CliRunner().invoke(main, ["runs", *query.split()])
    assert result.exit_code == (1 if query == "(((" else 0), result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("text", ["1 +", "x = y", "1 / 0"])
def test_a_module_that_cannot_be_imported_is_one_line(tmp_path, monkeypatch, text):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "broken_study.py").write_text(text)
    result = CliRunner().invoke(main, ["runs", "--import", "broken_study"])
    assert result.exit_code == 1
    assert result.output.startswith("Error: --import: expected a module that can be imported")
    assert len(result.output.splitlines()) == 1


def test_predictions_for_another_width_are_refused(complains):
    probe = LinearProbe().fit(np.c_[SIZE, SIZE**2], SIZE)
    with complains("z", "2 columns", "1"):
        probe.predict(SIZE[:, None])
