"""Values and identities on the wire."""

import re

import numpy as np
import pytest

from bitloom import RequestError
from bitloom.boards.protocol import (
    MOST,
    Deframer,
    Identity,
    Interface,
    VersionError,
    decode_values,
    encode_frame,
    encode_values,
    value_bytes,
)
from bitloom.quant.formats import BIPOLAR, Format

WIDTHS = (1, 4, 7, 8, 9, 16, 17, 24, 31, 33, 63)
FORMATS = [BIPOLAR, *(Format(bits, signed) for bits in WIDTHS for signed in (False, True))]


@pytest.mark.parametrize("format", FORMATS, ids=str)
def test_values_come_back(format):
    values = np.random.default_rng(format.bits).integers(format.lo, format.hi, 50, endpoint=True)
    values[:2] = format.lo, format.hi
    if format.bipolar:
        values = np.where(values == 0, 1, values)
    wire = encode_values(values, format)
    assert len(wire) == 50 * value_bytes(format)
    assert np.array_equal(decode_values(wire, format), values)
    for k, value in enumerate(values.tolist()):
        width = value_bytes(format)
        assert wire[k * width : (k + 1) * width] == value.to_bytes(width, "little", signed=value < 0)


@pytest.mark.parametrize(
    "format, values, message",
    [
        (Format(4), [16], "values must be in u4 (0 … 15), not 16 … 16"),
        (Format(4, signed=True), [-9, 7], "values must be in i4 (-8 … 7), not -9 … 7"),
        (BIPOLAR, [-1, 0], "values must be in bipolar (−1 or +1), not -1 … 0"),
        (Format(4), [0.5], "values must be integers, not float64"),
    ],
)
def test_values_outside_their_format_are_named(format, values, message):
    with pytest.raises(RequestError, match=re.escape(message)):
        encode_values(np.array(values), format)


@pytest.mark.parametrize(
    "format, wire, message",
    [
        (Format(4), b"\x10", "a received value is outside u4"),
        (BIPOLAR, b"\x00", "a received value is outside bipolar"),
        (Format(12), b"\x00\x00\x00", "values of 2 bytes each do not fill 3 bytes"),
    ],
)
def test_received_values_are_checked(format, wire, message):
    with pytest.raises(ValueError, match=message):
        decode_values(wire, format)


def test_identity():
    identity = Interface(0x11223344, 784, Format(8), 10, Format(17, signed=True)).identity
    wire = identity.to_bytes()
    assert wire == bytes([2, 0x44, 0x33, 0x22, 0x11, 0x10, 0x03, 0, 0, 1, 10, 0, 0, 0, 3])
    assert Identity.from_bytes(wire) == identity
    with pytest.raises(ValueError, match="an identity has 15 bytes, not 14"):
        Identity.from_bytes(wire[:-1])


def test_an_identity_counts_more_than_two_bytes_hold():
    identity = Interface(1, 1 << 24, Format(8), MOST, Format(3)).identity
    assert Identity.from_bytes(identity.to_bytes()) == identity


@pytest.mark.parametrize("wire", [bytes([1, 0x44, 0x33, 0x22, 0x11, 0x10, 0x03, 1, 10, 0, 3]), b"\x03"])
def test_an_identity_of_another_version_says_so(wire):
    with pytest.raises(VersionError, match=f"the board speaks protocol version {wire[0]}, this program version 2"):
        Identity.from_bytes(wire)


def test_a_frame_is_found_whatever_the_pieces():
    content = bytes(range(256)) * 3
    line = b"\x00\x7d\x7e" + encode_frame(content) + encode_frame(b"ab") + b"\x7e\x7e"
    for size in (1, 2, 7, len(line)):
        deframer = Deframer()
        messages = [m for k in range(0, len(line), size) for m in deframer.feed(line[k : k + size])]
        assert [bytes([m.command, m.sequence]) + m.body for m in messages] == [content, b"ab"] and deframer.bad == 1


def test_the_time_a_frame_takes_grows_with_its_length_alone():
    line = encode_frame(bytes(1 << 18))
    deframer = Deframer()
    (message,) = [m for k in range(0, len(line), 4) for m in deframer.feed(line[k : k + 4])]
    assert len(message.body) == (1 << 18) - 2
