"""A network as a list of steps: the same list is run in torch, exported to the integer graph, and compared with it."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from .layers import POWER_OF_TWO, AverageSpec, Bits, ConvSpec, DenseSpec, ResidualSpec, Scaling, Shape
from .spec import NetworkSpec, OutputSpec

INPUT = "input"
"""The name of the sample."""


@dataclass(frozen=True)
class Step:
    """One step: its name, that of the value that it reads, and the shape of what it gives (channels last)."""

    name: str
    reads: str
    shape: Shape


@dataclass(frozen=True)
class Quantizer(Step):
    """Batch norm ``norm``, if any, and the quantized activation ``name``: from sums, or raw integers, to a format."""

    bits: Bits
    norm: str = ""
    kind: str = "activation"
    """``input``, ``activation`` or ``branch``."""


@dataclass(frozen=True)
class Dense(Step):
    """A linear layer of ``inputs`` elements; the ``last`` has an integer bias and gives the scores."""

    inputs: int
    bits: Bits
    last: bool = False
    planes: Shape = ()
    """(rows, columns, channels) of what it reads, if that was flattened; torch flattens channels first."""
    scaling: Scaling = POWER_OF_TWO


@dataclass(frozen=True)
class Conv(Step):
    """A convolution of ``inputs`` channels over a border of ``padding`` zeros."""

    inputs: int
    bits: Bits
    kernel: int
    stride: int
    padding: int
    scaling: Scaling = POWER_OF_TWO


@dataclass(frozen=True)
class MaxPool(Step):
    """The maximum of ``size`` × ``size`` windows."""

    size: int


@dataclass(frozen=True)
class Average(Step):
    """The mean over all positions, of which there are ``rows`` × ``columns``."""

    rows: int
    columns: int


@dataclass(frozen=True)
class Sum(Step):
    """The sum of the values ``reads`` and ``other``."""

    other: str


@dataclass(frozen=True)
class Flatten(Step):
    """One axis of what had three."""


def steps(spec: NetworkSpec, classes: int) -> tuple[Step, ...]:
    """The steps of ``spec``; the last gives the scores of so many ``classes``.

    ``quant``, and for layer i = 1, 2, …: dense ``fc{i}``, ``act{i}``; convolution ``conv{i}``, ``act{i}``, ``pool{i}``;
    residual ``conv{i}a``, ``act{i}a``, ``conv{i}b``, ``branch{i}``, perhaps ``conv{i}s``, ``skip{i}``, then ``add{i}``,
    ``act{i}``; average ``average{i}``, ``act{i}``, ``flatten{i}``. Before a dense layer ``flatten{i}`` where needed.
    """
    shapes = spec.shapes
    found: list[Step] = [Quantizer("quant", INPUT, shapes[0], spec.input.bits, kind="input")]
    for i, (layer, after) in enumerate(zip(spec.layers, shapes[1:]), start=1):
        if isinstance(layer, DenseSpec):
            found += _dense(i, found[-1], layer.units, layer)
            found.append(Quantizer(f"act{i}", f"fc{i}", after, layer.activation_bits, f"bn{i}"))
        elif isinstance(layer, ConvSpec):
            found += _conv(i, found[-1], layer)
        elif isinstance(layer, ResidualSpec):
            found += _residual(i, found[-1], layer, after)
        else:
            found += _average(i, found[-1], layer)
    found += _dense(len(spec.layers) + 1, found[-1], classes, spec.output, last=True)
    return tuple(found)


def _dense(i: int, given: Step, units: int, layer: DenseSpec | OutputSpec, last: bool = False) -> list[Step]:
    found: list[Step] = []
    planes: Shape = ()
    if len(given.shape) == 3:
        planes = given.shape
        given = Flatten(f"flatten{i}", given.name, (prod(planes),))
        found.append(given)
    return [*found, Dense(f"fc{i}", given.name, (units,), given.shape[0], layer.weight_bits, last, planes,
                          layer.weight_scaling)]


def _conv(i: int, given: Step, layer: ConvSpec) -> list[Step]:
    shape = (*layer.convolved(given.shape), layer.channels)
    conv = Conv(f"conv{i}", given.name, shape, given.shape[-1], layer.weight_bits, layer.kernel, layer.stride,
                layer.padding, layer.weight_scaling)
    act = Quantizer(f"act{i}", conv.name, shape, layer.activation_bits, f"bn{i}")
    if layer.pool == 1:
        return [conv, act]
    return [conv, act, MaxPool(f"pool{i}", act.name, layer.shape_after(given.shape), layer.pool)]


def _residual(i: int, given: Step, layer: ResidualSpec, shape: Shape) -> list[Step]:
    inputs, bits, scaling, n = given.shape[-1], layer.weight_bits, layer.weight_scaling, layer.channels
    found: list[Step] = [
        Conv(f"conv{i}a", given.name, shape, inputs, bits, layer.kernel, layer.stride, layer.padding, scaling),
        Quantizer(f"act{i}a", f"conv{i}a", shape, layer.activation_bits, f"bn{i}a"),
        Conv(f"conv{i}b", f"act{i}a", shape, n, bits, layer.kernel, 1, layer.padding, scaling),
        Quantizer(f"branch{i}", f"conv{i}b", shape, layer.branch_bits, f"bn{i}b", kind="branch"),
    ]
    skip = given.name
    if layer.projects(given.shape):
        skip = f"skip{i}"
        found += [
            Conv(f"conv{i}s", given.name, shape, inputs, bits, 1, layer.stride, 0, scaling),
            Quantizer(skip, f"conv{i}s", shape, layer.branch_bits, f"bn{i}s", kind="branch"),
        ]
    return [*found, Sum(f"add{i}", f"branch{i}", shape, skip),
            Quantizer(f"act{i}", f"add{i}", shape, layer.activation_bits)]


def _average(i: int, given: Step, layer: AverageSpec) -> list[Step]:
    rows, columns, channels = given.shape
    shape = (1, 1, channels)
    return [Average(f"average{i}", given.name, shape, rows, columns),
            Quantizer(f"act{i}", f"average{i}", shape, layer.activation_bits),
            Flatten(f"flatten{i}", f"act{i}", (channels,))]
