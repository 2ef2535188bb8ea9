"""The host link's protocol, in software: frames, requests, responses. The circuit's side is :mod:`bitloom.boards.link`.

Frames are those of RFC 1662 (HDLC-like framing): flag 0x7E between frames, 0x7D escapes (the byte after it is XORed
with 0x20), then a frame check sequence, FCS-16 = CRC-16/X-25, low byte first. Multi-byte fields are little-endian.

What the circuit does with what it receives, decided once, here:

* Nothing between two flags, and frames of fewer than four bytes (RFC 1662, 3.1: "invalid frames"), are dropped
  silently: they are line noise or the idle pattern. So is a frame ended by escape and flag (the abort sequence).
* Any other frame is answered once, and the first rule that it breaks decides the answer: longer than the longest
  request → `LENGTH`; frame check sequence wrong → `CHECKSUM`; command unknown → `COMMAND`; not the command's length
  → `LENGTH`; an element outside its format → `VALUE`; both sample buffers taken → `BUSY`. The answer comes at the
  frame's closing flag; a frame that runs on is discarded until then.
* A byte whose stop bit is wrong is dropped; the frame around it then fails its checksum.
* An error carries the sequence number that was received. After `CHECKSUM` that is a hint, not a fact.
* The circuit always listens: no answer ever holds the receiver back. One answer can wait while another is sent; a
  host that provokes errors faster than the line can carry their answers loses some of those answers, never a result.
* A frame ends at the next flag, whatever came before: after any garbage the next whole frame is understood.
"""

from __future__ import annotations

import enum
import struct
from binascii import crc_hqx
from dataclasses import dataclass

import numpy as np

from bitloom import RequestError
from bitloom.quant.formats import Format

VERSION = 2
"""The protocol's version, the first byte of an identity whatever the version. Version 1 had counts of two bytes."""

FLAG = 0x7E
ESCAPE = 0x7D
ESCAPE_MASK = 0x20
RESPONSE = 0x80
"""What a response adds to its request's command."""

WINDOW = 2
"""How many samples can be under way at a time."""

_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_IDENTITY = struct.Struct("<BIIBIB")

MOST = (1 << 32) - 1
"""The most elements, or results, of one sample: what four bytes of an identity count."""


class Command(enum.IntEnum):
    """The first byte of a request; `ERROR` is the first byte of an error response."""

    IDENTIFY = 0x01
    INFER = 0x02
    ERROR = 0xFF


class ErrorCode(enum.IntEnum):
    """Why a request was refused."""

    CHECKSUM = 1
    LENGTH = 2
    COMMAND = 3
    VALUE = 4
    BUSY = 5


ERROR_TEXT = {
    ErrorCode.CHECKSUM: "wrong checksum",
    ErrorCode.LENGTH: "wrong length",
    ErrorCode.COMMAND: "unknown command",
    ErrorCode.VALUE: "a value is outside its format",
    ErrorCode.BUSY: "busy: no sample buffer was free",
}


@dataclass(frozen=True)
class Interface:
    """What both ends of the link must agree on: the design and the shape of its samples and results."""

    design_id: int
    elements: int
    element: Format
    results: int
    result: Format

    @property
    def identity(self) -> Identity:
        """What a board with this interface answers to `IDENTIFY`."""
        return Identity(VERSION, self.design_id, self.elements, value_bytes(self.element), self.results,
                        value_bytes(self.result))  # fmt: skip


class VersionError(ValueError):
    """The other end speaks version ``version`` of the protocol."""

    def __init__(self, version: int) -> None:
        super().__init__(f"the board speaks protocol version {version}, this program version {VERSION}")
        self.version = version


@dataclass(frozen=True)
class Identity:
    """The body of the response to `IDENTIFY`; sizes in elements and in bytes per element."""

    version: int
    design_id: int
    elements: int
    element_bytes: int
    results: int
    result_bytes: int

    def to_bytes(self) -> bytes:
        """The 15 bytes of the body."""
        return _IDENTITY.pack(self.version, self.design_id, self.elements, self.element_bytes, self.results,
                              self.result_bytes)  # fmt: skip

    @classmethod
    def from_bytes(cls, body: bytes) -> Identity:
        """The identity in ``body``; :class:`VersionError` if another version wrote it, ``ValueError`` if none did."""
        if body and body[0] != VERSION:
            raise VersionError(body[0])
        if len(body) != _IDENTITY.size:
            raise ValueError(f"an identity has {_IDENTITY.size} bytes, not {len(body)}")
        return cls(*_IDENTITY.unpack(body))


@dataclass(frozen=True)
class Message:
    """One frame's content without its frame check sequence: command, sequence number, body."""

    command: int
    sequence: int
    body: bytes = b""

    def to_frame(self) -> bytes:
        """The message as it travels, a flag at each end."""
        return encode_frame(bytes([self.command, self.sequence]) + self.body)


def fcs(data: bytes) -> int:
    """The frame check sequence of ``data``: CRC-16/X-25, 16 bits."""
    register = crc_hqx(data.translate(_REVERSED), 0xFFFF)  # the same polynomial, the highest bit first
    return int(f"{register:016b}"[::-1], 2) ^ 0xFFFF


def encode_frame(content: bytes) -> bytes:
    """``content`` with its frame check sequence, escaped, between flags."""
    checked = content + fcs(content).to_bytes(2, "little")
    escaped = checked.replace(b"\x7d", b"\x7d\x5d").replace(b"\x7e", b"\x7d\x5e")
    return bytes([FLAG]) + escaped + bytes([FLAG])


def decode_frame(raw: bytes) -> bytes | None:
    """The content of ``raw``, the bytes between two flags; ``None`` if they are not a good frame."""
    if raw.endswith(b"\x7d"):
        return None
    head, *rest = raw.split(b"\x7d")
    checked = head + b"".join(bytes([part[0] ^ ESCAPE_MASK]) + part[1:] if part else b"" for part in rest)
    if b"" in rest or len(checked) < 4 or fcs(checked[:-2]) != int.from_bytes(checked[-2:], "little"):
        return None
    return checked[:-2]


class Deframer:
    """Finds the messages in a stream of bytes; ``bad`` counts the frames that were not good ones."""

    def __init__(self) -> None:
        self.bad = 0
        self._raw = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """The messages that end in ``data``, in order; an unfinished frame is kept for the next call."""
        first, *others = data.split(bytes([FLAG]))
        self._raw += first
        if not others:
            return []
        frames = [bytes(self._raw), *others[:-1]]
        self._raw = bytearray(others[-1])
        messages = []
        for raw in frames:
            content = decode_frame(raw)
            if content is not None and len(content) >= 2:
                messages.append(Message(content[0], content[1], content[2:]))
            elif raw:
                self.bad += 1
        return messages


def value_bytes(format: Format) -> int:
    """How many bytes one value of ``format`` takes on the wire."""
    return -(-format.bits // 8)


def encode_values(values: np.ndarray, format: Format) -> bytes:
    """``values`` as bytes, little-endian, sign-extended; :class:`RequestError` if one is outside ``format``."""
    flat = np.asarray(values).reshape(-1)
    if flat.dtype.kind not in "iub":
        raise RequestError(f"values must be integers, not {flat.dtype}: quantize them as the network's input does")
    flat = flat.astype(np.int64)
    if not format.holds(flat):
        raise RequestError(
            f"values must be in {format} ({'−1 or +1' if format.bipolar else f'{format.lo} … {format.hi}'}), "
            f"not {flat.min()} … {flat.max()}"
        )
    return flat.astype("<i8").view(np.uint8).reshape(-1, 8)[:, : value_bytes(format)].tobytes()


def decode_values(body: bytes, format: Format) -> np.ndarray:
    """The int64 values in ``body``; ``ValueError`` if its length is not whole or a value is outside ``format``."""
    width = value_bytes(format)
    if len(body) % width:
        raise ValueError(f"values of {width} bytes each do not fill {len(body)} bytes")
    raw = np.frombuffer(body, np.uint8).reshape(-1, width)
    fill = np.where(raw[:, -1:] >> 7, 0xFF, 0) if format.signed else np.zeros((len(raw), 1))
    wide = np.concatenate([raw, np.repeat(fill.astype(np.uint8), 8 - width, axis=1)], axis=1)
    values = np.ascontiguousarray(wide).view("<i8").reshape(-1).astype(np.int64)
    if not format.holds(values):
        raise ValueError(f"a received value is outside {format}")
    return values
