"""The studies by name. A new one is a module of its own and a line here."""

from misalign.errors import expect
from misalign.studies.assumptions import Assumptions
from misalign.studies.base import Study
from misalign.studies.causal3dident import Causal3dident
from misalign.studies.concepts import Concepts
from misalign.studies.mpi3d import Mpi3d
from misalign.studies.numerical import Numerical

_ALL = (
    Numerical(),
    Assumptions(),
    Mpi3d(),
    Mpi3d("sym_align_max_ent"),
    Mpi3d("nt_xent"),
    Causal3dident(),
    Concepts(),
)
STUDIES: dict[str, Study] = {one.name: one for one in _ALL}

__all__ = ["STUDIES", "Study", "study"]


def study(name: str) -> Study:
    """Look a study up by name; an unknown one raises a ValueError that lists the known."""
    known = ", ".join(map(repr, STUDIES))
    expect(isinstance(name, str) and name in STUDIES, "experiment", f"one of {known}", repr(name))
    return STUDIES[name]
