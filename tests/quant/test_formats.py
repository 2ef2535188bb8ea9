"""Integer formats: ranges, membership, the narrowest format of a range."""

import numpy as np
import pytest

from bitloom.quant import BIPOLAR, Format


@pytest.mark.parametrize(
    ("form", "lo", "hi", "text"),
    [(Format(3), 0, 7, "u3"), (Format(3, signed=True), -4, 3, "i3"), (Format(1), 0, 1, "u1"),
     (BIPOLAR, -1, 1, "bipolar"), (Format(63, signed=True), -(2**62), 2**62 - 1, "i63")],
)
def test_range(form: Format, lo: int, hi: int, text: str) -> None:
    assert (form.lo, form.hi, str(form)) == (lo, hi, text)


@pytest.mark.parametrize(
    ("lo", "hi", "text"),
    [(0, 0, "u1"), (0, 1, "u1"), (0, 2, "u2"), (0, 16, "u5"), (5, 7, "u3"), (-1, 0, "i1"), (-1, 1, "i2"), (-2, 1, "i2"),
     (-3, 1, "i3"), (-4, 3, "i3"), (-4, 4, "i4"), (-8, -5, "i4")],
)
def test_narrowest_format_of_a_range(lo: int, hi: int, text: str) -> None:
    form = Format.of_range(lo, hi)
    assert str(form) == text
    assert form.lo <= lo and hi <= form.hi


def test_one_bit_less_never_suffices() -> None:
    for lo in range(-9, 10):
        for hi in range(lo, 10):
            form = Format.of_range(lo, hi)
            if form.bits > 1:
                narrower = Format(form.bits - 1, signed=form.signed)
                assert lo < narrower.lo or hi > narrower.hi


def test_membership() -> None:
    assert BIPOLAR.holds(np.array([-1, 1])) and not BIPOLAR.holds(np.array([0]))
    assert Format(2).holds(np.array([0, 3])) and not Format(2).holds(np.array([4]))
    assert not Format(2).holds(np.array([-1]))
    assert Format(2).holds(np.array([], dtype=np.int64))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [(dict(bits=0), ValueError, "bits must be 1 to 63, not 0"), (dict(bits=64), ValueError, "not 64"),
     (dict(bits=2.0), TypeError, "bits must be an integer, not 2.0"), (dict(bits=True), TypeError, "not True"),
     (dict(bits=2, signed=True, bipolar=True), ValueError, "bipolar format is signed and has 1 bit, not 2")],
)
def test_impossible_formats(arguments: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Format(**arguments)


def test_an_empty_range_has_no_format() -> None:
    with pytest.raises(ValueError, match="lo 2 is above hi 1"):
        Format.of_range(2, 1)
