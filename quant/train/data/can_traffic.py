"""Generated CAN traffic: a made-up car's periodic messages on a 500 kbit/s bus, and attacks on it. Nothing is recorded.

Every electronic control unit sends its messages with a fixed period and a little jitter; the bus sends the pending
frame of the lowest identifier first and one frame at a time. Payloads follow a simple drive: speed, engine speed,
pedals and temperatures change slowly, counters count, checksums sum. An attacker injects frames for a second or so at a
time.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np

BIT_TIME = 2e-6
"""Seconds per bit at 500 kbit/s."""

KINDS = ("none", "DoS flood", "fuzzing", "spoofing", "replay")
"""The attack that injects a frame; none injects those that a control unit sends."""

Payload: TypeAlias = bytes
Drive: TypeAlias = dict[str, float]


@dataclass(frozen=True)
class Frame:
    """A data frame with an 11-bit identifier: when it was on the bus (seconds), and which of :data:`KINDS` it is.

    ``amid``: for a normal frame, the kind of the attack that is under way; 0 between attacks.
    """

    time: float
    identifier: int
    payload: Payload
    kind: int = 0
    amid: int = 0


@dataclass(frozen=True)
class Message:
    """A periodic message: period in seconds, and payload bytes as expressions of the drive (see :func:`_byte`)."""

    identifier: int
    period: float
    layout: tuple[str, ...]


MESSAGES = (
    Message(0x0A0, 0.010, ("rpm>", "rpm<", "torque", "throttle", "0", "flags", "count", "sum")),
    Message(0x0B4, 0.010, ("speed>", "speed<", "speed>", "speed<", "0", "count", "sum")),
    Message(0x0C4, 0.010, ("angle>", "angle<", "rate", "count", "sum")),
    Message(0x0F1, 0.010, ("brake", "flags", "0", "count")),
    Message(0x120, 0.020, ("gear", "ratio", "rpm>", "rpm<", "0", "0", "count", "sum")),
    Message(0x130, 0.020, ("throttle", "throttle", "flags", "255", "count")),
    Message(0x153, 0.020, ("speed>", "brake", "angle>", "flags", "0", "255", "count", "16")),
    Message(0x164, 0.020, ("speed<", "speed>", "yaw", "yaw", "0", "0", "count", "sum")),
    Message(0x1A1, 0.020, ("torque", "torque", "throttle", "0", "8", "count")),
    Message(0x1D0, 0.020, ("slip", "slip", "slip", "slip", "flags", "0", "0", "count")),
    Message(0x220, 0.050, ("yaw", "rate", "angle<", "angle>", "0", "0", "count", "sum")),
    Message(0x260, 0.050, ("load", "throttle", "coolant", "0", "flags", "0", "128", "127")),
    Message(0x2A0, 0.100, ("coolant", "oil", "ambient", "0", "load", "0", "0", "255")),
    Message(0x2C0, 0.100, ("gear", "speed>", "0", "0", "flags", "0", "0", "count")),
    Message(0x316, 0.100, ("5", "rpm>", "rpm<", "torque", "load", "coolant", "0", "127")),
    Message(0x329, 0.100, ("coolant", "oil", "136", "20", "17", "ambient", "0", "16")),
    Message(0x350, 0.100, ("flags", "flags", "0", "0", "count")),
    Message(0x370, 0.200, ("0", "32", "lamps", "0", "0", "0", "0", "0")),
    Message(0x43F, 0.200, ("gear", "80", "96", "255", "fuel", "load", "8", "0")),
    Message(0x4B1, 0.200, ("lamps", "0", "wipers", "0")),
    Message(0x4F0, 0.500, ("ambient", "fuel", "0", "128", "0", "27", "72", "229")),
    Message(0x545, 0.500, ("fuel", "0", "0", "143", "0", "0", "0", "0")),
    Message(0x5A0, 1.000, ("odometer>", "odometer<", "0", "fuel", "0", "0", "0", "0")),
    Message(0x690, 1.000, ("7", "0", "200", "0", "0")),
)
"""The car's messages: 24, together about 800 frames per second, a quarter of what the bus can carry."""

SPOOFED = (0x0A0, 0x120, 0x316)
"""Messages that a spoofing attack forges: engine speed and gear."""


@dataclass
class _Car:
    """The state of the drive, and of each message's rolling counter."""

    rng: np.random.Generator
    state: Drive = field(default_factory=dict)
    counters: dict[int, int] = field(default_factory=dict)
    time: float = 0.0
    aim: float = 0.0

    def __post_init__(self) -> None:
        uniform = self.rng.uniform
        self.state = {
            "speed": uniform(0, 90), "angle": 0.0, "throttle": 20.0, "brake": 0.0, "coolant": uniform(60, 95),
            "oil": uniform(60, 100), "ambient": uniform(5, 30), "fuel": uniform(30, 200),
            "odometer": uniform(0, 60000), "lamps": float(self.rng.integers(0, 4)),
            "wipers": float(self.rng.integers(0, 3)),
        }
        self.aim = self.state["speed"]

    def move(self, time: float) -> None:
        """Drive on to ``time``, in steps of 10 ms at most."""
        while self.time < time:
            step = min(0.01, time - self.time)
            self.time += step
            self._step(step)

    def _step(self, dt: float) -> None:
        s = self.state
        if self.rng.random() < dt / 8:
            self.aim = self.rng.uniform(0, 130)
        gap = self.aim - s["speed"]
        s["throttle"] += (_clip(20 + 4 * gap, 200) - s["throttle"]) * dt * 2
        s["brake"] += (_clip(-6 * gap - 10, 200) - s["brake"]) * dt * 3
        s["speed"] = max(0.0, s["speed"] + min(12.0, max(-25.0, gap)) * dt / 3)
        s["angle"] += (-0.3 * s["angle"] + self.rng.normal(0, 60) / dt**0.5) * dt
        s["coolant"] += (90 - s["coolant"]) * dt / 100
        s["oil"] += (95 - s["oil"]) * dt / 150
        s["fuel"] -= dt / 500
        s["odometer"] += s["speed"] * dt / 360

    def payload(self, message: Message) -> Payload:
        """The bytes of ``message`` now."""
        count = self.counters.get(message.identifier, 0)
        self.counters[message.identifier] = (count + 1) % 16
        values = self._values(count)
        made: list[int] = []
        for name in message.layout:
            made.append(sum(made) & 0xFF if name == "sum" else int(name) if name.isdigit() else _byte(values, name))
        return bytes(made)

    def _values(self, count: int) -> Drive:
        s = self.state
        gear = min(6, 1 + int(s["speed"] / 22))
        rpm = 800 + s["speed"] * 190 / gear + s["throttle"] * 3
        return {
            **s, "count": count, "gear": gear, "ratio": 40 * gear, "rpm": rpm * 4, "speed": s["speed"] * 100,
            "torque": 40 + s["throttle"] * 0.7, "load": 20 + s["throttle"] * 0.9, "angle": 32768 + s["angle"] * 20,
            "rate": 128 + s["angle"] / 8, "yaw": 128 + s["angle"] * s["speed"] / 400,
            "slip": s["speed"] * 1.5 + self.rng.normal(0, 1),
            "flags": (s["brake"] > 5) * 4 + (s["throttle"] > 40) * 2 + 1,
        }


def _byte(values: Drive, name: str) -> int:
    """``x`` is the value x clipped to a byte; ``x>`` and ``x<`` are the high and the low byte of x, clipped to two."""
    if name[-1] not in "<>":
        return int(_clip(values[name], 255))
    word = int(_clip(values[name[:-1]], 65535))
    return word >> 8 if name[-1] == ">" else word & 0xFF


def _clip(value: float, top: float) -> float:
    return min(top, max(0.0, value))


def traffic(seed: int, seconds: float) -> list[Frame]:
    """The frames of one drive in the order in which they were on the bus; the same seed gives the same frames.

    Attacks take turns: each lasts 0.5 to 1.5 seconds, with 1.5 to 3.5 seconds of peace before it.
    """
    rng = np.random.default_rng(seed)
    car = _Car(rng)
    wanted = sorted(_periodic(rng, seconds), key=lambda pair: pair[0])
    normal: list[Frame] = []
    for time, message in wanted:
        car.move(time)
        normal.append(Frame(time, message.identifier, car.payload(message)))
    injected: list[Frame] = []
    spans = []
    for start, end, kind in _attacks(rng, seconds):
        injected += ATTACKS[kind](rng, start, end, normal)
        spans.append((start, end, kind))
    marked = [replace(frame, amid=next((kind for start, end, kind in spans if start <= frame.time < end), 0))
              for frame in normal]
    return list(_bus([*marked, *injected]))


def _periodic(rng: np.random.Generator, seconds: float) -> Iterator[tuple[float, Message]]:
    """When each message is handed to the bus: its period, its phase and a jitter of a hundredth of the period."""
    for message in MESSAGES:
        times = np.arange(rng.uniform(0, message.period), seconds, message.period)
        for time in times + rng.normal(0, 0.01, len(times)) * message.period:
            yield max(0.0, float(time)), message


def _attacks(rng: np.random.Generator, seconds: float) -> Iterator[tuple[float, float, int]]:
    """Beginning, end and kind of each attack."""
    time, turn = float(rng.uniform(1.5, 3.5)), 0
    while time < seconds - 1.5:
        end = time + float(rng.uniform(0.5, 1.5))
        yield time, end, 1 + turn % len(ATTACKS)
        time, turn = end + float(rng.uniform(1.5, 3.5)), turn + 1


def _flood(rng: np.random.Generator, start: float, end: float, normal: list[Frame]) -> Iterator[Frame]:
    """The identifier of the highest priority, all zeros, every 0.3 ms: other frames hardly pass."""
    for time in np.arange(start, end, 0.0003):
        yield Frame(float(time), 0, bytes(8), 1)


def _fuzz(rng: np.random.Generator, start: float, end: float, normal: list[Frame]) -> Iterator[Frame]:
    """Random identifiers and payloads of random length, every 1 ms."""
    for time in np.arange(start, end, 0.001):
        yield Frame(float(time), int(rng.integers(0, 2048)), rng.bytes(int(rng.integers(0, 9))), 2)


def _spoof(rng: np.random.Generator, start: float, end: float, normal: list[Frame]) -> Iterator[Frame]:
    """One message of the car with a payload forged once, every 1 ms."""
    identifier = int(rng.choice(SPOOFED))
    length = len(next(m for m in MESSAGES if m.identifier == identifier).layout)
    forged = rng.bytes(length)
    for time in np.arange(start, end, 0.001):
        yield Frame(float(time), identifier, forged, 3)


def _replay(rng: np.random.Generator, start: float, end: float, normal: list[Frame]) -> Iterator[Frame]:
    """Frames recorded up to a second ago, sent again three times as fast."""
    first = start - (end - start) * 3
    for frame in normal:
        if max(0.0, first) <= frame.time < start:
            yield Frame(start + (frame.time - first) / 3, frame.identifier, frame.payload, 4)


Attack: TypeAlias = Callable[[np.random.Generator, float, float, list[Frame]], Iterator[Frame]]

ATTACKS: dict[int, Attack] = {1: _flood, 2: _fuzz, 3: _spoof, 4: _replay}
"""What injects the frames of each kind, from the time that it begins to that it ends, given those of the car."""


def _bus(wanted: list[Frame]) -> Iterator[Frame]:
    """Arbitration: whenever the bus is free, the pending frame of the lowest identifier goes next."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i].time)
    pending: list[tuple[int, int]] = []
    free, at = 0.0, 0
    while at < len(order) or pending:
        if not pending:
            free = max(free, wanted[order[at]].time)
        while at < len(order) and wanted[order[at]].time <= free:
            heapq.heappush(pending, (wanted[order[at]].identifier, order[at]))
            at += 1
        _, index = heapq.heappop(pending)
        frame = wanted[index]
        yield replace(frame, time=free)
        free += (47 + 8 * len(frame.payload)) * 1.1 * BIT_TIME
