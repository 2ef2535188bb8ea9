"""The nodes of a random graph as they are added one by one, and its quantizers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bitloom.quant import BIPOLAR, Format, Node, Range, Requantize, Table, Tensor, Threshold

FORMATS = (BIPOLAR, Format(2, True), *(Format(b) for b in range(1, 9)), *(Format(b, True) for b in range(2, 9)))
"""What quantizers give; the ternary −1 … 1 has the format of two signed bits."""

ODDS = np.array([6, 6, 5, 5, 5, 4, 1, 1, 1, 1, 2, 3, 3, 1, 1, 1, 1], float)
"""How often each of them is taken, relative to the others."""


class RandomNodes:
    """Nodes so far with the ranges of their values; each method adds to them and returns the new value's name."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.nodes: dict[str, Node] = {}
        self.ranges: dict[str, Range] = {}

    def shape(self, value: str) -> tuple[int, ...]:
        """The shape of a value."""
        return self.nodes[value].output.shape

    def format(self, value: str) -> Format:
        """The format of a value."""
        return self.nodes[value].output.format

    def _pick(self, options: Sequence[Any]) -> Any:
        return options[int(self.rng.integers(len(options)))]

    def _some(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high, endpoint=True))

    def _put(self, node: Node) -> str:
        self.ranges[node.name] = node.ranges(*(self.ranges[name] for name in node.inputs))
        self.nodes[node.name] = node
        return node.name

    def _add(self, operator: type[Node], *inputs: str, fmt: Format | None = None, **constants: object) -> str:
        """A node whose shape and, unless given, format (now and then too wide) follow from what it gives."""
        name = f"{operator.__name__.lower()}{len(self.nodes)}"
        node = operator(name, inputs, Tensor(self.shape(inputs[0]), Format(1)), **constants)
        lo, hi = node.ranges(*(self.ranges[value] for value in inputs))
        if fmt is None:
            fmt = Format.of_range(int(lo.min()), int(hi.max()))
            fmt = replace(fmt, bits=fmt.bits + (self._some(1, 3) if self.rng.random() < 0.2 else 0))
        return self._put(replace(node, output=Tensor(lo.shape, fmt)))

    def _quantized_format(self) -> Format:
        return FORMATS[int(self.rng.choice(len(FORMATS), p=ODDS / ODDS.sum()))]

    def _narrow(self, value: str, bits: int = 8) -> str:
        """The value, quantized if it has more than ``bits`` bits."""
        return value if self.format(value).bits <= bits else self._quantize(value)

    def _rows(self, value: str) -> tuple[np.ndarray, np.ndarray]:
        """Least and greatest value per channel, or of all in one row."""
        lo, hi = (bound.reshape(-1, bound.shape[-1]) for bound in self.ranges[value])
        lo, hi = lo.min(0), hi.max(0)
        return (lo, hi) if self.rng.random() < 0.7 else (lo.min(keepdims=True), hi.max(keepdims=True))

    def _quantize(self, value: str) -> str:
        """A threshold, a requantization or, of few bits, a table."""
        options = [self._threshold, self._threshold, self._requantize]
        if self.format(value).bits <= 6:
            options.append(self._table)
        return self._pick(options)(value)

    def _levels(self, fmt: Format) -> tuple[int, int]:
        """The least output and how many levels there are above it."""
        y_min = fmt.lo + (1 if fmt.signed and self.rng.random() < 0.7 else 0)
        return y_min, self._some(max(1, fmt.hi - y_min - 1), fmt.hi - y_min) if fmt.bits > 1 else 1

    def _threshold(self, value: str) -> str:
        fmt = self._quantized_format()
        lo, hi = self._rows(value)
        if fmt.bipolar:
            rows = self.rng.integers(lo - 1, hi + 2)[:, None]
            return self._add(Threshold, value, fmt=fmt, thresholds=rows, y_min=-1, y_step=2)
        y_min, levels = self._levels(fmt)
        if levels >= 4 and self.rng.random() < 0.6:
            rows = self._staircase(lo, hi, levels)
        else:
            rows = np.sort(self.rng.integers(lo - 1, hi + 2, (levels, len(lo))).T, axis=1)
        return self._add(Threshold, value, fmt=fmt, thresholds=rows, y_min=y_min)

    def _staircase(self, lo: np.ndarray, hi: np.ndarray, levels: int) -> np.ndarray:
        """Rows of a linear function, as the thresholds of a scale and an offset are."""
        slope = levels / np.maximum(1, hi - lo) * self.rng.uniform(0.6, 1.6, len(lo))
        if self.rng.random() < 0.5:
            slope = np.exp2(np.round(np.log2(slope)))
        start = lo + self.rng.uniform(0, 1, len(lo)) / slope
        return np.ceil(start[:, None] + np.arange(levels) / slope[:, None])

    def _requantize(self, value: str) -> str:
        fmt = self._quantized_format()
        fmt = Format(3, True) if fmt.bits < 2 else fmt
        lo, hi = self._rows(value)
        y_min, levels = self._levels(fmt)
        shift = self._some(0, 12)
        scale = levels / np.maximum(1, hi - lo) * self.rng.uniform(0.6, 1.6, len(lo)) * 2**shift
        multiplier = np.maximum(1, np.round(scale if self.rng.random() < 0.7 else scale[:1])).astype(np.int64)
        offset = (y_min << shift) - lo * multiplier + self.rng.integers(0, 1 << shift, len(lo))
        return self._add(Requantize, value, fmt=fmt, multiplier=multiplier, offset=offset, shift=shift,
                         y_min=y_min, y_max=y_min + levels, late=self._late(levels, multiplier, shift))

    def _late(self, levels: int, multiplier: np.ndarray, shift: int) -> np.ndarray | None:
        """Corrections of a line: of every other output, or random ones."""
        slack = min(self._some(0, 3), (1 << shift) // int(multiplier.max()))
        if not levels or not slack:
            return None
        if slack == 1:
            return np.arange(levels)[None] + int(self.rng.integers(2)) & 1
        return self.rng.integers(0, slack + 1, (len(multiplier), levels))

    def _table(self, value: str) -> str:
        value = self._narrow(value, 6)
        x, fmt = self.format(value), self._quantized_format()
        entries = (self._pick((1, self.shape(value)[-1])), x.hi - x.lo + 1)
        table = self.rng.choice([-1, 1], entries) if fmt.bipolar else self.rng.integers(fmt.lo, fmt.hi + 1, entries)
        if self.rng.random() < 0.4:
            table = np.sort(table, axis=1)
        return self._add(Table, value, fmt=fmt, table=table, x_min=x.lo)
