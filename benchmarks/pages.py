"""Sections of docs/benchmarks.md: each is printed by one script and put where it was before."""

from __future__ import annotations

import re
from pathlib import Path


def table(header: list[str], rows: list[list[str]]) -> str:
    """Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def settle(section: str, path: Path) -> None:
    """Put ``section``, which begins with its title, into the page, in the place of the one of that title."""
    title = section.split("\n", 1)[0]
    page = path.read_text() if path.is_file() else "# Benchmarks\n\nEach section is printed by the script it names.\n"
    parts = [part.strip() for part in re.split(r"(?m)^(?=## )", page)]
    titles = [part.split("\n", 1)[0] for part in parts]
    if title in titles:
        parts[titles.index(title)] = section.strip()
    else:
        parts.append(section.strip())
    path.write_text("\n\n".join(parts) + "\n")
