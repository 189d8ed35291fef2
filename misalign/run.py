"""A `Run`: everything that decides a result, and nothing else; and the studies, by name."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from misalign.bias import Bias
from misalign.errors import check_int, invalid

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from misalign.worlds.base import World

CONTROLS = ("untrained", "raw")  # variants that are not trained
GROUP = "misalign.studies"  # of entry points
# the package's own studies; those of others come by entry points or `register_study`
STUDIES = {
    "numerical": "numerical:Numerical",
    "assumptions": "assumptions:Assumptions",
    "mpi3d": "mpi3d:Mpi3d",
    "mpi3d_sym_align_max_ent": "mpi3d:aligned",
    "mpi3d_nt_xent": "mpi3d:nt_xent",
    "causal3dident": "causal3dident:Causal3dident",
    "concepts": "concepts:Concepts",
}
_registered: dict[str, Study] = {}

Key = tuple[str, str]  # target and factor, such as ("image", "s1")
AnyStudy = TypeVar("AnyStudy")


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A world and encoders trained on it.

    Parameters
    ----------
    world : World
        Where pairs come from.
    encoders : ModuleDict
        f_x as ``"image"`` and f_t as ``"text"``; identities in the variant ``"raw"``.
    losses : Tensor
        Loss of every training step, shape (steps,).
    """

    world: World
    encoders: nn.ModuleDict
    losses: Tensor


class Study(Protocol):
    """An experiment: its worlds, its settings and what is read from its representations.

    Attributes
    ----------
    name : str
        The experiment's name in runs and records.
    variants, latents : tuple of str
        What these fields of a run may be.
    scales : mapping of str to object
        How much compute, by the scale's name; a scale has a `recipe`, `probe_steps` and, unless the
        study represents samples in a way of its own, `probe_samples`.

    Notes
    -----
    What `misalign.studies.scores` does for every study, one may do in its own way, or add to it, by
    any of these methods: ``represent(run, model, purpose, device)`` and
    ``samples(run, model, device)`` say what probes read, ``reads(modality, probe, split, key)``
    which of it, ``oracle(run, model)`` what the theorem predicts, ``extra_scores(run, model,
    samples)`` gives further rows, and ``score(run, model, device)`` takes the place of it all.
    """

    name: str
    variants: tuple[str, ...]
    latents: tuple[str, ...]
    scales: Mapping[str, Any]

    def bias(self, bias: str, setting: int) -> Bias:
        """Look a setting up; a ValueError for one that the study does not have."""
        ...

    def initial(self, run: Run, device: torch.device | str) -> TrainedModel:
        """Draw a run's world and its encoders before training."""
        ...


def _entry_points() -> dict[str, EntryPoint]:
    own = {name: EntryPoint(name, f"{GROUP}.{at}", GROUP) for name, at in STUDIES.items()}
    return {point.name: point for point in entry_points(group=GROUP)} | own


def study(name: str) -> Study:
    """Look a study up by its name.

    Parameters
    ----------
    name : str
        Of the package's own, such as ``"numerical"``, of one that an installed distribution
        offers as an entry point of the group ``misalign.studies``, or of one registered by
        `register_study`.

    Returns
    -------
    Study

    Raises
    ------
    ValueError
        For an unknown name; the message lists the known ones.
    """
    if not (isinstance(name, str) and name in _registered):
        points = _entry_points()
        if not (isinstance(name, str) and name in points):
            known = ", ".join(map(repr, [*points, *_registered]))
            raise invalid("experiment", f"one of {known}", repr(name))
        _add(points[name].load(), name)
    return _registered[name]


def register_study(cls: AnyStudy) -> AnyStudy:
    """Make a study known under its `name`; for classes a decorator.

    Parameters
    ----------
    cls : type or Study
        A study, or a class that makes one without arguments.

    Returns
    -------
    type or Study
        Itself. A study of the same name that was registered earlier is replaced, so a cell of a
        notebook may be executed twice.

    Raises
    ------
    ValueError
        If an attribute of `Study` is missing, or the name is one of the package's own.
    """
    made = cls() if isinstance(cls, type) else cls
    if getattr(made, "name", None) in STUDIES:
        raise invalid("study", "a name that is not one of the package's own", repr(made.name))
    _add(made)
    return cls


def _add(made: Any, name: str | None = None) -> None:
    made = made() if isinstance(made, type) else made
    needed = [*Study.__annotations__, *(key for key in vars(Study) if key[0] != "_")]
    lacking = [key for key in needed if not hasattr(made, key)]
    if lacking:
        raise invalid("study", f"one with {', '.join(needed)}", f"none of {', '.join(lacking)}")
    if name not in (None, made.name):
        raise invalid("study", f"the name of its entry point, {name!r}", repr(made.name))
    _registered[made.name] = made


def study_module(name: str) -> str:
    """Name of the module that defines a study, which is not imported if it is an entry point."""
    points = {} if name in _registered else _entry_points()
    return points[name].module if name in points else type(study(name)).__module__


@dataclass(frozen=True, kw_only=True)
class Run:
    """Everything that decides a result.

    Parameters
    ----------
    experiment : str, optional
        Which study, such as ``"numerical"`` or ``"mpi3d"``, see `misalign.studies`; it decides what
        the other fields may be.
    scale : str, optional
        How much compute: ``"smoke"``, ``"laptop"``, or another of the study's.
    variant : str, optional
        "", the paper's set-up, or one of the study's, such as ``"untrained"``: encoders left as
        initialised.
    latents : str, optional
        What depends on what, such as ``"independent"``, ``"dependent"`` or ``"graph"``.
    bias : str, optional
        Which table of settings, such as ``"selection"`` or ``"perturbation"``.
    setting : int, optional
        1-based column of that table.
    seed : int, optional
        Decides world, training and probes.
    encoding_size : int, optional
        Width of the representations; by default the number of unbiased factors.

    Raises
    ------
    ValueError
        For any value outside the above; the message names the field.
    """

    experiment: str = "numerical"
    scale: str = "laptop"
    variant: str = ""
    latents: str = "independent"
    bias: str = "selection"
    setting: int = 1
    seed: int = 0
    encoding_size: int | None = None

    def __post_init__(self) -> None:
        ours = study(self.experiment)
        for name, known in (("variant", ours.variants), ("latents", ours.latents)):
            value = getattr(self, name)
            listed = ", ".join(map(repr, known))
            if value not in known:
                raise invalid(name, f"one of {listed}", repr(value))
        if not isinstance(self.scale, str):
            raise invalid("scale", "one name", repr(self.scale))
        scales = ", ".join(ours.scales)
        if self.scale not in ours.scales:
            raise invalid("scale", f"one of {scales}", repr(self.scale))
        check_int("seed", self.seed, 0)
        unbiased = ours.bias(self.bias, self.setting).unbiased
        if self.encoding_size is None:
            object.__setattr__(self, "encoding_size", len(unbiased))
        check_int("encoding_size", self.encoding_size, 1)

    @property
    def study(self) -> Study:
        """What the run is a run of."""
        return study(self.experiment)

    @property
    def scale_config(self) -> Any:
        """What the run's scale decides in its study."""
        return self.study.scales[self.scale]

    @property
    def trains(self) -> bool:
        """Whether the run's encoders are trained; those of a control are not."""
        return self.variant not in CONTROLS

    @property
    def parameters(self) -> str:
        """The fields as JSON, keys sorted."""
        return json.dumps(asdict(self), sort_keys=True)

    @property
    def id(self) -> str:
        """Hash of the fields, 12 characters."""
        return hashlib.sha256(self.parameters.encode()).hexdigest()[:12]

    @classmethod
    def grid(cls, **axes: object) -> list[Run]:
        """Every combination of the values given for each field.

        Parameters
        ----------
        **axes
            Fields of a run; a list makes an axis of several values.

        Returns
        -------
        list of Run
            The last axis varies fastest.

        Raises
        ------
        ValueError
            For an unknown field, an empty axis, or a value that `Run` refuses.
        """
        known = [field.name for field in fields(cls)]
        unknown = [name for name in axes if name not in known]
        if unknown:
            raise invalid("parameters", f"some of {', '.join(known)}", ", ".join(unknown))
        for name, values in axes.items():
            if values == []:
                raise invalid(name, "at least one value", "an empty list")
        values = [axis if isinstance(axis, list) else [axis] for axis in axes.values()]
        return [cls(**dict(zip(axes, point, strict=True))) for point in itertools.product(*values)]

    @classmethod
    def from_notebook(cls, names: Mapping[str, object]) -> list[Run]:
        """Read the runs that the parameters cell of a notebook names.

        papermill sets any name that it is given and only logs one that the notebook does not
        know, so every value in the notebook's name space that papermill could have set must be a
        field of `Run`. Names in capitals are constants that the notebook imported.

        Parameters
        ----------
        names : mapping
            ``globals()`` right after the parameters cell, before anything else is assigned.

        Returns
        -------
        list of Run

        Raises
        ------
        ValueError
            As in `grid`.
        """
        plain = bool | int | float | str | list | tuple | dict | None
        axes = {
            name: value
            for name, value in names.items()
            if isinstance(value, plain)
            and not name.startswith("_")
            and not name.isupper()
            and name not in ("In", "Out", "record")
        }
        return cls.grid(**axes)
