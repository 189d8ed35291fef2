"""The published encoders: their layers, and that any module trains and stacks."""

import sys

import pytest
import torch
from torch import nn

from misalign.encoders.mlp import stack, unstack
from misalign.encoders.published import CHANNELS, Flattened, TokenCNN, resnet, token_cnn
from misalign.rng import generator_for
from misalign.training.loop import train
from misalign.training.recipe import Recipe
from misalign.worlds.base import Batch


def small():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 36, 2))


def pictures(runs=()):
    return torch.rand(*runs, 5, 3, 8, 8, generator=generator_for(0, "pictures"))


@pytest.mark.parametrize(("length", "layers"), [(4, 1), (9, 2), (25, 3)])
def test_convolutions_go_on_until_a_side_is_under_4(length, layers):
    cnn = TokenCNN(3, 20, length)
    channels = [part.out_channels for part in cnn.layers if isinstance(part, nn.Conv2d)]
    assert channels == [CHANNELS * 2**i for i in range(layers)]
    assert cnn(torch.randint(20, (5, length))).shape == (5, 3)


def test_words_are_a_linear_layer_of_one_hot_tokens():
    cnn, tokens = TokenCNN(3, 20, 6).eval(), torch.randint(20, (5, 6))
    vectors = cnn.words(nn.functional.one_hot(tokens, 20).float())
    expected = cnn.last(cnn.layers(vectors[:, None]).flatten(1))
    torch.testing.assert_close(cnn(tokens), expected)


def test_a_caption_too_short_is_one_line(complains):
    with complains("length", "at least 4", "3"):
        TokenCNN(3, 20, 3)


def test_a_flattened_module_is_the_module_itself():
    flat = Flattened(small, generator=generator_for(0, "w"))
    naive = small()
    with torch.no_grad():
        for name, value in [*naive.named_parameters(), *naive.named_buffers()]:
            if value.ndim:
                value.copy_(getattr(flat, name.replace(".", "__")).view(value.shape))
    for mode in (True, False):
        flat.train(mode)
        naive.train(mode)
        torch.testing.assert_close(flat(pictures()), naive(pictures()))
    torch.testing.assert_close(getattr(flat, "1__running_mean")[:, 0], naive[1].running_mean)


def test_every_tensor_is_a_matrix_and_has_a_gradient():
    flat = Flattened(small, generator=generator_for(0, "w")).train()
    assert {value.ndim for value in flat.state_dict().values()} == {2}
    flat(pictures()).square().sum().backward()
    assert all(value.grad is not None for value in flat.parameters())


def test_weights_come_from_the_generator_and_leave_torch_s_own_alone():
    state = torch.random.get_rng_state()
    one, same = (Flattened(small, generator=generator_for(0, "w")) for _ in range(2))
    other = Flattened(small, generator=generator_for(1, "w"))
    assert torch.equal(torch.random.get_rng_state(), state)
    first, second, third = (getattr(part, "0__weight") for part in (one, same, other))
    assert torch.equal(first, second)
    assert not torch.equal(first, third)


def test_flattened_modules_stack():
    flats = [Flattened(small, generator=generator_for(i, "w")).eval() for i in range(2)]
    x = pictures((2,))
    found = stack(flats).eval()(x)
    for flat, part, z in zip(flats, x, found, strict=True):
        torch.testing.assert_close(z, flat(part))


def test_token_cnns_of_one_setting_stack():
    pair = [token_cnn(3, 20, 9, generator=generator_for(i, "w")).eval() for i in range(2)]
    tokens = torch.randint(20, (2, 5, 9), generator=generator_for(0, "tokens"))
    torch.testing.assert_close(stack(pair).eval()(tokens)[1], pair[1](tokens[1]))


def test_without_torchvision_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    with pytest.raises(ImportError, match=r"^torchvision: expected .*pip install") as caught:
        resnet(3, generator=generator_for(0, "w"))
    assert "\n" not in str(caught.value)


def test_the_resnet_has_torchvision_s_weights(torchvision_fits):
    resnet18 = pytest.importorskip("torchvision.models").resnet18
    ours = resnet(3, generator=generator_for(0, "w")).eval()
    count = sum(value.numel() for value in resnet18(num_classes=100).parameters())
    assert sum(value.numel() for value in ours.parameters()) == count + 3 * 101
    assert ours(torch.rand(2, 3, 64, 64)).shape == (2, 3)


def test_every_run_of_a_stack_keeps_moments_of_its_own_pictures():
    flats = [Flattened(small, generator=generator_for(i, "w")) for i in range(2)]
    alone = [Flattened(small, generator=generator_for(i, "w")).train() for i in range(2)]
    x = torch.stack([pictures(), 1 + pictures()])
    together = stack(flats).train()
    together(x)
    unstack(together, flats)
    for flat, one, part in zip(flats, alone, x, strict=True):
        one(part)
        torch.testing.assert_close(flat.state_dict(), one.state_dict())


def test_training_moves_every_weight_of_a_flattened_pair():
    class Noise:
        def sample(self, n, *, generator, device="cpu"):
            image = torch.rand(n, 3, 8, 8, generator=generator)
            return Batch(image, torch.randint(20, (n, 9), generator=generator), {}, {})

    image = Flattened(small, generator=generator_for(0, "w"))
    text = token_cnn(2, 20, 9, generator=generator_for(1, "w"))
    pair = nn.ModuleDict({"image": image, "text": text})
    before = {name: value.detach().clone() for name, value in pair.named_parameters()}
    recipe = Recipe(steps=2, batch_size=8, learning_rate=1e-2, objective="mmcl", prefetch_steps=1)
    train(pair, Noise(), recipe, generator=generator_for(0, "batches"), every=1)
    unmoved = [name for name, value in pair.named_parameters() if torch.equal(before[name], value)]
    # batch norm takes away whatever offset stands before it, up to rounding
    assert [name for name in unmoved if not name.endswith("__bias")] == []


def test_token_cnns_of_different_vocabularies_do_not_stack(complains):
    pair = [token_cnn(3, words, 9, generator=generator_for(0, "w")).eval() for words in (20, 25)]
    with complains("encoders", "--runs-per-notebook 1", "several"):
        stack(pair)(torch.zeros(2, 5, 9).long())
