"""The design file: which model for which board, and what the user wants of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import yaml
from pydantic import Field, field_validator

from bitloom import RequestError
from bitloom.files.yaml_file import read_yaml
from bitloom.quant import Graph
from bitloom.quant.files import SUFFIXES, read

from . import board as boards
from .files import write_text
from .schema import Strict, nearest, validated

GRAPH = "graph.npz"
NETWORK = "network.yaml"
IMPORTED = "network.onnx"
"""The file that a folder's graph was imported from."""
_FILES = (".yaml", ".yml", *SUFFIXES)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

LONGEST_NAME = 200
"""Characters that a folder's name has at most; file systems refuse longer ones."""

QUICK_LUTS = 4000
"""LUTs that are planned for where nothing is asked for: placing and routing them takes about a minute."""

Fold = Annotated[int, Field(strict=True, ge=1)]


class Layer(Strict):
    """What the user fixes of one layer: output and input lanes of a matrix product, lanes of any other layer, where its
    constants live, the template that serves it, and a table unit's inputs per table and number of tables."""

    pe: Fold | None = None
    simd: Fold | None = None
    lanes: Fold | None = None
    memory: Literal["block", "distributed"] | None = None
    template: str | None = None
    group: Fold | None = None
    tables: Fold | None = None

    def given(self) -> dict[str, object]:
        """Only what was fixed."""
        return self.model_dump(exclude_none=True)


class Design(Strict):
    """One request: a model on a board.

    ``model`` is the name of an example, a folder with a ``graph.npz``, a ``network.yaml``, a graph or an ONNX file;
    ``board`` is a name or a YAML file (both relative to the design file). ``target`` is what is made best:
    ``throughput``, ``latency`` or ``area``; with ``fps`` the smallest circuit that reaches that many samples per second
    is taken instead. With neither, it is the fastest circuit of at most :data:`QUICK_LUTS`, which is built in about a
    minute on any device. ``utilization`` is the share of the device that may be planned for. ``layers`` fixes foldings
    by layer.
    ``clock_mhz`` states the clock that the design is for: the board's oscillator, as the top has no PLL.
    """

    design: str
    model: str
    board: str = boards.DEFAULT
    target: Literal["throughput", "latency", "area"] | None = None
    fps: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    clock_mhz: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    utilization: Annotated[float, Field(gt=0, le=1)] = 0.75
    allow_timing_failure: Annotated[bool, Field(strict=True)] = False
    layers: dict[str, Layer] = {}

    @field_validator("design")
    @classmethod
    def _folder_name(cls, value: str) -> str:
        if not _NAME.fullmatch(value):
            raise ValueError("must be a folder's name of letters, digits, '.', '_' and '-'")
        return value

    @field_validator("layers", mode="before")
    @classmethod
    def _layer_names(cls, value: object) -> object:
        if isinstance(value, Mapping) and not all(isinstance(name, str) for name in value):
            raise ValueError("names that YAML reads as numbers or as yes and no must stand in quotes")
        return value

    @property
    def goal(self) -> str:
        """What is made best."""
        return self.target or "throughput"

    @property
    def quick(self) -> bool:
        """Whether nothing was asked for, so that the build's own duration decides the size."""
        return self.target is None and self.fps is None and not self.layers

    def overrides(self) -> dict[str, dict[str, object]]:
        """The fixed foldings, as :func:`bitloom.codegen.compile` takes them."""
        return {name: layer.given() for name, layer in self.layers.items()}


def load_design(path: str | Path) -> Design:
    """The design in the YAML file ``path``; :class:`RequestError` names key, rule, value and the nearest key."""
    path = Path(path)
    data = read_yaml(path)
    data.setdefault("design", path.stem)
    for key in ("model", "board"):
        if isinstance(data.get(key), str):
            data[key] = beside(path, data[key])
    return validated(Design, data, str(path))


def beside(path: Path, name: str) -> str:
    """The model or board that ``name`` means in the file ``path``: paths there are relative to the file."""
    return str(path.parent / name) if _is_path(name) or (
        len(name) <= LONGEST_NAME and (path.parent / name).is_dir()) else name


def make_design(model: str, board: str = boards.DEFAULT, **options: Any) -> Design:
    """A design without a file: ``options`` are the other keys of :class:`Design`; those that are None are left out.

    It is called ``<model>-<board>``, with target and rate behind it where they are asked for
    (``digits-icebreaker-20000fps``), unless ``design`` says otherwise: two requests have two folders.
    """
    data = {key: value for key, value in options.items() if value is not None}
    design = validated(Design, {"design": "unnamed", **data, "model": model, "board": board}, "design")
    return design if "design" in data else design.model_copy(update={"design": _named(design)})


def _named(design: Design) -> str:
    """The name of a design that nobody named."""
    return "-".join([short_name(design.model), short_name(design.board), *_wishes(design.target, design.fps)])


def _wishes(target: str | None, fps: float | None) -> list[str]:
    """Target and rate as parts of a folder's name."""
    rate = [] if fps is None else [f"{np.format_float_positional(fps, trim='-')}fps"]
    return [*([] if target is None else [target]), *rate]


def find_design(request: str, **options: Any) -> Design:
    """The design that ``request`` means: a design file, the name of an example design, or a model (see above).

    ``options`` (``board``, ``target``, ``fps``, …) replace what a file says; those that are None do not.
    """
    given = {key: value for key, value in options.items() if value is not None}
    path = Path(request)
    if path.suffix in (".yaml", ".yml") and path.name != NETWORK:
        return _replaced(load_design(path), given)
    if request in design_names():
        return _replaced(load_design(_examples() / f"{request}.yaml"), given)
    if not _is_path(request) and request not in model_names() and not path.is_dir():
        known = sorted({*model_names(), *design_names()})
        raise RequestError(f"no model or design is called {request!r}{nearest(request, known)} (there are "
                           f"{', '.join(known) or 'none'}; or the path of a design file, a model's folder, a graph or "
                           "an ONNX file)")
    return make_design(request, **given)


def resolve_model(name: str, check: int | None = 0,
                  note: Callable[[str], None] = lambda _: None) -> tuple[Path | None, Graph]:
    """The model ``name``: where its network is, and its integer graph.

    The network is the folder of a trained or imported one, or an ONNX file, which is imported here and now; None where
    ``name`` is a graph alone.

    :param check: how a network that is imported here and now is compared with its graph: not at all, by default. See
        :func:`bitloom.quant.files.read`.
    :param note: told how far the comparison is.
    :raises RequestError: there is no such model, or it is not trained yet.
    """
    path = Path(name)
    if path.suffix in SUFFIXES:
        if not path.is_file():
            raise RequestError(f"model {name}: there is no such file")
        return None if path.suffix == Path(GRAPH).suffix else path, read(path, check, note)
    folder = model_folder(name)
    if not (folder / GRAPH).is_file():
        if (folder / IMPORTED).is_file():
            raise RequestError(f"{folder}: holds no {GRAPH}; import the network first: bitloom import "
                               f"{folder / IMPORTED} --out {folder}")
        raise RequestError(f"{folder}: holds no {GRAPH}; train the network first: bitloom train {name}")
    return folder, read(folder / GRAPH)


def model_folder(name: str) -> Path:
    """The folder of the model ``name``: an example's, or the one that the path ``name`` leads to."""
    path = Path(name)
    if name in model_names():
        return _examples() / name
    if path.name == NETWORK:
        path = path.parent
    if path.is_dir():
        return path
    if _is_path(name):
        raise RequestError(f"model {name}: there is no such folder")
    raise RequestError(f"no model is called {name!r}{nearest(name, model_names())} (models: "
                       f"{', '.join(model_names()) or 'none'}; or the path of a model's folder or graph)")


def origin(name: str) -> str:
    """What tells the model ``name`` from all others: an example's name, or the whole path of its folder or file."""
    if name in model_names():
        return name
    path = Path(name)
    return str((path.parent if path.name in (NETWORK, GRAPH, IMPORTED) else path).resolve())


def model_names() -> list[str]:
    """The models that come with bitloom."""
    return sorted(entry.name for entry in _examples().iterdir() if (entry / NETWORK).is_file())


def design_names() -> list[str]:
    """The design files that come with bitloom."""
    return sorted(entry.stem for entry in _examples().glob("*.yaml"))


def write_design(design: Design, path: Path) -> None:
    """Write ``design`` to ``path`` as YAML, every key with the value that it has."""
    values = design.model_dump(mode="json", exclude_none=True)
    write_text(path, yaml.safe_dump(values, sort_keys=False, allow_unicode=True))


def short_name(name: str) -> str:
    """What a model or board given by ``name`` (a name or a path) is called, fit for a folder's name."""
    path = Path(name)
    path = path.parent if path.name in (NETWORK, GRAPH, IMPORTED) and path.parent.name else path
    stem = path.stem if path.suffix in _FILES else path.name
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).lstrip("._-") or "design"


def _replaced(design: Design, given: Mapping[str, Any]) -> Design:
    """``design`` with ``given`` laid over it; what differs from the file is built under another name."""
    if not given:
        return design
    other = validated(Design, {**design.model_dump(), **given}, "design")
    if "design" in given or other == design:
        return other
    name = design.design
    if other.board != design.board:
        name = f"{short_name(other.model)}-{short_name(other.board)}"
    target = other.target if other.target != design.target else None
    wishes = _wishes(target, other.fps if other.fps != design.fps else None)
    return other.model_copy(update={"design": "-".join([name, *wishes])})


def _examples() -> Path:
    return Path(str(files("bitloom.examples")))


def _is_path(name: str) -> bool:
    return "/" in name or name.endswith(_FILES)
