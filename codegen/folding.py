"""Folding: how far the work of one unit is spread over lanes, and how far over cycles."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Folding:
    """How a unit is folded: ``pe`` output lanes, ``simd`` input lanes, where its constants live, which template it is.

    Units other than the matrix–vector units work on whole lanes: their ``pe`` equals their ``simd`` (argmax has one
    output lane, a window of whole patches all of a patch). ``template`` is one of
    :func:`bitloom.codegen.mapping.templates`; empty is the first of them. ``group`` and ``tables`` are those of a
    :class:`~bitloom.hw.TableMatVec`: inputs per table, tables; 0 for the rest.
    """

    pe: int
    simd: int
    memory: str = "auto"
    template: str = ""
    group: int = 0
    tables: int = 0


def divisors(n: int) -> list[int]:
    """The divisors of ``n`` in ascending order."""
    return [d for d in range(1, n + 1) if n % d == 0]
