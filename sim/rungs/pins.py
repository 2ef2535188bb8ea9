"""Levels ``top`` and ``netlist``: the board's top, or the netlist synthesized from it, at its UART pins."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from bitloom import quant
from bitloom.boards.build import Compiled, synthesize_build
from bitloom.boards.files import make_folder, write_text
from bitloom.boards.link.baud import baud_divisor
from bitloom.boards.protocol import (
    ESCAPE,
    FLAG,
    RESPONSE,
    Command,
    ErrorCode,
    Interface,
    Message,
    decode_values,
    encode_values,
    value_bytes,
)
from bitloom.boards.top import RESET_SECONDS

from .. import netlist
from ..cells import library
from ..levels import Findings, Unavailable
from ..vectors import Samples
from ..verilator import Public, Simulator, build, build_rtl, run

PERIOD = 10_000
"""Of the simulated clock, in picoseconds; only cycles mean anything."""

LARGE = 4000
"""Cells above which a netlist's simulator is compiled without optimization, which would take longer than it saves."""

PINS = tuple(Public("top", pin, writable=True) for pin in ("clk", "rx", "tx"))


def verify_top(compiled: Compiled, samples: Samples, seed: int, note: Callable[[str], None]) -> Findings:
    """Module ``top`` of ``rtl/top.v`` through its pins."""
    return through_pins(compiled, simulate_top(compiled, note), samples, seed, note, "the board top's RTL")


def verify_netlist(compiled: Compiled, samples: Samples, seed: int, note: Callable[[str], None]) -> Findings:
    """The netlist that place and route reads, over the models of the family's cells, through its pins."""
    path = compiled.out / "netlist.json"
    if not path.is_file():
        raise Unavailable("there is no netlist yet: run `bitloom build` first")
    if path.stat().st_mtime_ns < compiled.top.stat().st_mtime_ns:
        note("rtl/top.v is newer than the netlist: synthesizing")
        synthesize_build(compiled)
    found = netlist.read(path)
    simulator = simulate_netlist(compiled, found, note)
    what = f"the netlist of {sum(found.counts.values()):,} cells"
    return through_pins(compiled, simulator, samples, seed, note, what)


def simulate_top(compiled: Compiled, note: Callable[[str], None]) -> Simulator:
    """The simulator of the board's top."""
    return build_rtl(compiled.top, "top", compiled.out / "sim", level="top", public=PINS, note=note)


def simulate_netlist(compiled: Compiled, found: netlist.Netlist, note: Callable[[str], None]) -> Simulator:
    """The simulator of a netlist; :class:`bitloom.WorkError` if one of its cells has no model."""
    family = compiled.board.family
    models = library(family)
    netlist.check(found, models, family)
    folder = make_folder(compiled.out / "sim")
    source = folder / "netlist.v"
    write_text(source, netlist.to_verilog(found, models))
    optimize = "-O0" if sum(found.counts.values()) > LARGE else "-O1"
    return build([*models.sources, source], "top", folder, level="netlist", public=PINS, include=[models.include],
                 optimize=optimize, note=note)


def parameters_for(compiled: Compiled) -> dict[str, Any]:
    """What a bench must know of the clock and the line."""
    plan, face = compiled.plan, compiled.interface
    divisor = baud_divisor(plan.clock_hz, compiled.board.baud)
    longest = 2 * (6 + max(face.elements * 8, face.results * 8, 16)) * 10 * divisor
    return {"period": PERIOD, "bit": PERIOD * plan.clock_hz / compiled.board.baud,
            "reset": 2 * int(RESET_SECONDS * plan.clock_hz) + 2,
            "patience": 2 * (plan.interval + plan.latency) + longest}


def through_pins(compiled: Compiled, simulator: Simulator, samples: Samples, seed: int, note: Callable[[str], None],
                 what: str) -> Findings:
    """``samples`` through the pins of ``simulator``, after requests that are not samples; ``what`` names the design."""
    face = compiled.interface
    expected = quant.run(compiled.graph, samples.inputs).reshape(len(samples.inputs), -1)
    bodies = [encode_values(row, face.element).hex() for row in samples.inputs]
    right = [encode_values(row, face.result).hex() for row in expected]
    exchanges = exchanges_for(face, bytes.fromhex(bodies[0]), seed)
    garbage = random.Random(seed).randbytes(40) + b"\x7e"
    results = run(simulator, "pins", {**parameters_for(compiled), "garbage": garbage.hex(), "exchanges": exchanges,
                                      "samples": bodies}, seed=seed, note=note)
    wrong = list(results["wrong"])
    differ = [k for k, (answer, due) in enumerate(zip(results["answers"], right, strict=True)) if answer != due]
    if differ:
        wrong.append(f"{len(differ)} of {len(bodies)} samples differ, first sample {differ[0]}: {right[differ[0]]} "
                     f"expected, {results['answers'][differ[0]]} came (bytes)")
    for key, text in (("bad_frames", "damaged frames"), ("framing_errors", "bytes without a stop bit"),
                      ("surplus", "answers that nobody asked for")):
        if results[key]:
            wrong.append(f"{results[key]} {text}")
    compared = f"{samples.source} through the UART pins of {what}; {len(exchanges)} requests that it answers or refuses"
    return Findings(len(bodies), len(differ), compared, tuple(wrong))


def exchanges_for(face: Interface, sample: bytes, seed: int) -> list[dict[str, str]]:
    """Requests that are not samples, each with its one right answer: who are you, and all that must be refused."""
    identity = bytes([RESPONSE | Command.IDENTIFY, 0x7D]) + face.identity.to_bytes()
    damaged = _damaged(Message(Command.INFER, 2, sample).to_frame(), seed)
    found = [
        ("IDENTIFY", Message(Command.IDENTIFY, 0x7D).to_frame(), identity),
        ("a damaged frame", damaged, _refusal(2, ErrorCode.CHECKSUM)),
        ("an unknown command", Message(0x55, 3).to_frame(), _refusal(3, ErrorCode.COMMAND)),
        ("a short sample", Message(Command.INFER, 4, sample[:-1]).to_frame(), _refusal(4, ErrorCode.LENGTH)),
        ("a long sample", Message(Command.INFER, 5, sample + b"\0").to_frame(), _refusal(5, ErrorCode.LENGTH)),
    ]
    outside = _outside(face, sample)
    if outside is not None:
        frame = Message(Command.INFER, 6, outside).to_frame()
        found.append(("a value out of range", frame, _refusal(6, ErrorCode.VALUE)))
    return [{"name": name, "send": frame.hex(), "answer": answer.hex()} for name, frame, answer in found]


def _damaged(frame: bytes, seed: int) -> bytes:
    """``frame`` with one bit of its body or checksum flipped, where that makes or breaks no flag and no escape."""
    special = (FLAG, ESCAPE, 0x5D, 0x5E)
    places = [(k, 1 << bit) for k in range(3, len(frame) - 1) for bit in range(8)
              if frame[k] not in special and frame[k] ^ 1 << bit not in special]
    place, flip = random.Random(seed).choice(places)
    return frame[:place] + bytes([frame[place] ^ flip]) + frame[place + 1 :]


def _outside(face: Interface, sample: bytes) -> bytes | None:
    """``sample`` with a first element that its format does not hold; None if the format fills its bytes."""
    last = value_bytes(face.element) - 1
    for byte in (0x55, 0xAA, 0xFF):
        body = sample[:last] + bytes([byte]) + sample[last + 1 :]
        try:
            decode_values(body, face.element)
        except ValueError:
            return body
    return None


def _refusal(sequence: int, code: ErrorCode) -> bytes:
    return bytes([Command.ERROR, sequence, code])
