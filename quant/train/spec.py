"""``network.yaml``: what to train. Unknown keys and impossible values are one-line errors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from bitloom import RequestError
from bitloom.files.text import shown
from bitloom.files.yaml_file import read_yaml

from .data import SOURCES, source
from .layers import (
    KINDS,
    POWER_OF_TWO,
    LayerSpec,
    Scaling,
    Section,
    Shape,
    Weighted,
    WeightScaling,
    Width,
    shapes,
)


def _number(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be a number")
    return value


def _dataset(value: str) -> str:
    if value not in SOURCES:
        raise ValueError(f"must be one of {', '.join(SOURCES)}")
    return value


def _common(value: Scaling) -> Scaling:
    if value == "absmean-per-channel":
        raise ValueError("must be power-of-two or absmean, as scores are compared with each other")
    return value


Real = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]


class InputSpec(Section):
    """The quantizer of the input: ``bits`` is binary, ternary or 2 to 8 (unsigned)."""

    bits: Width


class OutputSpec(Weighted):
    """The last layer: one quantized linear unit with an integer bias per class."""

    weight_bits: Width
    weight_scaling: Annotated[WeightScaling, AfterValidator(_common)] = POWER_OF_TWO


class TrainingSpec(Section):
    """The recipe: AdamW under a cosine schedule.

    ``moved`` is the fraction of images shifted by a pixel each time they are seen, ``noise`` the greatest change of a
    raw pixel.
    """

    epochs: Annotated[int, Field(strict=True, ge=1, le=10000)]
    batch: Annotated[int, Field(strict=True, ge=2, le=65536)] = 64
    learning_rate: Annotated[Real, Field(gt=0, le=1)] = 0.01
    weight_decay: Annotated[Real, Field(ge=0, le=1)] = 0.0
    label_smoothing: Annotated[Real, Field(ge=0, lt=1)] = 0.0
    moved: Annotated[Real, Field(ge=0, le=1)] = 0.0
    noise: Annotated[int, Field(strict=True, ge=0, le=8)] = 0


class NetworkSpec(Section):
    """A whole ``network.yaml``: data set, layers with their bit widths, seed and training recipe.

    ``start_from`` is a trained network of the same layers and other bit widths, an example or a folder, whose
    parameters training starts with.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
    dataset: Annotated[str, Field(strict=True), AfterValidator(_dataset)]
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**32)] = 0
    start_from: Annotated[str, Field(strict=True, min_length=1)] | None = None
    input: InputSpec
    layers: Annotated[tuple[LayerSpec, ...], Field(max_length=32)] = ()
    output: OutputSpec
    training: TrainingSpec

    @property
    def shapes(self) -> list[Shape]:
        """What goes into each layer, the output's at the end; the first is the shape of one sample."""
        return shapes(self.layers, source(self.dataset).shape)

    @model_validator(mode="after")
    def _fits(self) -> NetworkSpec:
        shapes(self.layers, source(self.dataset).shape)
        if self.training.moved and source(self.dataset).image is None:
            raise ValueError(f"training.moved: must be 0, as samples of {self.dataset} are no images, "
                             f"not {self.training.moved}")
        return self


def parse_spec(values: object, source: str = "network") -> NetworkSpec:
    """The specification that the mapping ``values`` describes; :class:`RequestError` names key, rule and value."""
    if not isinstance(values, dict):
        raise RequestError(f"{source}: must be a mapping of keys to values, not {shown(values)}")
    try:
        return NetworkSpec.model_validate(values)
    except ValidationError as error:
        problems = sorted(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise RequestError(f"{source}: {_problem(problems[0])}{more}") from None


def load_spec(path: str | Path) -> NetworkSpec:
    """Read a ``network.yaml``, or the one in the folder ``path``."""
    path = Path(path)
    path = path / "network.yaml" if path.is_dir() else path
    return parse_spec(read_yaml(path), str(path))


def _problem(error: ErrorDetails) -> str:
    place = error["loc"]
    if place[:1] == ("layers",) and len(place) > 2:
        place = (*place[:2], *place[3:])  # without the kind of the layer
    key = ".".join(f"{part:.40}" if isinstance(part, str) else str(part) for part in place)
    value = error["input"]
    if not place:
        return error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        return f"{key}: no such key (its value is {shown(value)}); {_known(error['loc'])}"
    if error["type"] == "missing":
        return f"{key}: must be given"
    rule = error["msg"].removeprefix("Value error, ").removeprefix("Input should be ").removeprefix("String should ")
    rule = rule if rule.startswith("must") else f"must be {rule}" if not rule.startswith("match") else f"must {rule}"
    return f"{key}: {rule}, not {shown(value)}"


def _known(location: tuple[int | str, ...]) -> str:
    sections: dict[object, type[BaseModel]] = {"input": InputSpec, "output": OutputSpec, "training": TrainingSpec}
    section: type[BaseModel] = NetworkSpec
    if location[0] == "layers":
        section = KINDS[cast(str, location[2])]
    elif len(location) > 1:
        section = sections[location[0]]
    return f"the keys here are {', '.join(section.model_fields)}"
