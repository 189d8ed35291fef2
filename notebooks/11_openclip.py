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
# *Stereotype*, counted in how many captions each is named, and asked the model to tell the concepts of
# a group apart in pictures. Groups that captions name often were told well, groups that they hardly
# name were not. The slides show this as a correlation, without numbers.
#
# A correlation over 15 groups leaves a doubt. Textures may be told badly because captions omit them,
# or because textures are hard to see. With a model of the web nobody can try it the other way round.
# This page can: it builds a small world in which **we decide how often each group is named**, and then
# deals the same shares out anew. At the end it says how to run the real thing.

# %%
import json
import tempfile
from pathlib import Path

import pandas as pd
from matplotlib import pyplot as plt
from myst_nb import glue

from misalign import Run, execute_all
from misalign.reporting import concept_plots, concept_tables
from misalign.reporting.images import image_grid
from misalign.style import use_style
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
# The page is a template of runs. The *bias* `coverage` has ten settings. In each, the ten groups have
# ten coverages from 50 % down to 0.1 %, evenly spaced on a logarithmic scale; from one setting to the
# next, every group takes its neighbour's. So over the ten settings each group has each coverage once.

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

# %%
runs = Run.from_notebook(globals())
usual = {"experiment": "concepts", "scale": "live", "bias": "coverage"}
live = runs == [Run(**usual, setting=7, encoding_size=32)]

# %% [markdown]
# ## A picture book
#
# Every picture shows a thing on a backdrop, in some light and weather, under a row of lanterns. Ten
# groups of four concepts make it up, and each is drawn from a visual property of its own. All are
# independent and equally frequent: nothing but captions will tell one group from another.

# %%
for group, words in concepts.WORDS.items():
    print(f"{group:>10}: {', '.join(words)}")

# %% [markdown]
# {numref}`fig-openclip-book` shows pictures with their captions. A caption names each group with the
# chance that the setting gives it, and is silent about the rest. With these coverages that makes about
# one word a caption, and some have none at all.

# %% mystnb={"figure": {"caption": "Pictures of the world, and in white what the captions of setting 7 say of them.", "name": "fig-openclip-book"}, "image": {"alt": "Eight small pictures, each a disc, ring, plank or pillar of some color on a patterned backdrop with up to four lanterns above. Each is labelled by one or two words, such as left, or by nothing."}}
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
# and looks for the terms of concepts. Here the concepts are the book's own words, and the file is one
# that we write.

# %%
if live:
    many = world.sample(20_000, generator=generator_for(0, "captions to count"))
    lines = world.captions.text(many.text)
    rows = [
        (group, word)
        for group, words in concepts.WORDS.items()
        for word in words
    ]
    with tempfile.TemporaryDirectory() as folder:
        table = pd.DataFrame(rows, columns=["group", "concept"])
        table.to_csv(Path(folder) / "concepts.csv", index=False)
        (Path(folder) / "captions.txt").write_text("\n".join(lines))
        ours = Taxonomy.read(Path(folder) / "concepts.csv")
        counts = count([Path(folder) / "captions.txt"], ours)
    counted = counts.by_group().set_index("group")[["low", "high"]]
    set_to = pd.Series(coverage("coverage", 7), index=concepts.GROUPS)
    inside = set_to.between(counted["low"], counted["high"])
    print("inside its 95 % interval:", int(inside.sum()) >= 8)

# %% [markdown]
# What we count is what we set: nearly every coverage lies in the interval that the count gives it.
#
# ## Train, and ask by name
#
# Two small encoders are trained on these pairs by Eq. (1). Nobody trains a classifier. Instead we write
# a caption for each concept of a group, such as "a picture red", and take the one whose representation is
# nearest to the picture's. This is how CLIP is asked, and is called *zero-shot*. A group's score is its
# **macro-F1**: the mean over its concepts of the harmonic mean of precision and recall. Guessing has a
# macro-F1, too. So we subtract it,
#
# $$\text{score} = \frac{F_1 - \text{chance}}{1 - \text{chance}},$$
#
# where chance is the mean macro-F1 of the same answers against labels dealt out at random. It has a
# closed form (`misalign.metrics.expected_chance`). A score of 0 is luck, 1 is perfect.

# %%
if live:
    fitted = fit(run)
    scores = score(run, fitted)
else:
    scores = pd.concat([r.scores for r in execute_all(runs, record=record)])
told = concept_tables.scores_by_group(scores).sort_values("coverage", ascending=False)
if live:
    good = told[told["f1_corrected"] > 0.5]["factor"]
    print("told well:", ", ".join(sorted(good)))
    rare = told[told["coverage"] < 0.005]
    print("told by luck:", ", ".join(sorted(rare["factor"])))
    assert rare["f1_corrected"].abs().max() < 0.15

# %% [markdown]
# Well told is what captions name often. The four concepts of *position* are named in every second
# caption; whether there are one or four lanterns, as easy to see, in three of a hundred; the pattern of
# the backdrop in less than one. {numref}`fig-openclip-live` shows all ten.

# %% mystnb={"figure": {"caption": "The live run: zero-shot score of every group against the share of captions that name it. One seed, a short training.", "name": "fig-openclip-live"}, "image": {"alt": "Ten labelled points. Groups named in at least six per cent of captions score above 0.6, the others near 0."}}
figure, ax = plt.subplots(figsize=(5.6, 3.2), layout="constrained")
ax.scatter(100 * told["coverage"], told["f1_corrected"], color="#0072B2")
for _, one in told.iterrows():
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
# ## Deal the coverages out anew
#
# The records hold all ten settings, three seeds each, with more pictures and a longer training.

# %% tags=["recorded"]
recorded = Sweep.named("concepts_coverage").scores()
trained = concept_tables.scores_by_group(recorded[recorded["variant"] == ""])
means = concept_tables.over_seeds(trained)
cells = concept_tables.grid(means)
scale_config = study("concepts").scales["laptop"]
glue("oc-pictures", f"{scale_config.pictures:,}", display=False)
glue("oc-steps", scale_config.recipe.steps, display=False)
glue("oc-runs", trained["run"].nunique(), display=False)
print(trained["run"].nunique(), "runs,", trained["seed"].nunique(), "seeds")

# %% [markdown]
# There are {glue:text}`oc-runs` runs of {glue:text}`oc-steps` steps on {glue:text}`oc-pictures` pictures,
# five in seven of them in training. {numref}`fig-openclip-grid` puts a group into each row and a coverage
# into each column. If a score came from how hard a group is, rows would differ. If it comes from how rare
# it is, columns do.

# %% mystnb={"figure": {"caption": "Rare or hard: zero-shot score by group and coverage, mean over three seeds. Every run fills one cell of each row and each column. 30 of 33 runs of sweep concepts_coverage.", "name": "fig-openclip-grid"}, "image": {"alt": "A heatmap of ten groups by ten coverages. All rows are bright at the left, where captions name the group often, and dark at the right. Rows of color, shape, size and material turn dark earlier than the others."}} tags=["recorded"]
concept_plots.rare_or_hard(cells)
plt.show()
by_coverage = cells.mean()
print("falls with coverage:", bool(by_coverage.is_monotonic_decreasing))
shares = concept_tables.explained(cells)
print(
    f"due to coverage more than group: {shares['coverage'] > shares['group']}"
)
for name, value in shares.items():
    glue(f"oc-{name}", f"{100 * value:.0f} %", display=False)

# %% [markdown]
# Both are there, and they come apart. {glue:text}`oc-coverage` of the variance goes with the coverage
# and {glue:text}`oc-group` with the group; {glue:text}`oc-rest` is left to both together and to chance.
# Every group, easy or hard, is told where captions name it often and is not where they do not. Hard
# groups need more captions.
#
# How strong is the correlation that the slides show? Take it three ways: over the ten coverages, each
# the mean of all groups; for one group at a time, as it is named more and more; and over the ten groups
# of a single setting, which is all that one model of the web can give.

# %% tags=["recorded"]
overall = concept_tables.rank_correlation(
    by_coverage.rename("f1_corrected").reset_index()
)
of_group = means.groupby("factor")[list(means)].apply(
    concept_tables.rank_correlation
)
of_setting = means.groupby("setting")[list(means)].apply(
    concept_tables.rank_correlation
)
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
print(f"mean of groups: {overall:.2f}")
print("one group at a time:", of_group.round(2).to_dict())
print("one setting at a time:", of_setting.round(2).to_dict())
assert overall >= 0.8

# %% [markdown]
# Over means of groups Spearman's $\rho$ is {glue:text}`oc-rho-mean`. For a group by itself it is
# {glue:text}`oc-rho-group-mean` on average and {glue:text}`oc-rho-group-least` at the least; over all
# hundred cells {glue:text}`oc-rho-all`. Within one setting it lies between
# {glue:text}`oc-rho-setting-least` and {glue:text}`oc-rho-setting-most`, on average
# {glue:text}`oc-rho-setting-mean`: nearly half of the ten groups are then so rare that their scores, all near 0,
# rank by luck, and a hard group that is named a little more often than an easy one falls behind it. So
# one table of a web model understates what coverage does, or overstates it if easy things happen to be
# named more often. Only moving the captions tells.
#
# ## How the score grows
#
# {cite:t}`udandarao2024` compared 34 models with the frequencies of concepts in their training data.
# Score grew with the *logarithm* of frequency: each equal step up takes ten times the data. {numref}`fig-openclip-trend`
# fits a straight line in the logarithm, cut off at 0 and 1, to our hundred cells.

# %% mystnb={"figure": {"caption": "Score against coverage, all settings: one point a group and setting, mean over three seeds. The line is log-linear, cut off at 0 and 1; the band should hold 95 % of new points. 30 of 33 runs of sweep concepts_coverage.", "name": "fig-openclip-trend"}, "image": {"alt": "Scores rise from near 0 at 0.1 % coverage to near 1 at 50 %, scattered most in the middle; the mean of groups is flat up to about 0.5 % and rises along the line after that."}} tags=["recorded"]
trend = concept_tables.trend_of(means)
concept_plots.against_coverage(means, trend)
plt.show()
fits = concept_tables.fits(means, trend)
print("log-linear fits better than linear:", fits["log"] > fits["linear"])
for name, value in fits.items():
    glue(f"oc-r2-{name}", f"{value:.2f}", display=False)
glue("oc-slope", f"{trend.slope:.2f}", display=False)
half = trend.crossing(0.5) * len(concepts.WORDS["color"])
glue("oc-half", f"{100 * half:.1f} %", display=False)
ends = by_coverage.iloc[[-1, -4, 0]]
for name, value in zip(("low", "foot", "high"), ends, strict=True):
    glue(f"oc-{name}", f"{value:.2f}", display=False)

# %% [markdown]
# The line explains {glue:text}`oc-r2-log` of the variance, a line in the coverage itself
# {glue:text}`oc-r2-linear`. So in the middle the miniature agrees: a tenfold coverage adds
# {glue:text}`oc-slope` to the score, and half of the way is reached where {glue:text}`oc-half` of the
# captions name a group. It does not agree at the ends. At 0.1 % the mean score is {glue:text}`oc-low`
# and at 0.8 % still {glue:text}`oc-foot`: below some share, nothing is learned in so short a training,
# and a straight line cannot be flat. At 50 % it is {glue:text}`oc-high`, near the ceiling. Models of the
# web see thousands of times more captions; their foot should lie at concepts that are far rarer.
#
# ## Not named, or not seen?
#
# Zero-shot answers can fail though the picture's representation knows the answer: the *word* may be
# what was not learned. A linear classifier on the representation tells. {numref}`fig-openclip-probe`
# has both.

# %% mystnb={"figure": {"caption": "What names reach and what the representation holds: means over all groups and seeds. Dashed: a linear classifier on an encoder that was not trained. 33 runs of sweep concepts_coverage.", "name": "fig-openclip-probe"}, "image": {"alt": "Two curves that rise with coverage. From six per cent on they lie on each other; below, the linear classifier falls to about 0.2, under the dashed line, and the zero-shot score to 0."}} tags=["recorded"]
untrained = recorded.query("variant == 'untrained' and metric == 'mcc'")
floor = untrained["score"].mean()
curves = means.groupby("coverage")[["f1_corrected", "mcc"]].mean()
concept_plots.named_and_held(curves, floor)
plt.show()
gap = (curves["mcc"] - curves["f1_corrected"]).round(2)
print("named is held:", bool((gap[gap.index > 0.1].abs() < 0.05).all()))
glue("oc-floor", f"{floor:.2f}", display=False)
glue("oc-held", f"{curves['mcc'].iloc[0]:.2f}", display=False)

# %% [markdown]
# Where captions name a group often, both agree. Where they are silent, the classifier still reads
# something, {glue:text}`oc-held` at 0.1 %, but no more than from an encoder with random weights, which
# has {glue:text}`oc-floor`. So training did not put it there; if anything, it took some away. The theorem
# says that what captions omit is lost from the representation. In so short a training
# rare words are not learned, and what pictures show anyway is not yet lost.

# %% [markdown]
# ## What a count counts
#
# The authors' code looks for each term anywhere in a caption, also inside other words. Then "hat" is
# counted in "that", and "tea" in "team". How much does that inflate? LAION's captions are not at hand
# here, so we measure on everyday English: on a list of words with how often each is used on web pages,
# in news, books and subtitles {cite:p}`speer2022`. `scripts/measure_inflation.py` looks for the 146 concepts
# in it both ways. Only terms of a single word can be found in a list of words.

# %% tags=["recorded"]
inflation = pd.read_csv(RESULTS / "inflation.csv")
print(inflation["source"].iloc[0])
found = inflation[inflation["words"] > 0].copy()
found["times"] = found["substring"] / found["words"]
worst = found.nlargest(8, "substring").set_index("concept")
print(worst[["words", "substring", "times"]].round(0).astype(int))
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
# The columns are occurrences in a million words, and how many times as many substrings find.
# "hat" is found {glue:text}`oc-inflation-hat` times as often as it is meant. Over all
# {glue:text}`oc-inflation-found` concepts that the list can have, substrings count
# {glue:text}`oc-inflation-total` times as much as words. The median is only
# {glue:text}`oc-inflation-median`: most terms are long, and {glue:text}`oc-inflation-twice`,
# most of them short, such as hat, red, car, cat, tea and tie, do the damage. Groups differ
# in how many of them they have ({numref}`fig-openclip-inflation`).

# %% mystnb={"figure": {"caption": "How many times as often substrings find a group's concepts as whole words do, in everyday English. Drawn from results/inflation.csv.", "name": "fig-openclip-inflation"}, "image": {"alt": "Horizontal bars on a logarithmic scale. Clothing leads with about 36, then texture, food and postprocessing; scenes, roles and points of view are near 1."}} tags=["recorded"]
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
print("most inflated:", times.index[-1])

# %% [markdown]
# `misalign coverage` counts whole words, whatever their case, and counts a caption once a concept. It
# has the substring count as `--match substring`.
#
# ## Run the real one
#
# What follows needs downloads that this book does not make. **Captions.** LAION-400M's are Parquet
# files with some 400 million rows, in a column `TEXT`. One call counts them; a file that cannot be read is
# named, and the rest is counted.
#
# ```bash
# pip install -e '.[captions]'
# misalign coverage laion400m-meta/*.parquet --out coverage.csv
# misalign coverage laion400m-meta/*.parquet --match substring --out substring.csv
# ```

# %% tags=["recorded"]
path = ROOT / "benchmarks" / "coverage_long.json"
(measured,) = json.loads(path.read_text())["rows"]
rate = measured["captions"] / measured["seconds"]["ours"]["median"]
glue("oc-rate", f"{rate / 1e6:.2f} million", display=False)
glue("oc-minutes", f"{400e6 / rate / 60:.0f}", display=False)
glue("oc-counted", f"{measured['captions'] / 1e6:.0f} million", display=False)
glue("oc-peak", f"{measured['peak'] / 2**20:.0f} MiB", display=False)
print("well within an hour:", 400e6 / rate < 3600)

# %% [markdown]
# On two cores of a small server the command counted {glue:text}`oc-counted` made-up captions of the
# usual length, {glue:text}`oc-rate` a second (`benchmarks/README.md`), which makes
# {glue:text}`oc-minutes` minutes for LAION-400M, once its files lie on a disk. Memory does not grow with
# the captions: it took {glue:text}`oc-peak` in all processes together. More cores or a cluster (`--scheduler`, `--slurm`) share
# out the files.
#
# **Pictures.** Zero-shot needs some of every concept, in folders `category/group/concept/`, and OpenCLIP:
#
# ```bash
# pip install -e '.[clip]'
# misalign zeroshot pictures --model ViT-B-32-quickgelu --pretrained laion400m_e32 --out scores
# ```
#
# It writes macro-F1, chance and the score of this page for every group, with tables of confusion, and
# names pictures that it cannot read. Groups of people's traits are refused unless they are asked for;
# {doc}`13_practice` says why they should not be.
#
# **And your own captions.** `misalign audit captions.csv --html report.html` counts them, and predicts by
# published models of the web ({doc}`12_web`) what a model trained on them will not know.
#
# ## What we saw
#
# - Concepts that captions rarely name are poorly told, and it is the captions: the same group is told
#   well or not at all as its coverage is moved.
# - How hard a group is matters too. In one table of coverage and score the two are mixed.
# - Score grows about with the logarithm of coverage, between a floor where nothing is learned and a
#   ceiling.
# - Counts of substrings mistake the most frequent words of English for hats.
#
# ```{exercise}
# :label: ex-openclip-easy
# In {numref}`fig-openclip-grid`, which four groups need the most captions? What have they in common in
# the pictures?
# ```
#
# ```{solution} ex-openclip-easy
# :class: dropdown
# Color, shape, size and material are properties of the one thing that moves about and may be small.
# Those that fill the picture, such as light, weather, background and pattern, need few captions. A model
# must find the thing before it can learn the thing's words.
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
# 1/10. Permuted labels give the same, so chance is 1/10 and the score 0. A chance of 1/4 for all answers
# would have made it negative.
# ```
#
# ```{exercise}
# :label: ex-openclip-live
# Run the live part with `setting = 2`. Which group is it now that is named in 0.1 % of the captions? Was it
# easy or hard in {numref}`fig-openclip-grid`?
# ```
#
# ```{solution} ex-openclip-live
# :class: dropdown
# The count of lanterns, the easiest of all: perfect where every second caption gives it, and told by luck
# here.
# ```
#
# Next, {doc}`12_web` asks the same of models of the web, by published counts.
