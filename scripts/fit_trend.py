"""Fit the book's line from coverage to score, which `misalign audit` predicts blind spots by.

The points are the groups of the miniature (sweep concepts_coverage), each at the mean coverage of
its concepts, with its score's mean over the seeds. `make trend` runs this after a sweep; a test
fails while the packaged fit says something else than `results/`.
"""

import sys

import pandas as pd

from misalign.audit.trend import TREND, Trend
from misalign.reporting import concept_tables
from misalign.sweeps.grid import Sweep


def scores() -> pd.DataFrame:
    recorded = Sweep.named("concepts_coverage").scores()
    return recorded[recorded["variant"] == ""]


def fitted() -> Trend:
    table = concept_tables.scores_by_group(scores())
    return concept_tables.trend_of(concept_tables.over_seeds(table), table["run"].nunique())


def main() -> int:
    fitted().write(TREND)
    print(TREND)
    return 0


if __name__ == "__main__":
    sys.exit(main())
