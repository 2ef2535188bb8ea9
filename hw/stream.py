"""The stream that joins templates: vectors of equal elements, a few lanes at a time.

A vector of N elements travels as N / lanes beats, lane 0 first. There are no packets: each unit counts beats. The
handshake is Amaranth's: a transfer happens in a cycle in which ``valid`` and ``ready`` are both high, ``valid`` and
the payload hold until the transfer, and ``valid`` never depends on ``ready``.
"""

from amaranth.hdl import Shape
from amaranth.lib import data, stream

from .parameters import integer_shape, positive


def vector(shape: Shape, lanes: int) -> stream.Signature:
    """The signature of a stream whose beats hold ``lanes`` elements of ``shape``, lane 0 in the lowest bits."""
    return stream.Signature(data.ArrayLayout(integer_shape("shape", shape), positive("lanes", lanes)))
