"""What the benchmarks share. They are no tests: `make bench` runs them, `make test` does not."""

from importlib.metadata import PackageNotFoundError, version

import pytest
import torch

from benchmarks import timing
from misalign.provenance import commit, device_name
from misalign.worlds import mixing


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="only what takes minutes a round")
    parser.addoption("--quick", action="store_true", help="one round each: does it run at all?")


def pytest_configure(config):
    config.addinivalue_line("markers", "long: takes minutes a round, see --long")


def pytest_collection_modifyitems(config, items):
    wanted = config.getoption("--long")
    left_out = [item for item in items if bool(item.get_closest_marker("long")) != wanted]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


def pytest_benchmark_update_machine_info(config, machine_info):
    machine_info["misalign"] = {
        "device": device_name("cpu"),
        "torch": torch.__version__,
        "sklearn": _release("scikit-learn"),
        "commit": commit(),
    }


def _release(package):
    try:
        return version(package)
    except PackageNotFoundError:
        return "not there"


@pytest.fixture
def race(benchmark, request):
    """`benchmarks.timing.race` with this benchmark's stopwatch."""
    quick = request.config.getoption("--quick")

    def run(ours, rivals, rounds):
        return timing.race(benchmark, ours, rivals, 1 if quick else rounds)

    return run


@pytest.fixture
def quick_worlds(monkeypatch):
    """Mixing layers among a few draws: as fast to use as those among many, and faster to find."""
    monkeypatch.setattr(mixing, "DRAWS", 200)
