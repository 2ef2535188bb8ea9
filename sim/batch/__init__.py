"""Whole data sets through the RTL: a compiled driver around Verilator's model, without a bench in between."""

from .run import BatchResult, run_batch

__all__ = ["BatchResult", "run_batch"]
