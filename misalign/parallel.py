"""Where much work is done: on this machine, a running Dask scheduler, or jobs of Slurm.

Dask and what comes with it are imported when they are used, so that a machine without them can
still execute runs in its own process.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeVar

from misalign.errors import invalid
from misalign.paths import EXECUTED

if TYPE_CHECKING:
    from dask_jobqueue import SLURMCluster
    from distributed import Client, LocalCluster

# seconds to wait for a scheduler that does not answer
PATIENCE = 5
# Dask has its workers give memory back at once; who frees megabytes to ask for as many again loses
# much time by it. These are bytes that glibc keeps, and from which on it asks the system for each.
KEPT = {"MALLOC_TRIM_THRESHOLD_": str(2**28), "MALLOC_MMAP_THRESHOLD_": str(2**26)}
Item = TypeVar("Item")
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def expect_installed(slurm: bool = False, notebooks: bool = True) -> None:
    """Raise a one-line error if a package, or Slurm, is missing that work on Dask takes."""
    needed = ["distributed", *(["papermill", "ipykernel"] if notebooks else [])]
    needed += ["dask_jobqueue"] if slurm else []
    if missing := [name for name in needed if not find_spec(name)]:
        name = "notebooks" if notebooks else "workers"
        expected = "the packages of sweeps (pip install 'misalign[sweeps]')"
        raise invalid(name, expected, f"no {', '.join(missing)}", ImportError)
    if slurm and not shutil.which("sbatch"):
        expected = "sbatch on PATH, as on a cluster's login node"
        raise invalid("slurm", expected, "none", FileNotFoundError)


def cpus() -> int:
    """CPUs that this process may use, which a container or a batch job limits."""
    limited = hasattr(os, "sched_getaffinity")  # not on every system
    return len(os.sched_getaffinity(0)) if limited else os.cpu_count() or 1


@contextmanager
def connected(
    scheduler: str | None, slurm: bool = False, workers: int = 1, keep: bool = False
) -> Iterator[Client]:
    """Connect to Dask, for the time of a block.

    A `scheduler` has workers of its own. Without one so many `workers` are started, on this machine
    or as jobs of Slurm; those here `keep` some of the memory that they free, if asked to. Raises a
    ConnectionError if the scheduler does not answer, an OSError if Slurm refuses such jobs.
    """
    from distributed import Client

    # a lost worker is Dask's to replace, a lost scheduler is one line of ours; neither a traceback
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if scheduler:
        try:
            client = Client(scheduler, timeout=PATIENCE)
        except (OSError, ValueError) as error:
            expected, reason = f"a Dask scheduler at {scheduler}", str(error).partition("\n")[0]
            raise invalid("scheduler", expected, reason, ConnectionError) from None
        with client:
            yield client
        return
    with _slurm(workers) if slurm else _local(workers, keep) as cluster, Client(cluster) as client:
        yield client


def completed(
    client: Client, call: Callable, todo: deque[Item], plain: Callable[[Item], tuple]
) -> Iterator[tuple[Item, object]]:
    """Call a function for every item on the workers of Dask, and yield what it returns or raises.

    What is appended to `todo` meanwhile is done, too. Dask itself starts a call again, up to three
    times, when its worker dies; then it gives up whatever waited on that worker: `KilledWorker`.

    Items stay here; `plain` makes one the tuple of arguments that is sent to a worker. Each comes
    with its result or exception as soon as its call ends. Raises a ConnectionError if the scheduler
    goes away.
    """
    from distributed import as_completed

    futures, done = {}, as_completed()
    while todo or futures:
        while todo:
            item = todo.popleft()
            # not pure: the same call may have run before, on files that have changed
            future = client.submit(call, *plain(item), pure=False)
            futures[future] = item
            done.add(future)
        future = next(done)
        failure = future.exception()
        if future.cancelled():
            raise invalid("scheduler", "it to stay until the end", "no answer", ConnectionError)
        yield futures.pop(future), failure if failure is not None else future.result()


def _local(workers: int, keep: bool) -> LocalCluster:
    """Workers on this machine; several of them take one thread each."""
    import dask
    from distributed import LocalCluster

    threads = 1 if workers > 1 else cpus()
    name = "distributed.nanny.pre-spawn-environ"
    with dask.config.set({name: dask.config.get(name) | (KEPT if keep else {})}):
        return LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            # any free port: with none named, Dask warns whenever another cluster has its usual one
            dashboard_address="127.0.0.1:0",
            scheduler_kwargs={"dashboard": False},
            host="127.0.0.1",
            env={name: str(threads) for name in THREADS},  # a notebook's kernel has one
            silence_logs="CRITICAL",
        )


def _slurm(workers: int) -> SLURMCluster:
    """Workers that are jobs of Slurm, one process and thread each.

    What a site asks for (queue, memory, time, network interface) is the matter of Dask's own
    configuration, under ``jobqueue.slurm``.
    """
    import dask
    from dask_jobqueue import SLURMCluster

    site = dask.config.get("jobqueue.slurm")
    cluster = SLURMCluster(
        cores=1,
        processes=1,
        memory=site.get("memory") or "4GB",
        log_directory=site.get("log-directory") or str(EXECUTED / "slurm"),
        silence_logs="critical",
    )
    # a script that Slurm refuses would be submitted again and again
    check, script = ["sbatch", "--test-only"], cluster.job_script()
    tried = subprocess.run(check, input=script, capture_output=True, text=True)
    if tried.returncode:
        cluster.close()
        reason = tried.stderr.strip().partition("\n")[0]
        raise invalid("slurm", "a job that Slurm accepts", reason, OSError)
    # unlike a plain scale, this replaces a job whose time is over
    cluster.adapt(minimum_jobs=workers, maximum_jobs=workers)
    return cluster
