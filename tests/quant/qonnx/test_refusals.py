"""What cannot be imported: each file ends in one line that says what is wrong and what to do."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("qonnx")
import onnx
from onnx import ModelProto, TensorProto, helper, numpy_helper
from support.imports import imported_from
from support.onnx_models import CASES, GENERAL, Net

from bitloom.quant import Format
from bitloom.quant.qonnx import ImportFailure, import_qonnx
from bitloom.quant.qonnx import model as models


def refusal(path: Path, **options: object) -> str:
    """The one line with which the import of ``path`` ends."""
    with pytest.raises(ImportFailure) as caught:
        import_qonnx(path, **options)  # type: ignore[arg-type]
    line = str(caught.value)
    assert "\n" not in line and 20 < len(line) <= 600, line
    return line


def written(folder: Path, content: bytes | ModelProto) -> Path:
    path = folder / "bad.onnx"
    path.write_bytes(content if isinstance(content, bytes) else content.SerializeToString())
    return path


def good() -> ModelProto:
    return CASES["perceptron"](GENERAL).model


def archive() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, x=np.arange(9))
    return buffer.getvalue()


PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"


@pytest.mark.parametrize("content", [
    b"", b"\x00" * 64, b"not an onnx file\n", PNG, archive(), np.random.default_rng(0).bytes(4096),
    *(good().SerializeToString()[:size] for size in (1, 40, 1000, -40, -1)),
], ids=["empty", "zeros", "text", "png", "npz", "noise", "cut-1", "cut-40", "cut-1000", "cut-most", "cut-last"])
def test_what_is_no_onnx_file(tmp_path: Path, content: bytes) -> None:
    assert "bad.onnx" in refusal(written(tmp_path, content))


@pytest.mark.parametrize("seed", range(40))
def test_flipped_bytes_never_end_in_a_traceback(tmp_path: Path, seed: int) -> None:
    """A damaged file is refused in one line, or its damage is in what does not matter or is a number."""
    rng = np.random.default_rng(seed)
    content = bytearray(good().SerializeToString())
    for at in rng.integers(0, len(content), 1 + seed % 8):
        content[at] = rng.integers(256)
    path = written(tmp_path, bytes(content))
    try:
        import_qonnx(path)
    except ImportFailure as failure:
        assert "\n" not in str(failure)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    assert "nowhere.onnx" in refusal(tmp_path / "nowhere.onnx")
    assert str(tmp_path) in refusal(tmp_path)


def test_a_huge_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "huge.onnx"
    with path.open("wb") as file:
        file.truncate(models.SIZE_LIMIT + 1)
    monkeypatch.setattr(onnx, "load", lambda *_: pytest.fail("read"))
    assert "huge.onnx" in refusal(path) and str(models.SIZE_LIMIT) in refusal(path)


def test_missing_external_data(tmp_path: Path) -> None:
    onnx.save_model(good(), tmp_path / "bad.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    (tmp_path / "weights.bin").unlink()
    assert "bad.onnx" in refusal(tmp_path / "bad.onnx")


Change = Callable[[ModelProto], None]


def _cycle(model: ModelProto) -> None:
    node = next(node for node in model.graph.node if node.op_type == "Relu")
    model.graph.node.append(helper.make_node("Add", [node.input[0], model.graph.output[0].name], ["loop"]))
    node.input[0] = "loop"


def _nan(model: ModelProto) -> None:
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor).copy()
        if array.ndim == 2 and array.shape[1] > 1:
            array[0, 0] = np.nan
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def _unknown_operator(model: ModelProto) -> None:
    model.graph.node[-1].op_type = "Frobnicate"


def _unknown_domain(model: ModelProto) -> None:
    model.graph.node[0].domain = "com.example"


def _two_inputs(model: ModelProto) -> None:
    model.graph.input.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 5]))
    model.graph.node.append(helper.make_node("Add", [model.graph.output[0].name, "y"], ["z"]))
    model.graph.output[0].name = "z"


def _no_output(model: ModelProto) -> None:
    model.graph.output[0].name = "nowhere"


def _dangling(model: ModelProto) -> None:
    model.graph.node[-1].input[0] = "nowhere"


def _twice(model: ModelProto) -> None:
    model.graph.node[-1].output[0] = model.graph.node[-2].output[0]


def _dynamic(model: ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "length"


def _no_shape(model: ModelProto) -> None:
    model.graph.input[0].type.tensor_type.ClearField("shape")


def _empty(model: ModelProto) -> None:
    del model.graph.node[:]


def _missing_constant(model: ModelProto) -> None:
    del model.graph.initializer[0]


def _short_constant(model: ModelProto) -> None:
    model.graph.initializer[3].raw_data = model.graph.initializer[3].raw_data[:-3]


@pytest.mark.parametrize(("change", "words"), [
    (_cycle, ["cycle"]),
    (_nan, ["NaN"]),
    (_unknown_operator, ["Frobnicate", "docs/operators.md"]),
    (_unknown_domain, ["com.example"]),
    (_two_inputs, ["inputs", "2"]),
    (_no_output, ["nowhere"]),
    (_dangling, ["nowhere"]),
    (_twice, ["computed already"]),
    (_dynamic, ["fixed"]),
    (_no_shape, ["shape"]),
    (_empty, ["no operations"]),
    (_missing_constant, ["which nothing computes"]),
    (_short_constant, ["constant"]),
])
def test_a_damaged_network(tmp_path: Path, change: Change, words: list[str]) -> None:
    model = good()
    change(model)
    line = refusal(written(tmp_path, model))
    for word in words:
        assert word in line


def _float_weights(net: Net) -> str:
    x = net.quant("x", 0.25, 4)
    return net.quant(net.add("MatMul", x, net.rng.normal(0, 1, (6, 4))), 0.25, 4)


def _two_activations(net: Net) -> str:
    x = net.quant("x", 0.25, 4)
    return net.quant(net.add("MatMul", net.add("Reshape", x, np.array([2, 3])),
                             net.add("Reshape", x, np.array([3, 2]))), 0.25, 4)


def _restless(net: Net) -> str:
    x = net.dense(net.quant("x", 0.0001, 16), 6, 4, 8)
    return net.quant(net.add("Mul", x, net.add("Sin", net.add("Mul", x, 1000.0))), 0.25, 4)


def _recurrent(net: Net) -> str:
    x = net.add("Reshape", net.quant("x", 0.25, 4), np.array([1, 1, 6]))
    y, _ = net.add("GRU", x, net.rng.normal(0, 1, (1, 6, 6)), net.rng.normal(0, 1, (1, 6, 2)), outputs=2, hidden_size=2)
    return str(net.quant(y, 0.25, 4))


def _learned_bits(net: Net) -> str:
    return net.quant("x", 0.25, 3.5)


def _too_many_bits(net: Net) -> str:
    return net.quant("x", 0.25, 64)


def _no_scale(net: Net) -> str:
    return net.quant("x", 0.0, 4)


def _scale_of_the_input(net: Net) -> str:
    x = net.quant("x", 0.25, 4)
    return str(net.add("Quant", x, net.add("Sigmoid", x), 0.0, 4.0, domain=GENERAL, signed=1, narrow=0))


def _rounding(net: Net) -> str:
    return net.quant("x", 0.25, 4, mode="STOCHASTIC")


def _float_quant(net: Net) -> str:
    return str(net.add("FloatQuant", "x", 1.0, 4.0, 3.0, 7.0, 448.0, domain=GENERAL))


def _division(net: Net) -> str:
    x = net.quant("x", 0.25, 4)
    return net.quant(net.add("Div", net.dense(x, 6, 4), net.add("Softmax", net.dense(x, 6, 4))), 0.25, 4)


def _shapes(net: Net) -> str:
    return net.quant(net.dense(net.quant("x", 0.25, 4), 5, 4), 0.25, 4)


@pytest.mark.parametrize(("make", "words"), [
    (_float_weights, ["MatMul", "quant"]),
    (_two_activations, ["MatMul", "constant"]),
    (_restless, ["neither rises nor falls", "quantize before"]),
    (_recurrent, ["GRU"]),
    (_learned_bits, ["bit width", "3.5"]),
    (_too_many_bits, ["bit width", "64"]),
    (_no_scale, ["positive", "0"]),
    (_scale_of_the_input, ["constant"]),
    (_rounding, ["STOCHASTIC", "HALF_UP"]),
    (_float_quant, ["FloatQuant"]),
    (_division, ["Div"]),
    (_shapes, ["MatMul"]),
])
def test_what_no_integers_can_do(tmp_path: Path, make: Callable[[Net], str], words: list[str]) -> None:
    net = Net(0, (6,))
    line = refusal(written(tmp_path, net.model(make(net))))
    for word in words:
        assert word in line
    assert line.startswith("node '") or "bad.onnx" in line
    assert ";" in line  # the way out follows


@pytest.mark.parametrize(("options", "words"), [
    ({"input_scale": 0.0}, ["input_scale", "positive"]),
    ({"input_scale": float("nan")}, ["input_scale"]),
    ({"input_offset": float("inf")}, ["input_offset"]),
    ({"input_format": Format(40), "input_scale": 1e30}, []),
])
def test_an_impossible_input(tmp_path: Path, options: dict[str, object], words: list[str]) -> None:
    path = written(tmp_path, good())
    if not words:
        import_qonnx(path, **options)  # type: ignore[arg-type]  # odd, but possible: every value saturates
        return
    line = refusal(path, **options)
    for word in words:
        assert word in line


@pytest.mark.parametrize(("changes", "words"), [
    ({"location": "../weights.bin"}, "which is not below the file's own folder"),
    ({"location": "/etc/passwd"}, "which is not below the file's own folder"),
    ({"location": "link.bin"}, "which is not below the file's own folder"),
    ({"location": "nowhere.bin"}, "and there is no such file"),
    ({"location": "."}, "and there is no such file"),
    ({"length": str(1 << 50)}, "export the model again"),
    ({"offset": str(1 << 50)}, "export the model again"),
])
def test_external_data_are_looked_at_before_they_are_read(tmp_path: Path, changes: dict[str, str], words: str) -> None:
    path = tmp_path / "inner" / "bad.onnx"
    path.parent.mkdir()
    onnx.save_model(good(), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    (tmp_path / "weights.bin").write_bytes((path.parent / "weights.bin").read_bytes())
    (path.parent / "link.bin").symlink_to(tmp_path / "weights.bin")
    model = onnx.load(path, load_external_data=False)
    for entry in next(t for t in model.graph.initializer if t.external_data).external_data:
        entry.value = changes.get(entry.key, entry.value)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ImportFailure, match=words):
        import_qonnx(path)


def test_data_beside_a_file_count_for_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "net.onnx"
    onnx.save_model(good(), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    import_qonnx(path)
    monkeypatch.setattr("bitloom.quant.qonnx.model.SIZE_LIMIT", path.stat().st_size + 40)
    with pytest.raises(ImportFailure, match=r"the data beside it have \d+ bytes or more, and 40 are the limit"):
        import_qonnx(path)


def test_constants_that_are_computed_are_bounded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    net = Net(0, (4,))
    big = net.add("ConstantOfShape", np.array([64, 64]))
    for _ in range(8):
        big = net.add("Add", big, big)
    model = net.model(net.add("Add", net.quant("x", 0.25, 4), net.add("ReduceMax", big, keepdims=0)))
    monkeypatch.setattr("bitloom.quant.qonnx.fold.BYTES", 100_000)
    with pytest.raises(ImportFailure, match="constants computed up to here have 114688 bytes; 100000 are the limit"):
        imported_from(model)


def test_constants_that_spread_are_bounded() -> None:
    net = Net(0, (4,))
    wide = net.add("Add", np.zeros((1 << 14, 1), np.float32), np.zeros((1, 1 << 14), np.float32))
    with pytest.raises(ImportFailure, match="would make a constant of 268435456 elements"):
        imported_from(net.model(net.add("Add", net.quant("x", 0.25, 4), net.add("ReduceMax", wide, keepdims=0))))
