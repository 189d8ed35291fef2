"""The case study in miniature: its settings, its prompts, and what a run records."""

import math

import pandas as pd
import pytest
import torch
from torch import nn

from misalign import metrics as scores
from misalign.experiment import execute, execute_all, fit, represent
from misalign.images.base import split
from misalign.rng import generator_for
from misalign.run import Run, TrainedModel, study
from misalign.studies import images
from misalign.studies.concepts import (
    BREADTHS,
    HOW_OFTEN,
    LEVELS,
    Concepts,
    coverage,
    nearest,
    prompted,
)
from misalign.studies.scores import Representations, score_run
from misalign.worlds import concepts
from misalign.worlds.concepts import GROUPS, OPENINGS, WORDS, ConceptCaptions
from misalign.worlds.images import ImageWorld

SETTINGS = {"coverage": 10, "breadth": 4, "omission": 6}
EVERY = [(bias, number + 1) for bias, count in SETTINGS.items() for number in range(count)]
TOLD = ("f1", "f1_chance", "f1_corrected", "coverage")  # by zero-shot classification

pytestmark = pytest.mark.usefixtures("elsewhere")


def smoke(**fields):
    fields = {"bias": "coverage", "setting": 3, "encoding_size": 8} | fields
    return Run(experiment="concepts", scale="smoke", **fields)


@pytest.fixture(scope="module")
def recorded(elsewhere):
    """Record of a run."""
    return execute(smoke())


def by_metric(table):
    """Scores by group and metric."""
    return table.pivot(index="factor", columns="metric", values="score")


# ---- settings


def test_levels_fall_evenly_from_a_half_to_a_thousandth():
    assert LEVELS[0] == 0.5 and LEVELS[-1] == 0.001 and len(LEVELS) == len(GROUPS)
    step = (0.001 / 0.5) ** (1 / 9)
    for first, second in zip(LEVELS, LEVELS[1:], strict=False):
        assert second / first == pytest.approx(step, rel=0.01)  # rounded


def test_coverages_are_a_latin_square():
    rows = [coverage("coverage", number) for number in range(1, 11)]
    for line in (*rows, *zip(*rows, strict=True)):
        assert sorted(line, reverse=True) == list(LEVELS)
    assert rows[0] == LEVELS
    assert rows[1] == (LEVELS[-1], *LEVELS[:-1])


@pytest.mark.parametrize(("setting", "count"), list(enumerate(BREADTHS, 1)))
def test_breadth_spreads_two_words_over_more_and_more_groups(setting, count):
    shares = coverage("breadth", setting)
    assert sum(shares) == pytest.approx(2)
    assert sorted(shares) == [0.0] * (10 - count) + [2 / count] * count


def test_a_broader_caption_names_what_a_narrower_one_does():
    named = [{i for i, share in enumerate(coverage("breadth", k)) if share} for k in range(1, 5)]
    assert all(few < more for few, more in zip(named, named[1:], strict=False))


@pytest.mark.parametrize(("setting", "share"), list(enumerate(HOW_OFTEN, 1)))
def test_omission_leaves_out_the_background_alone(setting, share):
    shares = dict(zip(GROUPS, coverage("omission", setting), strict=True))
    assert shares.pop("background") == share
    assert set(shares.values()) == {0.3}


def test_omission_goes_from_never_to_always():
    assert HOW_OFTEN[0] == 0 and HOW_OFTEN[-1] == 1
    assert sorted(HOW_OFTEN) == list(HOW_OFTEN)


@pytest.mark.parametrize(("bias", "setting"), EVERY)
def test_a_run_s_captions_and_bias_are_those_of_its_setting(bias, setting):
    run = smoke(bias=bias, setting=setting)
    captions = run.study.captions(run)
    assert captions == ConceptCaptions(coverage(bias, setting))
    assert run.study.bias(bias, setting) == captions.bias


@pytest.mark.parametrize("ask", [coverage, Concepts().bias])
@pytest.mark.parametrize("bias", SETTINGS)
def test_settings_that_do_not_exist_are_one_line(complains, ask, bias):
    for setting in (0, SETTINGS[bias] + 1, True, 1.0, "1"):
        expected = f"from 1 to {SETTINGS[bias]} for {bias} bias"
        with complains("setting", expected, repr(setting)):
            ask(bias, setting)


@pytest.mark.parametrize("ask", [coverage, lambda bias, _: smoke(bias=bias)])
def test_biases_that_do_not_exist_are_one_line(complains, ask):
    with complains("bias", "one of coverage, breadth, omission", "'selection'"):
        ask("selection", 1)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("variant", "pixels", "'', 'untrained'"),
        ("latents", "graph", "'independent'"),
        ("scale", "paper", "smoke, live, laptop"),
    ],
)
def test_runs_that_do_not_exist_are_one_line(complains, field, value, expected):
    with complains(field, expected, repr(value)):
        Run(**{"experiment": "concepts", "bias": "coverage", field: value})


@pytest.mark.parametrize("scale", ["live", "laptop"])
def test_strides_divide_the_pictures(scale):
    scale = study("concepts").scales[scale]
    assert scale.side % math.prod(stride for _, _, stride in scale.trunk) == 0


# ---- zero-shot


def test_nearest_is_the_least_squared_distance_of_all():
    z, prompts = (torch.randn(n, 5, generator=generator_for(n, "points")) for n in (40, 4))
    naive = []
    for point in z.tolist():
        apart = [math.dist(point, prompt) for prompt in prompts.tolist()]
        naive.append(apart.index(min(apart)))
    assert nearest(z, prompts).tolist() == naive
    assert len(set(naive)) == 4
    assert nearest(prompts, prompts).tolist() == [0, 1, 2, 3]


def test_nearest_is_by_distance_and_not_by_angle():
    """Eq. (1) measures distances: a longer vector the same way is another one."""
    prompts = torch.tensor([[1.0, 0.0], [5.0, 0.0], [0.0, 3.0]])
    assert nearest(torch.tensor([[4.0, 1.0], [0.5, 0.5]]), prompts).tolist() == [1, 0]


@pytest.mark.parametrize("group", GROUPS)
def test_a_concept_s_prompt_is_the_mean_over_openings(group):
    run = smoke(setting=1)
    fitted = run.study.initial(run, "cpu")
    captions, encode = fitted.world.captions, fitted.encoders["text"]
    with torch.no_grad():
        naive = [
            sum(
                encode(captions.vocabulary.encode([f"{' '.join(opening)} {word}"], captions.length))
                for opening in OPENINGS
            )[0]
            / len(OPENINGS)
            for word in WORDS[group]
        ]
    torch.testing.assert_close(prompted(fitted, group), torch.stack(naive))
    assert not prompted(fitted, group).requires_grad


class Counted(nn.Module):
    """Encodes a caption as how often it says each word of the groups."""

    def __init__(self, captions):
        super().__init__()
        words = [word for group in WORDS.values() for word in group]
        self.register_buffer("index", torch.tensor(captions.vocabulary.indices(words)))

    def forward(self, tokens):
        return (tokens[..., None] == self.index).float().sum(-2)


class Told(Concepts):
    """A study whose pictures are represented by their concepts, as far as they are known."""

    def __init__(self, known=GROUPS):
        super().__init__()
        self.known = known

    def represent(self, run, model, purpose, device):
        values = concepts.draw(400, generator=generator_for(0, purpose))
        targets = {("image", name): values[name][:, None] for name in GROUPS}
        parts = [nn.functional.one_hot(values[name], 4) * (name in self.known) for name in GROUPS]
        kinds = {("image", factor.name): factor for factor in concepts.SEMANTIC}
        return Representations({"image": torch.cat(parts, 1).float()}, targets, kinds)


@pytest.fixture
def told():
    """A world and encoders for `Told`."""
    captions = ConceptCaptions(coverage("coverage", 3))
    world = ImageWorld(concepts.FACTORS, concepts.rendered(3, size=8), captions)
    return TrainedModel(world, nn.ModuleDict({"text": Counted(captions)}), torch.zeros(0))


def test_representations_that_are_the_concepts_are_told_without_fault(told):
    found = by_metric(score_run(smoke(), told, "cpu", Told()))
    assert (found["f1"] == 1).all()
    assert (found["f1_corrected"] == 1).all()
    assert (found["mcc"] > 0.25).all()  # by as few steps as a smoke run's probes have
    assert found["f1_chance"].between(0.2, 0.3).all()


def test_a_group_that_a_representation_lacks_scores_as_chance(told):
    known = tuple(group for group in GROUPS if group != "light")
    found = by_metric(score_run(smoke(), told, "cpu", Told(known)))
    assert (found.drop("light")["f1"] == 1).all()
    assert abs(found.loc["light", "mcc"]) < 0.2 < found.drop("light")["mcc"].min()
    # the same guess for all pictures: permuted labels score as much
    assert found.loc["light", "f1"] == found.loc["light", "f1_chance"]
    assert found.loc["light", "f1_corrected"] == 0


# ---- records


def test_a_run_records_every_group_by_every_metric(recorded):
    rows = recorded.scores
    found = list(rows[["factor", "probe", "metric"]].itertuples(index=False, name=None))
    expected = {(group, "linear", "mcc") for group in GROUPS}
    expected |= {(group, "zero-shot", metric) for group in GROUPS for metric in TOLD}
    assert set(found) == expected and len(found) == len(expected)
    for column in ("modality", "target"):
        assert set(rows[column]) == {"image"}
    assert set(rows["split"]) == {"test"}
    assert rows["score"].notna().all() and rows["oracle"].isna().all()
    assert recorded.run["steps"].item() == smoke().scale_config.recipe.steps


def test_coverages_are_recorded_beside_the_scores(recorded):
    found = by_metric(recorded.scores)["coverage"]
    assert found.loc[list(GROUPS)].tolist() == list(coverage("coverage", 3))


def test_the_corrected_score_is_that_of_f1_and_chance(recorded):
    found = by_metric(recorded.scores)
    expected = (found["f1"] - found["f1_chance"]) / (1 - found["f1_chance"])
    assert (found["f1_corrected"] - expected).abs().max() < 1e-5  # of rounded numbers


@pytest.mark.parametrize("variant", ["", "untrained"])
def test_recorded_f1_is_that_of_representations_and_prompts(recorded, variant):
    run = smoke(variant=variant)
    table = recorded.scores if not variant else execute(run).scores
    fitted = fit(run)
    found = represent(run, fitted, "probe test")
    z, targets = found.z, found.targets
    found = by_metric(table)
    for group in GROUPS:
        prompts = prompted(fitted, group)
        guesses = (z["image"][:, None] - prompts).square().sum(-1).argmin(1)
        counts = scores.confusion(targets["image", group][:, 0], guesses, 4)
        f1, chance = scores.macro_f1(counts), scores.expected_chance(counts)
        assert found.loc[group, "f1"] == pytest.approx(f1, abs=1e-6)
        assert found.loc[group, "f1_chance"] == pytest.approx(chance, abs=1e-6)


def test_the_same_run_scores_the_same_and_another_seed_does_not(recorded):
    pd.testing.assert_frame_equal(execute(smoke()).scores, recorded.scores)
    other = execute(smoke(seed=1)).scores
    assert (other["score"] != recorded.scores["score"]).any()


def test_an_untrained_control_keeps_its_initial_weights():
    run = smoke(variant="untrained")
    start, end = run.study.initial(run, "cpu"), fit(run)
    assert all(map(torch.equal, start.encoders.parameters(), end.encoders.parameters()))
    assert not len(end.losses)


def test_runs_score_alike_in_company_and_alone():
    runs = [smoke(), smoke(bias="omission", setting=1)]
    for run, record in zip(runs, execute_all(runs), strict=True):
        alone = execute(run).scores
        assert record.scores[["run", "factor", "metric"]].equals(alone[["run", "factor", "metric"]])
        apart = (record.scores["score"] - alone["score"]).abs()
        assert apart.median() < 1e-3 and apart.max() < 0.1  # a picture may change sides


def test_torch_is_left_as_it_was():
    state = torch.random.get_rng_state()
    execute(smoke())
    assert torch.equal(torch.random.get_rng_state(), state)


# ---- representations


@pytest.mark.parametrize(("purpose", "part"), [("probe fit", "evaluation"), ("probe test", "test")])
def test_probes_meet_each_picture_of_their_part_once(purpose, part):
    run = smoke(setting=2)
    fitted = run.study.initial(run, "cpu")
    scale_config = run.scale_config
    pictures = images.pool(run.study, scale_config.pictures, scale_config.side, "cpu")
    rows = split(len(pictures), scale_config.shares, seed=0)
    assert torch.equal(fitted.world.part, rows["train"])
    found = represent(run, fitted, purpose)
    z, targets = found.z, found.targets
    for group in GROUPS:
        expected = pictures.factors[group][rows[part]]
        assert torch.equal(targets["image", group][:, 0], expected)
    image = (*GROUPS, "across", "down", "drift", "turn")
    assert set(targets) == {*(("image", name) for name in image), ("text", "phrase")}
    pixels = pictures.images(rows[part]).float() / 255
    with torch.no_grad():
        torch.testing.assert_close(z["image"], fitted.encoders["image"](pixels))
    assert z["text"].shape == z["image"].shape == (len(rows[part]), 8)
