"""What the command line shows while it works and when it is done.

Progress goes to standard error: a spinner with the seconds elapsed on a terminal, plain lines elsewhere. Results go to
standard output: tables and lines for people, or one JSON object with ``--json``.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click
from rich.columns import Columns
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

SHORT = 16
"""Characters to which a text is shortened before a column is left out; to half of them where nothing else helps."""


class Screen:
    """Where a command speaks to: ``out`` for results (only JSON with ``json``), ``err`` for progress."""

    def __init__(self, as_json: bool = False) -> None:
        self.json = as_json
        self.out = Console(highlight=False, soft_wrap=True, quiet=as_json)
        self.err = Console(stderr=True, highlight=False, soft_wrap=True)
        self.seconds: dict[str, float] = {}
        self._bar: Progress | None = None

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Show the step ``name`` while it runs and keep its seconds; see :class:`bitloom.boards.progress.Progress`."""
        step = Step(name)
        start = time.monotonic()
        if self.err.is_terminal:
            with self._drawn(step):
                yield step
        else:
            self.err.print(f"{name} …", markup=False)
            yield step
        self.seconds[name] = time.monotonic() - start
        line = Text.assemble(("✓ ", "green"), f"{name:<28}", (f"{self.seconds[name]:6.1f} s", "bold"), f"  {step.text}")
        line.rstrip()
        self.err.print(line)

    @contextmanager
    def _drawn(self, step: Step) -> Iterator[None]:
        """Draw ``step`` in a bar of its own, or below the step that it is part of."""
        outer = self._bar
        bar = self._bar = outer or _bar(self.err)
        task = bar.add_task(step.name, total=None, note="")
        step.attach(bar, task)
        try:
            if outer:
                yield
            else:
                with bar:
                    yield
        finally:
            self._bar = outer
            bar.remove_task(task)

    def say(self, text: str) -> None:
        """One line of results for people."""
        self.out.print(text, markup=False)

    def warn(self, text: str) -> None:
        """One line on standard error, of what may not be as meant."""
        self.err.print(Text.assemble(("warning: ", "yellow"), text))

    def rule(self, title: str) -> None:
        """A heading before a block of results."""
        self.out.print(Text(title, style="bold"))

    def table(self, columns: Iterable[str], rows: Iterable[Iterable[object]], optional: Sequence[str] = (),
              widest: int | None = None) -> None:
        """A table of results; a column whose title begins with ``>`` is aligned to the right.

        Where columns are named as ``optional``, the table is as wide as the terminal at most, and never wider than
        ``widest`` characters: long texts are shortened, and where that is not enough, optional columns are left out,
        the first one first.
        """
        titles, cells = list(columns), [[str(cell) for cell in row] for row in rows]
        shown = list(range(len(titles)))
        if optional:
            limit = min(self.out.width if self.out.is_terminal else sys.maxsize, widest or sys.maxsize)
            shown, widths = _fitted(titles, cells, optional, limit)
            cells = [[_shortened(text, widths.get(k, 0)) for k, text in enumerate(row)] for row in cells]
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", show_header=any(titles))
        for index in shown:
            right = titles[index].startswith(">")
            table.add_column(titles[index].lstrip(">"), justify="right" if right else "left", no_wrap=bool(optional))
        for row in cells:
            table.add_row(*(Text(row[index]) for index in shown))
        self.out.print(table, soft_wrap=False) if self.out.is_terminal else _wide(self.out, table)

    def result(self, values: Mapping[str, Any]) -> None:
        """What the command found out, as one JSON object on standard output; nothing without ``--json``."""
        if self.json:
            click.echo(json.dumps(jsonable(values), ensure_ascii=False, allow_nan=False))


class Step:
    """One step under way, drawn where there is a terminal."""

    def __init__(self, name: str) -> None:
        self.name, self.text = name, ""
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def attach(self, bar: Progress, task: TaskID) -> None:
        """Draw in ``bar`` from now on."""
        self._bar, self._task = bar, task

    def note(self, text: str) -> None:
        """Say in a few words where the step is; the last words stay beside its seconds."""
        self.text = text
        if self._bar:
            self._bar.update(self._task, note=text)

    def advance(self, done: int, total: int) -> None:
        """Show ``done`` of ``total``."""
        if self._bar:
            self._bar.update(self._task, completed=done, total=total)


def jsonable(value: Any) -> Any:
    """``value`` in JSON's own types: NumPy's become Python's, what is not finite becomes null, paths become text."""
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [jsonable(item) for item in value]
    if hasattr(value, "tolist"):
        return jsonable(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


class _Share(BarColumn):
    """A bar with how many of how many, where that is known; nothing otherwise."""

    def __init__(self) -> None:
        super().__init__(bar_width=20)
        self._count = MofNCompleteColumn()

    def render(self, task: Task) -> Any:
        if task.total is None:
            return Text("")
        return Columns([super().render(task), self._count.render(task)])


def _bar(console: Console) -> Progress:
    return Progress(SpinnerColumn(), TextColumn("{task.description:<28}", markup=False), TimeElapsedColumn(), _Share(),
                    TextColumn("{task.fields[note]}", markup=False), console=console, transient=True)


def _fitted(titles: list[str], cells: list[list[str]], optional: Sequence[str], limit: int
            ) -> tuple[list[int], dict[int, int]]:
    """Which columns are shown and how wide each of them is, so that the table has ``limit`` characters at most."""
    natural = [max(len(text) for text in texts) for texts in zip(*cells, (title.lstrip(">") for title in titles))]
    shown, droppable, least = list(range(len(titles))), list(optional), SHORT
    while True:
        widths = {k: natural[k] for k in shown}
        texts = [k for k in shown if not titles[k].startswith(">")]
        while sum(widths.values()) + 2 * (len(shown) - 1) > limit:
            widest = max(texts, key=lambda k: widths[k])
            if widths[widest] <= least:
                break
            widths[widest] -= 1
        else:
            return shown, widths
        if droppable:
            shown.remove(titles.index(droppable.pop(0)))
        elif least > SHORT // 2:
            least = SHORT // 2
        else:
            return shown, widths


def _shortened(text: str, width: int) -> str:
    """``text`` in ``width`` characters: its beginning and its end."""
    if len(text) <= width or width < 3:
        return text
    end = (width - 1) // 2
    return f"{text[: width - 1 - end]}…{text[-end:]}"


def _wide(console: Console, table: Table) -> None:
    """Print a table at its natural width: a file or a pipe has no edge to wrap at."""
    before = console.width
    console.width = 400
    with console.capture() as text:
        console.print(table)
    console.width = before
    console.out("\n".join(line.rstrip() for line in text.get().splitlines()), highlight=False)
