# amaranth: UnusedElaboratable=no
"""Evaluating the cost model."""

from __future__ import annotations

from functools import cache, lru_cache
from importlib.resources import files
from math import gcd

import yaml
from amaranth.hdl import unsigned

from bitloom import RequestError, hw
from bitloom.hw import StreamFIFO, WidthConverter
from bitloom.hw.component import Component
from bitloom.quant import Graph, Node

from ..families import Family, Resources
from ..instances import unit
from ..mapping import Folding

Coefficients = dict[str, dict[str, float]]


@cache
def coefficients(family: str) -> dict[str, Coefficients]:
    """The fitted coefficients of a family: template → ``lut`` or ``ff`` → feature → count per unit of the feature."""
    source = files("bitloom.codegen.cost") / f"{family}.yaml"
    if not source.is_file():
        raise RequestError(f"family {family!r} has no cost entries; fit them with benchmarks/cost_model.py")
    return yaml.safe_load(source.read_text())["templates"]


def known(family: Family, template: str) -> bool:
    """Whether there are entries for this template."""
    return template in coefficients(family.name)


def predict(family: Family, component: Component) -> Resources:
    """What ``component`` will need on ``family`` (an estimate)."""
    features = {**component.features(), "unit": 1.0}
    template = type(component).__name__
    if not known(family, template):
        raise RequestError(f"family {family.name!r} has no cost entries for the template {template}; fit them with "
                           f"benchmarks/cost_model.py --families {family.name} --templates {template}")
    table = coefficients(family.name)[template]
    lut, ff = (sum(weight * features.get(name, 0) for name, weight in table[kind].items()) for kind in ("lut", "ff"))
    return Resources(lut=lut, ff=ff, bram=blocks(family, component), dsp=features.get("multipliers", 0))


def blocks(family: Family, component: Component) -> int:
    """How many block memories the ROMs and the buffers of ``component`` will take."""
    roms = [(rom.depth, rom.width) for rom in component.roms().values() if rom.memory == "block" and rom.depth > 1]
    buffers = [(depth, width) for depth, width, kind in component.buffers if kind == "block"]
    return sum(family.blocks(depth, width) for depth, width in roms + buffers)


@lru_cache(maxsize=1 << 14)
def estimate(family: Family, graph: Graph, node: Node, folding: Folding) -> Resources:
    """What the unit of ``node`` in ``graph``, folded like this, will need on ``family``."""
    return predict(family, unit(graph, node, folding, family))


@lru_cache(maxsize=1 << 14)
def link(family: Family, a: int, b: int, bits: int) -> Resources:
    """What the link from ``a`` to ``b`` lanes of ``bits`` bits will need on ``family``."""
    step = gcd(a, b)
    total = Resources()
    for lanes_in, lanes_out in ((a, step), (step, b)):
        if lanes_in != lanes_out:
            total = total + predict(family, WidthConverter(unsigned(bits), lanes_in, lanes_out))
    return total


@lru_cache(maxsize=1 << 12)
def queue(family: Family, depth: int, bits: int) -> Resources:
    """What a queue of ``depth`` beats of ``bits`` bits will need on ``family``."""
    return predict(family, StreamFIFO(unsigned(bits), depth))


@lru_cache(maxsize=1 << 12)
def fork(family: Family, bits: int, copies: int) -> Resources:
    """What a fork of beats of ``bits`` bits will need on ``family``."""
    return predict(family, hw.Fork(unsigned(1), bits, copies))
