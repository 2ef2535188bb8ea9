"""Elementwise operators: each becomes a pending step, taken up by the next quantizer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
from numpy.typing import ArrayLike

from .arrange import ground
from .branches import join
from .context import Context, operator
from .op import Op
from .steps import SMOOTH, Elementwise
from .types import INTEGERS, WHOLE
from .values import Const, Step, Value

F = np.float32


def pending(ctx: Context, op: Op, value: Value, step: Step) -> Value:
    """``value`` with one more step."""
    return replace(value, steps=(*value.steps, (step, (op.inputs[0], value.index))))


def applied(ctx: Context, op: Op, value: Value, kind: str, *constants: ArrayLike, opset: int = 13,
            **attributes: float | int | str) -> Value:
    """``value`` behind the elementwise function ``kind`` with constants that broadcast against the tensor."""
    value, along = ground(ctx, op, value, *(np.asarray(c, F) for c in constants))
    return pending(ctx, op, value, Elementwise(kind, tuple(along), tuple(sorted(attributes.items())), opset))


@operator("Add", "Sub", "Mul", "Div")
def import_arithmetic(ctx: Context, op: Op) -> Value:
    """Arithmetic with a constant, or of two branches."""
    left, right = ctx.operand(op, 0), ctx.operand(op, 1)
    op.ignore("broadcast")  # of the first opsets; without their axis it says what NumPy does
    if isinstance(right, Const):
        constant = ctx.array(op, 1)
        if op.kind == "Div" and np.any(constant == 0):
            op.fail("divides by 0", "repair the constant")
        return applied(ctx, op, ctx.value(op, 0), op.kind, constant)
    if isinstance(left, Const):
        kind = {"Sub": "RSub", "Div": "RDiv"}.get(op.kind, op.kind)
        return applied(ctx, op, ctx.value(op, 1), kind, ctx.array(op, 0))
    return join(ctx, op, ctx.value(op, 0), ctx.value(op, 1))


@operator("Sum")
def import_sum(ctx: Context, op: Op) -> Value:
    """The sum of any number of branches, from left to right."""
    total = ctx.value(op, 0)
    for at in range(1, len(op.inputs)):
        operand = ctx.operand(op, at)
        if isinstance(operand, Const):
            total = applied(ctx, op, total, "Add", ctx.array(op, at))
        else:
            total = join(ctx, op, total, ctx.value(op, at), "Add")
    return total


@operator("Max", "Min")
def import_bound(ctx: Context, op: Op) -> Value:
    """The greater or lesser of a tensor and a constant."""
    if len(op.inputs) != 2:
        op.fail(f"takes two inputs here, not {len(op.inputs)}", "write it as several")
    at = 0 if isinstance(ctx.operand(op, 1), Const) else 1
    value = _choosing(ctx, op, at)
    bound = np.asarray(ctx.array(op, 1 - at), F)
    free = np.full((), F(np.inf) if op.kind == "Max" else F(-np.inf))
    return clip(ctx, op, value, *((bound, free) if op.kind == "Max" else (free, bound)))


@operator("Pow")
def import_pow(ctx: Context, op: Op) -> Value:
    """A power with a constant exponent."""
    exponent = ctx.array(op, 1)
    value = ctx.value(op)
    return value if np.all(exponent == 1) else applied(ctx, op, value, "Pow", exponent)


@operator("BatchNormalization")
def import_batch_norm(ctx: Context, op: Op) -> Value:
    """Batch norm of running statistics, in onnxruntime's order: x · a + b with a = gain / √(variance + ε)."""
    if op.flag("training_mode", 0) or not op.flag("is_test", int(ctx.model.opset >= 7)) or not op.flag("spatial", 1):
        op.fail("is in training mode, or normalizes each position by itself", "export the model in eval mode, with "
                "statistics per channel")
    op.ignore("momentum")  # of training
    gain, bias, mean, variance = (np.asarray(ctx.array(op, at), F) for at in range(1, 5))
    value = ctx.value(op)
    with np.errstate(all="ignore"):
        a = gain * (F(1) / np.sqrt(variance + F(op.number("epsilon", 1e-5))))
        b = bias - mean * a
    if not (np.all(np.isfinite(a)) and np.all(np.isfinite(b))):
        op.fail("gives numbers that are not finite", "its variance must not be negative; train again")
    axis = value.index.ndim - 1 if op.channels_last else 1
    a, b = (channelwise(op, value, c, axis) for c in (a, b))
    return applied(ctx, op, value, "BatchNorm", a, b)


def channelwise(op: Op, value: Value, constant: np.ndarray, axis: int = 1) -> np.ndarray:
    """``constant`` (channels,) shaped to broadcast along the tensor's ``axis``."""
    if axis >= value.index.ndim or constant.size not in (1, value.index.shape[axis]):
        op.fail(f"{constant.size} parameters do not fit a tensor of shape {value.index.shape}", "export again")
    return constant.reshape(-1, *(1,) * (value.index.ndim - 1 - axis))


def _choosing(ctx: Context, op: Op, at: int = 0) -> Value:
    """An operand of which one of two numbers is chosen: float32, or integers that float32 holds."""
    value = ctx.elements(op, at)
    if value.type in INTEGERS and max(map(abs, ctx.extremes(op, value))) <= WHOLE:
        return value
    return ctx.value(op, at)


def clip(ctx: Context, op: Op, value: Value, low: np.ndarray, high: np.ndarray) -> Value:
    """The values clipped, and nothing where no value reaches a bound."""
    done = applied(ctx, op, value, "Clip", low, high)
    before = replace(done, steps=done.steps[:-1])
    if before.monotone:
        ends = [before.real(end[None]) for end in ctx.ranges[before.node]]
        step = done.steps[-1][0]
        if all(np.array_equal(step.apply(end), end) for end in ends):
            return before
    return done


@operator("Relu")
def import_relu(ctx: Context, op: Op) -> Value:
    """Nothing below 0."""
    return clip(ctx, op, _choosing(ctx, op), np.zeros((), F), np.full((), F(np.inf)))


@operator("Clip", "HardTanh", "Hardtanh")
def import_clip(ctx: Context, op: Op) -> Value:
    """Bounds as attributes or as inputs."""
    value = _choosing(ctx, op)
    free = 1.0 if op.kind.lower() == "hardtanh" else float("inf")
    bounds = [op.number("min", op.number("min_val", -free)), op.number("max", op.number("max_val", free))]
    for at in (1, 2):
        if op.has(at):
            array = ctx.const(op, at).array
            if array.size != 1 or np.isnan(array).any():
                op.fail(f"bound {op.inputs[at]!r} must be one number", "clip with the same bounds everywhere")
            bounds[at - 1] = float(array.ravel()[0])
    if bounds[0] > bounds[1]:
        op.fail(f"its bounds {bounds[0]:g} and {bounds[1]:g} are in the wrong order", "swap them")
    return clip(ctx, op, value, *(np.full((), F(b)) for b in bounds))


@operator("LeakyRelu", "PRelu")
def import_leaky(ctx: Context, op: Op) -> Value:
    """A slope below 0, one or one per channel."""
    slope = np.full((), F(op.number("alpha", 0.01))) if op.kind == "LeakyRelu" else ctx.array(op, 1)
    return applied(ctx, op, ctx.value(op), "LeakyRelu", slope)


@operator("HardSigmoid")
def import_hard_sigmoid(ctx: Context, op: Op) -> Value:
    """max(0, min(1, alpha · x + beta))."""
    a, b = F(op.number("alpha", 0.2)), F(op.number("beta", 0.5))
    return applied(ctx, op, ctx.value(op), "HardSigmoid", a, b)


@operator("ThresholdedRelu")
def import_thresholded(ctx: Context, op: Op) -> Value:
    """x above alpha, else 0."""
    return applied(ctx, op, ctx.value(op), "ThresholdedRelu", F(op.number("alpha", 1.0)))


@operator("Neg", "Abs", "Sqrt", "Reciprocal")
def import_exact(ctx: Context, op: Op) -> Value:
    """Functions without constants that NumPy computes exactly."""
    return applied(ctx, op, ctx.value(op), op.kind)


@operator(*(kind for kind in SMOOTH if kind != "Pow"))
def import_smooth(ctx: Context, op: Op) -> Value:
    """Functions that onnxruntime computes."""
    try:
        known = onnx.defs.get_schema(op.kind, ctx.model.opset).attributes
    except onnx.defs.SchemaError:
        op.fail(f"is no operator of opset {ctx.model.opset}", "export the model for a newer opset")
    given = {name: op.attribute(name) for name in known}
    attributes = {k: v for k, v in given.items() if isinstance(v, (float, int, str))}
    return applied(ctx, op, ctx.value(op), op.kind, opset=ctx.model.opset, **attributes)
