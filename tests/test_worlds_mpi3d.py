"""MPI3D-Complex: factors, settings, perturbations, and pairs."""

import pytest
import torch
from pictured import Teller, paint

from misalign.bias import Bias
from misalign.images.base import split
from misalign.images.cached import CachedImages
from misalign.images.rendered import RenderedImages
from misalign.rng import generator_for
from misalign.worlds import mpi3d
from misalign.worlds.captions import TemplateCaptions
from misalign.worlds.images import ImageWorld

SAMPLES = 100_000
NAMES = tuple(factor.name for factor in mpi3d.SEMANTIC)
SIZES = {"color": 4, "shape": 4, "size": 2, "cam": 3, "back": 3, "hori": 40, "vert": 40}


def assert_share(hits, share):
    """A proportion as expected, within five standard errors."""
    error = (share * (1 - share) / hits.numel()) ** 0.5
    assert abs(hits.double().mean().item() - share) <= 5 * error


def captions(bias):
    return TemplateCaptions(mpi3d.SEMANTIC, bias, Teller(*(NAMES[i - 1] for i in bias.selected)))


def pool(n=50):
    columns = mpi3d.draw(n, generator=generator_for(0, "pool"))
    return CachedImages(RenderedImages(paint, columns))


def perturbed(bias, n=SAMPLES):
    true = mpi3d.draw(n, generator=generator_for(0, "draw"))
    return true, captions(bias).perturb(true, generator=generator_for(0, "perturb"))


# ---- factors


def test_factors_are_those_of_table_6():
    assert {factor.name: factor.size for factor in mpi3d.FACTORS} == SIZES
    assert {factor.kind for factor in mpi3d.FACTORS} == {"discrete"}
    sides = {factor.name: factor.side for factor in mpi3d.FACTORS}
    assert [name for name, side in sides.items() if side == "image"] == ["hori", "vert"]


def test_drawn_factors_are_uniform_and_independent():
    drawn = mpi3d.draw(SAMPLES, generator=generator_for(0, "draw"))
    for name, size in SIZES.items():
        for value in range(size):
            assert_share(drawn[name] == value, 1 / size)
    for first in SIZES:
        for second in SIZES:
            if first < second:
                both = (drawn[first] == 0) & (drawn[second] == 1)
                assert_share(both, 1 / (SIZES[first] * SIZES[second]))


def test_combinations_come_in_the_published_order():
    """Row i has factors i div 115,200, ..., i mod 40: the last varies fastest."""
    columns = mpi3d.combinations()
    rows = torch.tensor([0, 1, 39, 40, 1600, 4800, 14_400, 28_800, 115_200, 460_799])
    found = torch.stack([columns[name][rows] for name in SIZES], 1).tolist()
    assert found == [
        [0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 39],
        [0, 0, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 1, 0, 0],
        [0, 0, 0, 1, 0, 0, 0],
        [0, 0, 1, 0, 0, 0, 0],
        [0, 1, 0, 0, 0, 0, 0],
        [1, 0, 0, 0, 0, 0, 0],
        [3, 3, 1, 2, 2, 39, 39],
    ]
    assert len(columns["vert"]) == 460_800


# ---- settings


@pytest.mark.parametrize("number", range(1, 6))
def test_settings_are_those_of_table_7(number):
    selection = mpi3d.setting("selection", number)
    assert (selection.selected, selection.perturbed) == (tuple(range(1, number + 1)), ())
    expected = {1: (), 2: (5,), 3: (4, 5), 4: (3, 4, 5), 5: (2, 3, 4, 5)}[number]
    perturbation = mpi3d.setting("perturbation", number)
    assert (perturbation.selected, perturbation.perturbed) == ((1, 2, 3, 4, 5), expected)
    assert (perturbation.probability, perturbation.kind) == (0.9, "uniform")


@pytest.mark.parametrize("number", [0, 6, True, 1.0])
def test_settings_beyond_the_table_are_refused(complains, number):
    with complains("setting", "from 1 to 5 for selection bias (Table 7)", repr(number)):
        mpi3d.setting("selection", number)


def test_there_are_two_biases(complains):
    with complains("bias", "one of selection, perturbation", "'joint'"):
        mpi3d.setting("joint", 1)


# ---- perturbation


@pytest.mark.parametrize("number", range(1, 6))
@pytest.mark.parametrize("kind", ["uniform", "other"])
def test_a_perturbation_changes_its_own_factors_alone(number, kind):
    bias = mpi3d.setting("perturbation", number, kind=kind)
    true, said = perturbed(bias, 1000)
    assert set(said) == set(NAMES)
    changed = [name for name in NAMES if not torch.equal(said[name], true[name])]
    assert changed == [NAMES[i - 1] for i in bias.perturbed]


@pytest.mark.parametrize("kind", ["uniform", "other"])
def test_values_are_replaced_as_often_as_the_kind_says(kind):
    """Of k values: wrong with probability 0.9 (k - 1) / k, or 0.9 if the old one is left out."""
    true, said = perturbed(mpi3d.setting("perturbation", 5, kind=kind))
    for name in NAMES[1:]:
        k = SIZES[name]
        wrong = 0.9 * (k - 1) / k if kind == "uniform" else 0.9
        assert_share(said[name] != true[name], wrong)
        for value in range(k):
            for put in set(range(k)) - {value}:
                assert_share((said[name] == put)[true[name] == value], wrong / (k - 1))


def test_perturbations_of_two_factors_are_independent():
    true, said = perturbed(mpi3d.setting("perturbation", 5, kind="other"))
    wrong = [said[name] != true[name] for name in ("size", "cam")]
    assert_share(wrong[0] & wrong[1], 0.81)


def test_noise_is_no_perturbation_of_words(complains):
    with complains("bias", "one of kind uniform or other", "kind 'noise'"):
        captions(Bias(5, (1, 2), (2,)))


def test_bias_and_captioner_must_fit(complains):
    with complains("bias", "one of 5 factors", "one of 7"):
        captions(Bias(7, (1, 2)))
    with complains("captioner", "one that names color, shape", "('color',)"):
        TemplateCaptions(mpi3d.SEMANTIC, mpi3d.setting("selection", 2), Teller("color"))


# ---- pairs


def test_image_text_and_factors_of_a_pair_belong_together():
    bias = mpi3d.setting("perturbation", 4)
    batch = ImageWorld(mpi3d.FACTORS, pool(), captions(bias)).sample(
        500, generator=generator_for(0, "pairs")
    )
    assert batch.image.shape == (500, 3, 4, 4)
    assert batch.image.dtype == torch.float32
    told = (batch.image[:, :, 0, 0] * 255).round().long()
    factors = torch.cat([batch.factors[name] for name in NAMES[:3]], 1)
    assert torch.equal(told, factors)
    said = torch.cat([batch.factors["phrase"], *batch.text_factors.values()], 1)
    assert torch.equal(batch.text, said)
    for name in ("color", "shape"):
        assert torch.equal(batch.text_factors[name], batch.factors[name])
    for name in ("size", "cam", "back"):
        assert not torch.equal(batch.text_factors[name], batch.factors[name])


def test_a_batch_has_what_the_world_names():
    bias = mpi3d.setting("selection", 3)
    world = ImageWorld(mpi3d.FACTORS, pool(), captions(bias))
    batch = world.sample(7, generator=generator_for(0, "pairs"))
    assert world.bias == bias
    assert tuple(batch.factors) == tuple(factor.name for factor in world.factors)
    assert tuple(batch.text_factors) == ("color", "shape", "size")
    assert tuple(factor.name for factor in world.captions.said) == tuple(batch.text_factors)
    for factor in world.factors:
        values = batch.factors[factor.name]
        assert values.shape == (7, 1)
        assert 0 <= values.min() and values.max() < factor.size
    phrase = world.factors[-1]
    assert (phrase.name, phrase.kind, phrase.size, phrase.side) == ("phrase", "discrete", 3, "text")


def test_a_part_of_the_pictures_is_drawn_from_alone_and_evenly():
    pictures = pool(40)
    part = split(40, (8, 1, 1), seed=0)["evaluation"]
    pictures.factors["vert"] = torch.arange(40)  # tells the pictures apart
    world = ImageWorld(mpi3d.FACTORS, pictures, captions(mpi3d.setting("selection", 1)), part)
    drawn = world.sample(10_000, generator=generator_for(0, "pairs")).factors["vert"]
    assert set(drawn.flatten().tolist()) == set(part.tolist())
    for index in part:
        assert_share(drawn == index, 1 / len(part))


def test_templates_and_perturbations_are_drawn_afresh_for_a_picture_met_again():
    pictures = pool(1)
    world = ImageWorld(mpi3d.FACTORS, pictures, captions(mpi3d.setting("perturbation", 5)))
    batch = world.sample(30_000, generator=generator_for(0, "pairs"))
    for value in range(3):
        assert_share(batch.factors["phrase"] == value, 1 / 3)
        share = 0.1 * (pictures.factors["cam"][0].item() == value) + 0.3
        assert_share(batch.text_factors["cam"] == value, share)


def test_batches_repeat_with_the_generator_and_differ_without():
    world = ImageWorld(mpi3d.FACTORS, pool(), captions(mpi3d.setting("perturbation", 3)))
    generator = generator_for(0, "pairs")
    one, other = (world.sample(20, generator=generator) for _ in range(2))
    again = world.sample(20, generator=generator_for(0, "pairs"))
    assert torch.equal(one.text, again.text)
    assert torch.equal(one.image, again.image)
    assert not torch.equal(one.image, other.image)


def test_global_generators_are_left_alone():
    before = torch.get_rng_state()
    world = ImageWorld(mpi3d.FACTORS, pool(), captions(mpi3d.setting("perturbation", 3)))
    world.sample(5, generator=generator_for(0, "pairs"))
    assert torch.equal(torch.get_rng_state(), before)


def test_pictures_and_part_must_fit(complains):
    told = captions(mpi3d.setting("selection", 1))
    with complains("pictures", "whose factors are color, shape", "none for hori, vert"):
        factors = {name: torch.zeros(4, dtype=torch.long) for name in NAMES}
        ImageWorld(mpi3d.FACTORS, RenderedImages(paint, factors), told)
    with complains("part", "indices from 0 to 49", "ones from 3 to 50"):
        ImageWorld(mpi3d.FACTORS, pool(), told, torch.tensor([3, 50]))
    with complains("part", "at least one picture", "none"):
        ImageWorld(mpi3d.FACTORS, pool(), told, torch.tensor([], dtype=torch.long))


def test_sampling_elsewhere_than_where_the_world_is_says_so(complains):
    world = ImageWorld(mpi3d.FACTORS, pool(), captions(mpi3d.setting("selection", 1)))
    with complains("device", "the world's own, cpu (move it with `to`)", "meta"):
        world.sample(2, generator=generator_for(0, "s"), device="meta")


def test_a_moved_world_draws_the_same():
    world = ImageWorld(mpi3d.FACTORS, pool(), captions(mpi3d.setting("perturbation", 3)))
    world.sample(5, generator=generator_for(0, "warm"))  # some pictures are kept by now
    one, other = (
        w.sample(20, generator=generator_for(0, "pairs")) for w in (world, world.to("cpu"))
    )
    assert torch.equal(one.image, other.image)
    assert torch.equal(one.text, other.text)


# ---- with this library's renderer and captions


def test_a_pool_is_of_different_combinations_and_of_the_seed():
    one, same, other = (mpi3d.rendered(500, seed=seed).factors for seed in (0, 0, 1))
    rows = torch.stack(list(one.values()), 1)
    assert len(rows.unique(dim=0)) == 500
    assert torch.equal(one["hori"], same["hori"])
    assert not torch.equal(one["hori"], other["hori"])
    assert len(mpi3d.rendered()) == 460_800


def test_a_pool_is_no_larger_than_the_combinations(complains):
    with complains("n", "a whole number from 1 to 460800", "460801"):
        mpi3d.rendered(460_801)


@pytest.mark.parametrize("number", [1, 5])
def test_captions_say_the_words_of_their_factors(number):
    world = mpi3d.world(pool(), mpi3d.setting("perturbation", number))
    batch = world.sample(200, generator=generator_for(0, "pairs"))
    captioner = world.captions.captioner
    assert batch.text.shape == (200, world.captions.length)
    lines = captioner.vocabulary.decode(batch.text)
    for name, values in batch.text_factors.items():
        words = captioner.wordings[name].words
        for line, value in zip(lines, values.flatten().tolist(), strict=True):
            assert words[value] in line.split()
            assert not set(words) - {words[value]} & set(line.split())
