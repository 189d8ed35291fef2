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
# (compute)=
# # What it cost
#
# The paper's Appendix F: "For the numerical simulations, we trained over 120 models in total,
# requiring approximately 70 GPU-hours across 4 GPUs" (A100, 40 GB). This page says what the runs
# behind this book took. Every number comes from the records.

# %%
import pandas as pd
from myst_nb import glue

from misalign import records
from misalign.paths import SWEEPS
from misalign.studies.numerical import SCALES
from misalign.sweeps.grid import Sweep

# %% [markdown]
# ## By figure and device
#
# A run's seconds are an equal share of the training that it did together with others, plus its own
# probes. A sweep lets several notebooks run at a time, so its clock shows less than the sum.

# %% tags=["recorded"]
runs = records.runs().astype({"seconds": float})
rows = []
for file in sorted(SWEEPS.glob("*.yml")):
    ours = runs[runs["run"].isin([run.id for run in Sweep.read(file).runs])]
    for (scale, device), group in ours.groupby(["scale", "device"]):
        total = group["seconds"].sum() / 60
        row = {"sweep": file.stem, "scale": scale, "device": device}
        median = group["seconds"].median().round(1)
        row |= {"runs": len(group), "seconds a run": median}
        rows.append(row | {"minutes in all": round(total, 1)})
table = pd.DataFrame(rows)
glue("cost", table.set_index("sweep"), display=False)
print(len(table), "rows")

# %% [markdown]
# ```{glue:figure} cost
# :name: tab-cost
#
# Recorded runs by sweep, scale and device: the median of seconds a run, and the sum in minutes.
# ```
#
# {numref}`tab-cost` is for reading; its sum is what compares. The paper's share is 35 GPU-minutes a
# model, if the 70 hours are spread evenly over 120 of them.

# %% tags=["recorded"]
ours = (runs["experiment"] == "numerical") & (runs["scale"] == "full")
trained = runs[ours & (runs["steps"] > 0)]
threads = trained["device"].str.extract(r"(\d+) threads$")[0].astype(float)
hours = (trained["seconds"] * threads).sum() / 3600
glue("trained", len(trained), display=False)
glue("hours", f"{hours:.1f}", display=False)
glue("ratio", f"{35 * 60 / trained['seconds'].median():.0f}", display=False)
print(len(trained), "trained runs in", round(hours, 1), "core-hours")

# %% [markdown]
# Our {glue:text}`trained` trained runs in the paper's world took {glue:text}`hours` core-hours of a
# CPU. A run's median is a factor of {glue:text}`ratio` below the paper's share, on one core for its GPU. The
# world and the probes are the same; networks and batches are smaller, and the recipe needs fewer steps.

# %%
sizes = {
    name: {
        "mixing layers": scale.layers,
        "hidden widths": ", ".join(map(str, scale.hidden)),
        "steps": scale.recipe.steps,
        "batch": scale.recipe.batch_size,
        "probe samples": scale.probe_samples,
    }
    for name, scale in SCALES.items()
}
print(pd.DataFrame(sizes).to_string())

# %% [markdown]
# `full`, of which the recorded figures are, is the paper's world with our recipe, and `double` the same for twice as long. At `paper` scale
# hidden widths are multiples of the input's width. How long would a run take on
# *your* machine? `misalign sweep sweeps/figure_03.yml --scale paper --dry-run` times a few steps and
# multiplies. `benchmarks/README.md` in the repository has the price of single parts: the objective,
# a training step, one run against thirty, the probes.
