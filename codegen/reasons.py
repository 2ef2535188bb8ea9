"""Why a template does not serve a node, in words."""

from __future__ import annotations

from bitloom.quant import Graph, MatMul, Node, Requantize, Table, Threshold, Window

from .engines import ENGINES
from .mapping import COMPARED_MOST, PATCH_BITS, SEARCH_LEVELS

NAMES = ("Window", "PatchWindow", "Depthwise", "Pool", "GlobalPool", "Pad", "Add", "Concat", "Upsample",
         "DepthToSpace", "Threshold", "ThresholdSearch", "Requantizer", "Table", "ArgMax", *ENGINES)
"""All templates that serve nodes."""


def why_not(graph: Graph, node: Node, template: object) -> str:
    """Why ``template`` cannot serve ``node``, which others do."""
    if template not in NAMES:
        return "there is no such template"
    if isinstance(node, Threshold) and template == "ThresholdSearch":
        return (f"a search takes {SEARCH_LEVELS} levels or more in steps of 1, and {node.name} has "
                f"{node.thresholds.shape[1]} in steps of {node.y_step}")
    if isinstance(node, Threshold) and template == "Threshold":
        return f"comparisons serve {COMPARED_MOST:,} levels at most, and {node.name} has {node.thresholds.shape[1]:,}"
    if isinstance(node, Requantize) and template in ("Threshold", "ThresholdSearch", "Table"):
        return f"the levels of {node.name} lie on a line, which takes no memory of thresholds"
    if isinstance(node, Threshold | Table) and template == "Requantizer":
        return f"the levels of {node.name} are few, or lie on no line"
    if isinstance(node, Threshold | Table) and template in ("ThresholdSearch", "Threshold", "Table"):
        return f"{node.name} is a {node.op} after the passes: few levels are compared, few values looked up"
    if isinstance(node, Window) and template == "PatchWindow":
        bits = node.output.shape[-1] * node.output.format.bits
        return f"a patch in one beat is in one group and of {PATCH_BITS} bits at most, not {node.groups} and {bits:,}"
    if isinstance(node, MatMul) and template in ENGINES:
        return _engine(node, str(template))
    return f"it serves no {node.op}"


def _engine(node: MatMul, template: str) -> str:
    if node.groups > 1:
        return f"it takes products of one group, not of {node.groups}"
    least, most = int(node.weights.min()), int(node.weights.max())
    limits = {"TableMatVec": "it takes weights of −1 … 1", "BitSerialMatVec": "it takes weights of 8 bits at most",
              "PackedMatVec": "no multiplier of the device takes these weights and activations"}
    return f"{limits.get(template, 'it serves others')}, not {least} … {most}"
