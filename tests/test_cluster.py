"""Sweeps by real processes: workers and drivers are killed, notebooks fail, sweeps meet.

Runs are of the variant "raw", which trains nothing and so takes a second. Processes are
synchronised by files: a notebook writes ``started-SETTING`` and waits for as long as there is a
``hold-SETTING``.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager

import pytest
from sweep_template import write_grid, write_template

from misalign import records as results
from misalign.run import Run
from misalign.sweeps.grid import Sweep

# the command, with executed notebooks in a folder of the test's
COMMAND = """
import sys, pathlib, misalign.paths
misalign.paths.EXECUTED = pathlib.Path(sys.argv.pop(1))
from misalign.cli import main
main()
"""
LONG = 120  # seconds; what never comes fails the test
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}  # tiny matrices only wait for more threads


def start(folder, grid, *options):
    """Start a sweep of a grid in a process of its own."""
    call = [sys.executable, "-c", COMMAND, str(folder / "executed"), "sweep", str(grid)]
    call += ["--results", str(folder / "kept"), *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(call, **pipes)


def wait(what, process=None):
    """Wait until something is so, and as long as a process lives."""
    end = time.monotonic() + LONG
    while not what():
        assert time.monotonic() < end, "it never came"
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.05)


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def recorded(folder):
    return set(results.runs(folder / "kept")["run"])


def started(folder, setting, process=None):
    """Worker that executes a setting's notebook, and its threads, as soon as the notebook says.

    No kernel may inherit what Dask sets for its workers: it would train at less than half speed.
    """
    marker = folder / f"started-{setting}"
    wait(lambda: marker.exists() and marker.read_text().endswith("\n"), process)
    worker, threads, trim = marker.read_text().split()
    assert trim == "None"
    marker.unlink()
    return int(worker), threads


def end(process):
    out, err = process.communicate(timeout=LONG)
    return process.returncode, out, err


def names(folder):
    return sorted(path.name for path in (folder / "executed" / "grid").iterdir())


@contextmanager
def running(*call):
    """A process that is stopped at the end of the block."""
    process = subprocess.Popen([sys.executable, "-m", *call], stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(LONG)


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    path = tmp_path_factory.mktemp("notebooks") / "template.ipynb"
    write_template(path)
    return path.with_suffix("")


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """Address of a scheduler with two workers, as an operator would start them."""
    folder = tmp_path_factory.mktemp("dask")
    file = folder / "scheduler.json"
    shared = ["--scheduler-file", str(file)]
    local = ["--host", "127.0.0.1", "--no-dashboard"]
    with ExitStack() as stack:
        call = ["distributed.cli.dask_scheduler", *shared, *local, "--port", "0"]
        process = stack.enter_context(running(*call))
        wait(file.exists, process)
        call = ["distributed.cli.dask_worker", *shared, *local, "--nworkers", "2"]
        stack.enter_context(running(*call, "--nthreads", "1", "--local-directory", str(folder)))
        yield json.loads(file.read_text())["address"]


def test_a_killed_driver_goes_on_and_a_killed_worker_is_retried(template, tmp_path):
    grid = write_grid(tmp_path, template, variant="raw", setting=[1, 2], seed=[0, 1])
    runs = Sweep.read(grid).runs
    (tmp_path / "hold-2").touch()
    options = ("--workers", "2", "--runs-per-notebook", "2")
    driver = start(tmp_path, grid, *options)
    worker, threads = started(tmp_path, 2, driver)
    assert threads == "1"  # two workers share the machine
    whole = tmp_path / "executed" / "grid" / f"{runs[0].id}.ipynb"
    wait(whole.exists, driver)
    driver.send_signal(signal.SIGKILL)
    driver.communicate()
    wait(lambda: gone(worker))
    before = results.runs(tmp_path / "kept")
    assert set(before["run"]) == {run.id for run in runs if run.setting == 1}

    driver = start(tmp_path, grid, *options)
    worker, _ = started(tmp_path, 2, driver)
    os.kill(worker, signal.SIGKILL)
    (tmp_path / "hold-2").unlink()
    status, out, err = end(driver)
    assert status == 0, err
    assert "grid: 2 of 4 runs to do" in out
    assert "2 runs recorded, 0 failed" in out
    assert started(tmp_path, 2)[0] != worker
    after = results.runs(tmp_path / "kept")
    assert set(after["run"]) == {run.id for run in runs}
    # what the first driver left is untouched, to the second
    assert after[after["run"].isin(before["run"])].reset_index(drop=True).equals(before)
    assert names(tmp_path) == sorted(f"{run.id}.ipynb" for run in runs if run.seed == 0)


def test_two_sweeps_at_a_time_on_one_scheduler_lose_nothing(template, scheduler, tmp_path):
    axes = {"variant": "raw", "seed": [0, 1]}
    grids = [
        write_grid(tmp_path, template, name, setting=setting, **axes)
        for name, setting in (("one", [1]), ("other", [1, 2]))
    ]
    options = ("--scheduler", scheduler, "--runs-per-notebook", "2")
    drivers = [start(tmp_path, grid, *options) for grid in grids]
    for driver, count in zip(drivers, (2, 4), strict=True):
        status, out, err = end(driver)
        assert status == 0, err
        assert f"{count} runs recorded, 0 failed" in out
    everything = {run.id for run in Run.grid(scale="smoke", setting=[1, 2], **axes)}
    assert recorded(tmp_path) == everything
    scores = results.read("numerical", tmp_path / "kept")
    assert set(scores["run"]) == everything
    assert not scores.duplicated([*results.SCORES[:-2]]).any()


def test_a_sick_run_is_named_and_the_rest_of_its_group_is_done(template, scheduler, tmp_path):
    grid = write_grid(tmp_path, template, variant="raw", setting=7, seed=[0, 1])
    # the notebook takes a list of seeds for a sick one
    status, out, err = end(start(tmp_path, grid, "--scheduler", scheduler))
    healthy, sick = Sweep.read(grid).runs
    notebook = tmp_path / "executed" / "grid" / f"{sick.id}.partial.ipynb"
    assert status == 1
    assert f"failed: {sick.parameters}: RuntimeError: seed one is sick (see {notebook})" in out
    assert out.count("failed: ") == 1
    assert "1 runs recorded, 1 failed" in out
    assert recorded(tmp_path) == {healthy.id}
    assert names(tmp_path) == sorted([f"{healthy.id}.ipynb", notebook.name])
    assert "seed one is sick" in notebook.read_text()


def test_a_dead_kernel_and_a_cell_that_takes_too_long_are_not_done(template, scheduler, tmp_path):
    grid = write_grid(tmp_path, template, variant="raw", setting=[8, 9])
    # a busy machine needs seconds to see that a kernel is dead
    options = ("--scheduler", scheduler, "--runs-per-notebook", "1", "--timeout", "10")
    status, out, err = end(start(tmp_path, grid, *options))
    dead, late = Sweep.read(grid).runs
    assert status == 1
    assert f"failed: {dead.parameters}: Kernel died" in out
    assert f"failed: {late.parameters}: A cell timed out" in out
    assert "0 runs recorded, 2 failed" in out
    assert recorded(tmp_path) == set()
    assert names(tmp_path) == sorted(f"{run.id}.partial.ipynb" for run in (dead, late))


def test_without_notebooks_neither_dask_nor_jupyter_is_needed(template, tmp_path):
    grid = write_grid(tmp_path, template, variant="raw")
    absent = ["dask", "distributed", "dask_jobqueue", "papermill", "nbformat", "nbclient"]
    absent += ["jupyter_client", "jupyter_core", "IPython", "ipykernel"]
    hide = f"import sys; sys.modules.update(dict.fromkeys({absent}))"
    call = [sys.executable, "-c", f"{hide}{COMMAND}", str(tmp_path / "executed"), "sweep"]
    call += [str(grid), "--results", str(tmp_path / "kept"), "--no-notebooks"]
    done = subprocess.run(call, capture_output=True, text=True, timeout=LONG, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    assert "1 runs recorded, 0 failed" in done.stdout
    assert not (tmp_path / "executed").exists()


@pytest.fixture
def slurm():
    """Skip without a Slurm that takes jobs; one that is there answers at once."""
    if not shutil.which("sbatch"):
        pytest.skip("no sbatch")
    try:
        subprocess.run(["sinfo"], check=True, capture_output=True, timeout=3)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        pytest.skip("no answer from Slurm's controller")


@pytest.mark.usefixtures("slurm")
def test_jobs_of_slurm_record_a_sweep(template, tmp_path, monkeypatch):
    """Run a sweep in jobs of Slurm; skipped where there is none.

    On Debian, ``apt-get install --no-install-recommends slurm-wlm munge`` makes a cluster of one
    node. /etc/slurm/slurm.conf needs ClusterName, SlurmctldHost=NAME(127.0.0.1), SlurmUser=root,
    SlurmdUser=root, ProctrackType=proctrack/linuxproc, TaskPlugin=task/none,
    SelectType=select/cons_tres, SelectTypeParameters=CR_Core_Memory, ReturnToService=2,
    NodeName=NAME NodeAddr=127.0.0.1 CPUs=2 RealMemory=6000, PartitionName=main Nodes=ALL
    Default=YES, with NAME what ``hostname -s`` says. Then, as root: ``mkdir -p /run/munge
    /var/spool/slurmctld /var/spool/slurmd; chown munge: /run/munge; runuser -u munge --
    /usr/sbin/munged; slurmctld; slurmd``.
    """
    monkeypatch.setenv("DASK_JOBQUEUE__SLURM__INTERFACE", "lo")
    monkeypatch.setenv("DASK_JOBQUEUE__SLURM__MEMORY", "1GB")
    grid = write_grid(tmp_path, template, variant="raw", setting=[1, 2], seed=[0, 1])
    status, out, err = end(start(tmp_path, grid, "--slurm", "--runs-per-notebook", "2"))
    assert status == 0, err
    assert "4 runs recorded, 0 failed" in out
    assert recorded(tmp_path) == {run.id for run in Sweep.read(grid).runs}
