"""The dense code of ternary weights.

| testpoint | stage | test |
| --- | --- | --- |
| every five trits have a byte of their own, and come back | smoke | test_every_group |
| any length and any axes; the tail is padded with zeros | smoke | test_any_length |
| the decoder gives what NumPy does, for every byte | smoke | test_decoder |
| the decoder takes few tables | full | test_size |
| what is no trit, and no byte of trits, is refused | smoke | test_errors |
"""

from itertools import product

import numpy as np
import pytest
from amaranth.sim import Simulator

from bitloom.hw.arithmetic.trits import TritDecoder, pack_trits, unpack_trits

GROUPS = np.array(list(product((-1, 0, 1), repeat=5)))


def test_every_group():
    packed = pack_trits(GROUPS)
    assert packed.dtype == np.uint8 and len(np.unique(packed)) == 243
    assert np.array_equal(unpack_trits(packed, 5), GROUPS)


@pytest.mark.parametrize("shape", [(1,), (4,), (5,), (3, 12), (2, 3, 26)])
def test_any_length(shape):
    trits = np.random.default_rng(0).integers(-1, 2, shape)
    packed = pack_trits(trits)
    assert packed.shape == (*shape[:-1], -(-shape[-1] // 5))
    assert np.array_equal(unpack_trits(packed, shape[-1]), trits)
    assert not unpack_trits(packed, 5 * packed.shape[-1])[..., shape[-1] :].any()


def test_decoder():
    dut, packed = TritDecoder(10), pack_trits(GROUPS).ravel()

    async def bench(ctx):
        for k, byte in enumerate(packed):
            ctx.set(dut.i, int(byte) | int(packed[-k]) << 8)
            await ctx.delay(1e-6)
            codes = [(ctx.get(dut.o) >> (2 * t)) & 3 for t in range(10)]
            assert [(0, 1, 0, -1)[code] for code in codes] == [*GROUPS[k], *GROUPS[-k]]

    simulator = Simulator(dut)
    simulator.add_testbench(bench)
    simulator.run()


def test_size(synthesize):
    for family, most in (("xilinx", 10), ("ecp5 -nowidelut", 17)):
        found = synthesize(TritDecoder(5), family)
        assert 8 <= sum(n for cell, n in found.items() if "LUT" in cell) <= most, found


def test_errors():
    with pytest.raises(ValueError, match="trits must be -1, 0 or 1, not 0 … 2"):
        pack_trits(np.array([0, 2]))
    with pytest.raises(ValueError, match="bytes that stand for trits; 13 of the 256 do not"):
        unpack_trits(np.arange(256)[:, None], 5)
    with pytest.raises(ValueError, match="count must be 0 to 5"):
        unpack_trits(np.zeros((2, 1), int), 6)
