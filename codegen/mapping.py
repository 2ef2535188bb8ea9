# amaranth: UnusedElaboratable=no
"""Mapping: which template serves a node, and with which parameters."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from amaranth.hdl import Shape
from amaranth.lib.wiring import Component

from bitloom import RequestError
from bitloom.hw import ArgMax as ArgMaxUnit
from bitloom.hw import MatVec
from bitloom.hw import Threshold as ThresholdUnit
from bitloom.quant import ArgMax, Format, Graph, MatMul, Node, Threshold

from .passes import value_ranges

TEMPLATES: dict[type[Node], str] = {MatMul: "MatVec", Threshold: "Threshold", ArgMax: "ArgMax"}
"""The template that serves each operator."""


@dataclass(frozen=True)
class Folding:
    """How a unit is folded: ``pe`` output lanes, ``simd`` input lanes, and where its constants live.

    Units other than the matrix–vector unit work on whole lanes: their ``pe`` equals their ``simd``.
    """

    pe: int
    simd: int
    memory: str = "auto"


def shape_of(value_format: Format) -> Shape:
    """The Amaranth shape of a format; a bipolar value is one unsigned bit."""
    return Shape(value_format.bits, value_format.signed and not value_format.bipolar)


def elements(graph: Graph, name: str) -> int:
    """How many elements one sample of the value ``name`` has."""
    return prod(graph[name].output.shape)


def unit(graph: Graph, node: Node, folding: Folding) -> Component:
    """The template instance that computes ``node`` of ``graph`` with this folding."""
    operand = graph[node.inputs[0]].output
    inputs = elements(graph, node.inputs[0])
    if isinstance(node, MatMul):
        return MatVec(
            node.weights,
            pe=folding.pe,
            simd=folding.simd,
            activation=shape_of(operand.format),
            accumulator=shape_of(node.output.format),
            bipolar_activation=operand.format.bipolar,
            activation_range=value_ranges(graph)[node.inputs[0]],
            bias=node.bias,
            memory=folding.memory,
        )
    if isinstance(node, Threshold):
        if operand.format.bipolar:
            raise RequestError(f"node {node.name!r}: a threshold of bipolar values does nothing; leave it out")
        return ThresholdUnit(
            node.thresholds,
            channels=inputs,
            lanes=folding.pe,
            input=shape_of(operand.format),
            output=shape_of(node.output.format),
            y_min=node.y_min,
            y_step=node.y_step,
            memory=folding.memory,
        )
    if isinstance(node, ArgMax):
        return ArgMaxUnit(inputs, lanes=folding.pe, input=shape_of(operand.format))
    raise RequestError(f"node {node.name!r}: no template serves operator {node.op}; those served are "
                       f"{', '.join(cls.__name__ for cls in TEMPLATES)}")
