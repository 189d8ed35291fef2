# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# (extend)=
# # Extend
#
# Every experiment of this book is put together from the same four parts: a *world* that makes pairs of an
# image and a caption, *encoders*, an *objective*, and a *study* that says what is run and what is
# scored. None of them has to be one of ours. This page brings its own, one after the other, and edits
# no file of the library. The last part needs none of it: if you have
# representations already, {ref}`score those <extend-evaluate>`.

# %%
from dataclasses import replace
from types import SimpleNamespace

import torch
from torch import nn
from torch.nn import functional

from misalign import Batch, Bias, Factor, Recipe, Run
from misalign import check_world, evaluate, execute, register_study, train
from misalign.rng import generator_for
from misalign.run import TrainedModel

torch.set_num_threads(1)  # small tensors: more threads would only wait

# %% [markdown]
# ## A world
#
# Take the weather. A caption states the warmth, $s_1$, correctly and gets the wind, $s_2$, wrong three times in
# four. The picture has glare, $m_x$, which no caption can know. A world is any object that has a `bias`, its
# `factors` by name, and a method `sample`. It draws from the generator that it is given, and from
# nothing else, so a seed decides all pairs.

# %%
class Weather:
    """Warmth, wind and glare."""

    bias = Bias(2, selected=(1, 2), perturbed=(2,))
    factors = (Factor("s1"), Factor("s2"), Factor("m_x", side="image"))

    def __init__(self, glare=1.0):
        self.glare = glare

    def sample(self, n, *, generator, device="cpu"):
        draws = torch.randn(4, n, 1, generator=generator, device=device)
        s1, s2, m_x, noise = draws
        chance = torch.rand(n, 1, generator=generator, device=device)
        said = torch.where(chance < self.bias.probability, s2 + noise, s2)
        image = torch.cat([s1 + s2, s2 - self.glare * m_x, m_x], 1)
        text = torch.cat([s1, said], 1)
        factors = {"s1": s1, "s2": s2, "m_x": m_x}
        return Batch(image, text, factors, {"s1": s1, "s2": said})


world = Weather()
print("unbiased:", [f"s{i}" for i in world.bias.unbiased])

# %% [markdown]
# The theorem says what is learned from a world that keeps its promises: captions know nothing of what is
# specific to the picture, and get wrong what the bias says, as often as it says. `check_world` draws samples and
# looks. These are its last lines; before them it looks at shapes, names and random streams.

# %%
report = check_world(world)
print(report[["check", "holds"]].tail(4).to_string(index=False))
assert report["holds"].all()

# %% [markdown]
# A slip is easily made. Here captions also carry the glare. Nothing would stop a training on such pairs, but
# the theorem says nothing about it.


# %%
class Leaky(Weather):
    """Captions that know of the glare."""

    def sample(self, n, *, generator, device="cpu"):
        batch = super().sample(n, generator=generator, device=device)
        return replace(batch, text=torch.cat([batch.text, batch.factors["m_x"]], 1))


leaky = check_world(Leaky())
print("broken:", *leaky.loc[~leaky["holds"], "check"])
assert not leaky["holds"].all()

# %% [markdown]
# ## An objective
#
# An objective is anything that makes a loss of the representations $\mathbf{z}_x$ and
# $\mathbf{z}_t$ of a batch of pairs. If it is a module, its parameters are trained along with the
# encoders. This one asks of every image and every caption whether they are a pair, yes or no, and learns how
# near is near enough: a scale and a shift, as SigLIP has them.


# %%
class PairOrNot(nn.Module):
    """Binary cross-entropy over all pairs of a batch."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(10.0).log())
        self.shift = nn.Parameter(torch.tensor(0.0))

    def forward(self, z_x, z_t):
        distances = (z_x[:, None] - z_t).square().sum(-1)
        logits = self.shift - self.scale.exp() * distances
        sign = 2 * torch.eye(len(z_x), device=z_x.device) - 1
        return -functional.logsigmoid(sign * logits).sum() / len(z_x)


objective = PairOrNot()

# %% [markdown]
# ## Encoders
#
# An encoder is any module; it may be a network that somebody else has trained. The theorem asks for as many outputs as
# there are unbiased factors, here one. We bring them to unit variance, because this
# objective does not care about scale. PyTorch draws initial weights from its global generator. The library never
# seeds that one, so the page does.


# %%
def perceptron(size_in):
    layers = [nn.Linear(size_in, 64), nn.GELU(), nn.Linear(64, 1)]
    return nn.Sequential(*layers, nn.BatchNorm1d(1, affine=False))


def encoders(seed):
    torch.manual_seed(seed)
    return nn.ModuleDict({"image": perceptron(3), "text": perceptron(2)})


# %% [markdown]
# A `Recipe` has what is left to decide. Training changes the encoders in place and gives back the loss of every step.

# %%
pair = encoders(0)
recipe = Recipe(steps=200, batch_size=128, learning_rate=0.02, decay=True)
ours = replace(recipe, objective=objective)
losses = train(pair, world, ours, generator=generator_for(0, "batches"))
print("the loss fell:", bool(losses[-20:].mean() < losses[:20].mean()))
print("the scale was trained:", bool(objective.scale.exp() > 11))

# %% [markdown]
# (extend-evaluate)=
# ## Representations of any origin
#
# What do these representations know? `evaluate` takes an array of representations, one row a sample, and the factors
# of the same samples, and fits probes on one part to score them on the other. It asks for
# nothing from this library: features of CLIP beside the annotations of a data set do as well. Whoever
# knows which factors captions state correctly gets what Theorem 4.1 predicts of every factor, as
# `oracle`; and a column of noise stands beside the factors, which nothing should predict.

# %%
fresh = world.sample(4000, generator=generator_for(0, "fresh"))
with torch.no_grad():
    z = pair["image"](fresh.image)
scores = evaluate(z.numpy(), fresh.factors, unbiased=["s1"], splits=2, steps=300)
best = scores.query("probe == 'nonlinear'").set_index("factor")
print("kept:", *best.index[best["score"] > 0.9])
print("lost:", *best.index[best["score"] < 0.1])
print("as predicted:", bool((best["score"] - best["oracle"]).abs().max() < 0.1))
assert list(best.index[best["score"] > 0.9]) == ["s1"]

# %% [markdown]
# The warmth is kept, the wind and the glare are not, by another objective than the paper's.
#
# ## A study
#
# For one training that is all. Runs by the dozen, with seeds and records, are made from a *study*. It
# says what the fields of a `Run` may be, and where a run's world and encoders come from. `options` are
# parameters that no other study has, with their defaults: here the strength of the glare. What is
# scored follows from the world's factors; a study that predicts scores, as this one, has an `oracle`.


# %%
@register_study
class WeatherStudy:
    """Does glare matter?"""

    name = "weather"
    variants, latents = ("",), ("independent",)
    scales = {"page": SimpleNamespace(recipe=recipe, probe_samples=2000, probe_steps=300)}
    options = {"glare": 1.0}

    def bias(self, bias, setting):
        return Weather.bias  # whatever they are called: this study has one setting

    def initial(self, run, device):
        drawn = Weather(run.option("glare"))
        return TrainedModel(drawn, encoders(run.seed).to(device), torch.zeros(0))

    def oracle(self, run, model):
        return {("image", "s1"): 1.0, ("image", "s2"): 0.0, ("image", "m_x"): 0.0}


# %% [markdown]
# From here on everything is as for the studies of the book. `execute` takes a run from its seed to its
# record, and `record="results"` would keep that.

# %%
for glare in (0.3, 3.0):
    run = Run(experiment="weather", scale="page", options={"glare": glare})
    found = execute(run).scores.query("probe == 'nonlinear' and target == 'image'")
    least = found.groupby("factor")["score"].min()  # of image and caption
    print(f"glare {glare}, kept:", *least.index[least > 0.9])
    assert list(least.index[least > 0.9]) == ["s1"]

# %% [markdown]
# Strong or weak, glare is not in the captions, so it is in neither representation.
#
# ## From a notebook to a package
#
# A sweep runs in processes of its own. They find a study in a module that can be imported, say `weather.py`, and a
# sweep file beside it names its runs:
#
# ```yaml
# runs:
#   - experiment: weather
#     scale: page
#     glare: [0.3, 1.0, 3.0]
#     seed: [0, 1, 2, 3, 4]
# ```
#
# ```sh
# misalign sweep glare.yml --import weather --no-notebooks --results results
# misalign runs weather --import weather --results results
# ```
#
# A package that others install offers its studies as entry points. Then nobody needs `--import`:
#
# ```toml
# [project.entry-points."misalign.studies"]
# weather = "weather:WeatherStudy"
# ```
#
# ## Where to go next
#
# {doc}`../book/api` has every part's page. {doc}`05_assumptions` shows what becomes of the
# theorem where a world breaks its assumptions, and {doc}`13_practice` what it means for captions of your own.
