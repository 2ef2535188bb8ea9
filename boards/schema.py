"""Reading what users write: YAML files against a pydantic model, every mistake as one line that helps."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from bitloom import RequestError


class Strict(BaseModel):
    """A frozen record; keys that it does not know are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Model = TypeVar("Model", bound=Strict)


class _Loader(yaml.SafeLoader):
    """YAML's safe subset, in which a key that is given twice is a mistake (YAML's own rule, which PyYAML ignores)."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} is given twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in the YAML file ``path``; :class:`RequestError` says where and why it is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RequestError(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{path}: cannot be read ({error})") from None
    try:
        data = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}" if mark else f"{path}"
        raise RequestError(f"{where}: not valid YAML ({getattr(error, 'problem', None) or error})") from None
    if not isinstance(data, dict):
        raise RequestError(f"{path}: must hold keys and values (key: value), not {type(data).__name__}")
    return data


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
    close = get_close_matches(str(name), names, 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _line(model: type[BaseModel], error: ErrorDetails) -> str:
    names = [str(part) for part in error["loc"] if part != "[key]"]
    key = ".".join(names)
    if error["type"] == "missing":
        return f"{key} is missing"
    if error["type"] == "extra_forbidden":
        known = _fields(model, names[:-1])
        return f"unknown key {key}{nearest(names[-1], known)} (known: {', '.join(known)})"
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    verb = "" if error["type"] == "value_error" else "must be "
    return f"{key}: {verb}{message}, not {error['input']!r:.80}" if key else message


def _fields(model: type[BaseModel], path: list[str]) -> list[str]:
    """The keys known at ``path`` below ``model``."""
    for name in path:
        field = model.model_fields.get(name)
        if field is None:
            continue  # a key of a mapping: its values are of the model already found
        inner = [field.annotation, *getattr(field.annotation, "__args__", ())]
        model = next((t for t in inner if isinstance(t, type) and issubclass(t, BaseModel)), model)
    return list(model.model_fields)
