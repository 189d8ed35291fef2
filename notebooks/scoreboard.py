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
# (scoreboard)=
# # Scoreboard
#
# What does the paper claim, and what became of each claim when we ran it? Here every claim has a row.
# {glue:text}`holds` hold, {glue:text}`holds-in-part` hold in part, {glue:text}`does-not-hold` do not hold.
# Of {glue:text}`trained-too-briefly-to-say` more we cannot say, because our runs were trained too briefly, and
# {glue:text}`not-tested` are not tested. A verdict is about what our runs show, not about the proof.
#
# ## The rules
#
# The rules, and the bar of every claim, stand in `book/claims.yml`. They were committed before the runs that they judge
# (commit {glue:text}`rules`; claims were last added in {glue:text}`changed`), and a computer applies them.
#
# - **Conditions first.** A claim is judged only by runs that meet its own conditions: its loss, its kind of world, the
#   scale it asks for, and a training that went on until the loss was flat. Else it is *not tested* or *trained too
#   briefly to say*. Flat means that the last tenth of a training took at most 2 % of the whole fall off the loss,
#   or 0.01 nats.
# - **Every point counts.** A point is one score of one run, or, where a claim is about a difference, the difference of two
#   scores of the same world and seed. There are no medians.
# - **Bars.** **1** means at least 0.90. **0** and **as predicted** mean within 0.10. Each other bar says why it is what it is.
# - A claim **holds** if every point is as it says, and **holds in part** if the estimate is so, but not every point. Else it
#   **does not hold**. The estimate is the mean over all points, of absolute values where the bar is a distance from 0.
# - **Intervals** are of 95 %, by a bootstrap that draws worlds, and within each world training seeds.

# %% tags=["remove-cell"]
import subprocess
from collections import Counter

from IPython.display import Markdown
from matplotlib import pyplot as plt
from myst_nb import glue

from misalign.paths import CLAIMS
from misalign.provenance import code_hash
from misalign.records import runs as recorded_runs
from misalign.reporting.claims import claims
from misalign.reporting.verdicts import OPEN, VERDICTS, assess
from misalign.style import COLORS, use_style

use_style()

# %% tags=["recorded", "remove-cell"]
results = [assess(claim) for claim in claims()]
judged = [found for found in results if len(found.points)]
counts = Counter(found.verdict for found in results)
for verdict in VERDICTS:
    glue(verdict.replace(" ", "-"), counts[verdict], display=False)
    print(f"{verdict}: {counts[verdict]}")

# %% tags=["remove-cell", "nbval-ignore-output"]
def commits(*options):
    """Commits of the file of claims, newest first; none where there is no history."""
    command = ["git", "log", "--format=%h of %cs", *options, "--", CLAIMS.name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=CLAIMS.parent)
    except OSError:  # no git
        return ["not known here"]
    return done.stdout.splitlines() or ["not known here"]


glue("rules", commits("-Strained too briefly to say")[-1], display=False)
glue("changed", commits()[0], display=False)
table = recorded_runs()
stale = table["code"] != table["experiment"].map(code_hash)
glue("stale", int(stale.sum()), display=False)
glue("recorded", len(table), display=False)

# %% [markdown]
# ## At a glance
#
# {numref}`fig-scoreboard` shows how far each claim is from its bar. Every claim is turned so that what it asks for is to
# the left. A tick is the estimate, the line through it the interval, and the dot the worst point.

# %% mystnb={"figure": {"caption": "How far the points of every claim on our own runs are from its bar: ticks are estimates, with their intervals; dots are worst points. Left of the line is as claimed. Drawn from book/verdicts.csv.", "name": "fig-scoreboard"}, "image": {"alt": "A row a claim, each with a tick and a dot, colored by verdict."}} tags=["recorded", "hide-input"]
drawn = [found for found in judged if not found.claim.published]
palette = dict(zip(VERDICTS, ("unbiased", "perturbed", "omitted", "specific"), strict=False))
figure, ax = plt.subplots(figsize=(7.4, 1 + 0.2 * len(drawn)), layout="constrained")
for row, found in enumerate(drawn):
    beyond, color = found.claim.beyond, COLORS[palette[found.verdict]]
    ax.plot([beyond(found.estimate), beyond(found.worst)], [row, row], color=color, lw=0.6, ls=":")
    ax.plot([beyond(end) for end in found.interval], [row, row], color=color, lw=2)
    ax.plot(beyond(found.estimate), row, "|", ms=9, mew=2, color=color)
    ax.plot(beyond(found.worst), row, "o", ms=5, color=color)
for verdict in dict.fromkeys(found.verdict for found in drawn):
    ax.plot([], [], "o", ms=5, color=COLORS[palette[verdict]], label=verdict)
ax.axvline(0, color=COLORS["theory"], lw=0.8)
ax.set_yticks(range(len(drawn)), [found.claim.name for found in drawn])
ax.invert_yaxis()
ax.set_xlabel("beyond the bar")
ax.legend(loc="lower right")
plt.show()

# %% [markdown]
# ## Claim by claim
#
# Names are those of {numref}`fig-scoreboard`. The number in front is the estimate, with its interval. How each claim is
# tested stands {ref}`below <scoreboard-tests>`.

# %% tags=["recorded", "remove-cell"]
def plain(value):
    return f"{round(value, 2) + 0.0:.2f}"  # adding 0.0 turns a rounded -0.0 into 0.0


def sentence(text):
    return f"{text[0].upper()}{text[1:]}." if text else ""


def measured(found):
    """What was measured, in words."""
    low, high = map(plain, found.interval)
    if found.claim.published:
        return f"{plain(found.estimate)} [{low}, {high}], claimed {found.claim.criterion}."
    worlds = found.worlds()
    worst = f"worst {plain(found.worst)}, claimed {found.claim.criterion}."
    many = f"{worlds} worlds" if worlds > 1 else f"one world, {found.seeds} seeds"
    off = f"{len(found.off)} of {len(found.points):,} points off the bar"
    if len(found.off) and worlds > 1:
        off += f", in {found.worlds(found.off)} worlds"
    numbers = f"{plain(found.estimate)} [{low}, {high}], {worst}"
    return f"{numbers} {off}; {found.runs} runs, {many}."


# %% tags=["recorded", "remove-cell"]
def row(found):
    """One claim's row of the table."""
    claim = found.claim
    why = f" ({found.reason})" if found.reason else ""
    said = f"**{claim.name}**<br>{claim.claim}<br>*{claim.source}*"
    result = f"**{found.verdict}**{why}. {measured(found)} {sentence(claim.note)}"
    return f"| {said} | {result} |"


# %% mystnb={"markdown_format": "myst"} tags=["recorded", "hide-input"]
lines = ["| Claim | Result |", "| :-- | :-- |", *map(row, judged)]
Markdown("\n".join(lines))

# %% [markdown]
# ## Not tested
#
# These claims have no verdict, for the reason given.

# %% mystnb={"markdown_format": "myst"} tags=["recorded", "hide-input"]
lines = ["| Claim | What is missing |", "| :-- | :-- |"]
for found in results:
    claim = found.claim
    if found.verdict == OPEN:
        said = f"**{claim.name}**<br>{claim.claim}<br>*{claim.source}*"
        said += "" if claim.ours else f"<br>*Paper:* {claim.paper}."
        lines.append(f"| {said} | {sentence(found.reason)} |")
Markdown("\n".join(lines))

# %% [markdown]
# ## Late starters
#
# A training can sit on a plateau before it learns anything. These runs began late: their loss took more than a third of
# the training to come down by a tenth of its fall, or never came down. Their points count above like all others.

# %% mystnb={"markdown_format": "myst"} tags=["recorded", "hide-input"]
late = sorted({run for found in judged for run in found.late})
Markdown(", ".join(f"`{run}`" for run in late) or "None of the runs above.")

# %% [markdown]
# (scoreboard-tests)=
# ## The tests
#
# For each claim: its bar and the reason for it, what would speak against it, whether the theorem covers it, and how our
# runs differ from the paper's.

# %% mystnb={"markdown_format": "myst"} tags=["recorded", "hide-input"]
lines = ["| Claim | Test |", "| :-- | :-- |"]
for claim in claims():
    if claim.ours:
        scale = f", scale `{claim.scale}`" if claim.scale else ""
        told = [
            f"{sentence(claim.criterion)} Why: {claim.why}.",
            f"*Refuted by* {claim.refuted}.",
            f"*Theorem:* {claim.assumptions}.",
            f"*Paper:* {claim.paper}.",
            f"*Here:* {claim.ours}{scale}; {{doc}}`{claim.chapter}`.",
        ]
        lines.append(f"| **{claim.name}** | {'<br>'.join(told)} |")
Markdown("\n".join(lines))

# %% [markdown]
# ## How to read a verdict
#
# A claim that does not hold need not be wrong where the paper makes it. *Outside* says what the theorem does not cover:
# {doc}`05_assumptions` shows what happens with discrete factors and in wide representations, and {doc}`07_downstream`
# what happens after a shift, where no training pair has ever been.
#
# Rates fall to 0 over each training. So a flat loss says that this training is over, not that a longer one would find
# nothing more.
#
# {glue:text}`stale` of all {glue:text}`recorded` recorded runs were made by an earlier version of the code. `misalign sweep`
# makes them anew.
#
# To add a claim, write it into `book/claims.yml`. `misalign.reporting.claims` says what the fields mean.
