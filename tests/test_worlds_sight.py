"""Controls of what can be seen: factors in place of pictures, and in place of captions."""

import math

import torch

from misalign.rng import generator_for
from misalign.worlds import causal3dident, mpi3d
from misalign.worlds.sight import BINS, Answers, PerfectSight


def batch_of(kind, module, setting, n=300):
    pictures = module.rendered(64, seed=0, size=16)
    captions = module.composed(module.setting("selection", setting))
    world = kind(module.FACTORS, pictures, captions)
    return world, world.sample(n, generator=generator_for(0, "pairs"))


def test_perfect_sight_has_a_token_a_factor_that_tells_what_captions_say():
    world, batch = batch_of(PerfectSight, causal3dident, 7)
    assert batch.image.shape == (300, len(causal3dident.FACTORS))
    starts = [1 + sum(world.sizes[:i]) for i in range(len(world.sizes))]
    for i, factor in enumerate(world.known):
        token = batch.image[:, i] - starts[i]
        assert 0 <= token.min() and token.max() < world.sizes[i]
        if factor.name in batch.text_factors and factor.name != "s_pos":
            assert torch.equal(token, batch.text_factors[factor.name][:, 0]), factor.name
        if factor.name in ("alpha", "beta", "gamma"):
            value = batch.factors[factor.name][:, 0]
            assert torch.equal(token, (value * BINS).long())


def test_perfect_sight_renders_nothing(monkeypatch):
    monkeypatch.setattr(mpi3d.CachedImages, "images", None)
    _, batch = batch_of(PerfectSight, mpi3d, 5)
    assert batch.image.dtype == torch.int64
    assert batch.image.shape == (300, 7)


def test_answers_are_indicators_circles_and_numbers_around_0():
    world, batch = batch_of(Answers, causal3dident, 3)
    assert world.width == batch.text.shape[1] == 7 + 3 + 3 + 1 + 3 * 2 + 3
    shape, s_pos = batch.factors["shape"][:, 0], batch.factors["s_pos"][:, 0]
    assert torch.equal(batch.text[:, :7].argmax(1), shape)
    assert torch.equal(batch.text[:, :7].sum(1), torch.ones(300))
    torch.testing.assert_close(batch.text[:, 13], 2 * s_pos - 1)
    cosine, sine = batch.text[:, 14:16].T
    hue = torch.atan2(sine, cosine) / (2 * math.pi) % 1
    apart = (hue - batch.factors["color"][:, 0]).abs()
    assert torch.minimum(apart, 1 - apart).max() < 1e-4
