"""What `check_world` passes and what it flags: worlds of the package, and worlds that leak."""

from dataclasses import replace

import pytest
import torch
from pictured import paint

from misalign.bias import Bias
from misalign.images.rendered import RenderedImages
from misalign.rng import generator_for
from misalign.worlds import causal3dident, mpi3d
from misalign.worlds.base import Batch, Factor
from misalign.worlds.check import check_world
from misalign.worlds.mixing import Mixing
from misalign.worlds.resampled import ResampledWorld


class Spoiled:
    """A world whose batches are changed on their way out."""

    def __init__(self, world, change):
        self.factors, self.bias = world.factors, world.bias
        self.world, self.change = world, change

    def sample(self, n, *, generator, device="cpu"):
        return self.change(self.world.sample(n, generator=generator, device=device))


def resampled(bias, values=None):
    g_x, g_t = (Mixing((torch.eye(n + 2),)) for n in (bias.n, len(bias.selected)))
    return ResampledWorld(bias, values, g_x, g_t)


def broken(world, change=None, samples=2048):
    found = check_world(world if change is None else Spoiled(world, change), samples=samples)
    assert list(found.columns) == ["check", "expected", "measured", "holds"]
    return set(found.loc[~found["holds"], "check"])


def says(more):
    """Captions that also tell of something."""
    return lambda batch: replace(batch, text=torch.cat([batch.text, more(batch)], 1))


# ---- sound worlds


@pytest.mark.parametrize("latents", ["independent", "dependent"])
@pytest.mark.parametrize("setting", [("selection", 3), ("perturbation", 4), ("joint", 1)])
def test_numerical_worlds_keep_their_promises(drawn, latents, setting):
    assert broken(drawn(*setting, latents)) == set()


@pytest.mark.parametrize(("values", "kind"), [(None, "uniform"), (2, "uniform"), (4, "other")])
def test_resampled_worlds_keep_their_promises(values, kind):
    assert broken(resampled(Bias(3, (1, 2), (2,), kind=kind), values)) == set()


@pytest.mark.parametrize("bias", ["selection", "perturbation"])
@pytest.mark.parametrize("pictures", [700, 20_000])
def test_image_worlds_keep_their_promises_few_pictures_or_many(bias, pictures):
    """A picture that comes up again must not count twice."""
    some = mpi3d.draw(pictures, generator=generator_for(0, "pool"))
    assert broken(mpi3d.world(RenderedImages(paint, some), mpi3d.setting(bias, 3))) == set()
    some = RenderedImages(paint, causal3dident.latents(pictures, 0))
    assert broken(causal3dident.world(some, causal3dident.setting(bias, 4))) == set()


# ---- leaks


def test_captions_that_tell_of_m_x_are_flagged(drawn):
    leaky = says(lambda batch: batch.factors["m_x"][:, :1])
    assert broken(drawn("joint", 1), leaky) == {"m_x | text"}


def test_a_leak_that_no_line_sees_is_flagged(unmixed):
    world = unmixed(Bias(3, (1, 2)))
    assert broken(world, says(lambda b: b.factors["m_x"][:, :1].abs())) == {"m_x | text"}
    assert broken(world, says(lambda b: b.factors["s3"].abs())) == {"s3 | text beyond selected"}


def test_what_selected_factors_tell_of_an_omitted_one_is_no_leak(unmixed):
    world = unmixed(Bias(4, (1, 2, 3), (2,)), "dependent")
    assert broken(world, says(lambda b: b.factors["s1"] * b.factors["s3"])) == set()
    assert broken(world, says(lambda b: b.factors["s4"])) == {"s4 | text beyond selected"}


def test_pictures_that_show_the_sentence_are_flagged():
    some = RenderedImages(paint, mpi3d.draw(5000, generator=generator_for(0, "pool")))
    world = mpi3d.world(some, mpi3d.setting("selection", 3))

    def shown(batch):
        return replace(batch, image=batch.image + batch.factors["phrase"][..., None, None] / 500)

    assert broken(world, shown) == {"phrase | image"}


def test_a_sentence_chosen_by_the_place_in_the_picture_is_flagged():
    def draw(n, generator):
        s1, m_x, m_t = torch.randint(3, (3, n, 1), generator=generator)
        m_t = torch.where(torch.rand(n, 1, generator=generator) < 0.2, m_x, m_t)
        factors = {"s1": s1, "m_x": m_x, "m_t": m_t}
        x, t = torch.cat([s1, m_x], 1).float(), torch.cat([s1, m_t], 1)
        return Batch(x, t, factors, {"s1": s1})

    class Sentences:
        factors = (
            Factor("s1", "discrete", 3),
            Factor("m_x", "discrete", 3, "image"),
            Factor("m_t", "discrete", 3, "text"),
        )
        bias = Bias(1, (1,))

        def sample(self, n, *, generator, device="cpu"):
            return draw(n, generator)

    expected = {f"m_{a} | {b}" for a, b in (("x", "text"), ("t", "image"))}
    others = {"m_x | other factors", "m_t | other factors"}
    assert broken(Sentences()) == expected | others


def test_captions_that_take_m_x_for_a_factor_are_flagged(unmixed):
    world = unmixed(Bias(2, (1, 2), (2,)))

    def mistaken(batch):
        said = batch.text_factors | {"s2": batch.factors["m_x"][:, :1]}
        return replace(batch, text_factors=said)

    assert broken(world, mistaken) == {"m_x | other factors", "s2 as said"}


# ---- perturbation


@pytest.mark.parametrize("kind", ["uniform", "other"])
def test_a_perturbation_at_another_rate_or_of_another_kind_is_flagged(kind):
    world = resampled(Bias(3, (1, 2, 3), (2,), 0.5, kind), 3)
    promised = {"uniform": "other", "other": "uniform"}[kind]
    for bias in (replace(world.bias, probability=0.7), replace(world.bias, kind=promised)):
        spoiled = Spoiled(world, lambda batch: batch)
        spoiled.bias = bias
        assert broken(spoiled) == {"s2 as said"}


def test_captions_that_get_an_unperturbed_factor_wrong_are_flagged():
    some = RenderedImages(paint, causal3dident.latents(2000, 0))
    usual = causal3dident.composed(causal3dident.setting("perturbation", 1))
    slipped = causal3dident.Slipped(usual.semantic, usual.bias, usual.captioner)
    world = causal3dident.world(some, slipped)
    assert broken(world) == {"b_color as said"}


# ---- names, shapes, values and randomness


def with_factor(name, change):
    def changed(batch):
        return replace(batch, factors=batch.factors | {name: change(batch.factors[name])})

    return changed


@pytest.mark.parametrize(
    ("change", "flagged"),
    [
        (with_factor("s1", lambda s: s[:, 0]), "s1: shape, device, values"),
        (with_factor("m_x", lambda m: m[:, :1]), "m_x: shape, device, values"),
        (with_factor("s1", lambda s: s / 0), "s1: shape, device, values"),
        (lambda batch: replace(batch, text=batch.text[1:]), "text: shape, device, values"),
        (lambda batch: replace(batch, text_factors={}), "names of text_factors"),
        (
            lambda batch: replace(batch, factors=batch.factors | {"s4": batch.text}),
            "names of factors",
        ),
    ],
)
def test_wrong_names_shapes_and_values_are_flagged_alone(change, flagged):
    world = resampled(Bias(3, (1, 2), kind="uniform"))
    assert broken(world, change) == {flagged}


def test_discrete_factors_stay_among_their_values():
    some = RenderedImages(paint, mpi3d.draw(600, generator=generator_for(0, "pool")))
    world = mpi3d.world(some, mpi3d.setting("selection", 1))
    flagged = broken(world, with_factor("cam", lambda values: values + 1))
    assert flagged == {"cam: shape, device, values"}


def test_samples_must_depend_on_the_generator_alone():
    world = resampled(Bias(3, (1, 2), kind="uniform"))
    fixed = world.sample(2048, generator=generator_for(0, "fixed"))

    def cut(batch):
        n = len(batch.text)
        tables = ({k: v[:n] for k, v in t.items()} for t in (fixed.factors, fixed.text_factors))
        return Batch(fixed.image[:n], fixed.text[:n], *tables)

    assert broken(world, cut) == {"samples go on with the generator"}
    state = torch.get_rng_state()
    flagged = broken(world, lambda batch: replace(batch, image=torch.rand_like(batch.image)))
    torch.set_rng_state(state)
    assert flagged == {
        "samples repeat with the generator",
        "torch's own generator is left alone",
    }


def test_the_check_s_own_generator_repeats_and_another_is_taken():
    world = resampled(Bias(3, (1, 2), (2,), kind="uniform"))
    one, same = check_world(world, samples=512), check_world(world, samples=512)
    other = check_world(world, samples=512, generator=generator_for(1, "another"))
    assert one.equals(same)
    assert not one["measured"].equals(other["measured"])
    assert other["holds"].all()


def test_too_few_pairs_are_refused(complains):
    some = RenderedImages(paint, mpi3d.draw(50, generator=generator_for(0, "pool")))
    with complains("samples", "at least 256 different pairs", "50"):
        check_world(mpi3d.world(some, mpi3d.setting("selection", 1)))
    with complains("samples", "a whole number of at least 256", "10"):
        check_world(resampled(Bias(3, (1, 2), kind="uniform")), samples=10)


def test_a_factor_that_others_determine_and_a_sentence_without_choice_are_no_leaks(unmixed):
    def determined(batch):
        s3 = batch.factors["s1"].square()
        image = torch.cat([batch.factors["s1"], batch.factors["s2"], s3], 1)
        return replace(batch, image=image, factors=batch.factors | {"s3": s3})

    world = unmixed(Bias(3, (1, 2)))
    assert broken(world, determined) == set()
    assert broken(world, with_factor("m_t", torch.zeros_like)) == set()
