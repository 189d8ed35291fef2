"""Count captions by the concepts that they name, over shards of any number of files."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import groupby
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, Any

from misalign.coverage.counts import Counts
from misalign.coverage.matcher import WORDS, expect_installed, matcher
from misalign.coverage.reading import How
from misalign.coverage.taxonomy import Taxonomy
from misalign.errors import invalid

if TYPE_CHECKING:
    from distributed import Client

    from misalign.coverage.files import Shard

Progress = Callable[[int, int, int], None]


def count(
    files: Iterable[str | Path],
    taxonomy: Taxonomy | None = None,
    *,
    match: str = WORDS,
    client: Client | None = None,
    progress: Progress | None = None,
    **how: Any,
) -> Counts:
    r"""Count the captions of files.

    Files are read some captions at a time, so memory does not grow with them. Shards, that is,
    row groups of a Parquet file, ranges of a large text or JSON-lines file, or a whole file of
    another kind, are independent tasks whose counts are added here, once each, however often a
    worker was lost over one.

    Parameters
    ----------
    files : iterable of str or Path
        Files, folders, or patterns of ``.parquet``, ``.csv``, ``.tsv``, ``.jsonl``, ``.json``,
        ``.txt`` and ``.tar`` of webdataset, maybe compressed (``.gz``, ``.bz2``, ``.xz``, ``.zst``)
        or in a ``.zip``. A folder is one data set: captions beside pictures count once.
    taxonomy : Taxonomy, optional
        By default the packaged one.
    match : {"words", "substring", "spaces"}, optional
        How terms are found; see `misalign.coverage.matcher.Matcher`.
    client, progress : distributed.Client, callable, optional
        Where to count, see `misalign.parallel.connected`, by default in this process; what gets,
        after each shard, the bytes of files read, those to read, and captions counted.
    **how
        What is known of the files, fields of `misalign.coverage.reading.How`: ``kind``, such as
        ``"llava"`` or ``"tsv-bare"``, ``column``, ``labels``, ``tags``, ``image``, ``by``,
        ``quotes``, ``encoding``, ``skip_bad`` and ``exclude``. The rest is found out.

    Returns
    -------
    Counts
        With files that could not be read in `failed`; nothing of them is counted.

    Raises
    ------
    ValueError, ImportError
        For what cannot be found, or is not clear, with what to say; without packages of captions.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "captions.txt").write_text("a dog\nHot dogs, cold cats, no cow\n\n")
    ...     counts = count([folder])
    >>> counts.captions, counts.empty
    (3, 1)
    >>> table = counts.by_concept().set_index("concept")
    >>> table.loc[["dog", "cat", "cow"], ["captions", "negated", "compound"]].to_numpy().tolist()
    [[1, 0, 1], [1, 0, 0], [0, 1, 0]]
    """
    labels = tuple(dict(how.pop("labels", None) or {}).items())
    return Plan.of(files, taxonomy, match, How(labels=labels, **how)).count(client, progress)


@dataclass(frozen=True)
class Plan:
    """What is to be counted: parts of files, and files of which not even the columns can be read.

    `count` makes a plan and carries it out; parameters and errors are explained there.
    """

    taxonomy: Taxonomy
    match: str
    how: How
    shards: list[Shard]
    failed: list[tuple[str, str]]
    skipped: list[tuple[str, str]]

    @classmethod
    def of(
        cls, files: Iterable[str | Path], taxonomy: Taxonomy | None, match: str, how: How
    ) -> Plan:
        """Find files and part them."""
        expect_installed()
        from misalign.coverage import files as sources

        taxonomy = taxonomy or Taxonomy.read()
        for group, _ in how.labels:
            if group not in taxonomy.groups:
                raise invalid("labels", f"groups among {', '.join(taxonomy.groups)}", group)
        matcher(taxonomy, match)  # refuses what cannot be matched before anything is read
        return cls(taxonomy, match, how, *sources.shards(sources.found(files, how), how))

    @property
    def files(self) -> list[Path]:
        """Files that are read, or should have been."""
        return [*(one.file for one in self.shards), *(Path(file) for file, _ in self.failed)]

    @property
    def size(self) -> int:
        """Bytes of all shards."""
        return sum(shard.size for shard in self.shards)

    def count(self, client: Client | None = None, progress: Progress | None = None) -> Counts:
        """Count every shard, here or on Dask."""
        from misalign.coverage import workers as tasks

        how = (self.taxonomy, self.match, self.how.by)
        if client:
            outcomes = tasks.run_on_dask(self.shards, *how, client)
        else:
            outcomes = ((shard, tasks.attempt(shard, *how)) for shard in self.shards)
        start = {"failed": tuple(self.failed), "skipped": tuple(self.skipped)}
        total = sum(self._by_file(outcomes, progress), Counts(self.taxonomy, self.match, **start))
        for group, column in self.how.labels:
            labelled = total.labelled[list(self.taxonomy.members(group)), 0].sum()
            if total.captions and not labelled:
                expected = f"names of its concepts in column {column}"
                raise invalid(f"labels of {group}", expected, "none")
        if self.how.tags and total.captions and not total.labelled[:, 0].any():
            raise invalid("tags", f"terms of concepts in column {self.how.tags}", "none")
        return total

    def _by_file(
        self, outcomes: Iterator[tuple[Shard, Counts | str]], progress: Progress | None
    ) -> Iterator[Counts]:
        """Counts of files in their order: of all of a file, or why there are none."""
        done, counted, every = 0, 0, self.size
        came: dict[tuple, Counts | str] = {}
        files = groupby(self.shards, lambda one: one.source.item)
        waiting = deque((item, [(item, one.part) for one in group]) for item, group in files)
        for shard, outcome in outcomes:
            came[shard.source.item, shard.part] = outcome
            done += shard.size
            counted += 0 if isinstance(outcome, str) else outcome.captions
            if progress:
                progress(done, every, counted)
            while waiting and came.keys() >= set(waiting[0][1]):
                item, keys = waiting.popleft()
                whole = [came.pop(key) for key in keys]
                if reasons := [one for one in whole if isinstance(one, str)]:
                    yield Counts(self.taxonomy, self.match, failed=((str(item), reasons[0]),))
                else:
                    yield reduce(add, whole)
