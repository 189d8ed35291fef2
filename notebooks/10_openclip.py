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
# # Rarely named

# %% tags=["parameters"]
experiment = "concepts"
scale = "live"
variant = ""
latents = "independent"
bias = "coverage"
setting = 1
seed = 0
encoding_size = 32
record = ""
