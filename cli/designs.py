"""How commands take a design: DESIGN with --model, --board, --target and --fps laid over it, and its build folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from bitloom.boards.design import Design

F = TypeVar("F", bound=Callable[..., Any])

TARGETS = ("throughput", "latency", "area")


def design_arguments(command: F) -> F:
    """Give ``command`` the argument DESIGN and its options; they arrive as keywords for the functions below."""
    for decorate in reversed([
        click.argument("design", required=False),
        click.option("--model", help="Instead of the design's model: an example, a folder, a graph or an ONNX file."),
        click.option("--board", help="The board instead of the design's: a name, or a board's YAML file."),
        click.option("--target", type=click.Choice(TARGETS), help="What to make best."),
        click.option("--fps", type=click.FloatRange(min=0, min_open=True), metavar="N",
                     help="Take the smallest circuit that reaches N samples per second."),
        click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Build folder [build/<design>]."),
    ]):
        command = decorate(command)
    return command


def chosen_design(design: str | None, model: str | None, out: Path | None = None, **options: Any) -> Design:
    """The design that the command line asks for."""
    from bitloom.boards.design import design_names, find_design, model_names

    request = design or model
    if request is None:
        known = ", ".join([*design_names(), *model_names()])
        raise click.UsageError(f"DESIGN is missing: a design file, or one of {known}", click.get_current_context())
    return find_design(request, model=model if design else None, **options)


def built_design(out: Path | None = None, **chosen: Any) -> Design:
    """The design that the command line asks for, as it was built last.

    Where a model is asked for by its name and its folder holds a build, target, fps and foldings are those of that
    build unless the command line says otherwise: what was built with ``--target area`` is verified as it was built.
    """
    from bitloom.boards.build import DESIGN
    from bitloom.boards.design import load_design, make_design

    design = chosen_design(**chosen)
    built = out_folder(out, **chosen) / DESIGN
    asked = {key: value for key, value in chosen.items() if key in ("target", "fps") and value is not None}
    if asked or design != make_design(design.model, design.board) or not built.is_file():
        return design
    same = {"design": design.design, "model": design.model, "board": design.board}
    return load_design(built).model_copy(update=same)


def out_folder(out: Path | None = None, **chosen: Any) -> Path:
    """The folder that the design is built in: --out, or ``build/<design>`` below the working directory."""
    return out or Path("build") / chosen_design(**chosen).design
