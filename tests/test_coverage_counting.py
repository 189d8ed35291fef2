"""Sums over captions are those of a loop, add up, and are the same on workers that die."""

import os
import random
import signal
from contextlib import contextmanager
from dataclasses import fields
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import norm

pa = pytest.importorskip("pyarrow")
pytest.importorskip("ahocorasick_rs")

import pyarrow.parquet as pq  # noqa: E402

from misalign import parallel as cluster  # noqa: E402
from misalign.coverage import files  # noqa: E402
from misalign.coverage.count import count  # noqa: E402
from misalign.coverage.counts import Counts, shares  # noqa: E402
from misalign.coverage.reading import How  # noqa: E402
from misalign.coverage.taxonomy import Concept, Taxonomy  # noqa: E402

NAMES = {"Animal": ["dog", "cat", "cow"], "Color": ["red", "blue"], "Scene": ["park"]}
CONCEPTS = tuple(
    Concept("c", group, name, (name,)) for group, names in NAMES.items() for name in names
)
TAXONOMY = Taxonomy(CONCEPTS, (frozenset({0, 1, 2}), frozenset({3, 4})))
FLAT = [(group, name) for group, names in NAMES.items() for name in names]


def write(folder, seed, size=3000):
    """A file of captions with labels, and what is in it."""
    draw = random.Random(seed)
    words = [name for _, name in FLAT] + ["that", "x", ""] * 3
    texts = [" ".join(draw.choices(words, k=draw.randint(0, 7))) for _ in range(size)]
    shown = [draw.choice(["dog", "Cat ", "cow", "lion", None]) for _ in texts]
    path = folder / f"{seed}.parquet"
    pq.write_table(pa.table({"text": texts, "animal": shown}), path, row_group_size=500)
    return path, texts, shown


def looped(texts, shown):
    """The sums of counts, caption by caption."""
    place = {name: i for i, (_, name) in enumerate(FLAT)}
    named, together = np.zeros(6, int), np.zeros((6, 6), int)
    groups, labelled = np.zeros(3, int), np.zeros((6, 4), int)
    for text, label in zip(texts, shown, strict=True):
        said = {name for name in text.split() if name in place}
        named[[place[name] for name in said]] += 1
        for i, members in enumerate(NAMES.values()):
            groups[i] += bool(said & set(members))
            for one, other in combinations(sorted(said & set(members)), 2):
                together[place[one], place[other]] += 1
                together[place[other], place[one]] += 1
        label = (label or "").strip().lower()
        if label in NAMES["Animal"]:
            animals = said & set(NAMES["Animal"])
            outcome = 1 if not animals else 2 if label in animals else 3
            labelled[place[label], [0, outcome]] += 1
    return named, groups, together, labelled


def same(one, other):
    pairs = ((getattr(one, field.name), getattr(other, field.name)) for field in fields(Counts))
    return all(np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b for a, b in pairs)


def test_sums_are_those_of_a_loop(tmp_path):
    path, texts, shown = write(tmp_path, 0)
    counts = count([path], TAXONOMY, labels={"Animal": "animal"})
    named, groups, together, labelled = looped(texts, shown)
    pairs = [together[i, j] for i, j in TAXONOMY.pairs()]
    sums = (counts.concepts, counts.group_named, counts.pairs, counts.labelled)
    for found, expected in zip(sums, (named, groups, pairs, labelled), strict=True):
        assert np.any(expected)
        assert np.array_equal(found, expected)
    assert counts.captions == 3000
    assert counts.empty == sum(not text.strip() for text in texts) > 0
    assert np.array_equal(counts.labelled[:, 0], counts.labelled[:, 1:].sum(1))


def test_counts_add_up(tmp_path, complains):
    paths = [write(tmp_path, seed)[0] for seed in range(3)]
    options = {"labels": {"Animal": "animal"}}
    parts = [count([path], TAXONOMY, **options) for path in paths]
    total = sum(parts, Counts(TAXONOMY))
    assert same(total, count([tmp_path], TAXONOMY, **options))
    assert not same(total, parts[0])
    with complains("match", "words", "substring"):
        total + Counts(TAXONOMY, "substring")
    with complains("taxonomy", "one", "two that differ"):
        total + Counts(Taxonomy(TAXONOMY.concepts[:2]))


def test_labels_that_name_nothing_are_refused(tmp_path, complains):
    path, *_ = write(tmp_path, 0)
    with complains("labels", "groups among Animal, Color, Scene", "Plant"):
        count([path], TAXONOMY, labels={"Plant": "animal"})
    with complains("labels of Color", "names of its concepts in column animal", "none"):
        count([path], TAXONOMY, labels={"Color": "animal"})


def test_progress_goes_up_to_the_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("misalign.coverage.formats.PART", 500)
    path, *_ = write(tmp_path, 0)
    seen = []
    count([path], TAXONOMY, progress=lambda *step: seen.append(step))
    assert len(seen) == 6
    assert seen == sorted(seen)
    done, every, counted = seen[-1]
    assert (done, counted) == (every, 3000)


# --- on workers ---


@pytest.fixture(scope="module")
def two_workers():
    """One cluster for all tests: a worker that is killed comes back."""
    pytest.importorskip("distributed")
    with cluster.connected(None, workers=2) as client:
        yield client


@pytest.fixture
def workers(two_workers, monkeypatch):
    """Two workers whose shards are small, and may be killed once over each."""
    monkeypatch.setattr("misalign.coverage.formats.PART", 500)
    monkeypatch.setattr(two_workers.cluster.scheduler, "allowed_failures", 1)
    return two_workers


@contextmanager
def fragile(client, folder, kills, name):
    """Let shards of a file kill their workers, after all of a shard was read, so many times."""
    for i in range(kills):
        (folder / f"kill-{i}").touch()

    def patch(dask_worker=None):
        import misalign.coverage.files as target

        read = target.batches

        def batches(shard, told):
            yield from read(shard, told)
            kill = next(iter(sorted(folder.glob("kill-*"))), None)
            if kill and shard.file.name == name:
                try:
                    kill.unlink()
                except FileNotFoundError:  # the other worker was faster
                    return
                os.kill(os.getpid(), signal.SIGKILL)

        target.batches = batches

    client.run(patch)
    client.register_plugin(_plugin(patch))
    yield
    for file in folder.glob("kill-*"):
        file.unlink()
    client.unregister_worker_plugin("fragile")


def _plugin(patch):
    """Patches workers that take the place of killed ones."""
    from distributed import WorkerPlugin

    class Fragile(WorkerPlugin):
        name = "fragile"

        def setup(self, worker):
            patch()

    return Fragile()


def test_a_killed_workers_shard_is_counted_once(workers, tmp_path):
    paths = [write(tmp_path, seed)[0] for seed in range(3)]
    before = set(workers.run(os.getpid).values())
    with fragile(workers, tmp_path, 1, "1.parquet"):
        counts = count(paths, TAXONOMY, labels={"Animal": "animal"}, client=workers)
        assert not list(tmp_path.glob("kill-*"))
    assert not before <= set(workers.run(os.getpid).values())
    assert counts.failed == ()
    assert same(counts, count(paths, TAXONOMY, labels={"Animal": "animal"}))


def test_a_file_that_kills_every_worker_is_named_and_the_rest_is_counted(workers, tmp_path):
    paths = [write(tmp_path, seed, 500)[0] for seed in range(3)]
    with fragile(workers, tmp_path, 10, "1.parquet"):
        counts = count(paths, TAXONOMY, client=workers)
        assert len(list(tmp_path.glob("kill-*"))) < 9  # more than one worker tried
    ((file, reason),) = counts.failed
    assert file == str(paths[1])
    assert "died" in reason or "killed" in reason.lower()
    assert "\n" not in reason
    rest = count([paths[0], paths[2]], TAXONOMY)
    assert np.array_equal(counts.concepts, rest.concepts)
    assert counts.captions == rest.captions == 1000


def test_a_relative_path_is_read_by_workers_elsewhere(workers, tmp_path, monkeypatch):
    path, *_ = write(tmp_path, 0, 500)
    monkeypatch.chdir(tmp_path)
    assert not next(iter(files.found([path.name], How()).items.values())).path.is_absolute()
    assert count([path.name], TAXONOMY, client=workers).captions == 500


# --- tables ---


@pytest.mark.parametrize(("k", "n"), [(0, 10), (3, 10), (10, 10), (7, 100_000)])
def test_intervals_are_wilsons(k, n):
    z, p = norm.ppf(0.975), k / n
    centre, radius = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    expected = [(centre + sign * radius) / (1 + z**2 / n) for sign in (-1, 1)]
    ((share, *interval),) = zip(*shares([k], n), strict=True)
    assert share == p
    assert interval == pytest.approx(expected, abs=1e-12)


def test_no_captions_have_no_share():
    table = Counts(TAXONOMY).by_concept()
    assert (table["captions"] == 0).all()
    assert table[["coverage", "low", "high"]].isna().all(axis=None)


def test_tables_have_a_line_a_concept_and_a_group(tmp_path):
    path, texts, shown = write(tmp_path, 0)
    counts = count([path], TAXONOMY)
    concepts, groups = counts.by_concept(), counts.by_group()
    columns = ["captions", "coverage", "low", "high"]
    apart = ["negated", "compound"]
    assert list(concepts.columns) == ["category", "group", "concept", *columns, *apart]
    assert list(groups.columns) == ["category", "group", "concepts", *columns]
    assert list(concepts[["group", "concept"]].itertuples(index=False, name=None)) == FLAT
    named, by_group, *_ = looped(texts, shown)
    assert list(concepts["captions"]) == list(named)
    assert list(groups["captions"]) == list(by_group)
    assert list(groups["concepts"]) == [3, 2, 1]
    assert list(concepts["coverage"]) == list(named / 3000)
    assert (concepts["low"] < concepts["coverage"]).all()
    assert (concepts["coverage"] < concepts["high"]).all()
    labelled = count([path], TAXONOMY, labels={"Animal": "animal"}).by_concept()
    assert list(labelled.columns[-4:]) == ["pictures", "omitted", "right", "perturbed"]


def test_words_and_substrings_of_the_same_captions(tmp_path):
    (tmp_path / "a.txt").write_text("a red dog\nshared park\ncatalog of dogs\n")
    words, parts = (count([tmp_path], TAXONOMY, match=match) for match in ("words", "substring"))
    tables = [one.by_concept().set_index("concept")["captions"] for one in (words, parts)]
    assert [table["red"] for table in tables] == [1, 2]
    assert [table["cat"] for table in tables] == [0, 1]
