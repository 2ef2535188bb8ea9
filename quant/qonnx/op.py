"""One operation of an ONNX file, which keeps account of what was read of it: nothing that it says may go unheard."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NoReturn

import onnx

from .failure import ImportFailure

HARMLESS = frozenset({"consumed_inputs"})
"""Attributes that say nothing about what an operation computes, whatever it is: hints to run-time memory (opset 1)."""


@dataclass(frozen=True, eq=False)
class Op:
    """One operation of the file: its kind, the tensors it reads and gives, its attributes as Python values.

    Its importer asks for attributes by name and for operands by number; :meth:`complete` refuses it if it has others.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, object]
    channels_last: bool
    proto: onnx.NodeProto
    asked: set[str] = field(default_factory=set)
    """The attributes that were asked for."""
    taken: set[int] = field(default_factory=set)
    """The numbers of the operands that were asked for."""

    def fail(self, reason: str, way_out: str) -> NoReturn:
        """Refuse this operation."""
        raise ImportFailure(f"node {self.name!r} ({self.kind}): {reason}; {way_out}")

    def complete(self) -> None:
        """Refuse this operation if it has attributes or operands that its importer did not ask for."""
        for name, value in self.attributes.items():
            if name not in self.asked | HARMLESS:
                self.fail(f"attribute {name} = {str(value)[:80]} is not understood", "export the model without it, or "
                          "for another opset")
        for at, name in enumerate(self.inputs):
            if name and at not in self.taken:
                self.fail(f"input {at + 1} ({name!r}) is not understood", "export the model without it, or for another "
                          "opset")

    def has(self, at: int) -> bool:
        """Whether there is an operand number ``at``; one may be left out."""
        return at < len(self.inputs) and bool(self.inputs[at])

    def ignore(self, *names: str, inputs: Collection[int] = ()) -> None:
        """State that these attributes and operands change nothing about the result here."""
        self.asked.update(names)
        self.taken.update(inputs)

    def attribute(self, name: str, default: object = None) -> object:
        """An attribute of any type."""
        self.asked.add(name)
        return self.attributes.get(name, default)

    def number(self, name: str, default: float) -> float:
        """A numeric attribute."""
        value = self.attribute(name, default)
        if not isinstance(value, (int, float)):
            self.fail(f"attribute {name} must be a number, not {value!r}", "export the model again")
        return value

    def flag(self, name: str, default: int) -> int:
        """An integer attribute."""
        value = self.number(name, default)
        if not float(value).is_integer():
            self.fail(f"attribute {name} must be an integer, not {value}", "export the model again")
        return int(value)

    def axis(self, name: str, default: int, ndim: int) -> int:
        """An attribute that names one of ``ndim`` axes, counted from the front."""
        value = self.flag(name, default)
        if not -ndim <= value < ndim:
            self.fail(f"attribute {name} must be from {-ndim} to {ndim - 1} for a tensor of {ndim} axes, not {value}",
                      "export the model again")
        return value % ndim

    def axes(self, name: str, default: tuple[int, ...] | None) -> tuple[int, ...] | None:
        """An attribute of several integers."""
        value = self.attribute(name, default)
        if value is None:
            return None
        if not isinstance(value, (list, tuple)) or not all(isinstance(v, int) for v in value):
            self.fail(f"attribute {name} must be a list of integers, not {value!r}", "export the model again")
        return tuple(value)

    def text(self, name: str, default: str) -> str:
        """A textual attribute."""
        value = self.attribute(name, default)
        if not isinstance(value, str):
            self.fail(f"attribute {name} must be a text, not {value!r}", "export the model again")
        return value

    def choice(self, name: str, default: str, known: Collection[str]) -> str:
        """A textual attribute that is one of ``known``."""
        value = self.text(name, default)
        if value not in known:
            self.fail(f"{name} {value!r} is unknown", f"use one of {', '.join(known)}")
        return value
