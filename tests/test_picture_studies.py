"""The image studies: what they record, what they predict, and that parts stay apart."""

import math
import sys
from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

from misalign import paths, provenance
from misalign.encoders.published import Flattened, TokenCNN
from misalign.evaluation import Reader
from misalign.experiment import execute, execute_all, fit, fit_all, represent
from misalign.images.base import split
from misalign.images.cached import CachedImages
from misalign.images.layout import COLUMNS, picture_name
from misalign.rng import generator_for
from misalign.run import STUDIES, Run, TrainedModel, study
from misalign.studies import causal3dident, images, mpi3d
from misalign.studies.causal3dident import Causal3dident
from misalign.studies.mpi3d import CHANCES, Mpi3d
from misalign.worlds.causal3dident import latents

MPI3D = ("color", "shape", "size", "cam", "back", "hori", "vert")
DISCRETE = ("shape", "x_pos", "y_pos")
CONTINUOUS = ("s_pos", "color", "s_color", "b_color", "alpha", "beta", "gamma")

pytestmark = pytest.mark.usefixtures("elsewhere")


def smoke(experiment="mpi3d", **fields):
    latents = "graph" if experiment.startswith("causal") else "independent"
    return Run(experiment=experiment, scale="smoke", latents=latents, **fields)


def test_mpi3d_records_every_factor_by_both_probes_of_both_modalities():
    scores = execute(smoke(bias="perturbation", setting=3)).scores
    assert set(scores["metric"]) == {"mcc", "share"}
    scores = scores[scores["metric"] == "mcc"]
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


@pytest.mark.filterwarnings("ignore:z. least squares fits the noise")  # of so few pictures
@pytest.mark.parametrize(
    "fields",
    [
        {"variant": "untrained"},
        {"variant": "pixels"},
        {"variant": "always", "bias": "perturbation", "setting": 2},
        {"bias": "omission", "setting": 2},
        {"bias": "silence", "setting": 4},
        {"variant": "sight", "setting": 3},
        {"variant": "once", "bias": "perturbation", "setting": 2},
        {"experiment": "mpi3d_supervised", "encoding_size": 96},
        {"experiment": "causal3dident_supervised", "encoding_size": 23},
        {"experiment": "causal3dident_nt_xent", "setting": 5},
        {"experiment": "causal3dident", "variant": "sight", "setting": 7},
        {"experiment": "causal3dident", "variant": "once", "bias": "perturbation", "setting": 3},
        {"experiment": "causal3dident", "setting": 5, "options": {"warmup_steps": 2}},
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
    pictures = images.pool(run.study, 224, 32, "cpu")
    assert fitted.world.pictures is pictures
    seen = {}
    for purpose in ("probe fit", "probe test"):
        targets = represent(run, fitted, purpose).targets
        columns = [targets["image", name][:, 0] for name in MPI3D]
        seen[purpose] = set(zip(*(c.tolist() for c in columns), strict=True))
        assert len(seen[purpose]) == len(columns[0])  # combinations of a pool are distinct
    trained = [pictures.factors[name][fitted.world.part].tolist() for name in MPI3D]
    assert not seen["probe fit"] & seen["probe test"]
    assert not (seen["probe fit"] | seen["probe test"]) & set(zip(*trained, strict=True))


def predicted(run, scale="laptop"):
    """The oracle, which asks a model only for its world's bias; at laptop scale, for its draws."""
    run = replace(run, scale=scale)
    world = SimpleNamespace(bias=run.study.captions(run).bias)
    return run.study.oracle(run, TrainedModel(world, nn.ModuleDict(), torch.zeros(0)))


def known(run):
    return {
        factor: value for (target, factor), value in predicted(run).items() if target == "image"
    }


def test_mpi3d_predicts_1_for_what_is_said_and_0_for_what_is_not():
    expected = dict.fromkeys(MPI3D[:3], 1.0) | dict.fromkeys(MPI3D[3:], 0.0)
    assert known(smoke(setting=3)) == expected
    always = smoke(bias="perturbation", setting=3, variant="always")
    assert known(always) == expected


def test_nothing_is_predicted_of_what_is_wrong_or_missing_at_times():
    assert set(MPI3D) - set(known(smoke(bias="perturbation", setting=3))) == {"cam", "back"}
    assert set(MPI3D) - set(known(smoke(bias="omission", setting=1))) == {"cam"}
    assert "cam" not in known(smoke(bias="silence", setting=len(CHANCES)))


def test_what_is_never_named_is_predicted_lost():
    assert known(smoke(bias="omission", setting=len(CHANCES)))["cam"] == 0.0


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


def test_the_oracle_draws_as_often_as_the_scale_says():
    run = smoke("causal3dident", setting=4)
    few, many = predicted(run, "smoke"), predicted(run)
    assert few != many
    assert few == pytest.approx(many, abs=0.05)


def test_controls_and_slips_predict_nothing():
    assert predicted(smoke("causal3dident", variant="printed", setting=7)) == {}
    scores = execute(smoke(variant="untrained")).scores
    assert scores["oracle"].isna().all()


def test_the_study_s_name_is_its_objective():
    assert {"mpi3d", "mpi3d_nt_xent", "mpi3d_sym_align_max_ent"} <= set(STUDIES)
    for scale in study("mpi3d_nt_xent").scales.values():
        assert scale.recipe.objective == "nt_xent"
    for scale in study("causal3dident").scales.values():
        assert scale.recipe.objective == "mmcl"


def test_an_unknown_objective_lists_the_known(complains):
    with complains("objective", "mmcl, sym_align_max_ent, nt_xent, supervised", "'cosine'"):
        Mpi3d("cosine")


def test_a_supervised_net_of_another_width_is_one_line(complains):
    with complains("encoding_size", "23, one a number to predict", "7"):
        fit(smoke("causal3dident_supervised", setting=7))


def test_a_supervised_net_is_read_for_the_pictures_factors_alone():
    scores = execute(smoke("mpi3d_supervised", encoding_size=96)).scores
    assert set(scores["modality"]) == set(scores["target"]) == {"image"}
    assert set(scores["factor"]) == set(MPI3D)
    assert scores["oracle"].isna().all()


def test_perfect_sight_needs_encoders_of_ours(complains, monkeypatch):
    ours = study("mpi3d")
    options = {"side": 32, "pictures": 224, "shares": (5, 1, 1)}
    monkeypatch.setitem(ours.scales, "smoke", replace(ours.scales["paper"], **options))
    with complains("scale", "whose encoders are ours, for the variant 'sight'", "'smoke'"):
        fit(smoke(variant="sight"))


def test_options_take_the_place_of_what_the_scale_has():
    run = smoke(options={"batch_size": 8, "training_steps": 7, "warmup_steps": 3})
    found = run.scale_config
    assert (found.recipe.batch_size, found.recipe.steps, found.warmup_steps) == (8, 7, 3)
    assert found.recipe.learning_rate == smoke().scale_config.recipe.learning_rate
    assert run.id != smoke().id


def test_a_warm_up_s_captions_are_true_of_the_first_factors_alone(monkeypatch):
    worlds = []

    def noted(pair, world, recipe, **_):
        worlds.append((world, recipe))

    monkeypatch.setattr(images, "train", noted)
    run = smoke("causal3dident", setting=5, options={"warmup_steps": 3})
    start = run.study.initial(run, "cpu")
    ((world, recipe),) = worlds
    assert recipe.steps == 3
    assert (recipe.learning_rate, recipe.muon_rate) == (3e-3, 0.03)
    assert world.bias.unbiased == (1,)
    assert world.bias.selected == start.world.bias.selected
    batch = world.sample(400, generator=generator_for(0, "pairs"))
    same = {name: batch.factors[name] == said for name, said in batch.text_factors.items()}
    assert same["shape"].all()
    assert not same["x_pos"].all()
    # the captions of the training itself are as they were
    assert start.world.bias.unbiased == (1, 2, 3, 4, 5)


@pytest.mark.parametrize(
    "fields",
    [{"setting": 1}, {"variant": "untrained", "setting": 5}, {"experiment": "mpi3d"}],
)
def test_nothing_is_warmed_up_where_nothing_else_is_named_or_trained(monkeypatch, fields):
    monkeypatch.setattr(images, "train", lambda *_, **__: pytest.fail("warmed up"))
    run = smoke(**{"experiment": "causal3dident", "options": {"warmup_steps": 3}} | fields)
    run.study.initial(run, "cpu")


def test_once_written_captions_say_the_same_of_a_picture_every_time():
    fields = {"bias": "perturbation", "setting": 4}
    for variant, same in (("once", True), ("", False)):
        run = smoke("causal3dident", variant=variant, **fields)
        world = run.study.initial(run, "cpu").world
        rows = world.part[:64]
        texts = [world.pairs(rows, generator=generator_for(i, "pairs")).text for i in range(2)]
        assert torch.equal(*texts) == same


def test_the_share_within_captions_is_what_their_meaning_leaves_open():
    run = smoke(setting=1)
    model = run.study.initial(run, "cpu")
    color = torch.arange(4).repeat(500)[:, None]
    noise = torch.randn(2000, 1, generator=generator_for(0, "noise"))
    z = {"image": color + noise, "text": color.float()}
    samples = {"test": SimpleNamespace(z=z, targets={("image", "color"): color})}
    rows = {row["modality"]: row["score"] for row in run.study.extra_scores(run, model, samples)}
    # the variance of 0, 1, 2, 3 is 1.25, that of the noise 1
    assert rows["image"] == pytest.approx(1 / 2.25, abs=0.03)
    assert rows["text"] == pytest.approx(0, abs=1e-6)
    hues = smoke("causal3dident", setting=5)
    samples["test"].targets = {("image", f.name): color.float() for f in hues.study.semantic}
    assert hues.study.extra_scores(hues, model, samples) == []


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


def test_photographs_that_are_not_there_say_where_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr(mpi3d, "DATA", tmp_path)  # whoever has them shall pass, too
    with pytest.raises(FileNotFoundError, match="disentanglement_dataset") as caught:
        fit(smoke(variant="photographs"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["gpu", "paper"])
@pytest.mark.parametrize("experiment", ["mpi3d", "causal3dident"])
def test_larger_scales_run_on_small_data(monkeypatch, torchvision_fits, name, experiment):
    """A few steps of each on the CPU: published encoders where torchvision is there."""
    if name == "paper":
        pytest.importorskip("torchvision")
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


@pytest.mark.parametrize("experiment", ["mpi3d", "causal3dident"])
def test_strides_divide_the_pictures_of_every_scale(experiment):
    for name, scale in study(experiment).scales.items():
        assert scale.side % math.prod(stride for _, _, stride in scale.trunk) == 0, name


def test_encoders_end_in_company_as_they_would_alone():
    """Encoding sizes, vocabularies and lengths of captions differ here."""
    runs = [smoke(setting=1, encoding_size=2), smoke(setting=4)]
    for run, fitted in zip(runs, fit_all(runs), strict=True):
        alone = fit(run)
        z, other = (represent(run, one, "probe test").z for one in (fitted, alone))
        torch.testing.assert_close(fitted.losses, alone.losses, atol=1e-4, rtol=0)
        for modality in ("image", "text"):
            torch.testing.assert_close(z[modality], other[modality], atol=1e-4, rtol=1e-4)


def test_the_objective_is_that_of_the_training():
    names = ("mpi3d", "mpi3d_nt_xent", "mpi3d_sym_align_max_ent")
    first = [fit(smoke(name, setting=3)).losses[0].item() for name in names]
    # same weights and pictures, another loss of them
    assert len({round(loss, 3) for loss in first}) == 3


def test_studies_of_one_world_share_one_file_of_pictures(monkeypatch):
    one = images.pool(study("mpi3d"), 224, 32, "cpu")
    monkeypatch.setattr(CachedImages, "fill", lambda self: pytest.fail("rendered again"))
    images.pool.cache_clear()
    other = images.pool(study("mpi3d_nt_xent"), 224, 32, "cpu")
    (file,) = (paths.DATA / "pictures").glob("mpi3d*.npy")
    assert provenance.modules_hash("misalign.worlds.mpi3d") in file.name
    rows = torch.arange(224)
    assert torch.equal(one.images(rows), other.images(rows))


def test_a_hue_s_own_number_tells_a_third_of_its_circle():
    """By a line: none of the cosine, and 6 / pi^2 of the sine's variance."""
    hue = torch.rand(20_000, 1, generator=generator_for(0, "hue"))
    shape = torch.randint(7, (20_000, 1), generator=generator_for(0, "shape"))
    targets = {("image", "shape"): shape, ("image", "color"): hue}
    kinds = {("image", factor.name): factor for factor in Causal3dident.factors}
    found = {}
    turns = 2 * math.pi * hue
    for name, z in {"number": hue, "circle": torch.cat([turns.cos(), turns.sin()], 1)}.items():
        options = {"generator": generator_for(0, "probe"), "circular": Causal3dident.circular}
        read = Reader("linear", 24, **options).fit(z, targets, kinds).score(z, targets)
        found[name] = [read[("image", "color"), metric] for metric in ("r2", "r2_circle")]
    assert found["number"] == pytest.approx([1, 3 / math.pi**2], abs=0.02)
    # and the circle tells as much of the number: its sine, 6 / pi^2
    assert found["circle"] == pytest.approx([6 / math.pi**2, 1], abs=0.02)


def test_causal3dident_predicts_nothing_of_what_captions_draw_anew():
    run = smoke("causal3dident", bias="perturbation", setting=3)
    found = predicted(run)
    assert {name for target, name in found if target == "text"} == {"s_color", "b_color"}
    assert found["text", "s_color"] == found["text", "b_color"] == 0
    # only words that are left alone tell of the picture
    expected = known(smoke("causal3dident", setting=5))
    assert known(run) == pytest.approx(expected, abs=0.006)


def test_an_untrained_control_keeps_its_initial_weights():
    run = smoke(variant="untrained", setting=2)
    start, end = run.study.initial(run, "cpu"), fit(run)
    assert all(map(torch.equal, start.encoders.parameters(), end.encoders.parameters()))
    assert not len(end.losses)


def test_published_pictures_take_the_place_of_rendered_ones(tmp_path, monkeypatch):
    factors = latents(60, 0)
    (tmp_path / "causal3dident" / "images").mkdir(parents=True)
    table = {COLUMNS[name]: values.numpy() for name, values in factors.items()}
    pd.DataFrame(table).to_csv(tmp_path / "causal3dident" / "latents_image.csv", index=False)
    for i in range(60):
        grey = Image.new("RGB", (32, 32), (4 * i,) * 3)
        grey.save(tmp_path / "causal3dident" / "images" / picture_name(i, 60))
    monkeypatch.setattr(causal3dident, "DATA", tmp_path)
    monkeypatch.setattr(images, "pool", lambda *_: pytest.fail("rendered"))
    run = smoke("causal3dident", variant="published", setting=2)
    fitted = fit(run)
    assert len(fitted.world.pictures) == 60
    rows = split(60, run.scale_config.shares, seed=0)["test"]
    targets = represent(run, fitted, "probe test").targets
    torch.testing.assert_close(targets["image", "s_pos"][:, 0], factors["s_pos"][rows])


def test_published_encoders_read_captions_at_scale_paper(monkeypatch):
    """A small net stands in for the ResNet, which needs torchvision."""

    def small(size, *, generator):
        def build():
            return nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, size))

        return Flattened(build, generator=generator)

    ours = study("mpi3d")
    paper = ours.scales["paper"]
    brief = replace(paper.recipe, steps=2, batch_size=8)
    options = {"side": 32, "pictures": 224, "shares": (5, 1, 1), "probe_steps": 12}
    monkeypatch.setitem(ours.scales, "smoke", replace(paper, recipe=brief, **options))
    monkeypatch.setattr(images, "resnet", small)
    run = smoke(setting=2)
    assert isinstance(run.study.initial(run, "cpu").encoders["text"].inner[0], TokenCNN)
    record = execute(run)
    assert record.run["steps"].item() == 2
    assert record.scores["score"].notna().all()


def test_scale_paper_without_torchvision_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    ours = study("mpi3d")
    options = {"side": 32, "pictures": 224, "shares": (5, 1, 1)}
    monkeypatch.setitem(ours.scales, "smoke", replace(ours.scales["paper"], **options))
    with pytest.raises(ImportError, match=r"^torchvision: expected .*pip install") as caught:
        execute(smoke())
    assert "\n" not in str(caught.value)


def test_published_scales_are_as_the_paper_has_them():
    """App. D.1 and E.1: batches of 256, Adam at 1e-5, Eq. (1), every picture there is."""
    for experiment, steps, n in (("mpi3d", 200_000, 460_800), ("causal3dident", 100_000, 100_000)):
        scale = study(experiment).scales["paper"]
        recipe = scale.recipe
        assert (recipe.steps, recipe.batch_size, recipe.learning_rate) == (steps, 256, 1e-5)
        assert (recipe.muon_rate, recipe.decay, recipe.objective) == (None, False, "mmcl")
        assert scale.pictures == sum(scale.shares) == n


def test_a_perceptron_of_pixels_is_ours_to_size(complains):
    run = Run(experiment="mpi3d", scale="paper", variant="pixels")
    small = replace(run.scale_config, side=32, pictures=224, shares=(5, 1, 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(run.study.scales, "paper", small)
        with complains("scale", "a scale whose encoders are ours", "'paper'"):
            run.study.initial(run, "cpu")
