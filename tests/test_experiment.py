"""Runs: their names, their grids, and what executing one leaves in a record."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from misalign import experiment, provenance
from misalign import records as results
from misalign.bias import Bias
from misalign.evaluation import Reader
from misalign.experiment import (
    Run,
    execute,
    execute_all,
    fit,
    fit_all,
    represent,
    score,
    seconds_a_step,
)
from misalign.metrics import r2
from misalign.probes.regression import LinearProbe
from misalign.records import RUNS, SCORES
from misalign.studies import numerical
from misalign.studies.numerical import SCALES as NUMERICAL
from misalign.studies.numerical import TASKS
from misalign.theory.oracle import oracle
from misalign.worlds import mixing

FACTORS = [*(f"s{i}" for i in range(1, 11)), "m_x", "m_t", "noise"]


@pytest.fixture(autouse=True, scope="module")
def quick_mixing():
    """Mixing layers from fewer draws: how well they are conditioned does not matter here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mixing, "DRAWS", 1000)
        yield


@pytest.fixture(scope="module")
def records():
    """Smoke-scale records, one a set-up, made when first asked for."""
    made = {}

    def record(**fields):
        run = Run(scale="smoke", **fields)
        if run not in made:
            made[run] = execute(run)
        return made[run]

    return record


# ---- names of runs


def test_run_id_does_not_change():
    # a change of this literal orphans every recorded run
    assert Run().id == "f7a3d069fe12"
    assert Run(scale="paper", latents="dependent", bias="joint", seed=2).id == "cb904145b8b0"


def test_a_world_of_another_seed_makes_another_run():
    one = Run(seed=1, world_seed=2)
    assert one.resolved_world_seed == 2 and Run(seed=1).resolved_world_seed == 1
    assert one.id != Run(seed=1).id and Run.from_parameters(one.parameters) == one
    assert one.identity["variant"] == "world_seed=2" and one.identity["seed"] == 1
    # the world follows the seed unless it is told
    same = Run(seed=1, world_seed=1)
    assert same == Run(seed=1) and same.id == Run(seed=1).id
    assert replace(Run(seed=1), seed=3).resolved_world_seed == 3


def test_world_seed_draws_the_world_and_seed_the_weights():
    first, second, third = (
        fit(Run(scale="smoke", variant="untrained", latents="dependent", **seeds))
        for seeds in ({}, {"seed": 1, "world_seed": 0}, {"seed": 1})
    )
    assert torch.equal(first.world.sigma_s, second.world.sigma_s)
    assert not torch.equal(first.world.sigma_s, third.world.sigma_s)
    weights = [next(one.encoders.parameters()) for one in (first, second, third)]
    assert not torch.equal(weights[0], weights[1]) and torch.equal(weights[1], weights[2])


def test_an_option_takes_the_place_of_the_field_of_its_name():
    plain = Run().scale_config
    assert Run(options={"tau": 0.2}).scale_config.recipe == replace(plain.recipe, tau=0.2)
    assert Run(options={"standardize": False}).scale_config == replace(plain, standardize=False)
    assert Run(options={"noise": 2.0}).scale_config == plain


def test_options_of_a_world_scale_its_noise_and_round_its_covariance():
    runs = [Run(latents="dependent", setting=3, options=one) for one in ({}, {"noise": 4.0})]
    plain, loud = (run.study.initial(run, "cpu").world for run in runs)
    torch.testing.assert_close(loud.sigma_eps, 4 * plain.sigma_eps)
    run = Run(latents="dependent", options={"degrees": 40})
    conditions = [
        torch.linalg.cond(run.study.initial(one, "cpu").world.sigma_s) for one in (runs[0], run)
    ]
    assert conditions[1] < conditions[0] / 5


def test_a_temperature_that_is_none_is_one_line(complains):
    for value in (-1.0, "warm"):
        with complains("tau", "a number above 0", str(value)):
            fit(Run(scale="smoke", options={"tau": value}))


def test_encoders_may_start_from_what_they_are_taught(monkeypatch, complains):
    smoke = NUMERICAL["smoke"]
    longer = replace(smoke, recipe=replace(smoke.recipe, steps=300))
    monkeypatch.setitem(NUMERICAL, "smoke", longer)
    fields = {"scale": "smoke", "setting": 2, "variant": "untrained"}
    known, spread = {}, {}
    for start in ("", "optimum", "darmois"):
        run = Run(options={"start": start}, **fields)
        fitted = fit(run)
        z = represent(run, fitted, "probe test").z["image"]
        rows = score(run, fitted).query("modality == 'image' and probe == 'linear'")
        known[start] = rows.set_index("factor")["score"][["s1", "s2"]].min()
        spread[start] = z.abs().quantile(0.99).item()
    assert known["optimum"] > 0.8 > known[""] and known["darmois"] > 0.7
    # one is Gaussian, the other uniform of the same variance
    assert spread["optimum"] > 1.1 * spread["darmois"]
    with complains("start", "'', 'optimum', 'darmois'", "'top'"):
        fit(Run(options={"start": "top"}, **fields))


def test_default_width_is_the_number_of_unbiased_factors():
    assert Run(bias="selection", setting=4).encoding_size == 4
    assert Run(bias="perturbation", setting=4).encoding_size == 7
    assert Run(bias="joint").encoding_size == 6


def test_run_with_its_default_width_spelled_out_is_the_same_run():
    assert Run(setting=3, encoding_size=3) == Run(setting=3)
    assert Run(setting=3, encoding_size=3).id == Run(setting=3).id


def test_every_field_counts_in_the_id():
    fields = {"scale": "smoke", "variant": "raw", "latents": "dependent", "bias": "perturbation"}
    fields |= {"setting": 2, "seed": 1, "encoding_size": 5}
    ids = {Run(**{name: value}).id for name, value in fields.items()}
    assert len(ids | {Run().id}) == len(fields) + 1


def test_parameters_make_the_run_again():
    run = Run(bias="joint", seed=3, encoding_size=5)
    assert Run(**json.loads(run.parameters)) == run


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("experiment", "imagenet", "'numerical', 'assumptions'"),
        ("scale", "huge", "smoke, laptop, full, double, gpu, paper"),
        ("scale", ["laptop"], "one name"),
        ("variant", "control", "'', 'untrained', 'raw'"),
        ("latents", "causal", "'independent', 'dependent'"),
        ("bias", "both", "selection, perturbation, joint"),
        ("setting", 11, "from 1 to 10 for selection bias (Table 2)"),
        ("setting", 0, "from 1 to 10"),
        ("setting", "1", "a whole number"),
        ("seed", -1, "a whole number of at least 0"),
        ("seed", 1.5, "a whole number of at least 0"),
        ("seed", True, "a whole number of at least 0"),
        ("seed", None, "a whole number of at least 0"),
        ("encoding_size", 0, "a whole number of at least 1"),
        ("encoding_size", 2.0, "a whole number of at least 1"),
    ],
)
def test_run_refuses(complains, field, value, expected):
    with complains(field, expected, repr(value)):
        Run(**{field: value})


def test_a_bias_of_one_s_own_makes_a_run(complains):
    bias = Bias(10, (1, 2, 3), (3,))
    run = Run(bias=bias, latents="dependent")
    assert run.resolved_bias == bias
    assert run.encoding_size == 2
    made_of = {"n": 10, "selected": [1, 2, 3], "perturbed": [3]}
    assert json.loads(run.parameters)["bias"] == made_of
    assert Run.from_parameters(run.parameters) == run
    assert Run.grid(bias=[bias, "selection"], latents="dependent")[0] == run
    assert Run(bias=Bias(10, (1, 2, 3), (3,), probability=0.5)).id != Run(bias=bias).id
    with complains("setting", "1 with a bias of one's own", "2"):
        Run(bias=bias, setting=2)
    with complains("bias", "the name of a table of mpi3d", "Bias(n=10"):
        Run(experiment="mpi3d", bias=bias)


def test_a_bias_of_one_s_own_gives_the_scores_of_its_setting():
    named = Run(scale="smoke", bias="joint")
    own = Run(scale="smoke", bias=named.resolved_bias)
    one, other = (score(run, fit(run)) for run in (named, own))
    assert one["score"].equals(other["score"])
    assert set(other["bias"]) == {"n=10 selected=(1, 2, 3, 4, 5, 6, 7, 8) perturbed=(1, 2)"}


def test_numpy_s_integers_are_integers():
    run = Run(setting=np.int64(3), seed=np.int32(1), encoding_size=np.uint8(4))
    assert run.parameters == Run(setting=3, seed=1, encoding_size=4).parameters
    assert all(type(value) is int for value in (run.setting, run.seed, run.encoding_size))


# ---- grids


def test_grid_expands_in_order_the_last_axis_fastest():
    runs = Run.grid(scale="smoke", setting=[1, 3], seed=[2, 0])
    assert [(run.setting, run.seed) for run in runs] == [(1, 2), (1, 0), (3, 2), (3, 0)]
    assert {run.scale for run in runs} == {"smoke"}


def test_grid_without_axes_is_the_default_run():
    assert Run.grid() == [Run()]


def test_grid_gives_each_run_its_own_default_width():
    runs = Run.grid(setting=[1, 5], encoding_size=None)
    assert [run.encoding_size for run in runs] == [1, 5]


def test_grid_refuses_unknown_fields_and_empty_axes(complains):
    with complains("parameters", "some of experiment, scale, variant", "settings, seeds"):
        Run.grid(settings=[1], seeds=0)
    with complains("seed", "at least one value", "an empty list"):
        Run.grid(seed=[])
    with complains("setting", "from 1 to 10", "11"):
        Run.grid(setting=[1, 11])


def test_notebook_names_become_a_grid():
    names = {"setting": [1, 2], "seed": 0, "encoding_size": None, "record": True}
    names |= {"_i": "x = 1", "__name__": "__main__", "In": [""], "Out": {}, "Run": Run, "np": np}
    assert Run.from_notebook(names) == Run.grid(setting=[1, 2], seed=0)


@pytest.mark.parametrize("value", [3, 0.5, "smoke", [1, 2], True, None])
def test_name_that_papermill_made_up_is_caught(complains, value):
    with complains("parameters", "some of", "sclae"):
        Run.from_notebook({"scale": "smoke", "sclae": value})


# ---- records


@pytest.mark.parametrize(
    ("fields", "texts"),
    [
        ({"bias": "selection", "setting": 3}, []),
        ({"bias": "perturbation", "setting": 1}, []),
        ({"bias": "perturbation", "setting": 4, "latents": "dependent"}, ["s1", "s2", "s3"]),
        ({"bias": "joint"}, ["s1", "s2"]),
    ],
)
def test_record_has_exactly_the_rows_of_the_design(records, fields, texts):
    scores = records(**fields).scores
    assert tuple(scores.columns) == SCORES
    targets = {("image", factor) for factor in FACTORS} | {("text", factor) for factor in texts}
    expected = {
        ("test", modality, probe, *target)
        for modality in ("image", "text")
        for probe in ("linear", "nonlinear")
        for target in targets
    }
    for split, names in (("test", TASKS), ("ood", [*TASKS, *FACTORS[:10]])):
        expected |= {(split, "image", "nonlinear", "image", name) for name in names}
    expected |= {("test", "image", "residual", "image", name) for name in FACTORS[:10]}
    keys = ["split", "modality", "probe", "target", "factor"]
    rows = list(scores[keys].itertuples(index=False))
    assert len(rows) == len(expected) == 4 * (13 + len(texts)) + 5 + 15 + 10
    assert set(map(tuple, rows)) == expected
    classes = scores["factor"] == "y2_binary"
    assert set(scores[classes]["metric"]) == {"mcc"}
    assert set(scores[~classes]["metric"]) == {"r2"}
    assert np.isfinite(scores["score"]).all()


def test_record_names_its_run_in_every_row(records):
    run = Run(scale="smoke", bias="joint")
    record = records(bias="joint")
    assert record.experiment == "numerical"
    for field in ("scale", "variant", "latents", "bias", "setting", "seed", "encoding_size"):
        assert set(record.scores[field]) == {getattr(run, field)}
    assert set(record.scores["run"]) == set(record.run["run"]) == {run.id}


def test_record_says_where_it_came_from(records):
    run = records(bias="joint").run
    assert tuple(run.columns) == RUNS
    row = run.iloc[0]
    assert json.loads(row["parameters"])["bias"] == "joint"
    assert row["steps"] == 20
    assert row["seconds"] > 0
    assert np.isfinite(row["loss"])
    assert row["torch"] == torch.__version__
    assert pd.Timestamp(row["date"]).tzname() == "UTC"


def oracles(record):
    scores = record.scores
    image = scores[(scores["modality"] == "image") & (scores["probe"] == "linear")]
    return {(row.target, row.factor): row.oracle for row in image.itertuples()}


def test_oracle_column_is_the_theory(records):
    run = Run(scale="smoke", bias="perturbation", setting=4, latents="dependent")
    record = records(bias="perturbation", setting=4, latents="dependent")
    predicted = oracle(fit_world(run)) | {("image", "noise"): 0.0}
    scores = record.scores.query("split == 'test'")
    found = oracles(record)
    assert set(found) <= set(predicted)
    assert found == pytest.approx({key: predicted[key] for key in found}, abs=1e-6)
    same = scores.groupby(["target", "factor"])["oracle"].nunique(dropna=False)
    assert (same == 1).all()


def test_oracle_of_a_task_follows_what_it_needs(records):
    record = records(setting=5).scores.query("split == 'test' and factor in @TASKS")
    known = record.set_index("factor")["oracle"]
    assert known[["y1", "y2", "y2_binary"]].tolist() == pytest.approx([1, 1, 1])
    assert known["y4"] < known["y3"] < 0.8


def test_nothing_is_predicted_out_of_distribution(records):
    # the theorem speaks of pairs as they were in training
    scores = records(setting=5).scores
    assert scores[scores["split"] == "ood"]["oracle"].isna().all()


def fit_world(run):
    return fit(Run(**{**json.loads(run.parameters), "variant": "raw"})).world


@pytest.mark.parametrize("variant", ["untrained", "raw"])
def test_controls_predict_noise_alone(records, variant):
    record = records(variant=variant, setting=3)
    known = {key for key, value in oracles(record).items() if not np.isnan(value)}
    assert known == {("image", "noise")}
    assert record.run["steps"].item() == 0
    assert np.isnan(record.run["loss"].item())


def test_theory_is_silent_at_another_width(records):
    known = {k for k, v in oracles(records(setting=3, encoding_size=5)).items() if not np.isnan(v)}
    assert known == {("image", "noise")}
    assert not any(np.isnan(value) for value in oracles(records(setting=3)).values())


def test_raw_control_probes_the_observations_themselves():
    run = Run(scale="smoke", variant="raw", setting=3)
    found = represent(run, fit(run), "probe fit")
    assert found.z["image"].shape == (256, 15)
    assert found.z["text"].shape == (256, 8)
    assert all(len(values) == 256 for values in found.targets.values())


def test_raw_control_reads_every_factor_linearly(records):
    # one mixing layer at this scale, so observations are a linear map of the latents
    scores = records(variant="raw", setting=3).scores
    image = scores[(scores["modality"] == "image") & (scores["probe"] == "linear")]
    image = image.set_index("factor")["score"]
    assert (image[FACTORS[:11]] > 0.99).all()
    assert image["m_t"] < 0.1
    assert image["noise"] < 0.1


def test_noise_is_not_predicted_on_samples_that_no_probe_has_seen(records):
    # least squares never does worse than the mean on what it was fitted to, and elsewhere does
    scores = records(variant="raw", setting=3).scores
    linear = scores.query("probe == 'linear' and factor == 'noise' and modality == 'image'")
    assert linear["score"].item() < 0


def test_untrained_control_keeps_the_initial_weights():
    trained, untrained = (fit(Run(scale="smoke", variant=v, setting=3)) for v in ("", "untrained"))
    assert len(untrained.losses) == 0
    assert not untrained.encoders.training
    again = fit(Run(scale="smoke", variant="untrained", setting=3))
    before, after, same = (
        [weight for name, weight in fitted.encoders.named_parameters() if "weight" in name]
        for fitted in (untrained, trained, again)
    )
    assert all(map(torch.equal, before, same))
    assert not any(map(torch.equal, before, after))


def test_targets_are_drawn_afresh_for_fitting_and_testing():
    run = Run(scale="smoke", variant="raw", bias="joint")
    fitted = fit(run)
    first = represent(run, fitted, "probe fit").targets
    second = represent(run, fitted, "probe test").targets
    assert list(first) == list(second)
    assert not any(torch.equal(first[key], second[key]) for key in first)


def test_a_specific_block_scores_as_the_dimension_that_is_read_best():
    run = Run(scale="smoke", variant="raw", setting=3)
    fitted = fit(run)
    fit_on, test_on = (represent(run, fitted, f"probe {split}") for split in ("fit", "test"))
    key = ("image", "m_t")
    probe = LinearProbe().fit(fit_on.z["text"], fit_on.targets[key])
    each = r2(test_on.targets[key], probe.predict(test_on.z["text"]))
    assert each.shape == (5,)
    rows = score(run, fitted).set_index(["modality", "probe", "factor"])["score"]
    assert rows["text", "linear", "m_t"] == pytest.approx(each.max().item(), abs=1e-5)


def test_same_run_scores_the_same_twice(records):
    again = execute(Run(scale="smoke", bias="joint"))
    pd.testing.assert_frame_equal(records(bias="joint").scores, again.scores)
    assert records(bias="joint").run["loss"].item() == again.run["loss"].item()


def test_seed_changes_the_scores(records):
    one, other = records(bias="joint"), records(bias="joint", seed=1)
    assert (one.scores["score"] != other.scores["score"]).mean() > 0.9


def test_tasks_are_scored_in_their_own_environments(monkeypatch):
    # with the observations themselves as representation only samples and probes matter
    more = replace(NUMERICAL["smoke"], probe_steps=300, probe_samples=2000)
    monkeypatch.setitem(NUMERICAL, "smoke", more)
    run = Run(scale="smoke", variant="raw", setting=10)
    fitted = fit(run)

    def found():
        rows = score(run, fitted).query("modality == 'image' and probe == 'nonlinear'")
        return rows.set_index(["split", "target", "factor"])["score"]

    shifted = found()
    assert shifted["test", "image", "y2_binary"] > 0.4
    assert shifted["ood", "image", "y4"] < shifted["test", "image", "y4"] - 0.1
    monkeypatch.setattr(numerical, "heavy_tails", lambda s, generator: s)
    same = found()
    assert same["test"].equals(shifted["test"])
    for factor in ("s1", "s9", "y1"):
        assert same["ood", "image", factor] == pytest.approx(
            same["test", "image", factor], abs=0.15
        )


def test_classes_are_told_by_the_median_of_the_samples_that_probes_were_fitted_on(monkeypatch):
    seen = []

    def spy(name, method):
        def called(reader, z, targets, *rest):
            if ("image", "y2_binary") in targets:
                seen.append((name, z, targets))
            return method(reader, z, targets, *rest)

        return called

    for name in ("fit", "score"):
        monkeypatch.setattr(Reader, name, spy(name, getattr(Reader, name)))
    run = Run(scale="smoke", variant="raw")
    score(run, fit(run))
    names, inputs, read = zip(*seen, strict=True)
    assert names == ("fit", "score", "score")  # once, then test samples and those out of it
    median = read[0]["image", "y2"].median()
    for targets in read:
        expected = (targets["image", "y2"] > median).long()
        assert torch.equal(targets["image", "y2_binary"], expected)
    for first, second in itertools.combinations(inputs, 2):
        assert not torch.equal(first, second)


# ---- batches of runs

BATCH = (
    Run(scale="smoke", setting=2, seed=1),
    Run(scale="smoke", setting=4, latents="dependent", seed=1),
    Run(scale="smoke", bias="perturbation", setting=3),
    Run(scale="smoke", bias="joint", encoding_size=8),
)


@pytest.mark.parametrize("run", BATCH, ids=lambda run: run.id)
def test_a_run_does_not_depend_on_its_batch(run, monkeypatch):
    # widths of captions and of representations differ in this batch
    long = replace(NUMERICAL["smoke"], recipe=replace(NUMERICAL["smoke"].recipe, steps=60))
    monkeypatch.setitem(NUMERICAL, "smoke", long)
    place = BATCH.index(run)
    alone, together = fit(run), fit_all(BATCH)[place]
    torch.testing.assert_close(alone.losses[:10], together.losses[:10], atol=1e-4, rtol=0)
    scores = [score(run, fitted)["score"].to_numpy() for fitted in (alone, together)]
    inside = score(run, alone)["split"].to_numpy() == "test"
    np.testing.assert_allclose(*[part[inside] for part in scores], atol=0.02)


@pytest.mark.parametrize("setting", [1, 10])
def test_first_losses_at_laptop_scale_do_not_depend_on_the_batch(setting, monkeypatch):
    laptop = NUMERICAL["laptop"]
    # the first ten steps of the laptop's training are in its warm-up; at tau = 1 losses are near 1
    share = 10 / (laptop.recipe.warmup * laptop.recipe.steps)
    rates = {name: getattr(laptop.recipe, name) * share for name in ("learning_rate", "muon_rate")}
    first = {"steps": 10, "warmup": 0.99, "tau": 1.0, "first_tau": 1.0}
    recipe = replace(laptop.recipe, **rates, **first)
    brief = replace(laptop, probe_samples=2000, recipe=recipe)
    monkeypatch.setitem(NUMERICAL, "laptop", brief)
    run = Run(setting=setting)
    together = fit_all([Run(setting=4, seed=1), run])[1]
    torch.testing.assert_close(fit(run).losses, together.losses, atol=1e-4, rtol=0)


def test_records_of_a_batch_are_those_of_its_runs(tmp_path):
    found = execute_all(BATCH[:2], record=tmp_path)
    assert [record.run["run"].item() for record in found] == [run.id for run in BATCH[:2]]
    assert set(results.runs(tmp_path)["run"]) == {run.id for run in BATCH[:2]}


def test_controls_may_be_in_a_batch_with_trained_runs():
    runs = [Run(scale="smoke", setting=3, variant=name) for name in ("raw", "", "untrained")]
    assert [len(fitted.losses) for fitted in fit_all(runs)] == [0, 20, 0]


def test_a_batch_has_one_scale(complains):
    with complains("runs", "one experiment and scale", "numerical, laptop; numerical, smoke"):
        fit_all([Run(scale="smoke"), Run()])
    with complains("runs", "runs of one recipe", "tau=0.2"):
        fit_all([Run(scale="smoke"), Run(scale="smoke", options={"tau": 0.2})])
    with complains("runs", "at least one run", "none"):
        execute_all([])


def test_a_step_is_timed_without_training():
    assert 0 < seconds_a_step(Run(scale="smoke")) < 5


def test_nothing_is_written_unless_asked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(experiment, "CHECKPOINTS", tmp_path / "checkpoints")
    execute(Run(scale="smoke", setting=1))
    assert list(tmp_path.iterdir()) == []


def test_recording_in_the_project_s_results_from_a_dirty_tree_is_refused(
    tmp_path, monkeypatch, complains
):
    for module in (experiment, provenance):
        monkeypatch.setattr(module, "commit", lambda: "1234567+")
    monkeypatch.setattr(provenance, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(experiment, "CHECKPOINTS", tmp_path / "checkpoints")
    run = Run(scale="smoke", variant="raw")
    with complains("results", "--allow-dirty or allow_dirty", "others than those of 1234567"):
        execute(run, record=tmp_path / "results")
    assert not (tmp_path / "results").exists()
    execute(run, record=tmp_path / "elsewhere")
    record = execute(run, record=tmp_path / "results", allow_dirty=True)
    assert record.run["commit"].item() == "1234567+"
    assert results.runs(tmp_path / "results")["commit"].item() == "1234567+"


def test_recorded_run_is_written_and_leaves_no_checkpoint(tmp_path, monkeypatch):
    seen = []

    def train(*args, checkpoint, **options):
        seen.append(checkpoint)
        return experiment_train(*args, checkpoint=checkpoint, every=10, **options)

    experiment_train = experiment.train_many
    monkeypatch.setattr(experiment, "CHECKPOINTS", tmp_path / "checkpoints")
    monkeypatch.setattr(experiment, "train_many", train)
    run = Run(scale="smoke", setting=1)
    record = execute(run, record=tmp_path / "results")
    pd.testing.assert_frame_equal(results.runs(tmp_path / "results"), record.run)
    assert len(results.read("numerical", tmp_path / "results")) == len(record.scores)
    (checkpoint,) = seen
    assert checkpoint.parent == tmp_path / "checkpoints"
    assert list(checkpoint.parent.iterdir()) == []
