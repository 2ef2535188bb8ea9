"""What was compiled: a build folder's request, its plan and where its RTL lies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

from bitloom import RequestError, codegen
from bitloom.codegen import Folding, Plan
from bitloom.codegen.families import family as family_of
from bitloom.files.json_file import read_sealed, sealed
from bitloom.files.text import shown
from bitloom.quant import Graph, load

from . import board as boards
from .board import Board
from .design import GRAPH, Design, load_design, origin, resolve_model
from .files import write_text
from .fingerprint import digest, of_request
from .flow import FLOWS
from .pins import SUFFIX, Pins, pins_of
from .protocol import Interface

MANIFEST = "manifest.json"
DESIGN = "design.yaml"
TOP = Path("rtl") / "top.v"


@dataclass(frozen=True)
class Compiled:
    """A design that has been compiled into the folder ``out``: what it is made of and where its RTL lies.

    ``edited`` says that ``rtl/top.v`` is not as it was emitted; it is kept, and all that follows works on it as it is.
    """

    design: Design
    board: Board
    graph: Graph
    plan: Plan
    out: Path
    design_id: int
    edited: bool = False

    @property
    def top(self) -> Path:
        """The Verilog of the whole design: modules ``accelerator`` and ``top``."""
        return self.out / TOP

    @property
    def pins(self) -> Pins:
        """Where the top's ports go."""
        return pins_of(self.board)

    @property
    def constraints(self) -> Path:
        """The pin constraints."""
        return self.out / f"constraints.{SUFFIX[self.board.family]}"

    @property
    def bitstream(self) -> Path:
        """Where the bitstream is, once it is built."""
        return self.out / f"{self.design.design}{FLOWS[self.board.family].suffix}"

    @property
    def interface(self) -> Interface:
        """What host and board must agree on: samples and results as the circuit takes and gives them."""
        samples, results = self.plan.input, self.plan.output
        return Interface(self.design_id, prod(samples.shape), samples.format, prod(results.shape), results.format)


def load_build(build_dir: str | Path) -> Compiled:
    """What was compiled into ``build_dir``, without compiling again; :class:`RequestError` if it is not there."""
    out = Path(build_dir)
    manifest = manifest_of(out)
    if not manifest or not (out / TOP).is_file():
        raise RequestError(f"{out}: holds no compiled design, or its {MANIFEST} is damaged; run `bitloom compile` or "
                           "`bitloom build` first")
    design = load_design(out / DESIGN)
    compiled = known(design, boards.load(design.board), load(out / GRAPH), out, manifest)
    try:
        compiled.plan.stages  # noqa: B018  (made once and kept)
    except (ValueError, TypeError, KeyError, ArithmeticError) as error:
        raise RequestError(f"{out}: {DESIGN}, {GRAPH} and {MANIFEST} do not belong together "
                           f"({shown(str(error), 200)}); run `bitloom compile` again") from error
    return compiled


def known(design: Design, board: Board, graph: Graph, out: Path, manifest: dict[str, Any]) -> Compiled:
    """What the manifest of ``out`` says was compiled there."""
    foldings = {name: Folding(**folding) for name, folding in manifest["foldings"].items()}
    plan = Plan(codegen.simplify(graph), family_of(board.family), clock_of(design, board), design.goal, foldings)
    compiled = Compiled(design, board, graph, plan, out, int(manifest["fingerprint"][:8], 16))
    return replace(compiled, edited=digest([compiled.top.read_bytes()]) != manifest["top"])


def original(model: str, out: Path) -> str:
    """What tells ``model`` from others; where it is the copy in the build folder ``out``, that of which it is one."""
    own = origin(model)
    return str(manifest_of(out).get("model", own)) if own == str(out.resolve()) else own


def request_of(out: Path, model: str) -> Design:
    """The design that ``out`` was compiled for, of the model that is called ``model`` outside."""
    return load_design(out / DESIGN).model_copy(update={"model": model})


def outdated(out: Path) -> str:
    """Why what is known of the build in ``out`` is no longer so, in a few words; empty where it still is."""
    manifest = manifest_of(out)
    if "model" not in manifest:
        return ""
    design = request_of(out, manifest["model"])
    try:
        _, graph = resolve_model(design.model)
        board = boards.load(design.board)
    except RequestError as error:
        return f"its network or board is not there any more ({error})"
    if manifest["fingerprint"] == of_request(design, board, graph):
        return ""
    same = of_request(design, board, graph) == of_request(design, board, load(out / GRAPH))
    return "bitloom or its board has changed since" if same else f"the network {design.model} has changed since"


def manifest_of(out: Path) -> dict[str, Any]:
    """The manifest in ``out``; empty where there is none, or none as it was written."""
    return read_sealed(out / MANIFEST)


def write_manifest(out: Path, manifest: dict[str, Any]) -> None:
    """Write ``manifest`` into ``out``, so that one that was edited since is none."""
    write_text(out / MANIFEST, sealed(manifest))


def clock_of(design: Design, board: Board) -> float:
    """The clock of ``design`` on ``board``, in hertz."""
    if design.clock_mhz is not None and abs(design.clock_mhz * 1e6 / board.clock_hz - 1) > 1e-6:
        raise RequestError(f"clock_mhz must be {board.clock_hz / 1e6:g}, the oscillator of {board.name} (the top has "
                           f"no PLL), not {design.clock_mhz:g}")
    return board.clock_hz
