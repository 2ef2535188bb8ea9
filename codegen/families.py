"""Device families: what their fabric is made of, as far as mapping and cost depend on it."""

from __future__ import annotations

from dataclasses import dataclass, fields

from bitloom import RequestError


@dataclass(frozen=True)
class Resources:
    """Counts of a device's resources: LUTs, flip-flops, block memories and multiplier blocks."""

    lut: float = 0
    ff: float = 0
    bram: float = 0
    dsp: float = 0

    def __add__(self, other: Resources) -> Resources:
        return Resources(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def most(self, other: Resources) -> Resources:
        """The greater of each count."""
        return Resources(*(max(getattr(self, f.name), getattr(other, f.name)) for f in fields(self)))

    def area(self) -> float:
        """One number for area, in LUTs, by :data:`AREA_WEIGHTS`."""
        return sum(getattr(self, f.name) * getattr(AREA_WEIGHTS, f.name) for f in fields(self))

    def scaled(self, factor: float) -> Resources:
        """Every count times ``factor``."""
        return Resources(*(getattr(self, f.name) * factor for f in fields(self)))

    def excess(self, budget: Resources) -> dict[str, float]:
        """By how much each resource is above ``budget``; empty if it fits."""
        over = {f.name: getattr(self, f.name) - getattr(budget, f.name) for f in fields(self)}
        return {name: amount for name, amount in over.items() if amount > 0}

    def rounded(self) -> dict[str, int]:
        """The counts as whole numbers, for people and for JSON."""
        return {f.name: round(getattr(self, f.name)) for f in fields(self)}


AREA_WEIGHTS = Resources(lut=1.0, ff=0.1, bram=150.0, dsp=200.0)
"""What one of each resource is worth in LUTs where nothing says how scarce it is: about the ratio on an iCE40 UP5K."""


@dataclass(frozen=True)
class Family:
    """A device family.

    ``block_shapes`` are the (depth, width) of one block memory with a read and a write port, ``multiplier`` is the
    device of :class:`bitloom.hw.packed.multiplier.Multiplier`, ``lut_memory`` says whether look-up tables can be
    written to.
    """

    name: str
    title: str
    block_shapes: tuple[tuple[int, int], ...]
    multiplier: str
    lut_memory: bool = True

    def blocks(self, depth: int, width: int) -> int:
        """The fewest block memories for ``depth`` words of ``width`` bits, in the best aspect ratio."""
        return min(-(-depth // d) * -(-width // w) for d, w in self.block_shapes)


FAMILIES = {
    family.name: family
    for family in (
        # Lattice TN-02002 (iCE40 memory usage guide): 4 kbit, 256×16 … 2048×2.
        Family("ice40", "Lattice iCE40", ((256, 16), (512, 8), (1024, 4), (2048, 2)), "ice40", lut_memory=False),
        # Lattice TN-02204 (ECP5 memory usage guide): 18 kbit, pseudo-dual-port up to 512×36.
        Family("ecp5", "Lattice ECP5", ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1)), "ecp5"),
        # Gowin UG285 (BSRAM and SSRAM): 18 kbit, semi-dual-port up to 512×36.
        Family("gowin", "Gowin GW1N", ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1)), "gowin"),
    )
}


def family(name: str) -> Family:
    """The family called ``name``."""
    if name not in FAMILIES:
        raise RequestError(f"family must be one of {', '.join(FAMILIES)}, not {name!r}")
    return FAMILIES[name]
