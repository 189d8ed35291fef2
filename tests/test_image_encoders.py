"""Encoders of pictures and captions: what they see, and that they stack."""

import copy

import pytest
import torch
from torch import nn

from misalign.encoders.mlp import stack, unstack
from misalign.encoders.small import CaptionEncoder, Convolution, ImageEncoder, PixelEncoder
from misalign.rng import generator_for
from misalign.training.loop import train
from misalign.training.recipe import Recipe
from misalign.training.step import _hidden
from misalign.worlds.base import Batch

TRUNK = ((6, 4, 4), (8, 3, 2))


def pictures(n=5, side=16):
    return torch.rand(n, 3, side, side, generator=generator_for(0, "pictures"))


def seeing(size=2, seed=0, side=16):
    generator = generator_for(seed, "weights")
    return ImageEncoder(size, TRUNK, side=side, hidden=8, generator=generator)


def reading(size=2, words=10, length=6, seed=0):
    options = {"words": words, "length": length, "width": 8, "hidden": 8}
    return CaptionEncoder(size, **options, generator=generator_for(seed, "words"))


def test_a_convolution_is_torch_s_with_batch_norm_and_relu():
    ours = Convolution(3, 4, 3, 2, generator=generator_for(0, "w"))
    naive = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1, bias=False), nn.BatchNorm2d(4), nn.ReLU())
    with torch.no_grad():
        naive[0].weight.copy_(ours.weight.view(4, 3, 3, 3))
    for mode in (True, False):
        ours.train(mode)
        naive.train(mode)
        torch.testing.assert_close(ours(pictures()), naive(pictures()))
    torch.testing.assert_close(ours.mean[0], naive[1].running_mean)
    torch.testing.assert_close(ours.variance[0], naive[1].running_var)


@pytest.mark.parametrize("side", [16, 18, 21, 64])
def test_pictures_of_any_size_are_encoded(side):
    assert seeing(3, side=side)(pictures(side=side)).shape == (5, 3)


@pytest.mark.parametrize(
    ("encoders", "inputs"),
    [
        ([seeing(2, 0), seeing(3, 1)], torch.stack([pictures(), 1 - pictures()])),
        (
            [PixelEncoder(n, (8, 4), generator=generator_for(n, "w")) for n in (2, 3)],
            torch.stack([pictures(), 1 - pictures()]),
        ),
    ],
)
@pytest.mark.parametrize("training", [True, False])
def test_a_stack_sees_as_its_encoders_do(encoders, inputs, training):
    together = stack(encoders).train(training)
    found = together(inputs)
    for encoder, x, z in zip(encoders, inputs, found, strict=True):
        alone = encoder.train(training)(x)
        torch.testing.assert_close(z[:, : alone.shape[1]], alone, atol=1e-5, rtol=1e-4)


def test_a_stack_reads_captions_of_different_lengths_and_vocabularies():
    short, long = reading(2, words=9, length=4), reading(3, words=12, length=7, seed=1)
    tokens = torch.randint(1, 9, (2, 5, 7), generator=generator_for(0, "tokens"))
    tokens[0, :, 4:] = 0  # as `training` pads
    found = stack([short, long])(tokens)
    torch.testing.assert_close(found[0, :, :2], short(tokens[0, :, :4]))
    torch.testing.assert_close(found[1], long(tokens[1]))


def test_padding_tells_nothing():
    encoder = reading(length=8)
    tokens = torch.tensor([[3, 4, 5, 1, 0, 0, 0, 0]])
    z = encoder(tokens)
    with torch.no_grad():
        encoder.words[0] += 10
        encoder.places[4:] += 10
    torch.testing.assert_close(encoder(tokens), z)


def test_the_order_of_words_counts():
    encoder = reading()
    one, other = torch.tensor([[3, 4, 5, 1, 0, 0]]), torch.tensor([[5, 4, 3, 1, 0, 0]])
    assert (encoder(one) - encoder(other)).abs().max() > 1e-3


def test_moments_of_a_stack_come_back_to_its_encoders():
    encoders = [seeing(2, 0), seeing(2, 1)]
    together = stack(encoders).train()
    together(torch.stack([pictures(), 1 - pictures()]))
    before = [encoder.trunk[0].mean.clone() for encoder in encoders]
    unstack(together, encoders)
    for encoder, old in zip(encoders, before, strict=True):
        assert (encoder.trunk[0].mean - old).abs().max() > 0
    assert (encoders[0].trunk[0].mean - encoders[1].trunk[0].mean).abs().max() > 0


def test_where_a_thing_is_counts_as_well_as_what_it_is():
    encoder = seeing().eval()
    picture = torch.full((2, 3, 16, 16), 0.5)
    picture[0, :, :4, :4] = 1
    picture[1, :, 8:12, 8:12] = 1
    one, other = encoder(picture)
    assert (one - other).abs().max() > 1e-3


class Noise:
    """Pairs of random pictures and tokens."""

    def sample(self, n, *, generator, device="cpu"):
        image = torch.rand(n, 3, 16, 16, generator=generator)
        return Batch(image, torch.randint(1, 10, (n, 6), generator=generator), {}, {})


def test_training_moves_every_weight():
    pair = nn.ModuleDict({"image": seeing(), "text": reading()})
    before = {name: value.detach().clone() for name, value in pair.named_parameters()}
    recipe = Recipe(
        steps=3,
        batch_size=8,
        learning_rate=1e-2,
        muon_rate=1e-2,
        objective="mmcl",
        prefetch_steps=1,
    )
    train(pair, Noise(), recipe, generator=generator_for(0, "batches"), every=1)
    # an offset of all outputs changes no distance between pictures, but between both sides
    unmoved = [name for name, value in pair.named_parameters() if torch.equal(before[name], value)]
    assert unmoved == []


def test_a_width_below_1_is_one_line(complains):
    with complains("encoding_size", "at least 1", "0"):
        seeing(0)


@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (3, 2), (4, 4), (5, 2)])
def test_maps_shrink_by_the_stride_whatever_the_window(kernel, stride):
    layer = Convolution(3, 4, kernel, stride, generator=generator_for(0, "w"))
    assert layer(pictures()).shape == (5, 4, 16 // stride, 16 // stride)


def test_muon_trains_every_kernel_and_what_lies_between_hidden_layers_once():
    image, text = seeing(), reading()
    pair = nn.ModuleDict({"image": image, "text": text})
    kernels = [layer.weight for layer in (*image.trunk, image.where)]
    between = [image.head.layers[0].weight, text.near.layers[0].weight, text.head.layers[0].weight]
    found = [id(weight) for weight in _hidden(pair)]
    assert sorted(found) == sorted(map(id, (*kernels, *between)))


def test_a_perceptron_of_pixels_leaves_muon_the_matrix_in_the_middle():
    encoder = PixelEncoder(2, (8, 4), generator=generator_for(0, "w"))
    (weight,) = _hidden(nn.ModuleDict({"image": encoder}))
    assert weight is encoder.head.layers[1].weight


def test_every_run_of_a_stack_keeps_moments_of_its_own_pictures():
    encoders, inputs = [seeing(2, 0), seeing(3, 1)], torch.stack([pictures(), 1 - pictures()])
    copies = [copy.deepcopy(encoder) for encoder in encoders]
    together = stack(encoders).train()
    for _ in range(2):
        together(inputs)
    unstack(together, encoders)
    for encoder, alone, x in zip(encoders, copies, inputs, strict=True):
        for _ in range(2):
            alone.train()(x)
        for (name, value), other in zip(encoder.named_buffers(), alone.buffers(), strict=True):
            torch.testing.assert_close(value, other, msg=lambda text, name=name: f"{name}: {text}")


def test_pixels_of_a_larger_picture_are_averaged():
    encoder = PixelEncoder(2, (8,), generator=generator_for(0, "w"))
    small = torch.rand(4, 3, 16, 16, generator=generator_for(0, "small"))
    large = small.repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(encoder(large), encoder(small))
