"""The picture book's world: what captions name, how often, and in what words."""

import pytest
import torch

from misalign.streams import stream
from misalign.worlds import concepts
from misalign.worlds.concepts import GROUPS, OPENINGS, WORDS, Naming
from misalign.worlds.pictured import PicturedWorld

N = 20_000


def drawn(coverage, n=N):
    """Factors of n pictures, what captions say of them, and the captions' texts."""
    values = concepts.draw(n, generator=stream(0, "factors"))
    captions = Naming(coverage)
    tokens, said, template = captions.of(torch.arange(n), values, generator=stream(0, "captions"))
    return values, said, template, [line.split() for line in captions.text(tokens)]


def test_concepts_are_uniform_and_independent():
    values = concepts.draw(N, generator=stream(0, "factors"))
    table = torch.stack([values[name] for name in GROUPS], 1).double()
    for column in table.T:
        shares = column.long().bincount(minlength=4) / N
        assert (shares - 0.25).abs().max() < 5 * (0.25 * 0.75 / N) ** 0.5
    correlations = torch.corrcoef(table.T).fill_diagonal_(0)
    assert correlations.abs().max() < 5 / N**0.5


def test_no_word_serves_two_groups():
    words = [word for group in WORDS.values() for word in group]
    openings = {word for opening in OPENINGS for word in opening}
    assert len(set(words)) == len(words) == 40
    assert not openings & set(words)


def test_captions_name_each_group_in_its_share_and_independently():
    coverage = (0.0, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0, 0.2, 0.05)
    values, _, _, lines = drawn(coverage)
    named = torch.tensor(
        [[bool(set(line) & set(words)) for words in WORDS.values()] for line in lines]
    )
    shares = named.double().mean(0)
    for share, expected in zip(shares.tolist(), coverage, strict=True):
        assert abs(share - expected) <= 5 * (expected * (1 - expected) / N) ** 0.5
    both = named[:, [3, 4]].all(1).double().mean()
    assert both.item() == pytest.approx(0.3 * 0.5, abs=0.015)
    # whether a group is named does not depend on what is there to name
    by_value = [named[values["color"] == value, 4].double().mean().item() for value in range(4)]
    assert by_value == pytest.approx([0.5] * 4, abs=0.04)


def test_what_is_named_is_what_is_there_in_the_order_of_a_sentence():
    values, said, template, lines = drawn((0.5,) * len(GROUPS), 300)
    for row, line in enumerate(lines):
        opening = OPENINGS[template[row]]
        assert tuple(line[: len(opening)]) == opening
        true = {name: WORDS[name][values[name][row]] for name in GROUPS}
        expected = [true[name] for name in GROUPS if true[name] in line]
        assert line[len(opening) :] == expected
    assert all(torch.equal(said[name], values[name]) for name in GROUPS)


def test_a_caption_is_words_an_end_and_padding():
    captions = Naming((1.0,) * len(GROUPS))
    named = torch.zeros(2, len(GROUPS), dtype=torch.bool)
    named[1] = True
    values = {name: torch.tensor([1, 2]) for name in GROUPS}
    tokens = captions.tokens(values, named, torch.tensor([0, 1]))
    vocabulary = captions.vocabulary
    assert tokens.shape == (2, captions.length)
    assert tokens[0].tolist() == [*vocabulary.indices(("a", "picture")), vocabulary.end] + 10 * [0]
    assert tokens[1, -1] == vocabulary.end and (tokens[1] != vocabulary.pad).all()


def test_a_prompt_needs_no_more_than_its_own_group():
    captions = Naming((0.0,) * len(GROUPS))
    named = torch.zeros(4, len(GROUPS), dtype=torch.bool)
    named[:, GROUPS.index("weather")] = True
    tokens = captions.tokens({"weather": torch.arange(4)}, named, torch.zeros(4, dtype=torch.long))
    assert captions.text(tokens) == [f"a picture {word}" for word in WORDS["weather"]]


def test_groups_that_are_never_named_are_not_selected():
    coverage = [0.0] * len(GROUPS)
    coverage[2], coverage[6] = 1.0, 0.001
    captions = Naming(tuple(coverage))
    assert captions.bias.selected == (3, 7) and captions.bias.perturbed == ()
    assert [factor.name for factor in captions.said] == [GROUPS[2], GROUPS[6]]


@pytest.mark.parametrize("coverage", [(0.5,) * 9, (0.5,) * 9 + (1.5,), (0.5,) * 9 + (-0.1,)])
def test_coverage_that_is_none_is_one_line(coverage):
    with pytest.raises(ValueError, match=r"^coverage: expected a share from 0 to 1 for each of 10"):
        Naming(coverage)


def test_a_world_draws_pairs_of_pictures_and_captions():
    pictures = concepts.rendered(12, size=16)
    world = PicturedWorld(concepts.FACTORS, pictures, Naming((1.0,) * len(GROUPS)))
    batch = world.sample(8, generator=stream(0, "batch"))
    assert batch.image.shape == (8, 3, 16, 16) and 0 <= batch.image.min() < batch.image.max() <= 1
    for line, color in zip(world.captions.text(batch.text), batch.factors["color"], strict=True):
        assert WORDS["color"][color.item()] in line.split()
    assert set(batch.text_factors) == set(GROUPS)


def test_pictures_are_those_of_their_seed():
    one, same, other = (concepts.rendered(3, seed=seed, size=16) for seed in (0, 0, 1))
    rows = torch.arange(3)
    assert torch.equal(one.images(rows), same.images(rows))
    assert not torch.equal(one.images(rows), other.images(rows))
