"""WriteAccess: one stream of writes for the weights and the start words of a matrix–vector unit."""

from collections.abc import Sequence

from amaranth.hdl import Module, Signal
from amaranth.lib import stream

from ..memory.weight_memory import WeightMemory, write_port


class WriteAccess:
    """The two memories behind one stream: weights from address 0 on, start words from :attr:`start_address` on, a power
    of 2, so that the address's top bit chooses.

    :param weights: their memory. :param starts: the start words' memory.
    """

    def __init__(self, weights: WeightMemory, starts: WeightMemory):
        self._weights, self._starts = weights, starts

    @property
    def address_bits(self) -> int:
        """Bits of an address, the top one for start words."""
        return 1 + max(self._weights.address_bits, self._starts.address_bits)

    @property
    def start_address(self) -> int:
        """The address of the first start word."""
        return 1 << (self.address_bits - 1)

    @property
    def signature(self) -> stream.Signature:
        """The stream: payload {address, data}, as wide as the wider memory's port."""
        return write_port(self.address_bits, max(self._weights.port, self._starts.port))

    def image(self, weights: Sequence[int], starts: Sequence[int]) -> list[tuple[int, int]]:
        """The writes (address, data) that make these words the contents."""
        image = self._weights.image(weights)
        return image + [(self.start_address + address, data) for address, data in self._starts.image(starts)]

    def connect(self, m: Module, w: stream.Interface) -> None:
        """Pass what comes on ``w`` on to the memories a cycle later, so that no path leads from ``w`` into the unit."""
        valid, payload = Signal(name="write"), Signal(w.p.shape(), name="written", reset_less=True)
        m.d.comb += w.ready.eq(1)
        m.d.sync += [valid.eq(w.valid), payload.eq(w.p)]
        for memory, chosen in ((self._weights, ~payload.address[-1]), (self._starts, payload.address[-1])):
            # An address beyond the memory's own is of no word.
            beyond = payload.address[memory.address_bits : -1].any()
            m.d.comb += [
                memory.w.valid.eq(valid & chosen & ~beyond),
                memory.w.p.address.eq(payload.address[: memory.address_bits]),
                memory.w.p.data.eq(payload.data[: memory.port]),
            ]
