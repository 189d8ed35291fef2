"""Captions of the image worlds: text, tokens, what they name and what they leave out."""

import csv
import re
from string import Formatter

import pytest
import torch
from nltk.tokenize import NLTKWordTokenizer, word_tokenize

from misalign.captions.captioner import Captioner
from misalign.captions.templates import sentences, settings
from misalign.paths import REFERENCE
from misalign.rng import generator_for

WORLDS = ("mpi3d", "causal3dident")
SETTINGS = [(world, number) for world in WORLDS for number in range(1, len(settings(world)) + 1)]
VARIANTS = [
    (world, setting, option)
    for world, setting in SETTINGS
    for option in ("plain", "printed", *(["distinct"] if world == "causal3dident" else []))
]
EACH = 10_000 // len(VARIANTS) + 1


def writer(world, setting, option="plain"):
    return Captioner(world, setting, printed=option == "printed", distinct=option == "distinct")


def draw(captions, n, seed=0):
    """Values of every factor of the world, and a template each."""
    values = {}
    for factor, wording in captions.wordings.items():
        generator = generator_for(seed, factor)
        values[factor] = (
            torch.rand(n, generator=generator)
            if wording.continuous
            else torch.randint(len(wording.words), (n,), generator=generator)
        )
    return values, torch.randint(
        len(captions.templates), (n,), generator=generator_for(seed, "m_t")
    )


def said(captions, values):
    """Words of every factor, by caption."""
    columns = {
        factor: [wording.words[i] for i in captions.word_of(factor, values[factor]).tolist()]
        for factor, wording in captions.wordings.items()
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def slots(template):
    return {slot for _, slot, _, _ in Formatter().parse(template) if slot}


# ---- tokens


@pytest.mark.parametrize(("world", "setting", "option"), VARIANTS)
def test_tokens_are_those_of_nltk_on_whole_captions(world, setting, option):
    # ten thousand captions over all cases
    captions = writer(world, setting, option)
    values, template = draw(captions, EACH)
    texts, tokens = captions.text(values, template), captions.tokens(values, template)
    words, nltk = captions.vocabulary.words, NLTKWordTokenizer()
    for text, row in zip(texts, tokens.tolist(), strict=True):
        count = row.index(captions.vocabulary.end)
        assert [words[i] for i in row[:count]] == nltk.tokenize(text)
        assert set(row[count + 1 :]) <= {captions.vocabulary.pad}


@pytest.mark.parametrize("option", ["plain", "printed", "distinct"])
def test_tokens_are_those_of_nltk_for_every_color_name_in_every_sentence(option):
    captions = writer("causal3dident", 7, option)
    for factor in ("color", "s_color", "b_color"):
        cuts = torch.tensor([0, *captions.wordings[factor].cuts, 1], dtype=torch.float64)
        hues = (cuts[1:] + cuts[:-1]).div(2).repeat(5)
        values, _ = draw(captions, len(hues))
        values[factor] = hues
        template = torch.arange(5).repeat_interleave(len(hues) // 5)
        whole = captions.vocabulary.encode(captions.text(values, template), captions.length)
        assert torch.equal(captions.tokens(values, template), whole)


def test_tokens_are_those_of_word_tokenize_on_a_caption_taken_whole():
    captions = Captioner.causal3dident()
    (text,) = captions.text(*draw(captions, 1))
    assert NLTKWordTokenizer().tokenize(text) == word_tokenize(text, preserve_line=True)


def test_no_caption_as_a_whole_meets_nltk(monkeypatch):
    # this, not a stopwatch, is why a hundred thousand captions take no time
    captions = Captioner.causal3dident()
    monkeypatch.setattr(NLTKWordTokenizer, "tokenize", None)
    values, template = draw(captions, 100)
    assert len(captions.text(values, template)) == len(captions.tokens(values, template)) == 100


@pytest.mark.parametrize(("world", "setting"), SETTINGS)
def test_no_word_of_a_caption_is_unknown_and_some_caption_is_as_long_as_can_be(world, setting):
    captions = writer(world, setting)
    tokens = captions.tokens(*draw(captions, 3000))
    assert tokens.dtype == torch.int64
    assert tokens.shape == (3000, captions.length)
    assert not (tokens == captions.vocabulary.unknown).any()
    assert (tokens[:, -1] == captions.vocabulary.end).any()


# ---- text


def test_captions_are_the_sentences_with_words_put_in():
    captions = writer("causal3dident", 7, "printed")
    values, template = draw(captions, 500)
    naive = [
        captions.templates[t].format(**words)
        for t, words in zip(template.tolist(), said(captions, values), strict=True)
    ]
    assert captions.text(values, template) == naive


@pytest.mark.parametrize(("world", "setting"), SETTINGS)
def test_articles_agree_with_the_words_after_them(world, setting):
    captions = writer(world, setting)
    values, template = draw(captions, 300)
    naive = [
        re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", captions.templates[t].format(**words))
        for t, words in zip(template.tolist(), said(captions, values), strict=True)
    ]
    assert captions.text(values, template) == naive


def test_articles_of_an_armadillo():
    values, template = {"shape": torch.tensor([4, 0])}, torch.tensor([0, 0])
    for printed, expected in (
        (False, "An armadillo is visible."),
        (True, "A armadillo is visible."),
    ):
        armadillo, teapot = Captioner.causal3dident(1, printed=printed).text(values, template)
        assert (armadillo, teapot) == (expected, "A teapot is visible.")


def test_captions_say_the_values_and_never_an_omitted_factor():
    captions = Captioner.mpi3d(["color", "shape"])
    values, template = draw(captions, 200)
    other = values | {"size": 1 - values["size"], "back": (values["back"] + 1) % 3}
    assert captions.text(values, template) == captions.text(other, template)
    for text, words in zip(captions.text(values, template), said(captions, values), strict=True):
        assert {words["color"], words["shape"]} <= set(re.findall(r"[\w-]+", text))


def test_columns_are_as_good_as_vectors():
    captions = Captioner.causal3dident(4)
    values, template = draw(captions, 50)
    columns = {factor: one[:, None] for factor, one in values.items()}
    assert captions.text(columns, template[:, None]) == captions.text(values, template)
    assert torch.equal(captions.tokens(columns, template), captions.tokens(values, template))


@pytest.mark.parametrize("option", ["plain", "printed"])
def test_spans_hold_each_factors_words(option):
    captions = writer("causal3dident", 7, option)
    values, template = draw(captions, 300)
    spans = captions.spans(values, template)
    texts = captions.text(values, template)
    for t, text, words, span in zip(template, texts, said(captions, values), spans, strict=True):
        assert set(span) == slots(captions.templates[t])
        assert {factor: text[slice(*where)] for factor, where in span.items()} == {
            factor: words[factor] for factor in span
        }


def test_no_captions_are_no_captions():
    captions = Captioner.mpi3d(1)
    nothing = {"color": torch.empty(0, dtype=torch.int64)}, torch.empty(0, dtype=torch.int64)
    assert captions.text(*nothing) == captions.spans(*nothing) == []
    assert captions.tokens(*nothing).shape == (0, captions.length)


# ---- templates


@pytest.mark.parametrize(("world", "setting"), SETTINGS)
def test_every_sentence_names_every_selected_factor_and_no_other(world, setting):
    found = sentences(world, setting)
    assert len(set(found)) == {"mpi3d": 3, "causal3dident": 5}[world]
    assert [slots(one) for one in found] == [set(settings(world)[setting - 1])] * len(found)


@pytest.mark.parametrize(("setting", "dropped"), [(4, []), (5, [5]), (6, [3, 5]), (7, [4, 5])])
def test_printed_sentences_leave_out_the_position_as_table_11_does(setting, dropped):
    found = sentences("causal3dident", setting, printed=True)
    lacking = {
        number: set(settings("causal3dident")[setting - 1]) - slots(one)
        for number, one in enumerate(found, 1)
    }
    assert {number: gone for number, gone in lacking.items() if gone} == {
        number: {"x_pos", "y_pos"} for number in dropped
    }


@pytest.mark.parametrize("setting", range(1, 8))
def test_sentences_differ_from_table_11_only_where_it_leaves_something_out(setting):
    ours = sentences("causal3dident", setting)
    theirs = sentences("causal3dident", setting, printed=True)
    complete = [slots(one) == set(settings("causal3dident")[setting - 1]) for one in theirs]
    assert [one == other for one, other in zip(ours, theirs, strict=True)] == complete


def test_printed_sentences_are_those_of_table_11():
    with (REFERENCE / "table_11.csv").open(encoding="utf-8", newline="") as file:
        lines = [(int(row["setting"]), row["text"]) for row in csv.DictReader(file)]
    assert lines == [
        (setting, one)
        for setting in range(1, 8)
        for one in sentences("causal3dident", setting, printed=True)
    ]


@pytest.mark.parametrize("printed", [False, True])
def test_table_8_has_the_space_that_its_setting_4_lost_in_print(printed):
    assert sentences("mpi3d", 4, printed)[0].startswith("A {size} {shape} in {color}, seen from")


# ---- settings


def test_settings_are_nested_and_end_with_all_factors():
    assert settings("mpi3d")[-1] == ("color", "shape", "size", "cam", "back")
    assert settings("causal3dident")[-1] == (
        *("shape", "x_pos", "y_pos", "s_pos", "color", "s_color", "b_color"),
    )
    for world in WORLDS:
        assert [len(one) for one in settings(world)] == list(range(1, len(settings(world)) + 1))


def test_a_setting_may_be_named_by_its_factors_in_any_order_and_is_the_last_by_default():
    assert Captioner.mpi3d(("shape", "color")).setting == 2
    assert Captioner.mpi3d("color").factors == ("color",)
    assert Captioner.causal3dident().setting == 7


def test_factors_without_sentences_list_those_that_have_some(complains):
    with complains("selected", "2: color, shape; 3: color, shape, size", "color, size"):
        Captioner.mpi3d(["color", "size"])
    with complains("selected", "Table 10", "none"):
        Captioner.causal3dident([])


@pytest.mark.parametrize("setting", [0, 6, True])
def test_setting_must_be_in_its_table(complains, setting):
    with complains("selected", "from 1 to 5 for mpi3d (Table 7)", str(setting)):
        Captioner.mpi3d(setting)


def test_unknown_world_lists_the_known_ones(complains):
    with complains("world", "mpi3d, causal3dident", "'dsprites'"):
        Captioner("dsprites")


# ---- errors


@pytest.mark.parametrize(
    ("change", "name", "expected", "got"),
    [
        ({"shape": None}, "values", "a tensor for each of shape, x_pos, y_pos, s_pos", "shape"),
        ({"shape": torch.tensor([7])}, "values of shape", "from 0 to 6", "[7]"),
        ({"shape": torch.tensor([0.5])}, "values of shape", "integers", "torch.float32"),
        ({"s_pos": torch.tensor([1])}, "values of s_pos", "floats in [0, 1]", "torch.int64"),
        ({"s_pos": torch.tensor([1.5])}, "values of s_pos", "in [0, 1]", "[1.5]"),
        ({"s_pos": torch.tensor([float("nan")])}, "values of s_pos", "in [0, 1]", "[nan]"),
        ({"x_pos": torch.tensor([0, 1])}, "values of x_pos", "1 numbers", "2"),
        ({"x_pos": torch.zeros(1, 2)}, "values of x_pos", "(n,) or (n, 1)", "(1, 2)"),
        ({"template": torch.tensor([5])}, "template", "from 0 to 4", "[5]"),
        ({"template": torch.tensor([0.0])}, "template", "from 0 to 4", "torch.float32"),
    ],
)
def test_bad_values_are_named(complains, change, name, expected, got):
    captions = Captioner.causal3dident(4)
    values, template = draw(captions, 1)
    given = values | {"template": template} | change
    template = given.pop("template")
    given = {factor: one for factor, one in given.items() if one is not None}
    for write in (captions.text, captions.tokens, captions.spans):
        with complains(name, expected, got):
            write(given, template)


def test_unknown_factor_lists_the_known_ones(complains):
    with complains("factor", "color, shape, size, cam, back", "'hori'"):
        Captioner.mpi3d(1).word_of("hori", torch.tensor([0]))


@pytest.mark.parametrize("option", ["plain", "distinct"])
def test_no_word_opens_with_a_sound_that_its_letter_hides(option):
    # such as "unicorn" or "hour", whose article the first letter does not tell
    for wording in writer("causal3dident", 7, option).wordings.values():
        assert not [word for word in wording.words if re.match("u|eu|hou|hon|one", word)]
