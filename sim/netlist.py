"""A synthesized netlist as Verilog for simulation, from the very JSON file that place and route reads."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bitloom import WorkError

from .cells import IGNORED, Library


@dataclass(frozen=True)
class Netlist:
    """One flat module of yosys' JSON format: its ports, its cells, and where it came from."""

    source: str
    name: str
    ports: dict[str, Any]
    cells: dict[str, Any]

    @property
    def counts(self) -> Counter[str]:
        """How many of each type of cell there are."""
        return Counter(cell["type"] for cell in self.cells.values() if cell["type"] not in IGNORED)


def read(path: str | Path, top: str = "top") -> Netlist:
    """Module ``top`` of the netlist in ``path``; :class:`WorkError` says why a file is not one."""
    try:
        modules = json.loads(Path(path).read_text())["modules"]
        module = modules[top]
        return Netlist(str(path), top, module["ports"], module["cells"])
    except FileNotFoundError:
        raise WorkError(f"{path}: there is no such netlist") from None
    except (ValueError, KeyError, TypeError) as error:
        raise WorkError(f"{path}: not a netlist of module {top!r} in yosys' JSON format "
                        f"({type(error).__name__}: {error}); synthesize it again") from None


def check(netlist: Netlist, library: Library, family: str) -> None:
    """:class:`WorkError` if a cell has no model: it would be an empty box, which reads as zeros and proves nothing."""
    unknown = {cell: count for cell, count in sorted(netlist.counts.items()) if library.module(cell) is None}
    if unknown:
        what = ", ".join(f"{cell} ({count})" for cell, count in unknown.items())
        raise WorkError(f"{netlist.source}: {family} cells without a behavioural model: {what}. The netlist cannot be "
                        "simulated with them: synthesize without them, or write their model in sim/cells and test it "
                        "against inference")


def to_verilog(netlist: Netlist, library: Library) -> str:
    """The netlist as one Verilog module over the models of ``library``; one wire per net, named by its number."""
    nets: set[int] = set()
    body = [*_ports(netlist, nets), *_cells(netlist, library, nets)]
    heads = ", ".join(_name(port) for port in netlist.ports)
    wires = (f"  wire n{net};" for net in sorted(nets))
    return "\n".join([f"module {_name(netlist.name)} ({heads});", *wires, *body, "endmodule", ""])


def _ports(netlist: Netlist, nets: set[int]) -> Iterator[str]:
    for port, content in netlist.ports.items():
        bits, direction = content["bits"], content["direction"]
        if direction not in ("input", "output"):
            raise WorkError(f"{netlist.source}: port {port} is {direction}; only inputs and outputs can be simulated")
        yield f"  {direction} wire {f'[{len(bits) - 1}:0] ' if len(bits) > 1 else ''}{_name(port)};"
        for index, bit in enumerate(bits):
            selected = f"{_name(port)}[{index}]" if len(bits) > 1 else _name(port)
            net = _net(bit, nets)
            yield f"  assign {net} = {selected};" if direction == "input" else f"  assign {selected} = {net};"


def _cells(netlist: Netlist, library: Library, nets: set[int]) -> Iterator[str]:
    for number, cell in enumerate(netlist.cells.values()):
        if cell["type"] in IGNORED:
            continue
        parameters = ", ".join(f".{name}({_value(value)})" for name, value in cell["parameters"].items())
        ports = ", ".join(f".{port}({_concatenated(bits, nets)})" for port, bits in cell["connections"].items() if bits)
        yield f"  {library.module(cell['type'])} {f'#({parameters}) ' if parameters else ''}c{number} ({ports});"


def _concatenated(bits: list[int | str], nets: set[int]) -> str:
    names = [_net(bit, nets) for bit in reversed(bits)]
    return names[0] if len(names) == 1 else "{" + ", ".join(names) + "}"


def _net(bit: int | str, nets: set[int]) -> str:
    if isinstance(bit, int):
        nets.add(bit)
        return f"n{bit}"
    return f"1'b{bit}"


def _value(value: str | int) -> str:
    """A parameter: bits are written as 0, 1, x, z; a string that looks like bits has a space at its end."""
    text = str(value)
    if isinstance(value, int):
        return text
    if re.fullmatch("[01xz]+", text):
        return f"{len(text)}'b{text}"
    return '"' + re.sub("^([01xz]* *) $", r"\1", text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _name(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_]\w*", name) else f"\\{name} "
