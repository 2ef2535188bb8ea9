# amaranth: UnusedElaboratable=no
"""WeightMemory: words on chip that can be read and rewritten while an engine runs, and how verification finds them."""

from collections.abc import Callable, Sequence

from amaranth.hdl import Cat, Const, Module
from amaranth.lib import data, memory, stream
from amaranth.lib.wiring import In, Out

from ..component import Component
from ..parameters import one_of, positive
from .rom import Rom
from .storage import STYLE, output_register, storage, storage_features

PORT = 32
"""Bits of a write, unless told otherwise."""


def write_port(address_bits: int, port: int) -> stream.Signature:
    """The stream of writes: payload {address, data} of these widths; whoever takes it is always ready."""
    return stream.Signature(data.StructLayout({"address": address_bits, "data": port}))


class WeightMemory(Rom):
    """A memory with the synchronous, enabled read port of :class:`~bitloom.hw.Rom`, and a stream of writes.

    ``data`` shows word ``addr`` one cycle after a clock edge with ``en`` high, and holds while ``en`` is low. A write
    is seen by the reads of all later cycles. What a read sees in the very cycle in which its word is written is
    ``collision``: the families' block memories give no common answer, so that a sure one costs logic, and the cheap one
    is not to read.

    A word is written in pieces of ``port`` bits, lowest bits first, the last of them narrower where ``port`` does not
    divide ``width``. Piece p of word a has the address a·2^b + p, where b = ⌈log2(pieces)⌉ (:attr:`piece_bits`), so
    that no address needs a division; writes to pieces and words that do not exist change nothing.

    Read-back: below the instance path ``p``, the emitted Verilog holds the words in ``p.ram`` (:attr:`SIGNAL`), an
    unpacked array ``reg [width-1:0] ram [depth-1:0]``, which starts as ``words``.

    Parameters
    ----------
    words : Sequence[int] or Callable[[], Sequence[int]]
        The first contents, each ``0 <= word < 2 ** width``; or what gives them when they are first asked for.
    width : int
        Bits per word.
    memory : str
        ``block`` memory, ``registers``, or ``auto``: ``registers`` up to 96 bits for each 16-bit block memory saved.
        There is no memory in LUTs: iCE40 has none, and ECP5's cannot hold first contents.
    depth : int or None
        Number of words where a callable gives them; None where they are given.
    port : int
        Bits of a write.
    collision : str
        ``new``: a read sees what is written in the same cycle: a register of ``port`` bits and a multiplexer per bit of
        a word, and twice that with two registers a bit around the block memories of the families with 4-input tables.
        ``skip``: it is not made, ``data`` holds as if ``en`` were low, and ``clash`` says so: a comparison of the
        addresses, and nothing per bit.

    Members
    -------
    en, addr, data : In(1), In(range(depth)), Out(width)
        The read port.
    clash : Out(1)
        In this cycle the word at ``addr`` is written (always low where ``collision`` is ``new``). From ``addr`` and
        ``w`` through gates; independent of ``en``.
    w : In(stream of {address, data}), always ready
        Writes, one in each cycle.
    """

    SIGNAL = "ram"

    def __init__(
        self,
        words: Sequence[int] | Callable[[], Sequence[int]],
        width: int,
        memory: str = "auto",
        *,
        depth: int | None = None,
        port: int = PORT,
        collision: str = "new",
    ):
        super().__init__(words, width, depth=depth)
        self._port = min(positive("port", port), self._width)
        self._collision = one_of("collision", collision, ("new", "skip"))
        one_of("memory", memory, ("auto", "block", "registers"))
        self._memory = storage("memory", memory, self._depth, self._width)
        Component.__init__(
            self,
            {
                "en": In(1),
                "addr": In(range(max(2, self._depth))),
                "data": Out(self._width),
                "clash": Out(1),
                "w": In(write_port(self.address_bits, self._port)),
            },
        )

    port = property(lambda self: self._port, doc="Bits of a write: what was asked for, or ``width`` if that is less.")
    collision = property(lambda self: self._collision, doc="What a read sees of a write in the same cycle.")
    pieces = property(lambda self: -(-self._width // self._port), doc="Writes per word.")
    piece_bits = property(lambda self: (self.pieces - 1).bit_length(), doc="Address bits that choose a piece.")
    address_bits = property(
        lambda self: self.piece_bits + (self._depth - 1).bit_length(), doc="Bits of a write's address."
    )

    def image(self, words: Sequence[int]) -> list[tuple[int, int]]:
        """The writes (address, data) that make ``words``, as many as :attr:`depth`, the contents, in order."""
        words = self._checked(words)
        if len(words) != self._depth:
            raise ValueError(f"words must be as many as the memory has, {self._depth}, not {len(words)}")
        mask = (1 << self._port) - 1
        return [
            ((at << self.piece_bits) + piece, (word >> (piece * self._port)) & mask)
            for at, word in enumerate(words)
            for piece in range(self.pieces)
        ]

    def features(self) -> dict[str, float]:
        """The stored bits by kind, multiplexers between registers and for collisions, comparisons and enables."""
        count = dict(storage_features(self._memory, self._depth, self._width))
        if self._memory == "registers":
            count["mux_bits"] = (self._depth - 1) * self._width
            count["register_bits"] = self._width
            count["control"] = self._depth * self.pieces
        else:
            count["control"] = self.address_bits + self.pieces
        if self._collision == "new":
            count[f"{self._memory}_bypass_bits"] = self._width
            count["register_bits"] = count.get("register_bits", 0) + self._port
        return count

    def elaborate(self, platform) -> Module:
        m = Module()
        m.d.comb += self.w.ready.eq(1)
        padding = self.pieces * self._port - self._width
        ram = memory.Memory(
            shape=self._width + padding, depth=self._depth, init=self.words, attrs={"ram_style": STYLE[self._memory]}
        )
        m.submodules[self.SIGNAL] = ram
        write = ram.write_port(granularity=self._port)
        piece, word = self.w.p.address[: self.piece_bits], self.w.p.address[self.piece_bits :]
        last = self.w.p.data[: self._port - padding]
        m.d.comb += [
            write.addr.eq(word),
            # Zeros where the last piece is narrower: synthesis leaves out what is zero always.
            write.data.eq(Cat(self.w.p.data.replicate(self.pieces - 1), last, Const(0, padding))),
            write.en.eq(Cat(self.w.valid & (piece == index) for index in range(self.pieces))),
        ]
        if self._collision == "new":
            read = ram.read_port(transparent_for=(write,))
            m.d.comb += [read.en.eq(self.en), read.addr.eq(self.addr), self.data.eq(read.data)]
            return m
        # A read port that says itself that it never reads what is being written needs no collision logic.
        read, output = ram.read_port(domain="comb"), output_register(self._width)
        m.d.comb += [
            read.addr.eq(self.addr),
            self.clash.eq(self.w.valid & (write.addr == read.addr)),
            self.data.eq(output),
        ]
        with m.If(self.en & ~self.clash):
            m.d.sync += output.eq(read.data)
        return m
