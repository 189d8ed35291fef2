"""Figures show what the records say."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from misalign import Bias
from misalign.reporting import plots, summaries
from misalign.style import COLORS

mpl.use("agg")


def scores(**changes):
    rows = [
        {
            **{"scale": "smoke", "variant": "", "latents": latents, "bias": "selection"},
            **{"setting": setting, "seed": seed, "encoding_size": setting, "modality": modality},
            **{"split": "test", "probe": "nonlinear", "target": "image", "metric": "r2"},
            **{"factor": factor, "score": 0.5 + 0.1 * seed, "oracle": 1.0 * (factor == "s1")},
        }
        for latents in ("independent", "dependent")
        for modality in ("image", "text")
        for setting in (1, 2)
        for factor in ("s1", "m_x")
        for seed in (0, 1, 2)
    ]
    return pd.DataFrame(rows).assign(**changes)


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def test_a_factor_is_coloured_by_what_captions_do_to_it():
    bias = Bias(4, selected=(1, 2), perturbed=(2,))
    names = ["s1", "s2", "s3", "m_x", "m_t", "noise", "y1"]
    expected = ["unbiased", "perturbed", "omitted", *["specific"] * 4]
    assert [summaries.status(name, bias) for name in names] == expected
    assert set(expected) < set(COLORS)


def test_factors_are_ordered_by_number_not_by_letter():
    names = ["m_t", "s10", "s2", "noise", "s1", "m_x", "s1"]
    assert plots.in_order(names) == ["s1", "s2", "s10", "m_x", "m_t", "noise"]


def test_spread_is_the_standard_deviation_over_seeds():
    row = summaries.over_seeds(scores()).iloc[0]
    assert row["mean"] == pytest.approx(0.6)
    assert row["spread"] == pytest.approx(np.std([0.5, 0.6, 0.7], ddof=1))
    assert row["seeds"] == 3


def test_runs_of_another_width_are_not_averaged_in():
    rows = scores().query("latents == 'dependent' and modality == 'text'")
    summary = summaries.over_seeds(pd.concat([rows, rows.assign(encoding_size=5)]))
    _, ax = plt.subplots()
    with pytest.raises(ValueError, match="summary: expected one row a setting and factor, got"):
        plots.heatmap(ax, summary, ["s1", "m_x"])


def test_a_heatmap_prints_mean_and_spread_of_every_cell():
    summary = summaries.over_seeds(scores().query("latents == 'dependent' and modality == 'text'"))
    _, ax = plt.subplots()
    plots.heatmap(ax, summary, ["s1", "m_x"])
    assert sorted(text.get_text() for text in ax.texts) == ["0.60"] * 4 + ["±0.10"] * 4
    assert [text.get_text() for text in ax.get_yticklabels()] == ["$s_{1}$", "$m_x$"]


def test_a_heatmap_leaves_what_was_not_recorded_empty():
    summary = summaries.over_seeds(scores().query("latents == 'dependent' and modality == 'text'"))
    _, ax = plt.subplots()
    plots.heatmap(ax, summary.query("not (factor == 'm_x' and setting == 2)"), ["s1", "m_x"])
    assert len(ax.texts) == 6


def test_a_heatmap_refuses_two_values_for_one_cell():
    _, ax = plt.subplots()
    with pytest.raises(ValueError, match="summary: expected one row a setting and factor, got"):
        plots.heatmap(ax, summaries.over_seeds(scores()), ["s1", "m_x"])


def test_figure_3_has_a_panel_for_each_latents_and_modality():
    figure = plots.heatmaps(scores())
    titles = [ax.get_title() for ax in figure.axes if ax.get_title()]
    assert len(titles) == 4
    assert len(set(titles)) == 4


def test_measured_against_theory_draws_every_point_with_an_oracle():
    rows = summaries.latents(scores())
    rows.loc[rows["factor"] == "m_x", "oracle"] = np.nan
    figure = plots.against_theory(rows)
    drawn = [len(points.get_offsets()) for ax in figure.axes for points in ax.collections]
    assert sum(drawn) == rows["oracle"].notna().sum()


def test_lines_by_setting_have_a_panel_for_each_bias_and_latents():
    rows = pd.concat([scores(), scores(bias="perturbation")]).query("modality == 'image'")
    figure = plots.by_setting(rows)
    assert len({ax.get_title() for ax in figure.axes}) == len(figure.axes) == 4
    first = figure.axes[0]
    means = [line for line in first.lines if line.get_linestyle() == "-"]
    assert [line.get_label() for line in means] == ["$s_{1}$", "$m_x$"]
    assert [list(line.get_xdata()) for line in means] == [[1, 2], [1, 2]]
    assert means[0].get_ydata().tolist() == pytest.approx([0.6, 0.6])
    dashes = [line for line in first.lines if line.get_linestyle() == "--"]
    assert [line.get_ydata().tolist() for line in dashes] == [[1, 1], [0, 0]]


def test_lines_of_one_task_are_told_by_split():
    rows = scores().query("modality == 'image' and factor == 's1'")
    figure = plots.by_setting(pd.concat([rows, rows.assign(split="ood", score=0.1)]), "MCC")
    labels = figure.axes[0].get_legend_handles_labels()[1]
    assert labels == ["in distribution", "out of distribution"]
    assert figure.axes[0].get_ylabel() == "MCC"


def test_no_line_is_dropped_for_want_of_a_colour():
    rows = pd.concat([scores(factor=f"s{i}") for i in range(1, 6)]).query("modality == 'image'")
    with pytest.raises(ValueError, match="scores: expected at most 4 lines, got 5"):
        plots.by_setting(rows)
