"""The stream that joins templates: vectors of equal elements, a few lanes at a time.

A vector of N elements travels as N / lanes beats, lane 0 first. There are no packets: each unit counts beats. The
handshake is Amaranth's: a transfer happens in a cycle in which ``valid`` and ``ready`` are both high, ``valid`` and
the payload hold until the transfer, and ``valid`` never depends on ``ready``.
"""

from collections.abc import Iterator
from functools import cached_property, lru_cache

from amaranth.hdl import Format, Shape, Value
from amaranth.lib import data, stream

from .parameters import integer_shape, positive


class Beat(data.ArrayLayout):
    """The elements of a beat. Amaranth goes through a layout's fields, and through how each is shown, whenever a signal
    is made: for wide beats that takes longer than everything else about a template, so it is done once, and not at all.
    """

    SHOWN = 8
    """Elements up to which each is shown, in waveforms and in emitted text; more are shown as one number."""

    @cached_property
    def _all(self) -> tuple[tuple[int, data.Field], ...]:
        return tuple(super().__iter__())

    def __iter__(self) -> Iterator[tuple[int, data.Field]]:
        return iter(self._all)

    def format(self, value: Value, format_spec: str) -> Format:
        """How a beat is shown."""
        if self.length <= self.SHOWN:
            return super().format(value, format_spec)
        return Format("{:x}", Value.cast(value))


def vector(shape: Shape, lanes: int) -> stream.Signature:
    """The signature of a stream whose beats hold ``lanes`` elements of ``shape``, lane 0 in the lowest bits."""
    return _vector(integer_shape("shape", shape), positive("lanes", lanes))


@lru_cache(maxsize=1024)
def _vector(shape: Shape, lanes: int) -> stream.Signature:
    return stream.Signature(Beat(shape, lanes))
