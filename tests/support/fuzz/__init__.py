"""Fuzzing of everything that reads what others wrote: one fuzzer for each reader, reproducible from seed and number."""

from __future__ import annotations

from .attempt import Finding, attempt
from .readers import READERS, Reader

__all__ = ["READERS", "Finding", "Reader", "attempt"]
