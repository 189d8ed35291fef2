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
# (web)=
# # Shown and named
#
# **The finding.** CLIP models trained on pictures and captions from the web recognize a concept better the more pictures show it, *and* the more
# often captions name it when it is shown. If equally many pictures show a concept, and ten times as many of their captions name it, its zero-shot accuracy is
# {glue:text}`naming` points higher (95 % interval {glue:text}`naming-low` to {glue:text}`naming-high`). So the paper's selection bias can be seen in sets of
# up to four hundred million captions. For perturbation bias there is no clear effect: {glue:text}`precision` points
# ({glue:text}`precision-low` to {glue:text}`precision-high`).
#
# The theorem says more: a model should learn a concept only from pairs that show it and name it. On the web this holds in part. Naming helps most where there are many
# pictures, and more pictures of what is never named help little, if at all. But against the theorem, ten times as many pictures do not add the same as a naming rate
# ten times as high.
#
# **Where the numbers come from.** {cite:t}`udandarao2024` counted how often 3,107 concepts occur in the captions, in the pictures, and in
# both, for four pretraining sets, and published the counts beside the zero-shot accuracy of CLIP models that were trained on
# these sets. The tables are part of this book (`book/reference/concept_frequency`, with a data card), so the chapter computes everything below
# from them.

# %%
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from myst_nb import glue
from scipy.special import logit

from misalign.audit.trend import Fit
from misalign.reporting import concept_tables, web
from misalign.style import use_style
from misalign.sweeps.grid import Sweep

use_style()

# %%
table = web.observations()  # ViT-B/16, which all four sets have
sizes = table.groupby("pretraining", observed=True).agg(
    classes=("concept", "size"),
    shown=("image_70", "median"),
    named=("caption_lemmatized", "median"),
    both=("both_70", "median"),
    accuracy=("accuracy", "mean"),
)
print(sizes.loc[list(web.SIZES)].astype(float).round(1).to_string())

# %% [markdown]
# Each observation is a class of an evaluation set, such as *acorn woodpecker* of Birdsnap, together with a pretraining set. *Shown* is the number of
# pictures that a tagging model, RAM++, tags with the concept at a confidence of 0.7. *Named* is the number of captions that contain the concept's
# noun, and *both* the number of pairs of such a picture and such a caption. By the medians, most pictures of a concept have captions that do not name it.
#
# ## What the paper's slides claim
#
# The slides of the authors' talk count captions alone: models know well what captions mention often. Here is Spearman's rank correlation of the two within evaluation sets, for
# each pretraining set.

# %% tags=["hide-input"]
named = table.dropna(subset=["caption_lemmatized"])
rows = {}
for name in web.SIZES:
    part = named[named["pretraining"] == name]
    rows[name] = web.rank_correlation(part, "caption_lemmatized", "accuracy", ["dataset"])
rows["all four"] = web.published("coverage")
correlations = pd.DataFrame(rows).T
print(correlations.round(2).to_string())
for end in ("effect", "low", "high"):
    glue(f"spearman-{end}", f"{correlations.loc['all four', end]:.2f}", display=False)

# %% [markdown]
# Over all four sets the correlation is {glue:text}`spearman-effect` ({glue:text}`spearman-low` to {glue:text}`spearman-high`). So the claim holds, but the correlation is weak.
#
# The slides' own list has 146 concepts in 15 groups, of which {glue:text}`matched` concepts are classes of some evaluation set. What does it say of them, in LAION-400M?

# %% tags=["hide-input"]
slides = pd.read_csv(web.REFERENCE / "concepts.csv")
listed = slides.assign(concept=slides["concept"].str.lower())[["group", "concept"]]
ours = table[table["pretraining"] == "laion400m"].merge(listed, on="concept")
ours = ours.assign(captions=np.log10(ours["caption_lemmatized"].astype(float) + 1))
ours = ours.groupby(["group", "concept"], as_index=False)[["captions", "accuracy"]].mean()
grouped = ours.groupby("group").filter(lambda one: len(one) > 1).groupby("group")
means = grouped[["captions", "accuracy"]].mean()
glue("matched", len(ours), display=False)
glue("groups", len(means), display=False)
glue("by-group", f"{means.corr('spearman').iloc[0, 1]:.2f}", display=False)
print(means.round(1).to_string())

# %% [markdown]
# Over these {glue:text}`groups` groups, which have at least two such concepts each, the rank correlation of mean accuracy with the mean logarithm of captions is
# {glue:text}`by-group`. These are too few groups to conclude anything.
#
# Is accuracy linear in the number of captions, or in its logarithm? We compare how much of the variance within evaluation sets and
# pretraining sets each explains.

# %% tags=["hide-input"]
cells = [named["dataset"], named["pretraining"]]
captions = named["caption_lemmatized"].astype(float)
inside = pd.DataFrame(
    {"linear": captions, "logarithm": np.log10(captions + 1), "accuracy": named["accuracy"]}
)
inside -= inside.groupby(cells, observed=True).transform("mean")
shares = inside.corr().loc[["linear", "logarithm"], "accuracy"] ** 2
for name, share in shares.items():
    glue(f"share-{name}", f"{100 * share:.1f}", display=False)
print(shares.round(4).to_string())

# %% [markdown]
# The logarithm explains {glue:text}`share-logarithm` %, the number itself {glue:text}`share-linear` %. So for each further gain it takes ten times as many captions.
#
# ## Why coverage is not selection bias
#
# The coverage of a concept, how many captions name it, depends on two things: how often pictures show it, and how often captions name it when they do. A concept may be rare in captions because it
# is rare in the world. Selection bias, which the theorem is about, is the second alone. The counts separate the two:
#
# $$
# \begin{aligned}
# \underbrace{\text{both}}_{\text{shown and named}} &= \text{images} \times \underbrace{\frac{\text{both}}{\text{images}}}_{\text{naming rate}} \\
# \text{precision} &= \frac{\text{both}}{\text{captions}}
# \end{aligned}
# $$
#
# The naming rate is the share of a concept's pictures whose captions name it; the others omit it. The precision is the share of captions naming it whose pictures show it; the others are
# wrong about it. {numref}`fig-web-square` splits concepts by how often they are shown, and by how often they are named when shown. Accuracy is higher where either is, and highest where both are.

# %%
parted = web.repeated(web.decompose(table))
cell = [parted[name] for name in ("dataset", "pretraining")]
grouped = parted.groupby(cell, observed=True)
halves = grouped[["images", "naming"]].rank(pct=True) > 0.5
apart = parted["accuracy"] - grouped["accuracy"].transform("mean")
square = apart.groupby([halves["images"], halves["naming"]]).mean().unstack()

# %% mystnb={"figure": {"caption": "Zero-shot accuracy, in points above the mean of the evaluation set and pretraining set, of concepts that are shown rarely or often and, when shown, named rarely or often (halves by the median within each such pair).", "name": "fig-web-square"}, "image": {"alt": "Two by two squares. Accuracy is lowest where a concept is shown rarely and named rarely, highest where both are often."}} tags=["hide-input"]
figure, ax = plt.subplots(figsize=(3.8, 3.2), layout="constrained")
ax.imshow(square, cmap="RdBu", vmin=-20, vmax=20, origin="lower")
for shown in (0, 1):
    for said in (0, 1):
        ax.text(said, shown, f"{square.iloc[shown, said]:+.1f}", ha="center", va="center")
ax.set_xticks([0, 1], ["named rarely", "named often"])
ax.set_yticks([0, 1], ["shown rarely", "shown often"])
plt.show()

# %% [markdown]
# ## Each concept compared with itself
#
# Some concepts are hard to distinguish, whatever captions say. But most concepts occur in several pretraining sets, and are named more often in one than in another. So we compare each concept
# with itself. A **fixed effect** for each (evaluation set, concept) removes how difficult the concept is, and one for each (evaluation set, pretraining set) removes how good the
# model is. What is left is whether a concept does better in the set that shows it more often, names it more often, or names it more precisely. Standard errors are clustered by concept, because
# rows of the same concept are not independent.

# %%
main = web.effects(parted)
print(main.round(2).to_string())

# %% tags=["remove-cell"]
for name, row in main.iterrows():
    glue(name, f"{row['effect']:.1f}", display=False)
    glue(f"{name}-low", f"{row['low']:.1f}", display=False)
    glue(f"{name}-high", f"{row['high']:.1f}", display=False)
pairs = parted.groupby(["dataset", "concept"], observed=True).ngroups
glue("rows", f"{len(parted):,}", display=False)
glue("pairs", f"{pairs:,}", display=False)

# %% [markdown]
# A tenfold increase adds {glue:text}`images` points of accuracy for pictures, {glue:text}`naming` for the naming rate and {glue:text}`precision` for precision. The estimates come from {glue:text}`rows` rows of
# {glue:text}`pairs` concepts of an evaluation set, each in at least two pretraining sets. As a check on the formula for the intervals, a bootstrap draws concepts with replacement:

# %% tags=["hide-input"]
rng = np.random.default_rng(0)
groups = {name: part for name, part in parted.groupby("concept")}
names = np.array(list(groups))
draws = []
for _ in range(100):
    drawn = rng.choice(names, len(names))
    again = pd.concat([groups[name] for name in drawn], keys=range(len(drawn)), names=["draw"])
    again = again.reset_index(level="draw")
    again["concept"] = again["concept"] + again["draw"].astype(str)
    draws.append(web.effects(again)["effect"])
bootstrap = pd.DataFrame(draws).quantile([0.025, 0.975]).T
print(bootstrap.round(2).to_string())

# %% [markdown]
# ## Four sharper predictions
#
# By the theorem a model learns a concept only from pairs whose captions state it correctly. From that follow four predictions about the web. Each stands here with what
# would refute it, as it was written down before the numbers were computed.
#
# 1. **Pictures without names do not help.** Among concepts that no caption names, more pictures raise nothing. Refuted by an effect of pictures at a naming rate of 0.
# 2. **Naming helps most where pictures are many.** Refuted by an interaction of pictures and naming rate that is not above 0.
# 3. **Concepts that are shown often and never named are not recognized.** Refuted by an accuracy above chance.
# 4. **Only the product counts.** Accuracy follows the number of pairs that show and name, so ten times as many pictures add the same as a naming rate ten times as high. Refuted by a
#    difference. (Errors of the tags do not cause one: they move pictures and naming rate by the same amount in opposite directions, and do not change the product.)

# %% [markdown]
# Predictions 1 and 3 need concepts that are never named. Taken at face value, the counts of 0 refute both: ten times as many pictures add {glue:text}`zero` points, and concepts that at least a thousand pictures
# show are recognized with an accuracy of {glue:text}`zero-known` %. But look at the concepts with most pictures among them:

# %% tags=["hide-input"]
silent = table[(table["both_70"].fillna(-1) == 0) & (table["image_70"] > 0)]
silent = silent.assign(images=np.log10(silent["image_70"].astype(float)))
row = web.effects(web.repeated(silent), ["images"]).iloc[0]
told = f"{row['effect']:.1f} [{row['low']:.1f}, {row['high']:.1f}]"
glue("zero", told, display=False)
loud = silent[silent["image_70"] >= 1_000]
glue("zero-known", f"{loud['accuracy'].mean():.0f}", display=False)
zero = table[(table["caption_lemmatized"] == 0) & (table["image_70"] > 0)]
most = zero.sort_values("image_70", ascending=False).drop_duplicates("concept")
columns = ["concept", "pretraining", "image_70", "caption_lowercased"]
print(most[columns].head(8).to_string(index=False))

# %% tags=["hide-input"]
word = ~table["concept"].str.contains(" ")
known = table[["both_70", "caption_lowercased", "caption_lemmatized"]]
never = table[word & known.eq(0).fillna(False).all(axis=1) & (table["image_70"] > 0)]
print("concepts of one word with a zero in every count of captions:", len(never), "rows")

# %% [markdown]
# No caption with *jeans* or *palm tree* in 400 million? The lemma of *jeans* is *jean*, and some evaluation sets write *palm-tree*, which captions do not. So
# we take concepts of one word for which all ways of counting captions give 0. That leaves few rows, but these can be trusted.

# %% tags=["hide-input"]
never = never.assign(images=np.log10(never["image_70"].astype(float)))
classes = table.groupby(["dataset", "pretraining"], observed=True)["concept"].transform("size")
often = never[never["image_70"] >= 1_000]
chance = (100 / classes[often.index]).mean()
glue("silent", f"{often['accuracy'].mean():.0f}", display=False)
glue("silent-median", f"{often['accuracy'].median():.0f}", display=False)
glue("silent-chance", f"{chance:.1f}", display=False)
glue("silent-rows", len(often), display=False)
alike = parted[~parted["concept"].str.contains(" ") & (parted["image_70"] >= 1_000)]
glue("heard", f"{alike['accuracy'].mean():.0f}", display=False)

# %% tags=["hide-input"]
middle = parted[["images", "naming"]].mean()
crossed = parted.assign(
    interaction=(parted["images"] - middle["images"]) * (parted["naming"] - middle["naming"]),
    pairs=parted["images"] + parted["naming"],
    difference=(parted["naming"] - parted["images"]) / 2,
)
within = {"absorb": [["dataset", "pretraining"]]}
summed = ["pairs", "difference", "precision"]
answers = {
    "1. pictures of what is never named": web.effects(never, ["images"], **within).iloc[0],
    "2. pictures x naming rate": web.effects(crossed, [*web.SHARES, "interaction"]).iloc[-1],
    "4. naming rate less pictures": web.effects(crossed, summed).loc["difference"],
}
for name in web.SIZES:
    part = crossed[crossed["pretraining"] == name]
    found = web.effects(part, summed, absorb=[["dataset"]])
    answers[f"4. the same within {name}"] = found.loc["difference"]

# %% tags=["hide-input"]
answers = pd.DataFrame(answers).T
for name, row in answers.iloc[:3].iterrows():
    told = f"{row['effect']:.1f} [{row['low']:.1f}, {row['high']:.1f}]"
    glue(f"answer-{name[0]}", told, display=False)
print(answers.round(1).to_string())
print(f"3. shown often, named never: {often['accuracy'].mean():.1f} %, chance {chance:.1f} %")

# %% [markdown]
# 1. **Not refuted.** Ten times as many pictures add {glue:text}`answer-1` points to concepts that no caption names.
# 2. **Not refuted.** Ten times as many pictures and a naming rate ten times as high add {glue:text}`answer-2` points more together than the sum of both.
# 3. **Refuted, narrowly.** Over the {glue:text}`silent-rows` rows that at least a thousand pictures show and no caption names, the mean accuracy is {glue:text}`silent` %, the median
#    {glue:text}`silent-median` %, and chance is {glue:text}`silent-chance` %. Concepts of one word that are shown as often and named reach {glue:text}`heard` %. What is recognized without its name may have a relative
#    that is named: captions say *zigzag* where the class is *zigzagged*. A factor that depends on a kept one can be predicted from it ({doc}`06_numerical`), so this alone does not contradict the theorem.
# 4. **Refuted.** Across sets a naming rate ten times as high adds less than ten times as many pictures: the difference is {glue:text}`answer-4` points. Within single sets it adds as much or more. Errors in
#    counting the naming rate make its effect look smaller than it is, and lemmas of nouns do have such errors. But the data cannot distinguish this from captions that teach a concept without its name.
#
# ## Checks that could overturn it
#
# Does the effect of the naming rate depend on how it was computed? Its size does: it is between {glue:text}`lowest` and {glue:text}`highest` points. Its sign does not: the interval lies above 0 in
# {glue:text}`above` of {glue:text}`of-checks` rows of {numref}`tab-web-checks`, each of which changes one thing.

# %% tags=["hide-input"]
checks, estimates = [], {}


def check(name, part, of=web.SHARES, **options):
    """One row of the table: the same estimate, on other rows or by other counts."""
    found = web.effects(part, of, **options).reindex(web.SHARES)
    cells = [f"{one.effect:.1f} [{one.low:.1f}, {one.high:.1f}]" for one in found.itertuples()]
    checks.append([name, f"{len(part):,}", *cells])
    estimates[name] = found.loc["naming"]


# %% tags=["hide-input"]
check("as above", parted)
for threshold in (60, 50):
    at = web.repeated(web.decompose(table, threshold))
    check(f"tags at 0.{threshold // 10}, without LAION-400M", at)
lowercased = web.decompose(table, caption="caption_lowercased")
check("captions counted lower-cased", web.repeated(lowercased))
check("backbone RN50, three sets", web.repeated(web.decompose(web.observations("RN50"))))
for backbone in ("ViT-B-32", "ViT-L-14", "RN101"):
    one = web.decompose(web.observations(backbone))
    check(f"backbone {backbone}, one set, no fixed effects of concepts", one, absorb=[["dataset"]])
for name in web.SIZES:
    check(f"without {name}", web.repeated(parted[parted["pretraining"] != name]))
alike = parted[parted["pretraining"].isin(["cc12m", "yfcc15m"])]
check("cc12m against yfcc15m, about the same size", web.repeated(alike))
for one in sorted(parted["dataset"].unique()):
    check(f"without the classes of {one}", parted[parted["dataset"] != one])
for one in ("imagenet", "imagenet-sketch"):
    check(f"{one} alone", parted[parted["dataset"] == one])
several = parted["concept"].str.contains(" ")
check("concepts of one word", parted[~several])
check("concepts of several words", parted[several])

# %% tags=["hide-input"]
counted = table["both_70"].notna() & (table["caption_lemmatized"] > 0)
shown = table[counted & (table["image_70"] > 0)]
both = shown["both_70"].astype(float)
least = np.log10(both.clip(lower=1))
images = np.log10(shown["image_70"].astype(float))
captions = np.log10(shown["caption_lemmatized"].astype(float))
hurdle = shown.assign(
    images=images,
    naming=least - images,
    precision=least - captions,
    never=(both == 0).astype(float),
)
title = "never named counted in, with an effect of their own"
check(title, web.repeated(hurdle), (*web.SHARES, "never"))
text = parted[parted["caption_lowercased"] > 0]
text = text.assign(text=np.log10(text["caption_lowercased"].astype(float)))
check("at equal lower-cased captions", web.repeated(text), (*web.SHARES, "text"))
doubt = parted[parted["image_50"] > 0]
doubt = doubt.assign(doubt=np.log10((doubt["image_50"] / doubt["image_70"]).astype(float)))
check("at equal doubt of the tags", web.repeated(doubt), (*web.SHARES, "doubt"))
odds = logit(parted["accuracy"].clip(1, 99) / 100)
check("accuracy as log-odds (not points)", parted.assign(odds=odds), on="odds")

# %% tags=["hide-input"]
bins = parted.groupby(["dataset", "pretraining"], observed=True)["images"].rank(pct=True) * 5 // 1
mixed = parted.groupby([*cell, bins], observed=True)["naming"].transform(
    lambda one: rng.permutation(one.to_numpy())
)
check("placebo: naming rates permuted among concepts shown as often", parted.assign(naming=mixed))
unit = parted.groupby(["dataset", "concept"], observed=True)["naming"]
elsewhere = (unit.transform("sum") - parted["naming"]) / (unit.transform("size") - 1)
keyed = parted.assign(elsewhere=elsewhere)
own = web.effects(keyed, [*web.SHARES, "elsewhere"], **within)
title = "own and other sets' naming rates at once, no fixed effects of concepts"
check(title, keyed, (*web.SHARES, "elsewhere"), **within)
title = "placebo: the other sets' naming rates in place of the own"
check(title, keyed.assign(naming=keyed["elsewhere"]), **within)
for name in ("naming", "elsewhere"):
    told = own.loc[name]
    text = f"{told['effect']:.1f} [{told['low']:.1f}, {told['high']:.1f}]"
    glue(f"placebo-{name}", text, display=False)
told = estimates[title]
text = f"{told['effect']:.1f} [{told['low']:.1f}, {told['high']:.1f}]"
glue("placebo-swapped", text, display=False)

# %% tags=["hide-input"]
real = pd.DataFrame({name: one for name, one in estimates.items() if "placebo" not in name}).T
points = real.drop("accuracy as log-odds (not points)")
glue("lowest", f"{points['effect'].min():.1f}", display=False)
glue("highest", f"{points['effect'].max():.1f}", display=False)
glue("above", int((real["low"] > 0).sum()), display=False)
glue("of-checks", len(real), display=False)
permuted = estimates["placebo: naming rates permuted among concepts shown as often"]
glue("permuted", f"{permuted['effect']:.1f}", display=False)
titles = ["What is changed", "Rows", "Pictures", "Naming rate", "Precision"]
glue("checks", pd.DataFrame(checks, columns=titles).set_index(titles[0]), display=False)

# %% [markdown]
# ```{glue:figure} checks
# :name: tab-web-checks
#
# Points of accuracy that a tenfold increase adds, with 95 % intervals clustered by concept. Unless it says otherwise: ViT-B/16, tags at 0.7, nouns by lemma, fixed effects of
# (evaluation set, concept) and of (evaluation set, pretraining set).
# ```
#
# **What the checks say of naming.** The one interval that contains 0 is that at equal
# lower-cased captions. There little is left to compare: at equal pictures and equal captions, a naming rate can only differ with the precision, or with the way of counting. The highest estimate is that of concepts of one word, whose names are counted best; names of several words are counted by how an evaluation set spells them. Naming
# rates permuted among concepts that are shown about as often still have an effect of {glue:text}`permuted` points, because such a group is a fifth of all concepts, and not all of them are shown equally often. The sign of precision changes: it is negative for
# names of one word and positive for the others. Without fixed
# effects of concepts, as in the last rows, precision is related to accuracy, too; but there nothing removes how hard a concept is, and hard ones are tagged badly.
#
# The strongest check is a placebo. If well-named concepts were merely easy ones, the naming rate in *any* set would predict a model's accuracy. Put in place of a model's own, that of the other sets does
# predict it ({glue:text}`placebo-swapped`), because the sets agree on much of what they name. But if both are in the regression, the effect of the model's own set is {glue:text}`placebo-naming`, and that of the mean of the others
# {glue:text}`placebo-elsewhere`. Captions that a model was not trained on do not help it.
#
# **Could it be the tags?** RAM++ was itself trained on captions, and makes more errors on hard concepts. An error that is the same in all sets is removed by the concept's fixed effect. One that differs between sets would have to make pictures hard to tag in the
# set whose captions name them less. Hard pictures have doubtful tags, so we add the share of tags between 0.5 and 0.7 of confidence, per set; the effect stays. And an error in the count of pictures
# pushes the effects of *pictures* and *naming rate* in opposite directions, so it cannot make both positive.
#
# ## Compared with our own experiment
#
# In {doc}`11_openclip` we decide ourselves how often each group is named, and every picture shows every group. We apply the same function to those runs: groups take the place of concepts, seeds and settings that of pretraining sets.

# %% tags=["recorded"]
runs = Sweep.named("concepts_coverage").scores().query("variant == ''")
mini = concept_tables.scores_by_group(runs)
mini = mini.assign(
    concept=mini["factor"], naming=np.log10(mini["coverage"]), accuracy=100 * mini["f1_corrected"]
)
small = web.effects(mini, ["naming"], absorb=[["concept"], ["setting", "seed"]])
glue("mini", f"{small.loc['naming', 'effect']:.0f}", display=False)
print(small.round(1).to_string())

# %% [markdown]
# There a naming rate ten times as high adds {glue:text}`mini` points, against {glue:text}`naming` on the web. The sizes cannot be compared: in our experiment a group has a handful of words and no synonyms, and every picture shows it. The
# sign is the same. Ours is an experiment: we assigned the coverage, so nothing else can have caused the difference. The web is an observation: fixed effects compare
# a concept with itself, but nobody assigned its captions. The experiment shows a cause in a small world, the observation that the same relation holds in a large one.
#
# ## What it means for your captions
#
# Whoever has only captions does not know what the pictures show. So we fit accuracy to the logarithms of two numbers that captions give: how many name the concept, and how many there are in
# all. `misalign audit` predicts with this fit. The fit takes names of one word, which are counted best, and the larger of the two counts of captions.

# %%
fit = Fit.read()
constant, by_named, by_size = fit.coefficients
print(f"accuracy = {constant:.2f} + {by_named:.3f} log10(named) + {by_size:.3f} log10(all)")
print("left out, held by a 95 % interval:", fit.left_out)

# %% tags=["remove-cell"]
glue("audit-named", f"{100 * by_named:.0f}", display=False)
glue("audit-size", f"{100 * by_size:.0f}", display=False)
half = fit.predict(1_000, 1e7)
glue("audit-half", f"{100 * (half[2] - half[0]):.0f}", display=False)
glue("audit-least", f"{100 * min(fit.left_out.values()):.0f}", display=False)
glue("audit-most", f"{100 * max(fit.left_out.values()):.0f}", display=False)

# %% [markdown]
# Ten times as many captions of a concept come with {glue:text}`audit-named` points more, a set ten times as large with {glue:text}`audit-size`: models of large sets do better even on classes that are hardly named. Classes differ so much that a prediction has an
# interval of {glue:text}`audit-half` points to either side. This interval is about right: for each set, if the fit had not seen it, the interval contained {glue:text}`audit-least` to {glue:text}`audit-most` % of its classes.
#
# ## What a sceptic would say
#
# *An econometrician:* These are two-way fixed effects with only four sets, and the naming rate is a ratio whose denominator is another regressor. **Answer:** an error in this denominator has opposite signs in the two (see above), and the placebo, which has no fixed
# effects of concepts, has the same answer. Where effects differ between units, two-way fixed effects can weigh some of
# them wrongly. With two sets they are a plain difference, and the row of CC12M against YFCC15M is one. Four sets are too few to cluster by set; what is common to all concepts of a set goes with its fixed effect, the rest stays in the errors.
# What remains open is whatever makes a set name a concept more *and* helps its model in another way, such as longer captions about it. Nothing here is an experiment.
#
# *A vision researcher:* The accuracy of a class depends on the other classes, and on the prompts. **Answer:** classes and prompts are the same for all models of an evaluation set, so the fixed effect of (evaluation set, concept) removes their effect. ImageNet and ImageNet-Sketch, other
# pictures of the same classes, agree, which supports this. And the sets were made by rules: LAION-400M keeps pairs that an earlier CLIP found alike, so its naming rates may reflect what that CLIP knew; CC3M replaces names by broader words. The rows without either are close to the first. A word
# with two senses, such as *crane*, is counted in both; that affects precision most, and may be why it shows no effect.
#
# ## Limits
#
# - Tags come from a model that was trained on captions. Nouns are counted by lemma, so colors and materials are missed, and names of several words are counted badly.
# - Classes are often fine-grained, as species of birds are. Few captions could name them rightly.
# - Four pretraining sets and one architecture that all of them have.
# - Fixed effects do not turn a correlation into an experiment.
#
# ## What we saw
#
# - The more often captions mention a concept, the better models recognize it; but this correlation is weak.
# - With equally many pictures, naming helps: {glue:text}`naming` points for a rate ten times as high.
# - The precision of captions has no clear effect.
# - Only the names in a model's own captions help it.
#
# ```{exercise}
# :label: ex-web-zero
# Why does the regression take no rows with a count of 0? What would it say of *jeans* in LAION-400M?
# ```
#
# ```{solution} ex-web-zero
# :class: dropdown
# A count of 0 has no logarithm. Most zeros are errors of counting, as for *jeans*, whose lemma is *jean*. A count of 1 in place of 0 would make a word that captions use all the time one of the least named. The table's row on concepts
# that are never named gives these an effect of their own.
# ```
#
# If captions decide what models learn, one can decide what captions say: {doc}`13_practice`.
