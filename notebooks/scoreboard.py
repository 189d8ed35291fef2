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
# **Did the theorem replicate?** Of its claims that we could judge *inside its assumptions*, {glue:text}`inside-holds` hold,
# {glue:text}`inside-holds-in-part` hold in part, and {glue:text}`inside-does-not-hold` not. *Outside* them, where factors are discrete,
# representations are wider than they need be, or the world has shifted, the paper claims more: {glue:text}`outside-holds` hold,
# {glue:text}`outside-holds-in-part` hold in part, and {glue:text}`outside-does-not-hold` not. {glue:text}`unjudged` claims have no verdict, most of them
# because our runs are too few, too small or too short for them.
#
# A verdict is about what our runs show, not about the proof. ● holds, ◐ holds in part, ○ does not hold.

# %% tags=["remove-cell"]
import subprocess
import textwrap
from collections import Counter

from IPython.display import Markdown
from matplotlib import pyplot as plt
from myst_nb import glue

from misalign.paths import CLAIMS
from misalign.reporting.claims import claims
from misalign.reporting.verdicts import BRIEF, FAILS, HOLDS, IN_PART, OPEN, assess
from misalign.style import COLORS, use_style

use_style()
MARKS = {HOLDS: "●", IN_PART: "◐", FAILS: "○", BRIEF: "–", OPEN: "–"}
ROLES = {HOLDS: "unbiased", IN_PART: "perturbed", FAILS: "omitted", BRIEF: "specific"}

# %% tags=["recorded", "remove-cell"]
results = [assess(claim) for claim in claims()]


def scope(found):
    """Where a claim stands on the page."""
    if found.verdict in (BRIEF, OPEN):
        return found.verdict
    return found.claim.scope


counts = Counter((scope(found), found.verdict) for found in results)
for where in ("inside", "outside"):
    for verdict in (HOLDS, IN_PART, FAILS):
        glue(f"{where}-{verdict}".replace(" ", "-"), counts[where, verdict], display=False)
glue("unjudged", sum(scope(found) in (BRIEF, OPEN) for found in results), display=False)
for (where, verdict), count in sorted(counts.items()):
    print(f"{where}, {verdict}: {count}")

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
        several = found.worlds(found.off)
        off += f", in {several} world{'s' * (several > 1)}"
    numbers = f"{plain(found.estimate)} [{low}, {high}], {worst}"
    return f"{numbers} {off}; {found.runs} runs, {many}."


# %% tags=["recorded", "remove-cell"]
def listed(where):
    """Claims of one part of the page as a table, the verdict first."""
    lines = ["| Verdict | Claim |", "| :-- | :-- |"]
    for found in (one for one in results if scope(one) == where):
        claim, why = found.claim, f" {sentence(found.reason)}" if found.reason else ""
        numbers = f"<br>{measured(found)}" if len(found.points) else ""
        said = f"**{claim.claim}** {sentence(claim.note)}<br>*{claim.source}.*{why}{numbers}"
        lines.append(f"| {MARKS[found.verdict]} {found.verdict} | {said} |")
    return Markdown("\n".join(lines))


# %% tags=["recorded", "remove-cell"]
def drawn(where):
    """Draw how far claims are from their bars, each under its sentence."""
    rows = [one for one in results if scope(one) == where and not one.claim.published]
    figure, ax = plt.subplots(figsize=(7.4, 0.9 + 0.52 * len(rows)), layout="constrained")
    for row, found in enumerate(rows):
        beyond, color = found.claim.beyond, COLORS[ROLES[found.verdict]]
        ends = [beyond(found.estimate), beyond(found.worst)]
        ax.plot(ends, [row, row], color=color, lw=0.6, ls=":")
        ax.plot([beyond(end) for end in found.interval], [row, row], color=color, lw=3)
        ax.plot(ends[0], row, "|", ms=9, mew=2, color=color)
        ax.plot(ends[1], row, "o", ms=5, color=color)
        ax.plot([0, 0], [row - 0.2, row + 0.2], color=COLORS["theory"], lw=0.8)
        text = textwrap.shorten(found.claim.claim, 92, placeholder=" …")
        said = f"{MARKS[found.verdict]} {text}"
        place = ax.get_yaxis_transform()
        ax.text(0.0, row - 0.28, said, transform=place, fontsize=10, va="bottom")
    ax.set(yticks=[], xlabel="beyond the bar", ylim=(len(rows) - 0.6, -0.9))
    ax.spines[["left"]].set_visible(False)
    plt.show()
    return len(rows)


# %% [markdown]
# ## Inside the theorem's assumptions
#
# {numref}`fig-scoreboard` shows how far each claim is from its bar. Every claim is turned so that what it asks for is to
# the left of the thin line. The thick stroke is the interval of the estimate, a tick, and the dot the worst point.

# %% mystnb={"figure": {"caption": "Claims inside the theorem's assumptions: estimates with their intervals (strokes) and worst points (dots), beside the bar (line). Left is as claimed. Drawn from book/verdicts.csv.", "name": "fig-scoreboard"}, "image": {"alt": "A row a claim, with its sentence, a stroke and a dot. Most strokes are left of the line or at it."}} tags=["recorded", "hide-input"]
count = drawn("inside")

# %% tags=["recorded", "remove-cell"]
print("claims drawn:", count)

# %% mystnb={"markdown_format": "myst"} tags=["recorded", "hide-input"]
listed("inside")

# %% [markdown]
# ## Outside the assumptions
#
# The theorem does not cover the claims of {numref}`fig-scoreboard-outside`, and one that fails here need not be wrong where the paper makes it. {doc}`05_assumptions` shows what happens with discrete factors and in wide representations, and {doc}`07_downstream`
# what happens after a shift, where no training pair has ever been.

# %% mystnb={"figure": {"caption": "Claims outside the theorem's assumptions, drawn as those before. Drawn from book/verdicts.csv.", "name": "fig-scoreboard-outside"}, "image": {"alt": "A row a claim, with its sentence, a stroke and a dot, on both sides of the line."}} tags=["recorded", "hide-input"]
count = drawn("outside")

# %% tags=["recorded", "remove-cell"]
print("claims drawn:", count)

# %% mystnb={"markdown_format": "myst"} tags=["recorded", "hide-input"]
listed("outside")

# %% [markdown]
# ## Trained too briefly to say
#
# The losses of these runs were still falling, or the runs are at a scale that is shorter than their claim asks for.

# %% mystnb={"markdown_format": "myst"} tags=["recorded", "hide-input"]
listed(BRIEF)

# %% [markdown]
# ## Not tested

# %% mystnb={"markdown_format": "myst"} tags=["recorded", "hide-input"]
listed(OPEN)

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

# %% [markdown]
# ## The rules
#
# The rules, and the bar of every claim, stand in `book/claims.yml`. They were committed before the runs that they judge
# (commit {glue:text}`rules`; claims were last added or changed in {glue:text}`changed`), and a computer applies them.
#
# - **Conditions first.** A claim is judged only by runs that meet its own conditions: its loss, its kind of world, the
#   scale it asks for, and a training that went on until the loss was flat. Else it is *not tested* or *trained too
#   briefly to say*. Flat means that the last tenth of a training took at most 2 % of the whole fall off the loss,
#   or 0.01 nats. Rates fall to 0 over each training, so a flat loss says that this training is over, not that a longer one
#   would find nothing more.
# - **Every point counts.** A point is one score of one run, or, where a claim is about a difference, the difference of two
#   scores of the same world and seed. There are no medians.
# - **Bars.** **1** means at least 0.90. **0** and **as predicted** mean within 0.10. Each other bar says why it is what it is.
# - A claim **holds** if every point is as it says, and **holds in part** if the estimate is so, but not every point. Else it
#   **does not hold**. The estimate is the mean over all points, of absolute values where the bar is a distance from 0.
# - **Intervals** are of 95 %, by a bootstrap that draws worlds, and within each world training seeds.
#
# (scoreboard-tests)=
# ### The tests
#
# For each claim: its bar and the reason for it, what would speak against it, whether the theorem covers it, and how our
# runs differ from the paper's.

# %% mystnb={"markdown_format": "myst"} tags=["recorded", "hide-input"]
lines = ["| Claim | Test |", "| :-- | :-- |"]
for claim in claims():
    if claim.ours:
        scale = f", scale `{claim.scale}`" if claim.scale else ""
        test = [
            f"{sentence(claim.criterion)} Why: {claim.why}.",
            f"*Refuted by* {claim.refuted}.",
            f"*Theorem:* {claim.assumptions}.",
            f"*Paper:* {claim.paper}.",
            f"*Here:* {claim.ours}{scale}; {{doc}}`{claim.chapter}`.",
        ]
        lines.append(f"| {claim.claim} | {'<br>'.join(test)} |")
Markdown("\n".join(lines))

# %% [markdown]
# ### Late starters
#
# A training can sit on a plateau before it learns anything. These runs began late: their loss took more than a third of
# the training to come down by a tenth of its fall, or never came down. Their points count above like all others.

# %% mystnb={"markdown_format": "myst"} tags=["recorded", "hide-input"]
late = sorted({run for found in results for run in found.late})
Markdown(", ".join(f"`{run}`" for run in late) or "None of the runs above.")
