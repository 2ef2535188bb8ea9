"""Every operator in small files of random attributes, shapes and operator sets, against every reference.

| testpoint | stage | test |
| --- | --- | --- |
| exact, or a tie that float32 breaks, or refused by name; a file is the same each time | full | test_operator_files |
| thousands of files | sign-off | test_operator_files, with ``--files 2000`` |
| each operator of the importer is drawn | full | test_every_operator_is_drawn |
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("qonnx")
from onnx import ModelProto, TensorProto, shape_inference
from support.operator_files import RECIPES, operator_file, outcome
from support.operator_files.draft import Draft

import bitloom.quant.qonnx.importer  # noqa: F401  (registers every operator)
from bitloom.quant.qonnx import ImportFailure, import_qonnx
from bitloom.quant.qonnx.alone import alone
from bitloom.quant.qonnx.context import HANDLERS
from bitloom.quant.qonnx.exact import Exact, Near
from bitloom.quant.qonnx.executors import OnnxReference, OnnxRuntime
from bitloom.quant.qonnx.reference import reference

CHUNK = 25

ELSEWHERE = {"QuantAvgPool2d", "XnorPopcountMatMul", "QGemm", "QLinearAdd", "QLinearAveragePool", "QLinearConcat",
             "QLinearGlobalAveragePool", "QLinearLeakyRelu", "QLinearMul", "QLinearSigmoid", "QLinearSoftmax"}
"""Operators of FINN and of ONNX Runtime alone, which ONNX' schemas do not know: each has tests of its own."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seeds" not in metafunc.fixturenames:
        return
    first, count = metafunc.config.getoption("--first-file"), metafunc.config.getoption("--files")
    metafunc.parametrize("seeds", [range(k, min(k + CHUNK, first + count)) for k in range(first, first + count, CHUNK)],
                         ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")


@pytest.mark.filterwarnings("ignore")
def test_operator_files(seeds: range) -> None:
    """None differs from all references; where they differ from each other, the log says what ours does."""
    outcomes = [outcome(operator_file(seed)) for seed in seeds]
    for found in outcomes:
        if found.disagreement:
            print(found)
    print(dict(Counter(found.verdict for found in outcomes)))
    assert not [str(found) for found in outcomes if found.verdict == "differs"]


@pytest.mark.parametrize("seed", [pytest.param(447, id="offsets of windows that hold unequal counts")])
def test_found_once(seed: int) -> None:
    assert outcome(operator_file(seed)).verdict == "exact"


def test_every_operator_is_drawn() -> None:
    assert set(HANDLERS) - set(RECIPES) == ELSEWHERE


def test_a_file_is_the_same_each_time() -> None:
    assert operator_file(7).model == operator_file(7).model


def _sums(draft: Draft, *shape: int) -> str:
    """Two inputs by integer weights of ``shape``, each 1/8."""
    weights = np.arange(1, 1 + np.prod(shape)).reshape(shape).astype(np.int8)
    return str(draft.add("MatMul", draft.entry(2), draft.add("DequantizeLinear", weights, np.float32(0.125))))


def _compared(draft: Draft, output: str, tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "net.onnx").write_bytes(_whole(draft, output).SerializeToString())
    return dict(import_qonnx(tmp_path / "net.onnx").graph.metadata["compared"])


def _whole(draft: Draft, output: str) -> ModelProto:
    return shape_inference.infer_shapes(draft.model(output))


def test_a_class_is_that_of_the_numbers(tmp_path: Path) -> None:
    """Where the last quantizer has a scale for each channel, the greatest integer is not the greatest score."""
    draft = Draft(1, 17)
    sums, scale, zero = _sums(draft, 2, 3), np.array([4, 0.125, 1], np.float32), np.array([0, 100, 3], np.uint8)
    levels = draft.add("QuantizeLinear", sums, scale, zero, axis=1)
    found = _compared(draft, draft.add("DequantizeLinear", levels, scale, zero, axis=1), tmp_path)
    assert found["reference"] and found["mismatches"] == 0 and found["places"] == 3


def test_the_number_of_samples_is_no_part_of_the_network() -> None:
    """A factor that is computed from the size of a tensor is that of one sample, though zeros do not show it."""
    draft = Draft(1, 17)
    sums = _sums(draft, 2, 3)
    size = draft.add("Cast", draft.add("Size", sums), to=TensorProto.FLOAT)
    run = reference(_whole(draft, draft.add("Div", sums, size)), np.zeros((3, 2)), (OnnxRuntime(),))
    assert [where.stop - where.start for where, _ in run] == [1, 1, 1]


@pytest.mark.parametrize("kind", ["Transpose", "Squeeze"])
def test_samples_along_another_axis_are_not_compared_and_said_so(kind: str, tmp_path: Path) -> None:
    """The first axis of the output is not the samples': the graph is right, and says that nothing compared it."""
    draft = Draft(1, 11)
    sums = _sums(draft, 2, 3)
    moved = draft.add("Transpose", sums, perm=[1, 0]) if kind == "Transpose" else draft.add("Squeeze", sums, axes=[0])
    found = _compared(draft, draft.requantized(moved, np.float32(0.5), np.zeros((), np.int8)), tmp_path)
    assert found["reference"] is None and "its first axis is not that of the samples" in found["reason"]


@pytest.mark.parametrize("kind", ["MaxPool", "AveragePool"])
def test_windows_that_would_be_padded_by_less_than_nothing(kind: str, tmp_path: Path) -> None:
    """ONNX Runtime refuses them, and ONNX' own reference lets the first window start further in."""
    draft = Draft(1, 22)
    pooled = draft.add(kind, draft.entry(1, 6), auto_pad="SAME_UPPER", kernel_shape=[2], strides=[3])
    refusal = rf"\({kind}\): auto_pad SAME_UPPER .* is a padding of -1.*export with pads"
    with pytest.raises(ImportFailure, match=refusal):
        _compared(draft, pooled, tmp_path)


def test_a_node_that_onnx_runtime_cannot_run_by_itself() -> None:
    """The bounds of float32's errors come from ONNX' own evaluator then."""
    draft = Draft(1, 22)
    pooled = draft.add("MaxPool", draft.entry(1, 6), auto_pad="SAME_UPPER", kernel_shape=[2], strides=[3])
    model = _whole(draft, pooled)
    context = OnnxReference().prepare(model, 1)(np.ones((1, 1, 6), np.float32))
    exact = Exact(model, context, lambda index, found: Near(Fraction(found), 0.0), ())
    node = model.graph.node[-1]
    assert alone(exact, node, {node.input[0]: context[node.input[0]]})[0].shape == (1, 1, 2)
