"""The numbers that records are told by, on small tables whose answers are plain."""

import pandas as pd
import pytest

from misalign.reporting import summaries as summary
from misalign.reporting.summaries import (
    LATENTS,
    compare_with_paper,
    latents,
    oracle_error,
    read_paper_table,
    worst_by_status,
)

SCORE = {"s1": 0.9, "s2": 0.2, "s3": -0.3, "m_x": 0.01, "noise": 0.5, "y1": 0.7}


def rows(**changes):
    """Joint bias: s1 and s2 are perturbed, s3 to s8 unbiased, s9 and s10 omitted."""
    base = {"bias": "selection", "setting": 1, "split": "test", "target": "image"}
    base |= {"probe": "nonlinear", "latents": "independent", "modality": "image", "seed": 0}
    table = [{**base, "factor": name, "score": score} for name, score in SCORE.items()]
    return pd.DataFrame(table).assign(oracle=0.0, **changes)


def test_latents_are_the_true_ones_in_distribution_read_by_one_probe():
    others = [{"split": "ood"}, {"target": "text"}, {"probe": "linear"}]
    table = pd.concat([rows(), *(rows(**change) for change in others)])
    found = latents(table)
    assert found["factor"].tolist() == ["s1", "s2", "s3", "m_x"]
    assert found["status"].tolist() == ["unbiased", "omitted", "omitted", "specific"]
    assert len(latents(table, "linear")) == 4


def test_status_follows_the_bias_of_each_row():
    table = pd.concat([rows(), rows(bias="perturbation", setting=2)])
    of_first = latents(table).query("factor == 's1'")
    assert of_first["status"].tolist() == ["unbiased", "perturbed"]


def test_worst_means_are_over_seeds_and_of_independent_semantics():
    other_seed = rows(seed=1)
    other_seed["score"] += 0.2
    dependent = rows(latents="dependent", score=0.77)
    worst = worst_by_status(latents(pd.concat([rows(), other_seed, dependent])))
    assert worst["unbiased"] == pytest.approx(1.0)
    assert worst["omitted"] == pytest.approx(0.3)
    assert worst["specific"] == pytest.approx(0.11)


def test_a_negative_mean_counts_as_far_from_lost():
    worst = worst_by_status(latents(rows().query("factor != 's2'")))
    assert worst["omitted"] == pytest.approx(0.3)


def test_miss_is_the_distance_from_the_oracle_where_there_is_one():
    table = latents(rows())
    table.loc[table["factor"] == "s1", "oracle"] = None
    found = oracle_error(table)
    expected = [(0.2 + 0.3 + 0.01) / 3, 0.3, 2 / 3]
    assert found.loc["independent"].tolist() == pytest.approx(expected)
    by_status = oracle_error(table, ["latents", "status"]).loc["independent"]
    assert sorted(by_status["mean"]) == pytest.approx([0.01, (0.2 + 0.3) / 2])


@pytest.mark.parametrize(("source", "count"), [("Table 4", 8), ("Table 5", 6)])
def test_printed_tables_are_whole(source, count):
    table = read_paper_table(source)
    assert len(table) == count * len(LATENTS)
    assert set(table["factor"]) == set(LATENTS)


def test_ours_stands_beside_the_paper_row_by_row(monkeypatch):
    keys = [(k, p) for k in ("independent", "dependent") for p in ("linear", "nonlinear")]
    table = pd.concat(
        rows(latents=kind, probe=probe, modality=modality, seed=seed)
        for kind, probe in keys
        for modality in ("image", "text")
        for seed in (0, 1)
    )
    found = compare_with_paper(table, "Table 4")
    keys = ["latents", "probe", "modality", "factor"]
    assert list(found) == [*keys, "status", "ours", "spread", "paper"]
    assert len(found) == len(found[keys].drop_duplicates())
    cell = found.set_index(keys).loc["independent", "linear", "image", "s1"]
    assert cell["status"] == "unbiased"
    assert cell[["ours", "spread", "paper"]].tolist() == pytest.approx([0.9, 0.0, 0.98])
    joint = compare_with_paper(table.assign(bias="joint", setting=1), "Table 5")
    blank = joint.query("latents == 'independent' and probe == 'nonlinear'")
    assert len(blank) and blank["paper"].isna().all() and blank["ours"].notna().all()


def test_reference_says_what_the_misprinted_rows_would():
    # Table 5, independent, nonlinear gives the omitted s9 a score of 0.98: left out, not repeated
    table = summary.read_paper_table("Table 5").query("latents == 'independent'")
    assert set(table["probe"]) == {"linear"}
