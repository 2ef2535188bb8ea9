"""Drive module ``accelerator`` at its two streams: results, timing, handshake rules, and the words of every ROM.

Parameters: ``ports`` (name → name in the design), ``beats_in`` and ``beats_out`` (beats per vector), ``inputs`` and
``expected`` (per vector a list of beats, hexadecimal, lane 0 in the lowest bits), ``phases`` (each with ``name``,
``vectors`` [first, end), the ``source``'s and ``sink``'s pattern of stalls and a ``seed``), ``roms`` (path →
``words``, hexadecimal, and ``width``), ``taps`` (name → ``path`` of a unit below the top, its ``ports``, and the
``beats`` expected of its output in the first phase), ``gauges`` (name → ``path`` and ``ports`` of a queue, watched in
the phases that are ``gauged``), ``patience`` (cycles without a transfer that count as a deadlock).

Results: per phase the mismatching vectors, the first of them in words, broken handshake rules, and the cycle of each
vector's first transfer at both ends; per ROM the words that differ; per tap the first beat that differs; per queue the
most beats that it held.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import First, ReadOnly, RisingEdge, Timer
from cocotb.utils import get_sim_time

from bitloom.sim.bench.exchange import BenchError, Exchange
from bitloom.sim.bench.handles import child, read_back
from bitloom.sim.bench.stalls import pauses

PERIOD = 10

Ports = dict[str, Any]


class Source:
    """Offers beats to stream ``i``, pausing as told; ``starts`` are the cycles of each vector's first transfer."""

    def __init__(self, ports: Ports, beats: list[int], per_vector: int, stalls: Iterator[int]) -> None:
        self._valid, self._ready, self._payload = ports["i__valid"], ports["i__ready"], ports["i__payload"]
        self._beats, self._per_vector, self._stalls = beats, per_vector, stalls
        self._next, self._pause = 0, next(stalls)
        self._offering = False
        self.starts: list[int] = []
        self.offer()

    @property
    def sent(self) -> int:
        """Beats that were transferred."""
        return self._next

    @property
    def waits(self) -> bool:
        """Whether nothing happens here until ``ready`` rises, if it ever does."""
        return self._next == len(self._beats) or (self._offering and not int(self._ready.value))

    def edge(self, cycle: int) -> None:
        """At a rising edge: see whether a beat was transferred, then decide on what to offer next."""
        if self._offering:
            if not int(self._ready.value):
                return
            if self._next % self._per_vector == 0:
                self.starts.append(cycle)
            self._next += 1
            self._offering = False
            self._pause = next(self._stalls)
        else:
            self._pause -= 1
        self.offer()

    def offer(self) -> None:
        """Show the next beat unless this is a pause."""
        if self._next < len(self._beats) and self._pause <= 0:
            self._payload.value = self._beats[self._next]
            self._valid.value = 1
            self._offering = True
        else:
            self._valid.value = 0


class Sink:
    """Takes beats from stream ``o``, pausing as told, and watches that offers hold until they are taken."""

    def __init__(self, ports: Ports, stalls: Iterator[int], reluctant: bool) -> None:
        self._valid, self._ready, self._payload = ports["o__valid"], ports["o__ready"], ports["o__payload"]
        self._stalls, self._reluctant = stalls, reluctant
        self._pause = next(stalls)
        self._taking = False
        self._held: int | None = None
        self.beats: list[int] = []
        self.cycles: list[int] = []
        self.broken: list[str] = []
        self.decide()

    def edge(self, cycle: int) -> None:
        """At a rising edge: take a beat if there is one, then decide whether to be ready in the next cycle."""
        valid = int(self._valid.value)
        if self._held is not None:
            if not valid:
                self._break(f"cycle {cycle}: o.valid fell before the transfer")
            elif int(self._payload.value) != self._held:
                self._break(f"cycle {cycle}: o.payload changed before the transfer")
        self._held = None
        if valid and self._taking:
            self.beats.append(int(self._payload.value))
            self.cycles.append(cycle)
            self._pause = next(self._stalls)
        elif valid:
            self._held = int(self._payload.value)
        if not self._taking and (valid or not self._reluctant):
            self._pause -= 1
        self.decide()

    @property
    def waits(self) -> bool:
        """Whether nothing happens here until ``valid`` rises."""
        return self._taking and not int(self._valid.value)

    def decide(self) -> None:
        """Be ready unless this is a pause."""
        self._taking = self._pause <= 0
        self._ready.value = int(self._taking)

    def _break(self, rule: str) -> None:
        if len(self.broken) < 10:
            self.broken.append(rule)


class Gauge:
    """How many beats a queue inside the design holds at most."""

    def __init__(self, dut: Any, path: str, ports: dict[str, str]) -> None:
        unit = child(dut, path)
        self._in, self._out = ([child(unit, ports[f"{end}__{n}"]) for n in ("valid", "ready")] for end in ("i", "o"))
        self._level = self.peak = 0

    def edge(self) -> None:
        """At a rising edge: count what enters and what leaves."""
        self._level += all(int(s.value) for s in self._in) - all(int(s.value) for s in self._out)
        self.peak = max(self.peak, self._level)


class Tap:
    """Compares what passes through a stream inside the design with what should."""

    def __init__(self, dut: Any, path: str, ports: dict[str, str], beats: list[str]) -> None:
        unit = child(dut, path)
        self._valid, self._ready, self._payload = (child(unit, ports[f"o__{n}"]) for n in ("valid", "ready", "payload"))
        self._expected = iter(enumerate(beats))
        self.first: dict[str, Any] | None = None

    def edge(self) -> None:
        """At a rising edge: compare the beat that is transferred now."""
        if self.first is None and int(self._valid.value) and int(self._ready.value):
            index, expected = next(self._expected, (-1, "0"))
            if index >= 0 and int(self._payload.value) != int(expected, 16):
                self.first = {"beat": index, "expected": expected, "got": f"{int(self._payload.value):x}"}


async def phase(ports: Ports, exchange: Exchange, spec: dict[str, Any], taps: list[Tap | Gauge]) -> dict[str, Any]:
    """Push the vectors of one phase through a freshly reset design."""
    parameters = exchange.parameters
    first, end = spec["vectors"]
    inputs = [int(beat, 16) for vector in parameters["inputs"][first:end] for beat in vector]
    expected = [[int(beat, 16) for beat in vector] for vector in parameters["expected"][first:end]]
    wanted = (end - first) * parameters["beats_out"]
    await reset(ports)
    source = Source(ports, inputs, parameters["beats_in"], pauses(spec["source"], spec["seed"]))
    sink = Sink(ports, pauses(spec["sink"], spec["seed"] + 1), spec["sink"] == "reluctant")
    edge, start, cycle, moved, last = RisingEdge(ports["clk"]), get_sim_time("ns"), 0, 0, 0
    wake = (RisingEdge(ports["i__ready"]), RisingEdge(ports["o__valid"]), Timer(parameters["patience"] * PERIOD, "ns"))
    while len(sink.beats) < wanted:
        await edge
        cycle = round((get_sim_time("ns") - start) / PERIOD)
        waits = not taps and source.waits and sink.waits
        source.edge(cycle)
        sink.edge(cycle)
        for tap in taps:
            tap.edge()
        if moved != source.sent + len(sink.beats):
            moved, last = source.sent + len(sink.beats), cycle
        if cycle - last > parameters["patience"]:
            raise BenchError(f"{spec['name']}: nothing moved for {cycle - last} cycles after {source.sent} input and "
                             f"{len(sink.beats)} output beats: a deadlock")
        exchange.progress(spec["name"], len(sink.beats) // parameters["beats_out"], end - first)
        if waits and cycle - last > 4:
            await First(*wake)
    extra = await _surplus(ports, edge)
    return {"name": spec["name"], "vectors": end - first, "cycles": cycle, "broken": sink.broken, "surplus": extra,
            "starts_in": source.starts, "starts_out": sink.cycles[:: parameters["beats_out"]],
            **compare(sink.beats, expected, first)}  # fmt: skip


async def reset(ports: Ports) -> None:
    """Reset the design between two clock edges and leave it idle."""
    ports["rst"].value, ports["i__valid"].value, ports["o__ready"].value = 1, 0, 0
    for _ in range(4):
        await RisingEdge(ports["clk"])
    ports["rst"].value = 0
    await RisingEdge(ports["clk"])


async def _surplus(ports: Ports, edge: RisingEdge) -> int:
    """Beats that come after the last one that was due."""
    ports["i__valid"].value, ports["o__ready"].value = 0, 1
    count = 0
    for _ in range(64):
        await edge
        count += int(ports["o__valid"].value)
    return count


def compare(beats: list[int], expected: list[list[int]], first: int) -> dict[str, Any]:
    """The vectors that differ, and the first difference in words."""
    size = len(expected[0])
    wrong = [k for k, due in enumerate(expected) if beats[k * size : (k + 1) * size] != due]
    detail = ""
    if wrong:
        k = wrong[0]
        beat = next(b for b in range(size) if beats[k * size + b] != expected[k][b])
        came = beats[k * size + beat]
        detail = f"sample {first + k}, output beat {beat}: {expected[k][beat]:#x} expected, {came:#x} came"
    return {"mismatches": len(wrong), "wrong": [first + k for k in wrong[:100]], "detail": detail}


async def bench(exchange: Exchange) -> dict[str, Any]:
    """All that the parameters ask for."""
    dut: Any = cocotb.top
    await ReadOnly()
    roms = read_back(dut, exchange.parameters["roms"])
    await Timer(1, unit="ns")
    ports = {port: child(dut, name) for port, name in exchange.parameters["ports"].items()}
    Clock(ports["clk"], PERIOD, unit="ns").start()
    taps = {name: Tap(dut, **tap) for name, tap in exchange.parameters.get("taps", {}).items()}
    gauges = {name: Gauge(dut, **gauge) for name, gauge in exchange.parameters.get("gauges", {}).items()}
    phases = []
    for number, spec in enumerate(exchange.parameters["phases"]):
        eyes: list[Tap | Gauge] = list(taps.values()) if number == 0 else []
        phases.append(await phase(ports, exchange, spec, [*gauges.values()] if spec.get("gauged") else eyes))
    return {"phases": phases, "roms": roms, "taps": {name: tap.first for name, tap in taps.items()},
            "peaks": {name: gauge.peak for name, gauge in gauges.items()}}


@cocotb.test(timeout_time=1000, timeout_unit="sec")
async def streams(_: Any) -> None:
    """The entry that cocotb calls."""
    await Exchange().run(bench)
