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
# # Numerical study

# %%
from misalign import Run, execute

# %% tags=["parameters"]
scale = "laptop"
variant = ""
latents = "independent"
bias = "selection"
setting = 3
seed = 0
encoding_size = None
record = ""

# %%
runs = Run.from_notebook(globals())

# %%
records = [execute(run, record=record) for run in runs]
