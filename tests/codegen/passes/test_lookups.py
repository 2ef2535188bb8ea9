"""Lookups become copies and tables that give the same, token by token."""

from __future__ import annotations

import numpy as np
import pytest

from bitloom import RequestError, codegen
from bitloom.codegen.passes.lookups import lookups
from bitloom.quant import Format, Graph, Input, Lookup, Multiply, Tensor, run, verify


@pytest.mark.parametrize("shape", [(1,), (3,), (4, 1), (2, 3, 2)])
def test_the_same_rows(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    output = Tensor((*shape[:-1], shape[-1] * 3), Format(4, signed=True))
    graph = verify(Graph("net", (Input("x", (), Tensor(shape, Format(3))),
                                 Lookup("rows", ("x",), output, rng.integers(-8, 8, (5, 3)))), "rows"))
    done = verify(lookups(graph))
    assert [node.op for node in done] == ["Input", "MatMul", "Table"] and done.output == "rows"
    x = rng.integers(0, 8, (50, *shape))
    assert np.array_equal(run(done, x), run(graph, x))
    assert lookups(done) is done or str(lookups(done)) == str(done)
    assert {stage.template for stage in codegen.compile(graph).stages} >= {"Table"}


def test_products_of_activations_are_refused_by_name() -> None:
    x = Input("x", (), Tensor((3,), Format(3)))
    graph = verify(Graph("net", (x, Multiply("gate1", ("x", "x"), Tensor((3,), Format(6)))), "gate1"))
    with pytest.raises(RequestError, match="node 'gate1': Multiply is not yet mapped"):
        codegen.compile(graph)
