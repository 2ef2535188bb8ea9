"""The integer graph: the contract between training and hardware.

A graph is a sequence of frozen nodes in topological order: a directed acyclic graph, since a value may have several
readers. Every value is an integer tensor with a shape, a :class:`~bitloom.quant.formats.Format` and, for people and for
import only, a scale. :mod:`bitloom.quant.operators` holds the operations, :mod:`bitloom.quant.interpret` runs a graph,
:mod:`bitloom.quant.verifier` says whether it is well formed, :mod:`bitloom.quant.serialize` keeps it in one file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import ClassVar, NoReturn

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


Range = tuple[np.ndarray, np.ndarray]
"""The least and the greatest value of each element: two int64 arrays of a tensor's shape."""


@dataclass(frozen=True, eq=False)
class Node:
    """One operation: its unique name, the names of the nodes it reads, and the type of what it computes.

    An operator is one file in :mod:`bitloom.quant.operators`: a frozen subclass that says which operands it accepts
    (:meth:`check`), what it computes (:meth:`evaluate`) and which values can come out (:meth:`ranges`).
    """

    name: str
    inputs: tuple[str, ...]
    output: Tensor

    ARITY: ClassVar[int | None] = 1
    """How many values the operator reads; None is two or more."""

    @property
    def op(self) -> str:
        """The operator's name, as printed."""
        return type(self).__name__

    def fail(self, rule: str) -> NoReturn:
        """Raise :class:`GraphError`: this node breaks ``rule``."""
        raise GraphError(f"node {self.name!r}: {rule}")

    def check(self, *operands: Tensor) -> None:
        """Refuse constants, operands or an output type that break the operator's rules."""
        raise NotImplementedError

    def evaluate(self, *operands: np.ndarray) -> np.ndarray:
        """What the node computes from operands of shape (samples, *tensor shape), int64: the reference."""
        raise NotImplementedError

    def ranges(self, *operands: Range) -> Range:
        """The exact least and greatest value of each element, given those of the operands' elements."""
        raise NotImplementedError

    def details(self) -> str:
        """What the operator's constants are, in a few words."""
        return ""


@dataclass(frozen=True, eq=False)
class Input(Node):
    """The network's input: integers as the user supplies them (pixels, features), in ``output``'s format."""

    ARITY: ClassVar[int | None] = 0

    def check(self, *operands: Tensor) -> None:
        """Nothing to check."""

    def ranges(self, *operands: Range) -> Range:
        """Every value of the format."""
        shape, f = self.output.shape, self.output.format
        return np.full(shape, f.lo), np.full(shape, f.hi)


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
            detail = f"  {node.details()}" if node.details() else ""
            lines.append(f"  {node.name}: {node.output} = {node.op}({', '.join(node.inputs)}){detail}")
        return "\n".join([*lines, f"  return {self.output}"])
