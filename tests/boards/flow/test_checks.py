"""What does not fit says by how much; what shrank to nothing is refused."""

import pytest

from bitloom import WorkError
from bitloom.boards.board import load
from bitloom.boards.flow import check_fit, check_plausible
from bitloom.codegen import Resources


def test_what_fits_passes():
    check_fit(load("icebreaker"), Resources(5280, 5280, 30, 8))


@pytest.mark.parametrize(
    ("used", "message"),
    [
        (Resources(lut=6543), r"needs 6,543 LUTs of 5,280 \(1,263 too many\); take target: area"),
        (Resources(ff=5281), r"needs 5,281 flip-flops of 5,280 \(1 too many\)"),
        (Resources(bram=31, dsp=9), r"needs 31 block memories of 30 \(1 too many\), and 9 multipliers of 8"),
    ],
)
def test_what_does_not_fit_says_what_and_by_how_much(used, message):
    with pytest.raises(WorkError, match=f"the design does not fit 1BitSquared iCEBreaker: it {message}"):
        check_fit(load("icebreaker"), used)


PREDICTED = Resources(lut=2000, ff=900, bram=8)


@pytest.mark.parametrize("used", [Resources(2600, 900, 9), Resources(500, 10, 4), Resources(2000, 900, 8)])
def test_what_is_about_as_predicted_passes(used):
    check_plausible(used, PREDICTED)


@pytest.mark.parametrize(
    ("used", "message"),
    [
        (Resources(499, 900, 8), "499 LUTs, and 2,000 were predicted"),
        (Resources(0, 0, 8), "0 LUTs, and 2,000 were predicted"),
        (Resources(2000, 900, 3), "3 block memories, and 8 were predicted"),
        (Resources(2000, 900, 0), "0 block memories, and 8 were predicted"),
    ],
)
def test_what_shrank_is_refused(used, message):
    with pytest.raises(WorkError, match=f"the netlist is implausibly small: {message}; part of the design"):
        check_plausible(used, PREDICTED)


def test_tiny_predictions_are_not_judged_by():
    check_plausible(Resources(1, 0, 0), Resources(39, 9, 0.4))
