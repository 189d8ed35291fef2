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
# (openclip)=
# # Rarely named, poorly known
#
# **The claim.** The paper's slides end with a real model. OpenCLIP was trained on LAION-400M, some 400
# million captioned pictures of the web. The authors drew up 146 concepts in 15 groups, from *Animal* to
# *Stereotype*. They counted how many captions name each concept, and asked the model to distinguish
# the concepts of a group in pictures. It did so well for groups that captions name often, and badly
# for groups that they hardly name. The slides show this as a correlation, without numbers.
#
# A correlation over 15 groups leaves a doubt. A model may distinguish textures badly because captions
# omit them, or because textures are hard to see. With a model of the web nobody can change what
# captions name and look again. This page can: it builds a small world in which **we decide how often
# each group is named**, and then gives the same shares to other groups. At the end it says how to run
# the real thing.

# %% tags=["hide-input"]
import json
import tempfile
from pathlib import Path

import pandas as pd
from matplotlib import pyplot as plt
from myst_nb import glue

from misalign import Run, execute_all
from misalign.reporting import concept_plots, concept_tables, plots
from misalign.reporting.images import image_grid
from misalign.style import SERIES, use_style
from misalign.coverage.taxonomy import Taxonomy
from misalign.coverage.count import count
from misalign.experiment import fit, score
from misalign.paths import RESULTS, ROOT
from misalign.rng import generator_for
from misalign.run import study
from misalign.studies.concepts import coverage
from misalign.sweeps.grid import Sweep
from misalign.worlds import concepts

use_style()

# %% [markdown]
# The page is a template of runs. The *coverage* of a group is the share of captions that name it. The
# *bias* `coverage` has ten settings. In each, the ten groups have ten coverages from 50 % down to
# 0.1 %, evenly spaced on a logarithmic scale. From one setting to the next, every group takes the
# coverage of its neighbor. So over the ten settings each group has each coverage once.

# %% tags=["parameters"]
experiment = "concepts"
scale = "live"  # or smoke, laptop
variant = ""  # or untrained
latents = "independent"
bias = "coverage"  # or breadth, omission: see 13_practice
setting = 7  # which group gets which coverage; a list runs several
seed = 0  # decides split, encoders, batches and probes; a list runs several
encoding_size = 32  # width of the representations
record = ""  # folder to write records to; "": none

# %% tags=["hide-input"]
runs = Run.from_notebook(globals())
usual = {"experiment": "concepts", "scale": "live", "bias": "coverage"}
live = runs == [Run(**usual, setting=7, encoding_size=32)]

# %% [markdown]
# ## A picture book
#
# Every picture shows a thing on a backdrop, in some light and weather, under a row of lanterns. It is
# made up of ten groups of four concepts, and each group has a visual property of its own. All concepts
# are independent, and those of a group are equally frequent. So groups differ in two ways only: how
# hard they are to see, and how often captions name them.

# %%
for group, words in concepts.WORDS.items():
    print(f"{group:>10}: {', '.join(words)}")

# %% [markdown]
# {numref}`fig-openclip-book` shows pictures with their captions. A caption names each group with the
# probability that the setting gives it, and is silent about the rest. With these coverages a caption
# names about one concept, and some captions name none at all.

# %% mystnb={"figure": {"caption": "Pictures of the world, and in white what the captions of setting 7 say of them.", "name": "fig-openclip-book"}, "image": {"alt": "Eight small pictures, each a disc, ring, plank or pillar of some color on a patterned backdrop with up to four lanterns above. Each is labeled by one or two words, such as left, or by nothing."}} tags=["hide-input"]
if live:
    (run,) = runs
    world = run.study.initial(run, "cpu").world
    batch = world.sample(8, generator=generator_for(0, "a look"))
    captions = world.captions.text(batch.text)
    large = (batch.image * 255).byte().repeat_interleave(4, 2)
    words = [" ".join(one.split()[2:]) or "(nothing)" for one in captions]
    image_grid(large.repeat_interleave(4, 3), 4, labels=words)
    plt.show()
    print(*captions, sep="\n")

# %% [markdown]
# ## Count the captions
#
# Before training, do what the authors did with LAION: count. `misalign.coverage` reads files of captions
# and looks for the terms of concepts. Here the concepts are those of our picture book, and we write the
# file of captions ourselves. The table puts three numbers in per cent beside each other: the coverage
# that we set, and the two ends of the 95 % interval that the count gives.

# %% tags=["hide-input"]
if live:
    many = world.sample(20_000, generator=generator_for(0, "captions to count"))
    lines = world.captions.text(many.text)
    rows = [
        (group, word)
        for group, words in concepts.WORDS.items()
        for word in words
    ]

# %%
if live:
    with tempfile.TemporaryDirectory() as folder:
        table = pd.DataFrame(rows, columns=["group", "concept"])
        table.to_csv(Path(folder) / "concepts.csv", index=False)
        (Path(folder) / "captions.txt").write_text("\n".join(lines))
        ours = Taxonomy.read(Path(folder) / "concepts.csv")
        counts = count([Path(folder) / "captions.txt"], ours)
    counted = counts.by_group().set_index("group")[["low", "high"]]
    set_to = pd.Series(coverage("coverage", 7), index=concepts.GROUPS)
    shown = 100 * counted.assign(set=set_to).loc[set_to.index]
    print(shown[["set", "low", "high"]].round(2).to_string())

# %% tags=["remove-cell"]
if live:
    inside = set_to.between(counted["low"], counted["high"])
    print("inside its 95 % interval:", int(inside.sum()) >= 8)
    assert int(inside.sum()) >= 8

# %% [markdown]
# The count finds what we set: nearly every coverage lies in its interval.
#
# ## Train, and ask by name
#
# Two small encoders are trained on these pairs by Eq. (1). No classifier is trained. Instead we write
# a caption for each concept of a group, such as "a picture red". The answer is the concept whose caption
# has the representation nearest to that of the picture. CLIP is used in this way, too; the method is
# called *zero-shot*. For each concept, take the harmonic mean of precision and recall. The mean of these
# over the concepts of a group is the **macro-F1** of the group. Guessing has a macro-F1, too. So we
# subtract it,
#
# $$\text{score} = \frac{F_1 - \text{chance}}{1 - \text{chance}},$$
#
# where chance is the mean macro-F1 of the same answers if the true labels are shuffled. It has a
# closed form (`misalign.metrics.expected_chance`). A score of 0 is luck, 1 is perfect.

# %% tags=["nbval-ignore-output"]
if live:
    fitted = fit(run)
    scores = score(run, fitted)
else:
    scores = pd.concat([r.scores for r in execute_all(runs, record=record)])
by_group = concept_tables.scores_by_group(scores)
by_group = by_group.sort_values("coverage", ascending=False)
shown = by_group.set_index("factor")[["coverage", "f1_corrected"]]
shown = shown.rename(columns={"f1_corrected": "score"})
print(shown.round({"coverage": 3, "score": 2}).add(0.0).to_string())

# %% tags=["remove-cell"]
if live:
    good = by_group[by_group["f1_corrected"] > 0.5]["factor"]
    print("score above 0.5:", ", ".join(sorted(good)))
    rare = by_group[by_group["coverage"] < 0.005]
    print("named in less than 0.5 %:", ", ".join(sorted(rare["factor"])))
    assert rare["f1_corrected"].abs().max() < 0.15

# %% [markdown]
# The model distinguishes the concepts of groups that captions name often. Every second caption names
# one of the four of *position*. The number of lanterns is as easy to see, but only three captions in a
# hundred give it; the pattern of the backdrop, less than one in a hundred. {numref}`fig-openclip-live`
# shows all ten groups.

# %% mystnb={"figure": {"caption": "The live run: zero-shot score of every group against the share of captions that name it. One seed, a short training.", "name": "fig-openclip-live"}, "image": {"alt": "Ten labeled points. Groups named in at least six per cent of captions score above 0.6, the others near 0."}} tags=["hide-input"]
figure, ax = plt.subplots(figsize=(5.6, 3.2), layout="constrained")
style = {"color": "#0072B2"}
ax.scatter(100 * by_group["coverage"], by_group["f1_corrected"], **style)
for _, one in by_group.iterrows():
    place = (100 * one["coverage"], one["f1_corrected"])
    ax.annotate(
        one["factor"],
        place,
        xytext=(3, 3),
        textcoords="offset points",
        rotation=25,
    )
ax.set(xscale="log", xlabel="captions that name the group (%)")
ax.set_ylabel("zero-shot score")
ax.set_xlim(right=200)
plt.show()

# %% [markdown]
# This is the slides' picture again, and the slides' doubt: perhaps position is just easy to see.
#
# ## Give the coverages to other groups
#
# The records hold all ten settings, three seeds each, with more pictures and a longer training.

# %% tags=["recorded", "hide-input"]
recorded = Sweep.named("concepts_coverage").scores()
trained = concept_tables.scores_by_group(recorded[recorded["variant"] == ""])
means = concept_tables.over_seeds(trained)
cells = concept_tables.grid(means)
by_coverage = cells.mean()
shares = concept_tables.explained(cells)

# %% tags=["recorded", "remove-cell"]
scale_config = study("concepts").scales["laptop"]
glue("oc-pictures", f"{scale_config.pictures:,}", display=False)
glue("oc-steps", scale_config.recipe.steps, display=False)
glue("oc-runs", trained["run"].nunique(), display=False)
print(trained["run"].nunique(), "runs,", trained["seed"].nunique(), "seeds")

# %% [markdown]
# There are {glue:text}`oc-runs` runs of {glue:text}`oc-steps` steps on {glue:text}`oc-pictures` pictures,
# five in seven of them in training. {numref}`fig-openclip-grid` has a panel for each group. If the score
# depended on how rarely a group is named and on nothing else, all panels would show the same curve. If it
# depended on how hard the group is and on nothing else, all curves would be flat, each at its own height.
# Below the panels stand the means over groups and the shares of variance that go with the coverage, with
# the group and with the rest.

# %% mystnb={"figure": {"caption": "Rare or hard: zero-shot score of each group by how often captions name it, mean over three seeds, groups in the order of their mean scores. Behind each curve, in gray, those of the other groups. Every run has one point in each panel. 30 of 33 runs of sweep concepts_coverage.", "name": "fig-openclip-grid"}, "image": {"alt": "Ten panels, one a group, of score against coverage. All curves rise from near 0 where captions rarely name the group to near 1 where they often do. For light, weather, background, pattern and count the rise is at about three percent, for position at about six, for size, material, color and shape above ten."}} tags=["recorded", "hide-input"]
order = cells.mean(axis=1).sort_values(ascending=False).index
figure, axes = plt.subplots(2, 5, figsize=(5.4, 3.3), **plots.GRID)
for ax, name in zip(axes.flat, order, strict=True):
    ax.plot(100 * cells.columns, cells.T, color="#cccccc", lw=0.8)
    ax.plot(100 * cells.columns, cells.loc[name], "o-", color=SERIES[0], ms=3)
    ax.set(xscale="log", xticks=(1, 10), xticklabels=(1, 10), yticks=(0, 0.5, 1))
    ax.set_title(name, fontsize=10)
figure.supxlabel("captions that name the group (%)", fontsize=10)
figure.supylabel("zero-shot score", fontsize=10)
plt.show()
shown = by_coverage.rename(lambda share: f"{100 * share:.2g} %")
row = shown.to_frame("mean score").T
print(row.to_string(float_format="{:.2f}".format))
print("variance:", *(f"{name} {part:.2f} " for name, part in shares.items()))

# %% tags=["recorded", "remove-cell"]
drawn = [ax.lines[-1].get_ydata().tolist() for ax in axes.flat]
assert drawn == cells.loc[order].to_numpy().tolist()
assert by_coverage.is_monotonic_decreasing
assert shares["coverage"] > shares["group"]
for name, value in shares.items():
    glue(f"oc-{name}", f"{100 * value:.0f} %", display=False)

# %% [markdown]
# Both causes are there, and the design separates them. {glue:text}`oc-coverage` of the variance goes
# with the coverage and {glue:text}`oc-group` with the group; {glue:text}`oc-rest` is left to both
# together and to chance. The mean score falls with every step down in coverage. The model distinguishes
# the concepts of every group, easy or hard, where captions name the group often, and of none where
# they hardly name it. Hard groups need more captions.
#
# How strong is the correlation that the slides show? We take it in three ways: over the ten coverages,
# each with the mean of all groups; for one group at a time, over its ten coverages; and over the ten
# groups of a single setting, which is all that one model of the web can give.

# %% tags=["recorded", "hide-input"]
overall = concept_tables.rank_correlation(
    by_coverage.rename("f1_corrected").reset_index()
)
of_group = means.groupby("factor")[list(means)].apply(
    concept_tables.rank_correlation
)
of_setting = means.groupby("setting")[list(means)].apply(
    concept_tables.rank_correlation
)
ways = {"one group at a time": of_group, "one setting at a time": of_setting}
rhos = {k: rho.agg(["min", "mean", "max"]) for k, rho in ways.items()}
rhos = pd.DataFrame(rhos).T
print(f"means over groups: {overall:.2f}")
print(rhos.to_string(float_format="{:.2f}".format))

# %% tags=["recorded", "remove-cell"]
for name, value in {
    "rho-mean": overall,
    "rho-all": concept_tables.rank_correlation(means),
    "rho-group-least": of_group.min(),
    "rho-group-mean": of_group.mean(),
    "rho-setting-least": of_setting.min(),
    "rho-setting-most": of_setting.max(),
    "rho-setting-mean": of_setting.mean(),
}.items():
    glue(f"oc-{name}", f"{value:.2f}", display=False)
print("one group at a time:", of_group.round(2).to_dict())
print("one setting at a time:", of_setting.round(2).to_dict())
assert overall >= 0.8

# %% [markdown]
# Over means of groups Spearman's $\rho$ is {glue:text}`oc-rho-mean`. For a group by itself $\rho$ is
# {glue:text}`oc-rho-group-mean` on average and {glue:text}`oc-rho-group-least` at the least; over all
# hundred cells it is {glue:text}`oc-rho-all`. Within one setting it lies between
# {glue:text}`oc-rho-setting-least` and {glue:text}`oc-rho-setting-most`, on average
# {glue:text}`oc-rho-setting-mean`. There, nearly half of the ten groups are so rare that all of their
# scores are near 0 and their order is luck. And a hard group that is named a little more often than an
# easy one can still score lower. So one table of a web model understates the effect of coverage, or
# overstates it if easy things happen to be named more often. Only a change of the captions can show
# which.
#
# ## How the score grows
#
# {cite:t}`udandarao2024` compared 34 models with the frequencies of concepts in their training data.
# The score grew with the *logarithm* of frequency: each equal step up takes ten times the data.
# {numref}`fig-openclip-trend` fits a straight line in the logarithm, cut off at 0 and 1, to our hundred
# cells. Below it stands the $R^2$ of this line (`log`), and of a line in the coverage itself (`linear`).

# %% mystnb={"figure": {"caption": "Score against coverage, all settings: one point a group and setting, mean over three seeds. The line is log-linear, cut off at 0 and 1; the band should hold 95 % of new points. 30 of 33 runs of sweep concepts_coverage.", "name": "fig-openclip-trend"}, "image": {"alt": "Scores rise from near 0 at 0.1 % coverage to near 1 at 50 %, scattered most in the middle; the mean of groups is flat up to about 0.5 % and rises along the line after that."}} tags=["recorded", "hide-input"]
trend = concept_tables.trend_of(means)
concept_plots.against_coverage(means, trend)
plt.show()
fits = concept_tables.fits(means, trend)
print(fits.round(2).to_string())

# %% tags=["recorded", "remove-cell"]
assert fits["log"] > fits["linear"]
for name, value in fits.items():
    glue(f"oc-r2-{name}", f"{value:.2f}", display=False)
glue("oc-slope", f"{trend.slope:.2f}", display=False)
half = trend.crossing(0.5) * len(concepts.WORDS["color"])
glue("oc-half", f"{100 * half:.1f} %", display=False)
ends = by_coverage.iloc[[-1, -4, 0]]
for name, value in zip(("low", "foot", "high"), ends, strict=True):
    glue(f"oc-{name}", f"{value:.2f}", display=False)

# %% [markdown]
# The line in the logarithm explains {glue:text}`oc-r2-log` of the variance, a line in the coverage
# itself only {glue:text}`oc-r2-linear`. So in the middle our small world agrees with the published
# trend: ten times the coverage adds {glue:text}`oc-slope` to the score, and the line reaches one half
# where {glue:text}`oc-half` of the captions name a group. At the ends it does not agree. At 0.1 % the
# mean score is {glue:text}`oc-low` and at 0.8 % still {glue:text}`oc-foot`: below some share, nothing
# is learned in so short a training, and a straight line cannot be flat. At 50 % the mean score is
# {glue:text}`oc-high`, near the ceiling. Models of the web see thousands of times more captions. We
# expect that their scores stay flat only for concepts that are far rarer.
#
# ## Not named, or not seen?
#
# Zero-shot answers can fail even though the picture's representation holds the answer: perhaps only the
# *word* was not learned. A linear classifier on the representation can show it.
# {numref}`fig-openclip-probe` has the scores of both, also as numbers.

# %% mystnb={"figure": {"caption": "What names reach and what the representation holds: means over all groups and seeds. Dashed: a linear classifier on an encoder that was not trained. 33 runs of sweep concepts_coverage.", "name": "fig-openclip-probe"}, "image": {"alt": "Two curves that rise with coverage. From six per cent on they lie on each other; below, the linear classifier falls to about 0.2, under the dashed line, and the zero-shot score to 0."}} tags=["recorded", "hide-input"]
untrained = recorded.query("variant == 'untrained' and metric == 'mcc'")
floor = untrained["score"].mean()
curves = means.groupby("coverage")[["f1_corrected", "mcc"]].mean()
concept_plots.named_and_held(curves, floor)
plt.show()
shown = curves.rename(lambda share: f"{100 * share:.2g} %").iloc[::-1].T
shown.index = ["zero-shot", "classifier"]
print(shown.to_string(float_format="{:.2f}".format))
print(f"classifier, encoder not trained: {floor:.2f}")

# %% tags=["recorded", "remove-cell"]
gap = (curves["mcc"] - curves["f1_corrected"]).round(2)
assert (gap[gap.index > 0.1].abs() < 0.05).all()
glue("oc-floor", f"{floor:.2f}", display=False)
glue("oc-held", f"{curves['mcc'].iloc[0]:.2f}", display=False)

# %% [markdown]
# Where captions name a group often, both scores agree. Where captions are nearly silent, the classifier
# still recovers something: it scores {glue:text}`oc-held` at 0.1 %. But an encoder with random weights
# has no less, {glue:text}`oc-floor`. So training did not put this information there; if anything, it
# took some away. The theorem says that the representation loses what captions omit. In so short a
# training, rare words are not learned yet, and what pictures show anyway is not lost yet.

# %% [markdown]
# ## What a count counts
#
# The authors' code looks for each term anywhere in a caption, also inside other words. Then "hat" is
# counted in "that", and "tea" in "team". How much does this inflate the counts? LAION's captions are not
# at hand here, so we measure on everyday English: on a list of words that says how often each is used on
# web pages, in news, books and subtitles {cite:p}`speer2022`. `scripts/measure_inflation.py` looks for
# the 146 concepts in this list, as whole words and as substrings. It can only find terms of a single
# word. The table has occurrences in a million words, and how many times as many substrings find.

# %% tags=["recorded", "hide-input"]
inflation = pd.read_csv(RESULTS / "inflation.csv")
print("list of words:", inflation["source"].iloc[0])
found = inflation[inflation["words"] > 0].copy()
found["times"] = found["substring"] / found["words"]
worst = found.nlargest(8, "substring").set_index("concept")
shown = worst[["words", "substring", "times"]].round(0).astype(int)
print(shown.to_string())

# %% tags=["recorded", "remove-cell"]
total = found[["words", "substring"]].sum()
for name, value in {
    "hat": f"{found.set_index('concept').loc['hat', 'times']:.0f}",
    "total": f"{total['substring'] / total['words']:.1f}",
    "median": f"{found['times'].median():.2f}",
    "twice": int((found["times"] > 2).sum()),
    "found": len(found),
}.items():
    glue(f"oc-inflation-{name}", value, display=False)

# %% [markdown]
# As a substring, "hat" is found {glue:text}`oc-inflation-hat` times as often as it is used as a word.
# Over all {glue:text}`oc-inflation-found` concepts that the list can have, substrings count
# {glue:text}`oc-inflation-total` times as much as words. The median is only
# {glue:text}`oc-inflation-median`: most terms are long. For {glue:text}`oc-inflation-twice` terms the
# count more than doubles. Most of these are short, such as hat, red, car, cat, tea and tie. Groups
# differ in how many such terms they have ({numref}`fig-openclip-inflation`).

# %% mystnb={"figure": {"caption": "How many times as often substrings find a group's concepts as whole words do, in everyday English. Drawn from results/inflation.csv.", "name": "fig-openclip-inflation"}, "image": {"alt": "Horizontal bars on a logarithmic scale. Clothing leads with about 36, then texture, food and postprocessing; scenes, roles and points of view are near 1."}} tags=["recorded", "hide-input"]
groups = found.groupby("group")[["words", "substring"]].sum()
times = (groups["substring"] / groups["words"]).sort_values()
figure, ax = plt.subplots(figsize=(5.6, 3.6), layout="constrained")
ax.barh(times.index, times, color="#0072B2")
ax.set(
    xscale="log",
    xlabel="substrings found for each whole word",
    xlim=(0.9, None),
)
plt.show()
print(times.iloc[:-4:-1].round(1).to_string())

# %% [markdown]
# `misalign coverage` counts whole words, whatever their case, and counts each caption at most once for a
# concept. The option `--match substring` counts substrings instead.
#
# ## Run the real one
#
# What follows needs downloads that this book does not make. **Captions.** Those of LAION-400M are in
# Parquet files with some 400 million rows, in a column `TEXT`. One call counts them. It names files that
# it cannot read, and counts the rest.
#
# ```bash
# pip install -e '.[captions]'
# misalign coverage laion400m-meta/*.parquet --out coverage.csv
# misalign coverage laion400m-meta/*.parquet --match substring --out substring.csv
# ```

# %% tags=["recorded", "remove-cell"]
path = ROOT / "benchmarks" / "coverage_long.json"
(measured,) = json.loads(path.read_text())["rows"]
rate = measured["captions"] / measured["seconds"]["ours"]["median"]
glue("oc-rate", f"{rate / 1e6:.2f} million", display=False)
glue("oc-minutes", f"{400e6 / rate / 60:.0f}", display=False)
glue("oc-counted", f"{measured['captions'] / 1e6:.0f} million", display=False)
glue("oc-peak", f"{measured['peak'] / 2**20:.0f} MiB", display=False)
assert 400e6 / rate < 3600

# %% [markdown]
# On two cores of a small server the command counted {glue:text}`oc-counted` made-up captions of the
# usual length, {glue:text}`oc-rate` a second (`benchmarks/README.md`). At this rate LAION-400M takes
# {glue:text}`oc-minutes` minutes, once its files lie on a disk. Memory does not grow with the number of
# captions: all processes together took {glue:text}`oc-peak`. More cores or a cluster (`--scheduler`,
# `--slurm`) can share the files.
#
# **Pictures.** Zero-shot needs some of every concept, in folders `category/group/concept/`, and OpenCLIP:
#
# ```bash
# pip install -e '.[clip]'
# misalign zeroshot pictures --model ViT-B-32-quickgelu --pretrained laion400m_e32 --out scores
# ```
#
# It writes macro-F1, chance and the score of this page for every group, with tables of confusion, and
# names pictures that it cannot read. It refuses groups of people's traits unless one asks for them;
# {doc}`13_practice` says why one should not.
#
# **Your own captions.** `misalign audit captions.csv --html report.html` counts them. From published
# models of the web ({doc}`12_web`) it predicts which concepts a model trained on them will not
# distinguish.
#
# ## What we saw
#
# - The model poorly distinguishes concepts that captions rarely name, and captions are the cause: for
#   the same group, the score is high or near 0, depending on the coverage alone.
# - How hard a group is matters too. One table of coverage and score mixes the two causes.
# - The score grows about with the logarithm of coverage, between a floor where nothing is learned and a
#   ceiling.
# - Counts of substrings mistake the most frequent words of English for hats.
#
# ```{exercise}
# :label: ex-openclip-easy
# In {numref}`fig-openclip-grid`, which four groups need the most captions? What do they have in common
# in the pictures?
# ```
#
# ```{solution} ex-openclip-easy
# :class: dropdown
# Color, shape, size and material are properties of the one thing that moves about and may be small.
# Groups that fill the picture, such as light, weather, background and pattern, need few captions. A
# model must find the thing before it can learn the words for it.
# ```
#
# ```{exercise}
# :label: ex-openclip-chance
# A model answers "red" for every picture, whatever the color. What are its macro-F1, its chance and its
# score, for four colors that are equally frequent?
# ```
#
# ```{solution} ex-openclip-chance
# :class: dropdown
# Red has a precision of 1/4 and a recall of 1, so an $F_1$ of 2/5; the others have 0. The macro-F1 is
# 1/10. Shuffled labels give the same, so chance is 1/10 and the score 0. With a fixed chance of 1/4 the
# score would have been negative.
# ```
#
# ```{exercise}
# :label: ex-openclip-live
# Run the live part with `setting = 2`. Which group do 0.1 % of the captions name now? Was this group easy
# or hard in {numref}`fig-openclip-grid`?
# ```
#
# ```{solution} ex-openclip-live
# :class: dropdown
# The count of lanterns, the easiest of all: its score is perfect where every second caption gives the
# count, and at chance here.
# ```
#
# Next, {doc}`12_web` asks the same question about models of the web, with published counts.
