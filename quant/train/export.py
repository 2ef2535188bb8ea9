"""From a trained Brevitas module to the integer graph, exactly: ties, negative and zero batch-norm gains included."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from bitloom import RequestError

from ..formats import Format
from ..graph import Graph, Input, Node, Tensor
from ..operators import ArgMax
from ..reals import Entry, Meaning
from ..rules import Rule
from ..verifier import verify
from .data import Source, load, source
from .network import Network
from .nodes import Exporter
from .score import score
from .spec import NetworkSpec
from .steps import INPUT
from .threads import one_thread


def export(module: Network, spec: NetworkSpec) -> Graph:
    """:func:`graph_of` with its accuracy on the held-out samples of the data set, in ``metadata``."""
    data, info = load(spec.dataset), source(spec.dataset)
    graph = graph_of(module, spec)
    facts: dict[str, object] = {"dataset": spec.dataset, **score(graph, data.x_test, data.y_test)}
    if info.note:
        facts["note"] = info.note
    if data.more:
        facts["more"] = {name: score(graph, x, y) for name, (x, y) in data.more.items()}
    return replace(graph, metadata={**graph.metadata, **facts})


@one_thread()
def graph_of(module: Network, spec: NetworkSpec) -> Graph:
    """The integer graph that computes what ``module`` computes in eval mode, bit for bit at every quantizer.

    Nodes carry the names of the module's parts: ``input`` (raw integers), ``quant``, ``fc1``, ``act1``, …, ``argmax``.
    Batch norm and activation become thresholds by bisection on torch's own float32 evaluation of them; a channel with a
    negative batch-norm gain is a falling function, and its weights are negated.

    :raises RequestError: a parameter is not finite, a scale is not a power of two, or sums could leave what
        float32 holds exactly.
    """
    info = source(spec.dataset)
    module = module.eval()
    for name, values in module.state_dict().items():
        if not torch.all(torch.isfinite(values)):
            raise RequestError(f"{name}: parameters must be finite, and NaN or infinite values occur; train again")
    nodes: list[Node] = [Input(INPUT, (), Tensor(module.shape, info.input_format, (1.0,)))]
    with torch.no_grad():
        nodes += Exporter(module, info.input_format).nodes()
    index = Format.of_range(0, len(info.classes) - 1)
    nodes.append(ArgMax("argmax", (nodes[-1].name,), Tensor((1,), index)))
    return verify(Graph(spec.name, tuple(nodes), "argmax", info.classes, meanings(info)))


def meanings(info: Source) -> dict[str, object]:
    """What the integers at both ends mean (:mod:`~bitloom.quant.reals`): the data set's own, and indices of classes."""
    one, zero = np.ones(()), np.zeros(())
    shape = Meaning(np.arange(info.features).reshape(info.shape), one, zero, zero)
    entry = Entry(shape, Rule("nearest", info.input_format.lo, info.input_format.hi))
    return {"input": entry.record(), "output": Meaning(np.zeros((), np.int64), one, zero, zero).record()}
