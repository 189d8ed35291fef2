"""Measure how often substrings find a concept where no word names it, in everyday English.

LAION's captions are not at hand, so the measure is taken on a list of English words and how often
each is used: wordfreq's large list, made from web pages, news, books, subtitles and forums (Speer
2022, https://doi.org/10.5281/zenodo.7199437). Only terms of a single word can be found in it.

    pip install -c constraints.txt wordfreq
    python scripts/measure_inflation.py
"""

import sys
from importlib.metadata import version

import numpy as np
import pandas as pd
import pyarrow as pa

from misalign.coverage.matcher import SUBSTRING, WORDS, Matcher
from misalign.coverage.taxonomy import Taxonomy
from misalign.paths import RESULTS, replacing

INFLATION = RESULTS / "inflation.csv"


def measure(frequencies: dict[str, float], taxonomy: Taxonomy) -> pd.DataFrame:
    """Occurrences a million words by concept, as whole words and as substrings."""
    words, shares = pa.array(frequencies), np.array([*frequencies.values()])
    concepts = taxonomy.concepts
    table = pd.DataFrame([(one.group, one.name) for one in concepts], columns=["group", "concept"])
    for match in (WORDS, SUBSTRING):
        rows, places = Matcher(taxonomy, match)(words)
        counts = np.bincount(places, shares[rows], len(concepts))
        table[match] = (1e6 * counts / shares.sum()).round(3)
    return table


def main() -> int:
    from wordfreq import get_frequency_dict

    table = measure(get_frequency_dict("en", "large"), Taxonomy.read())
    table["source"] = f"wordfreq {version('wordfreq')}, en, large"
    with replacing(INFLATION) as partial:
        table.to_csv(partial, index=False, lineterminator="\n")
    print(f"{INFLATION}: {len(table)} concepts")
    return 0


if __name__ == "__main__":
    sys.exit(main())
