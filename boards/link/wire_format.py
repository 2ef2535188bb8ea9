"""How one value travels: the circuit's side of a value's bytes."""

from dataclasses import dataclass

from amaranth import C, Cat, Shape, Value, unsigned

from ..protocol import MOST


@dataclass(frozen=True)
class WireFormat:
    """A value's shape in the circuit, and whether its single bit stands for −1 and +1.

    On the wire it takes ⌈width / 8⌉ bytes, little-endian, extended to whole bytes by its sign or by zeros; a
    bipolar value is one byte, −1 or +1.
    """

    shape: Shape
    bipolar: bool = False

    def __post_init__(self) -> None:
        shape = Shape.cast(self.shape)
        object.__setattr__(self, "shape", shape)
        if self.bipolar and shape != unsigned(1):
            raise ValueError(f"a bipolar value has the shape unsigned(1), not {shape!r}")
        if not 1 <= shape.width <= 63:
            raise ValueError(f"a value must be 1 to 63 bits wide, not {shape.width}")

    @property
    def bytes(self) -> int:
        """Bytes per value."""
        return -(-self.shape.width // 8)

    @property
    def last_bits(self) -> int:
        """How many bits of the last byte belong to the value."""
        return self.shape.width - 8 * (self.bytes - 1)

    def bits(self, byte: Value) -> Value:
        """The bits of the value in the last ``byte`` of its wire form."""
        return ~byte[7:8] if self.bipolar else byte[: self.last_bits]

    def holds(self, byte: Value) -> Value:
        """Whether a value may end with ``byte``, its last on the wire: one bit."""
        if self.bipolar:
            return byte[0] & (byte[1:].all() | ~byte[1:].any())
        if self.last_bits == 8:
            return C(1, 1)
        if self.shape.signed:
            extension = byte[self.last_bits - 1 :]
            return extension.all() | ~extension.any()
        return ~byte[self.last_bits :].any()

    def to_bytes(self, value: Value) -> Value:
        """The wire form of ``value``: ``8 * bytes`` bits."""
        width = 8 * self.bytes
        raw = Value.cast(value)
        if self.bipolar:
            return Cat(C(1, 1), (~raw).replicate(7))
        fill = raw[-1] if self.shape.signed else C(0, 1)
        return Cat(raw, fill.replicate(width - len(raw)))


def check_lanes(name: str, total: int, lanes: int) -> None:
    """``ValueError`` unless ``lanes`` divides ``total``, a count of ``name`` that the protocol can tell."""
    if not 1 <= total <= MOST:
        raise ValueError(f"{name} must be 1 to {MOST:,}, the protocol's four bytes, not {total:,}")
    if lanes < 1 or total % lanes:
        raise ValueError(f"the lanes must divide the {total} {name}, not be {lanes}")
