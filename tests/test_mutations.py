"""The tests see the slips that would change a number: one at a time is put into a copy."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from misalign.paths import ROOT

# name: file, what stands there once, what a slip would write, and the tests that must fail
MUTANTS = {
    "sign of the alignment": (
        "misalign/objectives.py",
        "positive = -(z_x - z_t)",
        "positive = (z_x - z_t)",
        ["test_objectives.py::test_sym_align_max_ent_is_equation_2_on_the_batch_itself"],
    ),
    "kept and omitted swapped": (
        "misalign/bias.py",
        "range(1, self.n + 1) if i not in self.selected",
        "range(1, self.n + 1) if i in self.selected",
        ["test_bias.py::test_example_3_1"],
    ),
    "perturbed factors count as unbiased": (
        "misalign/bias.py",
        "i in self.selected if i not in self.perturbed",
        "i in self.selected if i in self.selected",
        ["test_bias.py::test_example_3_1"],
    ),
    "an index beside the perturbed one": (
        "misalign/worlds/mixing.py",
        "chance[[i - 1 for i in",
        "chance[[i - 2 for i in",
        ["test_worlds.py::test_each_index_of_rho_is_hit_three_times_in_four_and_else_exact"],
    ),
    "no perturbation": (
        "misalign/worlds/numerical.py",
        "return s + hits * ",
        "return s + 0 * hits * ",
        ["test_worlds.py::test_each_index_of_rho_is_hit_three_times_in_four_and_else_exact"],
    ),
    "momentum": (
        "misalign/encoders/mlp.py",
        "MOMENTUM, EPSILON = 0.1,",
        "MOMENTUM, EPSILON = 0.001,",
        ["test_encoders.py::test_moments_in_evaluation_are_those_of_torch_s_batch_norm"],
    ),
    "no whitening": (
        "misalign/encoders/mlp.py",
        "(x - self.mean) @ self.matrix",
        "(x - self.mean)",
        ["test_encoders.py::test_whitening_gives_mean_0_and_covariance_1"],
    ),
    "oracle without the noise of captions": (
        "misalign/theory/oracle.py",
        "variance + bias.probability * noise",
        "variance + 0 * noise",
        ["test_theory.py::test_oracle_follows_the_probability_of_perturbation"],
    ),
    "one stream for every purpose": (
        "misalign/rng.py",
        "map(str, (seed, *purpose))",
        "map(str, (seed,))",
        ["test_worlds.py::test_streams_of_one_purpose_repeat_and_of_two_differ"],
    ),
    "the test samples are those that probes were fitted to": (
        "misalign/studies/numerical.py",
        '"probe fit"',
        '"probe test"',
        ["test_experiment.py::test_noise_is_not_predicted_on_samples_that_no_probe_has_seen"],
    ),
    "probes are fitted to the test samples": (
        "misalign/studies/scores.py",
        'fit, rows = samples["fit"]',
        'fit, rows = samples["test"]',
        ["test_experiment.py::test_noise_is_not_predicted_on_samples_that_no_probe_has_seen"],
    ),
    "runs.csv before the scores": (
        "misalign/records.py",
        "for path, table in tables:",
        "for path, table in tables[::-1]:",
        ["test_results.py::test_the_row_of_a_run_is_written_last"],
    ),
    "a loose scoreboard": (
        "misalign/reporting/claims.py",
        "else abs(value) - ",
        "else abs(value) - 0.1 - ",
        ["test_scoreboard.py::test_verdict_is_by_the_worst_point_then_by_the_estimate"],
    ),
    "a stored score": (
        "results/numerical.csv",
        ",full,,independent,selection,3,0,3,image,test,nonlinear,image,s1,r2,0.9",
        ",full,,independent,selection,3,0,3,image,test,nonlinear,image,s1,r2,0.8",
        ["test_readme.py::test_figure_was_drawn_from_the_records"],
    ),
}
COPIED = ("misalign", "results", "tests")


@pytest.fixture(scope="module")
def statuses(tmp_path_factory):
    """Exit statuses of pytest: first of all tests without a fault, then by mutant."""
    copy = tmp_path_factory.mktemp("copy")
    for path in ROOT.iterdir():
        if path.name in COPIED:
            shutil.copytree(path, copy / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        elif path.name[0] != ".":
            (copy / path.name).symlink_to(path)
    named = [[*rest, [f"tests/{test}" for test in tests]] for *rest, tests in MUTANTS.values()]
    # a worker of pytest-xdist tells its children whose worker they are
    environment = {name: v for name, v in os.environ.items() if not name.startswith("PYTEST_")}
    ended = subprocess.run(
        [sys.executable, str(copy / "tests" / "mutants.py"), str(copy)],
        input=json.dumps(named),
        env=environment | {"PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    sound, *others = json.loads(ended.stdout)
    assert sound == 0, (copy / "log").read_text()
    return dict(zip(MUTANTS, others, strict=True))


@pytest.mark.parametrize("name", MUTANTS)
def test_slip_can_be_made(name):
    file, old, new, _ = MUTANTS[name]
    assert old != new
    times = (ROOT / file).read_text(encoding="utf-8").count(old)
    # of many such scores the first is changed
    if times != 1 and not (times and file.endswith(".csv")):
        pytest.fail(f"{file} has {old!r} {times} times: write the slip {name!r} anew")


@pytest.mark.parametrize("name", MUTANTS)
def test_slip_is_seen(name, statuses):
    assert statuses[name] == pytest.ExitCode.TESTS_FAILED
