"""How commands take a design, and which build they work on.

The rule, for all commands. A request is a model, a board, a target and a rate, or a design file; each has a build
folder of its own, ``build/<design>``, so that none overwrites another's. ``compile`` and ``build`` do what is asked
for, with the defaults where nothing is said. Those that follow (``verify``, ``batch``, ``run``, ``program``,
``report``) take, of what the command line leaves open, what was compiled last of that model, and say which design it
is.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bitloom import RequestError

if TYPE_CHECKING:
    from bitloom.boards.design import Design

    from .console import Screen

F = TypeVar("F", bound=Callable[..., Any])

TARGETS = ("throughput", "latency", "area")

BUILDS = Path("build")
"""Where builds are, below the working directory."""


def _trust(ctx: click.Context, parameter: click.Parameter, given: bool) -> None:
    """From here to the command's end, believe boards' files."""
    if given:
        from bitloom.boards.trust import trusting

        ctx.with_resource(trusting())


trust_option = click.option("--trust-platform", is_flag=True, expose_value=False, is_eager=True, callback=_trust,
                            help="Let a board's own YAML file name any class and any option of tools: it can run code.")
"""For every command that reads a board's file."""


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
        trust_option,
    ]):
        command = decorate(command)
    return command


def strict_option(command: F) -> F:
    """Give ``command`` the option --strict."""
    return click.option("--strict", is_flag=True, help="Fail where the network was imported without a comparison with "
                        "its file (for CI).")(command)


def asked_for(out: Path | None = None, **chosen: Any) -> tuple[Design, Path]:
    """The design that the command line asks for, and the folder that it is built in.

    :raises RequestError: the folder of its name holds the build of another network, and --out names no other.
    """
    from bitloom.boards.compiled import manifest_of, original

    design = _chosen(**chosen)
    folder = out or BUILDS / design.design
    built = manifest_of(folder).get("model")
    if not out and built not in (None, asked := original(design.model, folder)):
        raise RequestError(f"{folder}: holds a build of {built}, which is another network than {asked}; give --out "
                           "another folder, or remove this one")
    return design, folder


def followed(screen: Screen, out: Path | None = None, **chosen: Any) -> tuple[Design, Path]:
    """The design and the build folder that a command works on which follows a build; see the module.

    Where the command line left anything open and a build of that model is there, ``screen`` is told which was taken.
    """
    design, folder = asked_for(out, **chosen)
    built = _last_build([folder] if out else sorted(BUILDS.glob("*/")), chosen)
    if built is None:
        return design, folder
    design, folder = built
    wishes = [f"target {design.target}"] if design.target else []
    wishes += [f"{design.fps:g} samples per second"] if design.fps else []
    screen.err.print(f"design {design.design}, compiled last in {folder}: {', '.join([design.board, *wishes])}",
                     markup=False)
    return design, folder


def _chosen(design: str | None, model: str | None, **options: Any) -> Design:
    """The design that the command line asks for."""
    from bitloom.boards.design import design_names, find_design, model_names

    request = design or model
    if request is None:
        known = ", ".join([*design_names(), *model_names()])
        raise click.UsageError(f"DESIGN is missing: a design file, or one of {known}", click.get_current_context())
    return find_design(request, model=model if design else None, **options)


def _last_build(folders: list[Path], chosen: dict[str, Any]) -> tuple[Design, Path] | None:
    """What was compiled last of the model that ``chosen`` names, with the board, target and rate that it names.

    None where it names no model but a design file, which leaves nothing open, or where nothing was compiled.
    """
    from bitloom.boards.compiled import manifest_of, request_of
    from bitloom.boards.design import find_design, make_design, origin

    wanted = find_design(chosen["design"] or chosen["model"], model=chosen["model"] if chosen["design"] else None)
    if wanted != make_design(wanted.model):
        return None
    given = {key: value for key, value in chosen.items() if key in ("board", "target", "fps") and value is not None}
    found: list[tuple[float, Design, Path]] = []
    for folder in folders:
        manifest = manifest_of(folder)
        if manifest.get("model") != origin(wanted.model):
            continue
        design = request_of(folder, wanted.model)
        if all(_same(key, value, getattr(design, key)) for key, value in given.items()):
            found.append((manifest_time(folder), design, folder))
    return max(found, key=lambda build: build[0])[1:] if found else None


def _same(key: str, asked: Any, built: Any) -> bool:
    """Whether an option says what the build has."""
    if key != "board":
        return bool(asked == built)
    from bitloom.boards import board

    return board.load(asked) == board.load(built)


def manifest_time(folder: Path) -> float:
    """When ``folder`` was compiled last, or found to hold what was asked for."""
    from bitloom.boards.compiled import MANIFEST

    return (folder / MANIFEST).stat().st_mtime
