"""The three lists of packages agree.

No test solves environment.yml with conda, so this comparison of names and versions is its only
check.
"""

import re
import tomllib

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from misalign.paths import ROOT

NOT_PIP = {"python", "pip"}
# extras that want more than a pin: bpy another numpy, torchvision the build of the torch at hand
OWN = {"blender", "paper"}


def _constraints() -> dict[str, str]:
    pins = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, release = line.partition("==")
            pins[canonicalize_name(name)] = release
    return pins


def _project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def _required(project: dict) -> dict[str, list[Requirement]]:
    groups = {"core": project["dependencies"], **project["optional-dependencies"]}
    return {name: [Requirement(line) for line in lines] for name, lines in groups.items()}


def _conda() -> tuple[dict[str, str], list[str]]:
    entries = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    (pip,) = [entry["pip"] for entry in entries if isinstance(entry, dict)]
    conda = dict(
        (canonicalize_name(name), release)
        for name, _, release in (e.partition("=") for e in entries if isinstance(e, str))
    )
    return conda, pip


def test_constraints_are_exact_releases_without_a_local_part() -> None:
    loose = {name: pin for name, pin in _constraints().items() if not re.fullmatch(r"[\w.]+", pin)}
    assert loose == {}


def test_constraints_pin_and_satisfy_every_requirement() -> None:
    pins = _constraints()
    required = [r for group in _required(_project()).values() for r in group]
    assert [r.name for r in required if canonicalize_name(r.name) not in pins] == []
    assert [str(r) for r in required if pins[canonicalize_name(r.name)] not in r.specifier] == []


def test_conda_has_the_core_in_the_pinned_releases() -> None:
    conda, pip = _conda()
    pins = _constraints()
    assert {n: v for n, v in conda.items() if n not in NOT_PIP and pins.get(n) != v} == {}
    core = {canonicalize_name(r.name) for r in _required(_project())["core"]}
    assert core - set(conda) == {"torch"}
    assert f"torch=={pins['torch']}" in pip


def test_conda_installs_the_project_with_every_extra_that_fits() -> None:
    conda, pip = _conda()
    assert "-c constraints.txt" in pip
    extras = ",".join(name for name in _project()["optional-dependencies"] if name not in OWN)
    assert f"-e .[{extras}]" in pip
    assert conda["python"] == _project()["requires-python"].removeprefix(">=")
