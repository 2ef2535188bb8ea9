"""Files with matrix products, and with what stands at the end of a network: scores, classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

from .draft import Draft, recipe


@recipe("MatMul", weight=3)
def product(d: Draft, kind: str) -> str:
    """Constant weights on either side, of matrices, of batches of them, of vectors; two activations."""
    x = d.image(dims=(0, 0, 1, 2))
    shape = d.shape_of(x)
    how = d.number(0, 9)
    if how == 0 and len(shape) > 2:
        return str(d.add(kind, x, d.add("Transpose", x, perm=[*range(len(shape) - 2), len(shape) - 1, len(shape) - 2])))
    if how <= 3 and len(shape) > 1:
        return str(d.add(kind, d.weights(d.number(1, 4), shape[-2]), x))
    if how == 4 and len(shape) > 2:
        return str(d.add(kind, x, d.weights(*shape[:-2], shape[-1], 3)))
    if how == 5:
        return str(d.add(kind, x, d.weights(shape[-1])))
    return str(d.add(kind, x, d.weights(shape[-1], d.number(1, 5), axis=1)))


@recipe("Gemm", weight=3)
def general(d: Draft, kind: str) -> str:
    """Both factors, both transpositions, biases of every shape."""
    x = d.flat()
    inputs, outputs = d.shape_of(x)[1], d.number(1, 5)
    options = d.options(kind, alpha=lambda: float(np.float32(d.pick(0.5, 1.0, -1.3))),
                        beta=lambda: float(np.float32(d.pick(0.5, 1.0, 0.0, 2.0))), transB=lambda: d.pick(0, 1))
    if d.chance(0.2):
        x = d.add("Transpose", x, perm=[1, 0])
        options["transA"] = 1
    turned = options.get("transB")
    w = d.weights(*((outputs, inputs) if turned else (inputs, outputs)), axis=0 if turned else 1)
    shape: Any = d.pick((), (1,), (outputs,), (1, outputs), None)
    return str(d.add(kind, x, w, None if shape is None else d.normal(*shape), **options))


def _scores(d: Draft) -> str:
    """Scores in one axis or at positions, of one scale or several, quantized or not."""
    x = d.operand()
    shape = d.shape_of(x)
    if d.chance(0.4):
        x = d.add(d.pick("Add", "Mul"), x, d.normal(*shape[1:2], *(1,) * (len(shape) - 2)))
    return str(d.requantized(x, d.scale(), d.zero(np.int8)) if d.chance(0.3) else x)


@recipe("ArgMax", weight=4)
def greatest(d: Draft, kind: str) -> str:
    """Along any axis, the last index too, the axis kept or not."""
    x = _scores(d)
    ndim = len(d.shape_of(x))
    options = d.options(kind, keepdims=lambda: d.pick(0, 1), select_last_index=lambda: d.pick(0, 0, 1))
    if d.chance(0.9):
        options["axis"] = d.axis(ndim, 1 if d.chance(0.9) else 0)
    d.quantized_end, d.output_type = False, TensorProto.INT64
    return str(d.add(kind, x, **options))


@recipe("TopK", weight=2)
def ranked(d: Draft, kind: str) -> str:
    """One or several, the greatest or the least, values or indices."""
    x = _scores(d)
    shape = d.shape_of(x)
    axis = d.axis(len(shape), 1)
    k = min(shape[axis], d.pick(1, 1, 1, 2))
    options = d.options(kind, largest=lambda: d.pick(1, 1, 0), sorted=lambda: d.pick(0, 1))
    if axis not in (-1, len(shape) - 1) or d.chance(0.5):
        options["axis"] = axis
    values, indices = d.add(kind, x, np.array([k], np.int64), outputs=2, **options)
    if d.chance(0.15):
        return str(values)
    d.quantized_end, d.output_type = False, TensorProto.INT64
    return str(indices)


@recipe("Softmax", "LogSoftmax", weight=2)
def probable(d: Draft, kind: str) -> str:
    """Along any axis, at the end or with a quantizer or a class behind it."""
    x = _scores(d)
    shape = d.shape_of(x)
    made = d.add(kind, x, **d.options(kind, axis=lambda: d.axis(len(shape), 1)))
    if d.chance(0.3):
        d.quantized_end, d.output_type = False, TensorProto.INT64
        return str(d.add("ArgMax", made, axis=d.axis(len(shape), 1), keepdims=d.pick(0, 1)))
    d.quantized_end = d.chance(0.2)
    return str(made)
