"""The study file: lists of what is varied, and the designs that come of it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator

from bitloom import RequestError
from bitloom.boards import board
from bitloom.boards.design import NETWORK, Design, beside, make_design, resolve_model, short_name
from bitloom.boards.schema import Strict, validated
from bitloom.codegen import TARGETS
from bitloom.files.yaml_file import read_yaml

LONGEST = 40
"""Characters up to which foldings are spelled out in the name of a point."""

LONGEST_STUDY = 60
"""Characters that a study's own name may have."""

UTILIZATION: float = Design.model_fields["utilization"].default


def _several(value: object) -> object:
    """A list of at least one; a value alone stands for a list of it."""
    values = list(value) if isinstance(value, list | tuple) else [value]
    if not values:
        raise ValueError("must have at least one entry")
    return values


Several = BeforeValidator(_several)


class Study(Strict):
    """What is varied: every combination of one entry from each list is a point.

    Entries mean what they mean in a design file (:class:`bitloom.boards.design.Design`). ``fps`` None asks for no
    rate. Without ``targets`` a point with a rate is the smallest circuit that reaches it (``throughput``), and one
    without is studied for every target. ``layers`` is a list of overrides, each ``{layer: {pe, simd, memory}}``.
    ``stage`` says how far each point is built: ``estimate`` (the cost model), ``synthesis`` (its netlist is counted),
    ``route`` (down to the bitstream).
    """

    models: Annotated[tuple[str, ...], Several]
    boards: Annotated[tuple[str, ...], Several] = (board.DEFAULT,)
    targets: Annotated[tuple[str, ...], Several] | None = None
    fps: Annotated[tuple[float | None, ...], Several] = (None,)
    utilization: Annotated[tuple[float, ...], Several] = (UTILIZATION,)
    layers: Annotated[tuple[dict[str, Any], ...], Several] = ({},)
    stage: Literal["estimate", "synthesis", "route"] = "estimate"


def load_study(path: str | Path, **options: Any) -> Study:
    """The study in the YAML file ``path``, with the ``options`` that are not None laid over it.

    :raises RequestError: one line that names the key, the rule, the value and the nearest key.
    """
    path = Path(path)
    data = read_yaml(path)
    for key in ("models", "boards"):
        names = data.get(key)
        if isinstance(names, str):
            data[key] = beside(path, names)
        elif isinstance(names, list):
            data[key] = [beside(path, name) if isinstance(name, str) else name for name in names]
    return validated(Study, {**data, **_given(options)}, str(path))


def find_study(requests: Sequence[str], **options: Any) -> Study:
    """The study that ``requests`` mean: one study file, or models. Options that are None are left out."""
    files = [name for name in requests if name.endswith((".yaml", ".yml")) and Path(name).name != NETWORK]
    if not files:
        return validated(Study, {"models": list(requests), **_given(options)}, "study")
    if len(requests) > 1:
        raise RequestError(f"a study file stands alone, and there is more than {files[0]}: put the models into its "
                           "list models:")
    return load_study(files[0], **options)


def name_of(study: Study, requests: Sequence[str]) -> str:
    """What a study of ``requests`` is called: as its file, or after all that is varied, so that two have two folders.

    What options laid over a file, or a name too long, is told by a digest.
    """
    digest = hashlib.sha256(study.model_dump_json().encode()).hexdigest()[:8]
    if requests[0].endswith((".yaml", ".yml")) and Path(requests[0]).name != NETWORK:
        stem = short_name(requests[0])
        return stem if study == load_study(requests[0]) else f"{stem}-{digest}"
    default = Study(models=study.models)
    rates = (f"{np.format_float_positional(rate, trim='-')}fps" for rate in study.fps if rate is not None)
    words = [*map(short_name, study.models), *(map(short_name, study.boards) if study.boards != default.boards else ()),
             *(study.targets or ()), *rates, *([study.stage] if study.stage != default.stage else [])]
    name = "-".join(words)
    return name if len(name) <= LONGEST_STUDY else f"{name[: LONGEST_STUDY - 9]}-{digest}"


def points(study: Study) -> list[Design]:
    """The designs of ``study``, each once, named after all that tells them apart.

    :raises RequestError: there is no such model or board, an entry has an impossible value, or two points would share
        a folder.
    """
    for name in study.models:
        resolve_model(name)
    for name in study.boards:
        board.load(name)
    found: dict[str, Design] = {}
    for model, place, layers, utilization, fps in product(
        study.models, study.boards, study.layers, study.utilization, study.fps
    ):
        targets = study.targets or (TARGETS if fps is None else TARGETS[:1])
        for target in targets:
            design = _design(model, place, {"target": target, "fps": fps, "utilization": utilization, "layers": layers})
            other = found.setdefault(design.design, design)
            if other != design:
                raise RequestError(f"{_place(other)} and {_place(design)} would both be built as {design.design}: "
                                   "rename a folder or file, or study them apart")
    return list(found.values())


def _design(model: str, place: str, values: Mapping[str, Any]) -> Design:
    """One point: checked as a design is, then named."""
    name = make_design(model, place, target=values["target"], fps=values["fps"]).design
    design = validated(Design, {"design": name, "model": model, "board": place, **values}, "study")
    words = [name]
    if design.utilization != UTILIZATION:
        words.append(f"u{np.format_float_positional(design.utilization, trim='-')}")
    if design.layers:
        words.append(_folded(design))
    return design.model_copy(update={"design": "-".join(words)})


def _folded(design: Design) -> str:
    """The overrides of ``design`` in a few letters, fit for a folder's name: ``fc1-pe4-simd8``, or a digest."""
    words = [layer + "".join(f"-{key}{value}" if key != "memory" else f"-{value}" for key, value in given.items())
             for layer, given in sorted(design.overrides().items())]
    text = "-".join(words)
    if len(text) <= LONGEST and re.fullmatch(r"[A-Za-z0-9._-]+", text):
        return text
    return f"layers-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _place(design: Design) -> str:
    return f"{design.model} on {design.board}"


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if value not in (None, (), [])}
