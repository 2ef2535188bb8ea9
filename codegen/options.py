"""Folding: the ways to fold each unit, what each costs, and what the user may fix of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache
from typing import TypeVar

from bitloom import RequestError
from bitloom.quant import Conv, Graph, MatMul, Node, Requantize, Table, Threshold

from . import cost, mapping
from .engines import GROUPS, steps, tables
from .families import Family, Resources
from .folding import Folding, divisors
from .instances import unit
from .mapping import has_constants, lane_totals, lanes_out, templates, vectors
from .reasons import why_not

MEMORIES = ("block", "distributed")
Overrides = Mapping[str, Mapping[str, object]]

_FOLDED_AWAY = 4
"""Up to so many words per memory, constants make the logic behind them smaller."""

_NAMED = 12
"""How many choices a message names."""

Value = TypeVar("Value")


@dataclass(frozen=True)
class Option:
    """One way to fold one unit.

    ``interval`` is in cycles per sample; ``depth`` in cycles from the last input beat that the first output beat needs
    to that output beat, when nothing else limits the unit.
    """

    folding: Folding
    lanes_out: int
    interval: int
    depth: int
    resources: Resources


def options(graph: Graph, node: Node, family: Family, override: Mapping[str, object], *, limit: int | None = None,
            budget: Resources | None = None, idle: int | None = None) -> list[Option]:
    """The foldings of the unit of ``node`` that divide and respect ``override``, with their predicted cost.

    :param limit: leave out those that take more cycles per sample.
    :param budget: leave out those that need more LUTs alone. More output lanes never make a matrix–vector unit smaller
        whose weights are in block memory, so those behind the first that is too large are not priced at all.
    :param idle: leave out matrix–vector units so large that they would idle for all but one in ``idle`` cycles of
        ``limit`` (or of the unit's own slowest folding). One whose weights are constants stays: it may be the smallest.
    """
    found: list[Option] = []
    too_large: dict[int, int] = {}  # SIMD → the least PE whose arithmetic alone is above the budget
    choices = list(foldings(graph, node, family, override))
    most = max(_steps(node, folding) for folding in choices)
    if limit is not None:
        most = min(most, limit // vectors(graph, node))
    for folding in choices:
        if isinstance(node, MatMul):
            cycles = _steps(node, folding)
            if cycles > most or (idle is not None and cycles > 1 and cycles * idle < most):
                continue
            usual = folding.template == "MatVec"
            if usual and cycles > _FOLDED_AWAY and folding.pe >= too_large.get(folding.simd, folding.pe + 1):
                continue
        option = _option(graph, node, family, folding)
        if limit is not None and option.interval > limit:
            continue
        if budget is not None and (option.resources.lut > budget.lut or option.resources.dsp > budget.dsp):
            if folding.memory == "block" and folding.template == "MatVec":
                too_large.setdefault(folding.simd, folding.pe)
            continue
        found.append(option)
    return found


def intervals(graph: Graph, node: Node, family: Family, override: Mapping[str, object]) -> set[int]:
    """The cycles per sample of every folding of ``node`` that respects ``override``."""
    found = foldings(graph, node, family, override)
    if isinstance(node, MatMul):
        return {_steps(node, folding) * vectors(graph, node) for folding in found}
    return {_option(graph, node, family, folding).interval for folding in found}


def _steps(node: Node, folding: Folding) -> int:
    """Cycles per vector of a matrix–vector unit; 0 for other units."""
    return steps(node, folding) if isinstance(node, MatMul) else 0


def foldings(
    graph: Graph, node: Node, family: Family | None, override: Mapping[str, object]
) -> Iterator[Folding]:
    """The foldings of ``node`` that divide and respect ``override``: block memory first, then by rising lanes."""
    asked = {"pe": override.get("pe"), "simd": override.get("simd", override.get("lanes")),
             "group": override.get("group"), "tables": override.get("tables")}
    served = templates(graph, node, family)
    if "template" not in override and isinstance(node, MatMul):
        served = tuple(name for name in served if family is None or cost.known(family, name))
    for template in _allowed(served, override.get("template")):
        constants = has_constants(graph, node, template)
        found = [folding for folding in mapping.foldings(graph, node, template)
                 if all(value in (None, getattr(folding, key)) for key, value in asked.items())]
        for memory in _allowed(MEMORIES, override.get("memory")) if constants else ("auto",):
            for folding in found:
                # One word of constants needs no memory at all.
                constant = isinstance(node, MatMul) and steps(node, folding) == 1
                if not (constant and memory == "block" and "memory" not in override):
                    yield replace(folding, memory=memory)


def _allowed(values: Sequence[Value], wanted: object) -> list[Value]:
    return [value for value in values if wanted is None or value == wanted]


@lru_cache(maxsize=1 << 16)
def _option(graph: Graph, node: Node, family: Family, folding: Folding) -> Option:
    component = unit(graph, node, folding, family)
    return Option(folding, lanes_out(node, folding), component.interval * vectors(graph, node), component.depth,
                  cost.predict(family, component))


def check_override(graph: Graph, name: str, override: Mapping[str, object]) -> None:
    """Refuse an override that names an unknown layer or key, or folds a unit in a way that does not divide.

    Keys are ``pe`` and ``simd`` for a matrix product (``group`` and ``tables`` where it may be looked up in tables) and
    ``lanes`` for any other layer, ``memory`` where there are constants, and ``template``.
    """
    foldable = {node.name: node for node in graph if templates(graph, node)}
    if name not in foldable:
        near = get_close_matches(name, foldable, 1)
        raise RequestError(f"layers.{name}: the network has no such layer to fold"
                           + (f"; did you mean {near[0]!r}?" if near else f"; it has {_listed(list(foldable), 'and')}"))
    node = foldable[name]
    allowed = _choices(graph, node)
    for key, value in override.items():
        if key not in allowed:
            article = "an" if node.op[0] in "AEIOU" else "a"
            raise RequestError(f"layers.{name}: {article} {node.op} has the keys {_listed(list(allowed))}, not {key!r}")
        what, choices = allowed[key]
        if not what:
            if value not in choices:
                why = f" ({why_not(graph, node, value)})" if key == "template" else ""
                raise RequestError(f"layers.{name}.{key} must be {_listed(choices)}, not {value!r}{why}")
            continue
        if not isinstance(value, int) or isinstance(value, bool):
            raise RequestError(f"layers.{name}.{key} must be a whole number, not {value!r}")
        if value not in choices:
            raise RequestError(f"layers.{name}.{key} must divide the {choices[-1]} {what}, not {value} "
                               f"(use {_listed(choices)})")
    if any(True for _ in foldings(graph, node, None, override)):
        return
    for key in ("lanes", "simd", "tables", "group", "pe"):  # the first without which there is a folding
        rest = {other: value for other, value in override.items() if other != key}
        wanted = {getattr(folding, "simd" if key == "lanes" else key) for folding in foldings(graph, node, None, rest)}
        if key in override and wanted:
            raise RequestError(f"layers.{name}.{key} must be {_listed(sorted(wanted))} with {_told(rest)}, not "
                               f"{override[key]}")
    raise RequestError(f"layers.{name}: no folding has {_told(override)}; leave some of it out")


def _told(override: Mapping[str, object]) -> str:
    """An override in words."""
    return ", ".join(f"the {key} {value}" for key, value in override.items())


def _choices(graph: Graph, node: Node) -> dict[str, tuple[str, Sequence[object]]]:
    """The keys that an override of ``node`` may have: what a number divides (else empty), and the values."""
    outputs, inputs = lane_totals(graph, node)
    if isinstance(node, MatMul):
        part = " per group" if node.groups > 1 else ""
        keys: dict[str, tuple[str, Sequence[object]]] = {
            "pe": (f"outputs{part}", divisors(outputs)), "simd": (f"inputs{part}", divisors(inputs))}
        if "TableMatVec" in templates(graph, node):
            keys |= {"group": ("", GROUPS), "tables": ("", tables(inputs))}
    else:
        keys = {"lanes": ("channels that it works on alike", divisors(inputs))}
    if isinstance(node, MatMul | Conv | Threshold | Requantize | Table):
        keys["memory"] = ("", MEMORIES)
    return {**keys, "template": ("", templates(graph, node))}


def _listed(values: Sequence[object], word: str = "or") -> str:
    words = [str(v) for v in values]
    if len(words) > _NAMED:
        words = [*words[:_NAMED - 1], f"{len(words) - _NAMED + 1} more"]
    return f"{', '.join(words[:-1])} {word} {words[-1]}" if len(words) > 1 else words[0]
