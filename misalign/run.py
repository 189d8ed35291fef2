"""A `Run`: everything that decides a result, and nothing else; and the studies, by name."""

from __future__ import annotations

import ast
import hashlib
import itertools
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from misalign.bias import Bias
from misalign.errors import check_int, invalid
from misalign.records import RUNS, SCORES

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
    world, encoders : World, ModuleDict
        Where pairs come from; f_x as ``"image"`` and f_t as ``"text"``, in the variant ``"raw"``
        identities.
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
    name, variants, latents : str, tuple of str, tuple of str
        The experiment's name in runs and records, and what these fields of a run may be.
    scales : mapping of str to object
        How much compute, by the scale's name; a scale has a `recipe`, `probe_steps`, if it likes a
        `probe_rate` and, unless the study represents samples in its own way, `probe_samples`.

    Notes
    -----
    Two more attributes are optional: `options`, parameters of the study's own by name, with their
    defaults, and `takes_bias`, whether a run may bring a `Bias` of its own, or a function of that
    bias that says so. An option that is called like a field of the scale, or of its `recipe`, such
    as `tau`, and has the default None, takes that field's place where a run gives it.

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
    others = entry_points(group=GROUP)
    return own | {point.name: point for point in others if point.name not in own}


def study(name: str) -> Study:
    """Look a study up by its name; a ValueError for an unknown one lists those that are known.

    They are the package's own, such as ``"numerical"``, those that installed distributions offer as
    entry points of the group ``misalign.studies``, and those of `register_study`.
    """
    if not (isinstance(name, str) and name in _registered):
        points = _entry_points()
        if not (isinstance(name, str) and name in points):
            known = ", ".join(map(repr, dict.fromkeys([*points, *_registered])))
            raise invalid("experiment", f"one of {known}", repr(name))
        _add(points[name].load(), name)
    return _registered[name]


def register_study(cls: AnyStudy) -> AnyStudy:
    """Make a study known under its `name`; for classes a decorator.

    It takes a study, or a class that makes one without arguments, and gives it back. One of the
    same name that was registered earlier is replaced, so a cell of a notebook may be executed
    twice. If an attribute of `Study` is missing, or the name is one of the package's own, that is a
    ValueError.
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
    if not re.fullmatch(r"[A-Za-z]\w*", str(made.name)) or made.name == "runs":
        raise invalid("study", "a name that its file of records can have", repr(made.name))
    taken = {*Run.__dataclass_fields__, *RUNS, *SCORES} & set(_options(made))
    if taken:
        raise invalid("study", "options that no record has a column of", ", ".join(sorted(taken)))
    if name not in (None, made.name):
        raise invalid("study", f"the name of its entry point, {name!r}", repr(made.name))
    _registered[made.name] = made


def _options(of: Study) -> dict[str, object]:
    return dict(getattr(of, "options", {}))


def _completed(given: dict[str, Any], known: dict[str, object]) -> tuple[tuple[str, object], ...]:
    """Options of a run, sorted; those that are not given as the study has them."""
    for name, value in given.items():
        if name not in known:
            raise invalid("options", f"some of {', '.join(known) or 'none'}", name)
        if getattr(value, "shape", None) == ():  # a number of numpy's
            value = value.item()
        default = known[name]
        number = isinstance(default, int | float) and not isinstance(default, bool)
        kinds = (int, float) if number else type(default)
        same = isinstance(value, kinds) and isinstance(value, bool) == isinstance(default, bool)
        same = same and (not number or math.isfinite(value))
        if not (isinstance(value, bool | int | float | str | None) if default is None else same):
            kind = "number" if number else type(default).__name__
            expected = "a number or a text" if default is None else f"a {kind} like {default!r}"
            raise invalid(name, expected, repr(value))
        # 2 and 2.0 are one run
        known[name] = type(default)(value) if number and value == type(default)(value) else value
    return tuple(sorted(known.items()))


def recorded_bias(of: Study, bias: str, setting: int) -> Bias:
    """Bias of a run by two columns of the records; one of the run's own is told in text."""
    told = re.findall(r"(\w+)=(\([^)]*\)|\S+)", bias)
    if not told:
        return of.bias(bias, setting)
    return Bias(**{name: ast.literal_eval(value) for name, value in told})


def study_module(name: str) -> str:
    """Name of the module that defines a study, which is not imported if it is an entry point."""
    points = {} if name in _registered else _entry_points()
    return points[name].module if name in points else type(study(name)).__module__


@dataclass(frozen=True, kw_only=True)
class Run:
    """Everything that decides a result.

    Parameters
    ----------
    experiment, scale : str, optional
        Which study, such as ``"numerical"`` or ``"mpi3d"``, which decides what the other fields may
        be; and how much compute: ``"smoke"``, ``"laptop"``, or another of the study's.
    variant, latents : str, optional
        "", the paper's set-up, or one of the study's, such as ``"untrained"``; and what depends on
        what, such as ``"independent"``, ``"dependent"`` or ``"graph"``.
    bias : str or Bias, optional
        Which table of settings, such as ``"selection"`` or ``"perturbation"``; or one's own, in
        studies that take any, such as ``"numerical"``.
    setting : int, optional
        1-based column of that table.
    seed : int, optional
        Decides initial weights, batches and probes and, by default, the world.
    world_seed : int, optional
        Decides the world (in studies of images: which of them serve for training); by default the
        seed. In records another one is told in the column `variant`.
    encoding_size : int, optional
        Width of the representations; by default the number of unbiased factors.
    options : mapping of str to object, optional
        Parameters that the study alone has: numbers and texts. Those not given are as the study has
        them; kept as sorted pairs of name and value, see `option`.

    Raises
    ------
    ValueError
        For any value outside the above; the message names the field.

    Examples
    --------
    >>> from misalign import Bias, Run
    >>> Run(setting=4, seed=1).encoding_size
    4
    >>> Run(bias=Bias(3, selected=(1, 3), perturbed=(3,))).resolved_bias.unbiased
    (1,)
    """

    experiment: str = "numerical"
    scale: str = "laptop"
    variant: str = ""
    latents: str = "independent"
    bias: str | Bias = "selection"
    setting: int = 1
    seed: int = 0
    world_seed: int | None = None
    encoding_size: int | None = None
    options: Mapping[str, object] | tuple[tuple[str, object], ...] = ()

    def __post_init__(self) -> None:
        ours = study(self.experiment)
        for name, known in (("variant", ours.variants), ("latents", ours.latents)):
            if getattr(self, name) not in known:
                listed = ", ".join(map(repr, known))
                raise invalid(name, f"one of {listed}", repr(getattr(self, name)))
        if not isinstance(self.scale, str):
            raise invalid("scale", "one name", repr(self.scale))
        if self.scale not in ours.scales:
            raise invalid("scale", f"one of {', '.join(ours.scales)}", repr(self.scale))
        if isinstance(self.bias, Mapping):
            stray = [name for name in self.bias if name not in Bias.__dataclass_fields__]
            if stray or not {"n", "selected"} <= set(self.bias):
                wanted = f"n, selected and some of {', '.join(Bias.__dataclass_fields__)}"
                raise invalid("bias", wanted, ", ".join(map(str, self.bias)))
            vars(self)["bias"] = Bias(**self.bias)
        own = isinstance(self.bias, Bias)
        takes = getattr(ours, "takes_bias", False)
        if own and not (takes(self.bias) if callable(takes) else takes):
            named = "the name of a table" + " or a bias that it takes" * callable(takes)
            raise invalid("bias", f"{named} of {ours.name}", repr(self.bias))
        unbiased = self.resolved_bias.unbiased  # looks the setting up
        if own and self.setting != 1:
            raise invalid("setting", "1 with a bias of one's own", self.setting)
        size = len(unbiased) if self.encoding_size is None else self.encoding_size
        world = self.world_seed
        # the class is frozen, but for what is made of its arguments
        vars(self).update(
            setting=check_int("setting", self.setting, 1),
            seed=check_int("seed", self.seed, 0),
            world_seed=None if world in (None, self.seed) else check_int("world_seed", world, 0),
            encoding_size=check_int("encoding_size", size, 1),
            options=_completed(dict(self.options), _options(ours)),
        )

    @property
    def study(self) -> Study:
        """What the run is a run of."""
        return study(self.experiment)

    @property
    def scale_config(self) -> Any:
        """What the run's scale decides in its study, but for what an option of the run changes."""
        scale = self.study.scales[self.scale]
        given = {name: value for name, value in self.options if value is not None}
        for one in ("recipe", ""):
            part = getattr(scale, one) if one else scale
            own = vars(part).keys() & given.keys() if is_dataclass(part) else ()
            if own:
                part = replace(part, **{name: given[name] for name in own})
                scale = replace(scale, **{one: part}) if one else part
        return scale

    @property
    def resolved_bias(self) -> Bias:
        """What captions omit and perturb: the run's own bias, or a setting of its study."""
        own = isinstance(self.bias, Bias)
        return self.bias if own else self.study.bias(self.bias, self.setting)

    def option(self, name: str) -> Any:
        """Value of one of the study's own parameters."""
        return dict(self.options)[name]

    @property
    def trains(self) -> bool:
        """Whether the run's encoders are trained; those of a control are not."""
        return self.variant not in CONTROLS

    def as_dict(self) -> dict[str, object]:
        """Every field and every option, by name: what `grid` makes the run of."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return named | dict(named.pop("options"))

    @property
    def resolved_world_seed(self) -> int:
        """Seed of the world: the run's seed, or one of its own."""
        return self.seed if self.world_seed is None else self.world_seed

    @property
    def _changed(self) -> dict[str, object]:
        """Options that are not as the study has them, and a world of another seed."""
        defaults = {"world_seed": None, **_options(self.study)}
        named = {"world_seed": self.world_seed, **dict(self.options)}
        return {name: value for name, value in named.items() if value != defaults[name]}

    @property
    def needed(self) -> list[str]:
        """Fields and options that a notebook must know to execute this run."""
        silent = {"world_seed", *_options(self.study)} - {*self._changed}
        return [name for name in self.as_dict() if name not in silent]

    @property
    def parameters(self) -> str:
        """The fields as JSON, keys sorted; options only where they are not the study's defaults."""
        named = self.as_dict()
        return json.dumps({name: plain(named[name]) for name in self.needed}, sort_keys=True)

    @property
    def identity(self) -> dict[str, object]:
        """The fields as columns of records: a bias of one's own, and options, are told in text."""
        named = self.as_dict()
        changed = [f"{name}={value}" for name, value in self._changed.items()]
        named["variant"] = " ".join([self.variant, *changed]).strip()
        if isinstance(self.bias, Bias):
            named["bias"] = " ".join(
                f"{name}={value!r}" for name, value in plain(self.bias).items()
            )
        silent = {"experiment", "world_seed", *_options(self.study)}
        return {name: value for name, value in named.items() if name not in silent}

    @property
    def id(self) -> str:
        """Hash of the fields, 12 characters."""
        return hashlib.sha256(self.parameters.encode()).hexdigest()[:12]

    @classmethod
    def from_parameters(cls, parameters: str) -> Run:
        """Make a run again from its `parameters`."""
        return cls.grid(**json.loads(parameters))[0]

    @classmethod
    def grid(cls, **axes: object) -> list[Run]:
        """Every combination of the values given for each field.

        Parameters
        ----------
        **axes
            Fields of a run, and options of its study; a list makes an axis of several values, the
            last varying fastest. An unknown field or an empty axis is a ValueError.
        """
        values = [axis if isinstance(axis, list) else [axis] for axis in axes.values()]
        for name, axis in zip(axes, values, strict=True):
            if not axis:
                raise invalid(name, "at least one value", "an empty list")
        named = [dict(zip(axes, point, strict=True)) for point in itertools.product(*values)]
        studies = {point.get("experiment", cls.experiment) for point in named}
        own = {name for experiment in studies for name in _options(study(experiment))}
        known = [field.name for field in fields(cls)]
        unknown = [name for name in axes if name not in known and name not in own]
        if unknown:
            listed = ", ".join([*known, *sorted(own)])
            raise invalid("parameters", f"some of {listed}", ", ".join(unknown))
        for point in named:
            options = {name: point.pop(name) for name in own & set(point)}
            point["options"] = options | dict(point.get("options", ()))
        return [cls(**point) for point in named]

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
        """
        simple = bool | int | float | str | list | tuple | dict | Bias | None
        known = {name: value for name, value in names.items() if isinstance(value, simple)}
        for name in [*known]:  # constants that a chapter imports, and Jupyter's own
            if name.isupper() or name[0] == "_" or name in ("In", "Out", "record"):
                del known[name]
        return cls.grid(**known)


def plain(value: object) -> object:
    """Value of a run's field as JSON and papermill take it: a `Bias` as what it is made of."""
    if not isinstance(value, Bias):
        return value
    named = {field.name: getattr(value, field.name) for field in fields(value)}
    return {
        field.name: named[field.name]
        for field in fields(value)
        if named[field.name] != field.default
    }
