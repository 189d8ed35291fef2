"""Tables and the few numbers that records are told by: in the README, in chapters, in tests."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from misalign.bias import Bias
from misalign.paths import REFERENCE
from misalign.records import SCORES
from misalign.run import recorded_bias, study

LATENTS = (*(f"s{i}" for i in range(1, 11)), "m_x", "m_t")


def status(factor: str, bias: Bias, semantic: Sequence[str] = ()) -> str:
    """What captions under a bias do to a factor such as ``"s3"``.

    ``"unbiased"``, ``"perturbed"``, ``"omitted"``, or ``"specific"`` to a modality: the keys of
    `misalign.style.COLORS`. `semantic` has the names of the semantic factors in the order of the
    bias's indices, by default s1, s2, ...
    """
    names = list(semantic) or [f"s{i}" for i in range(1, bias.n + 1)]
    if factor not in names:
        return "specific"
    index = names.index(factor) + 1
    if index in bias.unbiased:
        return "unbiased"
    return "perturbed" if index in bias.perturbed else "omitted"


def over_seeds(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean and spread of scores over seeds.

    One row for scores that differ in nothing but the seed, with `mean`, `spread` (the standard
    deviation over seeds), `oracle` (its mean) and `seeds`, their number.
    """
    keys = [name for name in SCORES[1:-2] if name != "seed"]
    parts = {"mean": ("score", "mean"), "spread": ("score", "std"), "oracle": ("oracle", "mean")}
    grouped = scores.groupby(keys, sort=False, as_index=False)
    return grouped.agg(**parts, seeds=("seed", "nunique"))


def choose(name: str, table: pd.DataFrame, query: str) -> pd.DataFrame:
    """Choose rows by a query of pandas; the one-line error of a bad one begins with a name."""
    try:
        return table.query(query)
    except Exception as error:  # pandas passes on whatever Python's parser and numexpr raise
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{name}: expected a query, got {reason}") from None


def latents(scores: pd.DataFrame, probe: str = "nonlinear") -> pd.DataFrame:
    """Choose scores of the true latents in distribution (Figures 3, 9 to 11), as from `of_study`.

    `scores` are the numerical study's, the probe is ``"nonlinear"`` or ``"linear"``.
    """
    chosen = (scores["probe"] == probe) & (scores["split"] == "test")
    rows = scores[chosen & (scores["target"] == "image") & scores["factor"].isin(LATENTS)]
    return of_study("numerical", rows)


def of_study(name: str, scores: pd.DataFrame) -> pd.DataFrame:
    """Say what captions do to the factor of each score of a study, by a column: its `status`."""
    one = study(name)
    # studies of pictures name their factors, the others number them
    names = [factor.name for factor in getattr(one, "semantic", ())]
    keys = [*zip(scores["bias"], scores["setting"], strict=True)]
    biases = {key: recorded_bias(one, *key) for key in set(keys)}
    pairs = zip(scores["factor"], keys, strict=True)
    return scores.assign(status=[status(factor, biases[key], names) for factor, key in pairs])


def worst_by_status(rows: pd.DataFrame) -> pd.Series:
    """Worst mean over seeds by status, for independent semantics; `rows` are as from `latents`.

    That is the lowest mean of an unbiased factor and the largest absolute mean of any other, over
    all settings, modalities and factors.
    """
    chosen = rows[rows["latents"] == "independent"]
    means = chosen.groupby(["status", "bias", "setting", "modality", "factor"])["score"].mean()
    worst = means.abs().groupby("status").max()
    worst["unbiased"] = means["unbiased"].min()
    return worst


def oracle_error(rows: pd.DataFrame, by: Sequence[str] = ("latents",)) -> pd.DataFrame:
    """How far scores are from their oracles, a row for each value of the columns `by`.

    Gives `mean` and `largest` of the absolute difference, and `off`, the share of scores that it
    takes more than 0.10 away. Rows without an oracle do not count.
    """
    known = rows.dropna(subset=["oracle"])
    known = known.assign(miss=(known["score"] - known["oracle"]).abs())
    known["off"] = known["miss"] > 0.1
    parts = {"mean": ("miss", "mean"), "largest": ("miss", "max"), "off": ("off", "mean")}
    return known.groupby(list(by) if len(by) > 1 else by[0]).agg(**parts)


def read_paper_table(source: str) -> pd.DataFrame:
    """Read Table 4 or 5 of the paper as rows of scores, without those that are misprinted."""
    table = pd.read_csv(REFERENCE / "numerical_ablations_r2.csv")
    return table[table["source"] == source].drop(columns="source")


def compare_with_paper(scores: pd.DataFrame, source: str) -> pd.DataFrame:
    """Put recorded means beside ``"Table 4"`` or ``"Table 5"`` of the paper, of the same set-up.

    One row a kind of latents, probe, modality and factor: `status`, `ours`, its `spread` over
    seeds, and `paper`, which is empty where the paper misprints it.
    """
    keys = ["latents", "probe", "modality", "factor"]
    rows = pd.concat([latents(scores, probe) for probe in ("linear", "nonlinear")])
    parts = {"ours": ("score", "mean"), "spread": ("score", "std")}
    ours = rows.groupby([*keys, "status"], as_index=False).agg(**parts)
    printed = read_paper_table(source).rename(columns={"score": "paper"})
    return ours.merge(printed[[*keys, "paper"]], "left", keys)


def beside_paper(scores: pd.DataFrame) -> pd.DataFrame:
    """Put recorded means of MPI3D, with a column `status`, beside what Figures 6 and 13 print.

    One row a bias, setting, modality, probe and factor: `ours`, `paper` and `status`.
    """
    keys = ["bias", "setting", "modality", "probe", "factor"]
    ours = scores.groupby([*keys, "status"], as_index=False).agg(ours=("score", "mean"))
    printed = pd.read_csv(REFERENCE / "mpi3d_mcc.csv").rename(columns={"score": "paper"})
    return ours.merge(printed[[*keys, "paper"]], on=keys)
