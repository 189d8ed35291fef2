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
# (latent-variable-model)=
# # The latent variable model
#
# **The claim.** A caption may leave things out, and it may get things wrong. In section 3 of their
# paper, {cite:t}`cai2025` describe all misalignment by two sets of factors: those that captions *select*,
# and those of them that captions may *perturb*. Everything else about images and captions may be as
# complicated as it likes.
#
# {numref}`fig-model` shows the whole model. The factors, called the semantic variables $\mathbf{s}$, reach the image as they are. On
# the way to the caption some of them stay the same, some may be replaced, and the rest are omitted.
#
# ```{figure} ../book/figures/model.svg
# :name: fig-model
# :class: dark-light
# :width: 640px
# :alt: A graph. The semantic variables s are in three blocks. The perturbed block reaches the caption replaced, marked by the perturbation bias rho. The unbiased block reaches it as it is. The omitted block is cut off by the selection bias theta. All of s and the image-specific variables m_x give the image x. What captions say and the text-specific variables m_t give the caption t.
#
# The model (the paper's Figure 1). Only the image $\mathbf{x}$ and the caption $\mathbf{t}^{(\theta)}$ are observed. Everything else is latent.
# ```
#
# This chapter builds that model piece by piece (the paper's Eqs. 3 to 5, Definitions 3.1 and 3.2,
# Assumptions 3.1 and 3.2), runs Example 3.1, and checks every index that the paper prints. Then it
# draws a world of the model and looks inside.

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import torch
from myst_nb import glue

from misalign import Bias, NumericalWorld
from misalign.bias import subset_at, subset_rank
from misalign.reporting.summaries import status
from misalign.style import COLORS, use_style
from misalign.rng import generator_for

use_style()

# %% [markdown]
# All random draws below come from one seed; each purpose has a random stream of its own.

# %% tags=["parameters"]
seed = 0

# %% [markdown]
# ## An image shows everything
#
# Behind an image there are factors: the shape of an object, its size, its color. They are
# numbers. Those that words can describe make up a vector
# $\mathbf{s} = (s_1, \dots, s_{n_s})$. What is in the image alone, such as sensor noise, is another
# vector, $\mathbf{m}_x$. The camera turns both into pixels:
#
# ```{math}
# :label: eq-image
# \begin{gathered}
# \mathbf{s} \sim p_{\mathbf{s}}, \qquad \mathbf{m}_x \sim p_{\mathbf{m}_x}, \\
# \mathbf{x} = \mathbf{g}_x(\mathbf{s}, \mathbf{m}_x).
# \end{gathered}
# ```
#
# Nothing is lost on the way: the map $\mathbf{g}_x$ is a *diffeomorphism*, smooth and with a smooth
# inverse. Whoever knew $\mathbf{g}_x$ could compute every factor from the image. Nobody does, and
# that is the whole problem.
#
# ## A caption leaves things out
#
# The first way in which a caption departs from its image is that it mentions some factors and is
# silent about the others. All that matters is which. The paper gives each possible choice a number, $\theta$.
#
# ```{prf:definition} Selection bias, the paper's Definition 3.1
# :label: def-selection
# Of the factors $\{1, \dots, n_s\}$ captions mention a non-empty subset $\mathbb{I}_\theta$. The
# others, $\mathbb{I}_\theta^c$, are *omitted*. Number the non-empty subsets: the selection bias
# $\theta \in \{1, \dots, 2^{n_s} - 1\}$ is the number of $\mathbb{I}_\theta$.
# ```
#
# The second way is that a factor is mentioned, but wrongly: "red" for a black cat. Here, too, each
# possible choice of such factors has a number, $\rho$.
#
# ```{prf:definition} Perturbation bias, the paper's Definition 3.2
# :label: def-perturbation
# Of the selected factors captions may get a proper subset
# $\mathbb{I}_\rho \subsetneq \mathbb{I}_\theta$ wrong. The others,
# $\mathbb{I}_\rho^c = \mathbb{I}_\theta \setminus \mathbb{I}_\rho$, are *unbiased*: mentioned,
# and always right. Number the proper subsets of $\mathbb{I}_\theta$: the perturbation bias
# $\rho \in \{1, \dots, 2^{|\mathbb{I}_\theta|} - 1\}$ is the number of $\mathbb{I}_\rho$.
# ```
#
# Each factor is thus unbiased, perturbed or omitted. *Proper* means that at least one is unbiased.
#
# The caption is then made as the image was. Into it go what it says about the selected factors,
# $\tilde{\mathbf{s}}_{\mathbb{I}_\theta}$, and what is the text's own, such as grammar, $\mathbf{m}_t$:
#
# ```{math}
# :label: eq-text
# \begin{gathered}
# \tilde{\mathbf{s}}_{\mathbb{I}_\theta} \sim p(\,\cdot \mid \mathbf{s}, \theta, \rho), \qquad \mathbf{m}_t \sim p_{\mathbf{m}_t}, \\
# \mathbf{t} = \mathbf{g}_t(\tilde{\mathbf{s}}_{\mathbb{I}_\theta}, \mathbf{m}_t),
# \end{gathered}
# ```
#
# again with a diffeomorphism $\mathbf{g}_t$. (The paper writes $\mathbf{g}_{t^{(\theta)}}$ and
# $\mathbf{t}^{(\theta)}$, since both depend on $\theta$.) So a caption is never unclear: what it says
# can be recovered from it exactly. But what it says may be incomplete, or wrong.
#
# ## Example 3.1, live
#
# To number subsets, one needs an order. The paper takes the *graded lexicographic* one: smaller
# sets first, and among sets of one size the usual order of a dictionary. With three factors there
# are seven non-empty sets.

# %%
names = ("shape", "size", "color")
for theta in range(1, 8):
    print(theta, [names[i - 1] for i in subset_at(theta, n=3)])

# %% [markdown]
# Example 3.1 sets $\theta = 5$ and $\rho = 3$. The class `Bias` reads both numbers back into sets.

# %%
bias = Bias.from_indices(n=3, theta=5, rho=3)
for fate in ("unbiased", "perturbed", "omitted"):
    print(f"{fate:9}", [names[i - 1] for i in getattr(bias, fate)])
assert (bias.unbiased, bias.perturbed, bias.omitted) == ((1,), (3,), (2,))

# %% [markdown]
# Captions state the cat's shape correctly, may state a wrong color, and omit the size. "A cat that
# is red color", beside the picture of a large black cat, is the paper's own example.
#
# `Bias` computes these numbers with binomial coefficients, and never lists the sets. So 40 factors,
# which have about $10^{12}$ subsets, take no longer than three.

# %%
many = Bias(40, selected=range(1, 40, 2), perturbed=(1, 3))
print("theta:", many.theta, " rho:", many.rho)
print("and back again:", Bias.from_indices(40, many.theta, many.rho) == many)
assert Bias.from_indices(40, many.theta, many.rho) == many

# %% [markdown]
# ## The indices that the paper prints
#
# Tables 2 and 3 of the paper list the ten settings of each kind that its numerical study uses. For
# selection, captions mention the first 1, 2, ..., 10 factors. For perturbation, they mention all
# ten and may get the first 0, 1, ..., 9 wrong. Do the printed indices agree with ours?

# %%
table_2 = [1, 11, 56, 176, 386, 638, 848, 968, 1013, 1023]
table_3 = [1, 2, 12, 57, 177, 387, 639, 849, 969, 1014]
settings = range(1, 11)
thetas = [Bias.numerical("selection", k).theta for k in settings]
rhos = [Bias.numerical("perturbation", k).rho for k in settings]
print("Table 2:", thetas == table_2)
print("Table 3:", rhos == table_3)
assert thetas == table_2 and rhos == table_3

# %% [markdown]
# All twenty agree. Another index does not. The joint setting has $\mathbb{I}_\theta = \{1, \dots, 8\}$
# and $\mathbb{I}_\rho = \{1, 2\}$, for which Appendix C.1 prints $\theta = 968$ and $\rho = 12$.

# %%
joint = Bias.numerical("joint", 1)
print("theta:", joint.theta, " rho:", joint.rho)
print("12 if all ten factors were selected:", subset_rank((1, 2), 10) + 1)
assert (joint.theta, joint.rho) == (968, 10)
glue("joint-rho", joint.rho, display=False)

# %% [markdown]
# {prf:ref}`def-perturbation` counts subsets of $\mathbb{I}_\theta$, of which there are fewer when
# fewer factors are selected. So $\rho$ is {glue:text}`joint-rho`. The printed 12 belongs to the
# same set $\{1, 2\}$ among subsets of all ten factors. Nothing depends on this slip, because only the
# sets matter. From here on the book names the sets.
#
# ## What is assumed
#
# The theorem needs two assumptions. The first is that factors are continuous.
#
# ```{prf:assumption} Continuous factors, the paper's Assumption 3.1
# :label: asm-density
# $\mathbf{s}$, $\mathbf{m}_x$ and $\mathbf{m}_t$ are continuous and independent of each other.
# Each has a density that is positive almost everywhere on its support. (The
# independence is of the paper's section 3.1.)
# ```
#
# The factors *within* $\mathbf{s}$ may depend on each other in any way: color may be correlated with
# shape. Here the paper assumes less than earlier work {cite}`daunhawer2022,vonkugelgen2021`.
#
# The second assumption says how a caption errs. For each caption, chance picks a set $A$ of factors
# that this caption gets wrong. Those in $A$ are replaced, the others are copied.
#
# ```{prf:assumption} Random perturbations, the paper's Assumption 3.2
# :label: asm-perturbation
# A random subset $A \subseteq \mathbb{I}_\rho$ is drawn for every pair, and each factor of
# $\mathbb{I}_\rho$ is in it with positive probability. Given $A$,
#
# $$
# \begin{aligned}
# & p(\tilde{\mathbf{s}}_{\mathbb{I}_\theta} \mid \mathbf{s}, A) = \\
# & \quad \delta(\tilde{\mathbf{s}}_{\mathbb{I}_\theta \setminus A} - \mathbf{s}_{\mathbb{I}_\theta \setminus A}) \\
# & \quad \cdot p(\tilde{\mathbf{s}}_A \mid \mathbf{s}_A)
# \end{aligned}
# $$ (eq-perturbation)
#
# with a smooth, strictly positive density $p(\tilde{\mathbf{s}}_A \mid \mathbf{s}_A)$. (The formula is the paper's Eq. 5.)
# ```
#
# The Dirac delta $\delta$ says that the factors outside $A$ are equal to the true ones. Two words
# matter most. *Proper*, in {prf:ref}`def-perturbation`, means that some factor is never wrong.
# *Density*, here, means that a wrong value is any of infinitely many: captions that only swap one
# word for another do not satisfy the assumption.
#
# ## A world
#
# The numerical world of the paper's section 5.1 is a simple case of the model. It has ten Gaussian
# factors, and the noise that perturbs them is Gaussian, too. The maps $\mathbf{g}_x$ and
# $\mathbf{g}_t$ are small invertible networks (with leaky ReLUs, as in the paper: smooth but for a
# kink). We draw a world whose factors depend on each other. Its captions mention six factors, and
# may get the first two of these wrong.

# %%
bias = Bias(10, selected=range(1, 7), perturbed=(1, 2))
world = NumericalWorld.draw(bias, latents="dependent", seed=seed)
for fate in ("unbiased", "perturbed", "omitted"):
    print(f"{fate:9}", getattr(bias, fate))

# %% [markdown]
# Four covariance matrices describe its latent variables: those of $\mathbf{s}$, of the noise
# $\epsilon$, of $\mathbf{m}_x$ and of $\mathbf{m}_t$. Each is a draw from a Wishart distribution,
# with a random stream of its own. {numref}`fig-model-covariances` shows them as correlations.

# %% mystnb={"figure": {"caption": "Correlations of the factors, of the perturbing noise, and of the two modality-specific vectors in one drawn world.", "name": "fig-model-covariances"}, "image": {"alt": "Four square heatmaps from blue to red, two of size ten and two of size five, each with a dark red diagonal and patches of both colors beside it."}}
matrices = {
    "$s$": world.sigma_s,
    r"$\epsilon$": world.sigma_eps,
    "$m_x$": world.sigma_m_x,
    "$m_t$": world.sigma_m_t,
}
figure, axes = plt.subplots(1, 4, figsize=(7.4, 2.2), layout="constrained")
for ax, (title, sigma) in zip(axes, matrices.items(), strict=True):
    scale = sigma.diagonal().sqrt()
    correlation = sigma / torch.outer(scale, scale)
    drawn = ax.imshow(correlation, cmap="RdBu_r", vmin=-1, vmax=1)
    ax.set(
        title=title,
        xticks=[0, len(sigma) - 1],
        xticklabels=[1, len(sigma)],
        yticks=[],
    )
figure.colorbar(drawn, ax=axes, label="correlation", ticks=[-1, 0, 1])
plt.show()
positive = all(torch.linalg.eigvalsh(sigma)[0] > 0 for sigma in matrices.values())
print("sizes:", [len(sigma) for sigma in matrices.values()])
print("all positive definite:", positive)
assert positive

# %% [markdown]
# The paper describes $\Sigma_{\mathbf{s}}$ and $\Sigma_\epsilon$ as separate draws, too. But its
# code gives both the same seed, so there they are the same matrix. The picture shows that ours
# are not.
#
# Now we draw pairs of an image and a caption.

# %%
batch = world.sample(2000, generator=generator_for(seed, "pairs"))
print("images  ", tuple(batch.image.shape), "= 10 factors + 5 of their own")
print("captions", tuple(batch.text.shape), "= 6 selected factors + 5 of their own")
print("said    ", list(batch.text_factors))

# %% [markdown]
# By equation {eq}`eq-image` an image loses nothing. We can check this, because each layer of
# $\mathbf{g}_x$ has an exact inverse. Single precision leaves an error in the fourth digit.

# %%
latents = torch.cat([*batch.factors.values()][:11], 1)  # s1 ... s10, m_x
back = world.g_x.inverse(world.g_x(latents))
print("g⁻¹(g(z)) = z:", torch.allclose(back, latents, atol=1e-3))
print("and x = g(s, m_x):", torch.equal(batch.image, world.g_x(latents)))
assert torch.allclose(back, latents, atol=1e-3)

# %% [markdown]
# The layers of $\mathbf{g}_x$ are well conditioned: each is among the best 25 of 25,000 random
# matrices. (The paper speaks of "a condition number threshold of 1e-3". No condition number is
# below 1. Its code takes a quantile of 0.1 %, and so do we.)

# %%
worst = max(torch.linalg.cond(weight).item() for weight in world.g_x.weights)
print("every layer's condition number between 1 and 10:", 1 <= worst < 10)
assert 1 <= worst < 10

# %% [markdown]
# ## What a caption keeps
#
# {numref}`fig-model-fates` compares the true $s_j$ with what the caption says, $\tilde{s}_j$, for an
# unbiased, a perturbed and an omitted factor. An omitted factor is not in the caption at all. For
# this one we take the best prediction from the unbiased factors instead.


# %%
def heard(factor):
    """What the caption says of a factor, or lets one predict of an omitted one."""
    if factor in batch.text_factors:
        return batch.text_factors[factor][:, 0]
    j, known = int(factor[1:]) - 1, [i - 1 for i in bias.unbiased]
    sigma = world.sigma_s.float()
    s = torch.cat([batch.factors[f"s{i}"] for i in bias.unbiased], 1)
    return s @ torch.linalg.solve(sigma[known][:, known], sigma[known, j])


# %% mystnb={"figure": {"caption": "Truth against caption for an unbiased, a perturbed and an omitted factor, 2,000 pairs. For the omitted one the vertical axis holds the best prediction from the unbiased factors. The thin line is where both are equal.", "name": "fig-model-fates"}, "image": {"alt": "Three scatter plots. Unbiased: a straight diagonal line. Perturbed: a faint diagonal line inside a broad cloud. Omitted: a cloud without a line."}}
figure, axes = plt.subplots(1, 3, figsize=(7.4, 2.8), layout="constrained")
same = {}
for ax, factor in zip(axes, ("s3", "s1", "s7"), strict=True):
    truth, words = batch.factors[factor][:, 0], heard(factor)
    fate = status(factor, bias)
    same[fate] = (truth == words).double().mean().item()
    ax.axline((0, 0), slope=1, color=COLORS["theory"], lw=0.6, zorder=0)
    ax.scatter(truth, words, s=4, lw=0, alpha=0.5, color=COLORS[fate])
    said = "predicted" if fate == "omitted" else "said"
    ax.set(title=f"{fate}, $s_{factor[1:]}$", xlabel="true", ylabel=said)
    ax.set(xlim=(-14, 14), ylim=(-14, 14), aspect="equal")
plt.show()
quarter = abs(same["perturbed"] - 0.25) < 0.05
print("unbiased, always right:", same["unbiased"] == 1)
print("perturbed, right in about a quarter of captions:", quarter)
print("omitted, never known exactly:", same["omitted"] == 0)
assert same["unbiased"] == 1 and quarter and same["omitted"] == 0
glue("right", f"{1 - bias.probability:g}", display=False)

# %% [markdown]
# In the middle panel some points are on the line: with probability {glue:text}`right` a caption
# states the perturbed factor correctly. One might expect that an encoder learns a little from
# these. Theorem 4.1 says no. Of perturbed and omitted factors alike, the representation keeps what
# can be predicted from the unbiased ones, and nothing more. And which factors does no caption get
# wrong?

# %%
kept = {
    factor
    for factor, words in batch.text_factors.items()
    if torch.equal(words, batch.factors[factor])
}
print("never wrong:", sorted(kept))
assert kept == {f"s{i}" for i in bias.unbiased}

# %% [markdown]
# Just the unbiased ones, as equation {eq}`eq-perturbation` says. Whatever set chance picks, it is
# a subset of $\mathbb{I}_\rho$. So the unbiased factors are outside it, and are copied every time:
# $\mathbb{I}_\rho^c \subseteq \mathbb{I}_\theta \setminus A$. The proof of the theorem starts here. (In the paper's Lemma B.1
# the inclusion is printed with $\mathbb{I}_\rho \setminus A$, which cannot hold.)
#
# ## Changing a word is not changing the world
#
# Factors depend on each other, so one might ask what happens to the others when the caption gets
# one wrong. Nothing happens to them. This is Remark 3.1 of the paper: a perturbation changes the
# *text*. Call the cat red, and it keeps its size. An *intervention* is different: it changes the
# factor itself, and with it whatever this factor causes.
#
# Two factors show it. Let $s_1$ cause $s_2$, by $s_2 = 0.8\, s_1 + 0.6\, e$ with independent $e$.
# Add 2 to $s_1$, once in the caption and once in the world.

# %%
effect, shift = 0.8, 2.0
s1, e = torch.randn(2, 5000, generator=generator_for(seed, "cause"))
s2 = effect * s1 + 0.6 * e
word = (s1 + shift, s2)
intervention = (s1 + shift, effect * (s1 + shift) + 0.6 * e)

# %% [markdown]
# In {numref}`fig-model-intervention` the changed word moves points sideways, off the line. The
# intervention moves them along the line, which is how $s_1$ causes $s_2$.

# %% mystnb={"figure": {"caption": "Adding 2 to a cause: as a word of the caption, and as an intervention on the world. Gray: before. The line is how the first factor causes the second.", "name": "fig-model-intervention"}, "image": {"alt": "Two panels with the same slanted gray cloud on a line. Left: an orange cloud shifted to the right, off the line. Right: a blue cloud shifted along the line."}}
figure, axes = plt.subplots(1, 2, figsize=(7, 3), layout="constrained", sharey=True)
panels = {"changed word": word, "intervention": intervention}
colors = (COLORS["perturbed"], COLORS["unbiased"])
for ax, (title, after), color in zip(axes, panels.items(), colors, strict=True):
    ax.axline((0, 0), slope=effect, color=COLORS["theory"], lw=1)
    ax.scatter(s1[:400], s2[:400], s=7, lw=0, color=COLORS["specific"])
    ax.scatter(after[0][:400], after[1][:400], s=7, lw=0, alpha=0.8, color=color)
    ax.set(title=title, xlabel="$s_1$", xlim=(-4, 6))
axes[0].set_ylabel("$s_2$")
plt.show()
moves = [round((after[1] - s2).mean().item(), 2) for after in panels.values()]
print("mean move of s2, by word and by intervention:", *moves)
assert moves == [0, effect * shift]

# %% [markdown]
# Conditional means show the same. Where a caption says that $s_1$ is near 2, the true $s_1$ is near
# 0, and so is $s_2$. Where an intervention *made* $s_1$ near 2, $s_2$ is near 1.6.


# %%
def mean_near(pair, value):
    near = (pair[0] - value).abs() < 0.25
    return pair[1][near].mean().item()


said, made = mean_near(word, shift), mean_near(intervention, shift)
print("word says 2, s2 near 0:    ", abs(said) < 0.1)
print("world made 2, s2 near 1.6: ", abs(made - effect * shift) < 0.1)
assert abs(said) < 0.1 and abs(made - effect * shift) < 0.1

# %% [markdown]
# So a wrong word breaks the relation between factors, and an intervention preserves it. For
# learning this is good news. If an error about a factor spread to all that the factor causes, none of
# these could be learned. As it is, unbiased factors stay unbiased whatever the causal graph, which
# need not even be known.
#
# ## What we saw
#
# - An image contains all factors. A caption selects some, $\mathbb{I}_\theta$, and may get some of
#   those wrong, $\mathbb{I}_\rho$. So each factor is unbiased, perturbed or omitted.
# - The indices $\theta$ and $\rho$ number these sets in graded lexicographic order. All printed
#   ones are right but the joint setting's $\rho$, which is {glue:text}`joint-rho`.
# - A perturbation changes words, not the world. It does not spread to other factors.
#
# ## Exercises
#
# ```{exercise} Counting
# :label: model-index
#
# With $n_s = 4$, which set has $\theta = 11$? Work it out on paper, then ask `Bias.from_indices`.
# How many pairs $(\theta, \rho)$ are there in all?
# ```
#
# ```{solution} model-index
# :class: dropdown
#
# There are 4 sets of one factor and 6 of two, so number 11 is the first of three factors:
# $\{1, 2, 3\}$. A set of size $k$ has $2^k - 1$ proper subsets, so the number of pairs is
# $\sum_{k=1}^{4} \binom{4}{k} (2^k - 1) = 3^4 - 2^4 = 65$: all ways to make each of four factors
# unbiased, perturbed or omitted, less those in which none is unbiased.
# ```
#
# ```{exercise} All perturbed
# :label: model-proper
#
# Why must $\mathbb{I}_\rho$ be a *proper* subset? Try
# `Bias(3, selected=(1, 3), perturbed=(1, 3))`, and say what an encoder could learn from such
# captions.
# ```
#
# ```{solution} model-proper
# :class: dropdown
#
# `Bias` refuses, and names Definition 3.2. If every selected factor could be wrong, no function of
# the caption, a constant apart, would always agree with a function of the image. Pulling partners
# together could then only collapse both encoders.
# ```
#
# ```{exercise} A swapped word
# :label: model-swap
#
# A caption gives the size of an object as "small" or "large", and swaps the word with probability
# 0.1. Which assumption does it break? Does the word still carry information about the size?
# ```
#
# ```{solution} model-swap
# :class: dropdown
#
# Both: size is not continuous, and the wrong value has no density. The word carries a lot of
# information: if both sizes are equally common, one bit minus the entropy of a coin with probability 0.1, about half a
# bit. The theorem does not cover such captions, and an encoder with a dimension to spare can use
# that half bit.
# ```
#
# ## Where to go next
#
# The model says what the data are. {doc}`03_objective` explains the loss that encoders are trained
# with.
