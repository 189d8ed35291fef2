"""Figures show what the records say."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib import pyplot as plt

from misalign import Bias
from misalign.paths import REFERENCE
from misalign.reporting import concept_plots, image_plots, plots, summaries
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


def test_a_heatmap_has_no_minus_before_a_zero():
    rows = scores(score=-0.001).query("latents == 'dependent' and modality == 'text'")
    _, ax = plt.subplots()
    plots.heatmap(ax, summaries.over_seeds(rows), ["s1", "m_x"])
    assert [text.get_text() for text in ax.texts] == ["0.00"] * 4


def test_a_heatmap_leaves_what_was_not_recorded_empty():
    summary = summaries.over_seeds(scores().query("latents == 'dependent' and modality == 'text'"))
    _, ax = plt.subplots()
    plots.heatmap(ax, summary.query("not (factor == 'm_x' and setting == 2)"), ["s1", "m_x"])
    assert len(ax.texts) == 6


def test_a_heatmap_refuses_two_values_for_one_cell():
    _, ax = plt.subplots()
    with pytest.raises(ValueError, match="summary: expected one row a setting and factor, got"):
        plots.heatmap(ax, summaries.over_seeds(scores()), ["s1", "m_x"])


@pytest.mark.parametrize("miss", [False, True])
def test_figure_3_has_a_panel_for_each_bias_and_latents(miss):
    rows = pd.concat([scores(), scores(bias="perturbation")])
    rows.loc[rows["modality"] == "text", "score"] += 0.2
    figure = plots.staircases(summaries.latents(rows), miss=miss)
    panels = [ax for ax in figure.axes if ax.get_title()]
    assert len({ax.get_title() for ax in panels}) == len(panels) == 4
    assert [text.get_text() for text in panels[0].get_yticklabels()] == ["$s_{1}$", "$m_x$"]
    for ax in panels:
        expected = [[-0.3] * 2, [0.7] * 2] if miss else [[0.7] * 2] * 2  # both modalities' mean
        np.testing.assert_allclose(ax.images[0].get_array(), expected)
        assert ax.images[0].get_clim() == ((-0.1, 0.1) if miss else (0, 1))


def test_a_line_is_around_what_is_unbiased():
    rows = summaries.latents(pd.concat([scores(), scores(bias="perturbation")]))
    ax = plots.staircases(rows).axes[2]  # setting 2 of perturbation bias spoils s1
    (path,) = [path for path in ax.collections[0].get_paths() if len(path)]
    assert path.vertices[:, 0].max() == pytest.approx(0.5, abs=0.02)
    assert path.vertices[:, 1].max() == pytest.approx(0.5, abs=0.02)


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


def test_panels_of_both_biases_are_told_by_modality_first():
    rows = pd.concat([scores(), scores(bias="perturbation")]).query("latents == 'dependent'")
    figure = plots.heatmaps(rows, ["m_x", "s1"], "MCC")
    titles = [ax.get_title() for ax in figure.axes[:4]]
    assert titles == [
        f"{plots.label(modality)}, {bias} bias"
        for modality in ("image", "text")
        for bias in ("selection", "perturbation")
    ]
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["$m_x$", "$s_{1}$"]
    assert figure.axes[4].get_ylabel() == "mean MCC"


def test_a_phase_diagram_has_the_least_width_at_the_bottom():
    rows = scores().query("modality == 'image' and factor == 's1'")
    sizes = {1: 0.05, 2: 0.5, 3: 0.95}
    rows = pd.concat([rows.assign(encoding_size=n, score=value) for n, value in sizes.items()])
    titles = {("selection", "dependent"): "one", ("selection", "independent"): "two"}
    figure = plots.by_width(rows, titles, [0.1, 0.5])
    assert [ax.get_title() for ax in figure.axes] == ["one", "two"]
    for ax in figure.axes:
        found = {line.get_label(): line.get_xydata().tolist() for line in ax.lines}
        rows_of = {"kept": 0, "in part": 1, "lost": 2}
        assert found == {name: [[0, row], [1, row]] for name, row in rows_of.items()}
        assert len({line.get_fillstyle() for line in ax.lines}) == 3
        assert [text.get_text() for text in ax.get_xticklabels()] == ["0.1", "0.5"]
        assert [text.get_text() for text in ax.get_yticklabels()] == ["3", "2", "1"]
    (outline,) = figure.axes[0].patches
    assert outline.get_y() == 1.5 and not figure.axes[1].patches


def test_ours_against_the_paper_has_every_printed_cell():
    table = summaries.beside_paper(
        scores(factor="color", metric="mcc", setting=1, modality="image").assign(
            status="unbiased", latents="independent"
        )
    )
    printed = pd.read_csv(REFERENCE / "mpi3d_mcc.csv").query(
        "bias == 'selection' and setting == 1 and modality == 'image' and factor == 'color'"
        " and probe == 'nonlinear'"
    )
    (row,) = table.to_dict("records")
    assert row["ours"] == pytest.approx(0.6) and row["paper"] == printed["score"].item()


def test_dumbbells_join_ours_and_the_paper_s_and_shade_what_is_stated():
    cells = {
        "s1": [(1, 0.9, 1.0, "unbiased"), (2, 0.8, 0.7, "omitted")],
        "s2": [(1, 0.0, 0.1, "omitted")],
    }
    rows = [
        {"factor": name, "setting": at, "ours": ours, "paper": paper, "status": state}
        | {"probe": probe, "bias": bias, "modality": modality}
        for name, listed in cells.items()
        for at, ours, paper, state in listed
        for probe in ("nonlinear", "linear")
        for bias in ("selection", "perturbation")
        for modality in ("image", "text")
    ]
    figure = plots.dumbbells(pd.DataFrame(rows), "bias", ["s1", "s2"])
    assert len(figure.axes) == 4
    for ax in figure.axes:
        ours, paper = (line.get_xydata().tolist() for line in ax.lines)
        assert ours == [[0.9, 0.25], [0.8, 0.75], [0.0, 1.25]]
        assert [x for x, _ in paper] == [1.0, 0.7, 0.1]
        (shaded,) = ax.patches
        assert (shaded.get_y(), shaded.get_height()) == (0, 0.5)


def test_curves_are_means_with_a_band_of_the_spread():
    rows = scores().query("latents == 'dependent' and factor == 's1'")
    _, ax = plt.subplots()
    names = {"text": "from texts", "image": "from images"}
    image_plots.curves(ax, rows, "setting", "modality", names, [0.1, 0.9])
    assert [line.get_label() for line in ax.lines] == ["from texts", "from images"]
    assert all([*line.get_xdata()] == [0.1, 0.9] for line in ax.lines)
    low, high = ax.collections[0].get_paths()[0].vertices[:, 1][[1, -2]]
    assert sorted([low, high]) == pytest.approx([0.5, 0.7])


def test_neighbours_are_the_nearest_of_the_others():
    z = torch.tensor([[0.0], [1.0], [1.5], [9.0]])
    assert image_plots.nearest(z, [0, 2], 2).tolist() == [[1, 2], [1, 0]]
    with pytest.raises(ValueError, match="count: expected fewer than 4 rows, got 4"):
        image_plots.nearest(z, [0], 4)


def test_two_choices_are_joined_from_end_to_end():
    rows = [
        (q, s, v)
        for q, ends in {"a": (0.2, 0.6), "b": (0.9, 0.3)}.items()
        for s, v in zip((10, 8), ends, strict=True)
    ]
    table = pd.DataFrame(rows, columns=["question", "setting", "score"])
    _, ax = plt.subplots()
    concept_plots.trade(ax, pd.concat([table, table]), {10: "ten", 8: "eight"})
    ends = [segment[:, 0].tolist() for segment in ax.collections[0].get_segments()]
    assert ends == [[0.2, 0.6], [0.3, 0.9]]


def test_a_case_study_figure_draws_what_its_table_holds():
    curves = pd.DataFrame({"f1_corrected": [0.1, 0.9], "mcc": [0.3, 0.95]}, index=[0.01, 0.5])
    (ax,) = concept_plots.named_and_held(curves, 0.25).axes
    assert [list(line.get_ydata()) for line in ax.lines] == [[0.1, 0.9], [0.3, 0.95], [0.25, 0.25]]
