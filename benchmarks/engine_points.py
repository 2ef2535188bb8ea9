# amaranth: UnusedElaboratable=no
"""Random small points of the engines, for their cost entries: they vary what the crossover map does not."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
from amaranth.hdl import signed
from amaranth.lib.wiring import Component
from cost_points import KINDS, MEMORIES, activations, divisors
from crossover_points import DEVICES

from bitloom import hw

POINTS = 28
"""Per template and family."""


def components(template: str, family: str) -> list[Component]:
    """The points of ``template`` on ``family``, the same in each run."""
    rng, numbers = random.Random(template), np.random.default_rng(7)
    return [_MAKERS[template](rng, numbers, family) for _ in range(POINTS)]


def _common(rng: random.Random, lanes: list[int]) -> tuple[int, dict]:
    """Outputs, and the parameters that all engines have."""
    n = rng.choice([4, 8, 10, 12, 24, 32, 64])
    shape, bipolar = activations(rng)
    return n, {"pe": rng.choice(divisors(n, max(lanes))), "activation": shape, "accumulator": signed(shape.width + 14),
               "bipolar_activation": bipolar, "memory": rng.choice(MEMORIES)}  # fmt: skip


def _table(rng: random.Random, numbers: np.random.Generator, family: str) -> Component:
    n, common = _common(rng, [1, 2, 4, 8])
    k, group = rng.choice([8, 16, 24, 48, 64, 144]), rng.choice([2, 2, 3, 3, 4])
    folds = n // common["pe"]
    if folds < (3**group + 1) // 2:  # many adders at once: few tables
        group = 2
    tables = max(1, rng.choice([k // 8, k // 4, k // 2, k]) // group)
    tables = min(tables, 6 if folds < (3**group + 1) // 2 else 24, -(-k // group))
    whole = group * tables
    lanes = [d for d in divisors(k, k) if whole >= k or whole % d == 0]
    simd = next((d for d in lanes if d * folds >= min(whole, k)), lanes[-1])
    return hw.TableMatVec(numbers.integers(-1, 2, (n, k)), simd=simd, group=group, tables=tables,
                          table_memory="registers" if family == "ice40" else "auto", **common)


def _weights(rng: random.Random, numbers: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    kind = rng.choice(list(KINDS))
    most = KINDS[kind]
    return numbers.choice([-1, 1], shape) if kind == "binary" else numbers.integers(-most, most + 1, shape)


def _serial(rng: random.Random, numbers: np.random.Generator, family: str) -> Component:
    n, common = _common(rng, [1, 2, 4, 8])
    k = rng.choice([8, 16, 24, 48, 64, 144])
    return hw.BitSerialMatVec(_weights(rng, numbers, (n, k)), simd=rng.choice(divisors(k, 64)), **common)


def _packed(rng: random.Random, numbers: np.random.Generator, family: str) -> Component:
    n, common = _common(rng, [1, 2, 4, 8])
    k = rng.choice([8, 16, 24, 48, 64, 144])
    return hw.PackedMatVec(_weights(rng, numbers, (n, k)), simd=rng.choice(divisors(k, 16)), device=DEVICES[family],
                           **common)


_MAKERS: dict[str, Callable[[random.Random, np.random.Generator, str], Component]] = {
    "TableMatVec": _table, "BitSerialMatVec": _serial, "PackedMatVec": _packed}  # fmt: skip
