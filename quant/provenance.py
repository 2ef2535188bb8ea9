"""Whether an imported graph was compared with the file that it was made from: its metadata say."""

from __future__ import annotations

from typing import Any

from bitloom import WorkError

from .graph import Graph


def uncompared(graph: Graph) -> str:
    """Why ``graph`` was not compared with its file; empty where it was, or was not imported."""
    if "source" not in graph.metadata:
        return ""
    compared: Any = graph.metadata.get("compared")
    if not isinstance(compared, dict):
        return "nothing is known of a comparison; import it again"
    return "" if compared.get("reference") else str(compared.get("reason", "no reason is given"))


def warning(graph: Graph, strict: bool = False) -> str:
    """The line that says that ``graph`` was not compared; empty where that is not so.

    :raises WorkError: it was not, and ``strict`` wants it to be.
    """
    why = uncompared(graph)
    line = f"this network was imported without a comparison: {why}" if why else ""
    if line and strict:
        raise WorkError(f"{line} (--strict)")
    return line
