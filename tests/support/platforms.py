"""Platforms with what no shipped board has."""

from amaranth.build import Attrs, Clock, DiffPairs, Pins, PinsN, Resource
from amaranth.vendor import LatticeICE40Platform
from amaranth_boards.resources import UARTResource

UART = UARTResource(0, rx="6", tx="9", attrs=Attrs(PULLUP=1))


class Odd(LatticeICE40Platform):
    """LEDs lit at different levels, a differential clock, a wide one, one without a frequency, an inverted one."""

    device = "iCE40UP5K"
    package = "SG48"
    default_clk = "plain"
    resources = [
        Resource("plain", 0, Pins("35", dir="i"), Clock(12e6)),
        Resource("pair", 0, DiffPairs("2", "3", dir="i"), Clock(12e6)),
        Resource("wide", 0, Pins("44 45", dir="i"), Clock(12e6)),
        Resource("unknown", 0, Pins("46", dir="i")),
        Resource("inverted", 0, PinsN("47", dir="i"), Clock(12e6)),
        Resource("led", 0, Pins("11", dir="o")),
        Resource("led", 1, PinsN("37", dir="o")),
        UART,
    ]
    connectors = []


class Unknown(Odd):
    """A device that place and route does not know."""

    device = "iCE65L01"
