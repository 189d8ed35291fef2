"""The image studies: what they record, what they predict, and that parts stay apart."""

from dataclasses import replace

import pytest
import torch

from misalign import studies
from misalign.experiment import execute, execute_all, fit, represent
from misalign.run import Run
from misalign.studies import pictured, study
from misalign.studies.causal3dident import Causal3dident
from misalign.studies.mpi3d import CHANCES, Mpi3d

MPI3D = ("color", "shape", "size", "cam", "back", "hori", "vert")
DISCRETE = ("shape", "x_pos", "y_pos")
CONTINUOUS = ("s_pos", "color", "s_color", "b_color", "alpha", "beta", "gamma")


@pytest.fixture(scope="module", autouse=True)
def elsewhere(tmp_path_factory):
    """Pictures of these tests stay out of the project's data folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictured, "DATA", tmp_path_factory.mktemp("data"))
        pictured.pool.cache_clear()
        yield
        pictured.pool.cache_clear()


def smoke(experiment="mpi3d", **fields):
    latents = "graph" if experiment.startswith("causal") else "independent"
    return Run(experiment=experiment, scale="smoke", latents=latents, **fields)


def test_mpi3d_records_every_factor_by_both_probes_of_both_modalities():
    scores = execute(smoke(bias="perturbation", setting=3)).scores
    assert set(scores["metric"]) == {"mcc"}
    for modality in ("image", "text"):
        for probe in ("linear", "nonlinear"):
            rows = scores[(scores["modality"] == modality) & (scores["probe"] == probe)]
            assert set(rows[rows["target"] == "image"]["factor"]) == set(MPI3D)
            assert set(rows[rows["target"] == "text"]["factor"]) == {"phrase", "cam", "back"}
            assert not rows.duplicated(["target", "factor"]).any()


def test_causal3dident_scores_hues_on_their_circle_too():
    scores = execute(smoke("causal3dident", bias="perturbation", setting=3)).scores
    rows = scores[(scores["modality"] == "image") & (scores["probe"] == "nonlinear")]
    truths = rows[rows["target"] == "image"].groupby("metric")["factor"].apply(set)
    assert truths["mcc"] == set(DISCRETE)
    assert truths["r2"] == set(CONTINUOUS)
    assert truths["r2_circle"] == {"color", "s_color", "b_color"}
    said = rows[(rows["target"] == "text") & (rows["metric"] != "r2_circle")]
    assert set(said["factor"]) == {"phrase", "s_color", "b_color"}


@pytest.mark.parametrize(
    "fields",
    [
        {"variant": "untrained"},
        {"variant": "pixels"},
        {"variant": "always", "bias": "perturbation", "setting": 2},
        {"bias": "omission", "setting": 2},
        {"bias": "silence", "setting": 4},
        {"experiment": "mpi3d_nt_xent"},
        {"experiment": "mpi3d_sym_align_max_ent"},
        {"experiment": "causal3dident", "variant": "printed", "setting": 7},
        {"experiment": "causal3dident", "variant": "distinct", "setting": 7},
        {"experiment": "causal3dident", "variant": "slip", "bias": "perturbation"},
    ],
)
def test_every_kind_of_run_leaves_finite_scores(fields):
    scores = execute(smoke(**fields)).scores
    assert len(scores) and scores["score"].notna().all()


def test_runs_score_alike_in_company_and_alone():
    """Widths, vocabularies and lengths of captions differ here."""
    runs = [smoke(setting=1, encoding_size=2), smoke(setting=3)]
    together = execute_all(runs)
    for run, record in zip(runs, together, strict=True):
        alone = execute(run).scores["score"]
        assert (record.scores["score"] - alone).abs().max() < 0.05
        assert (record.scores["score"] - alone).abs().median() < 1e-3


def test_the_same_run_scores_the_same():
    one, other = (execute(smoke(setting=2)).scores for _ in range(2))
    assert one.equals(other)


def test_probes_meet_each_picture_once_and_none_that_was_trained_on():
    run = smoke(setting=2)
    fitted = run.study.initial(run, "cpu")
    pictures = pictured.pool(run.study, 224, 32, "cpu")
    assert fitted.world.pictures is pictures
    seen = {}
    for purpose in ("probe fit", "probe test"):
        _, targets = represent(run, fitted, purpose)
        columns = [targets["image", name][:, 0] for name in MPI3D]
        seen[purpose] = set(zip(*(c.tolist() for c in columns), strict=True))
        assert len(seen[purpose]) == len(columns[0])  # combinations of a pool are distinct
    trained = [pictures.factors[name][fitted.world.part].tolist() for name in MPI3D]
    assert not seen["probe fit"] & seen["probe test"]
    assert not (seen["probe fit"] | seen["probe test"]) & set(zip(*trained, strict=True))


def known(run):
    return {
        factor: value
        for (target, factor), value in run.study.oracle(run).items()
        if target == "image"
    }


def test_mpi3d_predicts_1_for_what_is_said_and_0_for_what_is_not():
    expected = dict.fromkeys(MPI3D[:3], 1.0) | dict.fromkeys(MPI3D[3:], 0.0)
    assert known(smoke(setting=3)) == expected
    always = smoke(bias="perturbation", setting=3, variant="always")
    assert known(always) == expected


def test_nothing_is_predicted_of_what_is_wrong_or_missing_at_times():
    assert set(MPI3D) - set(known(smoke(bias="perturbation", setting=3))) == {"cam", "back"}
    assert set(MPI3D) - set(known(smoke(bias="omission", setting=1))) == {"cam"}
    assert known(smoke(bias="omission", setting=len(CHANCES)))["cam"] == 1.0


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (2, {"color": 0.40}),
        (3, {"color": 0.80}),
        (4, {"s_pos": 0.96, "s_color": 0.48, "b_color": 0.617}),
        (5, {"color": 0.975}),
        (6, {"b_color": 0.70}),
        (7, {"b_color": 0.999}),
    ],
)
def test_causal3dident_predicts_what_the_words_tell_of_the_graph(setting, expected):
    found = known(smoke("causal3dident", setting=setting))
    for factor, value in expected.items():
        assert found[factor] == pytest.approx(value, abs=0.006), factor
    for factor in ("alpha", "beta", "gamma"):
        assert found[factor] == pytest.approx(0, abs=0.005)


def test_controls_and_slips_predict_nothing():
    assert Causal3dident().oracle(smoke("causal3dident", variant="printed", setting=7)) == {}
    scores = execute(smoke(variant="untrained")).scores
    assert scores["oracle"].isna().all()


def test_the_study_s_name_is_its_objective():
    assert {"mpi3d", "mpi3d_nt_xent", "mpi3d_sym_align_max_ent"} <= set(studies.STUDIES)
    for scale in study("mpi3d_nt_xent").scales.values():
        assert scale.recipe.objective == "nt_xent"
    for scale in study("causal3dident").scales.values():
        assert scale.recipe.objective == "mmcl"


def test_an_unknown_objective_lists_the_known(complains):
    with complains("objective", "mmcl, sym_align_max_ent, nt_xent", "'cosine'"):
        Mpi3d("cosine")


def test_settings_that_do_not_exist_are_one_line(complains):
    with complains("bias", "selection, perturbation", "'joint'"):
        smoke(bias="joint")
    with complains("setting", "Table 7", "6"):
        smoke(setting=6)
    with complains("setting", "the study's probabilities", "9"):
        smoke(bias="omission", setting=9)
    with complains("variant", "'pixels'", "'slip'"):
        smoke(variant="slip")


def test_the_slip_is_of_one_setting(complains):
    run = smoke("causal3dident", variant="slip", bias="perturbation", setting=2)
    with complains("variant", "perturbation setting 1", "perturbation 2"):
        run.study.initial(run, "cpu")


def test_photographs_that_are_not_there_say_where_they_are():
    with pytest.raises(FileNotFoundError, match="disentanglement_dataset") as caught:
        fit(smoke(variant="photographs"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["gpu", "paper"])
@pytest.mark.parametrize("experiment", ["mpi3d", "causal3dident"])
def test_larger_scales_run_on_small_data(monkeypatch, name, experiment):
    """A few steps of each on the CPU: published encoders where torchvision is there."""
    if name == "paper":
        try:
            import torchvision  # noqa: F401
        except (ImportError, RuntimeError):
            pytest.skip("torchvision is not there, or not for this torch")
    ours = study(experiment)
    large = ours.scales[name]
    brief = replace(large.recipe, steps=2, batch_size=8)
    small = replace(large, side=32, pictures=224, shares=(5, 1, 1), recipe=brief, probe_steps=12)
    monkeypatch.setitem(ours.scales, "smoke", small)
    record = execute(smoke(experiment, setting=2))
    assert record.run["steps"].item() == 2
    assert record.scores["score"].notna().all()


def test_torch_is_left_as_it_was():
    state = torch.random.get_rng_state()
    execute(smoke())
    assert torch.equal(torch.random.get_rng_state(), state)
