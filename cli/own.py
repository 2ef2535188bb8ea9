"""The samples that a command takes: the user's own with their labels, or held-out ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click
import numpy as np

from bitloom import RequestError, quant
from bitloom.quant.reals import class_count, entry_of

from .arrays import read_array, read_labels
from .console import Screen
from .samples import held_out

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Wishes:
    """What the options of :func:`sample_options` say."""

    samples: int | None
    source: Path | None
    labels: Path | None
    numbers: str | None
    against: Path | None
    agree: float | None


@dataclass(frozen=True, eq=False)
class Chosen:
    """Samples to run: integers (n, *graph's input shape); the real numbers that they stand for, float32 (n, *shape in
    the network's file), where the graph says; class indices (n, …), where they are known."""

    inputs: np.ndarray
    real: np.ndarray | None
    labels: np.ndarray | None


def sample_options(default: str) -> Callable[[F], F]:
    """Give a command the options about samples; they arrive as one keyword, ``wishes``. ``default``: how many."""

    def decorate(command: F) -> F:
        @wraps(command)
        def gathered(samples: int | None, source: Path | None, labels: Path | None, numbers: str | None,
                     against: Path | None, agree: float | None, **others: Any) -> Any:
            return command(wishes=Wishes(samples, source, labels, numbers, against, agree), **others)

        path = click.Path(path_type=Path)
        for option in reversed([
            click.option("--samples", type=click.IntRange(min=1), metavar="N", help=f"How many samples [{default}]."),
            click.option("--input", "source", type=path, metavar="FILE",
                         help="Your own samples, as the network takes them: .npy, .npz or .csv; floats are real "
                              "numbers, integers the circuit's own; channels first or last, as the network has them."),
            click.option("--labels", type=path, metavar="FILE",
                         help="The classes of your samples, numbers from 0 on or names: the accuracy is told."),
            click.option("--as", "numbers", type=click.Choice(["real", "integers"]),
                         help="What the numbers of --input are [floats real, integers the circuit's own]."),
            click.option("--against", type=path, metavar="NETWORK.onnx",
                         help="Compare with this network's own results on the same real samples."),
            click.option("--agree", type=click.FloatRange(0, 100), metavar="PERCENT",
                         help="End with 1 where fewer samples agree with --against."),
        ]):
            option(gathered)
        return gathered  # type: ignore[return-value]

    return decorate


def checked(wishes: Wishes) -> Wishes:
    """``wishes``, if they go together."""
    for name, value, needed in (("--labels", wishes.labels, "--input"), ("--as", wishes.numbers, "--input"),
                                ("--agree", wishes.agree, "--against")):
        if value is not None and (wishes.source if needed == "--input" else wishes.against) is None:
            raise RequestError(f"{name} is about {needed}: give that, too")
    if wishes.against is not None and not wishes.against.is_file():
        raise RequestError(f"--against {wishes.against}: there is no such file")
    return wishes


def own_samples(screen: Screen, graph: quant.Graph, wishes: Wishes) -> Chosen | None:
    """The user's own samples, and what was made of them in one line on ``screen``; None where none were given."""
    if wishes.source is None:
        return None
    array = read_array(wishes.source, "x")
    kind = None if wishes.numbers is None else wishes.numbers == "real"
    try:
        taken = quant.take(graph, array, kind)
    except RequestError as error:
        raise RequestError(f"{wishes.source}: {error}") from None
    screen.say(f"{wishes.source}: {taken.note}")
    if taken.warning:
        screen.warn(taken.warning)
    labels = None
    if wishes.labels is not None:
        count, shape = class_count(graph), graph[graph.output].output.shape
        if count is None:
            raise RequestError(f"--labels: the network names no classes, its result is {graph[graph.output].output}; "
                               "compare with --against instead")
        places = shape[:-1] if len(shape) > 1 and isinstance(graph[graph.output], quant.ArgMax) else ()
        labels = read_labels(wishes.labels, graph.classes, count, (len(taken.integers), *places))
    some = slice(wishes.samples)
    return Chosen(taken.integers[some], None if taken.real is None else taken.real[some],
                  None if labels is None else labels[some])


def held_out_samples(graph: quant.Graph, count: int | None, near: tuple[np.ndarray, np.ndarray] | None) -> Chosen:
    """The first ``count`` held-out samples of the network's data set: those ``near``, with the build, or all.

    :raises RequestError: there are none.
    """
    if near is None or count is None or len(near[0]) < count:
        found = held_out(graph)
        if found is None:
            raise RequestError("no held-out samples of this network are at hand; give your own with --input FILE")
        near = found.inputs, found.labels
    node = graph.input.output.shape
    inputs, entry = near[0][:count].reshape(-1, *node), entry_of(graph)
    return Chosen(inputs, None if entry is None else entry.samples(inputs, node), near[1][:count])
