"""The miniature world: uniform factors, and captions that name what, and as often as, they should.

Shares are held against five binomial standard errors.
"""

import math
from itertools import combinations

import pytest
import torch

from misalign.captions.vocabulary import tokenize
from misalign.images.cached import CachedImages
from misalign.rendering import concepts as scenes
from misalign.rng import generator_for
from misalign.worlds import concepts
from misalign.worlds.concepts import FACTORS, GROUPS, OPENINGS, WORDS, ConceptCaptions
from misalign.worlds.images import ImageWorld

SAMPLES = 40_000
SHARES = (0.5, 0.0, 0.3, 0.02, 1.0, 0.7, 0.1, 0.9, 0.2, 0.4)
NAMING = ConceptCaptions(SHARES)
GROUP_OF = {word: group for group, words in WORDS.items() for word in words}


def assert_share(hits, share):
    """A proportion as expected, within five standard errors; exactly where it is 0 or 1."""
    error = (share * (1 - share) / hits.numel()) ** 0.5
    assert abs(hits.double().mean().item() - share) <= 5 * error


def draw(n, seed=0):
    return concepts.draw(n, generator=generator_for(seed, "draw"))


@pytest.fixture(scope="module")
def captioned():
    """Factors, the words of a caption each, what it names by group, and its opening."""
    values = draw(SAMPLES)
    generator = generator_for(0, "captions")
    tokens, said, template, _ = NAMING.caption(torch.arange(SAMPLES), values, generator=generator)
    words = [line.split() for line in NAMING.text(tokens)]
    named = torch.tensor([[bool({*line} & {*WORDS[group]}) for group in GROUPS] for line in words])
    return values, words, named, said, template


def sentence(values, named, opening, row):
    """Slow twin: a caption written out."""
    words = [*OPENINGS[opening]]
    for group, name in zip(GROUPS, named, strict=True):
        if name:
            words.append(WORDS[group][int(values[group][row])])
    return " ".join(words)


# ---- factors


def test_groups_are_those_of_the_scenes():
    assert set(GROUPS) == set(scenes.NAMES)
    assert {factor.name for factor in FACTORS} == {column.name for column in scenes.COLUMNS}
    for factor in concepts.SEMANTIC:
        assert (factor.kind, factor.size, factor.side) == ("discrete", 4, "semantic")
    assert {(f.name, f.kind, f.side) for f in concepts.SPECIFIC} == {
        (name, "continuous", "image") for name in scenes.SPECIFIC
    }


def test_concepts_are_uniform_and_independent_in_pairs():
    values = draw(SAMPLES)
    for group in GROUPS:
        for value in range(4):
            assert_share(values[group] == value, 1 / 4)
    for first, second in combinations(GROUPS, 2):
        cell = values[first] * 4 + values[second]
        for both in range(16):
            assert_share(cell == both, 1 / 16)


def test_what_captions_never_name_is_uniform_and_independent_of_everything():
    rows = torch.stack([values.double() for values in draw(SAMPLES).values()])
    specific = rows[len(GROUPS) :]
    assert 0 <= specific.min() and specific.max() < 1
    assert ((specific.mean(1) - 1 / 2).abs() < 5 / (12 * SAMPLES) ** 0.5).all()
    # the variance of a uniform variable's square deviation is 1/180
    assert ((specific.var(1) - 1 / 12).abs() < 5 / (180 * SAMPLES) ** 0.5).all()
    apart = torch.corrcoef(rows)[len(GROUPS) :] - torch.eye(len(rows))[len(GROUPS) :]
    assert apart.abs().max() < 5 / SAMPLES**0.5


def test_draws_are_of_their_generator_alone():
    state = torch.get_rng_state()
    one, same, other = draw(50), draw(50), draw(50, seed=1)
    assert torch.equal(torch.get_rng_state(), state)
    for name, values in one.items():
        assert values.shape == (50,)
        assert torch.equal(values, same[name])
        assert not torch.equal(values, other[name])


# ---- words


def test_no_word_is_of_two_concepts_or_of_an_opening():
    words = [word for group in WORDS.values() for word in group]
    openings = {word for opening in OPENINGS for word in opening}
    assert len(set(words)) == len(words) == 40
    assert not openings & set(words)
    assert len(set(OPENINGS)) == len(OPENINGS)


def test_words_are_tokens_of_one_vocabulary_whatever_is_ever_named():
    rare = ConceptCaptions((0.0,) * 9 + (0.001,))
    assert rare.vocabulary.words == NAMING.vocabulary.words
    for word in GROUP_OF:
        assert tokenize(word) == [word]
        assert NAMING.vocabulary.unknown not in NAMING.vocabulary.indices([word])


# ---- what captions name


def test_each_group_is_named_in_its_share_of_the_captions(captioned):
    _, _, named, _, _ = captioned
    for place, share in enumerate(SHARES):
        assert_share(named[:, place], share)


def test_groups_are_named_independently_of_each_other(captioned):
    _, _, named, _, _ = captioned
    for first, second in combinations(range(len(GROUPS)), 2):
        assert_share(named[:, first] & named[:, second], SHARES[first] * SHARES[second])


def test_naming_is_independent_of_what_there_is_and_of_the_opening(captioned):
    values, _, named, _, template = captioned
    for place, share in enumerate(SHARES):
        for factor in (*(values[group] for group in GROUPS), template):
            for value in range(int(factor.max()) + 1):
                assert_share(named[factor == value, place], share)


def test_openings_are_uniform(captioned):
    _, words, _, _, template = captioned
    for number, opening in enumerate(OPENINGS):
        assert_share(template == number, 1 / 3)
        begun = {tuple(words[row][:2]) for row in (template == number).nonzero()[:, 0].tolist()}
        assert begun == {opening}


def test_captions_are_what_a_slow_twin_writes(captioned):
    """So what is named is true, once, and in the order of the groups."""
    values, words, named, _, template = captioned
    for row in range(2000):
        expected = sentence(values, named[row], int(template[row]), row)
        assert " ".join(words[row]) == expected


def test_what_is_said_is_the_truth_of_the_groups_ever_named(captioned):
    values, _, _, said, _ = captioned
    assert list(said) == [group for group in GROUPS if group != "size"]
    assert [factor.name for factor in NAMING.said] == list(said)
    for group, value in said.items():
        assert torch.equal(value, values[group])


def test_captions_are_of_their_generator_alone():
    state = torch.get_rng_state()
    rows, values = torch.arange(50), draw(50)
    one, same, other = (
        NAMING.caption(rows, values, generator=generator_for(seed, "captions"))[0]
        for seed in (0, 0, 1)
    )
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(
        NAMING.to("cpu").caption(rows, values, generator=generator_for(0, "captions"))[0], one
    )


# ---- tokens


def test_the_longest_caption_fills_its_row_and_others_end_and_pad():
    values, vocabulary = draw(60), NAMING.vocabulary
    named = torch.rand(60, len(GROUPS), generator=generator_for(0, "named")) < 0.5
    named[0], named[1] = True, False
    tokens = NAMING.tokens(values, named, torch.arange(60) % 3)
    assert tokens.dtype == torch.int64
    assert tokens.shape == (60, NAMING.length) == (60, 13)
    for row, count in zip(tokens.tolist(), (2 + named.sum(1)).tolist(), strict=True):
        assert min(row[:count]) > vocabulary.unknown
        assert row[count:] == [vocabulary.end] + [vocabulary.pad] * (12 - count)


def test_text_is_encoded_to_the_same_tokens():
    values = draw(60)
    named = torch.rand(60, len(GROUPS), generator=generator_for(0, "named")) < 0.5
    tokens = NAMING.tokens(values, named, torch.arange(60) % 3)
    again = NAMING.vocabulary.encode(NAMING.text(tokens), NAMING.length)
    assert torch.equal(again, tokens)


@pytest.mark.parametrize("group", GROUPS)
def test_prompts_name_a_single_group_of_which_alone_they_know(group):
    """Even one that captions never name: its words are in the vocabulary."""
    captions = ConceptCaptions(tuple(float(name != group) for name in GROUPS))
    named = torch.zeros(4, len(GROUPS), dtype=torch.bool)
    named[:, GROUPS.index(group)] = True
    tokens = captions.tokens({group: torch.arange(4)}, named, torch.tensor([0, 1, 2, 0]))
    openings = ("a picture", "a photo", "this scene", "a picture")
    expected = [f"{o} {word}" for o, word in zip(openings, WORDS[group], strict=True)]
    assert captions.text(tokens) == expected


# ---- bias and coverage


def test_selected_are_the_groups_that_captions_ever_name():
    bias = NAMING.bias
    assert (bias.n, bias.selected, bias.perturbed) == (10, (1, 3, 4, 5, 6, 7, 8, 9, 10), ())
    assert ConceptCaptions((1.0,) + (0.0,) * 9).bias.selected == (1,)


@pytest.mark.parametrize(
    "coverage",
    [(), SHARES[:9], (*SHARES, 0.5), (*SHARES[:9], 1.01), (-0.1, *SHARES[1:]), (math.nan,) * 10],
)
def test_coverage_is_a_share_for_each_group(coverage, complains):
    with complains("coverage", "a share from 0 to 1 for each of 10 groups", str(coverage)):
        ConceptCaptions(coverage)


# ---- pairs


def test_a_pool_is_of_its_seed_and_shows_its_factors():
    one, same, other = (concepts.rendered(20, seed=seed, size=16) for seed in (3, 3, 4))
    assert isinstance(one, CachedImages) and len(one) == 20
    assert set(one.factors) == {factor.name for factor in FACTORS}
    for name, values in one.factors.items():
        assert torch.equal(values, same.factors[name])
        assert not torch.equal(values, other.factors[name])
    rows = torch.tensor([7, 0, 19])
    chosen = {name: values[rows] for name, values in one.factors.items()}
    assert torch.equal(one.images(rows), scenes.render(chosen, size=16))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_pairs_are_of_one_scene_and_name_it_never_or_always(share):
    coverage = tuple(share if group == "light" else 0.5 for group in GROUPS)
    pictures = concepts.rendered(30, size=16)
    world = ImageWorld(FACTORS, pictures, ConceptCaptions(coverage), torch.arange(5, 25))
    batch = world.sample(300, generator=generator_for(0, "pairs"))
    assert batch.image.shape == (300, 3, 16, 16) and batch.text.shape == (300, 13)
    values = {name: column[:, 0] for name, column in batch.factors.items()}
    assert (batch.image * 255).round().byte().equal(scenes.render(values, size=16))
    lights = 0
    for row, line in enumerate(world.captions.text(batch.text)):
        found = {GROUP_OF[word]: word for word in line.split()[2:]}
        assert all(WORDS[group][values[group][row]] == word for group, word in found.items())
        lights += "light" in found
    assert lights == share * 300
    assert ("light" in batch.text_factors) == (share > 0)
    assert set(values) == {factor.name for factor in world.factors}
