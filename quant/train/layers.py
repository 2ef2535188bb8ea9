"""The layers of a ``network.yaml``, and the shapes that they take and give."""

from __future__ import annotations

from math import prod
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    ValidationInfo,
    model_serializer,
)

Bits = int | Literal["binary", "ternary"]
Scaling = Literal["power-of-two", "absmean", "absmean-per-channel"]
POWER_OF_TWO: Scaling = "power-of-two"
Shape = tuple[int, ...]
"""Of one sample: (features,) or (rows, columns, channels)."""


def _bits(value: object) -> object:
    if value in ("binary", "ternary") or (isinstance(value, int) and not isinstance(value, bool) and 2 <= value <= 8):
        return value
    raise ValueError("must be binary, ternary or an integer from 2 to 8")


def _fits_width(value: Scaling, info: ValidationInfo) -> Scaling:
    bits = info.data.get("weight_bits", "ternary")
    if value != POWER_OF_TWO and not isinstance(bits, str):
        raise ValueError(f"must be {POWER_OF_TWO} unless weight_bits is binary or ternary, which here is {bits}")
    return value


Width = Annotated[Any, BeforeValidator(_bits)]
WeightScaling = Annotated[Scaling, AfterValidator(_fits_width)]
"""After ``weight_bits``: what one step of a weight is worth.

``power-of-two``: a power of two, for binary and ternary weights a fixed one. ``absmean``: the mean of the layer's
absolute weights, whatever number that is; ``absmean-per-channel``: that of each output. Both are for binary and ternary
weights only: 1, 0, −1 are what w/scale rounds to (half to even), or 1, −1 its sign.
"""
Count = Annotated[int, Field(strict=True, ge=1, le=4096)]
Small = Annotated[int, Field(strict=True, ge=1, le=32)]


class Section(BaseModel):
    """A mapping of a ``network.yaml``: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Weighted(Section):
    """A layer with weights; the scaling is written only where it is not the usual one, as before there was another."""

    @model_serializer(mode="wrap")
    def _without_default(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found: dict[str, Any] = dump(self)
        return {key: value for key, value in found.items() if (key, value) != ("weight_scaling", POWER_OF_TWO)}


class DenseSpec(Weighted):
    """A hidden layer: quantized linear without bias, batch norm, quantized activation.

    Activations of 2 to 8 bits are unsigned (ReLU); ``ternary`` is {−1, 0, 1}, ``binary`` is {−1, 1}.
    Weights of n bits are narrow: −(2^(n−1) − 1) to 2^(n−1) − 1.
    """

    units: Count
    weight_bits: Width
    weight_scaling: WeightScaling = POWER_OF_TWO
    activation_bits: Width
    kind: Annotated[Literal["dense"], Field(exclude=True)] = "dense"

    def shape_after(self, shape: Shape) -> Shape:
        """One number per unit, whatever comes in."""
        return (self.units,)


class ConvSpec(Weighted):
    """Quantized convolution without bias, batch norm, quantized activation, maximum of pool × pool windows.

    Kernel, stride, padding (zeros) and pool are the same for rows and columns; rows and columns that fill no window
    are left out.
    """

    kind: Literal["conv"]
    channels: Count
    kernel: Small = 3
    stride: Small = 1
    padding: Annotated[int, Field(strict=True, ge=0, le=31)] = 0
    pool: Small = 1
    weight_bits: Width
    weight_scaling: WeightScaling = POWER_OF_TWO
    activation_bits: Width

    def shape_after(self, shape: Shape) -> Shape:
        """:raises ValueError: it does not fit."""
        rows, columns = self.convolved(shape)
        if self.pool > min(rows, columns):
            raise ValueError(f"pool: must be at most {min(rows, columns)}, the size of what is pooled, not {self.pool}")
        return rows // self.pool, columns // self.pool, self.channels

    def convolved(self, shape: Shape) -> tuple[int, int]:
        """Rows and columns before the pooling."""
        rows, columns, _ = _positions(shape, "a convolution")
        least = min(rows, columns) + 2 * self.padding
        if self.padding >= self.kernel:
            raise ValueError(f"padding: must be less than the kernel, {self.kernel}, not {self.padding}")
        if self.kernel > least:
            raise ValueError(f"kernel: must be at most {least}, the size of the padded input, not {self.kernel}")
        padded = (n + 2 * self.padding - self.kernel for n in (rows, columns))
        down, across = (n // self.stride + 1 for n in padded)
        return down, across


class ResidualSpec(Weighted):
    """act(branch(x) + skip(x)): the branch is two convolutions, the skip is x itself.

    The branch: convolution (with ``stride``), batch norm, activation, convolution, batch norm, signed quantizer of
    ``branch_bits``. Where channels or size change, the skip is a 1×1 convolution, batch norm and such a quantizer.
    Convolutions pad with zeros to keep the size.
    """

    kind: Literal["residual"]
    channels: Count
    kernel: Small = 3
    stride: Small = 1
    weight_bits: Width
    weight_scaling: WeightScaling = POWER_OF_TWO
    activation_bits: Width
    branch_bits: Annotated[int, Field(strict=True, ge=2, le=8)]

    @property
    def padding(self) -> int:
        """Keeps the size at stride 1."""
        return self.kernel // 2

    def projects(self, shape: Shape) -> bool:
        """Whether the skip needs a convolution of its own."""
        return self.stride > 1 or shape[-1] != self.channels

    def shape_after(self, shape: Shape) -> Shape:
        """:raises ValueError: it does not fit."""
        rows, columns, _ = _positions(shape, "a residual block")
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel: must be odd, so that both branches have one size, not {self.kernel}")
        return (rows - 1) // self.stride + 1, (columns - 1) // self.stride + 1, self.channels


class AverageSpec(Section):
    """Global average pooling, quantized: one number per channel."""

    kind: Literal["average"]
    activation_bits: Annotated[int, Field(strict=True, ge=2, le=8)]

    def shape_after(self, shape: Shape) -> Shape:
        """:raises ValueError: it does not fit."""
        return (_positions(shape, "an average")[2],)


def _kind(value: object) -> object:
    return value.get("kind", "dense") if isinstance(value, dict) else getattr(value, "kind", None)


LayerSpec = Annotated[
    Annotated[DenseSpec, Tag("dense")] | Annotated[ConvSpec, Tag("conv")] | Annotated[ResidualSpec, Tag("residual")]
    | Annotated[AverageSpec, Tag("average")],
    Discriminator(_kind, custom_error_type="kind",
                  custom_error_message="must be a mapping whose kind is dense (also where there is none), conv, "
                                       "residual or average"),
]
"""Any layer; a mapping without ``kind`` is a dense one."""

KINDS: dict[str, type[Section]] = {"dense": DenseSpec, "conv": ConvSpec, "residual": ResidualSpec,
                                   "average": AverageSpec}
"""The layers by what ``kind`` calls them."""


def shapes(layers: tuple[Any, ...], shape: Shape) -> list[Shape]:
    """What goes into each layer, and at the end what comes out of the last, given the shape of one sample.

    The sample is flat where the first layer (if any) is dense.

    :raises ValueError: a layer does not fit what goes into it; the message names its key.
    """
    flat = not layers or isinstance(layers[0], DenseSpec)
    found = [(prod(shape),) if flat else shape]
    for index, layer in enumerate(layers):
        try:
            found.append(layer.shape_after(found[-1]))
        except ValueError as error:
            raise ValueError(f"layers.{index}.{error}") from None
    return found


def _positions(shape: Shape, what: str) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise ValueError(f"kind: {what} needs rows and columns, and what goes in has shape {shape}")
    rows, columns, channels = shape
    return rows, columns, channels
