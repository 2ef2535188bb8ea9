"""Nothing that an operation says goes unheard: attributes and operands that its importer does not know are refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("qonnx")
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from support.imports import agree, imported_from
from support.onnx_models import CASES, GENERAL, Case, Net
from support.qoperator_models import HOSTED, MAKERS, network

from bitloom.quant import run
from bitloom.quant.qonnx import ImportFailure
from bitloom.quant.qonnx.importer import HANDLERS
from bitloom.quant.qonnx.samples import random_integers

KINDS = sorted(set(HANDLERS) - {"HardTanh", "Hardtanh", "Size"})
"""Those that stand on the way from the input to the output of a case; no executor knows the first two."""

MADE = {name: make(GENERAL) for name, make in CASES.items()}
MADE |= {make.__name__: Case(network(make)) for make in (*MAKERS, *HOSTED)}


def places(kind: str) -> Iterator[tuple[Case, ModelProto, NodeProto]]:
    """Each node of ``kind`` in the cases, in a copy of its file that may be changed."""
    for case in MADE.values():
        for at, node in enumerate(case.model.graph.node):
            if node.op_type == kind:
                model = ModelProto()
                model.CopyFrom(case.model)
                yield case, model, model.graph.node[at]


def refused(case: Case, model: ModelProto) -> str | None:
    """Why the file is refused, or None."""
    try:
        imported_from(Case(model, case.options))
    except ImportFailure as failure:
        return str(failure)
    return None


@pytest.mark.parametrize("kind", KINDS)
def test_an_attribute_that_an_operator_does_not_know_is_refused(kind: str) -> None:
    for case, model, node in places(kind):
        node.attribute.append(helper.make_attribute("frobnicate", 3))
        why = refused(case, model)
        if why is not None and "not understood" in why:  # ONNX' reference computes those whose operands are constant
            name = node.name or node.output[0]
            assert why.startswith(f"node {name!r} ({kind}): attribute frobnicate = 3 is not understood; ")
            return
    pytest.fail("in no case")


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "Constant"])
def test_an_operand_that_an_operator_does_not_know_is_refused(kind: str) -> None:
    for case, model, node in places(kind):
        model.graph.initializer.append(numpy_helper.from_array(np.float32(3.0), "beyond"))
        node.input.extend([""] * (9 - len(node.input)) + ["beyond"])
        if refused(case, model) is not None:
            return
    pytest.fail("in no case")


def test_what_only_hints_at_memory_is_let_pass() -> None:
    case, model, node = next(places("Relu"))
    node.attribute.append(helper.make_attribute("consumed_inputs", [0]))
    assert refused(case, model) is None


IMAGE = (2, 4, 4)


@pytest.mark.parametrize(("op", "inputs", "attributes", "words"), [
    ("Flatten", (), {"axis": 7}, "axis 7 does not fit"),
    ("Concat", ("x",), {"axis": 4}, "attribute axis must be from -4 to 3"),
    ("Gather", (np.array([0]),), {"axis": -5}, "attribute axis must be from -4 to 3"),
    ("Split", (), {"axis": 4}, "attribute axis"),
    ("Split", (), {"axis": 1, "num_outputs": 3}, "num_outputs 3 does not fit 1 outputs"),
    ("Split", (np.array([1]),), {"axis": 1}, "parts of (1,) do not fit 1 outputs and axis 1"),
    ("ArgMax", (), {"axis": 4}, "attribute axis"),
    ("Softmax", (), {"axis": 5}, "attribute axis"),
    ("MaxPool", (), {"kernel_shape": [2, 2], "auto_pad": "SAME"}, "auto_pad 'SAME' is unknown; use one of NOTSET"),
    ("MaxPool", (), {"kernel_shape": [2, 2], "auto_pad": 3}, "auto_pad must be a text"),
    ("Conv", ("w",), {"kernel_shape": [2, 2]}, "kernel_shape (2, 2) does not fit weights"),
    ("ConvTranspose", ("w",), {"kernel_shape": [2, 2]}, "kernel_shape (2, 2) does not fit weights"),
    ("ReduceMean", (), {"axes": [2, 5]}, "axes (2, 5) do not fit"),
    ("ReduceMean", (), {"noop_with_empty_axes": 1}, "noop_with_empty_axes"),
    ("BatchNormalization", (*np.ones((4, 2)),), {"spatial": 0}, "each position by itself"),
    ("BatchNormalization", (*np.ones((4, 2)),), {"is_test": 0}, "training mode"),
    ("Dropout", (np.float32(0.5), np.array(True)), {}, "training mode"),
    ("Resize", ("", np.array([1, 1, 2, 2], np.float32)), {"keep_aspect_ratio_policy": "not_larger"}, "not_larger"),
    ("Resize", ("", np.array([1, 1, 2.3, 2], np.float32)), {"mode": "nearest"}, "no whole numbers"),
    ("Resize", ("", np.array([2, 1, 2, 2], np.float32)), {"mode": "nearest"}, "positions alone"),
    ("Add", (np.ones(4),), {"axis": 1, "broadcast": 1}, "attribute axis = 1 is not understood"),
    ("Selu", (), {"alpha": "much"}, "Selu"),
    ("Gelu", (), {}, "is no operator of opset 13"),
    ("DebugMarker", (), {"colour": "red"}, "colour"),
])
def test_what_an_attribute_must_not_be(
    op: str, inputs: tuple[Any, ...], attributes: dict[str, Any], words: str
) -> None:
    net = Net(0, IMAGE, opset=13)
    x = net.quant("x", 0.25, 4)
    named = {"w": net.weights((2, 2, 3, 3)), "x": x, "": ""}
    given = [named[i] if isinstance(i, str) else i for i in inputs]
    y = net.add(op, x, *given, domain=GENERAL if op == "DebugMarker" else "", **attributes)
    with pytest.raises(ImportFailure) as caught:
        imported_from(net.model(net.quant(y, 0.5, 4)))
    assert op in str(caught.value) and words in str(caught.value), caught.value


def test_sizes_of_some_axes_alone() -> None:
    net = Net(0, IMAGE, opset=18)
    x = net.add("Resize", net.quant("x", 0.25, 4), "", "", np.array([8, 12]), mode="nearest", axes=[2, 3],
                nearest_mode="floor", coordinate_transformation_mode="asymmetric")
    model = net.model(net.quant(x, 0.5, 4))
    assert imported_from(model).graph.nodes[-1].output.shape == (8, 12, 2)


@pytest.mark.parametrize(("opset", "axis", "greatest", "good"), [
    (13, 2, 2, True), (13, -1, 2, True), (13, 1, 2, False), (13, -1, 1, False), (11, 2, 2, True), (11, 1, 2, True),
    (11, 2, 1, False),
])
def test_the_order_of_scores_is_kept_along_the_axis_of_softmax_alone(
    opset: int, axis: int, greatest: int, good: bool
) -> None:
    net = Net(0, (3, 4), opset=opset)
    x = net.quant(net.add("Reshape", net.dense(net.add("Flatten", net.quant("x", 0.25, 4)), 12, 12), np.array(
        [1, 3, 4])), 0.5, 4)
    x = net.add("Softmax", x, axis=axis)
    model = net.model(net.add("ArgMax", x, axis=greatest), TensorProto.INT64)
    if good:
        agree(imported_from(model), model, count=20)
    else:
        with pytest.raises(ImportFailure, match="along another axis than the Softmax"):
            imported_from(model)


def test_an_output_that_is_not_given_is_named() -> None:
    net = Net(0, (4,))
    y, mask = net.add("Dropout", net.quant("x", 0.25, 4), outputs=2)
    with pytest.raises(ImportFailure, match="an output of Dropout that is not supported"):
        imported_from(net.model(net.quant(net.add("Add", y, net.add("Cast", mask, to=1)), 0.5, 4)))


def test_operators_with_channels_last_are_not_computed_as_if_they_were_first() -> None:
    net = Net(0, (4,))
    w = net.add("Conv", net.rng.normal(0, 1, (1, 4, 4, 1)), np.ones((1, 1, 1, 1)), kernel_shape=[1, 1],
                domain="qonnx.custom_op.channels_last")
    with pytest.raises(ImportFailure, match="of constants"):
        imported_from(net.model(net.quant(net.add("MatMul", net.quant("x", 0.25, 4), net.add("Reshape", w, np.array(
            [4, 4]))), 0.5, 4)))


def test_a_product_over_the_samples_is_refused() -> None:
    net = Net(0, (1,))
    x = net.quant("x", 0.25, 4)
    with pytest.raises(ImportFailure, match="sums up the samples of a batch"):
        imported_from(net.model(net.add("MatMul", net.weights((3, 1)), x)))


def test_a_quantizer_that_is_at_its_greatest_level_throughout() -> None:
    net = Net(0, (2,), opset=13)
    far = net.add("Add", net.add("Pow", net.quant("x", 0.25, 4), np.float32(2)), np.float32(1e6))
    q = net.add("QuantizeLinear", far, np.float32(0.5), np.uint8(0))
    model = net.model(net.add("DequantizeLinear", q, np.float32(0.5), np.uint8(0)))
    imported = imported_from(model)
    agree(imported, model, 8)
    assert np.all(run(imported.graph, random_integers(imported.graph, 8)) == 255)
