# amaranth: UnusedElaboratable=no
"""PackedProducts: the products of a step in the device's multipliers, several in each, and the trees that add them."""

from functools import cached_property
from itertools import pairwise

import numpy as np
from amaranth.hdl import C, Cat, Module, Shape, Signal, Value

from ..arithmetic import dot
from ..arithmetic.weights import WeightCode
from ..parameters import bounds, pack_rows, shape_of_range
from .multiplier import Multiplier
from .packing import Packing


class PackedProducts:
    """The products of :attr:`Packing.lanes` lanes with the same element in one multiplication, then an adder tree per
    lane; see :mod:`bitloom.hw.packed.packing`. The carry that each product but the lowest lacks goes into an adder of
    its tree, the last one of a tree into the accumulator.

    :param weights: (N, K). :param pe: lanes. :param simd: elements per beat. :param activation: their shape.
    :param bipolar: whether activation bits stand for −1 and +1. :param device: see :class:`Multiplier`.
    :param code: what weights can be, see :meth:`WeightCode.named`; ``auto``: no others than these. :param writable:
    adders are wide enough for any weights of the code.
    """

    def __init__(
        self,
        weights: np.ndarray,
        pe: int,
        simd: int,
        activation: Shape,
        bipolar: bool,
        *,
        device: str | None = None,
        code: str | int = "auto",
        writable: bool = False,
    ):
        self._weights, self._pe, self._simd = weights, pe, simd
        self._activation, self._bipolar, self._device = activation, bipolar, device
        self._code, self._writable = WeightCode.named(code, weights, writable), writable
        self._binary = self._code.kind == "binary"
        of_these = code == "auto" and not self._binary
        limits = (int(weights.min()), int(weights.max())) if of_these else (-self._code.peak, self._code.peak)
        self._packing = Packing.of(device, limits, activation, pe, simd)

    code = property(lambda self: self._code, doc="What weights can be; they are stored as the packing says.")

    packing = property(lambda self: self._packing, doc="Where the products of one multiplication are.")
    scale = property(lambda self: 1 + self._bipolar, doc="What a sum of 1 counts for.")
    stages = property(
        lambda self: self._packing.used.stages + dot.levels(self._simd) // dot.LEVELS_PER_STAGE,
        doc="Pipeline registers.",
    )
    multipliers = property(
        lambda self: self._packing.multipliers(self._pe, self._simd), doc="Multiplier blocks of the device."
    )
    width = property(lambda self: sum(self._lane_bits) * self._simd, doc="Bits of a step's stored weights.")

    @property
    def start(self) -> np.ndarray:
        """What bipolar activations leave out, being added as 0 and 1."""
        return -self._weights.sum(-1) if self._bipolar else np.zeros(len(self._weights), np.int64)

    def lacks(self, lane: int) -> bool:
        """Whether a carry is still to be added to the sum of ``lane``: it is the lowest bit of what :meth:`lanes`
        gives, and the sum stands above it."""
        return self._packing.borrows and lane % self._packing.lanes > 0

    @cached_property
    def _lane_bits(self) -> list[int]:
        """Bits of a stored weight of each lane."""
        stored = self._packing.stored
        return [1 if self._binary else stored[lane % len(stored)].width for lane in range(self._pe)]

    def _by_lane(self) -> np.ndarray:
        """The weights as (neuron fold, PE, synapse fold, SIMD)."""
        return self._weights.reshape(-1, self._pe, self._weights.shape[1] // self._simd, self._simd)

    def words(self) -> list[int]:
        """One word per step: lane 0 lowest, in a lane element 0 lowest; a binary weight is 1 where it is −1."""
        weights = self._by_lane().swapaxes(1, 2)  # (neuron fold, synapse fold, PE, SIMD)
        stored = weights < 0 if self._binary else self._stored(weights)
        stored = stored.reshape(-1, self._pe, self._simd)
        words = [0] * len(stored)
        for lane in reversed(range(self._pe)):
            bits = self._lane_bits[lane]
            rows = pack_rows(stored[:, lane].astype(np.int64), bits)
            words = [word << (bits * self._simd) | row for word, row in zip(words, rows)]
        return words

    def _stored(self, weights: np.ndarray) -> np.ndarray:
        """What is stored for the weights (…, PE, SIMD)."""
        stored = weights.copy()
        lanes = self._packing.lanes
        for low in range(0, self._pe, lanes):
            group = weights[..., low : low + lanes, :].swapaxes(-1, -2)
            stored[..., low : low + lanes, :] = self._packing.encode(group).swapaxes(-1, -2)
        return stored

    @cached_property
    def _trees(self) -> list[list[list[Shape]]]:
        """The shape of each node of each lane's tree, level by level, carries that it lacks included."""
        x = np.array(bounds(self._activation))
        if self._writable:
            ends = np.broadcast_to(np.outer(self._packing.weights, x).ravel(), (1, self._pe, 1, self._simd, 4))
        else:
            ends = self._by_lane()[..., None] * x
        lows, highs = (dot.tree_sums(end) for end in (ends.min(-1), ends.max(-1)))
        trees: list[list[list[Shape]]] = [[] for _ in range(self._pe)]
        for low, high in zip(lows, highs):
            low, high = low.min(axis=(0, 2)), high.max(axis=(0, 2))
            for lane, tree in enumerate(trees):
                tree.append([shape_of_range(a - self.lacks(lane), b) for a, b in zip(low[lane], high[lane])])
        return trees

    def features(self) -> dict[str, float]:
        """Multipliers, carries that products lack, overlapping bits, bits of adders and of pipeline registers."""
        lanes, packing = range(self._pe), self._packing
        inner = [lane % packing.lanes for lane in lanes]
        overlaps = self._simd * sum(packing.overlapping[place - 1] for place in inner if place)
        adders = registers = 0
        for lane in lanes:
            for level, (below, nodes) in enumerate(pairwise(self._trees[lane]), 1):
                adders += sum(node.width for node in nodes[: len(below) // 2])
                if level % dot.LEVELS_PER_STAGE == 0:
                    registers += sum(node.width + self.lacks(lane) for node in nodes)
        return {
            "multipliers": self.multipliers,
            "correction_bits": self._simd * sum(self.lacks(lane) for lane in lanes),
            "overlap_bits": overlaps,
            "adder_bits": adders,
            "register_bits": registers + overlaps * packing.used.stages,
        }

    def lanes(self, m: Module, en: Value, x: Value, w: Value) -> list[Value]:
        """The lanes' sums, ``stages`` cycles with ``en`` high after beat ``x`` and weights ``w`` were there; those of
        lanes that lack a carry stand one bit higher, above it."""
        weights = self._unpack_word(w)
        elements = [x.word_select(k, self._activation.width) for k in range(self._simd)]
        products = self._multiply(m, en, weights, elements)
        leaves: list[list[tuple[Value, Value | None]]] = [[] for _ in range(self._pe)]
        for low in range(0, self._pe, self._packing.lanes):
            for k in range(self._simd):
                group = [lane[k] for lane in weights[low : low + self._packing.lanes]]
                fields = self._fields(m, en, f"{low}_{k}", products[low, k], group, elements[k])
                for place, field in enumerate(fields):
                    lacking = fields[place - 1][-1] if self.lacks(low + place) else None
                    leaves[low + place].append((field, lacking))
        return [self._tree(m, en, lane, nodes) for lane, nodes in enumerate(leaves)]

    def _unpack_word(self, w: Value) -> list[list[Value]]:
        """The stored weights of each lane, (PE, SIMD), binary ones decoded."""
        lanes, offset = [], 0
        for bits in self._lane_bits:
            lanes.append([w[offset + k * bits : offset + (k + 1) * bits] for k in range(self._simd)])
            offset += bits * self._simd
        if not self._binary:
            return lanes
        # w' is w less 1 where the one below is negative: with w = 1 - 2b and c below, its bits are b and not c.
        inner = [lane % self._packing.lanes for lane in range(self._pe)]
        return [
            [Cat(~lanes[lane - 1][k] if place else C(1, 1), lanes[lane][k]) for k in range(self._simd)]
            for lane, place in enumerate(inner)
        ]

    def _multiply(
        self, m: Module, en: Value, weights: list[list[Value]], elements: list[Value]
    ) -> dict[tuple[int, int], Value]:
        """The products of each group of lanes (named by its lowest) and element."""
        packing = self._packing
        pairs = [(low, k) for low in range(0, self._pe, packing.lanes) for k in range(self._simd)]
        products: dict[tuple[int, int], Value] = {}
        for block, first in enumerate(range(0, len(pairs), packing.used.count)):
            unit = Multiplier(packing.operand, self._activation, device=self._device, unit=packing.unit)
            m.submodules[f"multiplier_{block}"] = unit
            m.d.comb += unit.en.eq(en)
            for slot, (low, k) in enumerate(pairs[first : first + packing.used.count]):
                operand = self._operand([lane[k] for lane in weights[low : low + packing.lanes]])
                m.d.comb += [unit.a[slot].eq(operand), unit.b[slot].eq(elements[k])]
                products[low, k] = unit.o[slot]
        return products

    def _operand(self, group: list[Value]) -> Value:
        """The packed weights of one group: its stored weights, extended to where the next one begins."""
        parts = []
        for stored, shape, spacing in zip(group, self._packing.stored, self._packing.spacings):
            fill = stored[-1] if shape.signed else C(0, 1)
            parts.append(Cat(stored, fill.replicate(spacing - len(stored))))
        whole = Cat(*parts[: len(group) - 1], group[-1])
        return whole.as_signed() if self._packing.stored[len(group) - 1].signed else whole

    def _fields(
        self, m: Module, en: Value, name: str, product: Value, group: list[Value], element: Value
    ) -> list[Value]:
        """The fields of a product."""
        packing, found = self._packing, []
        for place, (offset, shape) in enumerate(zip(packing.offsets[: len(group)], packing.fields)):
            field = Signal(shape, name=f"field_{name}_{place}")
            bits = product >> offset
            if place < len(group) - 1 and packing.overlapping[place]:
                below = group[place][-1] if packing.stored[place].signed else 0
                lowest = element[0] & (group[place + 1][0] ^ below)
                lowest = self._later(m, en, f"lowest_{name}_{place}", lowest)
                bits = Cat(bits[: shape.width - 1], product[packing.offsets[place + 1]] ^ lowest)
            m.d.comb += field.eq(bits)
            found.append(field)
        return found

    def _later(self, m: Module, en: Value, name: str, bit: Value) -> Value:
        """``bit`` at the time of the products."""
        for stage in range(1, self._packing.used.stages + 1):
            register = Signal(name=f"{name}_{stage}", reset_less=True)
            with m.If(en):
                m.d.sync += register.eq(bit)
            bit = register
        return bit

    def _tree(self, m: Module, en: Value, lane: int, nodes: list[tuple[Value, Value | None]]) -> Value:
        """The sum of one lane: each node with the carry that it still lacks."""
        for level, shapes in enumerate(self._trees[lane]):
            if level:
                nodes = [self._add(nodes[2 * j : 2 * j + 2]) for j in range(len(shapes))]
            nodes = [
                self._node(m, en, f"sum_{lane}_{level}_{j}", value, carry, shape, level)
                for j, ((value, carry), shape) in enumerate(zip(nodes, shapes))
            ]
        (value, carry), = nodes  # fmt: skip
        return value if carry is None else Cat(carry, value).as_signed()

    @staticmethod
    def _add(pair: list[tuple[Value, Value | None]]) -> tuple[Value, Value | None]:
        """The sum of two nodes, the carry of the first within; the second's is still lacking."""
        if len(pair) == 1:
            return pair[0]
        (a, carry), (b, other) = pair
        return (a + b if carry is None else add_with_carry(a, carry, b)), other

    @staticmethod
    def _node(
        m: Module, en: Value, name: str, value: Value, carry: Value | None, shape: Shape, level: int
    ) -> tuple[Value, Value | None]:
        """``value`` and ``carry`` as signals, behind registers where the level ends a stage."""
        node = Signal(shape, name=name, reset_less=True)
        parts = [(node, value)]
        if carry is not None:
            parts.append((Signal(name=f"{name}_carry", reset_less=True), carry))
        if level and level % dot.LEVELS_PER_STAGE == 0:
            with m.If(en):
                m.d.sync += [signal.eq(source) for signal, source in parts]
        else:
            m.d.comb += [signal.eq(source) for signal, source in parts]
        return node, None if carry is None else parts[1][0]


def add_with_carry(a: Value, carry: Value, b: Value) -> Value:
    """a + b + carry in one adder: one bit longer, because synthesis makes two of the plain sum of three."""
    total = Cat(carry, a).as_signed() + Cat(C(1, 1), b).as_signed()
    return total[1:].as_signed()
