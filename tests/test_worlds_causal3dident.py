"""Causal3DIdent: the graph, settings, perturbations, pairs, and published captions."""

import pandas as pd
import pytest
import torch
from pictured import Teller, paint
from PIL import Image

from misalign.bias import Bias
from misalign.captions.lines import read_lines
from misalign.captions.vocabulary import tokenize
from misalign.images.layout import COLUMNS
from misalign.images.rendered import RenderedImages
from misalign.rng import generator_for
from misalign.worlds import causal3dident
from misalign.worlds.captions import TemplateCaptions
from misalign.worlds.images import ImageWorld

SAMPLES = 200_000
NAMES = tuple(factor.name for factor in causal3dident.SEMANTIC)
SPECIFIC = ("alpha", "beta", "gamma")
HUES = ("color", "s_color", "b_color")

# second moments by the graph: each uniform on [0, 1] has variance 1/12, each on {0, 1, 2} 2/3;
# color = (x + y)/6 + u/3, s_color = (s + u)/2, b_color = (s + s_color + u)/3
MEANS = {"shape": 3, "x_pos": 1, "y_pos": 1} | dict.fromkeys((*NAMES[3:], *SPECIFIC), 1 / 2)
VARIANCES = {
    **{"shape": 4, "x_pos": 2 / 3, "y_pos": 2 / 3, "s_pos": 1 / 12, "color": 5 / 108},
    **{"s_color": 1 / 24, "b_color": 7 / 216, "alpha": 1 / 12, "beta": 1 / 12, "gamma": 1 / 12},
}
COVARIANCES = {
    **{("x_pos", "color"): 1 / 9, ("y_pos", "color"): 1 / 9, ("s_pos", "s_color"): 1 / 24},
    **{("s_pos", "b_color"): 1 / 24, ("s_color", "b_color"): 1 / 36},
}


@pytest.fixture(scope="module")
def drawn():
    return causal3dident.draw(SAMPLES, generator=generator_for(0, "draw"))


def assert_mean(values, expected):
    """A mean as expected, within five standard errors."""
    values = values.double()
    error = values.std() / len(values) ** 0.5
    assert (values.mean() - expected).abs() <= 5 * error


def captions(bias):
    return TemplateCaptions(
        causal3dident.SEMANTIC, bias, Teller(*(NAMES[i - 1] for i in bias.selected))
    )


def pool(n=50):
    return RenderedImages(paint, causal3dident.latents(n, 0))


# ---- the graph


@pytest.mark.parametrize("name", list(MEANS))
def test_factors_have_the_means_and_variances_of_table_9(drawn, name):
    values = drawn[name].double()
    assert_mean(values, MEANS[name])
    assert_mean((values - MEANS[name]).square(), VARIANCES[name])


def test_factors_depend_on_each_other_as_the_graph_says_and_not_otherwise(drawn):
    names = list(MEANS)
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            product = (drawn[first] - MEANS[first]) * (drawn[second] - MEANS[second])
            assert_mean(product, COVARIANCES.get((first, second), 0))


def test_what_the_graph_adds_to_its_parents_is_uniform_and_fresh(drawn):
    parents = {
        "color": (3 * drawn["color"] - (drawn["x_pos"] + drawn["y_pos"]) / 2),
        "s_color": 2 * drawn["s_color"] - drawn["s_pos"],
        "b_color": 3 * drawn["b_color"] - drawn["s_pos"] - drawn["s_color"],
    }
    for name, added in parents.items():
        assert -1e-5 < added.min() and added.max() < 1 + 1e-5
        for tenth in range(10):
            assert_mean(((added * 10).floor() == tenth).double(), 0.1)
        for parent in ("x_pos", "y_pos", "s_pos", "s_color"):
            if parent != name:
                product = (added - 0.5) * (drawn[parent] - MEANS[parent])
                assert_mean(product, 0)


def test_factors_are_of_the_kinds_and_within_the_ranges_of_table_9(drawn):
    sizes = {"shape": 7, "x_pos": 3, "y_pos": 3}
    assert list(drawn) == [factor.name for factor in causal3dident.FACTORS]
    for factor in causal3dident.FACTORS:
        values = drawn[factor.name]
        if factor.name in sizes:
            assert (factor.kind, factor.size) == ("discrete", sizes[factor.name])
            assert values.unique().tolist() == list(range(factor.size))
            for value in range(factor.size):
                assert_mean((values == value).double(), 1 / factor.size)
        else:
            assert (factor.kind, values.dtype) == ("continuous", torch.float32)
            assert 0 <= values.min() and values.max() <= 1
    sides = {factor.name for factor in causal3dident.FACTORS if factor.side == "image"}
    assert sides == set(SPECIFIC)


def test_factors_of_a_seed_repeat_and_of_two_differ():
    one, same, other = (causal3dident.latents(9, seed) for seed in (0, 0, 1))
    for name in one:
        assert torch.equal(one[name], same[name])
        assert not torch.equal(one[name], other[name])


# ---- settings


@pytest.mark.parametrize("number", range(1, 8))
def test_settings_are_those_of_table_10_and_grow_with_their_number(number):
    selection = causal3dident.setting("selection", number)
    assert (selection.selected, selection.perturbed) == (tuple(range(1, number + 1)), ())
    perturbation = causal3dident.setting("perturbation", number)
    assert perturbation.selected == tuple(range(1, 8))
    assert perturbation.perturbed == tuple(range(9 - number, 8))
    assert (perturbation.probability, perturbation.kind) == (1, "uniform")


def test_settings_beyond_the_table_are_refused(complains):
    with complains("setting", "from 1 to 7 for perturbation bias (Table 10)", "8"):
        causal3dident.setting("perturbation", 8)


# ---- perturbation


@pytest.mark.parametrize("number", range(1, 8))
def test_a_perturbation_changes_its_own_factors_alone(drawn, number):
    """What depends on a perturbed factor is said as it is in the picture (Remark 3.1)."""
    bias = causal3dident.setting("perturbation", number)
    said = captions(bias).perturb(drawn, generator=generator_for(0, "perturb"))
    changed = [name for name in NAMES if not torch.equal(said[name], drawn[name])]
    assert changed == [NAMES[i - 1] for i in bias.perturbed]


def test_perturbed_values_are_uniform_and_independent_of_everything(drawn):
    bias = causal3dident.setting("perturbation", 7)
    said = captions(bias).perturb(drawn, generator=generator_for(0, "perturb"))
    for name in NAMES[1:]:
        values, mean = said[name].double(), 1 if name in ("x_pos", "y_pos") else 1 / 2
        assert_mean(values, mean)
        assert_mean((values - mean).square(), 2 / 3 if mean == 1 else 1 / 12)
        for other in NAMES:
            assert_mean((values - mean) * (drawn[other] - MEANS[other]), 0)
            if other not in ("shape", name):
                assert_mean((values - mean) * (said[other] - (said[other].double().mean())), 0)
        assert said[name].dtype == drawn[name].dtype


def test_values_are_perturbed_with_the_probability(drawn):
    bias = causal3dident.setting("perturbation", 5, probability=0.25)
    said = captions(bias).perturb(drawn, generator=generator_for(0, "perturb"))
    for name, share in {"s_pos": 0.25, "b_color": 0.25, "x_pos": 0.0}.items():
        assert_mean((said[name] != drawn[name]).double(), share)


def test_a_number_has_no_other_values_to_be_replaced_by(complains):
    with complains("bias", "one of kind uniform", "kind 'other'"):
        captions(Bias(7, (1, 4), (4,), kind="other"))


# ---- pairs


def test_image_text_and_factors_of_a_pair_belong_together():
    bias = causal3dident.setting("perturbation", 3)
    world = ImageWorld(causal3dident.FACTORS, pool(), captions(bias))
    batch = world.sample(300, generator=generator_for(0, "pairs"))
    told = (batch.image[:, :, 0, 0] * 255).round().long()
    shown = torch.cat([batch.factors[name] for name in NAMES[:3]], 1)
    assert torch.equal(told, shown)
    columns = [batch.text_factors[name] for name in NAMES]
    teller = world.captions.captioner
    columns[3] = teller.word_of("s_pos", columns[3])
    assert torch.equal(batch.text, torch.cat([batch.factors["phrase"], *columns], 1))
    for name in ("shape", "x_pos", "y_pos", "s_pos"):
        assert torch.equal(batch.text_factors[name], batch.factors[name])
    words = teller.word_of("color", batch.factors["color"])
    assert torch.equal(batch.text_factors["color"], words)
    for name in ("s_color", "b_color"):
        words = teller.word_of(name, batch.factors[name])
        assert not torch.equal(batch.text_factors[name], words)


def test_a_pair_keeps_the_hues_that_became_words():
    bias = causal3dident.setting("perturbation", 2)
    world = ImageWorld(causal3dident.FACTORS, pool(), captions(bias))
    batch = world.sample(300, generator=generator_for(0, "pairs"))
    assert tuple(batch.content) == HUES
    said = batch.text_factors | batch.content
    for name in HUES:
        words = world.captions.captioner.word_of(name, said[name])
        assert torch.equal(words, batch.text_factors[name])
    for name in NAMES[:-1]:
        assert torch.equal(said[name], batch.factors[name])
    assert (said["b_color"] != batch.factors["b_color"]).all()


def test_text_says_a_hue_by_a_word_and_the_spotlight_by_a_number():
    """As App. E.2 scores them: the position is continuous in both modalities."""
    said = {factor.name: factor for factor in captions(Bias(7, tuple(range(1, 8)))).said}
    assert {name: said[name].size for name in HUES} == dict.fromkeys(HUES, 3)
    assert all(said[name].kind == "discrete" for name in HUES)
    assert said["s_pos"].kind == "continuous"


def test_the_template_has_five_values_in_captions_of_this_world():
    world = causal3dident.world(pool(), causal3dident.setting("perturbation", 7))
    batch = world.sample(100, generator=generator_for(0, "pairs"))
    assert world.factors[-1].size == 5
    assert batch.text.shape == (100, world.captions.length)
    assert set(batch.factors["phrase"].flatten().tolist()) == set(range(5))
    sizes = {factor.name: factor.size for factor in world.captions.said}
    for name in HUES:
        assert batch.text_factors[name].max() < sizes[name]


# ---- published files

SHAPES = ("teapot", "hare", "dragon", "cow", "armadillo", "horse", "head")


def publish(folder, text="text/selections_1", latents="latents_text_selections_1.csv", **columns):
    """Eleven pictures and their captions, by hand; of each, what is tested tells its row."""
    n = 11
    (folder / "images").mkdir(parents=True)
    (folder / text).mkdir(parents=True)
    for i in range(n):
        Image.new("RGB", (4, 4), (i, i, i)).save(folder / "images" / f"{i:02d}.png")
    image = {column: [0.5] * n for column in COLUMNS.values() if column != "text_phrasing"}
    image |= {"object_shape": [i % 7 for i in range(n)], "object_xpos": [i % 3 for i in range(n)]}
    image["object_ypos"] = [0] * n
    image["spotlight_pos"] = [i / n for i in range(n)]
    pd.DataFrame(image).to_csv(folder / "latents_image.csv", index=False)
    said = {name: image[name] for name in ("object_shape", "object_xpos")} | columns
    said["text_phrasing"] = [i % 5 for i in range(n)]
    pd.DataFrame(said).to_csv(folder / latents, index=False)
    # of two sentences: one caption, one sample all the same
    lines = [f"A {SHAPES[i % 7]} is visible. Number {i}." for i in range(n)]
    (folder / text / "text_raw.txt").write_text("\n".join(lines))
    return folder


@pytest.fixture
def published(tmp_path):
    return publish(tmp_path / "data")


def test_row_i_of_pictures_factors_and_captions_is_one_pair(published):
    written = causal3dident.written(published, "selection", 2)
    world = causal3dident.world(causal3dident.folder(published), written)
    batch = world.sample(60, generator=generator_for(0, "pairs"))
    rows = (batch.image[:, 0, 0, 0] * 255).round().long()
    assert set(rows.tolist()) == set(range(11))
    assert torch.equal(batch.factors["shape"][:, 0], rows % 7)
    assert torch.equal(batch.factors["s_pos"][:, 0], rows / 11)
    assert torch.equal(batch.factors["phrase"][:, 0], rows % 5)
    assert tuple(batch.text_factors) == ("shape", "x_pos")
    assert torch.equal(batch.text_factors["x_pos"][:, 0], rows % 3)
    lines = written.vocabulary.decode(batch.text)
    for line, row in zip(lines, rows.tolist(), strict=True):
        assert line.split()[1] == SHAPES[row % 7]
        assert f" {row} " in line
    assert world.bias == causal3dident.setting("selection", 2)
    assert world.factors[-1].size == 5


def test_tokens_of_a_file_are_those_of_its_lines(published):
    written = causal3dident.written(published, "selection", 2)
    lines = read_lines(published / "text" / "selections_1" / "text_raw.txt")
    assert torch.equal(written.tokens, written.vocabulary.encode(lines))
    words = {token for line in lines for token in tokenize(line)}
    assert words < set(written.vocabulary.words)


def test_captions_of_the_ancestor_name_shape_position_and_color(tmp_path):
    words = {"object_color_index": [700 + i % 2 for i in range(11)], "object_ypos": [0] * 11}
    folder = publish(tmp_path / "train", "text", "latents_text.csv", **words)
    world = causal3dident.world(causal3dident.folder(folder), causal3dident.written(folder))
    batch = world.sample(50, generator=generator_for(0, "pairs"))
    rows = (batch.image[:, 0, 0, 0] * 255).round().long()
    assert tuple(batch.text_factors) == ("shape", "x_pos", "y_pos", "color")
    assert world.bias.selected == (1, 2, 3, 5)
    assert torch.equal(batch.text_factors["color"][:, 0], rows % 2)
    assert world.captions.said[-1].size == 2


def test_captions_and_table_of_different_length_are_refused(published, complains):
    path = published / "text" / "selections_1" / "text_raw.txt"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]))
    with complains(str(path), "11, one a row of", "10 lines"):
        causal3dident.written(published, "selection", 2)


def test_captions_and_pictures_of_different_counts_are_refused(published, complains):
    written = causal3dident.written(published, "selection", 2)
    with complains("captions", "50, one a picture", "11"):
        causal3dident.world(pool(), written)


@pytest.mark.parametrize("column", ["object_xpos", "text_phrasing"])
def test_a_missing_column_of_captions_is_named(published, complains, column):
    path = published / "latents_text_selections_1.csv"
    pd.read_csv(path).drop(columns=column).to_csv(path, index=False)
    with complains(str(path), "columns object_shape, object_xpos", f"none named {column}"):
        causal3dident.written(published, "selection", 2)


def test_missing_captions_are_named(published, complains):
    path = published / "latents_text_perturbations_0.csv"
    with complains(str(path), "a table", "nothing there", FileNotFoundError):
        causal3dident.written(published, "perturbation", 1)


def test_a_moved_world_of_files_draws_the_same(published):
    written = causal3dident.written(published, "selection", 2)
    world = causal3dident.world(causal3dident.folder(published), written)
    one, other = (
        w.sample(20, generator=generator_for(0, "pairs")) for w in (world, world.to("cpu"))
    )
    assert torch.equal(one.image, other.image)
    assert torch.equal(one.text, other.text)
