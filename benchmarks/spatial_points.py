# amaranth: UnusedElaboratable=no
"""Random points of the templates over positions, for the cost model (:mod:`cost_model`)."""

from __future__ import annotations

import random

import numpy as np
from amaranth.hdl import signed, unsigned
from amaranth.lib.wiring import Component

from bitloom.hw import DepthToSpace, Depthwise, GlobalPool, Pad, PatchWindow, Pool, Upsample, Window

MAGNITUDES = [1, 1, 3, 7, 31]
"""Greatest magnitudes of weights."""


def lanes_of(rng: random.Random, channels: int) -> int:
    """Random lanes for so many channels."""
    return rng.choice([lanes for lanes in range(1, 9) if channels % lanes == 0])


def spatial(rng: random.Random) -> tuple[tuple[int, ...], int, int, int]:
    """A random map: size, channels, lanes, and the bits of an element."""
    size = rng.choice([(8, 8), (12, 16), (16, 16), (28, 28), (40,), (128,)])
    channels = rng.choice([1, 4, 8, 12, 16, 32])
    return size, channels, lanes_of(rng, channels), rng.choice([1, 2, 3, 4, 8])


def kernel_of(rng: random.Random, dims: int, most: int = 5) -> tuple[int, ...]:
    """A random window: square, or flat once in four."""
    k = rng.choice([1, 2, 3, 3, most])
    return (1,) * (dims - 1) + (k,) if rng.random() < 0.25 else (k,) * dims


def window(rng: random.Random, numbers: np.random.Generator) -> Component:
    """A random window unit; one in four with groups of channels."""
    size, channels, lanes, bits = spatial(rng)
    dims, stride = len(size), rng.choice([1, 1, 2])
    groups = channels // lanes if rng.random() < 0.25 else 1
    dilation = rng.choice([1, 1, 2]) if size[-1] > 16 else 1
    return Window(size, channels, lanes=lanes, element=unsigned(bits), kernel=kernel_of(rng, dims),
                  stride=(stride,) * dims, dilation=(dilation,) * dims, groups=groups)


def patch_window(rng: random.Random, numbers: np.random.Generator) -> Component:
    """A random window unit that gives whole patches."""
    size = rng.choice([(8, 8), (12, 16), (28, 28), (28, 28), (64, 64), (128,)])
    channels, bits, stride = rng.choice([1, 1, 2, 3, 4, 8]), rng.choice([1, 2, 3, 4, 8]), rng.choice([1, 1, 2])
    return PatchWindow(size, channels, element=unsigned(bits), kernel=kernel_of(rng, len(size)),
                       stride=(stride,) * len(size), dilation=(rng.choice([1, 1, 1, 2]),) * len(size),
                       memory=rng.choice(["auto", "auto", "registers"]) if size[-1] < 64 else "auto")


def pool(rng: random.Random, numbers: np.random.Generator) -> Component:
    """A random pooling unit."""
    size, channels, lanes, bits = spatial(rng)
    kind, kernel = rng.choice(["max", "sum"]), kernel_of(rng, len(size), 4)
    shape, wide = rng.choice([(unsigned(bits), unsigned(bits + 4)), (signed(bits + 1), signed(bits + 5))])
    return Pool(kind, size, channels, lanes=lanes, input=shape, output=shape if kind == "max" else wide,
                kernel=kernel, stride=rng.choice([kernel, (1,) * len(size)]))


def global_pool(rng: random.Random, numbers: np.random.Generator) -> Component:
    """A random global pooling unit."""
    size, channels, lanes, bits = spatial(rng)
    kind = rng.choice(["max", "sum"])
    shape, wide = rng.choice([(unsigned(bits), unsigned(bits + 10)), (signed(bits + 1), signed(bits + 11))])
    return GlobalPool(kind, size, channels, lanes=lanes, input=shape, output=shape if kind == "max" else wide)


def depthwise(rng: random.Random, numbers: np.random.Generator) -> Component:
    """A random depthwise convolution; one in five with weights of −1 and +1."""
    size, channels, lanes, bits = spatial(rng)
    kernel, stride, most = kernel_of(rng, len(size)), rng.choice([1, 1, 2]), rng.choice(MAGNITUDES)
    shape, binary = (channels, *kernel), rng.random() < 0.2
    weights = numbers.choice([-1, 1], shape) if binary else numbers.integers(-most, most + 1, shape)
    return Depthwise(weights, size, lanes=lanes, activation=unsigned(bits), accumulator=signed(bits + 12),
                     stride=(stride,) * len(size), dilation=(1,) * len(size),
                     bipolar_activation=bits == 1 and rng.random() < 0.5, memory=rng.choice(["block", "distributed"]))


def pad(rng: random.Random, numbers: np.random.Generator) -> Component:
    """A random border; one in four only after the map, one in four of bipolar elements in a wider format."""
    size, channels, lanes, bits = spatial(rng)
    kind = rng.random()
    padding = tuple((0 if kind < 0.25 else rng.choice([1, 2]), rng.choice([0, 1, 2])) for _ in size)
    if kind > 0.75:
        return Pad(size, channels, lanes=lanes, input=unsigned(1), output=signed(2), padding=padding, value=0,
                   bipolar=True)
    return Pad(size, channels, lanes=lanes, input=unsigned(bits), output=unsigned(bits), padding=padding, value=0)


def upsample(rng: random.Random, numbers: np.random.Generator) -> Component:
    """A random upsampling unit."""
    size, channels, lanes, bits = spatial(rng)
    factors = rng.choice([(2,), (3,)]) if len(size) == 1 else rng.choice([(2, 2), (2, 2), (1, 2), (3, 3)])
    return Upsample(size, channels, lanes=lanes, element=unsigned(bits), factors=factors)


def depth_to_space(rng: random.Random, numbers: np.random.Generator) -> Component:
    """A random rearrangement of channels."""
    block, left, mode = rng.choice([2, 2, 3]), rng.choice([1, 2, 4, 8]), rng.choice(["DCR", "DCR", "CRD"])
    return DepthToSpace(rng.choice([(4, 4), (8, 8), (12, 16)]), left * block**2, block=block, mode=mode,
                        lanes=lanes_of(rng, left) if mode == "DCR" else 1,
                        element=unsigned(rng.choice([1, 2, 3, 4, 8])))


TEMPLATES = {
    "Window": window,
    "PatchWindow": patch_window,
    "Pool": pool,
    "GlobalPool": global_pool,
    "Depthwise": depthwise,
    "Pad": pad,
    "Upsample": upsample,
    "DepthToSpace": depth_to_space,
}
"""What makes a random instance of each."""
