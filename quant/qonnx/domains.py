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


RUNTIME = "com.microsoft"
"""ONNX Runtime's own operators."""

OF_RUNTIME = {"QuantizeLinear", "DequantizeLinear", "QLinearAdd", "QLinearMul", "QGemm", "QLinearGlobalAveragePool",
              "QLinearAveragePool", "QLinearConcat", "QLinearLeakyRelu", "QLinearSigmoid",
              "QLinearSoftmax"}
"""Those of them that are known."""


def known(domain: str, kind: str) -> bool:
    """Whether operators ``kind`` of ``domain`` are looked at by their names."""
    if domain == RUNTIME:
        return kind in OF_RUNTIME
    return domain in (*STANDARD, *DIALECTS) or domain.startswith(FAMILIES)
