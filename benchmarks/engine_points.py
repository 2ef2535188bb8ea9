# amaranth: UnusedElaboratable=no
"""Random small points of the engines, for their cost entries: they vary what the crossover map does not."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
from amaranth.hdl import signed
from amaranth.lib.wiring import Component
from cost_points import MEMORIES, activations, divisors, weights
from crossover_points import DEVICES

from bitloom import hw
from bitloom.codegen.engines import table_lanes
from bitloom.hw.lookup.trit_codes import entries

POINTS = 28
"""Per template and family."""


def components(template: str, family: str) -> list[Component]:
    """The points of ``template`` on ``family``, the same in each run."""
    rng, numbers = random.Random(template), np.random.default_rng(7)
    return [_MAKERS[template](rng, numbers, family) for _ in range(POINTS)]


def _common(rng: random.Random) -> tuple[int, dict]:
    """Outputs, and the parameters that all engines have."""
    n = rng.choice([4, 8, 10, 12, 24, 32, 64])
    shape, bipolar = activations(rng)
    return n, {"pe": rng.choice(divisors(n, 8)), "activation": shape, "accumulator": signed(shape.width + 14),
               "bipolar_activation": bipolar, "memory": rng.choice(MEMORIES)}  # fmt: skip


def _table(rng: random.Random, numbers: np.random.Generator, family: str) -> Component:
    n, common = _common(rng)
    k, group = rng.choice([8, 16, 24, 48, 64, 144]), rng.choice([2, 2, 3, 3, 4])
    folds = n // common["pe"]
    if folds < entries(group):  # many adders at once: few tables
        group = 2
    tables = max(1, rng.choice([k // 8, k // 4, k // 2, k]) // group)
    tables = min(tables, 6 if folds < entries(group) else 24, -(-k // group))
    return hw.TableMatVec(numbers.integers(-1, 2, (n, k)), simd=table_lanes(k, folds, group * tables), group=group,
                          tables=tables, table_memory="registers" if family == "ice40" else "auto", **common)


def _serial(rng: random.Random, numbers: np.random.Generator, family: str) -> Component:
    n, common = _common(rng)
    k = rng.choice([8, 16, 24, 48, 64, 144])
    return hw.BitSerialMatVec(weights(rng, numbers, (n, k)), simd=rng.choice(divisors(k, 64)), **common)


def _packed(rng: random.Random, numbers: np.random.Generator, family: str) -> Component:
    n, common = _common(rng)
    k = rng.choice([8, 16, 24, 48, 64, 144])
    return hw.PackedMatVec(weights(rng, numbers, (n, k)), simd=rng.choice(divisors(k, 16)), device=DEVICES[family],
                           **common)


_MAKERS: dict[str, Callable[[random.Random, np.random.Generator, str], Component]] = {
    "TableMatVec": _table, "BitSerialMatVec": _serial, "PackedMatVec": _packed}  # fmt: skip
