"""Build one network for boards of every open family, and print what each came to, as a Markdown table.

    python benchmarks/boards.py [--model digits] [--boards icebreaker ulx3s-85f tang-nano-9k] [--out build/boards]

Each row is a whole build: the board's own top with its host link, placed and routed by the tools named in its
report, timing met at the board's clock. Stage of all figures: routed; frames per second are the accelerator's at that
clock (samples through a UART are slower, as the line is).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from bitloom.boards.board import load
from bitloom.boards.build import build
from bitloom.boards.design import find_design

COLUMNS = ("board", "part", "clock", "Fmax", "LUT", "FF", "block memories", "interval", "latency", "frames/s", "build")


def row(values: dict[str, Any], title: str) -> tuple[str, ...]:
    """One board's line."""
    return (title, values["part"], f"{values['clock_mhz']:g} MHz", f"{values['fmax_mhz']:.1f} MHz",
            f"{values['lut']:,}", f"{values['ff']:,}", f"{values['bram']}", f"{values['interval_cycles']} cycles",
            f"{values['latency_us']:.2f} µs", f"{values['throughput_fps']:,.0f}",
            f"{sum(values['seconds'].values()):.0f} s")


def main() -> None:
    """Build and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="digits")
    parser.add_argument("--boards", nargs="+", default=["icebreaker", "ulx3s-85f", "tang-nano-9k"])
    parser.add_argument("--out", type=Path, default=Path("build") / "boards")
    arguments = parser.parse_args()
    rows = []
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), transient=True) as progress:
        for name in arguments.boards:
            progress.add_task(f"building {arguments.model} for {name}")
            design = find_design(arguments.model, board=name)
            rows.append(row(build(design, arguments.out / design.design), load(name).title))
    for cells in (COLUMNS, ("---",) * len(COLUMNS), *rows):
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
