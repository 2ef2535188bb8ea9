"""YAML as people write it: mappings with text for keys, sequences, texts, numbers, truth values, nothing else.

The file is built from the parser's events one by one, so that neither its depth nor its aliases are ever more than the
limits below: an alias counts like what it stands for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import yaml

from bitloom import RequestError

from .text import read_text, shown

BYTES = 1 << 18
"""Bytes of a file."""

DEPTH = 32
"""Mappings and sequences within one another."""

VALUES = 20_000
"""Keys and values of a file, each alias counted as what it stands for."""

CHARACTERS = 1 << 20
"""Characters of all keys and values, counted in the same way."""

DIGITS = 100
"""Characters of a number."""

_PLAIN = ("str", "int", "float", "bool", "null")
_TAG = "tag:yaml.org,2002:"


def read_yaml(path: str | Path) -> dict[str, Any]:
    """The mapping in the YAML file ``path``; :class:`RequestError` says in one line where and why it is none."""
    text = read_text(path, BYTES)
    try:
        value = _Builder(str(path), text).value()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}" if mark else f"{path}"
        reason = getattr(error, "problem", None) or getattr(error, "reason", None) or error
        raise RequestError(f"{where}: not valid YAML ({' '.join(str(reason).split()):.200})") from None
    if not isinstance(value, dict):
        raise RequestError(f"{path}: must hold keys and values (key: value), not {type(value).__name__}")
    return value


@dataclass
class _Size:
    """What a value counts: values and characters."""

    values: int = 0
    characters: int = 0

    def add(self, values: int, characters: int) -> None:
        self.values += values
        self.characters += characters


class _Builder:
    """The value of one document, from its events."""

    def __init__(self, source: str, text: str) -> None:
        self.source, self.loader, self.total = source, yaml.SafeLoader(text), _Size()
        self.anchors: dict[str, tuple[Any, int, int]] = {}

    def value(self) -> Any:
        """The one document's value, None where there is no document."""
        events = self._events()
        event = next(events)
        if isinstance(event, yaml.StreamEndEvent):
            return None
        built = self._node(next(events), events, DEPTH)
        next(events)  # the document's end
        if not isinstance(end := next(events), yaml.StreamEndEvent):
            self.fail(end, "a second document begins; write one")
        return built

    def fail(self, event: Any, reason: str) -> NoReturn:
        """Refuse the file for ``reason`` at ``event``."""
        raise RequestError(f"{self.source}, line {event.start_mark.line + 1}: {reason}")

    def _events(self) -> Iterator[Any]:
        while self.loader.check_event():
            event = self.loader.get_event()
            if not isinstance(event, yaml.StreamStartEvent):
                yield event

    def _count(self, event: Any, values: int, characters: int) -> None:
        self.total.add(values, characters)
        if self.total.values > VALUES:
            self.fail(event, f"more than {VALUES:,} keys and values, aliases counted as what they stand for")
        if self.total.characters > CHARACTERS:
            self.fail(event, f"more than {CHARACTERS:,} characters, aliases counted as what they stand for")

    def _node(self, event: Any, events: Iterator[Any], depth: int) -> Any:
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                self.fail(event, f"alias *{event.anchor} stands for nothing that is complete before it")
            value, *size = self.anchors[event.anchor]
            self._count(event, *size)
            return value
        before = _Size(self.total.values, self.total.characters)
        if isinstance(event, yaml.ScalarEvent):
            self._count(event, 1, len(event.value))
            built = self._scalar(event)
        else:
            self._count(event, 1, 0)
            kind = "map" if isinstance(event, yaml.MappingStartEvent) else "seq"
            if event.tag not in (None, "!", _TAG + kind):
                self.fail(event, f"tag {event.tag} is not known; write plain values")
            if not depth:
                self.fail(event, f"more than {DEPTH} levels of nesting")
            built = (self._mapping if kind == "map" else self._sequence)(events, depth - 1)
        if event.anchor is not None:
            self.anchors[event.anchor] = (built, self.total.values - before.values,
                                          self.total.characters - before.characters)
        return built

    def _mapping(self, events: Iterator[Any], depth: int) -> dict[str, Any]:
        built: dict[str, Any] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            if not isinstance(event, yaml.ScalarEvent | yaml.AliasEvent):
                self.fail(event, "a key must be text, and this one is a list or a mapping")
            key = self._node(event, events, depth)
            if not isinstance(key, str):
                self.fail(event, f"key {shown(getattr(event, 'value', key))} must be text: put it in quotes")
            if key in built:
                self.fail(event, f"key {shown(key)} is given twice")
            built[key] = self._node(next(events), events, depth)
        return built

    def _sequence(self, events: Iterator[Any], depth: int) -> list[Any]:
        built = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            built.append(self._node(event, events, depth))
        return built

    def _scalar(self, event: yaml.ScalarEvent) -> Any:
        tag = event.tag
        if tag is None or tag == "!":
            tag = self.loader.resolve(yaml.ScalarNode, event.value, event.implicit)
        kind = tag.removeprefix(_TAG)
        if kind not in _PLAIN:
            # What YAML 1.1 takes for a date, say, is text here, unless a tag says that it is to be anything else.
            if event.tag not in (None, "!"):
                self.fail(event, f"tag {event.tag} is not known; write plain values")
            return event.value
        node = yaml.ScalarNode(_TAG + kind, event.value, event.start_mark, event.end_mark)
        try:
            if kind in ("int", "float") and len(event.value) > DIGITS:
                raise ValueError
            return self.loader.yaml_constructors[_TAG + kind](self.loader, node)
        except (ValueError, KeyError, IndexError, OverflowError, AttributeError):
            self.fail(event, f"{shown(event.value)} is no {kind}")
