"""Published counts: how often four pretraining sets show a concept, name it, and do both.

From the artefacts of Udandarao et al. 2024, `book/reference/concept_frequency` with its data card,
beside the zero-shot accuracy of CLIP models that others trained on these sets.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from misalign.errors import invalid
from misalign.paths import REFERENCE

FOLDER = REFERENCE / "concept_frequency"
# image-text pairs, in millions, as the sets are named
SIZES = {"cc3m": 3, "cc12m": 12, "yfcc15m": 15, "laion400m": 400}
THRESHOLDS = (50, 60, 70)
SHARES = ("images", "naming", "precision")


def counts() -> pd.DataFrame:
    """Numbers of pairs: one row a (dataset, concept, pretraining set), see the data card."""
    return pd.read_parquet(FOLDER / "counts.parquet")


def accuracies() -> pd.DataFrame:
    """Zero-shot accuracy in percent: one row a (dataset, concept, pretraining, backbone)."""
    return pd.read_parquet(FOLDER / "accuracy.parquet")


def decompose(
    table: pd.DataFrame, threshold: int = 70, caption: str = "caption_lemmatized"
) -> pd.DataFrame:
    """Part how often a concept is shown from how often captions name it when it is.

    The table has the columns of `counts`, of which `caption` is the count of captions to take; the
    threshold, 70, 60 or 50, is the confidence of the tags in percent. Gives the rows of which all
    three counts are known and above 0, with logarithms to the base 10: `images`, pairs whose
    picture has the concept; `naming`, the share of them whose caption names it, 1 - omission; and
    `precision`, the share of naming captions whose picture has it, 1 - distortion. `images +
    naming` is the number of pairs that have both.
    """
    if threshold not in THRESHOLDS:
        raise invalid("threshold", f"one of {', '.join(map(str, THRESHOLDS))}", threshold)
    columns = [f"image_{threshold}", f"both_{threshold}", caption]
    if caption not in table:
        raise invalid("caption", "a column of counts", repr(caption))
    known = table[(table[columns].fillna(0) > 0).all(axis=1)]
    image, both, named = np.log10(known[columns].astype(float)).to_numpy().T
    return known.assign(images=image, naming=both - image, precision=both - named)


def repeated(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of (dataset, concept) pairs that more than one pretraining set has."""
    times = table.groupby(["dataset", "concept"], observed=True)["pretraining"].transform("nunique")
    return table[times > 1]


def effects(
    table: pd.DataFrame,
    of: Sequence[str] = SHARES,
    on: str = "accuracy",
    absorb: Sequence[Sequence[str]] = (("dataset", "concept"), ("dataset", "pretraining")),
) -> pd.DataFrame:
    """Linear effects of columns on another, at equal fixed effects, clustered by concept.

    `table` has one row an observation; what `absorb` combines has an effect each, such as a
    concept's own difficulty. Gives, by regressor, `effect`, and `low` and `high`, its 95 %
    interval.
    """
    from linearmodels.iv import AbsorbingLS

    keys = {
        "-".join(key): table.groupby(list(key), observed=True).ngroup().astype("category")
        for key in absorb
    }
    clusters = table["concept"].astype("category").cat.codes
    model = AbsorbingLS(table[on].astype(float), table[list(of)], absorb=pd.DataFrame(keys))
    found = model.fit(cov_type="clustered", clusters=clusters.to_frame())
    ends = found.conf_int()
    parts = {"effect": found.params, "low": ends["lower"], "high": ends["upper"]}
    return pd.DataFrame(parts).loc[list(of)]


def observations(backbone: str = "ViT-B-16") -> pd.DataFrame:
    """Counts beside the accuracies of one backbone, all pretraining sets that have it."""
    table = accuracies()
    if backbone not in (known := sorted(set(table["backbone"]))):
        raise invalid("backbone", f"one of {', '.join(known)}", backbone)
    keys = ["dataset", "concept", "pretraining"]
    return counts().merge(table[table["backbone"] == backbone], on=keys)


def rank_correlation(table: pd.DataFrame, one: str, other: str, within: Sequence[str]) -> pd.Series:
    """Spearman's correlation within groups, pooled, with its 95 % interval clustered by concept."""
    grouped = table.groupby(list(within), observed=True)
    ranks = pd.DataFrame({name: grouped[name].rank() for name in (one, other)})
    groups = ranks.groupby([table[name] for name in within], observed=True)
    ranks = ((ranks - groups.transform("mean")) / groups.transform("std")).dropna()
    joined = table[["concept", *within]].join(ranks, how="inner")
    return effects(joined, [one], other, [within]).loc[one]


def published(name: str) -> pd.Series:
    """`effect`, `low` and `high` of what a claim on models of the web is tested by.

    ``"coverage"`` is Spearman's correlation of naming captions with accuracy, within evaluation and
    pretraining sets; ``"naming"`` and ``"precision"`` are the points of accuracy that a tenfold one
    adds.
    """
    table = observations()
    if name == "coverage":
        known = table.dropna(subset=["caption_lemmatized"])
        within = ["dataset", "pretraining"]
        return rank_correlation(known, "caption_lemmatized", "accuracy", within)
    if name not in SHARES:
        raise invalid("name", "coverage, naming or precision", repr(name))
    return effects(repeated(decompose(table))).loc[name]
