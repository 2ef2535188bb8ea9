"""``bitloom boards`` and ``bitloom models``: what there is to choose from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..console import Screen
from ..designs import trust_option
from ..errors import Command


@click.command(cls=Command, short_help="List the boards, or show one.")
@click.argument("name", required=False)
@trust_option
def boards(name: str | None, as_json: bool) -> None:
    """List the boards, or show all that is known of the one called NAME (or of a board's own YAML file)."""
    from bitloom.boards import board

    screen = Screen(as_json)
    if name is not None:
        facts = _board(board.load(name))
        screen.table(["", ""], [(key, value) for key, value in facts.items() if value not in ("", (), None)])
        screen.result(facts)
        return
    found = [_board(board.load(each)) for each in board.names()]
    screen.table(["board", "", "part", ">clock", ">LUT", ">FF", ">BRAM", ">DSP", ">baud"], [
        (each["name"], each["title"], each["part"], f"{each['clock_mhz']:g} MHz",
         *(f"{each[kind]:,}" for kind in ("lut", "ff", "bram", "dsp")), f"{each['baud']:,}")
        for each in found
    ], optional=["part", ">baud", "", ">FF"])
    screen.result({"boards": found})


@click.command(cls=Command, short_help="List the example networks.")
def models(as_json: bool) -> None:
    """List the example networks: what they are trained on, how large they are, how well they do."""
    from bitloom.boards.design import model_folder, model_names

    screen = Screen(as_json)
    found = [_model(model_folder(name)) for name in model_names()]
    screen.table(["model", "data set", "layers", ">weights", ">bits", ">accuracy", ""], [
        (each["name"], each["dataset"], each["layers"], f"{each['weights']:,}", f"{each['weight_bits']:,}",
         f"{each['accuracy']:.2%}" if each["accuracy"] is not None else "–",
         each["note"] if each["trained"] else f"bitloom train {each['name']}")
        for each in found
    ])
    screen.result({"models": found})


def _board(found: Any) -> dict[str, Any]:
    return {"name": found.name, "title": found.title, "part": found.part, "family": found.family,
            "clock_mhz": found.clock_hz / 1e6, **found.resources.rounded(), "baud": found.baud,
            "programmer": found.programmer, "notes": found.notes}


def _model(folder: Path) -> dict[str, Any]:
    """What is known of an example without training it again; ``weight_bits`` is the size of all weights in bits."""
    from bitloom import quant

    facts: dict[str, Any] = {"name": folder.name, "dataset": "", "layers": "", "weights": 0, "weight_bits": 0,
                             "accuracy": None, "note": "", "trained": (folder / "graph.npz").is_file(),
                             "folder": folder}
    if facts["trained"]:
        graph = quant.load(folder / "graph.npz")
        layers = [node for node in graph if isinstance(node, quant.MatMul | quant.Conv)]
        sizes = ["×".join(map(str, graph.input.output.shape)), *(str(layer.weights.shape[0]) for layer in layers)]
        facts |= {"dataset": graph.metadata.get("dataset", ""), "accuracy": graph.metadata.get("accuracy"),
                  "note": graph.metadata.get("note", ""), "layers": " → ".join(sizes),
                  "weights": sum(layer.weights.size for layer in layers),
                  "weight_bits": sum(layer.weights.size * layer.weight_format.bits for layer in layers)}
    return facts
