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
# (pictures)=
# # Two worlds in pictures
#
# So far an “image” was a row of numbers. For the theorem this makes no difference: it speaks of
# factors, of a map that turns them into observations, and of what captions say. For an encoder it
# might. Pixels are many. A factor such as the rotation of an object affects them in a tangled way. And
# words are coarser than what they name. Does a model of pictures and sentences still keep just the
# factors that captions state correctly?
#
# The paper asks this in two worlds. In *MPI3D-Complex* (§ 5.2, {cite:t}`gondal2019`) a robot's arm
# holds an object. All seven factors are discrete and independent. In *Causal3DIdent* (§ 5.3,
# {cite:t}`zimmermann2021,vonkugelgen2021`) an object lies in colored light. Seven of the ten
# factors are continuous, and some cause others.
#
# | World | Captions may name | Only the picture shows |
# | :--- | :--- | :--- |
# | MPI3D-Complex | color, shape, size, cam., back. | hori., vert. |
# | Causal3DIdent | shape, x_pos, y_pos, s_pos, color, s_color, b_color | alpha, beta, gamma |
#
# This chapter trains nothing. It looks at both worlds closely: what each factor does, what captions
# say about it, how much of it words can carry, and whether pictures show every factor, as the theorem
# assumes. Later chapters test Theorem 4.1 on these worlds. This one settles which scores such a test
# can ask for.
#
# The published pictures are large downloads, and those of Causal3DIdent need Blender. So the library
# brings a small renderer of its own, and everything below is rendered when the page runs. The end of
# the page says {ref}`how to use the published files <pictures-cards>` instead.

# %% tags=["hide-input"]
import matplotlib.colors
import pandas as pd
import torch
from IPython.display import HTML
from matplotlib import pyplot as plt
from myst_nb import glue
from torch.nn.functional import max_pool2d

from misalign.captions.captioner import Captioner
from misalign.reporting.captions import highlight_caption, table
from misalign.reporting.graphs import causal_graph
from misalign.reporting.images import diverging, image_grid
from misalign.style import COLORS, use_style
from misalign.rendering import causal3dident as stage
from misalign.rendering import mpi3d as robot
from misalign.rendering import invertibility
from misalign.rng import generator_for
from misalign.theory.caption_oracle import caption_oracle
from misalign.worlds import causal3dident, mpi3d
from misalign.worlds.captions import TemplateCaptions

use_style()
torch.set_num_threads(1)  # small tensors: more threads would only wait

# %% [markdown]
# `mpi3d` and `causal3dident` draw factors; `robot` and `stage` render them.

# %% tags=["parameters"]
seed = 0
side = 150  # pixels of a picture in a gallery
rays = 2  # along either side of a pixel, to smooth edges
scenes = 14  # random scenes whose derivatives are checked
crowd = 400  # random scenes among which we look for the closest two

# %% [markdown]
# What this chapter says about its pictures holds for these values. With others the chapter still runs,
# but its sentences may no longer fit the numbers.

# %% tags=["hide-input"]
live = (seed, side, rays, scenes, crowd) == (0, 150, 2, 14, 400)
fine = {"size": side, "supersample": rays}

# %% [markdown]
# ## A robot's arm
#
# {numref}`fig-pictures-robot` redoes the paper's Figure 5 with our pictures. An arm holds one of four
# things before a colored strip. MPI3D-Complex has a photograph of every combination of factors, and we
# can render each. Captions distinguish far fewer combinations, since they never name the position of
# the arm.

# %% mystnb={"figure": {"caption": "Random scenes of the first world, MPI3D-Complex (the paper's Figure 5).", "name": "fig-pictures-robot"}, "image": {"alt": "Eighteen pictures of a gray robot arm on a gray floor. It holds a cup, a ball, a croissant or a beer mug, in yellow, green, olive or red, before a strip of purple, sea green or salmon."}} tags=["hide-input"]
drawn = mpi3d.draw(18, generator=generator_for(seed, "gallery"))
image_grid(robot.render(drawn, **fine), 6)
plt.show()
count = 1
for factor in mpi3d.FACTORS:
    count *= factor.size
print(f"combinations: {count:,}; captions distinguish {count // 40**2}")

# %% tags=["remove-cell"]
assert count == mpi3d.COUNT

# %% [markdown]
# What does each factor do? Take one scene, and change one factor at a time. If captions may name a
# factor, each of its values has a word.


# %% tags=["hide-input"]
def strips(words, base, changes):
    """Scenes that differ from one in a single factor, and what to call it."""
    drawn, labels = [], []
    for name, values in changes.items():
        for value in values:
            drawn.append(base | {name: value})
            labels.append(f"{value:g}")
            if name in words.wordings:
                place = words.word_of(name, torch.tensor([value]))
                labels[-1] = words.wordings[name].words[place]
    columns = {name: [scene[name] for scene in drawn] for name in base}
    return {k: torch.tensor(v) for k, v in columns.items()}, labels


# %% [markdown]
# In the third row of {numref}`fig-pictures-robot-strips` the arm swings, in the fourth it is lifted. No
# caption states either. Note also *cam.*, the height of the camera: it changes nearly every pixel,
# though captions have only three words for it.

# %% mystnb={"figure": {"caption": "One scene of MPI3D-Complex, in which one factor changes at a time.", "name": "fig-pictures-robot-strips"}, "image": {"alt": "Four rows of eight pictures. The object takes four colors and four shapes; two sizes, three camera heights and three colors of the strip; the arm swings from left to right; the arm is lifted."}} tags=["hide-input"]
eight = [0, 6, 11, 17, 22, 28, 33, 39]
scene = {"color": 3, "shape": 0, "size": 1, "cam": 1, "back": 1}
scene |= {"hori": 26, "vert": 22}
changes = {factor.name: range(factor.size) for factor in mpi3d.SEMANTIC}
changes |= {"hori": eight, "vert": eight}
drawn, labels = strips(Captioner.mpi3d(), scene, changes)
names = ("color, shape", "size, cam., back.", "hori.", "vert.")
image_grid(
    robot.render(drawn, size=120, supersample=rays),
    8,
    rows=names,
    labels=labels,
)
plt.show()

# %% tags=["remove-cell"]
print("scenes:", len(labels))

# %% [markdown]
# ## An object in colored light
#
# {numref}`fig-pictures-stage` redoes Figure 7. One of seven animals and things floats over colored
# ground, in the cone of a colored lamp.

# %% mystnb={"figure": {"caption": "Random scenes of the second world, Causal3DIdent (the paper's Figure 7).", "name": "fig-pictures-stage"}, "image": {"alt": "Eighteen pictures. A teapot, hare, dragon, cow, armadillo, horse or head, turned in all directions, floats above a colored ground and throws a shadow in the disc of a colored spotlight."}} tags=["hide-input"]
drawn = causal3dident.draw(18, generator=generator_for(seed, "gallery"))
image_grid(stage.render(drawn, **fine), 6)
plt.show()

# %% tags=["remove-cell"]
outside = [name for name in drawn if drawn[name].min() < 0]
print("factors:", len(drawn), " below 0:", outside or "none")

# %% [markdown]
# {numref}`fig-pictures-stage-strips` again changes the factors one at a time. Read the words as well.
# Words for colors come from three palettes, the coarsest for the object and the finest for the ground.
# Each word for *s_pos* stands for a fifth of the lamp's arc. (The paper's list of the five goes from
# northwest to northeast to center. Our lamp goes around by the viewer's side, so its second fifth lies
# where one would say west. The words are the paper's, and for a model they are only labels.)

# %% mystnb={"figure": {"caption": "One scene of Causal3DIdent, in which one factor changes at a time. Written into each picture is what a caption would call the factor, or its value where no caption names it.", "name": "fig-pictures-stage-strips"}, "image": {"alt": "Eight rows of six pictures of a hare. It moves left, center, right and top, mid, bottom; the light wanders around it; the hare, the light and the ground each go once around the color wheel; the hare turns about three axes."}} tags=["hide-input"]
six = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
continuous = ("s_pos", "color", "s_color", "b_color", "alpha", "beta", "gamma")
scene = {"shape": 1, "x_pos": 1, "y_pos": 1, "s_pos": 0.4, "color": 0.55}
scene |= {"s_color": 0.12, "b_color": 0.72}
scene |= dict.fromkeys(("alpha", "beta", "gamma"), 0.5)
changes = {"x_pos": range(3), "y_pos": range(3)}
changes |= dict.fromkeys(continuous, six)
full = Captioner.causal3dident()
drawn, labels = strips(full, scene, changes)
image_grid(
    stage.render(drawn, size=132, supersample=rays),
    6,
    rows=("x_pos, y_pos", *continuous),
    labels=labels,
)
plt.show()

# %% tags=["remove-cell"]
print("scenes:", len(labels))

# %% [markdown]
# The three angles *alpha*, *beta* and *gamma* turn the object by up to a quarter turn to either side:
# about the axis from left to right, the axis from front to back, and the upright axis.
# {numref}`fig-pictures-shapes` looks at the shapes, each from four sides.


# %% tags=["hide-input"]
def views(shapes, count):
    """Shapes on the stage, each from four sides, cut out of their pictures."""
    turns = [[0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0.5, 1], [0.95, 0.4, 0.7]]
    turns = torch.tensor(turns).repeat_interleave(count, 0).T
    kind = torch.arange(count).repeat(4)
    drawn = dict(zip(("alpha", "beta", "gamma"), turns, strict=True))
    drawn |= {"shape": kind, "color": kind / count}
    drawn |= dict.fromkeys(("x_pos", "y_pos"), torch.ones_like(kind))
    for name, value in {"s_pos": 0.4, "s_color": 0.13, "b_color": 0.6}.items():
        drawn[name] = torch.full_like(kind / count, value)
    pictures = stage.render(
        drawn, size=210, supersample=rays, shapes=shapes
    )
    return pictures[..., 31:161, 40:170]


# %% mystnb={"figure": {"caption": "The seven shapes of Causal3DIdent and, on the same stage, the four of MPI3D-Complex and the arm that holds them, each from four sides.", "name": "fig-pictures-shapes"}, "image": {"alt": "Rows of objects, each in a color of its own: teapot, hare, dragon, cow, armadillo, horse, head, coffee cup, tennis ball, croissant, beer mug and robot arm, seen from the front, from both sides, and tipped over."}} tags=["hide-input"]
held = (*robot.SHAPES, robot.ROBOT[0], *stage.SHAPES[:2])  # of seven
pictures = [views(stage.SHAPES, 7), views(held, 5)]
by_shape = [
    part.unflatten(0, (4, -1)).transpose(0, 1).flatten(0, 1)
    for part in pictures
]
kinds = (*stage.SHAPES, *held[:5])
names = [kind if view == 0 else "" for kind in kinds for view in range(4)]
image_grid(torch.cat(by_shape), 8, labels=names)
plt.show()
sides = torch.cat(by_shape).unflatten(0, (-1, 4)).int()
gap = (sides[:, 1] - sides[:, 2]).abs().float().mean((1, 2, 3))
alike = [kind for kind, one in zip(kinds, gap, strict=True) if one < 1]
print("the same after half a turn:", ", ".join(alike) or "none")

# %% tags=["remove-cell"]
assert not live or not set(alike) & set(stage.SHAPES)

# %% [markdown]
# The second view and the third are half a turn apart. The list above names the shapes that look the same
# in both, all of them from MPI3D-Complex. We come back to them below. In their own world this does no
# harm: the arm turns what it holds by less than half a turn.
#
# ## What causes what
#
# The factors of MPI3D are independent. Those of Causal3DIdent are not. By Table 9, the object's position
# causes its color, and the lamp's position causes the colors of light and ground. Each color is a
# weighted sum of its causes and of a uniform draw of its own, with weights that keep it between 0 and 1.

# %%
weights = {
    "color": {"x_pos": 1 / 6, "y_pos": 1 / 6},
    "s_color": {"s_pos": 1 / 2},
    "b_color": {"s_pos": 1 / 3, "s_color": 1 / 3},
}
own = {"color": 1 / 3, "s_color": 1 / 2, "b_color": 1 / 3}

# %% mystnb={"figure": {"caption": "The graph behind Causal3DIdent (the paper's Figure 15), with just the arrows that Table 9 asks for: rectangles are discrete, ellipses continuous. Gray: the angles, which no caption names.", "name": "fig-pictures-graph"}, "image": {"alt": "A graph. Arrows lead from x_pos and y_pos to color, from s_pos to s_color and b_color, and from s_color to b_color. Shape, alpha, beta and gamma stand alone."}} tags=["hide-input"]
places = {"shape": (0, 1), "x_pos": (1.1, 1), "y_pos": (2.2, 1)}
places |= {"color": (1.65, 0), "s_pos": (3.9, 1), "s_color": (3.2, 0)}
places |= {"b_color": (4.6, 0), "alpha": (6.1, 1.2)}
places |= {"beta": (6.1, 0.5), "gamma": (6.1, -0.2)}
figure, axis = plt.subplots(figsize=(7.4, 2.3))
causal_graph(
    axis,
    places,
    weights,
    discrete=causal3dident.DISCRETE,
    colors=dict.fromkeys(("alpha", "beta", "gamma"), COLORS["specific"]),
)
plt.show()
print("arrows:", sum(map(len, weights.values())))

# %% [markdown]
# {numref}`fig-pictures-graph` says what a model can guess about a factor that no caption states. If
# captions state *x_pos*, the model can guess at the color. As all dependence is linear, correlations
# have a closed form. Let $W$ hold the weights, and $D$ the variances of the uniform draws that each
# factor has of its own. Then the covariance is
#
# ```{math}
# :label: eq-graph
# \Sigma = (I - W)^{-1} D\, (I - W)^{-\top},
# ```
#
# where $k$ equally likely values have the variance $(k^2 - 1) / 12$, and a uniform draw of weight $w$
# has $w^2 / 12$. Do the draws agree?

# %% tags=["hide-input"]
names = [factor.name for factor in causal3dident.FACTORS]
w = torch.tensor(
    [[weights.get(i, {}).get(j, 0) for j in names] for i in names]
).double()
d = torch.tensor(
    [
        (f.size**2 - 1 if f.kind == "discrete" else own.get(f.name, 1) ** 2)
        for f in causal3dident.FACTORS
    ]
).double()
inverse = torch.linalg.inv(torch.eye(10) - w)
sigma = inverse @ torch.diag(d / 12) @ inverse.mT
scale = sigma.diagonal().sqrt()
expected = sigma / torch.outer(scale, scale)
drawn = causal3dident.draw(200_000, generator=generator_for(seed, "graph"))
found = torch.stack([drawn[name].double() for name in names]).corrcoef()

# %% [markdown]
# Here are all pairs whose correlation is not 0, by the formula and in 200,000 draws. The last row is the
# largest correlation of all other pairs, such as shape with anything.

# %%
pairs = expected.triu(1).nonzero().tolist()
rows = {
    f"{names[i]}, {names[j]}": (expected[i, j].item(), found[i, j].item())
    for i, j in pairs
}
rest = found.abs()[expected == 0].max().item()
rows["any other pair"] = (0.0, rest)
shown = pd.DataFrame(rows, ["formula", "draws"]).T
print(shown.to_string(float_format="{:.2f}".format))

# %% tags=["remove-cell"]
agree = (found - expected).abs() < 0.01
print("pairs that correlate:", len(pairs))
assert not live or agree.all()

# %% [markdown]
# Formula and draws agree. The factors in the table form two groups. Within a group they depend on each
# other, and nothing connects the groups. So the lamp's position says nothing about the object's color.
# Later chapters can test a model against this.
#
# ## What captions say
#
# A caption is made by filling words into one of a few sentences, three for each setting of MPI3D and
# five for each of Causal3DIdent. The setting decides which factors the sentence names (selection), and
# which of the words are drawn at random (perturbation). {numref}`fig-pictures-two` shows a scene of
# each world.

# %% mystnb={"figure": {"caption": "A scene of each world. The tables below have captions of both.", "name": "fig-pictures-two"}, "image": {"alt": "On the left a robot arm holds a large green croissant before a salmon strip; on the right a red cow stands in the light of a yellow lamp on blue ground."}} tags=["hide-input"]
robots = {"color": 1, "shape": 2, "size": 1, "cam": 1, "back": 2}
robots |= {"hori": 12, "vert": 27}
stages = {"shape": 3, "x_pos": 2, "y_pos": 1, "s_pos": 0.3, "color": 0.01}
stages |= {"s_color": 0.13, "b_color": 0.6}
stages |= {"alpha": 0.45, "beta": 0.5, "gamma": 0.55}
robots = {name: torch.tensor([value]) for name, value in robots.items()}
stages = {name: torch.tensor([value]) for name, value in stages.items()}
large = {"size": 300, "supersample": rays}
both = robot.render(robots, **large), stage.render(stages, **large)
image_grid(torch.cat(both), 2)
plt.show()

# %% tags=["remove-cell"]
print("factors:", len(robots), "and", len(stages))

# %% [markdown]
# How do captions describe these two scenes? For each setting we compose a caption, always by the first
# sentence, and mark what happened in it. Omitted words follow in brackets, struck through. Perturbed
# words are underlined; the line is dotted if the draw happened to be true.


# %% tags=["hide-input"]
def marked(name, module, truth):
    """A caption for each setting, marked."""
    writer, first = Captioner(name), torch.tensor([0])
    right = {
        factor: one.words[writer.word_of(factor, truth[factor])]
        for factor, one in writer.wordings.items()
    }
    for kind in ("selection", "perturbation"):
        for number in range(1, len(right) + 1):
            bias = module.setting(kind, number)
            captions = TemplateCaptions(
                module.SEMANTIC, bias, Captioner(name, len(bias.selected))
            )
            draw = generator_for(seed, name, kind, number)
            said = captions.perturb(truth, generator=draw)
            (text,) = captions.captioner.text(said, first)
            (spans,) = captions.captioner.spans(said, first)
            wrong = [factor.name for factor in captions.perturbed]
            rest = [word for key, word in right.items() if key not in spans]
            html = highlight_caption(text, spans, wrong, right, rest)
            yield f"{kind} {chr(0x245F + number)}", html


# %% [markdown]
# First the croissant, in the ten settings of Table 7. Here a perturbed word is drawn anew in nine captions
# out of ten.

# %% tags=["hide-input"]
HTML(table(marked("mpi3d", mpi3d, robots)))

# %% [markdown]
# Then the cow, in the fourteen settings of Table 10, which redoes Figure 16. Here a perturbed word is
# drawn anew in every caption. A continuous value is drawn from [0, 1] uniformly, even if the graph
# excludes it.

# %% tags=["hide-input"]
HTML(table(marked("causal3dident", causal3dident, stages)))

# %% [markdown]
# In all settings of perturbation captions name everything, and the higher the number, the fewer words
# are reliable. Yet each caption is a sentence that reads well, and nothing in it shows which word to
# trust. Compare selection ① with perturbation ⑦. The first says only *cow*. The second is long, and of
# its words only *cow* is reliable: any other word is true only by chance. By the theorem a model learns
# the same from both.
#
# Two details are ours. Every sentence names every selected factor, while some sentences of the paper's
# Table 11 leave out the position. And we count settings of perturbation from the one that perturbs
# nothing, in both worlds. {doc}`errata` has the reasons.
#
# ## What words keep
#
# Captions of MPI3D have a word for each value. Captions of Causal3DIdent cannot: a hue is a number, and a
# word covers many hues. {numref}`fig-pictures-hues` shows how three palettes cut the circle of pure hues.
# A hue gets the name of the nearest color, so the cuts can be computed exactly.

# %% mystnb={"figure": {"caption": "What a hue is called: pure hues on top, then the names that the palettes of the object (Tableau), of the lamp (CSS) and of the ground (xkcd) have for them, each drawn in the color it stands for. Below: the words for the lamp's position.", "name": "fig-pictures-hues"}, "image": {"alt": "Five bands over an axis from 0 to 1. A rainbow; nine broad intervals from red over olive to pink and red again; twenty-three narrower ones; seventy-one narrow ones; and five equal gray parts from northwest to southeast."}} tags=["hide-input"]
palettes = {"color": "TABLEAU", "s_color": "CSS4", "b_color": "XKCD"}
figure, axes = plt.subplots(5, 1, figsize=(8, 3.3), sharex=True)
hues = torch.linspace(0, 1, 800)[None]
axes[0].imshow(hues, "hsv", aspect="auto", extent=(0, 1, 0, 1))
for axis, factor in zip(axes[1:], (*palettes, "s_pos"), strict=True):
    wording = full.wordings[factor]
    paint = {word: "0.85" for word in wording.words}
    if factor in palettes:
        named = getattr(matplotlib.colors, f"{palettes[factor]}_COLORS")
        paint = {k.split(":")[-1]: value for k, value in named.items()}
    ends = [0, *wording.cuts, 1]
    for low, high, place in zip(ends, ends[1:], wording.places, strict=False):
        word = wording.words[place]
        axis.barh(0, high - low, 1, low, color=paint[word], ec="white", lw=0.5)
        dark = "white" if paint[word] in ("#0000FF", "#1f77b4") else "black"
        if high - low > 0.0105 * len(word) + 0.01:
            at = ((low + high) / 2, 0)
            axis.annotate(word, at, ha="center", va="center", color=dark)
for axis, name in zip(axes, ("hue", *palettes, "s_pos"), strict=True):
    axis.set(yticks=[], ylabel=name, xlim=(0, 1))
    axis.yaxis.label.set(rotation=0, ha="right", va="center")
    axis.spines[:].set_visible(False)
plt.show()
sizes = (f"{name} {len(full.wordings[name].words)}" for name in palettes)
print("names in use:", ", ".join(sizes))

# %% [markdown]
# Red stands at both ends. There the hue jumps from 1 to 0 while the color stays, and the word stays
# with it.
#
# A caption gives a factor by a word only, so the word bounds what a model can learn. We measure this
# bound in two ways, for captions that name everything: by the *bits* that the word carries, and by the
# score of the best guess at the factor from all the words. The score is MCC for discrete factors, $R^2$
# for continuous ones.

# %%
everything = causal3dident.setting("selection", 7)
best = caption_oracle(
    everything, draws=200_000, generator=generator_for(seed, "words")
)
kept = {}
for name, wording in full.wordings.items():
    share = torch.bincount(wording.word_of(drawn[name])) / len(drawn[name])
    bits = torch.special.entr(share.double()).sum() / torch.tensor(2).log()
    kept[name] = (len(wording.words), bits.item(), best[name])
kept = pd.DataFrame(kept, index=["words", "bits", "best guess"]).T
print(kept.astype({"words": int}).round(2).to_string())

# %% tags=["remove-cell"]
least = kept["best guess"].idxmin()
glue("least-guess", f"{kept['best guess'].min():.2f}", display=False)
glue("least-name", least, display=False)

# %% [markdown]
# Words do well, and they help each other: a lamp's color says something about its position. The best
# guess is worst for {glue:text}`least-name`, with a score of {glue:text}`least-guess`. That is not 1. So
# a perfect model will reach the numbers of this column, and not always 1. (The theorem assumes that
# captions are a *diffeomorphism* of what they state. Here this assumption fails, as the paper says
# itself. What a caption states is the word, so the block that the theorem speaks of is made of words.)
#
# ## Slopes of a picture
#
# How does each pixel change with a factor? The renderer is written in PyTorch, so we can differentiate
# it, and look into the map $\mathbf{g}_x$ itself, which the theorem wants smooth and invertible.
# {numref}`fig-pictures-slopes` has derivatives in its upper row. The lower row has the true change for
# a small but visible step.

# %% tags=["hide-input"]
def doubled(factors):
    """Numbers in double precision, for differences."""
    return {
        name: value.double() if value.is_floating_point() else value
        for name, value in factors.items()
    }


def close_up(factors):
    return stage.picture(factors, size=190, supersample=rays)


# %% [markdown]
# We also need to know which pixels are away from edges. The pixels that change with *color* show the
# object. The pixels that change with *s_color* are lit. A pixel is away from edges if its eight
# neighbors agree with it in both respects.


# %% tags=["hide-input"]
def away_from_edges(look, factors):
    """Pixels whose neighbors show the object alike, and are lit alike."""
    here, marks = look(factors), []
    for name in ("color", "s_color"):
        there = look({**factors, name: (factors[name] + 0.37) % 1})
        marks.append((there - here).abs().amax(1) > 1e-6)
    marks = torch.stack(marks, 1).double()
    same = max_pool2d(marks, 3, 1, 1) == -max_pool2d(-marks, 3, 1, 1)
    return same.all(1), marks[:, 0].bool()


# %% mystnb={"figure": {"caption": "A scene, and how its brightness changes with four factors: red pixels get brighter, blue ones darker. Above: derivatives by automatic differentiation. Below: differences for a step of 0.02, in the same units, and under the scene the pixels that are away from all edges, in white.", "name": "fig-pictures-slopes"}, "image": {"alt": "Two rows of maps. For the lamp's position the ground is red and blue in wide zones; for the object's color only the object is colored; for the lamp's color all that is lit; for gamma the object is mottled. Only the lower row has bright lines along silhouettes and the edges of shadows."}} tags=["hide-input"]
shown = ("s_pos", "color", "s_color", "gamma")
cow, step = doubled(stages), 0.02
here = close_up(cow)
slopes = invertibility.jacobian(close_up, cow, shown)[0]
slopes = slopes.unflatten(0, (3, 190, 190)).mean(0).movedim(-1, 0)
ends = [close_up({**cow, name: cow[name] + step}) for name in shown]
differences = (torch.cat(ends) - here).mean(1) / step
scale = slopes.abs().flatten(1).quantile(0.995, 1)
clear = away_from_edges(close_up, cow)[0].expand(3, -1, -1)
tiles = [(here[0] * 255).byte()[None], diverging(slopes, scale)]
tiles += [(clear * 255).byte()[None], diverging(differences, scale)]
image_grid(torch.cat(tiles), 5, titles=("scene", *shown))
plt.show()

# %% tags=["remove-cell"]
print("maps:", len(shown))

# %% [markdown]
# On surfaces the rows agree. But the lower row has lines along silhouettes and along the edges of
# shadows, and the upper row has none. The reason is simple. A ray hits either the object or the ground.
# Automatic differentiation asks how the color changes *where the ray hits*; it never asks whether the
# ray hits something else. So it misses the motion of edges, where the color jumps.
#
# How well do derivatives and differences agree away from edges? We take some random scenes, the
# derivative by each factor, and central differences with a tiny step. The table has the share of numbers
# that agree within 1 %.

# %% tags=["nbval-ignore-output", "hide-input"]
def look(factors):
    return stage.picture(factors, size=64)


draw = generator_for(seed, "slopes")
some = doubled(causal3dident.draw(scenes, generator=draw))
some["shape"] = torch.arange(scenes) % 7
jacobian = invertibility.jacobian(look, some, continuous)
clear, on_object = away_from_edges(look, some)
clear = clear[:, None].expand(-1, 3, -1, -1).flatten(1)
tiny, good = 1e-5, {}
for name, slope in zip(continuous, jacobian.unbind(-1), strict=True):
    ends = [look({**some, name: some[name] + h}) for h in (tiny, -tiny)]
    difference = (ends[0] - ends[1]).flatten(1) / (2 * tiny)
    moving = clear & ((difference != 0) | (slope != 0))
    error = (difference - slope).abs() / (1 + slope.abs())
    good[name] = (error[moving] < 0.01).double().mean().item()
print(pd.Series(good).to_string(float_format="{:.3f}".format))

# %% tags=["remove-cell"]
assert not live or (len(good) == 7 and min(good.values()) > 0.98)

# %% [markdown]
# Nearly all numbers agree. (The others lie where one leg hides another, at an edge that our mask of the
# object does not contain.) But what derivatives miss is real. When the object turns, its shadow moves
# over the ground. How much do pixels of the ground change with *gamma*, at most? Here is the answer of
# the derivatives, and that of a step of 0.05:

# %% tags=["nbval-ignore-output", "hide-input"]
ground = (~on_object)[:, None].expand(-1, 3, -1, -1).flatten(1)
known = jacobian[..., continuous.index("gamma")][ground]
turned = {**some, "gamma": (some["gamma"] + 0.05).clamp(max=1)}
moved = (look(turned) - look(some)).flatten(1)[ground]
print(f"largest derivative: {known.abs().max():.2f}")
print(f"largest change:     {moved.abs().max():.2f}")

# %% tags=["remove-cell"]
blind = bool((known == 0).all())
assert not live or (blind and (moved.abs() > 0.05).any())

# %% [markdown]
# All derivatives on the ground are 0, and still some of its pixels change. So if you train *through*
# this renderer, know that its derivatives contain shading and no outlines. An encoder only ever gets
# pictures, and these contain both.
#
# ## Does a picture hide anything?
#
# The theorem assumes that $\mathbf{g}_x$ is injective: different factors, different pictures. For
# the numerical world we could {doc}`undo the mixing <02_latent_variable_model>`. Here we can only
# look for counterexamples, near and far.
#
# **Near.** If the smallest singular value of the Jacobian is above 0, then every small change of the
# factors, in whatever combination, changes the picture. Here is the range of this value over random
# scenes:

# %% tags=["nbval-ignore-output"]
smallest = invertibility.smallest_singular_value(jacobian)
print(f"{scenes} scenes: {smallest.min():.1f} to {smallest.max():.1f}")

# %% tags=["remove-cell"]
assert not live or (smallest > 1).all()

# %% [markdown]
# All values are far above 0. But a derivative can mislead. The normals of a shape are stored on a grid,
# and the grain of this grid turns with the object. So even a plain ball would seem to change. Grain
# averages out over a wide step. So we take *secants* in place of slopes: the change over a step of 0.3
# in each factor, away from the nearer border. Secants contain the motion of edges, too.


# %% tags=["nbval-ignore-output"]
changes = invertibility.secants(look, some, continuous, step=0.3)
wide = invertibility.smallest_singular_value(changes)
print(f"{scenes} scenes: {wide.min():.1f} to {wide.max():.1f}")

# %% tags=["remove-cell"]
assert not live or (wide > 5).all()

# %% [markdown]
# The secants agree: in random scenes, a change of factors in any combination changes the picture.
# ({ref}`An exercise <pictures-ball>` has a plain ball, for which this fails.) But three angles are known
# to have a blind spot, and random scenes will not find it. Let *beta* go through all its values in one
# scene ({numref}`fig-pictures-lock`).

# %% mystnb={"figure": {"caption": "Smallest singular value of the Jacobian by all continuous factors, while beta changes in one scene.", "name": "fig-pictures-lock"}, "image": {"alt": "A curve over beta from 0 to 1. It is flat in the middle and falls to 0 at both ends."}} tags=["hide-input", "nbval-ignore-output"]
betas = torch.linspace(0, torch.pi, 21, dtype=torch.float64)
betas = (1 - betas.cos()) / 2  # closer together at the ends
path = {name: value.repeat(21) for name, value in doubled(stages).items()}
path["beta"] = betas
value = invertibility.smallest_singular_value(
    invertibility.jacobian(look, path, continuous)
)
figure, axis = plt.subplots(figsize=(6, 2.6), layout="constrained")
axis.plot(betas, value, "o-", ms=4, color=COLORS["theory"])
axis.set(xlabel="beta", ylabel="smallest singular value", ylim=(0, None))
plt.show()
for place in (0, 10, -1):
    print(f"beta {betas[place]:.1f}: {value[place].abs():.2f}")

# %% tags=["remove-cell"]
inside = bool((value[1:-1] > 0.1).all())
assert not live or (inside and max(value[0], value[-1]) < 1e-9)

# %% [markdown]
# At the ends the value is 0, and injectivity fails. With *beta* at a quarter turn the axes of *alpha*
# and *gamma* coincide. This is known as gimbal lock: turn by *alpha*, turn back by *gamma*, and the
# object is as it was.
#
# **Far.** Of all pairs of random scenes, which two are closest? We measure the distance as the root mean
# square over pixels, where 1 is the step from black to white.

# %% tags=["nbval-ignore-output", "hide-input"]
pairs, apart = [], {}
worlds = {"robot": (mpi3d, robot), "stage": (causal3dident, stage)}
for name, (module, scene) in worlds.items():
    drawn = module.draw(crowd, generator=generator_for(seed, "crowd", name))
    far, which = invertibility.nearest_pair(scene.render(drawn, size=32))
    rows = torch.stack([far.argmin(), which[far.argmin()]])
    pairs.append({key: value[rows] for key, value in drawn.items()})
    two = pairs[-1].items()
    differ = [key for key, value in two if value[0] != value[1]]
    apart[name] = (far.min().item(), ", ".join(differ))
    print(f"{name}: {far.min():.3f}; the two differ in")
    print(" ", *differ)

# %% tags=["remove-cell"]
for name, (distance, differ) in apart.items():
    print(f"{name}: no two are alike:", distance > 0.01)
    print("the closest two differ in\n ", differ)
    assert not live or distance > 0.01

# %% [markdown]
# Even the closest two pictures are not equal. {numref}`fig-pictures-twins` shows both pairs. (Those of the
# arm differ in its position alone, which the eye hardly sees.) Below them are two pairs that *are* alike:
# one by gimbal lock, and one because a hue of 0 and a hue of 1 are the same red. By how much do their
# bytes, from 0 to 255, differ at most? (A difference of 1 comes from rounding.)

# %% tags=["nbval-ignore-output", "hide-input"]
cow = {name: value.repeat(2) for name, value in stages.items()}
lock = {**cow, "beta": torch.ones(2)}
lock["alpha"], lock["gamma"] = torch.tensor([[0.3, 0.6], [0.4, 0.7]])
hue = {**cow, "s_color": torch.tensor([0.0, 1.0])}
twins = [robot.render(pairs[0], **fine)]
twins += [stage.render(pair, **fine) for pair in (pairs[1], lock, hue)]
gaps = [(a.int() - b.int()).abs().max().item() for a, b in twins[2:]]
print("gimbal lock:", gaps[0])
print("red and red:", gaps[1])

# %% tags=["remove-cell"]
assert not live or (len(gaps) == 2 and max(gaps) <= 1)

# %% mystnb={"figure": {"caption": "Above: the closest two of 400 random scenes of either world. Below: two pairs of different factors with the same picture, by gimbal lock (left) and by the circle of hues (right).", "name": "fig-pictures-twins"}, "image": {"alt": "Four pairs of pictures. The upper ones are close: a red cup on the arm, moved a little, and two dark objects in green light. The lower ones, two views of a red cow each, look exactly alike."}} tags=["hide-input"]
image_grid(torch.cat(twins), 4)
plt.show()

# %% tags=["remove-cell"]
print("pairs:", len(twins))

# %% [markdown]
# So injectivity fails in these cases:
#
# - *At the border.* Gimbal lock needs *beta* at 0 or 1; the same red needs hues at 0 and at 1. Random
#   factors are never exactly there, so almost surely nothing is hidden. But they come close, and close
#   to the border a finite encoder will confuse pictures that are nearly alike. This can lower scores.
# - *For shapes that look the same when turned.* None of the seven does in the turns that we tried. A
#   plain ball would: no encoder could recover its angles from any picture. For a vase this would hold
#   for the turn about its axis. Two shapes of the arm look the same after half a turn
#   ({numref}`fig-pictures-shapes`). On the stage, *gamma* at 0 and at 1 would give one picture of them
#   when they are upright. Tipped over, they would also have to be tipped the other way, with 1 − *alpha*
#   and 1 − *beta* for the two other angles.
# - *In the dark, and in bytes.* An object outside the spotlight changes its picture less, and a picture
#   of bytes cannot change by less than one part in 255. What is injective in numbers is not quite so
#   on disk.
#
# Does the theorem need the angles? It assumes that they can be recovered. But its conclusion is about
# semantic factors, and drops what is specific to the picture anyway. If a turned ball looks the
# same, then the turn is simply no factor of its picture. A *semantic* factor must not be hidden, and of
# these only hues at the very border are. For MPI3D, finally, “diffeomorphism” has no meaning, since all
# its factors are discrete. There, injective means that no two of its pictures are equal, and the paper
# tests whether the theorem holds even there.
#
# ## What our pictures keep and lose
#
# Our pictures are made from the factors of the published worlds, with the same values, distributions and
# words. Captions are the same, up to what {doc}`errata` lists. Pictures also have the published size, 64
# pixels for MPI3D and 128 for Causal3DIdent. What they lack:
#
# - *Photographs.* MPI3D-Complex was photographed. Real pictures have sensor noise, blur, reflections, and
#   an arm that does not stop at quite the same place twice. Ours have none of these, and are easier.
# - *Detail.* The seven meshes are replaced by shapes of a few to a few dozen blended capsules
#   and ellipsoids, without fur or scales. A horse is still a horse, but has no mane to speak of.
# - *Light.* One lamp with hard shadows, light from all sides, and a highlight. Blender follows light
#   around corners, and its lamps throw soft shadows.
# - *Hues.* In the authors' pictures, lamp and ground have another hue than captions name. In ours they
#   have the named hue. (`authors_hues=True` renders theirs.)
#
# How much the light matters can be seen: `misalign render causal3dident --renderer blender` takes the same
# scenes to Blender's path tracer. {numref}`fig-pictures-blender` has pairs.
#
# ```{figure} ../book/figures/blender_pairs.png
# :name: fig-pictures-blender
# :alt: Two rows of six pictures. Objects, poses, shadows and colors agree; the lower row has softer shadows and smoother outlines.
#
# The same six scenes by our renderer, above, and by Blender's Cycles, below.
# ```
#
# In return, our pictures need no download and no Blender. They can be rendered at any size and
# differentiated, and every pixel follows from a seed. A result on them is a result about the
# *theorem*, whose conditions they meet better than photographs do. It is not a result on the published
# data. The next section says how to use those where it matters.
#
# (pictures-cards)=
# ## Data cards
#
# ### MPI3D-Complex
#
# | Source | {cite:t}`gondal2019`; [its page](https://github.com/rr-learning/disentanglement_dataset) |
# | :--- | :--- |
# | File | `real3d_complicated_shapes_ordered.npz`, linked on that page |
# | Content | 460,800 photographs of 64 × 64 pixels, one for every combination of factors |
# | Factors | color, shape, size, cam., back., hori., vert., in this order, the last one fastest |
# | Captions | none; composed by this library |
# | License | Creative Commons Attribution 4.0, says its page |
#
# The file is mapped into memory, not loaded.
#
# ```python
# from pathlib import Path
#
# from misalign.worlds import mpi3d
#
# pictures = mpi3d.stored(Path("data/real3d_complicated_shapes_ordered.npz"))
# world = mpi3d.world(pictures, mpi3d.setting("selection", 3))
# ```
#
# ### Multimodal3DIdent
#
# | Source | {cite:t}`daunhawer2022`; [Zenodo record 7678231](https://zenodo.org/record/7678231) |
# | :--- | :--- |
# | Files | folders `train`, `val` and `test`, each with `images`, `text` and tables of factors |
# | Content | 125,000, 10,000 and 10,000 pairs; pictures of 224 × 224 pixels, rendered by Blender |
# | Factors | those of Causal3DIdent, but uniform and independent: the graph has no arrows |
# | Captions | a sentence for each picture, naming shape, position and the object's color |
# | License | of the data: see the record; of [the code that made them](https://github.com/imantdaunhawer/Multimodal3DIdent): MIT, parts of it under other licenses |
#
# It is not the paper's own data set, which has a graph and 14 sets of captions, but its nearest public
# relative, in the same layout.
#
# ```python
# from pathlib import Path
#
# from misalign.worlds import causal3dident
#
# folder = Path("data/m3di/train")
# pictures = causal3dident.folder(folder)
# world = causal3dident.world(pictures, causal3dident.written(folder))
# ```
#
# ### Ours
#
# | Source | `misalign.rendering`, rendered on demand |
# | :--- | :--- |
# | Content | as many pictures as you like, of any size; by default MPI3D's 460,800 combinations, or 100,000 draws from the graph |
# | Factors | Tables 6 and 9 |
# | Captions | Tables 8 and 11, composed anew for each pair; all settings of Tables 7 and 10 |
# | License | MIT, as this book |
#
# Without files, pictures are rendered when a batch first asks for them. With files, all of them are
# written once, with captions of all 14 settings, in the layout of Multimodal3DIdent. A folder that was
# left unfinished is completed.
#
# ```python
# from misalign.worlds import causal3dident
#
# pictures = causal3dident.rendered(1000)
# world = causal3dident.world(pictures, causal3dident.setting("selection", 5))
# ```
#
# ```sh
# misalign render causal3dident --n 100000 --out data/causal3dident
# ```
#
# ```python
# from pathlib import Path
#
# from misalign.worlds import causal3dident
#
# folder = Path("data/causal3dident")
# pictures = causal3dident.folder(folder)
# captions = causal3dident.written(folder, "selection", 5)
# world = causal3dident.world(pictures, captions)
# ```
#
# ## What we saw
#
# - Two worlds whose factors are known: one of discrete, independent factors, one in which colors have
#   causes. Draws agree with the graph's closed form.
# - Captions for every setting of the paper. Perturbed ones read as well as true ones.
# - Words are coarser than hues, so the best possible score is below 1, and it is known beforehand.
# - Among the scenes we tried, pictures hide nothing, except at the border of the angles and of the
#   hues. Their derivatives are right on surfaces, and blind to moving edges.
#
# ## Exercises
#
# ```{exercise} Which guess is allowed?
# :label: pictures-guess
#
# Captions of selection setting ② name shape and x_pos. How well can a perfect model recover the
# object's color, by $R^2$? Derive it from {eq}`eq-graph`, then ask `caption_oracle`.
# ```
#
# ````{solution} pictures-guess
# :class: dropdown
#
# The best guess is linear in x_pos, so $R^2$ is the squared correlation,
# $\frac{(1/6)^2 \cdot 2/3}{2 \cdot (1/6)^2 \cdot 2/3 + (1/3)^2 / 12} = 2/5$.
#
# ```python
# bias = causal3dident.setting("selection", 2)
# print(caption_oracle(bias, generator=generator_for(seed, "guess"))["color"])
# ```
# ````
#
# ```{exercise} A ball
# :label: pictures-ball
#
# The stage also takes watertight meshes, by their paths (install `misalign[meshes]`). Put a plain ball
# on it. How many singular values of its Jacobian should be 0? Are they, and are those of its secants?
# ```
#
# ````{solution} pictures-ball
# :class: dropdown
#
# Three should, one for each angle. Those of the Jacobian are not even small: a mesh has facets, and normals
# on a grid have grain, which turns with the ball and is steep. Those of the secants do better. They are
# not quite 0, but far below those of the seven shapes.
#
# ```python
# import trimesh
#
# trimesh.creation.icosphere(4).export("ball.ply")
# shapes = ("ball.ply", *stage.SHAPES[1:])
#
#
# def ball(factors):
#     return stage.picture(factors, size=64, shapes=shapes)
#
#
# balls = {**some, "shape": torch.zeros_like(some["shape"])}
# slopes = invertibility.jacobian(ball, balls, continuous)
# wide = invertibility.secants(ball, balls, continuous)
# for changes in (slopes, wide):
#     print(invertibility.smallest_singular_value(changes))
# ```
# ````
#
# ```{exercise} Hidden by the lamp
# :label: pictures-lamp
#
# Lamp and object both have a color, and a picture shows their product. Can an encoder distinguish a
# green object in red light from a red object in green light? Look at what the light does *not* reach.
# ```
#
# ```{solution} pictures-lamp
# :class: dropdown
#
# Yes. Light from all sides is white, so what lies in shadow shows the object's and the ground's own
# color, and the disc of light on the ground shows the lamp's. Were the shadows black, and the ground
# of unknown color, only products would be seen, and injectivity would fail on a whole region, not at
# its border.
# ```
#
# ## Where to go next
#
# {doc}`09_mpi3d` and {doc}`10_causal3dident` train on these worlds, and compare what they find with
# {doc}`06_numerical`. {doc}`scoreboard` lists the paper's claims about pictures with what has become
# of each. {doc}`errata` lists what we changed in the paper's tables, and why.
