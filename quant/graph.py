"""The integer graph: the contract between training and hardware.

A graph is a sequence of frozen nodes in topological order. Every value is an integer tensor with a shape, a
:class:`~bitloom.quant.formats.Format` and, for people and for import only, a scale. :mod:`bitloom.quant.interpret`
gives the graph its meaning; :mod:`bitloom.quant.verifier` says whether a graph is well formed;
:mod:`bitloom.quant.serialize` keeps it in one file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from bitloom import RequestError

from .formats import Format


class GraphError(RequestError):
    """The integer graph breaks one of its rules; the message names the node, the rule and the value."""


def integers(values: object) -> np.ndarray:
    """``values`` as a read-only int64 array; :class:`GraphError` if any of them is not an integer."""
    array = np.asarray(values)
    if array.dtype.kind == "f":
        if not np.all(np.isfinite(array)) or not np.all(array == np.round(array)):
            raise GraphError("an integer tensor holds values that are not integers (NaN, infinite or fractional)")
    elif array.dtype.kind not in "iub":
        raise GraphError(f"an integer tensor cannot be made of {array.dtype}")
    array = array.astype(np.int64)
    array.setflags(write=False)
    return array


@dataclass(frozen=True)
class Tensor:
    """The type of one value: shape of one sample (no batch axis, channels last), format, and scale.

    ``scale`` (one float, or one per channel) times the integer is the real number it stands for; arithmetic never
    reads it.
    """

    shape: tuple[int, ...]
    format: Format
    scale: tuple[float, ...] = ()

    def __str__(self) -> str:
        return f"{self.format}[{'×'.join(map(str, self.shape))}]"


@dataclass(frozen=True, eq=False)
class Node:
    """One operation: its unique name, the names of the nodes it reads, and the type of what it computes."""

    name: str
    inputs: tuple[str, ...]
    output: Tensor

    @property
    def op(self) -> str:
        """The operator's name, as printed."""
        return type(self).__name__


@dataclass(frozen=True, eq=False)
class Input(Node):
    """The network's input: integers as the user supplies them (pixels, features), in ``output``'s format."""


@dataclass(frozen=True, eq=False)
class MatMul(Node):
    """y[o] = Σ_i weights[o, i] · x[i] + bias[o]; ``weights`` is int64 (outputs, inputs), ``bias`` (outputs,)."""

    weights: np.ndarray
    weight_format: Format
    bias: np.ndarray | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", integers(self.weights))
        if self.bias is not None:
            object.__setattr__(self, "bias", integers(self.bias))


@dataclass(frozen=True, eq=False)
class Threshold(Node):
    """y[c] = y_min + y_step · Σ_k [x[c] ≥ thresholds[c, k]]: requantization and any monotone activation at once.

    ``thresholds`` is int64 of shape (channels, levels), each row ascending; one row serves every channel alike.
    ``y_step`` is 2 for bipolar outputs and 1 otherwise.
    """

    thresholds: np.ndarray
    y_min: int = 0
    y_step: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "thresholds", integers(self.thresholds))


@dataclass(frozen=True, eq=False)
class ArgMax(Node):
    """The index of the greatest element along the last axis, the lowest index on ties; shape (1,)."""


@dataclass(frozen=True, eq=False)
class Graph:
    """A network of integers: named nodes in topological order, with one input and one output.

    ``classes`` optionally names the output's classes; ``metadata`` carries what people want to know (data set,
    accuracy, where the network came from) and is never read by arithmetic.
    """

    name: str
    nodes: tuple[Node, ...]
    output: str
    classes: tuple[str, ...] = ()
    metadata: dict[str, object] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __getitem__(self, name: str) -> Node:
        for node in self.nodes:
            if node.name == name:
                return node
        raise GraphError(f"graph {self.name!r} has no node {name!r}; it has {', '.join(n.name for n in self.nodes)}")

    @property
    def input(self) -> Input:
        """The graph's input node."""
        for node in self.nodes:
            if isinstance(node, Input):
                return node
        raise GraphError(f"graph {self.name!r} has no input")

    def users(self, name: str) -> tuple[Node, ...]:
        """The nodes that read the value ``name``."""
        return tuple(node for node in self.nodes if name in node.inputs)

    def with_nodes(self, nodes: list[Node] | tuple[Node, ...], output: str | None = None) -> Graph:
        """The same graph over other ``nodes``."""
        return replace(self, nodes=tuple(nodes), output=self.output if output is None else output)

    def __str__(self) -> str:
        lines = [f"graph {self.name}:"]
        for node in self.nodes:
            detail = ""
            if isinstance(node, MatMul):
                detail = f"  weights {node.weight_format}{list(node.weights.shape)}"
            elif isinstance(node, Threshold):
                detail = f"  {node.thresholds.shape[1]} levels from {node.y_min}"
            lines.append(f"  {node.name}: {node.output} = {node.op}({', '.join(node.inputs)}){detail}")
        return "\n".join([*lines, f"  return {self.output}"])
