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
# scored. You can replace each of them by your own. This page does so, one part after the other, and
# edits no file of the library. If you have representations already, you need only one section of this
# page: {ref}`score them <extend-evaluate>`.

# %%
from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
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
# Take the weather. A caption states the warmth, $s_1$, correctly and gets the wind, $s_2$, wrong three
# times in four. The picture has glare, $m_x$, which no caption states. A world is any object that has a
# `bias`, its `factors` by name, and a method `sample`. This method draws from the generator that it is
# given, and from nothing else, so a seed decides all pairs.

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
print("unbiased:", *[f"s{i}" for i in world.bias.unbiased])

# %% [markdown]
# The theorem makes two assumptions about a world. Captions carry no information about what is specific
# to the picture. And they get wrong what the bias says, as often as it says. `check_world` draws samples
# and tests both. These are the last lines of its report; the lines before them are about shapes, names
# and random streams.

# %%
report = check_world(world)
print(report[["check", "holds"]].tail(4).to_string(index=False))

# %% tags=["remove-cell"]
assert report["holds"].all()

# %% [markdown]
# A mistake is easily made. Here captions also carry the glare. Training would run on such pairs without
# complaint, but the theorem does not cover them. `check_world` names what is broken: glare can be
# predicted from the text.


# %%
class Leaky(Weather):
    """Captions that state the glare, too."""

    def sample(self, n, *, generator, device="cpu"):
        batch = super().sample(n, generator=generator, device=device)
        text = torch.cat([batch.text, batch.factors["m_x"]], 1)
        return replace(batch, text=text)


leaky = check_world(Leaky())
print("broken:", *leaky.loc[~leaky["holds"], "check"])

# %% tags=["remove-cell"]
assert not leaky["holds"].all()

# %% [markdown]
# ## An objective
#
# An objective is any function from the representations $\mathbf{z}_x$ and $\mathbf{z}_t$ of a batch of
# pairs to a loss. If it is a module, its parameters are trained along with the encoders. Ours asks of
# every image and every caption whether they are a pair, yes or no. It also learns how near is near
# enough, by a scale and a shift, as SigLIP does.


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
# An encoder is any module; it may be a network that somebody else has trained. The theorem asks for as
# many outputs as there are unbiased factors, here one. Batch norm brings the output to unit variance,
# because this objective does not fix a scale by itself. PyTorch draws initial weights from its global
# generator. The library never seeds that generator, so this page does.


# %%
def perceptron(size_in):
    layers = [nn.Linear(size_in, 64), nn.GELU(), nn.Linear(64, 1)]
    return nn.Sequential(*layers, nn.BatchNorm1d(1, affine=False))


def encoders(seed):
    torch.manual_seed(seed)
    return nn.ModuleDict({"image": perceptron(3), "text": perceptron(2)})


# %% [markdown]
# A `Recipe` holds everything else that training needs. `train` changes the encoders in place and returns
# the loss of every step.

# %% tags=["nbval-ignore-output"]
pair = encoders(0)
recipe = Recipe(steps=200, batch_size=128, learning_rate=0.02, decay=True)
ours = replace(recipe, objective=objective)
losses = train(pair, world, ours, generator=generator_for(0, "batches"))
print(f"loss, first 20 steps: {losses[:20].mean():.2f}")
print(f"loss, last 20 steps:  {losses[-20:].mean():.2f}")
print(f"scale, 10 at first:   {objective.scale.exp():.0f}")

# %% tags=["remove-cell"]
assert losses[-20:].mean() < losses[:20].mean()
assert objective.scale.exp() > 11

# %% [markdown]
# The loss has fallen, and the scale of the objective was trained along with the encoders.
#
# (extend-evaluate)=
# ## Representations of any origin
#
# Which factors can be recovered from these representations? `evaluate` takes an array of
# representations, one row a sample, and the factors of the same samples. It fits probes on one part of
# the samples and scores them on the other. The input need not come from this library: features of CLIP
# and the annotations of a data set do as well. If you say which factors captions state correctly,
# `evaluate` adds a column `oracle`: what Theorem 4.1 predicts for every factor. It also adds a row of
# noise, which no probe should be able to recover.

# %% tags=["nbval-ignore-output"]
fresh = world.sample(4000, generator=generator_for(0, "fresh"))
with torch.no_grad():
    z = pair["image"](fresh.image)
scores = evaluate(
    z.numpy(), fresh.factors, unbiased=["s1"], splits=2, steps=300
)
best = scores.query("probe == 'nonlinear'").set_index("factor")
table = best[["score", "oracle"]].round(2) + 0  # + 0: no minus before 0
print(table.to_string(float_format="{:.2f}".format))

# %% tags=["remove-cell"]
assert list(best.index[best["score"] > 0.9]) == ["s1"]
assert list(best.index[best["score"] < 0.1]) == ["s2", "m_x", "noise"]
assert (best["score"] - best["oracle"]).abs().max() < 0.1

# %% [markdown]
# The scores are $R^2$. The warmth is kept, and the wind and the glare are lost. That is what the theorem
# predicts, although the objective is not the paper's.
#
# ## A study
#
# For a single training this is all you need. For dozens of runs, with seeds and records, you write a
# *study*. It says what the fields of a `Run` may be, and where a run's world and encoders come from.
# `options` are parameters that no other study has, with their defaults: here the strength of the glare.
# What is scored follows from the world's factors. A study that predicts scores, such as this one, has a
# method `oracle`.


# %%
@register_study
class WeatherStudy:
    """Does glare matter?"""

    name = "weather"
    variants, latents = ("",), ("independent",)
    probes = {"probe_samples": 2000, "probe_steps": 300}
    scales = {"page": SimpleNamespace(recipe=recipe, **probes)}
    options = {"glare": 1.0}

    def bias(self, bias, setting):
        return Weather.bias  # this study has only one setting

    def initial(self, run, device):
        drawn, pair = Weather(run.option("glare")), encoders(run.seed)
        return TrainedModel(drawn, pair.to(device), torch.zeros(0))

    def oracle(self, run, model):
        kept = {"s1": 1.0, "s2": 0.0, "m_x": 0.0}
        return {("image", name): value for name, value in kept.items()}


# %% [markdown]
# From here on everything works as for the studies of the book. `execute` trains and scores a run, and
# returns its record; `record="results"` would store the record. We train once under weak glare and once
# under strong glare. Each number is the $R^2$ of a factor of the image, from the representation of the
# image or of the caption, whichever is lower.

# %% tags=["nbval-ignore-output"]
least = pd.DataFrame()
for glare in (0.3, 3.0):
    run = Run(experiment="weather", scale="page", options={"glare": glare})
    found = execute(run).scores
    found = found.query("probe == 'nonlinear' and target == 'image'")
    least[f"glare {glare}"] = found.groupby("factor")["score"].min()
print((least.round(2) + 0).to_string(float_format="{:.2f}".format))

# %% tags=["remove-cell"]
for name in least:
    assert list(least.index[least[name] > 0.9]) == ["s1"]

# %% [markdown]
# Weak or strong, glare is not in the captions, so it is in neither representation.
#
# ## From a notebook to a package
#
# A sweep runs in processes of its own. These processes import the study from a module, say `weather.py`,
# and a sweep file beside the module lists the runs:
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
# A package that others install can offer its studies as entry points. Then nobody needs `--import`:
#
# ```toml
# [project.entry-points."misalign.studies"]
# weather = "weather:WeatherStudy"
# ```
#
# ## Where to go next
#
# {doc}`../book/api` has a page for every part. {doc}`05_assumptions` shows what happens to the theorem in
# a world that breaks its assumptions. {doc}`13_practice` says what the theorem means for captions of your
# own.
