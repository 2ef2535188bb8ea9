# amaranth: UnusedElaboratable=no
"""Table: bits, folding, timing.

| testpoint | stage | test |
| --- | --- | --- |
| every input of every channel, over formats, lanes, memories; stalls change no bit | full | test_every_input |
| every stored word is read | smoke | test_words |
| every ready and valid follows the control | full | test_control |
| one beat per cycle, the first one `depth` cycles later | smoke | test_timing |
| a block memory holds a big table, without registers beside it | full | test_synthesis |
| bad parameters are refused | smoke | test_errors |
"""

import re

import numpy as np
import pytest
from amaranth.hdl import signed, unsigned
from support.control import STALLS, assert_follows

from bitloom.hw import Table
from bitloom.hw.parameters import bounds
from bitloom.quant.formats import Format
from bitloom.quant.graph import Tensor
from bitloom.quant.operators import Table as Operator

BIPOLAR = "bipolar"
POINTS = [
    (unsigned(3), signed(5), 1),
    (unsigned(3), signed(5), 6),
    (signed(4), unsigned(2), 6),
    (signed(1), signed(1), 6),
    (unsigned(1), BIPOLAR, 6),
    (BIPOLAR, unsigned(4), 6),
    (BIPOLAR, BIPOLAR, 1),
    (signed(7), signed(9), 1),
]


def ends(kind):
    return (-1, 1) if kind == BIPOLAR else bounds(kind)


def values(rng, kind, shape):
    return rng.choice([-1, 1], shape) if kind == BIPOLAR else rng.integers(ends(kind)[0], ends(kind)[1] + 1, shape)


def table(kind, output, rows, channels=6, lanes=2, **options):
    lo, hi = ends(kind)
    entries = values(np.random.default_rng(rows), output, (rows, hi - lo + 1))
    shapes = [unsigned(1) if shape == BIPOLAR else shape for shape in (kind, output)]
    return Table(entries, channels=channels, lanes=lanes, input=shapes[0], output=shapes[1], x_min=lo,
                 bipolar_input=kind == BIPOLAR, bipolar_output=output == BIPOLAR, **options)  # fmt: skip


def run(drive, unit, x, **stalls):
    return drive(unit, x, unit.channels, i_shape=unit.input, i_lanes=unit.lanes, o_shape=unit.output,
                 o_lanes=unit.lanes, bipolar=(unit.bipolar_input, unit.bipolar_output), **stalls)  # fmt: skip


def every_input(kind, channels=6):
    lo, hi = ends(kind)
    return np.stack([np.roll(np.arange(lo, hi + 1, 2 if kind == BIPOLAR else 1), c) for c in range(channels)], axis=1)


@pytest.mark.parametrize(("kind", "output", "rows"), POINTS)
def test_every_input(drive, gaps, kind, output, rows):
    x = every_input(kind)
    for lanes, memory, stalls in [(1, "block", "none"), (2, "distributed", "random"), (6, "auto", "heavy")]:
        unit = table(kind, output, rows, lanes=lanes, memory=memory)
        tensor = Tensor((6,), Format(12, signed=True))
        expected = Operator("y", ("x",), tensor, unit.table, unit.x_min).evaluate(x)
        done = run(drive, unit, x, i_gap=gaps(stalls, 1), o_gap=gaps(stalls, 2))
        assert np.array_equal(done.y, expected)
        assert np.array_equal(unit.model(x), expected)


def test_words():
    entries = np.arange(24).reshape(6, 4) - 12
    unit = Table(entries, channels=6, lanes=2, input=signed(2), output=signed(5), x_min=-2)
    assert unit.roms()["lane_1"].words == tuple(int(e) & 31 for e in entries[1::2].ravel())
    one = Table(entries[:1], channels=6, lanes=3, input=signed(2), output=signed(5), x_min=-2)
    assert [rom.depth for rom in one.roms().values()] == [4, 4, 4]
    bits = Table(np.array([[-1, 1, 1]]), channels=6, lanes=1, input=unsigned(1), output=unsigned(1), x_min=-1,
                 bipolar_input=True, bipolar_output=True)  # fmt: skip
    assert bits.roms()["lane_0"].words == (0, 1)


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("rows", [1, 6])
def test_control(rows, stalls):
    assert_follows(table(unsigned(3), signed(5), rows), vectors=15, stalls=stalls)


def test_timing(drive):
    unit = table(signed(4), unsigned(2), 6)
    done = run(drive, unit, every_input(signed(4)))
    assert (unit.interval, unit.latency, unit.depth) == (3, 1, 1)
    assert done.i_cycles == list(range(48)) and done.o_cycles == list(range(1, 49))


def test_synthesis(synthesize):
    found = synthesize(table(unsigned(8), unsigned(8), 1, lanes=2, memory="block"), "ice40")
    assert found["SB_RAM40_4K"] == 2
    assert sum(count for cell, count in found.items() if cell.startswith("SB_DFF")) == 1, found


GOOD = {"channels": 6, "lanes": 2, "input": unsigned(2), "output": unsigned(3), "x_min": 0}


@pytest.mark.parametrize(
    ("shape", "change", "error", "message"),
    [
        ((1, 4), {"lanes": 4}, ValueError, "lanes must divide the 6 channels, not 4 (use 1, 2, 3 or 6)"),
        (
            (2, 4),
            {},
            ValueError,
            "table must have 1 row or 6, one per channel, and an entry for each of 0 … 3, not",
        ),
        ((6, 3), {}, ValueError, "and an entry for each of 0 … 3, not the shape (6, 3)"),
        ((1, 4), {"x_min": -2}, ValueError, "x_min must be the least input, 0, not -2"),
        ((1, 4), {"x_min": 0.0}, TypeError, "x_min must be an integer, not 0.0"),
        ((1, 4), {"output": unsigned(2)}, ValueError, "output must hold the entries 4 … 4, which unsigned(2) cannot"),
        ((1, 4), {"output": unsigned(1), "bipolar_output": True}, ValueError, "4 … 4, which bipolar bits cannot"),
        ((1, 3), {"bipolar_input": True}, ValueError, "input must be unsigned(1) where it is bipolar, not unsigned(2)"),
        (
            (6, 1 << 16),
            {"input": unsigned(16)},
            ValueError,
            "at most 65536 entries per lane, not 196608",
        ),
        ((1, 4), {"memory": "rom"}, ValueError, "memory must be one of auto, block, distributed, not 'rom'"),
    ],
)
def test_errors(shape, change, error, message):
    with pytest.raises(error, match=re.escape(message)):
        Table(np.full(shape, 4), **(GOOD | change))
