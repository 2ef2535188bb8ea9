"""Storage: where buffers can be, what synthesis is told, and the register behind a memory."""

from amaranth.hdl import Signal

from ..parameters import one_of

STORAGE = ("auto", "block", "registers", "distributed")
"""Where a buffer can be: block memory, flip-flops, memory in LUTs (iCE40 has none); ``auto``: see :func:`storage`."""

STYLE = {"block": "block", "registers": "logic", "distributed": "distributed"}
"""What the synthesis tool is told. Yosys' "logic" means flip-flops."""


def storage(name: str, kind: str, depth: int, width: int) -> str:
    """``kind``; ``auto`` is ``registers`` up to 96 bits for each 16-bit block memory saved, else ``block``."""
    if one_of(name, kind, STORAGE) != "auto":
        return kind
    return "registers" if depth * width <= 96 * -(-width // 16) else "block"


def storage_features(kind: str, depth: int, width: int) -> dict[str, float]:
    """The stored bits by kind; blocks of 256 words of 16 bits; the bits chosen between banks of 2048 words."""
    if kind == "block":
        blocks = -(-width // 16) * -(-depth // 256)
        return {"block_bits": depth * width, "blocks": blocks, "bank_bits": width * (-(-depth // 2048) - 1)}
    return {f"buffer_{'register' if kind == 'registers' else kind}_bits": depth * width}


UNKNOWN_AT_FIRST = "unknown_at_first"
"""Attribute of a register or a memory whose first values nothing depends on; emission leaves them out."""


def output_register(width: int) -> Signal:
    """A register for the word read from a memory.

    Block memories have such a register, which does not start as zeros on every family: a register that did would cost a
    gate per bit (iCE40). Nothing may depend on what it holds before the first word.
    """
    return Signal(width, name="data", reset_less=True, attrs={UNKNOWN_AT_FIRST: 1})
