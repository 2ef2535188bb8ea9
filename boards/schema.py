"""What users write, against a pydantic model: every mistake as one line that helps."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from bitloom import RequestError
from bitloom.files.text import shown


class Strict(BaseModel):
    """A frozen record; keys that it does not know are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Model = TypeVar("Model", bound=Strict)


def validated(model: type[Model], data: Mapping[str, Any], source: str) -> Model:
    """``data`` as a ``model``; :class:`RequestError` names the key, the rule, the value and the nearest key."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        # A mistyped key is often also a missing one: the mistyping explains it.
        errors = sorted(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
        raise RequestError(f"{source}: {_line(model, errors[0])}") from None


def nearest(name: str, names: list[str]) -> str:
    """``; did you mean …?`` where one of ``names`` is close to ``name``, and nothing otherwise."""
    close = get_close_matches(name[:80], names, 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _line(model: type[BaseModel], error: ErrorDetails) -> str:
    names = [f"{part:.40}" if isinstance(part, str) else str(part) for part in error["loc"] if part != "[key]"]
    key = ".".join(names)
    if error["type"] == "missing":
        return f"{key} is missing"
    if error["type"] == "extra_forbidden":
        known = _fields(model, names[:-1])
        return f"unknown key {key}{nearest(names[-1], known)} (known: {', '.join(known)})"
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    verb = "" if error["type"] == "value_error" else "must be "
    return f"{key}: {verb}{message}, not {shown(error['input'], 80)}" if key else message


def _fields(model: type[BaseModel], path: list[str]) -> list[str]:
    """The keys known at ``path`` below ``model``."""
    for name in path:
        field = model.model_fields.get(name)
        if field is None:
            continue  # a key of a mapping: its values are of the model already found
        inner = [field.annotation, *getattr(field.annotation, "__args__", ())]
        model = next((t for t in inner if isinstance(t, type) and issubclass(t, BaseModel)), model)
    return list(model.model_fields)
