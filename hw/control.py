"""Control: when the beats of a unit move, as data, for whoever predicts a pipeline's cycles and sizes its queues.

Each template says in its ``control`` which of three patterns it follows. A *step* is one cycle's work. Vectors follow
one another without a gap: step 0 of the next comes after the last step of this one. All counts are of one vector.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Steps:
    """A rigid pipeline that works on its inputs as they arrive.

    Step k takes one beat from each input p with ``takes[p, k]`` and gives an output beat if ``emits[k]``. The pipeline
    moves in each cycle with ``~o.valid | o.ready``; a step is taken in a cycle in which it moves and all the inputs
    that the step takes are valid (an input's ready is high in just the cycles in which that holds for the *others*).
    The output beat is valid ``depth`` cycles after its step, frozen cycles not counted.

    :param takes: bool (inputs, steps). :param emits: bool (steps,). :param depth: cycles, at least 1.
    """

    takes: np.ndarray
    emits: np.ndarray
    depth: int


@dataclass(frozen=True, eq=False)
class Buffered:
    """A rigid pipeline that works on a circular buffer of its one input.

    Input beats are taken while fewer than ``capacity`` are in the buffer (ready comes from registers). Step k can be
    taken when the pipeline moves and ``needs[k]`` beats of this vector have been written in earlier cycles; after it
    the first ``frees[k]`` beats of the vector are no longer in the buffer (from the next cycle on), whether they have
    been written yet or not. ``needs`` and ``frees`` never fall; the last step needs and frees all ``beats``. Output as
    in :class:`Steps`.

    :param beats: input beats per vector. :param capacity: beats. :param needs: int (steps,), 0 … beats.
    :param frees: int (steps,), 0 … beats. :param emits: bool (steps,). :param depth: cycles from step to valid output.
    """

    beats: int
    capacity: int
    needs: np.ndarray
    frees: np.ndarray
    emits: np.ndarray
    depth: int


@dataclass(frozen=True)
class Slice:
    """One beat in, one beat out, through a :class:`~bitloom.hw.fabric.register_slice.RegisterSlice`: ``beats`` per
    vector.

    ``i.ready`` is high while the second register is empty; the output is valid one cycle after the input's transfer.
    """

    beats: int


Control = Steps | Buffered | Slice
"""What a template's ``control`` can be."""
