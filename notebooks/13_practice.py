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
# (practice)=
# # What to do with your captions
#
# (practice-guide)=
# ## A guide
#
# | Ask | Do | Look up |
# | --- | --- | --- |
# | What do my captions name? | `misalign audit captions.csv --html report.html`; many files: `misalign coverage` | {doc}`11_openclip` |
# | Must the model serve many tasks? | Name every group that a task needs, in more than a few per cent of the captions of its pictures; spread words rather than repeat them | {numref}`fig-practice-breadth` |
# | Is one group hard to see? | Name it more often than easy ones | {numref}`fig-openclip-grid` |
# | Do captions contradict pictures? | Correct them: a perturbed concept may be lost like an omitted one, or come back in part | {doc}`06_numerical`, {doc}`09_mpi3d` |
# | Will something change in use? | Leave just that out, everywhere, if no task needs it | {numref}`fig-practice-robust` |
# | Should the model not use something? | Leave it out of **all** captions, and its proxies too | {numref}`fig-practice-omission` |
# | Did it work? | Ask by name: `misalign zeroshot`. Then train a classifier on the representation: names may be gone and traces not | {numref}`fig-openclip-probe` |
#
# ### What do your captions name?
#
# Paste some, or drop a text file of one caption a line. They are counted in this page, by the rules of `misalign audit`: whole words,
# "no dog" names no dog, and a hot dog is none. Of a few captions the shares say little; `misalign audit` gives their intervals,
# and what follows from them.
#
# ```{raw} html
# :file: ../book/concepts.html
# ```
# ```{raw} html
# :file: ../book/paste.html
# ```
#
# ## Where the advice comes from
#
# **The claim.** § 4.2 turns the theorem into advice. *Insight 4.1*: whoever trains a model for many
# tasks must see to it that captions name many things, for what they leave out is lost, however many
# pictures there are. *Insight 4.2*: whoever knows what will change, or what a model had better not use, can have
# captions leave just that out. App. G.3 goes on from there: to include or to omit is a statement on what
# matters, and so a way to align models with values.
#
# Advice has a price. This page treats it as three decisions, and looks up for each what it costs and what it
# gains: **naming more** for breadth, **omitting** for robustness, and **omitting** for values. The third
# comes with a note on ethics and with more doubts than the paper has.

# %%
import pandas as pd
from matplotlib import pyplot as plt
from myst_nb import glue

from misalign import Run, execute_all
from misalign.reporting import concept_plots
from misalign.style import use_style
from misalign.paths import REFERENCE
from misalign.rng import generator_for
from misalign.studies import concepts
from misalign.sweeps.grid import Sweep

use_style()

# %% [markdown]
# The pictures are those of {doc}`11_openclip`: a picture book of ten groups of four concepts, all
# independent, every one visible. What captions name is up to us. The page is a template of runs:

# %% tags=["parameters"]
experiment = "concepts"
scale = "live"  # or smoke, laptop
variant = ""  # or untrained
latents = "independent"
bias = "breadth"  # or omission, coverage
setting = [1, 4]  # two words a caption, over 2 or 10 groups
seed = 0  # decides encoders, batches and probes; a list runs several
encoding_size = 32  # width of the representations
record = ""  # folder to write records to; "": none

# %%
runs = Run.from_notebook(globals())
few, many = (
    Run(
        experiment="concepts",
        scale="live",
        bias="breadth",
        setting=k,
        encoding_size=32,
    )
    for k in (1, 4)
)
live = runs == [few, many]

# %% [markdown]
# ## Pretraining: name more, or name it more often?
#
# Nobody has room for long captions. Let there be two words in a caption, and ten groups that they
# could be about. One writer names the same two groups in every caption, *count* and *material*. The
# other one names each of the ten groups in one caption of five. Both write two words on average, and both never
# err. {numref}`fig-practice-scenes` has three pictures and what they say.

# %% mystnb={"figure": {"caption": "Three pictures of the book, and the captions of a writer who names two groups always and of one who names ten groups now and then.", "name": "fig-practice-scenes"}, "image": {"alt": "Three small pictures of a coloured thing on a backdrop under lanterns, with two captions each. The first caption always says a number and a material; the second says different things, or nothing."}}
if live:
    lines = {}
    for writer, run in (("few", few), ("many", many)):
        world = run.study.initial(run, "cpu").world
        batch = world.sample(3, generator=generator_for(0, "a look"))
        lines[writer] = world.captions.text(batch.text)
    concept_plots.captioned(batch.image, lines)
    plt.show()
    for writer, said in lines.items():
        print(writer, said)

# %% [markdown]
# We train a model on each writer's captions and ask it about pictures that it has not seen. *Zero-shot*
# means that it gets no example: of the captions "a picture red", "a picture green" and so on it has
# to choose the one nearest to the picture. The score is macro-F1, corrected for chance: 0 is guessing, 1 is
# perfect.

# %%
scores = pd.concat([r.scores for r in execute_all(runs, record=record)])
told = scores[scores["metric"] == concept_plots.CORRECTED]
told = told.pivot_table("score", "factor", "setting")

# %% tags=["nbval-ignore-output"]
if live:
    table = told.rename(columns={1: "few groups", 4: "many groups"})
    table.loc["mean"] = table.mean()
    print((table.round(2) + 0.0).to_string())

# %% tags=["remove-cell"]
if live:
    cost = told.loc["material", 1] - told.loc["material", 4]
    gain = told[4].mean() - told[1].mean()
    print("few, above 0.2: ", sorted(told.index[told[1] > 0.2]))
    print("many, above 0.5:", sorted(told.index[told[4] > 0.5]))
    assert set(told.index[told[1] > 0.2]) == {"count", "material"}
    assert cost >= 0.1 and gain >= 0.2

# %% [markdown]
# That is the whole decision in one run. The writer of few words has a model with two skills. The writer
# of many has one that gets about in the whole book, and tells the *material*, which is hard to see
# and now named five times less often, less well. The *count*, which is easy, costs nothing.
#
# ### In between, recorded
#
# The records have the two settings between, three seeds each, and a longer training
# ({numref}`fig-practice-breadth`).

# %% mystnb={"figure": {"caption": "Two words a caption, spread over 2, 4, 7 or 10 groups: zero-shot macro-F1 of every group, corrected for chance. Squares: the two groups that all captions of the first setting name. Blue: mean over all ten, band of one standard deviation over three seeds. Laptop scale. 12 runs of sweep concepts_breadth.", "name": "fig-practice-breadth"}, "image": {"alt": "Lines over the number of named groups, 2 to 10. The mean over all groups rises steadily. Of the two groups named first one stays at 1 and the other falls. Each other group rises from 0 once it is named."}} tags=["recorded"]
breadth = Sweep.named("concepts_breadth").scores()
figure, ax = plt.subplots(figsize=(7.5, 3.4), layout="constrained")
first = ["count", "material"]
concept_plots.breadth(ax, breadth, first, concepts.BREADTHS)
plt.show()
corrected = breadth[breadth["metric"] == concept_plots.CORRECTED]
by_group = corrected.pivot_table("score", "factor", "setting")
by_group.columns = [f"{count} groups" for count in concepts.BREADTHS]
print(by_group.round(1) + 0.0)

# %% [markdown]
# Cost and gain, from the narrowest captions to the broadest:

# %% tags=["recorded"]
ends = by_group.iloc[:, [0, -1]]
cost = ends.loc["material"].iloc[0] - ends.loc["material"].iloc[1]
gain = ends.mean().diff().iloc[1]
glue("practice-cost", f"{cost:.2f}", display=False)
glue("practice-gain", f"{gain:.2f}", display=False)
shape = by_group.loc["shape"]
glue("practice-shape-seven", f"{shape.iloc[2]:.2f}", display=False)
glue("practice-shape-ten", f"{shape.iloc[3]:.2f}", display=False)
means_all = by_group.mean()
print("the mean rises:", bool(means_all.is_monotonic_increasing))
assert gain > cost > 0

# %% [markdown]
# The *material* loses {glue:text}`practice-cost`; the mean of all ten tasks gains
# {glue:text}`practice-gain`. *Shape*, the hardest group, shows where breadth ends: it has
# {glue:text}`practice-shape-seven` where seven groups share the words and only
# {glue:text}`practice-shape-ten` where ten do. So Insight 4.1 holds, with a footnote: breadth is worth its
# price as long as each group is still named often enough for how hard it is.

# %% [markdown]
# ## Robustness: omit what will change
#
# {doc}`07_downstream` has the second insight, Corollary 4.2 ({prf:ref}`cor-invariant`): two of ten
# factors, $s_9$ and $s_{10}$, will be distributed differently when the model is used. Shall captions name
# them? Two questions wait for the model. $y_2$ does not depend on them. $y_4$ does, on $s_9$. So omission has a price
# here, too, and {numref}`fig-practice-robust` shows both sides from that chapter's records.

# %% mystnb={"figure": {"caption": "Two ways to write captions for a world in which $s_9$ and $s_{10}$ will shift, by what is asked: means and standard deviations over five seeds. MCC for the question about $y_2$, $R^2$ for $y_4$. The paper's world, our training. 20 of 100 runs of sweep figure_03.", "name": "fig-practice-robust"}, "image": {"alt": "Two panels of three rows with two points each. With independent semantics omission costs y4, leaves y2 at home as it is and gains for y2 after the shift. With dependent semantics costs and gains are alike but y2 after the shift is far lower."}} tags=["recorded"]
numerical = Sweep.named("figure_03").scores()
QUESTIONS = {
    ("y4", "test"): "$y_4$ at home",
    ("y2_binary", "test"): "$y_2$ at home",
    ("y2_binary", "ood"): "$y_2$ after the shift",
}
asked = numerical.query("setting in (8, 10) and modality == 'image'")
keys = zip(asked["factor"], asked["split"], strict=True)
asked = asked.assign(question=[QUESTIONS.get(key) for key in keys])
asked = asked.dropna(subset="question")
choices = {10: "name all ten", 8: "omit $s_9$ and $s_{10}$"}
figure, axes = plt.subplots(
    1, 2, figsize=(9, 2.4), layout="constrained", sharey=True
)
for ax, kind in zip(axes, ("independent", "dependent"), strict=True):
    rows = asked[asked["latents"] == kind].sort_values(
        "factor", ascending=False
    )
    concept_plots.trade(ax, rows, choices)
    ax.set(title=f"{kind} semantics", xlabel="score")
axes[0].legend(loc="lower left")
plt.show()
means = asked.groupby(["latents", "question", "setting"])["score"].mean()
print(means.unstack().round(2))

# %% tags=["recorded"]
table = means.unstack()
cost = table[10] - table[8]
for kind in ("independent", "dependent"):
    glue(
        f"practice-{kind}-cost",
        f"{cost[kind, '$y_4$ at home']:.2f}",
        display=False,
    )
    gain = -cost[kind, "$y_2$ after the shift"]
    glue(f"practice-{kind}-gain", f"{gain:.2f}", display=False)
    print(kind, "gains after the shift:", bool(gain > 0.05))

# %% [markdown]
# With independent factors omission costs {glue:text}`practice-independent-cost` of $R^2$ for $y_4$ and gains
# {glue:text}`practice-independent-gain` of MCC after the shift; with dependent ones
# {glue:text}`practice-dependent-cost` and {glue:text}`practice-dependent-gain`. Where factors depend on each
# other, what was left out is half known from the rest; there the cost is smaller than its
# spread over seeds.
#
# The decision needs knowledge that captions do not have: *which* factors will change. Who guesses wrong
# pays the price and gains nothing.
#
# ## Values: omit what a model should not use
#
# App. G.3 goes further. Language is a filter on what can be known: what captions name becomes a
# direction in which pictures differ, what they leave out does not. So whoever writes or curates captions
# decides what a model attends to, knowingly or not. If a model should not sort people by some
# attribute, says the paper, leave that attribute out of the captions.
#
# How completely? Let the *background* stand in for such an attribute. In six settings it is named in none, in
# 0.1, 1, 5, 30 and in all of the captions, everything else in 30 %. {numref}`fig-practice-omission` shows
# what a model tells of it by name, and what a linear classifier finds in its representation.

# %% mystnb={"figure": {"caption": "The background against how often captions name it, and the nine other groups. Means over three seeds, bands of one standard deviation. Dashed: a linear classifier on an encoder that was not trained. 21 of 51 runs of sweeps concepts_omission and concepts_coverage.", "name": "fig-practice-omission"}, "image": {"alt": "Three curves over six shares of captions. For the background, zero-shot is 0 up to one per cent and 1 from thirty per cent on; the linear classifier starts near 0.3, below the dashed line at 0.5, and also rises to 1. The nine others stay near 0.8 and fall a little at the end."}} tags=["recorded"]
omission = Sweep.named("concepts_omission").scores()
recorded = Sweep.named("concepts_coverage").scores()
target = concepts.LEFT_OUT
untrained = recorded.query("variant == 'untrained' and metric == 'mcc'")
floor = untrained[untrained["factor"] == target]["score"].mean()
figure, ax = plt.subplots(figsize=(8, 3.4), layout="constrained")
shares = concepts.HOW_OFTEN
concept_plots.omission_curve(ax, omission, target, shares, floor)
plt.show()
own = omission[omission["factor"] == target]
read = own.pivot_table("score", "setting", "metric")
names, held = read["f1_corrected"], read["mcc"]
print("not told by name at 1 % or less:", bool((names[:3] < 0.1).all()))
print("told by name at 5 %:", bool(names[4] > 0.5))
print("left out, still in part held:", bool(0.1 < held[1] < floor))

# %% tags=["recorded"]
others = omission[omission["factor"] != target]
others = others.pivot_table("score", "setting", "metric")
values = {
    "none": names[1],
    "one": names[3],
    "five": names[4],
    "thirty": names[5],
    "held": held[1],
    "floor": floor,
    "others-first": others["f1_corrected"][1],
    "others-fifth": others["f1_corrected"][5],
    "others-last": others["f1_corrected"][6],
    "others-held-last": others["mcc"][6],
    "others-held-first": others["mcc"][1],
}
for name, value in values.items():
    glue(f"practice-omit-{name}", f"{abs(value):.2f}", display=False)

# %% [markdown]
# - **By name** the background is told with a score of {glue:text}`practice-omit-none` if it is left out, of
#   {glue:text}`practice-omit-one` if one caption in a hundred names it, and of
#   {glue:text}`practice-omit-five` at five in a hundred. Omission by halves does nothing: what stays in a
#   few per cent of the captions is learned.
# - **In the representation** a classifier with labels still finds {glue:text}`practice-omit-held` of it
#   where captions never named it. That is less than in an encoder with random weights
#   ({glue:text}`practice-omit-floor`), so training took a good part away, but not all. The theorem
#   promises 0; {doc}`09_mpi3d` met the same traces, and says where they are.
# - **The cost** is the task itself: at 30 % the score would be {glue:text}`practice-omit-thirty`. The nine other
#   groups have {glue:text}`practice-omit-others-first` without it and
#   {glue:text}`practice-omit-others-fifth` with it: leaving it out makes hardly any room
#   for them.
#
# The last setting has a surprise. If *all* captions name the background, the others' score by name falls to
# {glue:text}`practice-omit-others-last`, while what a classifier finds of them does not
# ({glue:text}`practice-omit-others-held-last`, after {glue:text}`practice-omit-others-held-first`). Perhaps the
# prompts are to blame: "a picture left" then is a kind of caption that the model has never met. The
# records do not test it.
#
# ### What omission does not do
#
# - **It does not hide what others tell.** In this world groups are independent. In most they are not, and
#   {doc}`10_causal3dident` shows that an omitted factor comes back as far as named ones predict it. A
#   proxy is a name, too.
# - **It hides harm from those who look for it.** A model that has no word for an attribute can still treat
#   people differently by it, and cannot be asked. Keep labels for an audit, apart from the captions.
# - **It is somebody's decision.** What is trivial to one group of people is identity to another. Who
#   decides what captions leave out should be known, and the list should be public.
#
# ```{admonition} An ethics note
# :class: warning
# Among the 146 concepts of the case study are 19 about people, in the groups *Trait* and *Stereotype*:
# "criminal", "terrorist look", "ghetto look". Nobody can see in a picture whether somebody is a criminal. A
# folder of pictures under such a name holds the prejudice of whoever filled it, and a score on it measures
# agreement with that prejudice. So this book **counts how often captions use these words, and scores no
# picture on them**. `misalign zeroshot` refuses the two groups unless it is called with `--sensitive`, and
# `misalign audit` reports their coverage only. Who has a reason to go on, such as a test of a model for
# harm, needs the consent of those pictured and people from the groups concerned among those who
# decide.
# ```

# %%
listed = pd.read_csv(REFERENCE / "concepts.csv")
sensitive = listed[listed["category"] == "sensitive"]
print(sensitive["group"].value_counts().to_dict())
assert len(sensitive) == 19

# %% [markdown]
# ## What we saw
#
# - Breadth is bought with depth, and the trade is a good one unless a task is both hard and all that
#   matters.
# - Omission for robustness works where one knows what will change, and costs what depends on it.
# - Omission for values must be complete to work by name, and even then leaves traces and proxies.
#
# ```{exercise}
# :label: ex-practice-hard
# In {numref}`fig-practice-breadth`, *material* falls as more groups are named and *count* does not. What
# would you do if material were the one thing that your model must tell?
# ```
#
# ```{solution} ex-practice-hard
# :class: dropdown
# Spend words unevenly: material in most captions, easy groups in about one of ten, where
# {numref}`fig-openclip-grid` shows that they are told almost perfectly.
# ```
#
# ```{exercise}
# :label: ex-practice-proxy
# Suppose that every desert is sunlit. Captions leave the background out and name the light. What does the
# theorem say of the background?
# ```
#
# ```{solution} ex-practice-proxy
# :class: dropdown
# The light is kept, and it tells the desert from some of the other places as well as words could. The
# oracle of {doc}`10_causal3dident` computes how well. To lose the background, captions have to be silent
# about the light, too, and that costs the light.
# ```
#
# ## Where to go next
#
# {doc}`scoreboard` sums up what became of each claim of the paper, and {doc}`errata` what we stumbled over.
