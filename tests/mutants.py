"""Run named tests on a copy of the project, as it is and with one fault at a time.

python mutants.py COPY < JSON list of [FILE, OLD, NEW, TESTS]; prints a JSON list of pytest's exit
statuses. What is slow to import is imported once, before the process splits.
"""

import json
import os
import sys
from pathlib import Path

import matplotlib.pyplot  # noqa: F401
import pandas  # noqa: F401
import pytest
import scipy.stats  # noqa: F401
import torch


def run(folder: Path, tests: list[str]) -> int:
    """Exit status of pytest, in a process that has not imported the package yet."""
    sys.stdout.flush()
    child = os.fork()
    if not child:
        os.chdir(folder)
        with (folder / "log").open("w") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            status = pytest.main(["-q", "-x", "-p", "no:cacheprovider", *tests])
            sys.stdout.flush()
        os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def mutated(folder: Path, file: str, old: str, new: str, tests: list[str]) -> int:
    """Exit status with one fault in one file, which is as before afterwards."""
    path = folder / file
    sound = path.read_text(encoding="utf-8")
    path.write_text(sound.replace(old, new, 1), encoding="utf-8")
    try:
        return run(folder, tests)
    finally:
        path.write_text(sound, encoding="utf-8")


def main() -> None:
    sys.dont_write_bytecode = True  # a file may change twice within its time stamp's second
    torch.set_num_threads(1)
    folder, mutants = Path(sys.argv[1]), json.load(sys.stdin)
    every = sorted({test for *_, tests in mutants for test in tests})
    statuses = [run(folder, every)]
    if statuses == [0]:
        statuses += [mutated(folder, *mutant) for mutant in mutants]
    print(json.dumps(statuses))


if __name__ == "__main__":
    main()
