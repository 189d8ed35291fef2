"""The few numbers that records are told by: in the README, in chapters, in tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd

from misalign.bias import Bias
from misalign.paths import REFERENCE
from misalign.reporting import plots
from misalign.run import study
from misalign.worlds.numerical import LATENTS as KINDS

LATENTS = (*(f"s{i}" for i in range(1, 11)), "m_x", "m_t")


def latents(scores: pd.DataFrame, probe: str = "nonlinear") -> pd.DataFrame:
    """Choose the scores of the true latents in distribution, as Figures 3 and 9 to 11 show them.

    Parameters
    ----------
    scores : DataFrame
        Rows of the numerical study's records.
    probe : {"nonlinear", "linear"}, optional
        Which probe.

    Returns
    -------
    DataFrame
        The rows, with a column `status`: what captions do to the factor, as `plots.status`.
    """
    chosen = (scores["probe"] == probe) & (scores["split"] == "test")
    rows = scores[chosen & (scores["target"] == "image") & scores["factor"].isin(LATENTS)]
    return with_status(rows, Bias.numerical)


def with_status(
    rows: pd.DataFrame, bias: Callable[[str, int], Bias], semantic: Sequence[str] = ()
) -> pd.DataFrame:
    """Say of each score what captions do to its factor.

    Parameters
    ----------
    rows : DataFrame
        Rows of one study's records.
    bias : callable
        The study's biases by name and setting, such as `Bias.numerical`.
    semantic : sequence of str, optional
        Names of the semantic factors, by default s1, s2, ...

    Returns
    -------
    DataFrame
        The rows, with a column `status` as `plots.status` has it.
    """
    biases = {key: bias(*key) for key in set(zip(rows.bias, rows.setting, strict=True))}
    states = [
        plots.status(factor, biases[name, setting], semantic)
        for factor, name, setting in zip(rows.factor, rows.bias, rows.setting, strict=True)
    ]
    return rows.assign(status=states)


def of_study(name: str, scores: pd.DataFrame) -> pd.DataFrame:
    """Say of each score of a study what captions do to its factor.

    Parameters
    ----------
    name : str
        The study, such as ``"mpi3d"``.
    scores : DataFrame
        Rows of its records.

    Returns
    -------
    DataFrame
        The rows, with a column `status` as `with_status` has it.
    """
    one = study(name)
    # studies of pictures name their factors, the others number them
    names = [factor.name for factor in getattr(one, "semantic", ())]
    return with_status(scores, one.bias, names)


def unconverged_runs(rows: pd.DataFrame) -> list[str]:
    """Name the runs of independent semantics that learned next to nothing.

    Parameters
    ----------
    rows : DataFrame
        As from `latents`.

    Returns
    -------
    list of str
        Runs whose unbiased factors score less than 0.5 on average.
    """
    chosen = rows[(rows["latents"] == "independent") & (rows["status"] == "unbiased")]
    means = chosen.groupby("run")["score"].mean()
    return sorted(means[means < 0.5].index)


def worst_by_status(rows: pd.DataFrame) -> pd.Series:
    """Worst mean over seeds by status, for independent semantics.

    Parameters
    ----------
    rows : DataFrame
        As from `latents`.

    Returns
    -------
    Series
        By status: the lowest mean of an unbiased factor, the largest absolute mean of any other,
        over all settings, modalities and factors.
    """
    chosen = rows[rows["latents"] == "independent"]
    means = chosen.groupby(["status", "bias", "setting", "modality", "factor"])["score"].mean()
    worst = means.abs().groupby("status").max()
    worst["unbiased"] = means["unbiased"].min()
    return worst


def oracle_error(rows: pd.DataFrame) -> pd.DataFrame:
    """How far scores are from their oracles, by kind of semantics.

    Parameters
    ----------
    rows : DataFrame
        Rows of the records; those without an oracle do not count.

    Returns
    -------
    DataFrame
        Columns `mean` and `largest` of the absolute difference, one row a kind of latents.
    """
    known = rows.dropna(subset=["oracle"])
    distance = (known["score"] - known["oracle"]).abs()
    return distance.groupby(known["latents"]).agg(mean="mean", largest="max")


def read_paper_table(source: str) -> pd.DataFrame:
    """Read what the paper prints in one of the numerical study's tables.

    Parameters
    ----------
    source : {"Table 4", "Table 5"}
        Which one.

    Returns
    -------
    DataFrame
        Columns latents, modality, probe, factor, metric, score. Rows that are misprinted (Table 5,
        independent, nonlinear) are left out.
    """
    table = pd.read_csv(REFERENCE / "numerical_ablations_r2.csv")
    return table[table["source"] == source].drop(columns="source")


def compare_with_paper(scores: pd.DataFrame, source: str) -> pd.DataFrame:
    """Put recorded means beside a table of the paper.

    Parameters
    ----------
    scores : DataFrame
        Rows of the records, of the table's set-up.
    source : {"Table 4", "Table 5"}
        Which one.

    Returns
    -------
    DataFrame
        One row a kind of latents, probe, modality and source (ours, spread over seeds, paper), one
        column a factor.
    """
    keys = ["latents", "probe", "modality"]
    ours = pd.concat([latents(scores, probe) for probe in ("linear", "nonlinear")])
    grouped = ours.groupby([*keys, "factor"])["score"]
    parts = {
        "ours": grouped.mean().unstack(),
        "spread": grouped.std().unstack(),
        "paper": read_paper_table(source).set_index([*keys, "factor"])["score"].unstack(),
    }
    table = pd.concat(parts, names=["R2"]).reset_index().replace({"image": "z_x", "text": "z_t"})
    # in the paper's order, not the alphabet's
    orders = {"R2": parts, "latents": KINDS, "modality": ("z_x", "z_t")}
    for name, order in orders.items():
        table[name] = pd.Categorical(table[name], list(order))
    return table.set_index([*keys, "R2"]).sort_index()[list(LATENTS)]
