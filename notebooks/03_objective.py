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
# We walk over that bridge and test every plank. Two hold: Eq. (1) does converge, and what it
# converges to does hold *alignment*, the pull between partners. One does not: what stands in the
# place of *entropy*, the push that spreads points out, is entropy only if the temperature falls to
# 0 as well. This has visible consequences, and they explain choices that
# {doc}`every experiment <06_numerical>` of this book makes.

# %%
from math import log, pi

import matplotlib.pyplot as plt
import torch
from myst_nb import glue

from misalign import Bias, NumericalWorld
from misalign.theory import asymptotics
from misalign.objectives import mmcl, squared_distances, sym_align_max_ent
from misalign.style import COLORS, use_style
from misalign.rng import generator_for

use_style()
torch.set_num_threads(1)  # tensors are small here: more threads would only wait

# %% [markdown]
# Every draw below comes from one seed, by a stream that is named after its purpose.

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
# \mathcal{L}_{\text{MMCL}} = -\frac{1}{2K} \sum_{i=1}^{K} \Biggl[
# \log \frac{e^{-\|\hat{\mathbf{z}}_{x,i} - \hat{\mathbf{z}}_{t,i}\|^2 / \tau}}
# {\sum_j e^{-\|\hat{\mathbf{z}}_{x,i} - \hat{\mathbf{z}}_{t,j}\|^2 / \tau}}
# + \log \frac{e^{-\|\hat{\mathbf{z}}_{x,i} - \hat{\mathbf{z}}_{t,i}\|^2 / \tau}}
# {\sum_j e^{-\|\hat{\mathbf{z}}_{x,j} - \hat{\mathbf{z}}_{t,i}\|^2 / \tau}} \Biggr]
# ```
#
# This is the paper's Eq. (1), the loss of CLIP {cite}`radford2021` with another similarity. The
# function is `mmcl`. It is minus the log of a probability, so it is never negative; knowing
# nothing costs $\log K$.

# %%
z_x = torch.randn(256, 2, generator=generator_for(seed, "two losses"))
known = mmcl(z_x, z_x, tau=0.01) < 0.5
unknown = mmcl(torch.zeros(256, 2), torch.zeros(256, 2))
print("every partner found, loss nearly 0:", bool(known))
print(f"all points in one place: {unknown:.3f} = log K = {log(256):.3f}")
assert known and f"{unknown:.3f}" == f"{log(256):.3f}"

# %% [markdown]
# The second loss has no batch in it. It pulls partners together and rewards a high differential
# entropy $H$, that is, points spread out in all of their space:
#
# ```{math}
# :label: eq-sym
# \mathcal{L}_{\text{SymAlignMaxEnt}} =
# \underbrace{\mathbb{E}\,\bigl\|\hat{\mathbf{z}}_x - \hat{\mathbf{z}}_t\bigr\|^2}_{\text{alignment}}
# - \underbrace{\tfrac{1}{2}\bigl(H(\hat{\mathbf{z}}_x) + H(\hat{\mathbf{z}}_t)\bigr)}_{\text{entropy}}
# ```
#
# This is the paper's Eq. (2), with one letter changed. The paper prints the norm without its
# square. Its text speaks of the *squared* Euclidean distance, and so do its slides and its code.
# We take the square: it is what equation {eq}`eq-mmcl` leads to, as the next section shows. It
# leads to a division by $\tau$, too, so the code divides this term by $\tau$ where that is not 1.
#
# Entropy cannot be read off a finite batch. It is estimated: the denser the neighbourhood of a
# point, the lower. Density comes from a Gaussian kernel of the same temperature, over points of
# the same modality. So the function `sym_align_max_ent` differs from `mmcl` less than it seems:
# its negatives are images for an image, and captions for a caption. Where each pair sits in one
# point the two coincide, up to $\log K$.

# %%
first, second = mmcl(z_x, z_x) - log(256), sym_align_max_ent(z_x, z_x)
print("same value on aligned pairs:", bool(torch.isclose(first, second)))
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
# \mathcal{L}_{\text{MMCL}} - \log K \;\longrightarrow\;
# & \frac{1}{\tau}\, \mathbb{E}\,\|\hat{\mathbf{z}}_x - \hat{\mathbf{z}}_t\|^2 \\
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

# %%
noise, n = 0.3, 2
image, text = 1.0, 1.0 + noise**2  # variances
towards_text = asymptotics.gaussian_log_kernel(1.0, n, variance=image, other=text)
towards_image = asymptotics.gaussian_log_kernel(1.0, n, variance=text, other=image)
limit = n * noise**2 + (towards_text + towards_image) / 2


# %% [markdown]
# Now the same number from batches: 20 of every size, each with its own draws.


# %%
def estimate(pairs, number):
    generator = generator_for(seed, "pairs", pairs, number)
    z_x = torch.randn(pairs, n, generator=generator)
    z_t = z_x + noise * torch.randn(pairs, n, generator=generator)
    return mmcl(z_x, z_t) - log(pairs)


sizes = [4, 8, 16, 32, 64, 128, 256, 512, 1024]
estimates = torch.tensor([[estimate(k, i) for i in range(20)] for k in sizes])

# %% [markdown]
# {numref}`fig-objective-limit` has them. In a small batch the pair itself is a large part of the
# mean, and holds it up: the loss is never negative, so less $\log K$ it is never below $-\log K$.
# For four pairs that alone lies above the line.

# %% mystnb={"figure": {"caption": "Eq. (1) less log K against the number of pairs: mean and standard deviation over 20 batches. The line is the limit in closed form.", "name": "fig-objective-limit"}, "image": {"alt": "Points with error bars fall towards a horizontal line and reach it at about 256 pairs; the bars shrink all the way."}}
mean, deviation = estimates.mean(1), estimates.std(1)
figure, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
ax.axhline(limit, color=COLORS["theory"], lw=1.2, label="limit")
ax.errorbar(
    sizes, mean, deviation, fmt="o", ms=4, capsize=3, color=COLORS["unbiased"]
)
ax.set(xscale="log", xlabel="pairs $K$", ylabel=r"Eq. (1) $-\ \log K$")
ax.set_xticks(sizes, sizes)
ax.minorticks_off()
ax.legend()
plt.show()
reached = bool((mean[-1] - limit).abs() < 0.03)
print("within 0.03 of the limit at 1,024 pairs:", reached)
print("every batch size up to 64 lies above it:", bool((mean[:5] > limit).all()))
assert reached

# %% [markdown]
# So the first half of the claim holds. The bias of small batches is the reason why contrastive
# training likes large ones; Eq. (2) is a theory of the right end of the figure.
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
# \mathbb{E} \log \mathbb{E}\, e^{-\|\mathbf{z} - \mathbf{z}'\|^2/\tau} - \frac{n}{2} \log(\pi\tau)
# = -H(p) - D_{\mathrm{KL}}\bigl(p \,\|\, p * \mathcal{N}_\tau\bigr).
# ```
#
# The constant is harmless. The divergence is not: it is the error of the claim, it is never
# negative, and it goes away only as the blur does. For points uniform on $(0, 1)$, where $H = 0$,
# `asymptotics.uniform_log_kernel` integrates the left side.

# %%
errors = {}
for tau in (1.0, 0.1, 0.01, 0.001):
    divergence = asymptotics.blur_divergence(asymptotics.uniform_log_kernel(tau), 0.0, tau)
    errors[tau] = f"{-divergence:.3f}"
    print(f"tau = {tau:<5g}  Eq. (1)'s limit is off by {errors[tau]}")
for tau in (1.0, 0.01):
    glue(f"off-{tau:g}", errors[tau].replace("-", "−"), display=False)

# %% [markdown]
# At the paper's $\tau = 1$ the limit is off by {glue:text}`off-1`, about as much as the entropy
# that is lost when the points shrink to half of the interval. At $\tau = 0.01$ it is
# {glue:text}`off-0.01`: each factor of 100 in the temperature buys a factor of 10.
#
# That is slow, and the edges are to blame: blur spills over them. A density without edges pays far
# less, as a standard Gaussian shows. We draw both laws for {numref}`fig-objective-temperature`,
# and lay Eq. (1) itself over the uniform one.


# %%
def gap(law, tau, entropy):
    return asymptotics.blur_divergence(law(tau), entropy, tau)


taus = torch.logspace(-2, 1, 31).tolist()
uniform = [gap(asymptotics.uniform_log_kernel, tau, 0.0) for tau in taus]
normal = asymptotics.gaussian_entropy()
gaussian = [gap(asymptotics.gaussian_log_kernel, tau, normal) for tau in taus]


# %% [markdown]
# The measurement is one line: Eq. (1) on 1,024 uniform points, less $\log K$ and the constant.


# %%
def measured(tau, number):
    z = torch.rand(1024, 1, generator=generator_for(seed, "uniform", number))
    return log(pi * tau) / 2 - (mmcl(z, z, tau=tau).item() - log(1024))


few = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0]
dots = torch.tensor([[measured(tau, i) for i in range(10)] for tau in few])

# %% mystnb={"figure": {"caption": "How far the limit of Eq. (1) is from minus the entropy, by temperature. Lines: closed forms for uniform and for Gaussian points in one dimension. Dots: Eq. (1) on 1,024 uniform points, mean and standard deviation over 10 batches.", "name": "fig-objective-temperature"}, "image": {"alt": "Two rising lines on logarithmic axes. The uniform one is high and shallow, with dots on it; the Gaussian one is low and four times as steep."}}
figure, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
ax.plot(taus, uniform, color=COLORS["unbiased"], label="uniform on (0, 1)")
ax.plot(taus, gaussian, "--", color=COLORS["omitted"], label="standard Gaussian")
mean, deviation = dots.mean(1), dots.std(1)
ax.errorbar(few, mean, deviation, fmt="o", ms=4, capsize=3, color=COLORS["unbiased"])
ax.set(xscale="log", yscale="log")
ax.set(xlabel=r"temperature $\tau$", ylabel="error of the claim")
ax.legend()
plt.show()
slopes = [round(log(law[10] / law[0]) / log(10), 1) for law in (uniform, gaussian)]
exact = torch.tensor([gap(asymptotics.uniform_log_kernel, tau, 0.0) for tau in few])
on_line = (mean - exact).abs().max() < 0.03
print("order of the error in tau, uniform and Gaussian:", *slopes)
print("Eq. (1) itself lies on the line:", bool(on_line))
assert slopes == [0.5, 2.0] and on_line

# %% [markdown]
# The error is of order $\sqrt{\tau}$ for the uniform and of order $\tau^2$ for the Gaussian. The
# theorem's encoders map into $(0, 1)^n$, where the best distribution is the uniform: the slow
# case. One more condition hides in equation {eq}`eq-blur`: it needs $p_x = p_t$. There a falling
# temperature helps by itself, since alignment is divided by $\tau$ and soon allows nothing else.
#
# ## What the blur rewards
#
# An error would not matter if it were the same for all encoders. It is not. Equation {eq}`eq-blur`
# *subtracts* the divergence, so the loss rewards points for standing where blur changes them most:
# on edges, in clumps. Take one dimension and compare the uniform with two equal heaps at 0 and 1,
# in the limit and in closed form.

# %%
heaps = {tau: asymptotics.corners_log_kernel(tau) for tau in (1.0, 0.1, 0.01)}
evenly = {tau: asymptotics.uniform_log_kernel(tau) for tau in heaps}
for tau in heaps:
    print(f"tau = {tau:<4g}  two heaps score lower: {heaps[tau] < evenly[tau]}")
for name, values in (("heaps", heaps), ("evenly", evenly)):
    glue(name, f"{values[1.0]:.3f}".replace("-", "−"), display=False)
assert [heaps[tau] < evenly[tau] for tau in heaps] == [True, False, False]

# %% [markdown]
# At $\tau = 1$ two heaps win, {glue:text}`heaps` against {glue:text}`evenly`, although their
# entropy is $-\infty$. So minimising this loss at $\tau = 1$ does not make an encoder uniform.
# What does it make? We let 160 points find out. They move freely in $(0, 1)$, and partners share a
# point, so only the entropy term acts.


# %%
def settle(tau, points=160, steps=200):
    start = torch.rand(
        points, 1, generator=generator_for(seed, "free"), dtype=torch.float64
    )
    free = start.logit().requires_grad_()
    optimizer = torch.optim.Adam([free], 0.1)
    for _ in range(steps):
        z = free.sigmoid()
        optimizer.zero_grad()
        sym_align_max_ent(z, z, tau=tau).backward()
        optimizer.step()
    return free.detach().sigmoid()[:, 0]


settled = {tau: settle(tau) for tau in (1.0, 0.1, 0.01, 0.003)}

# %% [markdown]
# {numref}`fig-objective-corners` shows where they stop. A uniform sample would have a fifth of its
# mass in the two end tenths of the interval.

# %% mystnb={"figure": {"caption": "Where 160 free points in (0, 1) settle under the entropy term, by temperature. The line is the uniform distribution.", "name": "fig-objective-corners"}, "image": {"alt": "Four histograms. At temperature 1 two spikes at the ends; at 0.1 four spikes; at 0.01 a comb of many low spikes; at 0.003 nearly flat with somewhat more at the ends."}}
figure, axes = plt.subplots(2, 2, figsize=(6.4, 4), layout="constrained", sharex=True)
ends = {}
for ax, (tau, z) in zip(axes.flat, settled.items(), strict=True):
    ax.hist(z, bins=40, range=(0, 1), color=COLORS["unbiased"])
    ax.axhline(len(z) / 40, color=COLORS["theory"], lw=1)
    ax.set_title(rf"$\tau = {tau:g}$")
    ends[tau] = ((z < 0.1) | (z > 0.9)).double().mean().item()
figure.supylabel("points")
plt.show()
print("all mass in the two end tenths at tau = 1:", ends[1.0] == 1)
print("more than half of it at tau = 0.1:", ends[0.1] > 0.5)
print("less than 0.3 at tau = 0.01 and below:", max(ends[0.01], ends[0.003]) < 0.3)
assert ends[1.0] == 1 > ends[0.1] > 0.3 > max(ends[0.01], ends[0.003])
for tau in (1.0, 0.1, 0.01):
    glue(f"ends-{tau:g}", f"{ends[tau]:.0%}", display=False)

# %% [markdown]
# The share in the end tenths is {glue:text}`ends-1` at $\tau = 1$, {glue:text}`ends-0.1` at 0.1 and
# {glue:text}`ends-0.01` at 0.01. Notice the comb: points that are closer than the blur gain by
# merging, so they gather in heaps, about $\sqrt{\tau}$ apart. (It grows from the ends inwards; in
# the lower panels the middle is still on its way.) A kernel cannot see anything finer than its own
# width, and what it cannot see it does not spread.
#
# Hence a rule: the kernel has to be narrow beside the outputs. The authors keep $\tau = 1$ and leave
# outputs unbounded, so these grow until the kernel is narrow beside them. Our encoders have outputs of
# variance 1, which cannot grow. So the kernel starts at $\tau = 0.1$, while factors are found, and widens
# during training: near the floor of the loss, a wider one still aligns pairs.
#
# ## Pull together, push apart
#
# With a kernel narrow enough, both halves of equation {eq}`eq-sym` can be seen at work. We need a
# small world with linear mixing: three factors, of which captions keep the first, distort the
# second and omit the third ({doc}`02_latent_variable_model` explains how).

# %%
world = NumericalWorld.draw(
    Bias(3, selected=(1, 2), perturbed=(2,)), layers=1, seed=seed
)
pilot = world.sample(4096, generator=generator_for(seed, "pilot"))

# %% [markdown]
# Both encoders are small perceptrons with one output in $(0, 1)$, behind a whitening of the input.

# %%
from misalign.encoders.mlp import MLP, Whitening


def encoder(sample, name):
    generator = generator_for(seed, "weights", name)
    mlp = MLP(sample.shape[1], 1, (32, 32), bounded=True, generator=generator)
    return torch.nn.Sequential(Whitening(sample), mlp)


# %% [markdown]
# Three losses: alignment alone, entropy alone, and both. Entropy alone is `sym_align_max_ent` of a
# modality with itself, which leaves nothing to align.

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
# The same encoders, batches and optimiser serve all three.


# %%
def fit(loss, steps=250):
    f_x, f_t = encoder(pilot.image, "image"), encoder(pilot.text, "text")
    optimizer = torch.optim.Adam([*f_x.parameters(), *f_t.parameters()], 1e-2)
    generator = generator_for(seed, "batches")
    for _ in range(steps):
        batch = world.sample(256, generator=generator)
        optimizer.zero_grad()
        loss(f_x(batch.image), f_t(batch.text)).backward()
        optimizer.step()
    return torch.cat([f_x(fresh.image), f_t(fresh.text)], 1).detach()


fresh = world.sample(1000, generator=generator_for(seed, "fresh"))
encoded = {name: fit(loss) for name, loss in losses.items()}

# %% [markdown]
# In {numref}`fig-objective-halves` every point is a pair that training has not seen: its image's
# code to the right, its caption's upwards.

# %% mystnb={"figure": {"caption": "Codes of 1,000 fresh pairs, image against caption, after training with alignment alone, entropy alone, and both.", "name": "fig-objective-halves"}, "image": {"alt": "Three square panels. Left: all points in one spot. Middle: a cloud that fills the square. Right: a narrow band on the diagonal."}}
figure, axes = plt.subplots(
    1, 3, figsize=(7.2, 2.7), layout="constrained", sharey=True
)
titles = {"pull": "alignment alone", "push": "entropy alone", "both": "both"}
for ax, (name, z) in zip(axes, encoded.items(), strict=True):
    ax.scatter(*z.T, s=5, lw=0, alpha=0.4, color=COLORS["unbiased"])
    ax.set(
        xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal", title=titles[name]
    )
    ax.set_xlabel("image code")
axes[0].set_ylabel("caption code")
plt.show()
spread = {name for name, z in encoded.items() if z.std(0).min() > 0.2}
agree = {name for name, z in encoded.items() if torch.corrcoef(z.T)[0, 1] > 0.95}
print("codes spread out:              ", sorted(spread))
print("partners tell of each other:   ", sorted(agree))
assert spread == {"push", "both"} and agree == {"both"}

# %% [markdown]
# Alignment alone collapses: a constant is a perfect minimum. Entropy alone fills the square, and
# no image knows its caption. Only together do they ask a question worth answering: *what can both
# modalities say, in as many different values as possible?* The answer must be a factor that
# captions keep.

# %%
factors = torch.cat([fresh.factors[f"s{i}"] for i in (1, 2, 3)], 1)
code = encoded["both"][:, :1]
found = torch.corrcoef(torch.cat([code, factors], 1).T)[0, 1:].abs()
learned = {f"s{i}" for i, r in enumerate(found, 1) if r > 0.5}
print("factors in the image code:", learned)
assert learned == {"s1"} and found[1:].max() < 0.2

# %% [markdown]
# Of three factors, all plain to see in the image, the code holds the unbiased one. This is Theorem
# 4.1 in miniature. {doc}`06_numerical` tests it at size.
#
# ## A floor under the loss
#
# There remains a trap in the estimator, and it shapes how our encoders are built. An entropy grows
# without end as points move apart. So does a naive estimate of it. Leave the pair itself out of
# the mean, as the formula suggests:


# %%
def naive(z_x, z_t):
    others = ~torch.eye(len(z_x), dtype=torch.bool)
    logits = [-squared_distances(z, z)[others].view(len(z), -1) for z in (z_x, z_t)]
    entropies = [log(len(z_x) - 1) - part.logsumexp(1).mean() for part in logits]
    return (z_x - z_t).square().sum(1).mean() - sum(entropies) / 2


# %% [markdown]
# `sym_align_max_ent` keeps the positive pair in that mean, as the authors' code does. If the
# pair's alignment term is $a$, one of the $N$ terms of the mean is $e^{-a}$, so the log of the
# mean is at least $-a - \log N$. Plus $a$, that is never below $-\log N$. We scale a set of good
# representations, 512 nearly aligned pairs in ten dimensions, by up to 1,000.

# %%
generator = generator_for(seed, "scale")
z = torch.randn(2, 512, 10, generator=generator, dtype=torch.float64)
z_x, z_t = z[0], z[0] + 0.1 * z[1]
scales = [0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0]
kept = [sym_align_max_ent(c * z_x, c * z_t).item() for c in scales]
left_out = [naive(c * z_x, c * z_t).item() for c in scales]
floor = -log(512)

# %% mystnb={"figure": {"caption": "Loss of 512 nearly aligned pairs as all outputs are multiplied by a scale, with the positive pair kept in the mean of the entropy estimate and left out of it. The vertical axis is logarithmic below minus 10.", "name": "fig-objective-floor"}, "image": {"alt": "Two curves. One falls to a dashed line at about minus 6 and stays on it from scale 3 on; the other plunges to minus several million."}}
figure, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
ax.axhline(floor, color=COLORS["theory"], ls="--", lw=1, label=r"$-\log N$")
ax.plot(scales, kept, "o-", ms=4, color=COLORS["unbiased"], label="positive kept")
ax.plot(scales, left_out, "s-", ms=4, color=COLORS["omitted"], label="left out")
ax.set_yscale("symlog", linthresh=10)
ax.set_yticks([0, -10, -1e3, -1e5], ["0", "−10", "$-10^3$", "$-10^5$"])
ax.set(xscale="log", xlabel="scale of the outputs", ylabel="loss")
ax.legend()
plt.show()
print("never below the floor:", min(kept) > floor - 1e-6)
at_floor = [c for c, value in zip(scales, kept, strict=True) if value - floor < 1e-3]
print("at the floor:", at_floor)
print("left out, the loss falls below −1,000,000:", min(left_out) < -1e6)
assert min(kept) > floor - 1e-6 and min(left_out) < -1e6

# %% [markdown]
# Without the positive, the loss in {numref}`fig-objective-floor` has no bottom: an encoder
# improves for ever by multiplying its output, and learns nothing. With it, scale is not
# *penalised* either. From 3 to 1,000 the loss is the same to three digits. An encoder that has
# grown that far sits on a plain.


# %%
def slope(scale):
    outputs = (scale * z_x).requires_grad_()
    sym_align_max_ent(outputs, scale * z_t).backward()
    return outputs.grad.norm()


small = bool(slope(10.0) < 1e-6 * slope(0.3))
print("gradient at scale 10 less than a millionth of that at 0.3:", small)
assert small

# %% [markdown]
# Nothing pulls it back and nothing is left to learn from. This is why the encoders of our
# experiments end in a standardisation: mean 0 and variance 1 in every output. It is an invertible
# affine map, so it cannot change *what* is identified. It only keeps the loss where it slopes. At
# the paper's own scale we leave it out, as the authors do.
#
# ## What we saw
#
# - Eq. (1) less $\log K$ converges, to alignment over $\tau$ plus the log of a blurred density.
# - That limit is Eq. (2), with alignment over $\tau$, only as $\tau \to 0$, after subtracting $\frac{n}{2}\log(\pi\tau)$. Before,
#   it falls short by the divergence of the points from their blur: it is off by {glue:text}`off-1`
#   for the uniform at $\tau = 1$.
# - At $\tau = 1$ the loss prefers the corners of a cube to its uniform distribution. A kernel has to be
#   narrow beside the outputs: either they may grow, or it starts small.
# - Alignment alone collapses, entropy alone ignores the pairs, both find what is shared.
# - The positive pair in the estimate is what bounds the loss; standardised outputs keep it from
#   going flat.
#
# Theorem 4.1 is about Eq. (2), with a true entropy. Its practice uses an estimate with a
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
for _ in range(30):
    middle = (low + high) / 2
    heaps, uniform = asymptotics.corners_log_kernel, asymptotics.uniform_log_kernel
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
