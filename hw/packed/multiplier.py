# amaranth: UnusedElaboratable=no
"""Multiplier: one multiplier block of a device, with its own registers."""

from collections.abc import Callable
from dataclasses import dataclass

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Shape, Signal, Value, signed
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from ..component import Component
from ..parameters import integer_shape, one_of


@dataclass(frozen=True)
class Unit:
    """What one multiplier block does at a time: ``count`` products of signed ``a`` bits and ``b`` bits.

    :param cell: the primitive, or what is inferred. :param mixed: whether ``b`` of that many bits may be unsigned; else
        an unsigned operand has one bit less. :param stages: the block's registers from operands to products.
    """

    cell: str
    a: int
    b: int
    count: int
    mixed: bool
    stages: int

    def takes(self, b: Shape) -> bool:
        """Whether ``b`` fits the second operand."""
        return b.width <= self.b - (not self.mixed and not b.signed)


UNITS: dict[str, tuple[Unit, ...]] = {
    "ecp5": (Unit("MULT18X18D", 18, 18, 1, True, 2),),
    "ice40": (Unit("SB_MAC16", 16, 16, 1, True, 3), Unit("SB_MAC16", 8, 8, 2, True, 2)),
    "gowin": (Unit("MULT18X18", 18, 18, 1, True, 3), Unit("MULT9X9", 9, 9, 2, True, 3)),
    "dsp48e1": (Unit("DSP48E1", 25, 18, 1, False, 3),),
    "dsp48e2": (Unit("DSP48E2", 27, 18, 1, False, 3),),
}
"""Per device, how its multiplier block can be used; on Gowin a block is one MULT18X18 or the two MULT9X9 in its place.

After Lattice's "ECP5 and ECP5-5G sysDSP Usage Guide" (FPGA-TN-02205) and "DSP Function Usage Guide for iCE40 Devices"
(TN1295), Gowin's "DSP User Guide" (UG287), and AMD's "7 Series DSP48E1 Slice" (UG479) and "UltraScale Architecture DSP
Slice" (UG579).
"""

GENERIC = Unit("", 18, 18, 1, False, 3)
"""Without a device: what every one of them but iCE40's and Gowin's small ones can do."""


class Primitives:
    """The ``platform`` of emitted RTL: a multiplier is its device's primitive. Without one it is described."""


class Multiplier(Component):
    """Products of signed ``a`` and ``b`` in one multiplier block of a device, between registers of the block.

    In RTL for a device (``platform`` a :class:`Primitives`) on ``ecp5``, ``ice40`` and ``gowin`` this is the primitive
    with all its parameters; in Amaranth's simulator, without a device and on ``dsp48e1`` and ``dsp48e2`` it is a
    product between registers, which synthesis maps to a block and packs into it. Both are the same, bit for bit and
    cycle for cycle, from the ``stages``-th cycle with ``en`` high.

    Parameters
    ----------
    a, b : Shape
        Of the operands; ``a`` signed.
    device : str or None
        A key of :data:`UNITS`, or None for one that is described and never an instance.
    unit : int
        Which of the device's :data:`UNITS`.

    Members
    -------
    en : In(1)
        The registers move.
    a, b : In
        Arrays of ``count`` operands.
    o : Out
        Array of their ``count`` products, of as many bits as both operands, ``stages`` enabled cycles later.
    """

    def __init__(self, a: Shape, b: Shape, *, device: str | None = None, unit: int = 0):
        self._device = None if device is None else one_of("device", device, tuple(UNITS))
        units = (GENERIC,) if device is None else UNITS[device]
        if not 0 <= unit < len(units):
            raise ValueError(f"unit must be 0 to {len(units) - 1} on {device}, not {unit}")
        self._index, self._unit = unit, units[unit]
        self._a, self._b = integer_shape("a", a), integer_shape("b", b)
        if not a.signed or a.width > self._unit.a:
            raise ValueError(f"a must be signed and have at most {self._unit.a} bits on {self._name}, not {a!r}")
        if not self._unit.takes(b):
            raise ValueError(
                f"b must have at most {self._unit.b} bits{'' if self._unit.mixed else ' (unsigned one less)'} on "
                f"{self._name}, not {b!r}"
            )
        count = self._unit.count
        super().__init__(
            {
                "en": In(1),
                "a": In(data.ArrayLayout(a, count)),
                "b": In(data.ArrayLayout(b, count)),
                "o": Out(data.ArrayLayout(signed(a.width + b.width), count)),
            }
        )

    device = property(lambda self: self._device, doc="The device, or None.")
    unit = property(lambda self: self._unit, doc="What of the block is used.")
    count = property(lambda self: self._unit.count, doc="Products at a time.")
    stages = property(lambda self: self._unit.stages, doc="Latency in enabled cycles.")
    _name = property(lambda self: self._unit.cell or "a multiplier of no particular device")

    def elaborate(self, platform) -> Module:
        m = Module()
        instances: dict[str | None, Callable[[Module], None]]
        instances = {"ecp5": self._ecp5, "ice40": self._ice40, "gowin": self._gowin}
        make = instances.get(self._device)
        if make is None or not isinstance(platform, Primitives):
            self._described(m)
        else:
            make(m)
        return m

    def _described(self, m: Module) -> None:
        """Operands in a register, products in the others."""
        for n in range(self.count):
            a = Signal(self._a, name=f"a_{n}", reset_less=True)
            b = Signal(self._b, name=f"b_{n}", reset_less=True)
            value: Value = a * b
            with m.If(self.en):
                m.d.sync += [a.eq(self.a[n]), b.eq(self.b[n])]
                for stage in range(2, self.stages + 1):
                    attrs = {"use_dsp": "yes"} if stage == 2 else {}
                    product = Signal.like(value, name=f"product_{n}_{stage}", reset_less=True, attrs=attrs)
                    m.d.sync += product.eq(value)
                    value = product
            m.d.comb += self.o[n].eq(value)

    def _operands(self, n: int) -> tuple[Value, Value]:
        """The ``n``-th pair, as wide as the primitive's inputs."""
        wide = []
        for value, shape, width in ((self.a[n], self._a, self._unit.a), (self.b[n], self._b, self._unit.b)):
            bits = value.as_unsigned()
            fill = bits[-1].replicate(width - shape.width) if shape.signed else Const(0, width - shape.width)
            wide.append(Cat(bits, fill))
        return wide[0], wide[1]

    def _ecp5(self, m: Module) -> None:
        """Operand and pipeline registers; shift inputs stay open, because no wire of the fabric leads to them.

        The output register is left out: nextpnr-ecp5 writes all of its configuration but the choice of its enable
        (REG_OUTPUT_CE, seen in 0.11), so that whether it stands still with ``en`` low is not known.
        """
        a, b = self._operands(0)
        product = Signal(36)
        registers = {f"p_REG_{name}_CLK": "CLK0" for name in ("INPUTA", "INPUTB", "PIPELINE")}
        controls = {f"p_REG_{name}_{what}": f"{what}0" for what in ("CE", "RST")
                    for name in ("INPUTA", "INPUTB", "INPUTC", "PIPELINE", "OUTPUT")}  # fmt: skip
        bits = {f"i_{port}{k}": value[k] for port, value in zip("ABC", (a, b, Const(0, 18))) for k in range(18)}
        clocks = {f"i_{name}{k}": Const(0, 1) for name in ("CLK", "CE", "RST") for k in range(4)}
        clocks |= {"i_CLK0": ClockSignal(), "i_CE0": self.en}
        m.submodules.cell = Instance(
            "MULT18X18D",
            **registers,
            p_REG_INPUTC_CLK="NONE",
            p_REG_OUTPUT_CLK="NONE",
            **controls,
            **{f"p_CLK{k}_DIV": "ENABLED" for k in range(4)},
            p_GSR="DISABLED",
            p_CAS_MATCH_REG="FALSE",
            p_SOURCEB_MODE="B_SHIFT",
            p_MULT_BYPASS="DISABLED",
            p_RESETMODE="SYNC",
            **bits,
            **clocks,
            i_SIGNEDA=Const(1, 1),
            i_SIGNEDB=Const(self._b.signed, 1),
            i_SOURCEA=Const(0, 1),
            i_SOURCEB=Const(0, 1),
            **{f"o_P{k}": product[k] for k in range(36)},
        )
        m.d.comb += self.o[0].eq(product)

    def _ice40(self, m: Module) -> None:
        """One product of 16 bits or two of 8, the accumulators unused."""
        split = self.count == 2
        a, b = (Cat(*operands) for operands in zip(*(self._operands(n) for n in range(self.count))))
        product = Signal(32)
        output = 2 if split else 3
        zeros = ("AHOLD", "BHOLD", "CHOLD", "DHOLD", "IRSTTOP", "IRSTBOT", "ORSTTOP", "ORSTBOT", "OLOADTOP", "OLOADBOT",
                 "ADDSUBTOP", "ADDSUBBOT", "OHOLDTOP", "OHOLDBOT", "CI", "ACCUMCI", "SIGNEXTIN")  # fmt: skip
        m.submodules.cell = Instance(
            "SB_MAC16",
            p_NEG_TRIGGER=Const(0, 1),
            p_A_REG=Const(1, 1),
            p_B_REG=Const(1, 1),
            p_C_REG=Const(0, 1),
            p_D_REG=Const(0, 1),
            p_TOP_8x8_MULT_REG=Const(1, 1),
            p_BOT_8x8_MULT_REG=Const(1, 1),
            p_PIPELINE_16x16_MULT_REG1=Const(not split, 1),
            p_PIPELINE_16x16_MULT_REG2=Const(not split, 1),
            p_TOPOUTPUT_SELECT=Const(output, 2),
            p_TOPADDSUB_LOWERINPUT=Const(0, 2),
            p_TOPADDSUB_UPPERINPUT=Const(0, 1),
            p_TOPADDSUB_CARRYSELECT=Const(0, 2),
            p_BOTOUTPUT_SELECT=Const(output, 2),
            p_BOTADDSUB_LOWERINPUT=Const(0, 2),
            p_BOTADDSUB_UPPERINPUT=Const(0, 1),
            p_BOTADDSUB_CARRYSELECT=Const(0, 2),
            p_MODE_8x8=Const(split, 1),
            p_A_SIGNED=Const(1, 1),
            p_B_SIGNED=Const(self._b.signed, 1),
            i_CLK=ClockSignal(),
            i_CE=self.en,
            i_A=a,
            i_B=b,
            i_C=Const(0, 16),
            i_D=Const(0, 16),
            **{f"i_{name}": Const(0, 1) for name in zeros},
            o_O=product,
        )
        m.d.comb += [self.o[n].eq(product.word_select(n, 32 // self.count)) for n in range(self.count)]

    def _gowin(self, m: Module) -> None:
        """One instance per product."""
        width = self._unit.a
        for n in range(self.count):
            a, b = self._operands(n)
            product = Signal(2 * width, name=f"product_{n}")
            m.submodules[f"cell_{n}"] = Instance(
                self._unit.cell,
                **{f"p_{name}": Const(1, 1) for name in ("AREG", "BREG", "PIPE_REG", "OUT_REG")},
                **{f"p_{name}": Const(0, 1) for name in ("ASIGN_REG", "BSIGN_REG", "SOA_REG")},
                p_MULT_RESET_MODE="SYNC",
                i_A=a,
                i_B=b,
                i_ASIGN=Const(1, 1),
                i_BSIGN=Const(self._b.signed, 1),
                i_SIA=Const(0, width),
                i_SIB=Const(0, width),
                i_ASEL=Const(0, 1),
                i_BSEL=Const(0, 1),
                i_CE=self.en,
                i_CLK=ClockSignal(),
                i_RESET=Const(0, 1),
                o_DOUT=product,
            )
            m.d.comb += self.o[n].eq(product)
