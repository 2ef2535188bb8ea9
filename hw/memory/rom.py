"""Rom: constants on chip, and how verification finds them again."""

from collections.abc import Callable, Sequence

import numpy as np
from amaranth.hdl import Module, Signal
from amaranth.lib import memory
from amaranth.lib.wiring import In, Out

from ..component import Component
from ..parameters import one_of, positive

# What the synthesis tool is told. Yosys maps a memory marked "logic" to gates on every family; its "distributed" means
# writable memory in LUTs, which iCE40 lacks and which cannot hold initial values on ECP5.
_STYLE = {"block": "block", "distributed": "logic"}


class Rom(Component):
    """A list of constant words with a synchronous, enabled read port.

    ``data`` shows ``words[addr]`` one cycle after a clock edge with ``en`` high, and holds while ``en`` is low. With
    one word, ``data`` is that constant always, so that logic behind it folds away.

    Read-back: below the instance path ``p`` of the Rom, the emitted Verilog holds the words in ``p.rom``
    (:attr:`SIGNAL`): an unpacked array ``reg [width-1:0] rom [depth-1:0]``, or for one word a wire
    ``wire [width-1:0] rom``.

    Parameters
    ----------
    words : Sequence[int] or Callable[[], Sequence[int]]
        The words, each ``0 <= word < 2 ** width``; or what gives them when they are first asked for, so that a ROM
        whose size alone matters costs nothing.
    width : int
        Bits per word.
    depth : int or None
        Number of words where a callable gives them; None where they are given.
    memory : str
        ``block`` for block memory, ``distributed`` for look-up tables, ``auto`` for block memory where there are more
        than 64 words and more than 1024 bits. Without meaning for one word.
    """

    SIGNAL = "rom"

    def __init__(
        self,
        words: Sequence[int] | Callable[[], Sequence[int]],
        width: int,
        memory: str = "auto",
        *,
        depth: int | None = None,
    ):
        self._width = positive("width", width)
        one_of("memory", memory, ("auto", "block", "distributed"))
        self._words: tuple[int, ...] | None = None
        if callable(words):
            if depth is None:
                raise TypeError("depth must be given with a callable that makes the words, not None")
            self._make, self._depth = words, positive("depth", depth)
        else:
            self._words = self._checked(words)
            if not self._words:
                raise ValueError("words must hold at least one word, not none")
            self._depth = len(self._words)
            if depth not in (None, self._depth):
                raise ValueError(f"depth must be left out or be the {self._depth} words given, not {depth}")
        if memory == "auto":
            memory = "block" if self.depth > 64 and self.depth * self._width > 1024 else "distributed"
        self._memory = memory
        super().__init__({"en": In(1), "addr": In(range(max(2, self.depth))), "data": Out(self._width)})

    width = property(lambda self: self._width, doc="Bits per word.")
    depth = property(lambda self: self._depth, doc="Number of words.")
    memory = property(lambda self: self._memory, doc="``block`` or ``distributed``; ``auto`` has been decided.")

    @property
    def words(self) -> tuple[int, ...]:
        """The words."""
        if self._words is None:
            self._words = self._checked(self._make())
            if len(self._words) != self._depth:
                raise ValueError(f"words must be as many as depth says, {self._depth}, not {len(self._words)}")
        return self._words

    def _checked(self, words: Sequence[int]) -> tuple[int, ...]:
        for word in words:
            if isinstance(word, bool) or not isinstance(word, int | np.integer):
                raise TypeError(f"words must be integers, not {word!r}")
            if not 0 <= word < 1 << self._width:
                raise ValueError(f"words must be 0 to 2**{self._width} - 1, not {word}")
        return tuple(int(word) for word in words)

    @property
    def handle(self) -> str:
        """Name below the instance of the array that holds the words, or of the wire that holds the only one."""
        return self.SIGNAL

    def model(self, x: np.ndarray) -> np.ndarray:
        """The words at the addresses ``x`` (as Python integers where they exceed 63 bits)."""
        words = np.array(self.words, dtype=np.int64 if self._width <= 63 else object)
        return words[np.asarray(x)]

    def features(self) -> dict[str, float]:
        """The bits by kind; ``blocks`` counts memories of 256 words of 16 bits, ``rom_luts`` tables of 16 bits
        with the multiplexers between them (up to 4 words disappear into the logic behind), and ``rom_word_bits`` the
        registers behind those tables."""
        if self.depth == 1:
            return {"constant_bits": self._width}
        if self._memory == "block":
            return {"block_bits": self._width * self.depth, "blocks": -(-self._width // 16) * -(-self.depth // 256)}
        tables = self._width * (2 * -(-self.depth // 16) - 1) if self.depth > 4 else 0
        return {"rom_bits": self._width * self.depth, "rom_luts": tables, "rom_word_bits": self._width}

    def elaborate(self, platform) -> Module:
        m = Module()
        if self.depth == 1:
            word = Signal(self._width, name=self.SIGNAL, attrs={"keep": 1})
            # A bare assignment of a constant leaves the module empty, and Amaranth drops empty modules.
            with m.Switch(0), m.Default():
                m.d.comb += word.eq(self.words[0])
            m.d.comb += self.data.eq(word)
            return m
        storage = memory.Memory(
            shape=self._width, depth=self.depth, init=self.words, attrs={"rom_style": _STYLE[self._memory]}
        )
        m.submodules[self.SIGNAL] = storage
        port = storage.read_port()
        m.d.comb += [port.en.eq(self.en), port.addr.eq(self.addr), self.data.eq(port.data)]
        return m
