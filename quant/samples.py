"""People's own samples as a graph's integers: real numbers or integers, in the file's layout or the graph's."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from bitloom import RequestError

from .graph import Graph
from .reals import Entry, entry_of

PART = 1 << 22
"""Elements that are quantized at a time."""


@dataclass(frozen=True, eq=False)
class Taken:
    """Samples as a graph takes them.

    ``integers``: int64 (n, *graph's input shape). ``real``: what they stand for in the network's own layout, float32
    (n, *file's shape); None where the graph does not say. ``note``: in one line how they were taken. ``warning``: in
    one line what may not be as meant, or nothing. ``clipped``: the share of the elements that lay outside what the
    integers can stand for.
    """

    integers: np.ndarray
    real: np.ndarray | None
    note: str
    warning: str = ""
    clipped: float = 0.0


def take(graph: Graph, samples: np.ndarray, real: bool | None = None) -> Taken:
    """``samples`` as the integers of ``graph``'s input, by what the graph says of it (:mod:`~bitloom.quant.reals`).

    Floats are real numbers, as the network itself takes them: they are quantized as its file does it. Integers are the
    graph's own. ``real`` decides instead where it is given. Samples have the shape that the network's file gives them
    (channels first, say) and are put into the graph's order; or the graph's shape (channels last); or are rows of as
    many elements, in the file's order. Where both shapes fit, the file's is meant. Axes of length 1 may be left out.
    One sample may come without its first axis.

    :param samples: (n, …), of floats or integers.
    :raises RequestError: shape, range or kind of number do not fit; the line says what would.
    """
    x = np.asarray(samples)
    if x.dtype.kind not in "iubf":
        raise RequestError(f"samples must be numbers, not {x.dtype}")
    entry = entry_of(graph)
    x, own, layout = _laid_out(graph, entry, x)
    if x.dtype.kind == "f" and not np.all(np.isfinite(x)):
        raise RequestError("samples must be finite numbers, and NaN or infinite ones occur; clean them first")
    floats = x.dtype.kind == "f" if real is None else real
    if not floats or (entry is None and real is None and np.array_equal(x, np.round(x))):
        return _integers(graph, entry, x, own, layout)
    if entry is None:
        raise RequestError(f"graph {graph.name!r} does not say how real numbers become its integers: give integers "
                           f"({_range(graph)}), or make it again with `bitloom train` or `bitloom import`")
    return _real(graph, entry, x, own, layout)


def _laid_out(graph: Graph, entry: Entry | None, x: np.ndarray) -> tuple[np.ndarray, bool, str]:
    """``x`` as (n, *shape), whether that shape is the graph's own (else the file's), and what to say of it."""
    own = graph.input.output.shape
    file = own if entry is None else entry.meaning.shape
    moved = entry is not None and entry.meaning.moved
    for shape, count in ((x.shape[1:], len(x) if x.ndim else 0), (x.shape, 1)):
        as_file, as_own = _alike(shape, file), _alike(shape, own)
        if not (as_file or as_own or shape == (prod(own),)) or x.ndim == 0:
            continue
        if count == 0:
            raise RequestError("there are no samples: the first axis has length 0")
        if as_own and not as_file:
            return x.reshape(count, *own), True, "in the circuit's own layout" if moved else ""
        said = ""
        if moved:
            said = f"put into the circuit's order, {_shape(own)}"
            if not as_file:
                said = f"rows in the order of the network's file, {_shape(file)}, {said}"
            elif as_own:
                said = f"laid out as in the network's file (the circuit's own order would fit as well), {said}"
        return x.reshape(count, *file), False, said
    also = f", or the circuit's own (n, {_listed(own)})" if moved or not _alike(own, file) else ""
    raise RequestError(f"samples must have the shape that the network takes, (n, {_listed(file)}){also}, or rows of "
                       f"{prod(own)} elements, not {x.shape}")


def _integers(graph: Graph, entry: Entry | None, x: np.ndarray, own: bool, layout: str) -> Taken:
    """Samples that are the graph's integers already."""
    tensor = graph.input.output
    if not np.array_equal(x, np.round(x)) or not tensor.format.holds(x):
        raise RequestError(f"samples of {x.dtype} are taken for the circuit's own integers, {_range(graph)}, and "
                           f"{x.min()} to {x.max()} occur; give real numbers, as the network itself takes them, in "
                           "floats")
    x = x.astype(np.int64)
    node = tensor.shape
    q = x.reshape(-1, *node) if own or entry is None else entry.meaning.ordered(x, node)
    stands = "" if entry is None else f", {entry.meaning}"
    note = _joined(f"{len(x):,} samples of {_shape(x.shape[1:])} integers, taken as the circuit's own "
                   f"({tensor.format}{stands})", layout)
    return Taken(q, None if entry is None else entry.samples(q, node), note)


def _real(graph: Graph, entry: Entry, x: np.ndarray, own: bool, layout: str) -> Taken:
    """Real samples, quantized."""
    tensor, meaning = graph.input.output, entry.meaning
    node, file = tensor.shape, meaning.shape
    x = x.astype(np.float32)
    if own:
        x = meaning.disordered(x)
    q = np.empty((len(x), *node), np.int64)
    outside, step = 0, max(1, PART // prod(node))
    for at in range(0, len(x), step):
        q[at : at + step] = entry.integers(x[at : at + step], node)
        outside += entry.outside(x[at : at + step], node)
    note = _joined(f"{len(x):,} real samples of {_shape(file)}, quantized to {tensor.format} "
                   f"({entry.meaning}), {q.min()} to {q.max()} of {entry.rule.low} to {entry.rule.high}",
                   layout)
    warnings = []
    if outside:
        low, high = entry.span
        by = "" if entry.rule.kind == "nearest" else ", as the network's own quantizer does"
        warnings.append(f"{outside / x.size:.2%} of the values lie outside {low:.6g} to {high:.6g} and are clipped{by}")
    if entry.assumed:
        warnings.append(ASSUMED)
    return Taken(q, x, note, "; ".join(warnings), outside / x.size)


ASSUMED = ("the network has no quantizer at its input, and 8 bits unsigned of scale 1/255 (real numbers of 0 to 1) "
           "were assumed when it was imported: if it was trained on others, import it again with --input and --scale")


def _alike(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Whether two shapes are the same but for axes of length 1."""
    return [size for size in shape if size != 1] == [size for size in wanted if size != 1]


def _range(graph: Graph) -> str:
    form = graph.input.output.format
    return "-1 or +1" if form.bipolar else f"{form} of {form.lo} to {form.hi}"


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "1"


def _listed(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))


def _joined(text: str, more: str) -> str:
    return f"{text}; {more}" if more else text
