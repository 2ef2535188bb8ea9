"""The nodes of the steps of a network: each part of the module as its operator of the integer graph."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from brevitas.quant_tensor import IntQuantTensor

from bitloom import RequestError

from ..formats import BIPOLAR, Format
from ..graph import Node, Tensor
from ..operators import Add, MatMul, Pad, Pool, Reshape, Threshold
from ..operators import Conv as ConvNode
from .bisect import find_thresholds
from .factored import EXACT as EXACT_FACTORED
from .integers import integers_of, scale_of, scales_of
from .layers import POWER_OF_TWO
from .network import Network
from .steps import INPUT, Average, Conv, Dense, Flatten, MaxPool, Quantizer, Step, Sum

EXACT = 1 << 24
"""float32 holds every integer below this, so sums below it are exact in any order."""

Bounds = tuple[np.ndarray, np.ndarray]
"""The least and the greatest value of each channel (or one for all): int64 (channels,) or (1,)."""


def row_signs(gain: torch.Tensor) -> np.ndarray:
    """−1 for each channel whose batch norm falls (its weights are negated in the graph), +1 for the others."""
    return np.where(gain.detach().numpy() < 0, -1, 1)


def signs_of(module: Network, step: Dense | Conv) -> np.ndarray:
    """:func:`row_signs` of the batch norm that reads the sums of ``step``; all +1 where there is none."""
    for reader in module.steps:
        if isinstance(reader, Quantizer) and reader.reads == step.name and reader.norm:
            return row_signs(module.norm(reader.norm).weight)
    return np.ones(step.shape[-1], np.int64)


def channels_last(weights: np.ndarray, step: Dense | Conv) -> np.ndarray:
    """Torch's weights of ``step`` in the order of the graph: (outputs, *kernel, inputs), or (outputs, inputs)."""
    if isinstance(step, Conv):
        return np.moveaxis(weights, 1, -1)
    if not step.planes:
        return weights
    rows, columns, channels = step.planes
    return np.moveaxis(weights.reshape(-1, channels, rows, columns), 1, -1).reshape(len(weights), -1)


class Exporter:
    """Makes the nodes of ``module``, whose raw integers have the format ``given``, one step after the other."""

    def __init__(self, module: Network, given: Format) -> None:
        self.module = module
        self.tensors = {INPUT: Tensor(module.shape, given, (1.0,))}
        self.bounds: dict[str, Bounds] = {INPUT: (np.array([given.lo]), np.array([given.hi]))}
        self.signs: dict[str, np.ndarray] = {}

    def nodes(self) -> list[Node]:
        """The nodes of every step, in order."""
        found: list[Node] = []
        for step in self.module.steps:
            made, bounds = self._step(step)
            found += made
            self.tensors[step.name], self.bounds[step.name] = made[-1].output, bounds
        return found

    def _step(self, step: Step) -> tuple[list[Node], Bounds]:
        if isinstance(step, Quantizer):
            return self._threshold(step)
        if isinstance(step, Dense | Conv):
            return self._weighted(step)
        if isinstance(step, Sum):
            return self._add(step)
        given, bounds = self.tensors[step.reads], self.bounds[step.reads]
        kept = Tensor(step.shape, given.format, given.scale)
        if isinstance(step, MaxPool):
            size = (step.size, step.size)
            return [Pool(step.name, (step.reads,), kept, "max", size, size)], bounds
        if isinstance(step, Flatten):
            return [Reshape(step.name, (step.reads,), kept)], bounds
        assert isinstance(step, Average)
        count = step.rows * step.columns
        size, bounds = (step.rows, step.columns), (bounds[0] * count, bounds[1] * count)
        _check_exact(step.name, int(max(np.abs(bounds[0]).max(), np.abs(bounds[1]).max())), count)
        return [Pool(step.name, (step.reads,), _holding(step.shape, bounds, given.scale), "sum", size, size)], bounds

    def _add(self, step: Sum) -> tuple[list[Node], Bounds]:
        pair = (step.reads, step.other)
        scales = [self.tensors[name].scale[0] for name in pair]
        least = min(scales)
        multipliers = (int(scales[0] / least), int(scales[1] / least))
        (a_lo, a_hi), (b_lo, b_hi) = (self.bounds[name] for name in pair)
        lo, hi = multipliers[0] * a_lo + multipliers[1] * b_lo, multipliers[0] * a_hi + multipliers[1] * b_hi
        _check_exact(step.name, int(max(np.abs(lo).max(), np.abs(hi).max())), 2)
        return [Add(step.name, pair, _holding(step.shape, (lo, hi), (least,)), multipliers)], (lo, hi)

    def _weighted(self, step: Dense | Conv) -> tuple[list[Node], Bounds]:
        layer, given = self.module.weighted(step.name), self.tensors[step.reads]
        weight = layer.quant_weight()
        bits = int(weight.bit_width)
        form = BIPOLAR if bits == 1 else Format(bits, signed=True)
        self.signs[step.name] = signs_of(self.module, step)
        weights = channels_last(integers_of(f"{step.name}.weight", weight, step.scaling), step)
        weights = weights * self.signs[step.name].reshape(-1, *[1] * (weights.ndim - 1))
        scale = tuple(s * given.scale[0] for s in scales_of(f"{step.name}.weight", weight, step.scaling))
        bias = None
        if isinstance(step, Dense) and step.last:
            bias = integers_of(f"{step.name}.bias", layer.bias_quant(layer.bias, _operand(given), weight), step.scaling)
        lo, hi = (int(bound[0]) for bound in self.bounds[step.reads])
        made: list[Node] = []
        reads = step.reads
        if isinstance(step, Conv) and step.padding:
            pad, lo, hi = self._pad(step, given, lo, hi)
            made, reads = [pad], pad.name
        bounds = _sums(step.name, weights.reshape(len(weights), -1), lo, hi, 0 if bias is None else bias,
                       EXACT if step.scaling == POWER_OF_TWO else EXACT_FACTORED)
        output = _holding(step.shape, bounds, scale)
        if isinstance(step, Conv):
            made.append(ConvNode(step.name, (reads,), output, weights, form, None, (step.stride, step.stride)))
        else:
            made.append(MatMul(step.name, (reads,), output, weights, form, bias))
        return made, bounds

    def _pad(self, step: Conv, given: Tensor, lo: int, hi: int) -> tuple[Pad, int, int]:
        """The border of zeros, and the least and greatest value behind it; a bipolar value takes two bits with them."""
        rows, columns, channels = given.shape
        shape = (rows + 2 * step.padding, columns + 2 * step.padding, channels)
        lo, hi = min(lo, 0), max(hi, 0)
        form = Format.of_range(lo, hi) if given.format.bipolar else given.format
        border = ((step.padding, step.padding),) * 2
        return Pad(f"pad_{step.name}", (step.reads,), Tensor(shape, form, given.scale), border), lo, hi

    def _threshold(self, step: Quantizer) -> tuple[list[Node], Bounds]:
        given, (lo, hi) = self.tensors[step.reads], self.bounds[step.reads]
        f = self._function(step, given)
        sample = f(np.broadcast_to(lo, (1, len(lo))))
        bits, signed = int(sample.bit_width), bool(sample.signed)
        if bits == 1:
            form, y_min, jump, levels = BIPOLAR, -1, 2, 1
        else:
            form = Format(bits, signed=signed)
            y_min = form.lo + int(signed and self.module.quantizer(step.name).act_quant.is_narrow_range)
            jump, levels = 1, form.hi - y_min

        def level(x: np.ndarray) -> np.ndarray:
            return (_rows(integers_of(step.name, f(x)), x.shape) - y_min) // jump

        rows = find_thresholds(step.name, level, lo, hi, levels)
        output = Tensor(step.shape, form, (scale_of(step.name, sample),))
        bounds = np.array([y_min]), np.array([y_min + jump * levels])
        return [Threshold(step.name, (step.reads,), output, rows, y_min, jump)], bounds

    def _function(self, step: Quantizer, given: Tensor) -> Callable[[np.ndarray], IntQuantTensor]:
        """Torch's own evaluation of ``step`` over integers (n, channels), in the layout that it has in the network."""
        signs = self.signs.get(step.reads, np.ones(1, np.int64))
        source = next((other for other in self.module.steps if other.name == step.reads), None)

        def evaluate(integers: np.ndarray) -> IntQuantTensor:
            real = torch.tensor(integers * signs, dtype=torch.float32) * torch.tensor(given.scale, dtype=torch.float32)
            if step.reads == INPUT:
                real = real - self.module.offset
            elif isinstance(source, Average):
                real = self.module.get_submodule(source.name)(_alone(real, source.rows, source.columns))
            elif step.norm and len(step.shape) == 3:
                real = _planes(real, step.shape)
            if step.norm and not torch.all(torch.isfinite(self.module.norm(step.norm)(real))):
                raise RequestError(f"{step.norm}: batch norm must give finite numbers for every sum, and does not; "
                                   "its variance must not be negative")
            return self.module.quantize(step, real)

        return evaluate


def _planes(rows: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """(n, channels) as whole images (samples, channels, rows, columns) of ``shape``, the last filled up with zeros."""
    positions = shape[0] * shape[1]
    padded = torch.nn.functional.pad(rows, (0, 0, 0, -len(rows) % positions))
    images = padded.reshape(-1, positions, rows.shape[1]).transpose(1, 2)
    return images.reshape(-1, rows.shape[1], *shape[:2]).contiguous()


def _rows(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """What :func:`_planes` or :func:`_alone` made images of, as (n, channels) = ``shape`` again."""
    if values.ndim == 2:
        return values
    return np.moveaxis(values, 1, -1).reshape(-1, shape[1])[: shape[0]]


def _alone(rows: torch.Tensor, down: int, across: int) -> torch.Tensor:
    """Images (n, channels, down, across) whose sums over all positions are ``rows``."""
    images = torch.zeros(*rows.shape, down, across)
    images[:, :, 0, 0] = rows
    return images


def _operand(x: Tensor) -> IntQuantTensor:
    """A quantized tensor of the type of the value ``x``, for quantizers that take their scale from their input."""
    return IntQuantTensor(
        value=torch.zeros(1, *x.shape), scale=torch.tensor(x.scale[0]), zero_point=torch.tensor(0.0),
        bit_width=torch.tensor(float(x.format.bits)), signed=x.format.signed, training=False,
    )


def _sums(name: str, weights: np.ndarray, least: int, greatest: int, bias: np.ndarray | int,
          limit: int) -> Bounds:
    """Least and greatest sum of each output; refused where a partial sum could leave what float32 holds exactly."""
    largest = int((np.abs(weights).sum(axis=1) * max(abs(least), abs(greatest)) + np.abs(bias)).max())
    _check_exact(name, largest, weights.shape[1], limit)
    positive, negative = np.maximum(weights, 0).sum(axis=1), np.minimum(weights, 0).sum(axis=1)
    return positive * least + negative * greatest + bias, positive * greatest + negative * least + bias


def _check_exact(name: str, largest: int, inputs: int, limit: int = EXACT) -> None:
    if largest >= limit:
        raise RequestError(
            f"{name}: its sums must stay below 2^{limit.bit_length() - 1} to be exact in float32, and {largest} is "
            f"possible; use fewer weight or activation bits, or fewer inputs than {inputs}"
        )


def _holding(shape: tuple[int, ...], bounds: Bounds, scale: tuple[float, ...]) -> Tensor:
    """The type of sums within ``bounds``."""
    return Tensor(shape, Format.of_range(int(bounds[0].min()), int(bounds[1].max())), scale)
