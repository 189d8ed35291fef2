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
# What does the paper claim, and what became of each claim when we ran it? This page has one row a
# claim. `book/claims.yml` says which runs test a claim and what
# their scores should be, and the verdict is computed from the records. A test fails when a record is
# missing, or when the file says another verdict than the numbers.
#
# The rules are the same for every claim. Scores that differ in nothing but the seed make one *point*,
# their median. A claim says what points should be: **1** means at least 0.90, **0** means within 0.10 of it,
# and **as predicted** means within 0.10 of the oracle ({doc}`06_numerical`). Only factors that pictures
# keep have bars of their own: 0.80, as the paper says of MPI3D, and 0.75 where words are coarse. A claim
#
# - **holds** if every point is as it says,
# - **holds in part** if the points are so on average, but not all of them,
# - **does not hold** otherwise.
#
# All runs are at `laptop` scale. A verdict is about what these runs show, not about the proof. And a
# median does not move for a single run that went astray; {doc}`06_numerical` shows the one that did.

# %%
from collections import Counter

from IPython.display import Markdown
from matplotlib import pyplot as plt
from myst_nb import glue

from misalign.style import COLORS, use_style
from misalign.provenance import code_hash
from misalign.records import runs as recorded_runs
from misalign.reporting.claims import assess, claims

use_style()

# %% tags=["recorded"]
listed = claims()
tested = [claim for claim in listed if claim.tested]
results = {claim.name: assess(claim) for claim in tested}
assert all(results[one.name].verdict == one.verdict for one in tested)
counts = Counter(claim.verdict for claim in listed)
for verdict, count in counts.items():
    glue(verdict.replace(" ", "-"), count, display=False)
    print(f"{verdict}: {count}")

# %% [markdown]
# Were these runs recorded by the code at hand? If not, they still stand, and are to be redone.

# %% tags=["recorded", "nbval-ignore-output"]
table = recorded_runs()
stale = table["code"] != table["experiment"].map(code_hash)
print("runs recorded by other code:", int(stale.sum()))

# %% [markdown]
# Every claim has its runs. {glue:text}`holds` hold, {glue:text}`holds-in-part` hold in part and
# {glue:text}`does-not-hold` do not.
# {numref}`fig-scoreboard` shows how far the points of each claim are from its bar. Every claim has been
# turned so that what it asks for is to the left of the bar.

# %% mystnb={"figure": {"caption": "Every tested claim: how far its points are from what it says. Dots are the worst point, ticks the average. Left of the line is as claimed. 388 of 694 runs of sweeps assumptions, concepts_coverage, figure_03, figure_06, figure_08, figure_09, figure_14, table_04 and table_05.", "name": "fig-scoreboard"}, "image": {"alt": "A row a claim, each with a tick and a dot. Most rows have both left of the line; a few have the tick left and the dot right of it, and the last kind has both to the right."}} tags=["recorded", "hide-input"]
figure, ax = plt.subplots(figsize=(7.4, 5.2), layout="constrained")
palette = {
    "holds": "unbiased",
    "holds in part": "perturbed",
    "does not hold": "omitted",
}
for row, found in enumerate(results.values()):
    color = COLORS[palette[found.verdict]]
    ax.plot(
        [found.beyond(found.average), found.beyond(found.worst)],
        [row, row],
        color=color,
        lw=1,
    )
    ax.plot(found.beyond(found.average), row, "|", ms=9, mew=2, color=color)
    ax.plot(found.beyond(found.worst), row, "o", ms=5, color=color)
for verdict, state in palette.items():
    ax.plot([], [], "o", ms=5, color=COLORS[state], label=verdict)
ax.axvline(0, color=COLORS["theory"], lw=0.8)
ax.set_yticks(range(len(results)), results)
ax.invert_yaxis()
ax.set_xlabel("beyond the bar")
ax.legend(loc="lower right")
plt.show()
print("claims drawn:", len(results))

# %% [markdown]
# ## Claim by claim
#
# The number is the worst point, and behind it the average. Names are those of {numref}`fig-scoreboard`.

# %% mystnb={"markdown_format": "myst"} tags=["recorded", "hide-input"]
lines = [
    "| Claim | Refuted by | Measured | Verdict |",
    "| :-- | :-- | :-- | :-- |",
]
for claim in tested:
    found = results[claim.name]
    note = f": {claim.note}" if claim.note else ""
    sweeps = ", ".join(f"`{name}`" for name in claim.sweeps)
    cells = [
        f"**{claim.name}**<br>{claim.claim}<br>*{claim.source}*",
        claim.refuted,
        f"{found.summary}, {claim.criterion}; {found.runs} runs of {sweeps}, "
        f"{{doc}}`{claim.chapter}`",
        f"**{found.verdict}**{note}",
    ]
    lines.append(f"| {' | '.join(cells)} |")
Markdown("\n".join(lines))

# %% [markdown]
# ## How to read a verdict
#
# A claim that does not hold need not be wrong where the paper makes it. Discrete factors and wide
# representations are outside of the theorem's assumptions, and {doc}`05_assumptions` shows what happens
# there. After a shift an encoder is where no training pair has ever been ({doc}`07_downstream`). And in
# dependent worlds short trainings of small networks stay short of the theorem's optimum:
# {doc}`06_numerical` looks into it, and leaves some of it unexplained.
#
# To add a claim, write it into `book/claims.yml`. `misalign.reporting.claims` says what the fields mean.
