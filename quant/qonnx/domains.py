"""The domains under which files name operators."""

from __future__ import annotations

STANDARD = ("", "ai.onnx")
"""Names of ONNX' own domain; older exporters put QONNX's quantizers there too."""

GENERAL = "qonnx.custom_op.general"
"""QONNX's own operators."""

DIALECTS = ("onnx.brevitas", "finn", "finn.custom_op.general", "finn.custom_op.registry", "")
"""Domains under which other and older tools write the operators of :data:`GENERAL`."""

FAMILIES = ("qonnx.custom_op.", "finn.custom_op.")
"""What the names of further domains of QONNX and FINN begin with."""


def known(domain: str) -> bool:
    """Whether operators of ``domain`` are looked at by their names."""
    return domain in (*STANDARD, *DIALECTS) or domain.startswith(FAMILIES)
