"""Co-simulation with cocotb and Verilator, and the verification ladder."""

from importlib import import_module
from typing import Any

_FROM = {
    "verify": "ladder", "LevelResult": "levels", "LEVELS": "levels", "write_junit": "junit", "SimulatedBoard": "board",
}  # fmt: skip

__all__ = sorted(_FROM)


def __getattr__(name: str) -> Any:
    """Import on first use: the benches import this package inside the simulator and need none of it."""
    if name in _FROM:
        return getattr(import_module(f".{_FROM[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
