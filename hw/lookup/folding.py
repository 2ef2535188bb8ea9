"""TableFolding: how a table-lookup unit goes through a vector, cycle by cycle."""

from dataclasses import dataclass

import numpy as np

from ..arithmetic.dot import LEVELS_PER_STAGE
from ..control import Buffered
from ..parameters import divisor, one_of
from .signed_tree import stages
from .trit_codes import TritWeights, entries
from .trit_tables import parallel_stages


@dataclass(frozen=True, eq=False)
class TableFolding:
    """Slices, steps and where tables are; see :class:`~bitloom.hw.TableMatVec`.

    ``build`` and ``table_memory`` may be ``auto`` when it is made; :attr:`builds` and :attr:`tables_in` have decided.

    :raises ValueError: slices are not whole beats; a build that is too slow; tables where they cannot be built.
    """

    weights: TritWeights
    simd: int
    build: str
    table_memory: str

    def __post_init__(self) -> None:
        w = self.weights
        divisor("SIMD", self.simd, w.weights.shape[1], "input elements")
        if w.synapse_fold > 1 and w.slice % self.simd:
            choices = [d for d in range(1, w.slice + 1) if w.weights.shape[1] % d == 0 and w.slice % d == 0]
            raise ValueError(
                f"SIMD must divide the {w.slice} elements of a slice (group {w.group} · tables {w.tables}), "
                f"not {self.simd} (use one of {', '.join(map(str, choices))}, or other tables)"
            )
        one_of("build", self.build, ("auto", "serial", "parallel"))
        if self.build == "serial" and w.neuron_fold < entries(w.group):
            raise ValueError(
                f"build must be parallel where the folds of the outputs are fewer than the {entries(w.group)} entries "
                f"of a table of {w.group} activations, not serial with {w.neuron_fold} (or use less PE, or a smaller "
                "group)"
            )
        one_of("table_memory", self.table_memory, ("auto", "distributed", "registers"))
        if self.table_memory == "distributed" and not self.serial:
            raise ValueError("table_memory must be registers where the build is parallel, not distributed")

    @property
    def serial(self) -> bool:
        """Whether tables are built entry by entry."""
        return self.build == "serial" or (self.build == "auto" and self._folds >= entries(self.weights.group))

    @property
    def builds(self) -> str:
        """``serial`` or ``parallel``."""
        return "serial" if self.serial else "parallel"

    @property
    def tables_in(self) -> str:
        """``distributed`` or ``registers``."""
        if self.table_memory != "auto":
            return self.table_memory
        return "distributed" if self.serial else "registers"

    @property
    def _folds(self) -> int:
        return self.weights.neuron_fold

    @property
    def beats(self) -> list[int]:
        """Input beats of each slice."""
        inputs, whole = self.weights.weights.shape[1], self.weights.slice
        return [min(whole, inputs - s * whole) // self.simd for s in range(self.weights.synapse_fold)]

    @property
    def interval(self) -> int:
        """Cycles per vector: for each slice NF, or its beats if these are more."""
        return sum(max(self._folds, beats) for beats in self.beats)

    @property
    def latency(self) -> int:
        """Cycles from the first beat in to the first out."""
        first, *rest = self.beats
        return first + sum(max(self._folds, beats) for beats in rest) + self.delay

    @property
    def before(self) -> int:
        """Adder levels that a look-up takes the time of: as many as fill a stage where it chooses among registers."""
        return 1 if self.tables_in == "distributed" else LEVELS_PER_STAGE

    @property
    def tree_stages(self) -> int:
        """Registers between a look-up and the accumulators."""
        return stages(self.weights.tables, self.before)

    @property
    def delay(self) -> int:
        """Cycles from a step to the output beat of its look-ups: these come NF cycles after a serial build's."""
        ahead = self._folds if self.serial else parallel_stages(self.weights.group) - 1
        return ahead + self.tree_stages + 2

    @property
    def spare(self) -> bool:
        """Whether beats only come without a gap if one can come while a slice waits."""
        return self._folds <= self.beats[0]

    @property
    def holds(self) -> bool:
        """Whether a slice stays where it was gathered for as long as it is needed, with no register behind."""
        return not self.serial or self._folds >= entries(self.weights.group) + self.beats[0]

    @property
    def last_use(self) -> int:
        """The fold after whose step the next slice may come."""
        return entries(self.weights.group) - 1 if self.serial and self.holds else 0

    @property
    def control(self) -> Buffered:
        """One step per cycle, those of a slice after its last beat; an output beat at each step of the last slice."""
        slices, first = len(self.beats), self.beats[0]
        ends = np.append(np.cumsum(self.beats), sum(self.beats) + first)  # of each slice and of the next vector's first
        slice_, fold = np.divmod(np.arange(slices * self._folds), self._folds)
        frees = np.where(fold >= self.last_use, ends[slice_ + 1], ends[slice_]) - first
        return Buffered(sum(self.beats), first + self.spare, ends[slice_], frees, slice_ == slices - 1, self.delay)
