"""Groups of ternary weights as table indices and signs, and the order in which a table of all their sums is built.

A group of g trits t_0 … t_(g−1) is the number v = Σ t_i·3^i. A table holds the sums of the groups v ≥ 0 only: a group
is looked up at |v| and its sign says whether the sum is taken negative. That is g trits in ⌈log2((3^g + 1) / 2)⌉ + 1
bits: 4, 5, 7 and 8 bits for 2, 3, 4 and 5 trits (the last is the well-known five trits per byte).

Sums of signed look-ups need no negation, see :mod:`bitloom.hw.lookup.signed_tree`; what is stored with a look-up is its
sign relative to that of a neighbour, and what that adds to a row is a constant.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..parameters import pack_rows

GROUPS = (2, 3, 4, 5)
"""Weights that can be looked up together."""


def entries(group: int) -> int:
    """Sums in a table of ``group`` activations, zero included."""
    return (3**group + 1) // 2


def index_bits(group: int) -> int:
    """Bits of a look-up's index, without the sign."""
    return (entries(group) - 1).bit_length()


def numbers(trits: np.ndarray) -> np.ndarray:
    """Σ t_i·3^i over the last axis."""
    return trits @ (3 ** np.arange(trits.shape[-1]))


def build_path(group: int) -> np.ndarray:
    """All groups v ≥ 0, once each, from 0 on so that neighbours differ by one in one trit: trits (entries, group).

    For each trit in turn, it becomes +1 and the trits below, which stand in a corner of their cube, run through all of
    it as a reflected ternary Gray code does.
    """
    path = np.zeros((1, group), np.int64)
    for trit in range(group):
        block = _corner_to_corner(path[-1, :trit])
        part = np.zeros((len(block), group), np.int64)
        part[:, :trit], part[:, trit] = block, 1
        path = np.concatenate([path, part])
    return path


def _corner_to_corner(start: np.ndarray) -> np.ndarray:
    """All ternary vectors, from the corner ``start`` on, neighbours differing by one in one trit."""
    if not len(start):
        return np.zeros((1, 0), np.int64)
    inner, rows = start[:-1], []
    for top in (start[-1], 0, -start[-1]):
        block = _corner_to_corner(inner)
        rows.append(np.column_stack([block, np.full(len(block), top)]))
        inner = block[-1]
    return np.concatenate(rows)


def entry_bounds(lo: int, hi: int, group: int) -> tuple[int, int]:
    """The least and the greatest sum in a table of ``group`` activations within ``lo`` … ``hi``."""
    return min(0, lo + (group - 1) * min(lo, -hi)), max(0, hi + (group - 1) * max(hi, -lo))


@dataclass(frozen=True, eq=False)
class TritWeights:
    """Ternary weights (N, K) in the order of a table-lookup unit's steps.

    Step s·NF + n needs the rows n·PE … and the columns of slice s, which are ``tables`` groups of ``group``; the unit
    receives a slice at the end of a shift register, so that a last slice of fewer columns comes behind zero weights.
    """

    weights: np.ndarray
    pe: int
    group: int
    tables: int

    @property
    def slice(self) -> int:
        """Columns of a slice."""
        return self.group * self.tables

    @property
    def neuron_fold(self) -> int:
        """NF = ⌈N / PE⌉."""
        return -(-self.weights.shape[0] // self.pe)

    @property
    def synapse_fold(self) -> int:
        """SF = ⌈K / slice⌉."""
        return -(-self.weights.shape[1] // self.slice)

    @property
    def steps(self) -> int:
        """Stored words."""
        return self.neuron_fold * self.synapse_fold

    @property
    def width(self) -> int:
        """Bits of a stored word."""
        return self.pe * self.tables * (index_bits(self.group) + 1)

    @property
    def rows(self) -> int:
        """Outputs with the surplus lanes of the last beat."""
        return self.neuron_fold * self.pe

    @cached_property
    def _numbers(self) -> np.ndarray:
        """v of each group, (rows, SF, tables)."""
        n, k = self.weights.shape
        whole = (self.synapse_fold - 1) * self.slice
        padded = np.zeros((self.rows, self.synapse_fold * self.slice), np.int64)
        padded[:n, :whole] = self.weights[:, :whole]
        padded[:n, padded.shape[1] - (k - whole) :] = self.weights[:, whole:]
        return numbers(padded.reshape(self.rows, self.synapse_fold, self.tables, self.group))

    def words(self) -> list[int]:
        """One word per step: lane 0 lowest, in a lane table 0 lowest, in a look-up the sign above the index."""
        negative = self._numbers < 0
        table = np.arange(self.tables)
        lead = np.where(table > 0, negative[..., table & (table - 1)], False)
        fields = np.abs(self._numbers) | (negative ^ lead).astype(np.int64) << index_bits(self.group)
        rows = fields.reshape(self.neuron_fold, self.pe, self.synapse_fold, self.tables).transpose(2, 0, 1, 3)
        return pack_rows(rows.reshape(self.steps, -1), index_bits(self.group) + 1)

    def leftover(self) -> np.ndarray:
        """What adders and accumulator add to each row beyond W·x, 1 wherever they do not subtract: (rows,)."""
        lead = (self._numbers < 0).astype(np.int64)
        extra = np.zeros_like(lead)
        while lead.shape[-1] > 1:
            pairs = lead.shape[-1] // 2
            right = extra[..., 1::2]
            apart = lead[..., 0 : 2 * pairs : 2] ^ lead[..., 1::2]
            extra = extra[..., 0::2].copy()
            extra[..., :pairs] += np.where(apart, -right, right) + 1 - apart
            lead = lead[..., 0::2]
        return (np.where(lead, -extra, extra) + 1 - lead).sum((1, 2))
