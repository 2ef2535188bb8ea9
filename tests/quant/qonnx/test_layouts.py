"""Layouts and batches as files really have them: each agrees with QONNX's executor, whatever stands where."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("qonnx")
from onnx import ModelProto, helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes
from support.imports import agree, imported_from
from support.onnx_models import Net

from bitloom.quant import Concat, MatMul, run
from bitloom.quant.qonnx import ImportFailure

LAST = "qonnx.custom_op.channels_last"
NEAREST = {"mode": "nearest", "nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}


def batched(net: Net, output: str, batch: int) -> ModelProto:
    """The file of ``net`` with a batch of ``batch`` written into its input."""
    model = net.model(output)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = batch
    return model


def agree_at_once(model: ModelProto, batch: int) -> None:
    """The file runs with all its samples at once, and each of them gives what the graph gives."""
    imported = imported_from(model)
    x = np.random.default_rng(0).integers(-20, 20, (batch, *imported.input_shape)).astype(np.float32) / 8
    wrapper = ModelWrapper(model).transform(InferShapes())
    expected = execute_onnx(wrapper, {"x": x})[model.graph.output[0].name]
    ours = imported.real(imported.graph.output, run(imported.graph, imported.quantize(x)))
    assert np.array_equal(ours.reshape(batch, -1), np.asarray(expected).reshape(batch, -1))
    assert len(np.unique(ours)) > 2


def features(seed: int = 3) -> tuple[Net, str]:
    """Four channels of 4 × 4 behind a convolution."""
    net = Net(seed, (2, 6, 6))
    x = net.add("Conv", net.quant("x", 0.125, 5), net.weights((4, 2, 3, 3)))
    return net, net.quant(net.add("Relu", x), 0.25, 4, signed=0)


@pytest.mark.parametrize(("batch", "shape"), [
    (16, [16, -1]), (10, [10, -1]), (16, [16, 64]), (64, [64, -1]), (4, [4, -1]), (4, [-1, 64]), (8, [0, -1])])
def test_a_batch_in_a_reshape_is_never_taken_for_features(batch: int, shape: list[int]) -> None:
    net, x = features()
    model = batched(net, net.quant(net.dense(net.add("Reshape", x, np.array(shape)), 64, 3), 0.25, 6), batch)
    agree(imported_from(model), model, count=8)
    agree_at_once(model, batch)


def _computed(net: Net, x: str) -> str:
    size = net.add("Gather", net.add("Shape", x), np.int64(0))
    shape = net.add("Concat", net.add("Unsqueeze", size, np.array([0])), np.array([-1]), axis=0)
    return net.dense(net.add("Reshape", x, shape), 64, 3)


def _constant(net: Net, x: str) -> str:
    row = net.rng.normal(0, 1, (1, 64)).astype(np.float32)
    return net.dense(net.quant(net.add("Add", net.add("Flatten", x), np.repeat(row, 4, axis=0)), 0.25, 5), 64, 3)


def _merged(net: Net, x: str) -> str:
    """Every position as a sample of its own for a while."""
    x = net.add("Reshape", net.add("Transpose", x, perm=[0, 2, 3, 1]), np.array([4 * 16, 4]))
    x = net.add("Reshape", net.quant(net.dense(x, 4, 2), 0.25, 4), np.array([4, -1]))
    return net.dense(x, 32, 3)


def _samples_second(net: Net, x: str) -> str:
    """The batch behind the positions, as recurrent networks have it."""
    x = net.add("Reshape", net.add("Transpose", x, perm=[0, 2, 3, 1]), np.array([4, 16, 4]))
    x = net.quant(net.dense(net.add("Transpose", x, perm=[1, 0, 2]), 4, 2), 0.25, 4)
    x = net.add("Reshape", x, np.array([16, 8]))  # positions × (samples · outputs)
    x = net.add("Transpose", net.add("Reshape", x, np.array([16, 4, 2])), perm=[1, 0, 2])
    return net.dense(net.add("Reshape", x, np.array([4, 32])), 32, 3)


def _all_of_it(net: Net, x: str) -> str:
    x = net.add("Slice", x, np.array([0, 1]), np.array([4, 3]), np.array([0, 1]))
    return net.dense(net.add("Reshape", x, np.array([4, 32])), 32, 3)


def _enlarged(net: Net, x: str) -> str:
    x = net.add("Resize", x, "", "", np.array([4, 4, 8, 4]), **NEAREST)
    return net.dense(net.add("Flatten", net.add("MaxPool", x, kernel_shape=[4, 2], strides=[4, 2])), 16, 3)


def _expanded(net: Net, x: str) -> str:
    return net.dense(net.add("Flatten", net.add("Expand", x, np.array([4, 4, 1, 4]))), 64, 3)


def _joined(net: Net, x: str) -> str:
    x = net.add("Concat", x, np.full((4, 1, 4, 4), 0.75), axis=1)
    return net.dense(net.add("Reshape", x, np.array([4, 80])), 80, 3)


@pytest.mark.parametrize("body", [_computed, _constant, _merged, _samples_second, _all_of_it, _enlarged, _expanded,
                                  _joined])
def test_a_batch_in_other_places(body: Callable[[Net, str], str]) -> None:
    net, x = features()
    agree_at_once(batched(net, net.quant(body(net, x), 0.25, 6), 4), 4)


def _mixed(net: Net, x: str) -> str:
    return net.dense(net.add("Reshape", x, np.array([2, 128])), 128, 3)


def _some(net: Net, x: str) -> str:
    return net.add("Slice", x, np.array([0]), np.array([2]), np.array([0]))


def _one(net: Net, x: str) -> str:
    return str(net.add("Gather", x, np.int64(1), axis=0))


def _repeated(net: Net, x: str) -> str:
    return str(net.add("Tile", x, np.array([2, 1, 1, 1])))


def _own(net: Net, x: str) -> str:
    return str(net.add("Add", net.add("Flatten", x), net.rng.normal(0, 1, (4, 64))))


@pytest.mark.parametrize(("body", "words"), [
    (_mixed, "4 samples of shape"), (_some, "some of the 4 samples"), (_one, "some of the 4 samples"),
    (_repeated, "repeats elements"), (_own, "differs among the 4 samples")])
def test_what_tells_samples_apart_is_refused(body: Callable[[Net, str], str], words: str) -> None:
    net, x = features()
    with pytest.raises(ImportFailure, match=words):
        imported_from(batched(net, net.quant(body(net, x), 0.25, 6), 4))


def last_conv(net: Net, x: str, known: dict[str, tuple[int, ...]], outputs: int, pads: int) -> str:
    """A convolution of channels last, and its quantizer; ``known`` are the shapes that no inference finds."""
    _, height, width, channels = known[x]
    w = net.weights((outputs, 3, 3, channels))
    y = net.add("Conv", x, w, domain=LAST, strides=[1, 1], group=1, dilations=[1, 1], pads=[pads] * 4,
                kernel_shape=[3, 3])
    known[w] = (outputs, 3, 3, channels)
    known[y] = (1, height - 2 + 2 * pads, width - 2 + 2 * pads, outputs)
    z = net.quant(y, 0.25, 4)
    known[z] = known[y]
    return z


@pytest.mark.parametrize("behind", [True, False])
@pytest.mark.parametrize("sizes", [True, False])
def test_channels_last_are_resized_where_they_stand(behind: bool, sizes: bool) -> None:
    net = Net(2, (4, 5, 3))
    x = net.quant("x", 0.125, 5)
    known: dict[str, tuple[int, ...]] = {x: (1, 4, 5, 3)}
    x = last_conv(net, x, known, 4, 1) if behind else x
    wanted = (1, 8, 15, known[x][-1])
    operands = ("", "", np.array(wanted)) if sizes else ("", np.array([1, 2, 3, 1], np.float32))
    x = net.add("Resize", x, *operands, **NEAREST)
    known[x] = wanted
    x = last_conv(net, x, known, 4, 0)
    del known[x]
    model = net.model(x, **known)
    imported = imported_from(model)
    assert imported.graph.input.output.shape == (4, 5, 3)
    if sizes:  # which the comparison's own way of naming what is left out does not pass on
        agree_at_once(model, 1)
    else:
        agree(imported, model, count=10)


def test_axes_of_a_resize_and_scales_that_are_not_whole() -> None:
    net = Net(2, (3, 4, 4), opset=18)
    x = net.quant("x", 0.125, 5)
    model = net.model(net.add("Resize", x, "", np.array([2, 3], np.float32), axes=[2, 3], **NEAREST))
    agree(imported_from(model), model, count=4)
    x = net.add("Resize", x, "", np.array([1, 1, 2.1, 2], np.float32), **NEAREST)  # 8 rows, but 0 0 0 1 1 2 2 3
    with pytest.raises(ImportFailure, match="no whole numbers"):
        imported_from(net.model(x))


@pytest.mark.parametrize("move", ["Transpose", "Reshape", "Squeeze", "open"])
def test_one_channel_that_stands_last(move: str) -> None:
    """A spectrogram (rows, columns, 1), as converted from Keras: a Reshape does there what a Transpose does."""
    net = Net(3, (5, 4, 1))
    x = net.quant("x", 0.125, 5)
    if move == "Transpose":
        x = net.add("Transpose", x, perm=[0, 3, 1, 2])
    elif move == "Squeeze":
        x = net.add("Unsqueeze", net.add("Squeeze", x, np.array([3])), np.array([1]))
    else:
        x = net.add("Reshape", x, np.array([-1 if move == "open" else 1, 1, 5, 4]))
    x = net.quant(net.add("Conv", x, net.weights((3, 1, 3, 3)), pads=[1, 1, 1, 1]), 0.25, 4)
    model = net.model(net.dense(net.quant(net.add("ReduceMean", x, axes=[2, 3], keepdims=0), 0.125, 6), 3, 4))
    imported = imported_from(model)
    assert [node.op for node in imported.graph][:3] == ["Input", "Pad", "Conv"]
    assert imported.graph.input.output.shape == (5, 4, 1)
    agree(imported, model, count=10)


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("raw", [True, False])
def test_a_flat_input_that_the_network_makes_a_picture(channels: int, raw: bool) -> None:
    """The host brings the order, also where the picture is standardized in front of its quantizer."""
    net = Net(5, (channels * 16,))
    x = net.add("Reshape", "x", np.array([0, channels, 4, 4]))
    if raw:
        mean, spread = (net.rng.uniform(0.1, 0.5, (channels, 1, 1)) for _ in range(2))
        x = net.add("Div", net.add("Sub", x, mean), spread)
    x = net.quant(net.add("Conv", net.quant(x, 0.125, 5), net.weights((4, channels, 3, 3))), 0.25, 5)
    model = net.model(net.quant(net.dense(net.add("Flatten", x), 16, 3), 0.25, 6))
    imported = imported_from(model)
    assert imported.graph.input.output.shape == (4, 4, channels)
    assert not any(node.op == "Reshape" for node in list(imported.graph)[:3])
    agree(imported, model, count=10)


def test_channels_of_an_input_are_where_its_constants_change() -> None:
    net = Net(5, (2, 2, 3))
    x = net.quant(net.add("Sub", "x", np.array([0.1, 0.3, -0.2]).reshape(1, 1, 1, 3)), 0.125, 5)
    model = net.model(net.quant(net.dense(net.add("Flatten", x), 12, 3), 0.25, 6))
    imported = imported_from(model)
    assert imported.graph.input.output.shape == (2, 2, 3) and len(imported.graph.nodes[1].thresholds) == 3  # type: ignore
    agree(imported, model, count=10)


def shortcut(kind: str) -> tuple[Net, str]:
    """A residual block whose shortcut takes every second position and adds channels of zeros (kind A of ResNet)."""
    net = Net(1, (3, 6, 6))
    x = net.quant("x", 0.125, 5, signed=0)
    y = net.add("Conv", x, net.weights((7, 3, 3, 3)), pads=[1, 1, 1, 1], strides=[2, 2])
    y = net.quant(y, 0.125, 5)
    if kind.startswith("slice"):
        x = net.add("Slice", x, np.array([0, 0]), np.array([1 << 31] * 2), np.array([2, 3]), np.array([2, 2]))
    else:
        x = net.add("AveragePool", x, kernel_shape=[1, 1], strides=[2, 2])
    if kind == "slice, shifted":
        x = net.add("Pad", x, np.array([0, 2, -1, 1, 0, 2, 1, -1]), np.float32(0.25))
    elif kind.endswith("pad"):
        x = net.add("Pad", x, np.array([0, 2, 0, 0, 0, 2, 0, 0]))
    elif kind.endswith("constant"):
        x = net.add("Concat", np.zeros((1, 1, 3, 3)), x, np.zeros((1, 2, 3, 3)), np.zeros((1, 1, 3, 3)), axis=1)
    else:  # on no integer of the others' grid
        x = net.quant(net.add("Concat", x, np.full((1, 4, 3, 3), 0.3), axis=1), 0.125, 5)
    return net, net.quant(net.add("Relu", net.add("Add", y, x)), 0.125, 5, signed=0)


@pytest.mark.parametrize("kind", ["slice, pad", "pool, pad", "pool, constant", "pool, odd", "slice, shifted"])
def test_a_shortcut_that_adds_channels_of_constants(kind: str) -> None:
    net, x = shortcut(kind)
    model = net.model(net.quant(net.add("Conv", x, net.weights((2, 7, 2, 2))), 0.25, 5))
    imported = imported_from(model)
    assert any(isinstance(node, MatMul) and node.weights.shape == (7, 3) for node in imported.graph)
    assert not any(isinstance(node, Concat) for node in imported.graph)
    agree(imported, model, count=10)


@pytest.mark.parametrize("keep", [0, 1])
@pytest.mark.parametrize("axes", [[3], [2], [1], [2, 3], [1, 2, 3], [-1, -2]], ids=str)
@pytest.mark.parametrize("kind", ["ReduceMean", "ReduceSum", "ReduceMax"])
def test_reductions_along_any_axes(kind: str, axes: list[int], keep: int) -> None:
    net = Net(2, (3, 4, 5))
    x = net.add("Conv", net.quant("x", 0.125, 6), net.weights((4, 3, 3, 3)), pads=[1] * 4)
    x = net.quant(x, 0.21, 5)
    if kind == "ReduceSum":
        x = net.add(kind, x, np.array(axes), keepdims=keep)
    else:
        x = net.add(kind, x, axes=axes, keepdims=keep)
    model = net.model(net.quant(x, 0.15, 5))
    if kind == "ReduceMax" and 1 in axes:
        with pytest.raises(ImportFailure, match="ReduceMax"):
            imported_from(model)
    else:
        agree(imported_from(model), model, count=4)


def test_a_mean_over_one_axis_leaves_a_sequence() -> None:
    net = Net(2, (3, 4, 5))
    x = net.quant(net.add("ReduceMean", net.quant("x", 0.125, 6), axes=[3], keepdims=0), 0.1, 5)
    model = net.model(net.quant(net.add("Conv", x, net.weights((3, 3, 3))), 0.3, 4))
    agree(imported_from(model), model, count=8)


@pytest.mark.parametrize("scales", [False, True])
@pytest.mark.parametrize("kind", ["Conv", "ConvTranspose", "Resize"])
def test_a_picture_of_the_features_of_a_dense_layer(kind: str, scales: bool) -> None:
    """A decoder: the layer's rows take the order that a picture has, where the file puts channels first."""
    net = Net(2, (4,))
    x = net.dense(net.quant("x", 0.125, 6), 4, 32, 4, net.rng.uniform(0.05, 0.2, (32, 1)) if scales else 0.125)
    x = net.quant(net.add("Add", x, net.rng.normal(0, 0.5, 32)), 0.2, 4)
    x = net.add("Reshape", x, np.array([1, 2, 4, 4]))
    if kind == "Resize":
        x = net.add("Resize", x, "", np.array([1, 1, 2, 2], np.float32), **NEAREST)
    if kind == "ConvTranspose":
        x = net.add(kind, x, net.weights((2, 3, 2, 2)), strides=[2, 2])
    else:
        x = net.add("Conv", x, net.weights((3, 2, 3, 3)), pads=[1] * 4)
    model = net.model(net.quant(x, 0.317, 4))
    imported = imported_from(model)
    assert [node.op for node in imported.graph][:4] == ["Input", "MatMul", "Threshold", "Reshape"]
    agree(imported, model, count=20)


def test_constants_beside_features() -> None:
    net = Net(3, (5,))
    x = net.quant(net.dense(net.quant("x", 0.125, 5), 5, 4), 0.25, 4)
    x = net.add("Pad", x, np.array([0, 1, 0, 2]), np.float32(0.6))
    x = net.add("Concat", np.array([[0.1, 0.2]]), x, np.array([[0.5]]), axis=1)
    model = net.model(net.quant(net.dense(x, 10, 4), 0.25, 5))
    agree(imported_from(model), model, count=10)


def test_a_constant_that_differs_from_position_to_position_is_not_joined() -> None:
    net, x = features()
    x = net.add("Concat", x, net.rng.normal(0, 1, (1, 1, 4, 4)), axis=1)
    with pytest.raises(ImportFailure, match="differs from position to position"):
        imported_from(net.model(net.quant(x, 0.25, 5)))


@pytest.mark.parametrize("copy", [False, True])
def test_an_output_that_is_listed_twice_is_one(copy: bool) -> None:
    net, x = features()
    x = net.quant(net.dense(net.add("Flatten", x), 64, 3), 0.25, 6)
    other = net.add("Identity", x) if copy else x
    model = net.model(x)
    model.graph.output.append(helper.make_tensor_value_info(other, 1, None))
    imported = imported_from(model)
    assert any("listed 2 times" in note for note in imported.notes)
    assert str(imported.graph) == str(imported_from(net.model(x)).graph)
    agree(imported, model, count=4)


def test_two_outputs_are_still_two() -> None:
    net, x = features()
    model = net.model(net.quant(net.dense(net.add("Flatten", x), 64, 3), 0.25, 6))
    model.graph.output.append(helper.make_tensor_value_info(x, 1, None))
    with pytest.raises(ImportFailure, match="must have one of its outputs"):
        imported_from(model)
