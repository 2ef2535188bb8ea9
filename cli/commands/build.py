"""``bitloom compile`` and ``bitloom build``: from a design to RTL, and on to a bitstream."""

from __future__ import annotations

from typing import Any

import click

from ..console import Screen
from ..designs import asked_for, design_arguments, strict_option
from ..errors import Command
from ..samples import illustrate
from .report import print_figures, print_warning

WIDEST = 120
"""Characters of a line of the layer table, whatever the network."""


@click.command("compile", cls=Command, short_help="Fold a design and write its RTL.")
@design_arguments
@strict_option
def compile_(strict: bool, as_json: bool, **chosen: Any) -> None:
    """Compile DESIGN: fold it for the board, print the layer table, write the RTL and the pin constraints."""
    from bitloom.boards.build import compile_design
    from bitloom.boards.report import read, render

    screen = Screen(as_json)
    compiled = compile_design(*asked_for(**chosen), screen, strict)
    render(compiled.out)
    values = read(compiled.out)
    print_layers(screen, values)
    print_warning(screen, compiled.graph)
    screen.say(f"{compiled.top}")
    screen.result({**values, "compared": compiled.graph.metadata.get("compared"), "folder": compiled.out,
                   "rtl": compiled.top, "constraints": compiled.constraints})


@click.command(cls=Command, short_help="Build a design down to the bitstream.")
@design_arguments
@strict_option
def build(strict: bool, as_json: bool, **chosen: Any) -> None:
    """Build DESIGN down to the bitstream: RTL, synthesis, place and route, packing, report.

    A step whose inputs have not changed is not done again.
    """
    from bitloom.boards.build import build as build_design
    from bitloom.boards.build import load_build

    screen = Screen(as_json)
    design, folder = asked_for(**chosen)
    values = build_design(design, folder, screen, strict)
    illustrate(screen, design.model, folder)
    print_layers(screen, values)
    print_warning(screen, load_build(folder).graph)
    print_figures(screen, values)
    bitstream = load_build(folder).bitstream
    screen.say(f"{bitstream}\n{folder / 'report.html'}")
    screen.result({**values, "compared": load_build(folder).graph.metadata.get("compared"), "folder": folder,
                   "bitstream": bitstream, "report": folder / "report.html"})


def print_layers(screen: Screen, values: dict[str, Any]) -> None:
    """The layer table: templates, folding, closed forms, memories, and the predicted resources."""
    rows = [
        (layer["name"], layer["template"], f"{layer['inputs']} → {layer['outputs']}",
         f"{layer['pe']} × {layer['simd']}", f"{layer['interval']:,}", f"{layer['latency']:,}",
         layer["queue"] or "–", layer["memory"] or "–",
         *(f"{layer[kind]:,}" for kind in ("lut", "ff", "bram", "dsp")))
        for layer in values["layers"]
    ]
    total = values["predicted"]
    rows.append(("pipeline", "", "", "", f"{total['interval_cycles']:,}", f"{total['latency_cycles']:,}", "", "",
                 *(f"{total[kind]:,}" for kind in ("lut", "ff", "bram", "dsp"))))
    screen.table(["layer", "template", "shape", ">PE × SIMD", ">interval", ">latency", ">queue", "constants",
                  ">LUT", ">FF", ">BRAM", ">DSP"], rows, optional=["constants", "shape", "template", ">queue", ">FF"],
                 widest=WIDEST)
    screen.say(f"{total['throughput_fps']:,.0f} samples/s at {total['clock_mhz']:g} MHz; interval and latency in "
               "cycles, resources estimated")
