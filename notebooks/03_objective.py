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
# (objective)=
# # The objective
#
# **The claim.** Section 2 of {cite}`cai2025` trains encoders with a contrastive loss, its Eq. (1),
# and proves theorems about another one, its Eq. (2). The bridge is one sentence: with ever more
# pairs and a temperature of 1, the first *reduces to* the second.
#
# This page checks the sentence in three parts. Two of them are true. Eq. (1) does converge, and its
# limit does contain *alignment*, the pull between partners. The third is not. In the place of
# *entropy*, the push that spreads points out, the limit has another term, which is entropy only if
# the temperature falls to 0 as well. This has visible consequences, and they explain choices that
# {doc}`every experiment <06_numerical>` of this book makes.

# %% tags=["hide-input"]
from math import log, pi

import matplotlib.pyplot as plt
import pandas as pd
import torch
from myst_nb import glue

from misalign import Bias, NumericalWorld
from misalign.theory import asymptotics
from misalign.objectives import mmcl, squared_distances, sym_align_max_ent
from misalign.style import COLORS, use_style
from misalign.rng import generator_for

use_style()
torch.set_num_threads(1)  # small tensors: more threads would only wait

# %% [markdown]
# Every draw below comes from this one seed. Each purpose has a random stream of its own, named after
# it.

# %% tags=["parameters"]
seed = 0

# %% [markdown]
# ## Two losses
#
# An image $\mathbf{x}_i$ and its caption $\mathbf{t}_i$ are encoded as points
# $\hat{\mathbf{z}}_{x,i} = \mathbf{f}_x(\mathbf{x}_i)$ and
# $\hat{\mathbf{z}}_{t,i} = \mathbf{f}_t(\mathbf{t}_i)$ of the same space. A batch holds $K$ such
# pairs. A contrastive loss asks, for every image, which of the $K$ captions belongs to it, and for
# every caption, which image. Near means alike, so the score of a guess is minus the squared
# distance over a temperature $\tau$:
#
# ```{math}
# :label: eq-mmcl
# \begin{aligned}
# & \mathcal{L}_{\text{MMCL}} = -\frac{1}{2K} \sum_{i=1}^{K} \Biggl[ \\
# & \quad \log \frac{e^{-\|\hat{\mathbf{z}}_{x,i} - \hat{\mathbf{z}}_{t,i}\|^2 / \tau}}
# {\sum_j e^{-\|\hat{\mathbf{z}}_{x,i} - \hat{\mathbf{z}}_{t,j}\|^2 / \tau}} \\
# & {}+ \log \frac{e^{-\|\hat{\mathbf{z}}_{x,i} - \hat{\mathbf{z}}_{t,i}\|^2 / \tau}}
# {\sum_j e^{-\|\hat{\mathbf{z}}_{x,j} - \hat{\mathbf{z}}_{t,i}\|^2 / \tau}} \Biggr]
# \end{aligned}
# ```
#
# This is the paper's Eq. (1), the loss of CLIP {cite}`radford2021` with another similarity. The
# function is `mmcl`. It is minus the log of a probability, so it is never negative; knowing
# nothing costs $\log K$.

# %%
z_x = torch.randn(256, 2, generator=generator_for(seed, "two losses"))
known = mmcl(z_x, z_x, tau=0.01)
unknown = mmcl(torch.zeros(256, 2), torch.zeros(256, 2))
print(f"partners in one place, pairs apart: {known:.2f}")
print(f"all points in one place:            {unknown:.2f}")
print(f"log K:                              {log(256):.2f}")

# %% tags=["remove-cell"]
assert known < 0.5 and f"{unknown:.3f}" == f"{log(256):.3f}"

# %% [markdown]
# In the first line partners coincide, and a low temperature makes most pairs look far apart. So the
# loss is small. It is not 0, because some of the 256 points happen to lie close to one another. In the
# second line all points coincide. Every guess is as good as any other, and the loss is $\log K$.
#
# The second loss has no batch in it. It pulls partners together and rewards a high differential
# entropy $H$, that is, points spread out in all of their space:
#
# ```{math}
# :label: eq-sym
# \begin{aligned}
# & \mathcal{L}_{\text{SymAlignMaxEnt}} = \\
# & \quad \underbrace{\mathbb{E}\,\bigl\|\hat{\mathbf{z}}_x - \hat{\mathbf{z}}_t\bigr\|^2}_{\text{alignment}}
# - \underbrace{\tfrac{1}{2}\bigl(H(\hat{\mathbf{z}}_x) + H(\hat{\mathbf{z}}_t)\bigr)}_{\text{entropy}}
# \end{aligned}
# ```
#
# This is the paper's Eq. (2), with one letter changed. The paper prints the norm without its
# square. Its text speaks of the *squared* Euclidean distance, and so do its slides and its code.
# We take the square: it is what equation {eq}`eq-mmcl` leads to, as the next section shows. It
# leads to a division by $\tau$, too, so the code divides this term by $\tau$ where that is not 1.
#
# The entropy of a distribution cannot be computed from a finite batch. It has to be estimated: the
# more crowded the points are around each other, the lower the entropy. A Gaussian kernel of the same
# temperature measures how crowded they are, among points of the same modality. So the function
# `sym_align_max_ent` differs from `mmcl` less than it seems: its negatives are images for an image,
# and captions for a caption. If both partners of every pair are the same point, the two functions
# have the same value, up to $\log K$.

# %% tags=["hide-input"]
first, second = mmcl(z_x, z_x) - log(256), sym_align_max_ent(z_x, z_x)
print(f"mmcl less log K:   {first:.2f}")
print(f"sym_align_max_ent: {second:.2f}")

# %% tags=["remove-cell"]
assert torch.isclose(first, second)

# %% [markdown]
# ## More and more pairs
#
# Take $\log K$ off Eq. (1). The sum over $K$ candidates becomes a mean, and a mean over more and
# more of them becomes an expectation:
#
# ```{math}
# :label: eq-limit
# \begin{aligned}
# & \mathcal{L}_{\text{MMCL}} - \log K \;\longrightarrow \\
# & \quad \frac{1}{\tau}\, \mathbb{E}\,\|\hat{\mathbf{z}}_x - \hat{\mathbf{z}}_t\|^2 \\
# & + \tfrac{1}{2}\, \mathbb{E}_{\mathbf{z} \sim p_x}
# \log \mathbb{E}_{\mathbf{z}' \sim p_t}\, e^{-\|\mathbf{z} - \mathbf{z}'\|^2/\tau} \\
# & + \tfrac{1}{2}\, \mathbb{E}_{\mathbf{z} \sim p_t}
# \log \mathbb{E}_{\mathbf{z}' \sim p_x}\, e^{-\|\mathbf{z} - \mathbf{z}'\|^2/\tau}
# \end{aligned}
# ```
#
# The first term is alignment, squared and divided by $\tau$. The other two are expected logarithms
# of a smoothed density: each asks how crowded the other modality is around a point. For Gaussian
# points they have a closed form, `asymptotics.gaussian_log_kernel`. Let images be
# $\hat{\mathbf{z}}_x \sim \mathcal{N}(0, I_2)$, and captions the same with noise of standard
# deviation 0.3.

# %% tags=["hide-input"]
noise, n = 0.3, 2
image, text = 1.0, 1.0 + noise**2  # variances
kernel = asymptotics.gaussian_log_kernel
towards_text = kernel(1.0, n, variance=image, other=text)
towards_image = kernel(1.0, n, variance=text, other=image)
limit = n * noise**2 + (towards_text + towards_image) / 2


# %% [markdown]
# Now we estimate the same number from batches: 20 batches of every size, each with its own draws.


# %% tags=["hide-input"]
def estimate(pairs, number):
    generator = generator_for(seed, "pairs", pairs, number)
    z_x = torch.randn(pairs, n, generator=generator)
    z_t = z_x + noise * torch.randn(pairs, n, generator=generator)
    return mmcl(z_x, z_t) - log(pairs)


sizes = [4, 8, 16, 32, 64, 128, 256, 512, 1024]
estimates = [[estimate(k, i) for i in range(20)] for k in sizes]
estimates = torch.tensor(estimates)

# %% [markdown]
# {numref}`fig-objective-limit` shows them. In a small batch the pair itself is a large part of the
# mean, and keeps it high. After all, the loss is never negative, so what remains after subtracting
# $\log K$ is never below $-\log K$. For four pairs this lower bound is already above the line.

# %% mystnb={"figure": {"caption": "Eq. (1) less log K against the number of pairs: mean and standard deviation over 20 batches. The line is the limit in closed form.", "name": "fig-objective-limit"}, "image": {"alt": "Points with error bars fall towards a horizontal line and reach it at about 256 pairs; the bars shrink all the way."}} tags=["hide-input"]
mean, deviation = estimates.mean(1), estimates.std(1)
figure, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
ax.axhline(limit, color=COLORS["theory"], lw=1.2, label="limit")
points = {"fmt": "o", "ms": 4, "capsize": 3, "color": COLORS["unbiased"]}
ax.errorbar(sizes, mean, deviation, **points)
ax.set(xscale="log", xlabel="pairs $K$", ylabel=r"Eq. (1) $-\ \log K$")
ax.set_xticks(sizes, sizes)
ax.minorticks_off()
ax.legend()
plt.show()
for k, value in zip(sizes, mean, strict=True):
    if k in (4, 64, 1024):
        print(f"{k:>5,} pairs: {value:.2f}")
print(f"      limit: {limit:.2f}")

# %% tags=["remove-cell"]
assert (mean[-1] - limit).abs() < 0.03 and (mean[:5] > limit).all()

# %% [markdown]
# So the first half of the claim holds: the more pairs, the closer the mean comes to the limit. Small
# batches are biased upwards, which is one reason why contrastive training works better with large
# ones. Eq. (2) describes the right end of the figure.
#
# ## The temperature must fall, too
#
# Is that limit Eq. (2)? Look at the kernel in equation {eq}`eq-limit`. Divided by
# $(\pi\tau)^{n/2}$ it is the density of Gaussian noise with variance $\tau/2$. So the inner
# expectation is the density of $\mathbf{z}'$ after a *blur* by that noise. Write
# $p * \mathcal{N}_\tau$ for the blurred density. When images and captions are distributed alike,
# $p_x = p_t = p$, a line of algebra gives
#
# ```{math}
# :label: eq-blur
# \begin{aligned}
# & \mathbb{E} \log \mathbb{E}\, e^{-\|\mathbf{z} - \mathbf{z}'\|^2/\tau} - \frac{n}{2} \log(\pi\tau) \\
# & \quad = -H(p) - D_{\mathrm{KL}}\bigl(p \,\|\, p * \mathcal{N}_\tau\bigr).
# \end{aligned}
# ```
#
# The constant is harmless. The divergence is not: it is the error of the claim, it is never
# negative, and it goes away only as the blur does. For points uniform on $(0, 1)$, where $H = 0$,
# `asymptotics.uniform_log_kernel` integrates the left side. The second column is the error:

# %%
errors = {}
for tau in (1.0, 0.1, 0.01, 0.001):
    kernel = asymptotics.uniform_log_kernel(tau)
    divergence = asymptotics.blur_divergence(kernel, 0.0, tau)
    errors[tau] = f"{-divergence:.3f}"
    print(f"tau = {tau:<5g}  {errors[tau]}")

# %% tags=["remove-cell"]
for tau in (1.0, 0.01):
    glue(f"off-{tau:g}", errors[tau].replace("-", "−"), display=False)

# %% [markdown]
# At the paper's $\tau = 1$ the limit is off by {glue:text}`off-1`, about as much as the entropy
# that is lost when the points shrink to half of the interval. At $\tau = 0.01$ it is
# {glue:text}`off-0.01`: each factor of 100 in the temperature buys a factor of 10.
#
# The error falls slowly, and the edges of the interval are the cause: the blur spills over them. For
# a density without edges, such as the standard Gaussian, the error is far smaller.
# {numref}`fig-objective-temperature` draws both errors as lines. Dots on the uniform line are
# measured with Eq. (1) itself.


# %% tags=["hide-input"]
def gap(law, tau, entropy):
    return asymptotics.blur_divergence(law(tau), entropy, tau)


taus = torch.logspace(-2, 1, 31).tolist()
uniform = [gap(asymptotics.uniform_log_kernel, tau, 0.0) for tau in taus]
normal = asymptotics.gaussian_entropy()
law = asymptotics.gaussian_log_kernel
gaussian = [gap(law, tau, normal) for tau in taus]


# %% [markdown]
# The measurement takes one line: Eq. (1) on 1,024 uniform points, less $\log K$ and the constant.


# %% tags=["hide-input"]
def measured(tau, number):
    generator = generator_for(seed, "uniform", number)
    z = torch.rand(1024, 1, generator=generator)
    return log(pi * tau) / 2 - (mmcl(z, z, tau=tau).item() - log(1024))


few = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0]
dots = torch.tensor([[measured(tau, i) for i in range(10)] for tau in few])

# %% mystnb={"figure": {"caption": "How far the limit of Eq. (1) is from minus the entropy, by temperature. Lines: closed forms for uniform and for Gaussian points in one dimension. Dots: Eq. (1) on 1,024 uniform points, mean and standard deviation over 10 batches.", "name": "fig-objective-temperature"}, "image": {"alt": "Two rising lines on logarithmic axes. The uniform one is high and shallow, with dots on it; the Gaussian one is low and four times as steep."}} tags=["hide-input"]
figure, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
ax.plot(taus, uniform, color=COLORS["unbiased"], label="uniform on (0, 1)")
dashes = {"ls": "--", "color": COLORS["omitted"]}
ax.plot(taus, gaussian, **dashes, label="standard Gaussian")
mean, deviation = dots.mean(1), dots.std(1)
ax.errorbar(few, mean, deviation, **points)
ax.set(xscale="log", yscale="log")
ax.set(xlabel=r"temperature $\tau$", ylabel="error of the claim")
ax.legend()
plt.show()
slopes = [log(line[10] / line[0]) / log(10) for line in (uniform, gaussian)]
print(f"slope of the uniform's line:  {slopes[0]:.1f}")
print(f"slope of the Gaussian's line: {slopes[1]:.1f}")
law = asymptotics.uniform_log_kernel
off = (mean - torch.tensor([gap(law, tau, 0.0) for tau in few])).abs().max()
print(f"largest distance of a dot from its line: {off:.3f}")

# %% tags=["remove-cell"]
assert [round(slope, 1) for slope in slopes] == [0.5, 2.0] and off < 0.03

# %% [markdown]
# On logarithmic axes a slope is an exponent: the error is of order $\sqrt{\tau}$ for the uniform and
# of order $\tau^2$ for the Gaussian. The theorem's encoders map into $(0, 1)^n$, where the best
# distribution is the uniform, so theirs is the slow case. One more condition hides in equation
# {eq}`eq-blur`: it needs $p_x = p_t$. Here a falling temperature helps by itself: alignment is divided
# by $\tau$, and soon allows nothing else.
#
# ## What the blur rewards
#
# An error would not matter if it were the same for all encoders. It is not. Equation {eq}`eq-blur`
# *subtracts* the divergence, so the loss rewards points for standing where blur changes them most:
# on edges, in clumps. Take one dimension and compare the uniform with two equal heaps at 0 and 1.
# The table has the limit of the entropy term in closed form. Lower is better.

# %%
taus = (1.0, 0.1, 0.01)
heaps = {tau: asymptotics.corners_log_kernel(tau) for tau in taus}
evenly = {tau: asymptotics.uniform_log_kernel(tau) for tau in taus}
table = pd.DataFrame({"two heaps": heaps, "uniform": evenly})
print(table.rename_axis("tau").round(3).to_string())

# %% tags=["remove-cell"]
for name, values in (("heaps", heaps), ("evenly", evenly)):
    glue(name, f"{values[1.0]:.3f}".replace("-", "−"), display=False)
assert [heaps[tau] < evenly[tau] for tau in heaps] == [True, False, False]

# %% [markdown]
# At $\tau = 1$ two heaps win, {glue:text}`heaps` against {glue:text}`evenly`, although their
# entropy is $-\infty$. At the two lower temperatures the uniform wins. So an encoder that minimizes
# this loss at $\tau = 1$ does not become uniform. What does it become? We let 160 points find out.
# They move freely in $(0, 1)$, and partners share a point, so only the entropy term acts. Then we
# measure which share of the points has ended in the first or the last tenth of the interval. Of
# uniform points it would be a fifth.


# %% tags=["hide-input", "nbval-ignore-output"]
def settle(tau, points=160, steps=200):
    generator = generator_for(seed, "free")
    start = torch.rand(points, 1, generator=generator, dtype=torch.float64)
    free = start.logit().requires_grad_()
    optimizer = torch.optim.Adam([free], 0.1)
    for _ in range(steps):
        z = free.sigmoid()
        optimizer.zero_grad()
        sym_align_max_ent(z, z, tau=tau).backward()
        optimizer.step()
    return free.detach().sigmoid()[:, 0]


settled = {tau: settle(tau) for tau in (1.0, 0.1, 0.01, 0.003)}
ends = {
    tau: ((z < 0.1) | (z > 0.9)).double().mean().item()
    for tau, z in settled.items()
}
for tau, share in ends.items():
    print(f"tau = {tau:<5g}  {share:.0%} in the end tenths")

# %% tags=["remove-cell", "nbval-ignore-output"]
assert ends[1.0] == 1 > ends[0.1] > 0.5 and max(ends[0.01], ends[0.003]) < 0.3
for tau in (1.0, 0.1, 0.01):
    glue(f"ends-{tau:g}", f"{ends[tau]:.0%}", display=False)

# %% [markdown]
# {numref}`fig-objective-corners` shows where all points stop.

# %% mystnb={"figure": {"caption": "Where 160 free points in (0, 1) settle under the entropy term, by temperature. The line is the uniform distribution.", "name": "fig-objective-corners"}, "image": {"alt": "Four histograms. At temperature 1 two spikes at the ends; at 0.1 four spikes; at 0.01 a comb of many low spikes; at 0.003 nearly flat with somewhat more at the ends."}} tags=["hide-input"]
figure, axes = plt.subplots(
    2, 2, figsize=(6.4, 4), layout="constrained", sharex=True
)
for ax, (tau, z) in zip(axes.flat, settled.items(), strict=True):
    ax.hist(z, bins=40, range=(0, 1), color=COLORS["unbiased"])
    ax.axhline(len(z) / 40, color=COLORS["theory"], lw=1)
    ax.set_title(rf"$\tau = {tau:g}$")
figure.supylabel("points")
plt.show()
outside = [f"{tau:g}" for tau in ends if ends[tau] == 1]
print("all points in the end tenths at tau =", *outside)

# %% [markdown]
# The share in the end tenths is {glue:text}`ends-1` at $\tau = 1$, {glue:text}`ends-0.1` at 0.1 and
# {glue:text}`ends-0.01` at 0.01. Notice the comb: points that are closer than the blur gain by
# merging, so they gather in heaps, about $\sqrt{\tau}$ apart. (The comb grows from the ends inwards.
# In the lower panels the points in the middle have not yet merged.) A kernel cannot see anything finer
# than its own width, and it does not spread what it cannot see.
#
# Hence a rule: the kernel has to be narrow compared with the spread of the outputs. The authors keep
# $\tau = 1$ and leave outputs unbounded, so the outputs grow until the kernel is narrow enough. Our
# encoders have outputs of variance 1, which cannot grow. So our kernel starts at $\tau = 0.1$, while
# the encoders find the factors, and widens during training: near the floor of the loss, a wider kernel
# still aligns pairs.
#
# ## Pull together, push apart
#
# With a kernel narrow enough, both halves of equation {eq}`eq-sym` can be seen at work. We need a
# small world with linear mixing. It has three factors: captions keep the first, distort the second
# and omit the third ({doc}`02_latent_variable_model` explains how).

# %% tags=["hide-input"]
world = NumericalWorld.draw(
    Bias(3, selected=(1, 2), perturbed=(2,)), layers=1, seed=seed
)
pilot = world.sample(4096, generator=generator_for(seed, "pilot"))

# %% [markdown]
# Both encoders whiten their input and pass it to a small perceptron with one output in $(0, 1)$.

# %% tags=["hide-input"]
from misalign.encoders.mlp import MLP, Whitening


def encoder(sample, name):
    fixed = {"generator": generator_for(seed, "weights", name)}
    mlp = MLP(sample.shape[1], 1, (32, 32), bounded=True, **fixed)
    return torch.nn.Sequential(Whitening(sample), mlp)


# %% [markdown]
# We train with three losses: alignment alone, entropy alone, and both. Entropy alone is
# `sym_align_max_ent` of a modality with itself, which leaves nothing to align.

# %%
tau = 0.02
losses = {
    "pull": lambda z_x, z_t: (z_x - z_t).square().sum(1).mean() / tau,
    "push": lambda z_x, z_t: (
        sum(sym_align_max_ent(z, z, tau=tau) for z in (z_x, z_t)) / 2
    ),
    "both": lambda z_x, z_t: sym_align_max_ent(z_x, z_t, tau=tau),
}


# %% [markdown]
# All three losses get the same initial encoders, batches and optimizer. Afterwards we measure two
# things on pairs that training has not seen: how far the codes spread (their standard deviation, the
# smaller one of images and captions), and how far the two codes of a pair are apart on average.


# %% tags=["hide-input", "nbval-ignore-output"]
def fit(loss, steps=250):
    f_x, f_t = encoder(pilot.image, "image"), encoder(pilot.text, "text")
    weights = [*f_x.parameters(), *f_t.parameters()]
    optimizer = torch.optim.Adam(weights, 1e-2)
    generator = generator_for(seed, "batches")
    for _ in range(steps):
        batch = world.sample(256, generator=generator)
        optimizer.zero_grad()
        loss(f_x(batch.image), f_t(batch.text)).backward()
        optimizer.step()
    return torch.cat([f_x(fresh.image), f_t(fresh.text)], 1).detach()


fresh = world.sample(1000, generator=generator_for(seed, "fresh"))
encoded = {name: fit(loss) for name, loss in losses.items()}
for name, z in encoded.items():
    apart = (z[:, 0] - z[:, 1]).abs().mean()
    print(f"{name}:  spread {z.std(0).min():.2f}   apart {apart:.2f}")

# %% tags=["remove-cell"]
spread = {name for name, z in encoded.items() if z.std(0).min() > 0.2}
correlations = {name: torch.corrcoef(z.T)[0, 1] for name, z in encoded.items()}
agree = {name for name, r in correlations.items() if r > 0.95}
assert spread == {"push", "both"} and agree == {"both"}

# %% [markdown]
# In {numref}`fig-objective-halves` every point is one of these pairs: the code of its image is the
# horizontal coordinate, the code of its caption the vertical one.

# %% mystnb={"figure": {"caption": "Codes of 1,000 fresh pairs, image against caption, after training with alignment alone, entropy alone, and both.", "name": "fig-objective-halves"}, "image": {"alt": "Three square panels. Left: all points in one spot. Middle: a cloud that fills the square. Right: a narrow band on the diagonal."}} tags=["hide-input"]
figure, axes = plt.subplots(
    1, 3, figsize=(7.2, 2.7), layout="constrained", sharey=True
)
titles = ("alignment alone", "entropy alone", "both")
for ax, title, z in zip(axes, titles, encoded.values(), strict=True):
    ax.scatter(*z.T, s=5, lw=0, alpha=0.4, color=COLORS["unbiased"])
    ax.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal")
    ax.set(title=title, xlabel="image code")
axes[0].set_ylabel("caption code")
plt.show()
least = min(encoded, key=lambda name: encoded[name].std(0).min())
print("codes spread least under:", least)

# %% [markdown]
# Alignment alone collapses: a constant is a perfect minimum. Entropy alone fills the square, and
# no image's code says anything about its caption. Only together do the two terms ask a question worth
# answering: *what can both modalities say, in as many different values as possible?* The answer must
# be a factor that captions keep. Here is the correlation, without its sign, of the image code with
# each of the three factors:

# %% tags=["nbval-ignore-output"]
factors = torch.cat([fresh.factors[f"s{i}"] for i in (1, 2, 3)], 1)
code = encoded["both"][:, :1]
found = torch.corrcoef(torch.cat([code, factors], 1).T)[0, 1:].abs()
for i, r in enumerate(found, 1):
    print(f"s{i}: {r:.2f}")

# %% tags=["remove-cell"]
assert found[0] > 0.5 and found[1:].max() < 0.2

# %% [markdown]
# The image shows all three factors, and the code keeps the unbiased one. This is Theorem 4.1 in
# miniature. {doc}`06_numerical` tests it on a larger scale.
#
# ## A floor under the loss
#
# The estimator has one more trap, and it shapes how our encoders are built. An entropy grows
# without end as points move apart. So does a naive estimate of it, one that leaves the pair itself out
# of the mean, as the formula suggests.


# %% tags=["hide-input"]
def naive(z_x, z_t):
    others = ~torch.eye(len(z_x), dtype=torch.bool)
    entropies = []
    for z in (z_x, z_t):
        logits = -squared_distances(z, z)[others].view(len(z), -1)
        entropies.append(log(len(z) - 1) - logits.logsumexp(1).mean())
    return (z_x - z_t).square().sum(1).mean() - sum(entropies) / 2


# %% [markdown]
# `sym_align_max_ent` keeps the positive pair in that mean, as the authors' code does. If the
# pair's alignment term is $a$, one of the $N$ terms of the mean is $e^{-a}$, so the log of the
# mean is at least $-a - \log N$. Adding $a$ leaves a loss that is never below $-\log N$. To see it,
# we take good representations, 512 nearly aligned pairs in ten dimensions, and multiply all outputs
# by up to 1,000.

# %% tags=["hide-input"]
generator = generator_for(seed, "scale")
z = torch.randn(2, 512, 10, generator=generator, dtype=torch.float64)
z_x, z_t = z[0], z[0] + 0.1 * z[1]
scales = [0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0]
kept = [sym_align_max_ent(c * z_x, c * z_t).item() for c in scales]
left_out = [naive(c * z_x, c * z_t).item() for c in scales]
floor = -log(512)

# %% mystnb={"figure": {"caption": "Loss of 512 nearly aligned pairs as all outputs are multiplied by a scale, with the positive pair kept in the mean of the entropy estimate and left out of it. The vertical axis is logarithmic below minus 10.", "name": "fig-objective-floor"}, "image": {"alt": "Two curves. One falls to a dashed line at about minus 6 and stays on it from scale 3 on; the other plunges to minus several million."}} tags=["hide-input"]
figure, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
ax.axhline(floor, color=COLORS["theory"], ls="--", lw=1, label=r"$-\log N$")
blue, orange = COLORS["unbiased"], COLORS["omitted"]
ax.plot(scales, kept, "o-", ms=4, color=blue, label="positive kept")
ax.plot(scales, left_out, "s-", ms=4, color=orange, label="left out")
ax.set_yscale("symlog", linthresh=10)
ax.set_yticks([0, -10, -1e3, -1e5], ["0", "−10", "$-10^3$", "$-10^5$"])
ax.set(xscale="log", xlabel="scale of the outputs", ylabel="loss")
ax.legend()
plt.show()
print(f"floor, -log N: {floor:.2f}")
for scale, one, other in zip(scales, kept, left_out, strict=True):
    if scale in (0.1, 1, 3, 10, 1000):
        print(f"scale {scale:<6g}  kept {one:5.2f}   left out {other:,.2f}")

# %% tags=["remove-cell"]
assert min(kept) > floor - 1e-6 and min(left_out) < -1e6
flat = [c for c, one in zip(scales, kept, strict=True) if one - floor < 1e-3]
assert flat == [3.0, 10.0, 30.0, 100.0, 300.0, 1000.0]

# %% [markdown]
# Without the positive pair, the loss in {numref}`fig-objective-floor` has no bottom: an encoder
# improves forever by multiplying its output, and learns nothing. With the positive pair it stops at
# the floor. But then scale is not *penalized* either: from 3 to 1,000 the loss hardly changes. For an
# encoder whose outputs have grown that far, the loss is flat. The norm of its gradient shows how flat:


# %% tags=["hide-input", "nbval-ignore-output"]
def slope(scale):
    outputs = (scale * z_x).requires_grad_()
    sym_align_max_ent(outputs, scale * z_t).backward()
    return outputs.grad.norm()


for scale in (0.3, 1.0, 3.0, 10.0):
    print(f"scale {scale:<4g}  {slope(scale):.0e}")

# %% tags=["remove-cell"]
assert slope(10.0) < 1e-6 * slope(0.3)

# %% [markdown]
# At a scale of 10 there is practically no gradient left: nothing pulls the encoder back, and it has
# nothing to learn from. This is why the encoders of our experiments end in a standardization: mean 0
# and variance 1 in every output. It is an invertible affine map, so it cannot change *what* is
# identified. It only keeps the outputs at a scale where the loss has a slope. At the paper's own scale
# of experiments we leave the standardization out, as the authors do.
#
# ## What we saw
#
# - Eq. (1) less $\log K$ converges, to alignment over $\tau$ plus the log of a blurred density.
# - That limit is Eq. (2), with alignment over $\tau$, only as $\tau \to 0$, after subtracting
#   $\frac{n}{2}\log(\pi\tau)$. At any other temperature the limit falls short by the divergence of the
#   points from their blur: it is off by {glue:text}`off-1` for the uniform at $\tau = 1$.
# - At $\tau = 1$ the loss prefers the corners of a cube to its uniform distribution. A kernel has to be
#   narrow compared with the outputs: either the outputs may grow, or the kernel starts small.
# - Alignment alone collapses, entropy alone ignores the pairs, and both together find what is shared.
# - The positive pair in the estimate bounds the loss, and standardized outputs keep the loss from
#   going flat.
#
# Theorem 4.1 is about Eq. (2), with a true entropy. In practice one uses an estimate with a
# temperature of 1. Whether the difference does harm is for the experiments to show.
#
# ## Exercises
#
# ```{exercise} A closed form
# :label: objective-kernel
#
# Derive the closed form behind `asymptotics.gaussian_log_kernel`: for $z, z' \sim \mathcal{N}(0, 1)$,
# what is $\mathbb{E}_{z}\log\mathbb{E}_{z'}\,e^{-(z-z')^2/\tau}$?
# ```
#
# ```{solution} objective-kernel
# :class: dropdown
#
# The kernel is $\sqrt{\pi\tau}$ times the density of $\mathcal{N}(0, \tau/2)$ at $z - z'$. So the
# inner expectation is $\sqrt{\pi\tau}$ times the density of $\mathcal{N}(0, 1 + \tau/2)$ at $z$,
# which is $(1 + 2/\tau)^{-1/2}\, e^{-z^2/(\tau + 2)}$. Its logarithm has the expectation
# $-\tfrac12\log(1 + 2/\tau) - 1/(\tau + 2)$.
# ```
#
# ```{exercise} Where the heaps win
# :label: objective-crossover
#
# Two heaps beat the uniform at $\tau = 1$ and lose at $\tau = 0.1$. Where is the crossover? And is
# the uniform the optimum below it?
# ```
#
# ```{solution-start} objective-crossover
# :class: dropdown
# ```
# Bisect on the sign of the difference.

# %%
low, high = 0.1, 1.0
heaps = asymptotics.corners_log_kernel
uniform = asymptotics.uniform_log_kernel
for _ in range(30):
    middle = (low + high) / 2
    heaps_win = heaps(middle) < uniform(middle)
    low, high = (low, middle) if heaps_win else (middle, high)
print(f"crossover at tau = {middle:.3f}")

# %% [markdown]
# Above it the uniform has lost to two heaps. Below it two heaps lose, but four of them, or a comb,
# still win: {numref}`fig-objective-corners` has heaps at 1, 0.1 and 0.01. In fact no temperature
# above 0 makes the uniform the optimum. At an edge only half a kernel's worth of points is near, so
# moving a little mass there always pays.
# ```{solution-end}
# ```
#
# ```{exercise} Cosine similarity
# :label: objective-cosine
#
# `mmcl` also takes `similarity="cosine"`. Can an encoder then profit from scaling its output?
# Which temperature would you choose, and why is $\tau = 1$ a poor one?
# ```
#
# ```{solution} objective-cosine
# :class: dropdown
#
# The cosine ignores scale, so there is nothing to profit. But it lies between $-1$ and $1$: at
# $\tau = 1$ a perfect pair scores at most $e^2$ times what its opposite does, so the loss cannot
# come near 0 in a large batch. CLIP learns its temperature and ends at about 0.01
# {cite}`radford2021`.
# ```
#
# ## Where to go next
#
# {doc}`04_identifiability` goes through the proof of Theorem 4.1, which starts from this objective.
# {doc}`06_numerical` trains real pairs of encoders with it, and compares what they learn with what
# the theorem predicts.
