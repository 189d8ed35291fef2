"""A world and a study of somebody else's: three numbers, of which captions tell some, in words."""

from types import SimpleNamespace

import torch

from misalign.bias import Bias
from misalign.encoders.mlp import numerical_encoder
from misalign.rng import generator_for
from misalign.run import TrainedModel
from misalign.training.loop import Recipe
from misalign.worlds.base import Batch, Factor


class Pebbles:
    factors = (Factor("s1"), Factor("s2"), Factor("s3"))

    def __init__(self, bias, noise):
        self.bias, self.noise = bias, noise

    def sample(self, n, *, generator, device="cpu"):
        s, e = torch.randn(2, n, 3, generator=generator, device=device).unbind()
        wrong = torch.tensor([i in self.bias.perturbed for i in (1, 2, 3)], device=device)
        told = s + self.noise * wrong * e
        true, text = ({f"s{i + 1}": x[:, i : i + 1] for i in range(3)} for x in (s, told))
        return Batch(s, told[:, [i - 1 for i in self.bias.selected]], true, text)


class PebbleStudy:
    name = "pebbles"
    variants, latents, takes_bias = ("", "untrained"), ("independent",), True
    smoke = {"recipe": Recipe(steps=40, batch_size=64, learning_rate=0.01)}
    scales = {"smoke": SimpleNamespace(probe_steps=20, probe_samples=256, **smoke)}
    options = {"noise": 1.0}

    def bias(self, bias, setting):
        return Bias(3, tuple(range(1, setting + 1)))

    def initial(self, run, device):
        world = Pebbles(run.resolved_bias, run.option("noise"))
        sample = world.sample(256, generator=generator_for(run.seed, "scales"))
        pair = {}
        for m, x in (("image", sample.image), ("text", sample.text)):
            options = {"hidden": (8,), "whiten": False, "standardize": True}
            options["generator"] = generator_for(run.seed, "initial weights", m)
            pair[m] = numerical_encoder(x, run.encoding_size, **options)
        return TrainedModel(world, torch.nn.ModuleDict(pair).eval(), torch.zeros(0))
