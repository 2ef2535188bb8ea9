"""Changes at random: of bytes, of text as people write YAML, of arrays, of a network."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, TensorProto, helper

Rng = np.random.Generator

NASTY = (
    "[", "]", "{", "}", ": ", "- ", "&a ", "*a", "!!python/object:os.abort", "!!binary ", "!x ", "|", ">", "? ", "#",
    "\t", "\x00", "\x1b[31m", "\u202e", "'", '"', "---\n", "...\n", "<<: *a", ".nan", ".inf", "1e400", "-1", "0",
    "9" * 400, "0x" + "f" * 90, "2024-01-01", "true", "null", "~", "../" * 9, "/dev/zero", "os.abort", "[" * 500,
    "{a: " * 300, "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\n", "1_000", "1:30", "=",
    "=\n<<: {a: 1}")
"""What YAML, or those who read it, may stumble over."""


def bytes_changed(rng: Rng, data: bytes) -> bytes:
    """A few spans of ``data`` cut, doubled, moved, written over."""
    for _ in range(int(rng.integers(1, 6))):
        if not data:
            return bytes(rng.integers(0, 256, 8, np.uint8))
        a, b = sorted(int(n) for n in rng.integers(0, len(data) + 1, 2))
        b = min(b, a + int(rng.integers(1, 64)))
        how = int(rng.integers(7))
        noise = bytes(rng.integers(0, 256, int(rng.integers(1, 16)), np.uint8))
        parts = {0: data[:a] + data[b:], 1: data[:b] + data[a:], 2: data[:a] + noise + data[a:],
                 3: data[:a] + noise + data[a + len(noise):], 4: data[:a] + b"\xff" * 8 + data[a + 8:], 5: data[:a],
                 6: data[:a] + bytes(8) + data[a + 8:]}
        data = parts[how]
    return data


def text_changed(rng: Rng, text: str) -> str:
    """Text with lines cut, doubled and moved, and with pieces of :data:`NASTY`."""
    for _ in range(int(rng.integers(1, 5))):
        lines = text.split("\n")
        at, other = (int(n) for n in rng.integers(0, len(lines), 2))
        how = int(rng.integers(6))
        word = NASTY[int(rng.integers(len(NASTY)))]
        if how == 0:
            del lines[at]
        elif how == 1:
            lines.insert(at, lines[other])
        elif how == 2:
            lines[at] = lines[at].partition(":")[0] + ": " + word
        elif how == 3:
            lines[at] = word + lines[at]
        elif how == 4:
            place = int(rng.integers(0, len(lines[at]) + 1))
            lines[at] = lines[at][:place] + word + lines[at][place:]
        else:
            lines[at], lines[other] = lines[other], lines[at]
        text = "\n".join(lines)
    return text


def array_changed(rng: Rng, array: np.ndarray) -> np.ndarray:
    """An array of another type, shape or content."""
    kinds = (np.int8, np.int64, np.uint64, np.float32, np.float64, bool, np.complex64, "U3", "S2", "datetime64[s]")
    how = int(rng.integers(6))
    if how == 0:
        return array.astype(str).astype(kinds[7]) if rng.integers(2) else np.asarray(0)
    if how == 1:
        return np.asarray(array.ravel()[: int(rng.integers(0, array.size + 1))])
    if how == 2:
        return np.asarray(array)[None] if rng.integers(2) else array.reshape(-1)
    if how == 3:
        extreme = (np.iinfo(np.int64).max, np.iinfo(np.int64).min, -1, 1 << 40)
        return np.full(array.shape, extreme[int(rng.integers(4))])
    if how == 4:
        return np.full(array.shape, (np.nan, np.inf, 0.5, 1e300)[int(rng.integers(4))])
    return np.zeros((0,) * int(rng.integers(1, 4)), np.int64)


def network_changed(rng: Rng, model: ModelProto) -> ModelProto:
    """A network with operators, names, attributes, shapes and constants changed."""
    changed = ModelProto()
    changed.CopyFrom(model)
    graph = changed.graph
    kinds = ("Conv", "MatMul", "Reshape", "Quant", "Expand", "Tile", "Loop", "Softmax", "Nothing", "Transpose", "Split",
             "Resize", "TopK", "QLinearConv", "DequantizeLinear", "Pad", "Gather", "Concat")
    for _ in range(int(rng.integers(1, 4))):
        if not len(graph.node):
            graph.node.append(helper.make_node("Relu", ["x"], ["y"]))
        node = graph.node[int(rng.integers(len(graph.node)))]
        how = int(rng.integers(9))
        if how == 0:
            node.op_type = kinds[int(rng.integers(len(kinds)))]
        elif how == 1 and node.input:
            names = [name for other in graph.node for name in (*other.input, *other.output)] + ["", "nothing"]
            node.input[int(rng.integers(len(node.input)))] = names[int(rng.integers(len(names)))]
        elif how == 2:
            node.attribute.append(helper.make_attribute(
                ("axis", "perm", "pads", "strides", "kernel_shape", "to", "group")[int(rng.integers(7))],
                [int(n) for n in rng.integers(-9, 1 << 40, 3)] if rng.integers(2) else int(rng.integers(-9, 99))))
        elif how == 3 and len(graph.initializer):
            tensor = graph.initializer[int(rng.integers(len(graph.initializer)))]
            tensor.dims[:] = [int(n) for n in rng.integers(-2, 1 << 33, int(rng.integers(0, 4)))]
        elif how == 4 and len(graph.initializer):
            tensor = graph.initializer[int(rng.integers(len(graph.initializer)))]
            tensor.raw_data = bytes_changed(rng, tensor.raw_data)
            tensor.data_type = int(rng.integers(0, 26))
        elif how == 5:
            del graph.node[int(rng.integers(max(1, len(graph.node)))):]
        elif how == 6 and len(graph.input):
            dims = graph.input[0].type.tensor_type.shape.dim
            if len(dims):
                dims[int(rng.integers(len(dims)))].dim_value = int(rng.integers(-3, 1 << 40))
        elif how == 7:
            node.domain = ("", "qonnx.custom_op.channels_last", "com.microsoft", "evil")[int(rng.integers(4))]
        else:
            graph.initializer.append(helper.make_tensor("x", TensorProto.FLOAT, [2], [float("nan"), 1.0]))
    return changed
