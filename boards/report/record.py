"""``report.json``: what is known about one build, written step by step and checked on the way in.

Every step of the flow adds what it learned with :func:`update`. Figures at the top level are what ``stage`` says:
``estimate`` (from the cost model), ``synthesis`` (counted in the netlist) or ``route`` (after place and route);
``predicted`` keeps the estimates, so that both can stand side by side.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from bitloom import RequestError
from bitloom.files.json_file import DamagedError, read_json
from bitloom.files.text import shown

from ..files import make_folder, write_text

if TYPE_CHECKING:
    from bitloom.codegen.plan import Plan

FILE = "report.json"

LEVELS = ("model", "rtl", "netlist", "top", "bitstream")
"""The rungs of the ladder, lowest first."""

Count = Annotated[int, Field(strict=True, ge=0, le=1 << 62)]
Amount = Annotated[float, Field(ge=0, le=1e18, allow_inf_nan=False)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Level(_Section):
    """One rung of the ladder. Only ``passed`` says that real samples went through without a mismatch.

    ``interval`` and ``latency`` are cycles that were measured, ``reason`` says why not, or what was compared.
    """

    samples: Count = 0
    mismatches: Count = 0
    seconds: Amount = 0
    status: Literal["passed", "failed", "unavailable"] = "passed"
    reason: str = ""
    interval: Count | None = None
    latency: Count | None = None


class Figures(_Section):
    """What is predicted and measured alike. Cycles, MHz, samples per second, microseconds, counts."""

    accuracy: Annotated[float, Field(ge=0, le=1)] | None = None
    interval_cycles: Count | None = None
    latency_cycles: Count | None = None
    fmax_mhz: Amount | None = None
    clock_mhz: Amount | None = None
    throughput_fps: Amount | None = None
    latency_us: Amount | None = None
    lut: Count | None = None
    ff: Count | None = None
    bram: Count | None = None
    dsp: Count | None = None


class Layer(_Section):
    """One unit of the pipeline: its template, folding and closed forms, and its predicted resources.

    ``instance`` is its name in the circuit, below the accelerator. ``queue`` is how many beats the queues
    ahead of it hold.
    """

    name: str
    instance: str = ""
    template: str
    inputs: Count
    outputs: Count
    pe: Count
    simd: Count
    interval: Count
    latency: Count
    queue: Count = 0
    memory: str = ""
    lut: Count = 0
    ff: Count = 0
    bram: Count = 0
    dsp: Count = 0


class Hop(_Section):
    """A piece of a timing path: ``delay_ns`` along ``net`` (kind ``routing``) or through ``cell`` (any other kind)."""

    kind: str
    delay_ns: Amount
    cell: str = ""
    net: str = ""


class Use(_Section):
    """How many of one kind of the device's cells are taken."""

    used: Count
    available: Count


class Report(Figures):
    """The whole of ``report.json``; ``data_note`` is what must be said of the data behind ``accuracy``, ``untimed`` how
    many cells there are through which no path was timed for ``fmax_mhz``."""

    design: str | None = None
    model: str | None = None
    board: str | None = None
    part: str | None = None
    target: str | None = None
    data_note: str = ""
    untimed: Count = 0
    samples: Count | None = None
    mismatches: Count | None = None
    levels: dict[Literal["model", "rtl", "netlist", "top", "bitstream"], Level] = {}
    predicted: Figures = Figures()
    stage: Literal["estimate", "synthesis", "route"] | None = None
    layers: list[Layer] = []
    utilization: dict[str, Use] = {}
    critical_path: list[Hop] = []
    seconds: dict[str, Amount] = {}
    tools: dict[str, str] = {}


def read(build_dir: str | Path) -> dict[str, Any]:
    """What ``report.json`` in ``build_dir`` holds; empty where there is none yet."""
    path = Path(build_dir) / FILE
    try:
        values = read_json(path)
    except FileNotFoundError:
        return {}
    except DamagedError as error:
        raise RequestError(f"{path}: damaged ({error}); remove it and build again") from None
    check(values, str(path))
    return values


def update(build_dir: str | Path, values: Mapping[str, Any]) -> dict[str, Any]:
    """Merge ``values`` into ``report.json`` (see :func:`merge`) and return the whole.

    The file appears whole or not at all. :raises RequestError: a key or value that a report does not have.
    """
    merged = merge(read(build_dir), values)
    check(merged, FILE)
    folder = make_folder(Path(build_dir))
    write_text(folder / FILE, json.dumps(merged, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    return merged


def merge(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """``old`` with ``new`` laid over it: a section (``levels``, ``predicted``, …) entry by entry, all else replaced."""
    result = dict(old)
    for key, value in new.items():
        result[key] = {**result.get(key, {}), **value} if isinstance(value, Mapping) else value
    return result


def check(values: object, source: str) -> Report:
    """``values`` as a :class:`Report`; :class:`RequestError` names the key that is wrong, the rule and the value."""
    try:
        return Report.model_validate(values)
    except ValidationError as error:
        raise RequestError(f"{source}: {_problem(error.errors(include_url=False)[0])}") from None


def of_plan(plan: Plan) -> dict[str, Any]:
    """What a plan says about a build: the layers, the closed forms (exact) and the predicted resources (estimates)."""
    layers = [
        {"name": stage.name, "instance": plan.topology.instances.units[stage.name],
         "template": stage.template, "inputs": stage.inputs, "outputs": stage.outputs,
         "pe": stage.folding.pe, "simd": stage.folding.simd, "interval": stage.interval, "latency": stage.latency,
         "queue": sum(depth for link in plan.topology.into(stage.name) for _, depth, _ in link.queues),
         "memory": stage.memories,
         **stage.predicted.rounded()}
        for stage in plan.stages
    ]
    figures = {"interval_cycles": plan.interval, "latency_cycles": plan.latency, "clock_mhz": plan.clock_hz / 1e6,
               "throughput_fps": plan.throughput_fps, "latency_us": plan.latency / plan.clock_hz * 1e6}
    return {"layers": layers, **figures, "target": plan.target, "predicted": {**figures, **plan.predicted.rounded()}}


def _problem(error: ErrorDetails) -> str:
    key = ".".join(f"{part:.40}" if isinstance(part, str) else str(part) for part in error["loc"] if part != "[key]")
    if error["type"] == "extra_forbidden":
        near = get_close_matches(str(error["loc"][-1])[:80], _keys(error["loc"]), 1)
        return f"a report has no key {key!r}" + (f"; did you mean {near[0]!r}?" if near else "")
    return f"{key}: {error['msg'][0].lower()}{error['msg'][1:]}, not {shown(error['input'])}"


def _keys(location: tuple[int | str, ...]) -> list[str]:
    sections: dict[object, type[BaseModel]] = {"levels": Level, "predicted": Figures, "layers": Layer,
                                               "critical_path": Hop, "utilization": Use}
    return list(sections.get(location[0] if len(location) > 1 else None, Report).model_fields)
