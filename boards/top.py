"""The board's top: plain pins around an accelerator and its host link."""

import math

from amaranth import ClockDomain, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .link import HostLink
from .protocol import Identity

RESET_SECONDS = 15e-6
"""How long the reset holds after configuration. The block memories of an iCE40 read as zeros for about 3 µs after
it, which no data sheet mentions: https://github.com/YosysHQ/icestorm/issues/76 (comment 289270411). Amaranth's own
platform for that family waits 15 µs; other families do not need it and do not mind."""


class Top(wiring.Component):
    """An accelerator behind a UART: what is simulated, synthesized and placed as module ``top``.

    Ports: ``clk`` (drives everything), ``rx``, ``tx``, and ``led`` if there are any. The reset is made inside, after
    power-on; there is no pin for it. The submodules are named ``accelerator`` and ``link``.

    LEDs, as far as there are any: 0 blinks about once a second while the clock runs, 1 is lit while a sample is under
    way, 2 toggles with every result; the rest stay dark. ``leds_inverted`` is for LEDs lit by a low pin.

    Parameters: ``accelerator``, a component with streams ``i`` and ``o`` of ``ArrayLayout``s, from which the shapes
    and lanes are taken; ``elements`` and ``results``, whole multiples of those lanes; the rest as in
    :class:`HostLink`.

    Errors: ``TypeError`` if the accelerator has no such streams, ``ValueError`` as :class:`HostLink`'s.
    """

    def __init__(
        self,
        accelerator: wiring.Component,
        *,
        clock_hz: float,
        baud: float,
        elements: int,
        results: int,
        design_id: int,
        element_bipolar: bool = False,
        result_bipolar: bool = False,
        leds: int = 0,
        leds_inverted: bool = False,
    ):
        if leds < 0:
            raise ValueError(f"leds must be 0 or more, not {leds}")
        samples, answers = _vector_of(accelerator, "i", In), _vector_of(accelerator, "o", Out)
        self._accelerator = accelerator
        self._clock_hz = clock_hz
        self._leds_inverted = leds_inverted
        self._link = HostLink(
            clock_hz=clock_hz,
            baud=baud,
            elements=elements,
            element=samples.elem_shape,
            element_bipolar=element_bipolar,
            sample_lanes=samples.length,
            results=results,
            result=answers.elem_shape,
            result_bipolar=result_bipolar,
            result_lanes=answers.length,
            design_id=design_id,
        )
        ports = {"clk": In(1), "rx": In(1, init=1), "tx": Out(1, init=1)}
        if leds:
            ports["led"] = Out(leds)
        super().__init__(ports)

    @property
    def divisor(self) -> int:
        """Clock cycles per bit of the UART."""
        return self._link.divisor

    @property
    def identity(self) -> Identity:
        """What the board answers to the host's `IDENTIFY`."""
        return self._link.identity

    @property
    def reset_cycles(self) -> int:
        """Cycles after configuration during which the design is in reset and ``rx`` is not listened to."""
        return 1 << math.ceil(math.log2(max(2, RESET_SECONDS * self._clock_hz)))

    def elaborate(self, platform):
        m = Module()
        m.submodules.accelerator = self._accelerator
        m.submodules.link = link = self._link
        wiring.connect(m, link.samples, self._accelerator.i)
        wiring.connect(m, self._accelerator.o, link.results)
        m.d.comb += [link.rx.eq(self.rx), self.tx.eq(link.tx)]

        m.domains.sync = sync = ClockDomain()
        m.domains.power_on = power_on = ClockDomain(reset_less=True)
        m.d.comb += [sync.clk.eq(self.clk), power_on.clk.eq(self.clk)]
        released_at = self.reset_cycles.bit_length() - 1  # this bit of the count ends the reset
        ready = Signal()
        count = Signal(released_at + 1)
        m.d.comb += sync.rst.eq(~ready)

        if hasattr(self, "led"):
            beat = max(released_at, round(math.log2(self._clock_hz)) - 1)
            count = Signal(beat + 1)
            done = link.results.valid & link.results.ready
            toggle = Signal()
            m.d.sync += toggle.eq(toggle ^ done)
            lit = Signal(len(self.led))
            for led, source in zip(lit, (count[beat], link.busy, toggle)):
                m.d.comb += led.eq(source)
            m.d.comb += self.led.eq(~lit if self._leds_inverted else lit)
            m.d.power_on += count.eq(count + 1)
        else:
            with m.If(~ready):
                m.d.power_on += count.eq(count + 1)
        with m.If(count[released_at]):
            m.d.power_on += ready.eq(1)

        return m


def _vector_of(accelerator: wiring.Component, name: str, flow: wiring.Flow) -> data.ArrayLayout:
    """The layout of the accelerator's stream ``name``; ``TypeError`` if it has none."""
    members = getattr(getattr(accelerator, "signature", None), "members", {})
    if name in members and members[name].is_signature and members[name].flow is flow:
        payload = getattr(getattr(accelerator, name), "payload", None)
        layout = payload.shape() if isinstance(payload, data.View) else None
        if isinstance(layout, data.ArrayLayout):
            return layout
    way = "into" if flow is In else "out of"
    raise TypeError(f"an accelerator has a stream of an ArrayLayout {way} it as {name!r}; {accelerator!r} has not")
