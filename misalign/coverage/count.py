"""Count captions by the concepts that they name, over shards of any number of files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from misalign.coverage import files as sources
from misalign.coverage import workers as tasks
from misalign.coverage.counts import Counts
from misalign.coverage.files import Shard
from misalign.coverage.matcher import WORDS, expect_installed, matcher
from misalign.coverage.taxonomy import Taxonomy
from misalign.errors import invalid

if TYPE_CHECKING:
    from distributed import Client

Progress = Callable[[int, int, int], None]


def count(
    files: Iterable[str | Path],
    taxonomy: Taxonomy | None = None,
    *,
    match: str = WORDS,
    column: str | None = None,
    labels: Mapping[str, str] | None = None,
    kind: str = "",
    client: Client | None = None,
    progress: Progress | None = None,
) -> Counts:
    r"""Count the captions of files.

    Files are read some captions at a time, so memory does not grow with them. Shards, that is,
    row groups of a Parquet file, ranges of a large text or JSON-lines file, or a whole CSV or
    compressed file, are independent tasks whose counts are added here, once each, however often
    a worker was lost over one.

    Parameters
    ----------
    files : iterable of str or Path
        Files, folders, or patterns of ``.parquet``, ``.csv``, ``.tsv``, ``.jsonl``, ``.ndjson``,
        ``.json`` and ``.txt``, all but the first maybe compressed (``.gz``, ``.bz2``, ``.zst``).
        Of a folder ``.json`` is left out: there it mostly tells of the other files.
    taxonomy : Taxonomy, optional
        By default the packaged one.
    match : {"words", "substring"}, optional
        How terms are found; see `misalign.coverage.matcher.Matcher`.
    column : str, optional
        Where captions are, if not in a column of a usual name. A list in it is several captions.
    labels : mapping, optional
        From groups to columns whose value is the name of the concept that a picture shows.
    kind : str, optional
        What the files are, whatever their endings: one of `misalign.coverage.formats.KINDS`, among
        them ``"txt"``, a caption a line, and ``"csv-bare"`` and ``"tsv-bare"``, tables without a
        header, whose columns are called f0, f1, ...
    client : distributed.Client, optional
        Where to count; see `misalign.parallel.connected`. By default in this process, on one core.
    progress : callable, optional
        Gets, after each shard, the bytes of files read, those to read, and captions counted.

    Returns
    -------
    Counts
        With files that could not be read in `failed`; nothing of them is counted.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        For an unknown group, or a column that is missing, which lists those that there are.
    ImportError
        Without the packages of captions.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "captions.txt").write_text("a dog\nHot dogs, cold cats\n\n")
    ...     counts = count([folder])
    >>> counts.captions, counts.empty
    (3, 1)
    >>> counts.by_concept().set_index("concept").loc[["dog", "cat"], "captions"].to_dict()
    {'dog': 2, 'cat': 1}
    """
    return Plan.of(files, taxonomy, match, column, labels, kind).count(client, progress)


@dataclass(frozen=True)
class Plan:
    """What is to be counted: parts of files, and files of which not even the columns can be read.

    `count` makes a plan and carries it out; parameters and errors are explained there.
    """

    taxonomy: Taxonomy
    match: str
    shards: tuple[Shard, ...]
    failed: tuple[tuple[str, str], ...]
    labels: dict[str, str]

    @classmethod
    def of(
        cls,
        files: Iterable[str | Path],
        taxonomy: Taxonomy | None,
        match: str,
        column: str | None,
        labels: Mapping[str, str] | None,
        kind: str,
    ) -> Plan:
        """Find files and part them."""
        expect_installed()
        taxonomy, labels = taxonomy or Taxonomy.read(), dict(labels or {})
        for group in labels:
            if group not in taxonomy.groups:
                raise invalid("labels", f"groups among {', '.join(taxonomy.groups)}", group)
        matcher(taxonomy, match)  # refuses what cannot be matched before anything is read
        shards, failed = sources.shards(sources.found(files, kind), column, labels, kind)
        return cls(taxonomy, match, tuple(shards), tuple(failed), labels)

    @property
    def files(self) -> list[Path]:
        """Files that are read, or should have been."""
        return [*(shard.file for shard in self.shards), *(Path(file) for file, _ in self.failed)]

    @property
    def size(self) -> int:
        """Bytes of all shards."""
        return sum(shard.size for shard in self.shards)

    def count(self, client: Client | None = None, progress: Progress | None = None) -> Counts:
        """Count every shard, here or on Dask."""
        how = (self.taxonomy, self.match)
        if client:
            outcomes = tasks.run_on_dask(self.shards, *how, client)
        else:
            outcomes = ((shard, tasks.attempt(shard, *how)) for shard in self.shards)
        total = Counts.zero(self.taxonomy, self.match, self.failed)
        total += self._gathered(outcomes, progress)
        for group, column in self.labels.items():
            labelled = total.labelled[list(self.taxonomy.members(group)), 0].sum()
            if total.captions and not labelled:
                expected = f"names of its concepts in column {column}"
                raise invalid(f"labels of {group}", expected, "none")
        return total

    def _gathered(
        self, outcomes: Iterator[tuple[Shard, Counts | str]], progress: Progress | None
    ) -> Counts:
        """Add up the counts of files all of whose shards were read, and name the others."""
        zero = Counts.zero(self.taxonomy, self.match)
        total, done, every = zero, 0, self.size
        left = Counter(shard.file for shard in self.shards)
        partial: dict[Path, Counts] = {}
        for shard, outcome in outcomes:
            so_far = partial.pop(shard.file, zero)
            if isinstance(outcome, str):
                reason = so_far.failed or ((str(shard.file), outcome),)
                so_far = Counts.zero(self.taxonomy, self.match, reason)
            elif not so_far.failed:
                so_far += outcome
            left[shard.file] -= 1
            if left[shard.file]:
                partial[shard.file] = so_far
            else:
                total += so_far
            done += shard.size
            if progress:
                counted = total.captions + sum(one.captions for one in partial.values())
                progress(done, every, counted)
        return total
