"""Random valid graphs with branches, over every operator, small enough to simulate in seconds.

``random_dag(seed)`` adds one random step after the other to the current value: a layer (matrix product or convolution,
now and then a pooling behind it, then a quantizer), a move of values, a residual sum, a concatenation of branches.
Every format is wide enough by range analysis, some wider than need be; sizes are odd ones on purpose. What every step
needs, and the quantizers, are in :mod:`support.random_nodes`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import gcd, prod

import numpy as np

from bitloom.quant import (
    BIPOLAR,
    Add,
    ArgMax,
    Concat,
    Conv,
    DepthToSpace,
    Format,
    Graph,
    Input,
    MatMul,
    Pad,
    Pool,
    Reshape,
    Tensor,
    Upsample,
    verify,
)

from .random_nodes import RandomNodes


@dataclass(frozen=True)
class Size:
    """Bounds of a random graph: products in all, elements of any value, steps, channels, positions on an axis."""

    macs: int
    elements: int
    steps: tuple[int, int]
    channels: int = 6
    side: int = 9


SIZES = {
    "tiny": Size(400, 60, (2, 4), 4, 5),
    "small": Size(2500, 180, (3, 7)),
    "large": Size(40_000, 1500, (5, 12), 12, 16),
}


def random_dag(seed: int, *, size: str = "small") -> Graph:
    """A verified graph of random operators; ``size`` is ``tiny``, ``small`` or ``large``."""
    return _Builder(np.random.default_rng([seed, 17]), SIZES[size]).graph(f"dag{seed}")


class _Builder(RandomNodes):
    """Layers, moves of values and branches within the bounds of a size."""

    def __init__(self, rng: np.random.Generator, size: Size) -> None:
        super().__init__(rng)
        self.size = size
        self.macs = 0

    def graph(self, name: str) -> Graph:
        """The whole graph: input, steps, at least one matrix product, now and then the greatest index."""
        value = self._input()
        moves: tuple[Callable[[str], str | None], ...] = (
            self._layer, self._layer, self._residual, self._concat, self._pad, self._upsample, self._depth_to_space,
            self._reshape, self._pool, self._quantize, self._table,
        )
        for _ in range(int(self.rng.integers(*self.size.steps, endpoint=True))):
            value = self._pick(moves)(value) or value
        if not any(isinstance(node, MatMul | Conv) for node in self.nodes.values()) or self.rng.random() < 0.5:
            value = self._matmul(self._narrow(value))
        if self.rng.random() < 0.4:
            shape = self.shape(value)
            index = Tensor((*shape[:-1], 1), Format.of_range(0, shape[-1] - 1))
            value = self._put(ArgMax("class", (value,), index))
        return verify(Graph(name, tuple(self.nodes.values()), value))

    def _input(self) -> str:
        dims = self._pick((1, 2, 2, 3, 3, 3, 3))
        while True:
            spatial = (self._some(1, self.size.side) for _ in range(dims - 1))
            shape = (*spatial, self._some(1, self.size.channels + (6 if dims == 1 else 0)))
            if prod(shape) <= self.size.elements:
                break
        fmt = self._quantized_format()
        return self._put(Input("x", (), Tensor(shape, fmt)))

    def _fits(self, macs: int, *shape: int) -> bool:
        return self.macs + macs <= self.size.macs and prod(shape) <= self.size.elements

    def _weights(self, shape: tuple[int, ...]) -> dict[str, object]:
        """Weights, their format and a bias or none."""
        fmt = self._pick((BIPOLAR, Format(2, True), Format(2, True), Format(3, True), Format(4, True), Format(8, True)))
        weights = self.rng.integers(-fmt.hi, fmt.hi + 1, shape) if not fmt.bipolar else self.rng.choice([-1, 1], shape)
        bias = self.rng.integers(-20, 21, shape[0]) if self.rng.random() < 0.5 else None
        return {"weights": weights, "weight_format": fmt, "bias": bias}

    def _layer(self, value: str) -> str:
        value = self._narrow(value)
        value = self._pick((self._matmul, self._conv, self._conv, self._depthwise))(value)
        if self.rng.random() < 0.3:
            value = self._pool(value, "max") or value
        return self._quantize(value) if self.rng.random() < 0.85 else value

    def _matmul(self, value: str, outputs: int = 0) -> str:
        *positions, inputs = self.shape(value)
        outputs = outputs or self._some(1, self.size.channels)
        if not self._fits(prod(positions) * inputs * outputs, *positions, outputs):
            outputs = 1
        groups = self._pick([g for g in range(1, inputs + 1) if gcd(inputs, outputs) % g == 0])
        self.macs += prod(positions) * inputs // groups * outputs
        return self._add(MatMul, value, groups=groups, **self._weights((outputs, inputs // groups)))

    def _windows(self, spatial: tuple[int, ...], dilate: bool = True) -> dict[str, tuple[int, ...]]:
        """Kernel, stride and dilation that fit, small mostly; one in six covers the whole."""
        if self.rng.random() < 1 / 6:
            return {"kernel": spatial, "stride": (1,) * len(spatial), "dilation": (1,) * len(spatial)}
        kernel = tuple(self._some(1, min(3, n)) for n in spatial)
        most = (2 if dilate and k > 1 and 2 * (k - 1) < n else 1 for n, k in zip(spatial, kernel))
        dilation = tuple(self._some(1, d) for d in most)
        return {"kernel": kernel, "stride": tuple(self._pick((1, 1, 2, 3)) for _ in spatial), "dilation": dilation}

    def _conv(self, value: str, depthwise: bool = False) -> str:
        *spatial, inputs = self.shape(value)
        if not spatial:
            return self._matmul(value)
        windows = self._windows(tuple(spatial))
        kernel = windows.pop("kernel")
        outputs = inputs if depthwise else self._some(1, self.size.channels)
        options = [inputs] if depthwise else [g for g in range(1, inputs + 1) if gcd(inputs, outputs) % g == 0]
        groups = self._pick(options)
        macs = prod(spatial) * prod(kernel) * inputs // groups * outputs
        if not self._fits(macs, *spatial, outputs):
            return self._matmul(value)
        self.macs += macs
        return self._add(Conv, value, groups=groups, **windows, **self._weights((outputs, *kernel, inputs // groups)))

    def _depthwise(self, value: str) -> str:
        return self._conv(value, depthwise=True)

    def _pool(self, value: str, kind: str = "") -> str | None:
        *spatial, _ = self.shape(value)
        if not spatial:
            return None
        kind = kind or self._pick(("max", "sum"))
        value = value if kind == "max" else self._narrow(value, 12)
        windows = self._windows(tuple(spatial), dilate=False)
        fmt = self.format(value) if kind == "max" else None
        return self._add(Pool, value, fmt=fmt, kind=kind, kernel=windows["kernel"], stride=windows["stride"])

    def _pad(self, value: str) -> str | None:
        *spatial, channels = self.shape(value)
        padding = tuple((self._some(0, 2), self._some(0, 2)) for _ in spatial)
        if not spatial or not self._fits(0, *(n + sum(p) for n, p in zip(spatial, padding)), channels):
            return None
        x = self.format(value)
        border = int(self._pick((0, x.lo, x.hi, self._some(x.lo - 1, x.hi + 1))))
        keeps = x.holds(np.array([border]))
        fmt = x if keeps else Format.of_range(min(x.lo, border), max(x.hi, border))
        return self._add(Pad, value, fmt=fmt, padding=padding, value=border)

    def _upsample(self, value: str) -> str | None:
        *spatial, channels = self.shape(value)
        factors = tuple(self._some(1, 3) for _ in spatial)
        if not spatial or not self._fits(0, *(n * f for n, f in zip(spatial, factors)), channels):
            return None
        return self._add(Upsample, value, fmt=self.format(value), factors=factors)

    def _depth_to_space(self, value: str) -> str | None:
        *spatial, channels = self.shape(value)
        block = self._pick((1, 2, 2, 2, 3))
        if len(spatial) != 2 or not self._fits(0, *spatial, block**2):
            return None
        if channels % block**2:
            value = self._quantize(self._matmul(self._narrow(value), block**2))
            if self.shape(value)[-1] % block**2:
                return value
        return self._add(DepthToSpace, value, fmt=self.format(value), block=block, mode=self._pick(("DCR", "CRD")))

    def _reshape(self, value: str) -> str:
        *spatial, channels = self.shape(value)
        size = prod(spatial)
        splits = [(size, channels), (size * channels,), (1, size, channels)]
        splits += [(size // n, n, channels) for n in (2, 3, 5) if size % n == 0]
        splits += [(*spatial, n, channels // n) for n in (2, 3) if channels % n == 0 and len(spatial) < 2]
        shape = self._pick(splits)
        return self._put(Reshape(f"reshape{len(self.nodes)}", (value,), Tensor(shape, self.format(value))))

    def _branch(self, value: str, channels: int) -> str:
        """A value of the same positions with ``channels`` channels (or one), quantized or not."""
        if self.shape(value)[-1] != channels or self.rng.random() < 0.7:
            value = self._matmul(self._narrow(value), channels)
        return self._quantize(value) if self.rng.random() < 0.7 else value

    def _residual(self, value: str) -> str:
        value = self._narrow(value)
        channels = self.shape(value)[-1]
        other = self._branch(value, channels)
        skip = value if self.rng.random() < 0.6 else self._branch(value, channels)
        if self.shape(other) != self.shape(skip):
            return other
        signs = self.rng.choice([1, 1, 1, -1], 2)
        high = self._pick((1, 4, 40, 300))
        multipliers = tuple(int(s) * self._some(1, high) for s in signs)
        inputs = (other, skip) if self.rng.random() < 0.5 else (skip, other)
        return self._quantize(self._add(Add, *inputs, multipliers=multipliers))

    def _concat(self, value: str) -> str | None:
        *positions, _ = self.shape(value)
        value = self._narrow(value)
        parts = [self._branch(value, self._some(1, 3)) for _ in range(self._some(1, 2))]
        parts.append(value)
        if not self._fits(0, *positions, sum(self.shape(part)[-1] for part in parts)):
            return parts[0]
        order = [parts[i] for i in self.rng.permutation(len(parts))]
        formats = [self.format(part) for part in order]
        every = all(f.bipolar for f in formats)
        fmt = BIPOLAR if every else Format.of_range(min(f.lo for f in formats), max(f.hi for f in formats))
        return self._add(Concat, *order, fmt=fmt)
